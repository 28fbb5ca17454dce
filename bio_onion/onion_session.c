/*
 * onion_session.c - the TLS session of a layer: each call of its SSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every SSL_do_handshake(), SSL_read(), SSL_write() and SSL_shutdown() of the
 * library is here, each between onion_verdict_begin() and onion_verdict(); but
 * for what concerns early data, which is in onion_early.c.
 */

#include "onion_local.h"

/*
 * Records without data that one call may handle: tickets, key updates. After
 * that many it takes only what has been read ahead, and asks for a retry.
 */
#define RECORDS_PER_CALL 32

/* 1: there is an SSL that has not failed. */
static int begin(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    BIO_clear_retry_flags(layer);
    BIO_set_retry_reason(layer, 0);
    if (l->ssl == NULL) {
        ONION_raise(ONION_R_NO_SSL, "layer %d", onion_layer_number(layer));
        return 0;
    }
    if (l->failure != 0) {
        onion_verdict_fail_again(layer);
        return 0;
    }
    return 1;
}

/* The SSL is not called in vain: it would take that for a failure. */
static int has_below(BIO *layer)
{
    if (BIO_next(layer) != NULL
        || !onion_layer_has_port(onion_layer_of(layer)))
        return 1;
    onion_verdict_raise(layer, ONION_R_NO_TRANSPORT, "nothing lies below it");
    return 0;
}

/* RFC 5246, 6.2.3.2: at most, since padding depends on what is in a record. */
static int overhead_cbc(const SSL_CIPHER *cipher)
{
    const EVP_MD *md = EVP_get_digestbynid(SSL_CIPHER_get_digest_nid(cipher));
    int mac = md != NULL ? EVP_MD_get_size(md) : EVP_MAX_MD_SIZE;

    return SSL3_RT_HEADER_LENGTH + 16 + mac + 16;       /* IV, MAC, padding */
}

/* Bytes that a record of this session adds to what is in it. */
static int overhead(const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

    if (SSL_version(ssl) >= TLS1_3_VERSION)
        return SSL3_RT_HEADER_LENGTH + 1 + 16;          /* type, tag */
    if (SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305)
        return SSL3_RT_HEADER_LENGTH + 16;              /* RFC 7905 */
    if (SSL_CIPHER_is_aead(cipher))
        return SSL3_RT_HEADER_LENGTH + 8 + 16;          /* nonce, tag */
    return overhead_cbc(cipher);
}

/* Done, but for what the buffers below still hold. */
static int handshake_done(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (!l->handshaken && !onion_peer_resumed_as_expected(l->ssl))
        return onion_verdict_fail(layer, ONION_R_SESSION_MISMATCH,
                                  "the session offered was made with another"
                                  " peer");
    if (!l->handshaken && !onion_peer_name_was_checked(l->ssl))
        return onion_verdict_fail(layer, ONION_R_CERTIFICATE_REFUSED,
                                  "its name was not checked");
    if (l->early != NULL && onion_early_finish(layer) <= 0)
        return -1;
    l->handshaken = 1;
    l->holds_more = SSL_has_pending(l->ssl) != 0;
    l->overhead = overhead(l->ssl);
    if (onion_port_settle(layer))
        return 1;
    onion_verdict_retry(layer, BIO_FLAGS_WRITE, 0);
    return -1;
}

static int shake_hands(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    int ret, i;

    if (l->early != NULL && onion_early_end(layer) <= 0)
        return -1;
    for (i = 0; i < RECORDS_PER_CALL; i++) {
        onion_verdict_begin(l);
        ret = SSL_do_handshake(l->ssl);
        switch (onion_verdict(layer, ret)) {
        case ONION_DONE:
            return handshake_done(layer);
        /* untested: OpenSSL 3.0 goes on by itself */
        case ONION_AGAIN:
            continue;
        default:
            return -1;
        }
    }
    /* untested: the same */
    onion_verdict_retry(layer, BIO_FLAGS_READ, 0);
    return -1;
}

/* OpenSSL empties the error queue first, and may leave something in it. */
int onion_session_handshake(BIO *layer)
{
    int ret, in_init;

    if (!begin(layer) || !has_below(layer))
        return -1;
    in_init = SSL_in_init(onion_layer_of(layer)->ssl);
    ret = shake_hands(layer);
    if (in_init && (ret > 0 || BIO_should_retry(layer)))
        onion_err_clear();
    return ret;
}

/* The handshake comes first, so that nothing passes before it is judged. */
static int ready(BIO *layer)
{
    if (onion_layer_of(layer)->handshaken)
        return has_below(layer);
    return onion_session_handshake(layer) == 1;
}

/* Bytes that were given back; 0 if there are none. */
static int get_back(ONION_LAYER *l, void *out, int len, int peek)
{
    size_t n = onion_buf_copy(&l->back, out, (size_t)len);

    if (!peek)
        onion_buf_drop(&l->back, n);
    return (int)n;
}

/* Calls SSL_read() until it has data, an end, or nothing to work on. */
static ONION_VERDICT get_record(BIO *layer, void *out, int len, int peek,
                                int *ret)
{
    ONION_LAYER *l = onion_layer_of(layer);
    BIO *wire = NULL;
    ONION_VERDICT v;
    int i, held = 0;

    for (i = 0;; i++) {
        onion_verdict_begin(l);
        *ret = peek ? SSL_peek(l->ssl, out, len) : SSL_read(l->ssl, out, len);
        v = onion_verdict(layer, *ret);
        if (v != ONION_AGAIN)
            break;
        if (i == RECORDS_PER_CALL) {
            wire = onion_wire_find(layer);
            if (wire == NULL) {
                v = onion_verdict_retry(layer, BIO_FLAGS_READ, 0);
                break;
            }
            held = onion_wire_hold(wire, 1);
        }
    }
    if (wire != NULL)
        onion_wire_hold(wire, held);
    return v;
}

