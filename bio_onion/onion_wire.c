/*
 * onion_wire.c - the bottom of a stack: read-ahead and write batching.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The wire accepts every write, so that no SSL above it is ever left with half
 * a record, and hands them to the transport when the stack returns to its
 * caller, or before the transport is read. The stack bounds what it holds, by
 * taking nothing more from the application while there is too much.
 *
 * It reads ahead as much as the transport gives, and outlives every layer: a
 * byte that is read too early waits here for whoever it belongs to.
 */

#include <errno.h>
#include "onion_local.h"

/* As much as the kernel hands out at once, and four records at least. */
#define READ_AHEAD (64 * 1024)
/* What is held for a peer that makes the layers answer, but does not read. */
#define UNSENT_MAX (4 * ONION_WIRE_HIGH)

typedef struct onion_wire_st {
    ONION_BUF in;           /* read ahead */
    ONION_BUF out;          /* not yet with the transport */
    unsigned flush : 1;     /* the transport is still to be flushed */
    unsigned ended : 1;     /* the transport is at its end */
    unsigned held : 1;      /* read only what was read ahead */
    unsigned failed : 1;    /* the transport does not take writes any more */
    char why[96];           /* text, valid iff failed */
} ONION_WIRE;

static int wire_type;

static ONION_WIRE *wire_of(BIO *b)
{
    return BIO_get_data(b);
}

static int wire_create(BIO *b)
{
    ONION_WIRE *w = OPENSSL_zalloc(sizeof(*w));

    if (w == NULL)
        return 0;
    BIO_set_data(b, w);
    BIO_set_init(b, 1);
    return 1;
}

static int wire_destroy(BIO *b)
{
    ONION_WIRE *w;

    if (b == NULL)
        return 0;
    w = wire_of(b);
    if (w != NULL) {
        if (BIO_next(b) != NULL) {
            /* The last words of layers that were freed one by one. */
            ERR_set_mark();
            onion_wire_flush(b);
            ERR_pop_to_mark();
        }
        onion_buf_free(&w->in);
        onion_buf_free(&w->out);
    }
    OPENSSL_free(w);
    BIO_set_data(b, NULL);
    BIO_set_init(b, 0);
    return 1;
}

/* What the transport has just answered is a retry: 0. Or it has failed: -1. */
static int stuck(BIO *b)
{
    ONION_WIRE *w = wire_of(b);

    if (BIO_should_retry(BIO_next(b))) {
        BIO_copy_next_retry(b);
        return 0;
    }
    w->failed = 1;
    OPENSSL_strlcpy(w->why, onion_err_transport(errno), sizeof(w->why));
    onion_buf_free(&w->out);
    return -1;
}

/* A layer has the wire, but the transport was popped. */
static int has_transport(BIO *b)
{
    if (BIO_next(b) != NULL)
        return 1;
    ONION_raise(ONION_R_NO_TRANSPORT, "nothing lies below the wire");
    return 0;
}

static int send_some(BIO *b)
{
    ONION_WIRE *w = wire_of(b);
    int len = w->out.len > INT_MAX ? INT_MAX : (int)w->out.len;
    int n;

    errno = 0;
    n = BIO_write(BIO_next(b), w->out.data + w->out.off, len);
    if (n <= 0)
        return stuck(b);
    onion_buf_drop(&w->out, (size_t)n);
    w->flush = 1;
    return 1;
}

int onion_wire_flush(BIO *b)
{
    ONION_WIRE *w = wire_of(b);
    int ret;

    BIO_clear_retry_flags(b);
    if (w->failed || !has_transport(b))
        return -1;
    while (w->out.len > 0)
        if ((ret = send_some(b)) <= 0)
            return ret;
    if (w->out.cap > READ_AHEAD)
        onion_buf_free(&w->out);
    if (!w->flush)
        return 1;
    errno = 0;
    if (BIO_flush(BIO_next(b)) <= 0)
        return stuck(b);
    w->flush = 0;
    return 1;
}

int onion_wire_writable(BIO *b)
{
    ONION_WIRE *w = wire_of(b);

    if (!w->failed)
        return 1;
    ONION_raise(ONION_R_TRANSPORT_FAILED, "cannot write to the transport: %s",
                w->why);
    return 0;
}

size_t onion_wire_unsent(BIO *b)
{
    const ONION_WIRE *w = wire_of(b);

    /* A flush that is owed counts as a byte. */
    return w->out.len > 0 ? w->out.len : w->flush;
}

size_t onion_wire_ahead(BIO *b)
{
    return wire_of(b)->in.len;
}

int onion_wire_hold(BIO *b, int hold)
{
    ONION_WIRE *w = wire_of(b);
    int old = w->held;

    w->held = hold != 0;
    return old;
}

int onion_wire_give_back(BIO *b, const void *in, size_t len)
{
    return onion_buf_prepend(&wire_of(b)->in, in, len);
}

static int wire_write(BIO *b, const char *in, int len)
{
    ONION_WIRE *w = wire_of(b);

    BIO_clear_retry_flags(b);
    if (in == NULL || len <= 0)
        return 0;
    /*
     * What can no longer be sent is dropped: there may be something to read,
     * and the stack reports the failure to whoever writes.
     */
    if (w->failed)
        return len;
    if (w->out.len + (size_t)len > UNSENT_MAX) {
        ONION_raise(ONION_R_TOO_MUCH_UNSENT, "%zu bytes wait to be sent",
                    w->out.len);
        return -1;
    }
    return onion_buf_append(&w->out, in, (size_t)len) ? len : -1;
}

