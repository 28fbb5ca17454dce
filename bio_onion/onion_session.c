/*
 * onion_session.c - the TLS session of a layer, and the verdict on each call.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Every call of SSL_do_handshake(), SSL_read(), SSL_write() and SSL_shutdown()
 * in the library is here, between begin() and verdict(). A layer is at its end
 * only when the handshake was done and then the peer's close_notify was read,
 * with no failure before; each of the three is latched, since OpenSSL reports
 * "zero return" after a fatal alert and after a forged close_notify too.
 */

#include "onion_local.h"

/*
 * Records without data that one call may handle: tickets, key updates. After
 * that many it takes only what has been read ahead, and asks for a retry.
 */
#define RECORDS_PER_CALL 32

typedef enum {
    DONE,       /* the call did what it should */
    AGAIN,      /* a record without data was handled: call again */
    RETRY,      /* the retry flags of the layer are set */
    CLOSED,     /* the peer's close_notify was read */
    FAILED      /* the layer has failed, or could not write; raised */
} VERDICT;

static void raise_for(BIO *layer, int reason, const char *why)
{
    ONION_LAYER *l = onion_layer_of(layer);
    char name[ONION_NAME_SIZE];

    ONION_raise(reason, "layer %d (%s, %s): %s", onion_layer_number(layer),
                SSL_is_server(l->ssl) ? "server" : "client",
                onion_peer_name(l->ssl, name), why);
}

int onion_session_fail(BIO *layer, int reason, const char *why)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (l->failure == 0) {
        l->failure = reason;
        OPENSSL_strlcpy(l->why, why, sizeof(l->why));
    }
    return onion_session_fail_again(layer);
}

int onion_session_fail_again(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    raise_for(layer, l->failure, l->why);
    return -1;
}

/* The certificate was refused: why, in X509's words. */
static int fail_certificate(BIO *layer)
{
    long result = SSL_get_verify_result(onion_layer_of(layer)->ssl);

    return onion_session_fail(layer, ONION_R_CERTIFICATE_REFUSED,
                              X509_verify_cert_error_string(result));
}

/* What is below is another layer, which has said why, or the transport. */
static int fail_below(BIO *layer)
{
    unsigned long error = ERR_peek_last_error();
    int reason = ONION_R_TRANSPORT_FAILED;

    if (onion_layer_find(BIO_next(layer)) != NULL)
        return onion_session_fail(layer, ONION_R_BELOW_FAILED,
                                  "the layer below failed");
    if (ERR_GET_LIB(error) == BIO_onion_error_library())
        reason = ERR_GET_REASON(error);     /* the wire has raised it */
    return onion_session_fail(layer, reason,
                              onion_layer_of(layer)->broken_why);
}