int onion_session_get(BIO *layer, void *out, int len, int peek)
{
    ONION_LAYER *l = onion_layer_of(layer);
    int ret;

    if (!begin(layer))
        return -1;
    if (out == NULL || len <= 0)
        return 0;
    if (l->back.len > 0 || l->heard_close)
        return get_back(l, out, len, peek);
    if (l->early != NULL
        && (ret = onion_early_get(layer, out, len, peek)) != 0)
        return ret;
    if (!ready(layer))
        return -1;
    /* A program has closed the SSL by hand: an end, but not one to trust. */
    if ((SSL_get_shutdown(l->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        return 0;
    switch (get_record(layer, out, len, peek, &ret)) {
    case ONION_DONE:
        return ret;
    case ONION_CLOSED:
        return 0;
    default:
        return -1;
    }
}

/* Our side is closed, by onion_session_close() or by hand. */
static int has_sent_close(const ONION_LAYER *l)
{
    return l->sent_close
        || (SSL_get_shutdown(l->ssl) & SSL_SENT_SHUTDOWN) != 0;
}

/*
 * OpenSSL takes a write that is not repeated alike for the end of the session,
 * so it must not see one.
 */
static int is_same_write(const ONION_LAYER *l, const void *in, int len)
{
    int moving;

    if (!l->half_written)
        return 1;
    moving = (SSL_get_mode(l->ssl) & SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER) != 0;
    return (moving || in == l->half_in) && len >= l->half_len;
}

/* 1, or 0 with the reason raised. */
static int may_write(BIO *layer, const void *in, int len)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (has_sent_close(l)) {
        onion_verdict_raise(layer, ONION_R_WRITE_CLOSED, "write refused");
        return 0;
    }
    if (!is_same_write(l, in, len)) {
        onion_verdict_raise(layer, ONION_R_BAD_WRITE_RETRY,
                            "repeat the same bytes from the same address");
        return 0;
    }
    return ready(layer);
}

int onion_session_put(BIO *layer, const void *in, int len)
{
    ONION_LAYER *l = onion_layer_of(layer);
    ONION_VERDICT v;
    int ret;

    if (!begin(layer))
        return -1;
    if (in == NULL || len <= 0)
        return 0;
    if (l->early != NULL && has_below(layer)
        && (ret = onion_early_put(layer, in, len)) != 0)
        return ret;
    if (!may_write(layer, in, len))
        return -1;
    onion_verdict_begin(l);
    ret = SSL_write(l->ssl, in, len);
    v = onion_verdict_of_write(layer, ret);
    l->half_written = v == ONION_RETRY && SSL_want_write(l->ssl);
    l->half_in = in;
    l->half_len = len;
    return v == ONION_DONE ? ret : -1;
}

int onion_session_close(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    int ret;

    if (!begin(layer))
        return -1;
    if (l->sent_close)
        return 1;
    if (l->half_written) {
        onion_verdict_raise(layer, ONION_R_WRITE_UNFINISHED, "close refused");
        return -1;
    }
    /* OpenSSL says it is sent while the transport has not taken it yet. */
    if (!has_sent_close(l) || SSL_want_write(l->ssl)) {
        if (!ready(layer))
            return -1;
        onion_verdict_begin(l);
        ret = SSL_shutdown(l->ssl);
        /* 0: sent, and the peer's is still to come. */
        if (onion_verdict(layer, ret < 0 ? ret : 1) != ONION_DONE)
            return -1;
    }
    l->sent_close = 1;
    return 1;
}

void onion_session_farewell(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    int mark;

    if (l->ssl == NULL || l->failure != 0 || !l->handshaken || l->half_written
        || has_sent_close(l) || SSL_get_wbio(l->ssl) == NULL
        || (onion_layer_has_port(l) && BIO_next(layer) == NULL))
        return;
    mark = onion_err_mark();
    SSL_shutdown(l->ssl);
    onion_err_pop(mark);
    l->sent_close = 1;
}

/*
 * Takes from below what is there, until a byte or an end comes up. A question
 * changes neither the answer to an earlier one nor the error queue.
 */
static int look_ahead(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    int flags = BIO_get_retry_flags(layer);
    int reason = BIO_get_retry_reason(layer);
    int mark = onion_err_mark();
    unsigned char byte;
    int n;

    l->quiet = 1;
    n = onion_session_get(layer, &byte, 1, 1);
    l->quiet = 0;
    n = n > 0 ? SSL_pending(l->ssl) : n == 0 || !BIO_should_retry(layer);
    BIO_clear_retry_flags(layer);
    BIO_set_flags(layer, flags);
    BIO_set_retry_reason(layer, reason);
    onion_err_pop(mark);
    return n;
}

int onion_session_pending(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    int n;

    if (l->ssl == NULL)
        return 0;
    n = (int)l->back.len + SSL_pending(l->ssl);
    if (n > 0)
        return n;
    if (l->failure != 0 || l->heard_close)
        return 1;
    if (!onion_layer_has_port(l))
        return BIO_pending(SSL_get_rbio(l->ssl));
    if (BIO_next(layer) == NULL)
        return 0;
    if (!l->handshaken)
        return BIO_pending(BIO_next(layer));
    return look_ahead(layer);
}

void onion_session_harden(SSL *ssl)
{
    SSL_clear_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
    SSL_set_quiet_shutdown(ssl, 0);
    SSL_set_read_ahead(ssl, 0);
}
