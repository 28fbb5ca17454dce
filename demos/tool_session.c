/*
 * tool_session.c - sessions that are kept, to be resumed later.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "tool_file.h"
#include "tool_report.h"
#include "tool_session.h"

/* A session file is not longer than its certificate and a ticket. */
#define FILE_MAX        (1UL << 20)
/* In a session whose peer was not verified. OpenSSL sends it to nobody. */
#define UNVERIFIED      "unverified"

/* Context
 * -------
 */

typedef struct context_st {
    unsigned char id[SSL_MAX_SID_CTX_LENGTH];
    unsigned int len;
} CONTEXT;

/*
 * A server resumes no session in another context. A client has none, since a
 * pre-shared key would not be of it; but what it writes down has one.
 */
static CONTEXT context_of(int layer)
{
    CONTEXT c;

    c.len = (unsigned int)snprintf((char *)c.id, sizeof(c.id),
                                   "onion layer %d", layer);
    return c;
}

static int is_of_layer(const SSL_SESSION *session, int layer)
{
    CONTEXT c = context_of(layer);
    unsigned int len;
    const unsigned char *id = SSL_SESSION_get0_id_context(session, &len);

    return len == 0 || (len == c.len && memcmp(id, c.id, len) == 0);
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int session_index = -1;

static void make_index(void)
{
    session_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* Writing
 * -------
 */

static const char *write_pem(const char *name, SSL_SESSION *session)
{
    BIO *mem = BIO_new(BIO_s_mem());
    const char *trouble = "no memory";
    char *data;
    long len;

    if (mem != NULL && PEM_write_bio_SSL_SESSION(mem, session) == 1) {
        len = BIO_get_mem_data(mem, &data);
        trouble = file_write(name, data, (size_t)len);
    }
    BIO_free(mem);
    return trouble;
}

/* Writes down what must be known of it besides. */
static int mark(const SESSION *s, SSL_SESSION *session)
{
    CONTEXT c = context_of(s->layer);

    return SSL_SESSION_set1_id_context(session, c.id, c.len) == 1
        && (!s->l->insecure || SSL_SESSION_set1_ticket_appdata(
                session, UNVERIFIED, strlen(UNVERIFIED)) == 1);
}

static void write_out(const SESSION *s, const SSL_SESSION *session)
{
    SSL_SESSION *own = SSL_SESSION_dup(session);
    const char *trouble = "no memory";

    if (own != NULL && mark(s, own))
        trouble = write_pem(s->l->sess_out, own);
    if (trouble != NULL)
        report_layer(TOOL_USAGE, s->layer, NULL, "cannot write the session to "
                     "%s: %s", s->l->sess_out, trouble);
    SSL_SESSION_free(own);
}

/* 1 if the session is kept. */
static int new_session(SSL *ssl, SSL_SESSION *session)
{
    SESSION *s = SSL_get_ex_data(ssl, session_index);

    if (s == NULL)
        return 0;
    if (s->l->sess_out != NULL)
        write_out(s, session);
    if (!s->keep)
        return 0;
    SSL_SESSION_free(s->session);
    s->session = session;
    return 1;
}

/* Reading
 * -------
 */

static int cannot(const char *who, const char *what, const char *name,
                  const char *trouble)
{
    report(TOOL_USAGE, who, "cannot %s the session %s: %s", what, name,
           trouble);
    return 0;
}

static int read_in(SESSION *s, const char *name, const char *who)
{
    const char *trouble;
    size_t len;
    unsigned char *data = file_read(name, FILE_MAX, &len, &trouble);
    BIO *mem = data != NULL ? BIO_new_mem_buf(data, (int)len) : NULL;

    if (mem != NULL) {
        s->session = PEM_read_bio_SSL_SESSION(mem, NULL, NULL, NULL);
        trouble = "no session in PEM in it";
        ERR_clear_error();
    }
    BIO_free(mem);
    OPENSSL_clear_free(data, data != NULL ? len : 0);
    return s->session != NULL || cannot(who, "read", name, trouble);
}

int session_load(SESSION *s, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                 const char *who)
{
    const char *trouble;

    s->l = l;
    if (!CRYPTO_THREAD_run_once(&once, make_index))
        return 0;
    if (l->sess_out != NULL) {
        trouble = file_write_trouble(l->sess_out);
        if (trouble != NULL)
            return cannot(who, "write", l->sess_out, trouble);
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_BOTH);
    SSL_CTX_sess_set_new_cb(ctx, new_session);
    return l->sess_in == NULL || read_in(s, l->sess_in, who);
}

void session_free(SESSION *s)
{
    SSL_SESSION_free(s->session);
    s->session = NULL;
}

/* Offering
 * --------
 */

static int is_unverified(SSL_SESSION *session)
{
    void *data = NULL;
    size_t len = 0;

    return SSL_SESSION_get0_ticket_appdata(session, &data, &len) == 1
        && len == strlen(UNVERIFIED) && memcmp(data, UNVERIFIED, len) == 0;
}

static int has_expired(const SSL_SESSION *session)
{
    return SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session)
        < (long)time(NULL);
}

/* Why it must not be offered, or NULL. */
static const char *trouble_with(SESSION *s, SSL *ssl, int layer,
                                const VERIFY *v)
{
    X509 *peer = SSL_SESSION_get0_peer(s->session);

    if (!is_of_layer(s->session, layer))
        return "it was made in another layer";
    if (has_expired(s->session))
        return "it has expired";
    if (!SSL_SESSION_is_resumable(s->session))
        return "it cannot be resumed";
    if (!pin_matches(&v->pins, peer))
        return "the key of its peer matches no -pin";
    if (s->l->insecure)
        return NULL;
    if (is_unverified(s->session))
        return "it was made with -insecure";
    if (peer == NULL)
        return s->l->psk != NULL ? NULL : "it has no certificate";
    return verify_name(ssl, peer) ? NULL : "it was made with a peer of another "
                                           "name";
}

static int offer(SESSION *s, SSL *ssl)
{
    static const unsigned char none[1];

    return SSL_SESSION_set1_id_context(s->session, none, 0)
        && SSL_set_session(ssl, s->session);
}

static int use_in_server(SSL *ssl, int layer)
{
    CONTEXT c = context_of(layer);

    return SSL_set_session_id_context(ssl, c.id, c.len);
}

int session_use(SESSION *s, SSL *ssl, int layer, const VERIFY *v,
                const char *peer)
{
    const char *trouble;

    if (SSL_is_server(ssl))
        return use_in_server(ssl, layer);
    if (s->layer == 0)
        s->layer = layer;
    if (s->layer != layer)
        return 1;
    if (SSL_set_ex_data(ssl, session_index, s) != 1)
        return 0;
    if (s->session == NULL)
        return 1;
    trouble = trouble_with(s, ssl, layer, v);
    if (trouble == NULL)
        return offer(s, ssl);
    report_layer(TOOL_OK, layer, peer, "the session %s is not offered: %s",
                 s->keep || s->l->sess_in == NULL ? "before" : s->l->sess_in,
                 trouble);
    return 1;
}
