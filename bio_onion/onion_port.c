/*
 * onion_port.c - the private BIO that a layer gives to its SSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * OpenSSL pushes a buffer of its own onto the BIO of an SSL in a handshake,
 * pops it again, and so breaks the links of the chain that BIO is in. A port
 * is in no chain: it looks up what lies below its layer at each call, so the
 * chain may be built in any order and taken apart in the middle. It also notes
 * how the last call below ended, which SSL_get_error() tells only in part.
 */

#include <errno.h>
#include "onion_local.h"

/* NULL once the layer is gone, which an SSL can outlive. */
static BIO *below(const ONION_LAYER *l)
{
    return l == NULL ? NULL : BIO_next(l->bio);
}

/*
 * Why what is below failed. The queue may hold what others have left: the wire
 * always raises something, a transport may, and has its own libraries. OpenSSL
 * has set errno to 0 before the call.
 */
static const char *why_broken(const BIO *next, int sys)
{
    unsigned long error = ERR_peek_last_error();

    if (sys != 0 || onion_wire_is(next) || ERR_SYSTEM_ERROR(error)
        || ERR_GET_LIB(error) == ERR_LIB_BIO)
        return sys != 0 ? onion_err_transport(sys) : onion_err_reason(error);
    return "no reason given";
}

static void set_broken(ONION_LAYER *l, const BIO *next)
{
    OPENSSL_strlcpy(l->broken_why, why_broken(next, errno),
                    sizeof(l->broken_why));
    l->broken = 1;
}

static int set_blocked(BIO *port, ONION_LAYER *l, int flags, int reason)
{
    l->blocked = 1;
    l->retry_flags = flags | BIO_FLAGS_SHOULD_RETRY;
    l->retry_reason = reason;
    BIO_set_flags(port, l->retry_flags);
    BIO_set_retry_reason(port, reason);
    return 1;
}

/*
 * A call below has not succeeded: 1 if it is to be repeated. Only then does an
 * SSL look at the flags of its BIO, so a call that succeeds leaves them alone.
 */
static int is_blocked(BIO *port, ONION_LAYER *l, BIO *next)
{
    BIO_clear_retry_flags(port);
    l->blocked = 0;
    return BIO_should_retry(next)
        && set_blocked(port, l, BIO_get_retry_flags(next),
                       BIO_get_retry_reason(next));
}

int onion_port_settle(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    BIO *next = BIO_next(layer);

    if (!l->flush_owed || next == NULL)
        return 1;
    if (BIO_flush(next) <= 0 && BIO_should_retry(next))
        return 0;
    l->flush_owed = 0;
    return 1;
}

/* 0: the SSL is called without need, and must not take it for a retry. */
static int has_below(BIO *port, const BIO *next)
{
    if (next == NULL)
        BIO_clear_retry_flags(port);
    return next != NULL;
}

/* In a quiet layer, no more than is there already: 0 for nothing. */
static size_t allowed(BIO *next, size_t len)
{
    size_t there = BIO_ctrl_pending(next);

    return there < len ? there : len;
}

static int port_read(BIO *port, char *out, size_t len, size_t *got)
{
    ONION_LAYER *l = BIO_get_data(port);
    BIO *next = below(l);
    int ret;

    if (!has_below(port, next))
        return -1;
    if (l->flush_owed)
        onion_port_settle(l->bio);
    if (l->quiet && (len = allowed(next, len)) == 0) {
        set_blocked(port, l, BIO_FLAGS_READ, 0);
        return -1;
    }
    ret = BIO_read(next, out, onion_pass_length(len));
    if (ret > 0) {
        l->blocked = 0;
        l->fed = 1;
        *got = (size_t)ret;
        return 1;
    }
    if (is_blocked(port, l, next))
        return ret;
    if (ret == 0 || BIO_eof(next) == 1)
        l->ended = 1;
    else
        set_broken(l, next);
    return ret;
}

