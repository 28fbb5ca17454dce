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
/* Without layers: a copy of more than that costs more than a read. */
#define CLEAR_READ_AHEAD 4096
/* What is held for a peer that makes the layers answer, but does not read. */
#define UNSENT_MAX (4 * ONION_WIRE_HIGH)

typedef struct onion_wire_st {
    ONION_BUF in;           /* read ahead */
    ONION_BUF out;          /* not yet with the transport */
    unsigned flush : 1;     /* the transport is still to be flushed */
    unsigned ended : 1;     /* the transport is at its end */
    unsigned held : 1;      /* read only what was read ahead */
    unsigned straight : 1;  /* a write need not wait for another */
    unsigned keep : 1;      /* the buffers stay when they are empty */
    unsigned failed : 1;    /* the transport does not take writes any more */
    char why[96];           /* text, valid iff failed */
} ONION_WIRE;

int onion_wire_type;

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
    ONION_WIRE *w = wire_of(b);

    if (BIO_next(b) != NULL) {
        /* The last words of layers that were freed one by one. */
        ERR_set_mark();
        onion_wire_flush(b);
        ERR_pop_to_mark();
    }
    onion_buf_free(&w->in);
    onion_buf_free(&w->out);
    OPENSSL_free(w);
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

/* What the transport takes at once; or what stuck() says. */
static int send_now(BIO *b, const void *in, int len)
{
    int n;

    errno = 0;
    n = BIO_write(BIO_next(b), in, len);
    if (n <= 0)
        return stuck(b);
    wire_of(b)->flush = 1;
    return n;
}

static int send_some(BIO *b)
{
    ONION_WIRE *w = wire_of(b);
    int len = onion_pass_length(w->out.len);
    int n = send_now(b, w->out.data + w->out.off, len);

    if (n > 0)
        onion_buf_drop(&w->out, (size_t)n);
    return n;
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
    if (!w->keep || w->out.cap > UNSENT_MAX)
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

void onion_wire_go_straight(BIO *b, int straight)
{
    wire_of(b)->straight = straight != 0;
}

/* They are given back where they are found empty. */
void onion_wire_keep(BIO *b, int keep)
{
    wire_of(b)->keep = keep != 0;
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

/* What goes to the transport without waiting for more. */
static size_t write_straight(BIO *b, const char *in, size_t len)
{
    const ONION_WIRE *w = wire_of(b);
    int n;

    if (!w->straight || w->out.len > 0 || w->failed || BIO_next(b) == NULL)
        return 0;
    n = send_now(b, in, onion_pass_length(len));
    return n > 0 ? (size_t)n : 0;
}

static int wire_write(BIO *b, const char *in, size_t len, size_t *put)
{
    ONION_WIRE *w = wire_of(b);
    size_t sent = write_straight(b, in, len);

    BIO_clear_retry_flags(b);
    *put = len;
    /*
     * What can no longer be sent is dropped: there may be something to read,
     * and the stack reports the failure to whoever writes.
     */
    if (w->failed)
        return 1;
    if (len > UNSENT_MAX - w->out.len) {
        ONION_raise(ONION_R_TOO_MUCH_UNSENT, "%zu bytes wait to be sent",
                    w->out.len);
        return -1;
    }
    return onion_buf_append(&w->out, in + sent, len - sent) ? 1 : -1;
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

/* Before a read of the transport. 1, 0 at its end, -1 for retry or failure. */
static int may_receive(BIO *b)
{
    ONION_WIRE *w = wire_of(b);

    if (w->ended)
        return 0;
    if (!has_transport(b))
        return -1;
    /* Until a transport is connected, nothing but the write may be retried. */
    if (onion_wire_flush(b) == 0 && BIO_should_io_special(b))
        return -1;
    BIO_clear_retry_flags(b);
    if (!w->held)
        return 1;
    BIO_set_retry_read(b);
    return -1;
}

static void give_back(ONION_WIRE *w)
{
    if (w->in.len == 0 && !w->keep)
        onion_buf_free(&w->in);
}

/* Fills the empty read-ahead, once. 1, or what receive() says. */
static int read_ahead(BIO *b)
{
    ONION_WIRE *w = wire_of(b);
    unsigned char *room;
    int n = may_receive(b);

    if (n <= 0)
        return n;
    room = onion_buf_reserve(&w->in, READ_AHEAD);
    if (room == NULL)
        return -1;
    n = receive(b, room, READ_AHEAD);
    if (n > 0)
        onion_buf_filled(&w->in, (size_t)n);
    else
        give_back(w);
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

/* To read ahead of a read that takes as much would be to copy it twice. */
static int read_straight(BIO *b, char *out, int len)
{
    int n;

    BIO_clear_retry_flags(b);
    n = may_receive(b);
    return n > 0 ? receive(b, out, len) : n;
}

/* straight: the length from which nothing is read ahead of it */
static int read_some(BIO *b, char *out, int len, int straight)
{
    ONION_WIRE *w = wire_of(b);
    int n;

    if (len >= straight && w->in.len == 0)
        n = read_straight(b, out, len);
    else if ((n = onion_wire_peek(b, out, len)) > 0)
        onion_buf_drop(&w->in, (size_t)n);
    give_back(w);
    return n;
}

static int wire_read(BIO *b, char *out, size_t size, size_t *got)
{
    int n = read_some(b, out, onion_pass_length(size), READ_AHEAD);

    if (n <= 0)
        return n;
    *got = (size_t)n;
    return 1;
}

int onion_wire_read_clear(BIO *b, char *out, int len)
{
    return read_some(b, out, len, CLEAR_READ_AHEAD);
}

static long pending(BIO *b)
{
    ONION_WIRE *w = wire_of(b);
    int n = onion_pass_length(w->in.len);

    return n > 0 || w->held ? n : BIO_pending(BIO_next(b));
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

static BIO_METHOD *method;

void onion_wire_make_method(void)
{
    method = onion_pass_method(BIO_TYPE_FILTER, "onion wire",
                               &onion_wire_type);
    if (method == NULL)
        return;
    BIO_meth_set_write_ex(method, wire_write);
    BIO_meth_set_read_ex(method, wire_read);
    BIO_meth_set_ctrl(method, wire_ctrl);
    BIO_meth_set_create(method, wire_create);
    BIO_meth_set_destroy(method, wire_destroy);
    BIO_meth_set_callback_ctrl(method, wire_callback_ctrl);
}

BIO *onion_wire_new(void)
{
    return method == NULL ? NULL : BIO_new(method);
}

BIO *onion_wire_find(BIO *bio)
{
    while (bio != NULL && !onion_wire_is(bio))
        bio = BIO_next(bio);
    return bio;
}
