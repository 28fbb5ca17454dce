/*
 * onion_early.c - early data (RFC 8446, 2.3): inner handshakes go ahead.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A client layer that offers a session takes what is written to it before its
 * handshake is done, and sends it as early data. It keeps a copy until the
 * handshake tells whether the peer has accepted it, and sends that as ordinary
 * data if not. A server layer reads early data, and answers from within.
 *
 * What is written to a layer that has another inside are the bytes of that
 * one's handshake. They wait for nobody, since a handshake that is replayed
 * does not end. The innermost layer carries data of the application, so it
 * needs the word of the application to go early; without it, a server layer
 * that is the innermost refuses early data. Whether a layer is the innermost
 * is settled when its handshake begins.
 */

#include <string.h>
#include <time.h>
#include "onion_local.h"
#include "onion_openssl.h"

/* A copy that is kept is not larger than this, whatever the session allows. */
#define SAVED_MAX (64 * 1024)
/* Of a record; an OpenSSL server that skips early data counts it too. */
#define RECORD_ADDS 17
/* Behind a HelloRetryRequest it skips no record that is longer than plain. */
#define RECORD_MAX (SSL3_RT_MAX_PLAIN_LENGTH - RECORD_ADDS)

struct onion_early_st {
    unsigned data : 1;      /* that of the application may go early */
    unsigned covered : 1;   /* there is a layer inside */
    unsigned begun : 1;     /* the two above, and what follows, are settled */
    unsigned on : 1;        /* valid iff begun: early data is sent or read */

    /* a client */
    ONION_BUF saved;        /* all that was taken */
    size_t sent;            /* so much of it was sent */
    size_t sending;         /* what follows, of a write to be repeated */
    size_t room;            /* what may still be taken */

    /* a server */
    unsigned open : 1;      /* early data was read: it can be answered */
    unsigned ended : 1;     /* all of it was read */
};

int onion_early_start(BIO *layer, int data)
{
    ONION_LAYER *l = onion_layer_of(layer);

    l->early = OPENSSL_zalloc(sizeof(*l->early));
    if (l->early == NULL)
        return 0;
    l->early->data = data != 0;
    return 1;
}

void onion_early_cover(BIO *layer)
{
    if (layer != NULL && onion_layer_of(layer)->early != NULL)
        onion_layer_of(layer)->early->covered = 1;
}

void onion_early_free(ONION_LAYER *l)
{
    if (l->early == NULL)
        return;
    onion_buf_free(&l->early->saved);
    OPENSSL_free(l->early);
    l->early = NULL;
}

/*
 * A client
 */

/* time() can be a tick behind the clock that OpenSSL sets sessions by. */
static time_t now(void)
{
    struct timespec t;

    return timespec_get(&t, TIME_UTC) == TIME_UTC ? t.tv_sec : time(NULL);
}

/* OpenSSL would not offer it, or fail the handshake for offering it. */
static int is_usable(SSL *ssl, const SSL_SESSION *session)
{
    const char *host = SSL_SESSION_get0_hostname(session);
    const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    long age = (long)(now() - SSL_SESSION_get_time_ex(session));
    int max = SSL_get_max_proto_version(ssl);

    return SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION
        && (max == 0 || max >= TLS1_3_VERSION)
        && (SSL_get_options(ssl) & SSL_OP_NO_TLSv1_3) == 0
        && SSL_SESSION_is_resumable(session)
        && age >= 0
        && (unsigned long)age < SSL_SESSION_get_ticket_lifetime_hint(session)
        && (host == NULL || (asked != NULL && strcmp(host, asked) == 0));
}

/* Nothing goes early to another peer than the one that is expected. */
static size_t allowed(SSL *ssl)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    size_t max;

    if (session == NULL || !is_usable(ssl, session)
        || !onion_peer_session_as_expected(ssl))
        return 0;
    max = SSL_SESSION_get_max_early_data(session);
    return max < SAVED_MAX ? max : SAVED_MAX;
}