/* For a call that ended without result, retry or close_notify: what failed. */
static int fail(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    unsigned long cause = l->cause != 0 ? l->cause : ERR_peek_last_error();

    if (l->ended)
        return onion_session_fail(layer, ONION_R_TRUNCATED, l->handshaken
                                  ? "what is below it ended"
                                  : "what is below it ended in the handshake");
    if (l->broken)
        return fail_below(layer);
    if (ERR_GET_LIB(cause) == ERR_LIB_SSL
        && ERR_GET_REASON(cause) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return fail_certificate(layer);
    return onion_session_fail(layer, l->handshaken ? ONION_R_LAYER_FAILED
                                                   : ONION_R_HANDSHAKE_FAILED,
                              onion_err_reason(cause));
}

/* 1: there is an SSL that has not failed, and something below it. */
static int begin(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    BIO_clear_retry_flags(layer);
    BIO_set_retry_reason(layer, 0);
    if (l->ssl == NULL) {
        ERR_clear_error();
        ONION_raise(ONION_R_NO_SSL, "layer %d", onion_layer_number(layer));
        return 0;
    }
    ERR_clear_error();
    if (l->failure != 0) {
        onion_session_fail_again(layer);
        return 0;
    }
    l->blocked = l->broken = 0;
    l->cause = 0;
    return 1;
}

static VERDICT retry(BIO *layer, int flags, int reason)
{
    ERR_clear_error();
    BIO_set_flags(layer, flags | BIO_FLAGS_SHOULD_RETRY);
    BIO_set_retry_reason(layer, reason);
    return RETRY;
}

/* A session is closed by what was read just now, after the handshake. */
static VERDICT heard_close(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (!l->handshaken || SSL_has_pending(l->ssl)) {
        onion_session_fail(layer, l->handshaken ? ONION_R_LAYER_FAILED
                                                : ONION_R_HANDSHAKE_FAILED,
                           l->handshaken ? "it read past its close_notify"
                                         : "closed in the handshake");
        return FAILED;
    }
    ERR_clear_error();
    l->heard_close = 1;
    return CLOSED;
}

/* ret is what an SSL function has just returned. */
static VERDICT verdict(BIO *layer, int ret)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (ret > 0) {
        ERR_clear_error();
        return DONE;
    }
    if (l->blocked && l->cause == 0 && ERR_peek_error() == 0)
        return retry(layer, l->retry_flags, l->retry_reason);
    if (l->cause != 0 || l->broken || l->ended) {
        fail(layer);
        return FAILED;
    }
    switch (SSL_get_error(l->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        if (l->port != NULL)
            return AGAIN;
        return retry(layer, BIO_FLAGS_READ, 0);
    case SSL_ERROR_WANT_WRITE:
        return retry(layer, BIO_FLAGS_WRITE, 0);
    case SSL_ERROR_WANT_CONNECT:
        return retry(layer, BIO_FLAGS_IO_SPECIAL, BIO_RR_CONNECT);
    case SSL_ERROR_WANT_ACCEPT:
        return retry(layer, BIO_FLAGS_IO_SPECIAL, BIO_RR_ACCEPT);
    case SSL_ERROR_WANT_X509_LOOKUP:
    case SSL_ERROR_WANT_RETRY_VERIFY:
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    case SSL_ERROR_WANT_ASYNC:
    case SSL_ERROR_WANT_ASYNC_JOB:
        return retry(layer, BIO_FLAGS_IO_SPECIAL, BIO_RR_SSL_X509_LOOKUP);
    case SSL_ERROR_ZERO_RETURN:
        return heard_close(layer);
    default:
        fail(layer);
        return FAILED;
    }
}

/* Done, but for what the buffers below still hold. */
static int handshake_done(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (!l->handshaken && !onion_peer_resumed_as_expected(l->ssl))
        return onion_session_fail(layer, ONION_R_SESSION_MISMATCH,
                                  "the session offered was made with another"
                                  " peer");
    ERR_clear_error();
    l->handshaken = 1;
    if (onion_port_settle(layer))
        return 1;
    retry(layer, BIO_FLAGS_WRITE, 0);
    return -1;
}

int onion_session_handshake(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    int ret, i;

    if (!begin(layer))
        return -1;
    for (i = 0; i < RECORDS_PER_CALL; i++) {
        ret = SSL_do_handshake(l->ssl);
        switch (verdict(layer, ret)) {
        case DONE:
            return handshake_done(layer);
        case AGAIN:
            continue;
        default:
            return ret == 0 && !BIO_should_retry(layer) ? 0 : -1;
        }
    }
    retry(layer, BIO_FLAGS_READ, 0);
    return -1;
}

/* The handshake comes first, so that nothing passes before it is judged. */
static int ready(BIO *layer)
{
    return onion_layer_of(layer)->handshaken
        || onion_session_handshake(layer) == 1;
}

static int get_back(ONION_LAYER *l, void *out, int len, int peek)
{
    size_t n = onion_buf_copy(&l->back, out, (size_t)len);

    if (!peek)
        onion_buf_drop(&l->back, n);
    return (int)n;
}

/* Calls SSL_read() until it has data, an end, or nothing to work on. */
static VERDICT get_record(BIO *layer, void *out, int len, int peek, int *ret)
{
    ONION_LAYER *l = onion_layer_of(layer);
    BIO *wire = NULL;
    VERDICT v;
    int i, held = 0;

    for (i = 0;; i++) {
        *ret = peek ? SSL_peek(l->ssl, out, len) : SSL_read(l->ssl, out, len);
        v = verdict(layer, *ret);
        if (v != AGAIN)
            break;
        if (i == RECORDS_PER_CALL) {
            wire = onion_wire_find(layer);
            if (wire == NULL) {
                v = retry(layer, BIO_FLAGS_READ, 0);
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
    if (l->back.len > 0)
        return get_back(l, out, len, peek);
    if (l->heard_close)
        return 0;
    if (!ready(layer))
        return -1;
    /* Its end must come up from the peer, in the call that follows. */
    if ((SSL_get_shutdown(l->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        return onion_session_fail(layer, ONION_R_LAYER_FAILED,
                                  "its shutdown state was set from outside");
    switch (get_record(layer, out, len, peek, &ret)) {
    case DONE:
        return ret;
    case CLOSED:
        return 0;
    default:
        return -1;
    }
}

/*
 * The way down may fail while there is still something to read, so that is no
 * failure of the session. (SSL_get_error() may call it a close.)
 */
static int cannot_write(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (!l->broken && !l->heard_close)
        return 0;
    if (l->blocked || l->cause != 0)
        return 0;
    raise_for(layer, ONION_R_TRANSPORT_FAILED,
              l->broken ? l->broken_why : "cannot write");
    return 1;
}

int onion_session_put(BIO *layer, const void *in, int len)
{
    ONION_LAYER *l = onion_layer_of(layer);
    VERDICT v;
    int ret;

    if (!begin(layer))
        return -1;
    if (in == NULL || len <= 0)
        return 0;
    if (l->sent_close) {
        raise_for(layer, ONION_R_WRITE_CLOSED, "write refused");
        return -1;
    }
    if (!ready(layer))
        return -1;
    ret = SSL_write(l->ssl, in, len);
    if (ret <= 0 && cannot_write(layer))
        return -1;
    v = verdict(layer, ret);
    if (v == AGAIN)
        v = retry(layer, BIO_FLAGS_READ, 0);
    l->half_written = v == RETRY;
    return v == DONE ? ret : -1;
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
        raise_for(layer, ONION_R_WRITE_UNFINISHED, "close refused");
        return -1;
    }
    if (!ready(layer))
        return -1;
    ret = SSL_shutdown(l->ssl);
    if (ret < 0 && verdict(layer, ret) != DONE)
        return -1;
    ERR_clear_error();
    l->sent_close = 1;
    return 1;
}

void onion_session_farewell(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (l->ssl == NULL || l->failure != 0 || !l->handshaken || l->sent_close
        || l->half_written || SSL_get_wbio(l->ssl) == NULL
        || (l->port != NULL && BIO_next(layer) == NULL))
        return;
    ERR_set_mark();
    SSL_shutdown(l->ssl);
    ERR_pop_to_mark();
    l->sent_close = 1;
}

int onion_session_pending(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    unsigned char byte;
    int n, flags, reason;

    if (l->ssl == NULL)
        return 0;
    n = (int)l->back.len + SSL_pending(l->ssl);
    if (n > 0)
        return n;
    if (l->failure != 0 || l->heard_close)
        return 1;
    if (l->port == NULL)
        return BIO_pending(SSL_get_rbio(l->ssl));
    if (!l->handshaken)
        return BIO_next(layer) == NULL ? 0 : BIO_pending(BIO_next(layer));
    /* A question must not change the answer to an earlier one. */
    flags = BIO_get_retry_flags(layer);
    reason = BIO_get_retry_reason(layer);
    l->quiet = 1;
    n = onion_session_get(layer, &byte, 1, 1);
    l->quiet = 0;
    n = n > 0 ? SSL_pending(l->ssl) : n == 0 || !BIO_should_retry(layer);
    BIO_clear_retry_flags(layer);
    BIO_set_flags(layer, flags);
    BIO_set_retry_reason(layer, reason);
    ERR_clear_error();
    return n;
}

void onion_session_harden(SSL *ssl)
{
    SSL_clear_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
    SSL_set_quiet_shutdown(ssl, 0);
    SSL_set_read_ahead(ssl, 0);
}

int onion_session_overhead(const SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

    if (SSL_version(ssl) >= TLS1_3_VERSION && SSL_is_init_finished(ssl))
        return 5 + 1 + 16;          /* header, type, tag */
    if (cipher != NULL && SSL_CIPHER_is_aead(cipher))
        return 5 + 8 + 16;          /* header, nonce, tag */
    return 5 + 16 + 48 + 16;        /* header, IV, SHA-384, padding */
}
