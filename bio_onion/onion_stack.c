/*
 * onion_stack.c - the one BIO of an application, through any number of layers.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A read enters the chain at the innermost layer that the peer has not closed,
 * a write at the innermost that we have not closed. Neither knows of the other.
 */

#include <string.h>
#include "onion_local.h"
#include "onion_openssl.h"

static int stack_type;

ONION_STACK *onion_stack_of(BIO *stack)
{
    return BIO_get_data(stack);
}

BIO *onion_stack_find(BIO *chain)
{
    BIO *stack = NULL;

    if (chain != NULL && BIO_f_onion_stack() != NULL)
        stack = BIO_find_type(chain, stack_type);
    if (stack == NULL) {
        onion_err_clear();
        ONION_raise(ONION_R_NO_STACK, "start from BIO_new_onion_stack()");
    }
    return stack;
}

static int stack_create(BIO *b)
{
    ONION_STACK *s = OPENSSL_zalloc(sizeof(*s));

    if (s == NULL)
        return 0;
    s->max_depth = 16;
    BIO_set_data(b, s);
    BIO_set_init(b, 1);
    return 1;
}

static int stack_destroy(BIO *b)
{
    if (onion_wire_find(b) != NULL)
        onion_stop_farewell(b);
    onion_buf_free(&onion_stack_of(b)->gathered);
    OPENSSL_free(onion_stack_of(b));
    return 1;
}

int onion_stack_enter(BIO *b)
{
    BIO *failed, *wire = onion_chain_wire(b, &failed);

    onion_stack_of(b)->wire = wire;
    onion_stack_of(b)->tells_boundary = 0;
    BIO_clear_retry_flags(b);
    BIO_set_retry_reason(b, 0);
    onion_err_clear();
    if (wire == NULL || BIO_next(wire) == NULL) {
        ONION_raise(ONION_R_NO_TRANSPORT, "push a transport under the stack");
        return 0;
    }
    if (failed == NULL)
        return 1;
    onion_verdict_fail_again(failed);
    return 0;
}

/* A call in progress has failed: the layer that failed first has the word. */
static int leave_failed(BIO *b)
{
    BIO *failed = onion_chain_failed(b);

    if (failed != NULL)
        onion_verdict_fail_again(failed);
    ERR_set_mark();
    onion_wire_flush(onion_stack_of(b)->wire);  /* the alert, if any */
    onion_event_tell(b);
    ERR_pop_to_mark();
    BIO_clear_retry_flags(b);
    return -1;
}

int onion_stack_leave(BIO *b, int ret)
{
    BIO *wire = onion_stack_of(b)->wire;
    int sent;

    if (ret < 0 && !BIO_should_retry(b))
        return leave_failed(b);
    sent = onion_wire_flush(wire);
    onion_event_tell(b);
    onion_err_clear();
    if (ret < 0) {
        if (sent == 0)
            BIO_set_flags(b, BIO_get_retry_flags(wire));
        return -1;
    }
    if (sent > 0)
        return ret;
    if (sent == 0)
        onion_pass_retry(b, wire);
    else
        onion_wire_writable(wire);
    return -1;
}

int onion_stack_refuse(BIO *b, int reason, const char *what)
{
    ONION_raise(reason, "%s; read depth %d, write depth %d", what,
                onion_chain_read_depth(b), onion_chain_write_depth(b));
    return 0;
}

/*
 * The peer has closed the layer that reads enter: this is the boundary. The
 * read that tells of it is the one that changes the depth.
 */
static int boundary(BIO *b, BIO *layer)
{
    ONION_STACK *s = onion_stack_of(b);

    if (!onion_layer_of(layer)->heard_close)
        return onion_verdict_fail(layer, ONION_R_LAYER_FAILED,
                                  "its shutdown state was set from outside");
    if (onion_chain_read_depth(b) <= s->min_depth)
        return onion_verdict_fail(layer, ONION_R_MIN_DEPTH,
                                  "the peer closed it, and it must stay");
    onion_layer_of(layer)->left = 1;
    if (onion_write_may_follow(b) && onion_stop_follow(b) < 0)
        return -1;
    onion_stop_remove(b);
    return 0;
}

/* ret is what a read of top has returned: 0 is an end of what it reads. */
static int was_read(BIO *b, BIO *top, int ret)
{
    if (ret == 0 && onion_layer_is(top))
        return boundary(b, top);
    if (ret < 0)
        onion_pass_retry(b, top);
    return ret;
}

int onion_stack_leave_anyway(BIO *b, int ret)
{
    if (ret < 0)
        return onion_stack_leave(b, ret);
    onion_wire_flush(onion_stack_of(b)->wire);
    onion_event_tell(b);
    BIO_clear_retry_flags(b);
    onion_err_clear();
    return ret;
}

