/*
 * tool_session_file.c - files with sessions: one in PEM for each layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "bio_onion.h"
#include "tool_file.h"
#include "tool_session.h"

/* A session is not longer than its certificate and a ticket. */
#define FILE_MAX        (8UL << 20)
/* In a session whose peer was not verified. OpenSSL sends it to nobody. */
#define UNVERIFIED      "unverified"

SESSION_CONTEXT session_context(int layer)
{
    SESSION_CONTEXT c;

    c.len = (unsigned int)snprintf((char *)c.id, sizeof(c.id),
                                   "onion layer %d", layer);
    return c;
}

int session_is_unverified(SSL_SESSION *session)
{
    void *data = NULL;
    size_t len = 0;

    return SSL_SESSION_get0_ticket_appdata(session, &data, &len) == 1
        && len == strlen(UNVERIFIED) && memcmp(data, UNVERIFIED, len) == 0;
}

/* Writing
 * -------
 */

/* Writes down what must be known of it besides. */
static int mark(const KEPT *k, SSL_SESSION *session)
{
    SESSION_CONTEXT c = session_context(k->layer);

    return SSL_SESSION_set1_id_context(session, c.id, c.len) == 1
        && (!k->of->l->insecure || SSL_SESSION_set1_ticket_appdata(
                session, UNVERIFIED, strlen(UNVERIFIED)) == 1);
}

static int put(BIO *out, const KEPT *k)
{
    const SSL_SESSION *session = k->newest != NULL ? k->newest : k->offered;
    SSL_SESSION *own;
    int ok;

    if (session == NULL)
        return 1;
    own = SSL_SESSION_dup(session);
    ok = own != NULL && mark(k, own)
        && PEM_write_bio_SSL_SESSION(out, own) == 1;
    SSL_SESSION_free(own);
    return ok;
}

const char *session_write(const SESSION *s, const char *name)
{
    BIO *mem = BIO_new(BIO_s_mem());
    const char *trouble = "no memory";
    const KEPT *k = s->kept;
    char *data;
    long len;

    while (mem != NULL && k != NULL && put(mem, k))
        k = k->next;
    if (mem != NULL && k == NULL) {
        len = BIO_get_mem_data(mem, &data);
        trouble = file_write(name, data, (size_t)len);
    }
    BIO_free(mem);
    return trouble;
}

/* Reading
 * -------
 */

/* 0 if it does not say: it is not from here. */
static int layer_of(const SSL_SESSION *session)
{
    unsigned int len;
    const unsigned char *id = SSL_SESSION_get0_id_context(session, &len);
    int layer;

    for (layer = ONION_MAX_DEPTH; layer > 0; layer--) {
        SESSION_CONTEXT c = session_context(layer);

        if (len == c.len && memcmp(id, c.id, len) == 0)
            break;
    }
    return layer;
}

/* One that is not known here is of no layer, and so it is never offered. */
static int is_foreign(const SSL_SESSION *session)
{
    unsigned int len;

    (void)SSL_SESSION_get0_id_context(session, &len);
    return len != 0 && layer_of(session) == 0;
}

/* Takes the session over. */
static int take(SESSION *s, SSL_SESSION *session)
{
    KEPT *k = session_kept(s, is_foreign(session) ? ONION_MAX_DEPTH + 1
                                                  : layer_of(session));

    if (k == NULL || k->offered != NULL) {
        SSL_SESSION_free(session);
        return k != NULL;
    }
    k->offered = session;
    return 1;
}

static const char *take_all(SESSION *s, BIO *mem)
{
    SSL_SESSION *session;
    int n = 0;

    while ((session = PEM_read_bio_SSL_SESSION(mem, NULL, NULL, NULL)) != NULL)
        if (n++, !take(s, session))
            return "no memory";
    if (n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
        return NULL;
    return n > 0 ? "what follows the first session is none"
                 : "no session in PEM in it";
}

const char *session_read(SESSION *s, const char *name)
{
    const char *trouble;
    size_t len;
    unsigned char *data = file_read(name, FILE_MAX, &len, &trouble);
    BIO *mem = data != NULL ? BIO_new_mem_buf(data, (int)len) : NULL;

    if (mem != NULL) {
        trouble = take_all(s, mem);
        ERR_clear_error();
    }
    BIO_free(mem);
    OPENSSL_clear_free(data, data != NULL ? len : 0);
    return trouble;
}
