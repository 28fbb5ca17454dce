/*
 * server_relay.c - passes on what comes, between the layers and a far socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * There is one piece at most on its way in each direction, and nothing more is
 * read before it is gone: who sends faster than the other end takes it, waits.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <openssl/crypto.h>
#include "bio_onion.h"
#include "server_relay.h"

#define PIECE 16384
/* Pieces each way before another connection has its turn. */
#define PIECES 8

/* What a step has done. */
typedef enum { MOVED, STUCK, STACK_FAILED, FAR_FAILED, NO_MEMORY } RESULT;

static int reserve(FLOW *f)
{
    f->off = f->len = 0;
    if (f->data == NULL)
        f->data = OPENSSL_malloc(PIECE);
    return f->data != NULL;
}

static void release(FLOW *f)
{
    OPENSSL_free(f->data);
    f->data = NULL;
    f->len = 0;
}

static RESULT end_flow(FLOW *f)
{
    release(f);
    f->ended = 1;
    return MOVED;
}

static RESULT would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
        ? STUCK : FAR_FAILED;
}

static RESULT stack_result(CONN *c)
{
    if (!BIO_should_retry(c->stack))
        return STACK_FAILED;
    conn_want(c);
    return STUCK;
}

/* Up
 * --
 */

/* The innermost layer is the stream: what follows in another is not of it. */
static RESULT read_stack(FLOW *f, CONN *c)
{
    int n;

    if (!reserve(f))
        return NO_MEMORY;
    n = BIO_read(c->stack, f->data, PIECE);
    if (n > 0) {
        f->len = n;
        return MOVED;
    }
    release(f);
    if (BIO_should_retry(c->stack) || n < 0)
        return stack_result(c);
    return end_flow(f);
}

static RESULT write_far(FLOW *f, CONN *c)
{
    ssize_t n = send(c->far.fd, f->data + f->off, (size_t)f->len, 0);

    if (n < 0) {
        c->want_far |= POLLOUT;
        return would_block();
    }
    f->off += (int)n;
    f->len -= (int)n;
    if (f->len == 0)
        release(f);
    return MOVED;
}

static RESULT run_up(FLOW *f, CONN *c)
{
    if (f->len > 0)
        return write_far(f, c);
    if (!f->ended)
        return read_stack(f, c);
    if (f->told)
        return STUCK;
    shutdown(c->far.fd, SHUT_WR);
    f->told = 1;
    return MOVED;
}

/* Down
 * ----
 */

static RESULT read_far(FLOW *f, CONN *c)
{
    ssize_t n;

    if (!reserve(f))
        return NO_MEMORY;
    n = recv(c->far.fd, f->data, PIECE, 0);
    if (n > 0) {
        f->len = (int)n;
        return MOVED;
    }
    if (n == 0)
        return end_flow(f);
    release(f);
    c->want_far |= POLLIN;
    return would_block();
}

static RESULT write_stack(FLOW *f, CONN *c)
{
    if (BIO_write(c->stack, f->data, f->len) <= 0)
        return stack_result(c);
    release(f);
    return MOVED;
}

/* The end of each layer, and of the connection, in our direction. */
static RESULT end_stack(FLOW *f, CONN *c)
{
    if (BIO_onion_stop_tls(c->stack, 0) < 0)
        return stack_result(c);
    shutdown(c->near.fd, SHUT_WR);
    f->told = 1;
    return MOVED;
}

static RESULT run_down(FLOW *f, CONN *c)
{
    if (f->len > 0)
        return write_stack(f, c);
    if (!f->ended)
        return read_far(f, c);
    return f->told ? STUCK : end_stack(f, c);
}

/* Both
 * ----
 */

static int is_full(const FLOW *f)
{
    return f->len > 0 || (f->ended && !f->told);
}

static MODE_RESULT far_failed(CONN *c, const char *what)
{
    conn_blame(c, TOOL_NETWORK, -1, "%s: %s", c->target, what);
    return MODE_CUT;
}

static MODE_RESULT fail(RELAY *r, CONN *c, RESULT result)
{
    switch (result) {
    case STACK_FAILED:
        return MODE_FAILED;
    case NO_MEMORY:
        return far_failed(c, "out of memory");
    default:
        /* It may have answered before it stopped to listen. */
        if (r->down.told)
            return MODE_CLOSE;
        return far_failed(c, strerror(errno));
    }
}

static MODE_RESULT waits(const RELAY *r)
{
    if (r->up.told && r->down.told)
        return MODE_CLOSE;
    return is_full(&r->up) || is_full(&r->down) ? MODE_WAIT : MODE_IDLE;
}

/* A target that takes no more may still have an answer on its way. */
static RESULT hear_out(RELAY *r, RESULT result)
{
    if (result != FAR_FAILED || r->down.told)
        return result;
    r->broken = errno;
    release(&r->up);
    r->up.ended = r->up.told = 1;
    return MOVED;
}

/*
 * An error is told once, and then an end in its place. EPIPE alone is told
 * behind an end that was one.
 */
static RESULT doubt_end(RELAY *r, RESULT result)
{
    if (!r->down.ended || r->down.told || r->broken == 0
        || r->broken == EPIPE)
        return result;
    errno = r->broken;
    return FAR_FAILED;
}

MODE_RESULT relay_run(RELAY *r, CONN *c)
{
    RESULT up, down;
    int i;

    for (i = 0; i < PIECES; i++) {
        c->want = c->want_far = 0;
        up = hear_out(r, run_up(&r->up, c));
        if (up > STUCK)
            return fail(r, c, up);
        down = doubt_end(r, run_down(&r->down, c));
        if (down > STUCK)
            return fail(r, c, down);
        if (up == STUCK && down == STUCK)
            return waits(r);
        c->progress++;
    }
    return MODE_MORE;
}

MODE_RESULT relay_late(RELAY *r, CONN *c)
{
    if (!is_full(&r->up) && !is_full(&r->down))
        conn_blame(c, TOOL_NETWORK, -1, "nothing was said for %d s",
                   c->server->idle_timeout);
    else
        conn_blame(c, TOOL_NETWORK, -1, "%s stalled for %d s",
                   is_full(&r->up) ? c->target : "the peer",
                   c->server->timeout);
    return MODE_CUT;
}

void relay_end(RELAY *r, CONN *c)
{
    if (c->far.fd != -1 && !(r->up.told && r->down.told))
        net_abort(c->far.fd);
    release(&r->up);
    release(&r->down);
}