/* An answer is waited for: what is gathered may be the question. */
static BIO *begin_read(BIO *b)
{
    onion_rest_turn(b);
    if (onion_write_gathered(b) > 0) {
        if (onion_write_send_gathered(b) > 0 && onion_write_may_follow(b)
            && onion_stop_follow(b) > 0)
            onion_stop_remove(b);
        BIO_clear_retry_flags(b);
    }
    return onion_chain_read_top(b);
}

/* A boundary is a 0, and must stay one. */
static void tell_boundary(BIO *b)
{
    onion_stack_of(b)->tells_boundary = ONION_READ_ASKS_FOR_END;
}

static int stack_read(BIO *b, char *out, size_t len, size_t *got)
{
    BIO *top;
    int n, ret;

    *got = 0;
    if (!onion_stack_enter(b))
        return -1;
    if (out == NULL || len == 0)
        return 0;
    top = begin_read(b);
    n = onion_pass_length(len);
    ret = onion_layer_is(top) ? BIO_read(top, out, n)
                              : onion_wire_read_clear(top, out, n);
    ret = onion_stack_leave_anyway(b, was_read(b, top, ret));
    if (ret == 0)
        tell_boundary(b);
    if (ret <= 0)
        return ret;
    *got = (size_t)ret;
    return 1;
}

static int stack_write(BIO *b, const char *in, size_t len, size_t *put)
{
    int ret = onion_write(b, in, onion_pass_length(len));

    *put = ret > 0 ? (size_t)ret : 0;
    return ret > 0 ? 1 : ret;
}

/* Up to and with the first newline of those len bytes, if there is one. */
static int line_length(const char *text, int len)
{
    const char *newline = memchr(text, '\n', (size_t)len);

    return newline == NULL ? len : (int)(newline - text) + 1;
}

static int stack_gets(BIO *b, char *out, int size)
{
    BIO *top;
    int n, got = 0;

    if (!onion_stack_enter(b))
        return -1;
    if (out == NULL || size <= 1)
        return 0;
    top = begin_read(b);
    do {
        n = onion_chain_peek(top, out + got, size - 1 - got);
        if (n > 0)
            n = BIO_read(top, out + got, line_length(out + got, n));
        if (n > 0)
            got += n;
    } while (n > 0 && out[got - 1] != '\n');    /* 0, too, if out is full */
    out[got] = '\0';
    return onion_stack_leave_anyway(b, got > 0 ? got : was_read(b, top, n));
}

static int stack_puts(BIO *b, const char *str)
{
    size_t len = strlen(str);

    return len > INT_MAX ? -1 : onion_write(b, str, (int)len);
}

/*
 * All that a TLS 1.3 server has left to send after a handshake are tickets,
 * and a peer that only writes for now does not read them.
 */
static int awaits_nothing(BIO *top)
{
    SSL *ssl = onion_layer_is(top) ? onion_layer_of(top)->ssl : NULL;

    return ssl != NULL && SSL_is_server(ssl)
        && SSL_version(ssl) >= TLS1_3_VERSION;
}

static int handshake(BIO *b)
{
    BIO *top;

    if (!onion_stack_enter(b) || !onion_wire_writable(onion_stack_of(b)->wire))
        return -1;
    top = onion_chain_write_top(b);
    if (BIO_do_handshake(top) <= 0) {
        onion_pass_retry(b, top);
        return onion_stack_leave(b, -1);
    }
    return awaits_nothing(top) ? onion_stack_leave_anyway(b, 1)
                               : onion_stack_leave(b, 1);
}

static int flush(BIO *b)
{
    int ret;

    if (!onion_stack_enter(b))
        return -1;
    if (onion_write_gathered(b) > 0
        && !onion_wire_writable(onion_stack_of(b)->wire))
        return -1;
    ret = onion_stack_leave(b, onion_write_flush(b));
    return ret > 0 && onion_write_may_follow(b) ? onion_write_follow(b, 1)
                                                : ret;
}

static size_t unsent(BIO *b)
{
    BIO *wire = onion_wire_find(b);

    return wire == NULL ? 0 : onion_wire_unsent(wire) + onion_write_gathered(b);
}

static long pending(BIO *b)
{
    BIO *wire = onion_wire_find(b);
    BIO *top;

    if (wire == NULL)
        return 0;
    if (onion_chain_failed(b) != NULL)
        return 1;
    top = onion_chain_read_top(b);
    if (top == wire)
        return BIO_pending(wire) > 0 ? BIO_pending(wire) : BIO_eof(wire);
    return onion_session_pending(top);
}