/* The SSL has the session for itself, so that write_early() can change it. */
static int own_session(SSL *ssl)
{
    SSL_SESSION *own = SSL_SESSION_dup(SSL_get0_session(ssl));
    int done = own != NULL && SSL_set_session(ssl, own);

    SSL_SESSION_free(own);
    if (!done)
        ERR_clear_error();
    return done;
}

static void begin(ONION_LAYER *l)
{
    struct onion_early_st *e = l->early;

    if (e->begun)
        return;
    e->begun = 1;
    if (!e->covered && !e->data)
        return;
    if (SSL_is_server(l->ssl)) {
        e->on = SSL_get_max_early_data(l->ssl) > 0;
        return;
    }
    e->room = allowed(l->ssl);
    e->on = e->room > 0 && own_session(l->ssl);
}

/* How much of len goes early. */
static size_t fits(const struct onion_early_st *e, size_t len)
{
    size_t most = e->room > RECORD_ADDS ? e->room - RECORD_ADDS : 0;

    if (most > RECORD_MAX)
        most = RECORD_MAX;
    return len < most ? len : most;
}

/*
 * OpenSSL counts a write once more at each retry, and fails at the limit. What
 * was taken is within it; the session has to have it again for the next time.
 * At a retry what was taken may have moved, where more was taken meanwhile.
 */
static int write_early(SSL *ssl, const void *in, size_t len, size_t *n)
{
    SSL_SESSION *session = SSL_get0_session(ssl);
    uint32_t max = SSL_SESSION_get_max_early_data(session);
    long modes = SSL_get_mode(ssl);
    int ret;

    SSL_SESSION_set_max_early_data(session, UINT32_MAX);
    SSL_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    ret = SSL_write_early_data(ssl, in, len, n);
    SSL_clear_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER & ~modes);
    SSL_SESSION_set_max_early_data(session, max);
    return ret;
}

/*
 * Sends what was taken: 1, or -1 with retry or failure. OpenSSL says of a write
 * that it repeats only to flush that all it is given was sent: what was taken
 * meanwhile is for the next.
 */
static int client_push(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    struct onion_early_st *e = l->early;
    size_t n;
    int ret;

    while (e->sent < e->saved.len) {
        n = e->saved.len - e->sent;
        if (e->sending == 0)
            e->sending = n < RECORD_MAX ? n : RECORD_MAX;
        onion_verdict_begin(l);
        ret = write_early(l->ssl, e->saved.data + e->sent, e->sending, &n);
        if (onion_verdict_of_write(layer, ret) != ONION_DONE)
            return -1;
        e->sent += n;
        e->sending = 0;
    }
    return 1;
}

/*
 * What is taken is sent before its writer waits for an answer, all at once. It
 * is not given to the SSL from where the writer has it, who need not repeat it.
 */
static int client_put(BIO *layer, const void *in, int len)
{
    struct onion_early_st *e = onion_layer_of(layer)->early;
    size_t n = fits(e, (size_t)len);

    if (!onion_buf_append(&e->saved, in, n))
        return onion_verdict_fail(layer, ONION_R_HANDSHAKE_FAILED,
                                  "no memory for early data");
    e->room -= n + RECORD_ADDS;
    return (int)n;
}

/* After the handshake: what was not accepted goes again, and as a whole. */
static int client_finish(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);
    const ONION_BUF *saved = &l->early->saved;
    int ret;

    if (saved->len == 0
        || SSL_get_early_data_status(l->ssl) == SSL_EARLY_DATA_ACCEPTED)
        return 1;
    onion_verdict_begin(l);
    ret = SSL_write(l->ssl, saved->data, (int)saved->len);
    return onion_verdict_of_write(layer, ret) == ONION_DONE ? 1 : -1;
}

/*
 * A server
 */