/* Reads the transport into out. */
static int receive(BIO *b, void *out, int len)
{
    ONION_WIRE *w = wire_of(b);
    BIO *next = BIO_next(b);
    int n;

    errno = 0;
    n = BIO_read(next, out, len);
    if (n > 0)
        return n;
    if (BIO_should_retry(next)) {
        BIO_copy_next_retry(b);
        return -1;
    }
    if (n == 0 || BIO_eof(next) == 1) {
        w->ended = 1;
        return 0;
    }
    ONION_raise(ONION_R_TRANSPORT_FAILED, "cannot read from the transport: %s",
                onion_err_transport(errno));
    return -1;
}

/* Fills the empty read-ahead, once. 1, or what receive() says. */
static int read_ahead(BIO *b)
{
    ONION_WIRE *w = wire_of(b);
    unsigned char *room;
    int n;

    if (w->ended)
        return 0;
    if (!has_transport(b))
        return -1;
    /* Until a transport is connected, nothing but the write may be retried. */
    if (onion_wire_flush(b) == 0 && BIO_should_io_special(b))
        return -1;
    BIO_clear_retry_flags(b);
    if (w->held) {
        BIO_set_retry_read(b);
        return -1;
    }
    room = onion_buf_reserve(&w->in, READ_AHEAD);
    if (room == NULL)
        return -1;
    n = receive(b, room, READ_AHEAD);
    if (n > 0)
        w->in.len = (size_t)n;
    else
        onion_buf_free(&w->in);     /* an idle connection holds no buffer */
    return n > 0 ? 1 : n;
}

int onion_wire_peek(BIO *b, void *out, int len)
{
    ONION_WIRE *w = wire_of(b);
    int ret;

    BIO_clear_retry_flags(b);
    if (out == NULL || len <= 0)
        return 0;
    if (w->in.len == 0 && (ret = read_ahead(b)) <= 0)
        return ret;
    return (int)onion_buf_copy(&w->in, out, (size_t)len);
}

static int wire_read(BIO *b, char *out, int len)
{
    int n = onion_wire_peek(b, out, len);

    if (n > 0)
        onion_buf_drop(&wire_of(b)->in, (size_t)n);
    return n;
}

static long pending(BIO *b)
{
    ONION_WIRE *w = wire_of(b);
    size_t n = w->in.len;

    if (n > INT_MAX)
        return INT_MAX;
    return n > 0 || w->held ? (long)n : BIO_pending(BIO_next(b));
}

/* A transport that need not connect answers 0, and raises nothing. */
static long connect_transport(BIO *b)
{
    long ret;

    BIO_clear_retry_flags(b);
    ret = BIO_do_handshake(BIO_next(b));
    if (ret > 0)
        return ret;
    if (BIO_should_retry(BIO_next(b))) {
        BIO_copy_next_retry(b);
        return -1;
    }
    if (ERR_peek_error() == 0)
        return 1;
    ONION_raise(ONION_R_TRANSPORT_FAILED, "cannot connect: %s",
                onion_err_transport(0));
    return -1;
}

static long wire_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    ONION_WIRE *w = wire_of(b);
    BIO *next = BIO_next(b);

    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return 1;       /* the stack flushes when it returns */
    case BIO_CTRL_EOF:
        return w->in.len == 0 && w->ended;
    case BIO_CTRL_PENDING:
        return next == NULL ? (long)w->in.len : pending(b);
    case BIO_CTRL_WPENDING:
        return (long)onion_wire_unsent(b);
    case BIO_CTRL_DUP:
        return 1;       /* a wire of its own, with nothing in it */
    case BIO_C_DO_STATE_MACHINE:
        return next == NULL ? 0 : connect_transport(b);
    default:
        if (!onion_pass_control(cmd))
            return 0;
        break;
    }
    if (next == NULL)
        return cmd == BIO_C_GET_FD ? -1 : 0;
    return BIO_ctrl(next, cmd, num, ptr);
}

static long wire_callback_ctrl(BIO *b, int cmd, BIO_info_cb *cb)
{
    return BIO_next(b) == NULL ? 0 : BIO_callback_ctrl(BIO_next(b), cmd, cb);
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

static void make_method(void)
{
    wire_type = BIO_get_new_index() | BIO_TYPE_FILTER;
    method = BIO_meth_new(wire_type, "onion wire");
    if (method == NULL)
        return;
    BIO_meth_set_write(method, wire_write);
    BIO_meth_set_read(method, wire_read);
    BIO_meth_set_ctrl(method, wire_ctrl);
    BIO_meth_set_create(method, wire_create);
    BIO_meth_set_destroy(method, wire_destroy);
    BIO_meth_set_callback_ctrl(method, wire_callback_ctrl);
}

static const BIO_METHOD *wire_method(void)
{
    return CRYPTO_THREAD_run_once(&once, make_method) ? method : NULL;
}

BIO *onion_wire_new(void)
{
    return wire_method() == NULL ? NULL : BIO_new(wire_method());
}

int onion_wire_is(const BIO *bio)
{
    return wire_type != 0 && BIO_method_type(bio) == wire_type;
}

BIO *onion_wire_find(BIO *bio)
{
    while (bio != NULL && !onion_wire_is(bio))
        bio = BIO_next(bio);
    return bio;
}
