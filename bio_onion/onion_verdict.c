/*
 * onion_verdict.c - what the last call of an SSL means for its layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A layer is at its end only when the handshake was done and then the peer's
 * close_notify was read, with no failure before. Each of the three is latched,
 * since OpenSSL reports "zero return" after a fatal alert and after a forged
 * close_notify too.
 *
 * SSL_get_error() is not asked: it takes any entry in the error queue for a
 * failure. The SSL itself tells whether it has failed, the port has noted how
 * the last call below ended, and SSL_want() tells the rest. So no entry of
 * somebody else's changes a result, and none has to be cleared before a call.
 */

#include <string.h>
#include "onion_local.h"
#include "onion_openssl.h"

void onion_verdict_begin(ONION_LAYER *l)
{
    l->blocked = l->broken = l->fed = 0;
    /* A program may have turned it on again, by hand. */
    if (SSL_get_read_ahead(l->ssl))
        SSL_set_read_ahead(l->ssl, 0);
}

void onion_verdict_raise(BIO *layer, int reason, const char *why)
{
    ONION_LAYER *l = onion_layer_of(layer);
    char name[ONION_NAME_SIZE];

    ONION_raise(reason, "layer %d (%s, %s): %s", onion_layer_number(layer),
                SSL_is_server(l->ssl) ? "server" : "client",
                onion_peer_name(l->ssl, name), why);
}

int onion_verdict_fail(BIO *layer, int reason, const char *why)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (l->failure == 0) {
        l->failure = reason;
        OPENSSL_strlcpy(l->why, why, sizeof(l->why));
    }
    return onion_verdict_fail_again(layer);
}

int onion_verdict_fail_again(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    onion_verdict_raise(layer, l->failure, l->why);
    return -1;
}

/* The certificate was refused: why, in X509's words. */
static int fail_certificate(BIO *layer)
{
    long result = SSL_get_verify_result(onion_layer_of(layer)->ssl);

    return onion_verdict_fail(layer, ONION_R_CERTIFICATE_REFUSED,
                              X509_verify_cert_error_string(result));
}

/* A layer or the wire has said why; of a transport nothing else is known. */
static int fail_below(BIO *layer)
{
    BIO *next = BIO_next(layer);

    if (onion_layer_find(next) != NULL)
        return onion_verdict_fail(layer, ONION_R_BELOW_FAILED,
                                  "the layer below failed");
    return onion_verdict_fail(layer, next != NULL && onion_wire_is(next)
                              ? ERR_GET_REASON(ERR_peek_last_error())
                              : ONION_R_TRANSPORT_FAILED,
                              onion_layer_of(layer)->broken_why);
}

/* A fatal error, sent or received; "SSLERR" is the name of that state. */
static int is_in_error(const ONION_LAYER *l)
{
    return SSL_in_init(l->ssl)
        && strcmp(SSL_state_string(l->ssl), "SSLERR") == 0;
}

static int is_ssl_reason(unsigned long error, int reason)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == reason;
}

/*
 * Why that record failed, where the newest entry does not say more. From 3.2 on
 * an older one does, which cannot be had without taking all away; but in a
 * stack the queue was empty, so the oldest is of this record, or of the cipher.
 */