static long end_of_file(BIO *b)
{
    ONION_STACK *s = onion_stack_of(b);
    BIO *wire = onion_wire_find(b);

    if (s->tells_boundary) {
        /* untested: OpenSSL 4.0 alone asks, see tell_boundary() */
        s->tells_boundary = 0;
        return 1;
    }
    if (wire == NULL || onion_chain_failed(b) != NULL)
        return 1;
    return onion_chain_read_top(b) == wire && BIO_eof(wire) == 1;
}

/* What has passed cannot be taken back, nor can a transport in general. */
static long reset(BIO *b)
{
    onion_err_clear();
    return onion_stack_refuse(b, ERR_R_UNSUPPORTED,
                              "reset: stop the layers, or free the stack");
}

/* A chain was pushed under the stack: it gets its wire, above the transport. */
static long pushed(BIO *b)
{
    BIO *last = b, *next, *wire;

    while ((next = onion_layer_find(BIO_next(last))) != NULL)
        last = next;
    next = BIO_next(last);
    if (next == NULL || onion_wire_find(b) != NULL)
        return 1;
    wire = onion_wire_new();
    if (wire == NULL)
        return 0;
    BIO_push(wire, next);
    BIO_set_next(last, NULL);
    BIO_push(last, wire);
    return 1;
}

static long pass_down(BIO *b, int cmd, long num, void *ptr)
{
    BIO *wire = onion_wire_find(b);

    if (wire == NULL || !onion_pass_control(cmd))
        return cmd == BIO_C_GET_FD ? -1 : 0;
    return BIO_ctrl(wire, cmd, num, ptr);
}

static long dup_to(ONION_STACK *s, BIO *to)
{
    ONION_STACK *copy = onion_stack_of(to);

    *copy = *s;
    copy->wire = NULL;
    copy->out = NULL;
    memset(&copy->gathered, 0, sizeof(copy->gathered));
    copy->out_len = copy->out_done = 0;
    copy->turns = copy->busy = 0;
    return 1;
}

static long stack_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    switch (cmd) {
    case BIO_C_DO_STATE_MACHINE:
        return handshake(b);
    case BIO_CTRL_FLUSH:
        return flush(b);
    case BIO_CTRL_PENDING:
        return pending(b);
    case BIO_CTRL_WPENDING:
        return (long)unsent(b);
    case BIO_CTRL_EOF:
        return end_of_file(b);
    case BIO_CTRL_RESET:
        return reset(b);
    case BIO_CTRL_PUSH:
        return pushed(b);
    case BIO_CTRL_DUP:
        return dup_to(onion_stack_of(b), ptr);
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(b);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(b, (int)num);
        return 1;
    case BIO_C_GET_SSL:
        return onion_chain_layers(b) == 0
            ? 0 : BIO_ctrl(BIO_next(b), cmd, num, ptr);
    default:
        return pass_down(b, cmd, num, ptr);
    }
}

static long stack_callback_ctrl(BIO *b, int cmd, BIO_info_cb *cb)
{
    BIO *wire = onion_wire_find(b);

    if (cmd != BIO_CTRL_SET_CALLBACK || wire == NULL)
        return 0;
    return BIO_callback_ctrl(wire, cmd, cb);
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

/* Without layers it would be of no use. */
static void make_method(void)
{
    if (BIO_f_onion() == NULL)
        return;
    method = onion_pass_method(BIO_TYPE_FILTER, "onion stack", &stack_type);
    if (method == NULL)
        return;
    BIO_meth_set_write_ex(method, stack_write);
    BIO_meth_set_read_ex(method, stack_read);
    BIO_meth_set_puts(method, stack_puts);
    BIO_meth_set_gets(method, stack_gets);
    BIO_meth_set_ctrl(method, stack_ctrl);
    BIO_meth_set_create(method, stack_create);
    BIO_meth_set_destroy(method, stack_destroy);
    BIO_meth_set_callback_ctrl(method, stack_callback_ctrl);
}

const BIO_METHOD *BIO_f_onion_stack(void)
{
    CRYPTO_THREAD_run_once(&once, make_method);
    return method;
}

BIO *BIO_new_onion_stack(BIO *transport)
{
    BIO *b;

    onion_err_clear();
    if (transport == NULL) {
        ONION_raise(ONION_R_NO_TRANSPORT, "a stack needs a BIO below it");
        return NULL;
    }
    b = BIO_f_onion_stack() == NULL ? NULL : BIO_new(BIO_f_onion_stack());
    if (b == NULL)
        return NULL;
    BIO_push(b, transport);
    if (onion_wire_find(b) == NULL) {
        BIO_pop(b);
        BIO_free(b);
        return NULL;
    }
    return b;
}