/*
 * What an SSL still says when its layer has closed or failed, or what is below
 * it has, is for nobody: it must not reach the layer below as text, nor wake a
 * transport that has ended.
 */
static int is_mute(const ONION_LAYER *l)
{
    return l->sent_close || l->failure != 0 || l->ended || l->broken;
}

static int port_write(BIO *port, const char *in, size_t len, size_t *put)
{
    ONION_LAYER *l = BIO_get_data(port);
    BIO *next = below(l);
    int ret;

    if (!has_below(port, next))
        return -1;
    *put = len;
    if (is_mute(l))
        return 1;
    if (l->flush_owed)
        onion_port_settle(l->bio);
    /* One record below, or two of which none makes two of the next. */
    if (len > SSL3_RT_MAX_PLAIN_LENGTH && l->room_below != 0)
        len = l->room_below;
    ret = BIO_write(next, in, onion_pass_length(len));
    if (ret > 0) {
        l->blocked = 0;
        *put = (size_t)ret;
        return 1;
    }
    if (!is_blocked(port, l, next))
        set_broken(l, next);
    return ret;
}

/*
 * OpenSSL 3.0 takes a flush in a handshake that asks for a retry for fatal. It
 * is accepted here, and tried again before anything else is done below. What is
 * below and has ended is not flushed: that would hide its end by a failure.
 */
static long port_flush(BIO *port, ONION_LAYER *l)
{
    BIO *next = below(l);
    int ret;

    if (!has_below(port, next))
        return 0;
    if (l->ended)
        return 1;
    ret = (int)BIO_flush(next);
    l->flush_owed = ret <= 0 && BIO_should_retry(next);
    BIO_clear_retry_flags(port);
    l->blocked = 0;
    if (ret > 0 || l->flush_owed)
        return 1;
    set_broken(l, next);
    return ret;
}

static long port_eof(const ONION_LAYER *l)
{
    BIO *next = below(l);

    return next == NULL || l->ended ? 1 : BIO_eof(next);
}

/* DTLS asks the BIO for its MTU, sets timeouts, and so on. */
static int is_for_datagrams(const ONION_LAYER *l, int cmd)
{
    return below(l) != NULL && !onion_pass_never(cmd) && SSL_is_dtls(l->ssl);
}

/* Only what is named goes down: see onion_pass.c. */
static long port_ctrl(BIO *port, int cmd, long num, void *ptr)
{
    ONION_LAYER *l;
    BIO *next;

    if (onion_pass_is_ktls(cmd))
        return 0;       /* asked a dozen times for each record */
    l = BIO_get_data(port);
    next = below(l);
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return port_flush(port, l);
    case BIO_CTRL_EOF:
        return port_eof(l);
    case BIO_CTRL_PENDING:
    case BIO_CTRL_WPENDING:
    case BIO_C_GET_FD:
        return next == NULL ? (cmd == BIO_C_GET_FD ? -1 : 0)
                            : BIO_ctrl(next, cmd, num, ptr);
    default:
        return is_for_datagrams(l, cmd) ? BIO_ctrl(next, cmd, num, ptr) : 0;
    }
}

static int port_create(BIO *port)
{
    BIO_set_init(port, 1);
    return 1;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

/* BIO_TYPE_DESCRIPTOR is what SSL_get_fd() looks for. */
static void make_method(void)
{
    int type;

    method = onion_pass_method(BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR,
                               "onion port", &type);
    if (method == NULL)
        return;
    BIO_meth_set_write_ex(method, port_write);
    BIO_meth_set_read_ex(method, port_read);
    BIO_meth_set_ctrl(method, port_ctrl);
    BIO_meth_set_create(method, port_create);
}

BIO *onion_port_new(ONION_LAYER *l)
{
    BIO *port;

    CRYPTO_THREAD_run_once(&once, make_method);
    port = method == NULL ? NULL : BIO_new(method);
    if (port != NULL)
        BIO_set_data(port, l);
    return port;
}

void onion_port_detach(BIO *port)
{
    BIO_set_data(port, NULL);
}