static unsigned long cause_of_record(const ONION_LAYER *l, unsigned long newest)
{
    unsigned long oldest = ERR_peek_error();

    if (!l->stacked || !is_ssl_reason(newest, SSL_R_RECORD_LAYER_FAILURE))
        return newest;
    /* untested: OpenSSL 3.0 does not say so; test_failure.c has it with 3.2 */
    if (ERR_GET_LIB(oldest) == ERR_LIB_PROV)
        return ERR_PACK(ERR_LIB_SSL, 0,
                        SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
    return ERR_GET_LIB(oldest) == ERR_LIB_SSL ? oldest : newest;
}

/* For a call that ended without result, retry or close_notify: what failed. */
static int fail(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    unsigned long cause = cause_of_record(l, ERR_peek_last_error());
    /* Without a fatal error, the newest entry may be somebody else's. */
    int fatal = is_in_error(l);

    if (l->broken)
        return fail_below(layer);
    if (l->ended
        || (fatal && is_ssl_reason(cause, SSL_R_UNEXPECTED_EOF_WHILE_READING)))
        return onion_verdict_fail(layer, ONION_R_TRUNCATED, l->handshaken
                                  ? "what is below it ended"
                                  : "what is below it ended in the handshake");
    if (fatal && is_ssl_reason(cause, SSL_R_CERTIFICATE_VERIFY_FAILED))
        return fail_certificate(layer);
    return onion_verdict_fail(layer, l->handshaken ? ONION_R_LAYER_FAILED
                                                   : ONION_R_HANDSHAKE_FAILED,
                              onion_err_reason(cause));
}

ONION_VERDICT onion_verdict_retry(BIO *layer, int flags, int reason)
{
    BIO_set_flags(layer, flags | BIO_FLAGS_SHOULD_RETRY);
    BIO_set_retry_reason(layer, reason);
    return ONION_RETRY;
}

static int has_read_past(const SSL *ssl)
{
    return (SSL_version(ssl) < TLS1_3_VERSION || !ONION_CLOSE_IS_PENDING)
        && SSL_has_pending(ssl);
}

/* A session is closed by what was read just now, after the handshake. */
static ONION_VERDICT heard_close(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (!l->handshaken || has_read_past(l->ssl)) {
        onion_verdict_fail(layer, l->handshaken ? ONION_R_LAYER_FAILED
                                                : ONION_R_HANDSHAKE_FAILED,
                           l->handshaken ? "it read past its close_notify"
                                         : "closed in the handshake");
        return ONION_FAILED;
    }
    l->heard_close = 1;
    return ONION_CLOSED;
}

/* What an SSL waits for that is not below it: the application. */
static int awaits_application(const ONION_LAYER *l)
{
    switch (SSL_want(l->ssl)) {
    case SSL_X509_LOOKUP:
    case SSL_RETRY_VERIFY:
    case SSL_CLIENT_HELLO_CB:
    case SSL_ASYNC_PAUSED:
    case SSL_ASYNC_NO_JOBS:
        return 1;
    default:
        return 0;
    }
}

/* The BIO that an SSL with BIOs of its own waits for; NULL if for none. */
static BIO *awaited_bio(const ONION_LAYER *l)
{
    BIO *bio = SSL_want_read(l->ssl) ? SSL_get_rbio(l->ssl)
        : SSL_want_write(l->ssl) ? SSL_get_wbio(l->ssl) : NULL;

    return bio != NULL && BIO_should_retry(bio) ? bio : NULL;
}

/*
 * An SSL wants to read, and nothing below has told it to wait: it has handled
 * a record, or another message of the last one. From OpenSSL 3.2 on, one that
 * is no record, or has no memory for it, ends like that too: with an error, in
 * a handshake, which OpenSSL begins with an empty queue; and without reading,
 * at the next call. A datagram may be dropped, or kept from before.
 */
static ONION_VERDICT again(ONION_LAYER *l)
{
    int progress = l->fed || l->holds_more || SSL_is_dtls(l->ssl);
    unsigned long newest = ERR_peek_last_error();

    if (SSL_in_init(l->ssl) && ERR_GET_LIB(newest) == ERR_LIB_SSL)
        progress = 0;   /* untested: OpenSSL 3.0 does not end so */
    l->holds_more = SSL_has_pending(l->ssl) != 0;
    return progress ? ONION_AGAIN : ONION_FAILED;
}

static ONION_VERDICT judge(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    BIO *bio;

    if (is_in_error(l))
        return ONION_FAILED;
    if (l->blocked)
        return onion_verdict_retry(layer, l->retry_flags, l->retry_reason);
    if (l->broken || l->ended)
        return ONION_FAILED;
    if (!l->heard_close
        && (SSL_get_shutdown(l->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        return ONION_CLOSED;
    if (awaits_application(l))
        return onion_verdict_retry(layer, BIO_FLAGS_IO_SPECIAL,
                                   BIO_RR_SSL_X509_LOOKUP);
    if (onion_layer_has_port(l))
        return SSL_want_read(l->ssl) ? again(l) : ONION_FAILED;
    bio = awaited_bio(l);
    if (bio == NULL)
        return ONION_FAILED;
    return onion_verdict_retry(layer, BIO_get_retry_flags(bio),
                               BIO_get_retry_reason(bio));
}

/* The layer is told of it. */
static ONION_VERDICT carry_out(BIO *layer, ONION_VERDICT v)
{
    if (v == ONION_CLOSED)
        return heard_close(layer);
    if (v == ONION_FAILED)
        fail(layer);
    return v;
}

ONION_VERDICT onion_verdict(BIO *layer, int ret)
{
    return ret > 0 ? ONION_DONE : carry_out(layer, judge(layer));
}

/*
 * The way down may fail while there is still something to read, so that is no
 * failure of the session.
 */
ONION_VERDICT onion_verdict_of_write(BIO *layer, int ret)
{
    ONION_LAYER *l = onion_layer_of(layer);
    ONION_VERDICT v;

    if (ret > 0)
        return ONION_DONE;
    v = judge(layer);
    if (v == ONION_FAILED && !is_in_error(l) && (l->broken || l->heard_close)) {
        onion_verdict_raise(layer, ONION_R_TRANSPORT_FAILED,
                            l->broken ? l->broken_why : "cannot write");
        return v;
    }
    v = carry_out(layer, v);
    return v == ONION_AGAIN ? onion_verdict_retry(layer, BIO_FLAGS_READ, 0) : v;
}
