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
static BIO *below(BIO *port)
{
    BIO *layer = BIO_get_data(port);

    return layer == NULL ? NULL : BIO_next(layer);
}

/* Before each call below. NULL if there is nothing below. */
static BIO *begin(BIO *port)
{
    BIO *layer = BIO_get_data(port);
    BIO *next;

    BIO_clear_retry_flags(port);
    next = layer == NULL ? NULL : BIO_next(layer);
    if (next == NULL)
        return NULL;
    onion_layer_of(layer)->blocked = 0;
    /* What is in the error queue may be of an SSL above. */
    if (onion_layer_is(next))
        onion_layer_of(next)->keep_errors++;
    errno = 0;
    return next;
}

/*
 * Why what is below failed. The queue may hold what others have left: the wire
 * always raises something, a transport may, and has its own libraries.
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

static void set_blocked(BIO *port, int flags, int reason)
{
    ONION_LAYER *l = onion_layer_of(BIO_get_data(port));

    l->blocked = 1;
    l->retry_flags = flags | BIO_FLAGS_SHOULD_RETRY;
    l->retry_reason = reason;
    BIO_set_flags(port, l->retry_flags);
    BIO_set_retry_reason(port, reason);
}

/* After it. */
static int end(BIO *port, BIO *next, int ret)
{
    if (onion_layer_is(next))
        onion_layer_of(next)->keep_errors--;
    if (ret <= 0 && BIO_should_retry(next))
        set_blocked(port, BIO_get_retry_flags(next),
                    BIO_get_retry_reason(next));
    return ret;
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

/* How much to read: in a quiet layer, only what is there already. */
static int allowed(const ONION_LAYER *l, BIO *next, int len)
{
    int there;

    if (!l->quiet)
        return len;
    there = BIO_pending(next);
    return there < len ? there : len;
}

static int port_read(BIO *port, char *out, int len)
{
    BIO *next = begin(port);
    ONION_LAYER *l;
    int ret;

    if (next == NULL)
        return -1;
    l = onion_layer_of(BIO_get_data(port));
    onion_port_settle(BIO_get_data(port));
    len = allowed(l, next, len);
    if (len <= 0) {
        end(port, next, 1);
        set_blocked(port, BIO_FLAGS_READ, 0);
        return -1;
    }
    ret = end(port, next, BIO_read(next, out, len));
    if (ret <= 0 && !l->blocked) {
        if (ret == 0 || BIO_eof(next) == 1)
            l->ended = 1;
        else
            set_broken(l, next);
    }
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

static int port_write(BIO *port, const char *in, int len)
{
    BIO *next = begin(port);
    ONION_LAYER *l;
    int ret;

    if (next == NULL)
        return -1;
    l = onion_layer_of(BIO_get_data(port));
    if (is_mute(l)) {
        end(port, next, 1);
        return len;
    }
    onion_port_settle(BIO_get_data(port));
    ret = end(port, next, BIO_write(next, in, len));
    if (ret <= 0 && !l->blocked)
        set_broken(l, next);
    return ret;
}

/*
 * OpenSSL 3.0 takes a flush in a handshake that asks for a retry for fatal. It
 * is accepted here, and tried again before anything else is done below.
 */
static long port_flush(BIO *port)
{
    BIO *next = begin(port);
    ONION_LAYER *l;
    int ret;

    if (next == NULL)
        return 0;
    l = onion_layer_of(BIO_get_data(port));
    ret = end(port, next, (int)BIO_flush(next));
    l->flush_owed = l->blocked;
    l->blocked = 0;
    BIO_clear_retry_flags(port);
    if (ret > 0 || l->flush_owed)
        return 1;
    set_broken(l, next);
    return ret;
}

static long port_eof(BIO *port)
{
    BIO *layer = BIO_get_data(port);
    BIO *next = below(port);

    if (next == NULL || onion_layer_of(layer)->ended)
        return 1;
    return BIO_eof(next);
}

/* DTLS asks the BIO for its MTU, sets timeouts, and so on. */
static int is_for_datagrams(BIO *port, int cmd)
{
    return below(port) != NULL && !onion_pass_never(cmd)
        && SSL_is_dtls(onion_layer_of(BIO_get_data(port))->ssl);
}

/* Only what is named goes down: see onion_pass.c. */
static long port_ctrl(BIO *port, int cmd, long num, void *ptr)
{
    BIO *next;

    if (onion_pass_is_ktls(cmd))
        return 0;       /* asked a dozen times for each record */
    next = below(port);
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return port_flush(port);
    case BIO_CTRL_EOF:
        return port_eof(port);
    case BIO_CTRL_PENDING:
    case BIO_CTRL_WPENDING:
    case BIO_C_GET_FD:
        return next == NULL ? (cmd == BIO_C_GET_FD ? -1 : 0)
                            : BIO_ctrl(next, cmd, num, ptr);
    default:
        return is_for_datagrams(port, cmd) ? BIO_ctrl(next, cmd, num, ptr) : 0;
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
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
                          | BIO_TYPE_DESCRIPTOR, "onion port");
    if (method == NULL)
        return;
    BIO_meth_set_write(method, port_write);
    BIO_meth_set_read(method, port_read);
    BIO_meth_set_ctrl(method, port_ctrl);
    BIO_meth_set_create(method, port_create);
}

BIO *onion_port_new(BIO *layer)
{
    BIO *port;

    if (!CRYPTO_THREAD_run_once(&once, make_method) || method == NULL)
        return NULL;
    port = BIO_new(method);
    if (port != NULL)
        BIO_set_data(port, layer);
    return port;
}

void onion_port_detach(BIO *port)
{
    BIO_set_data(port, NULL);
}