/* More than 0: bytes of early data. 0: there is no more. -1: as ever. */
static int server_read(BIO *layer, void *out, int len)
{
    ONION_LAYER *l = onion_layer_of(layer);
    struct onion_early_st *e = l->early;
    ONION_VERDICT v;
    size_t n;
    int ret;

    do {
        onion_verdict_begin(l);
        ret = SSL_read_early_data(l->ssl, out, (size_t)len, &n);
        if (ret == SSL_READ_EARLY_DATA_SUCCESS) {
            e->open = 1;
            return (int)n;
        }
        if (ret == SSL_READ_EARLY_DATA_FINISH) {
            e->ended = 1;
            return 0;
        }
        v = onion_verdict(layer, 0);
    } while (v == ONION_AGAIN);
    return -1;
}

/* What is read early before it is asked for waits for its reader. */
static int server_keep(BIO *layer, const void *in, int len)
{
    if (onion_buf_append(&onion_layer_of(layer)->back, in, (size_t)len))
        return 1;
    return onion_verdict_fail(layer, ONION_R_HANDSHAKE_FAILED,
                              "no memory for early data");
}

/* All of it, of which there is not more than the server has allowed. */
static int server_read_all(BIO *layer)
{
    unsigned char part[1024];
    int n = !onion_layer_of(layer)->early->ended;

    while (n > 0) {
        n = server_read(layer, part, sizeof(part));
        if (n > 0)
            n = server_keep(layer, part, n);
    }
    OPENSSL_cleanse(part, sizeof(part));
    return n < 0 ? -1 : 1;
}

static int server_put(BIO *layer, const void *in, int len)
{
    ONION_LAYER *l = onion_layer_of(layer);
    size_t n;
    int ret;

    onion_verdict_begin(l);
    ret = SSL_write_early_data(l->ssl, in, (size_t)len, &n);
    return onion_verdict_of_write(layer, ret) == ONION_DONE ? (int)n : -1;
}

/*
 * Both
 */

int onion_early_takes(ONION_LAYER *l)
{
    begin(l);
    if (!l->early->on)
        return 0;
    return SSL_is_server(l->ssl) ? l->early->open : fits(l->early, 1) > 0;
}

int onion_early_put(BIO *layer, const void *in, int len)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (!onion_early_takes(l))
        return 0;
    return SSL_is_server(l->ssl) ? server_put(layer, in, len)
                                 : client_put(layer, in, len);
}

int onion_early_get(BIO *layer, void *out, int len, int peek)
{
    ONION_LAYER *l = onion_layer_of(layer);
    int n;

    begin(l);
    if (!l->early->on || l->early->ended || !SSL_is_server(l->ssl))
        return 0;
    n = server_read(layer, out, len);
    if (n > 0 && peek && server_keep(layer, out, n) < 0)
        return -1;
    return n;
}

int onion_early_push(BIO *layer)
{
    BIO *b;

    for (b = layer; b != NULL; b = onion_layer_find(BIO_next(b))) {
        if (onion_layer_of(b)->early == NULL || client_push(b) > 0)
            continue;
        if (b != layer)
            onion_pass_retry(layer, b);
        return -1;
    }
    return 1;
}

/* From then on OpenSSL takes no more early data. */
int onion_early_end(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    begin(l);
    if (!l->early->on)
        return 1;
    if (SSL_is_server(l->ssl))
        return server_read_all(layer);
    l->early->room = 0;
    return client_push(layer);
}

/*
 * A layer is not done before those below it are: a peer could keep one of them
 * in its early data for as long as it likes.
 */
static int finish_below(BIO *layer)
{
    BIO *below = onion_layer_find(BIO_next(layer));

    if (below == NULL || onion_layer_of(below)->early == NULL
        || onion_session_handshake(below) > 0)
        return 1;
    if (!BIO_should_retry(below))
        return onion_verdict_fail(layer, ONION_R_BELOW_FAILED,
                                  "the layer below failed");
    onion_pass_retry(layer, below);
    return -1;
}

int onion_early_finish(BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (finish_below(layer) <= 0
        || (!SSL_is_server(l->ssl) && client_finish(layer) <= 0))
        return -1;
    onion_early_free(l);
    return 1;
}
