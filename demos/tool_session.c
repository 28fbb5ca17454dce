/*
 * tool_session.c - sessions that are kept, to be resumed later.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include "tool_file.h"
#include "tool_report.h"
#include "tool_session.h"
#include "../bio_onion/onion_openssl.h"

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int kept_index = -1;

static void make_index(void)
{
    kept_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

/* Keeping
 * -------
 */

KEPT *session_kept(SESSION *s, int layer)
{
    KEPT **at = &s->kept, *k;

    while (*at != NULL && (*at)->layer < layer)
        at = &(*at)->next;
    if (*at != NULL && (*at)->layer == layer)
        return *at;
    k = OPENSSL_zalloc(sizeof(*k));
    if (k == NULL)
        return NULL;
    k->of = s;
    k->layer = layer;
    k->next = *at;
    *at = k;
    return k;
}

static void write_out(const KEPT *k)
{
    const char *name = k->of->l->sess_out;
    const char *trouble = session_write(k->of, name);

    if (trouble != NULL)
        report_layer(TOOL_USAGE, k->layer, NULL, "cannot write the session to "
                     "%s: %s", name, trouble);
}

static void set(SSL_SESSION **at, SSL_SESSION *session)
{
    if (SSL_SESSION_up_ref(session) != 1)
        return;
    SSL_SESSION_free(*at);
    *at = session;
}

/* OpenSSL keeps its reference. */
static int new_session(SSL *ssl, SSL_SESSION *session)
{
    KEPT *k = SSL_get_ex_data(ssl, kept_index);

    if (k == NULL)
        return 0;
    k->renewed = 1;
    set(&k->newest, session);
    if (k->of->keep)
        set(&k->offered, session);
    if (k->of->l->sess_out != NULL)
        write_out(k);
    return 0;
}

/* In TLS 1.2 they come in the handshake, or not at all. */
int session_has_come(SSL *ssl)
{
    const KEPT *k = SSL_get_ex_data(ssl, kept_index);

    return k == NULL || k->renewed || SSL_version(ssl) < TLS1_3_VERSION;
}

/* Loading
 * -------
 */

static int cannot(const char *who, const char *what, const char *name,
                  const char *trouble)
{
    if (trouble == NULL)
        return 0;
    report(TOOL_USAGE, who, "cannot %s the session %s: %s", what, name,
           trouble);
    return 1;
}

int session_load(SESSION *s, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                 const char *who)
{
    s->l = l;
    if (!CRYPTO_THREAD_run_once(&once, make_index))
        return 0;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_BOTH);
    SSL_CTX_sess_set_new_cb(ctx, new_session);
    if (l->sess_out != NULL
        && cannot(who, "write", l->sess_out, file_write_trouble(l->sess_out)))
        return 0;
    return l->sess_in == NULL
        || !cannot(who, "read", l->sess_in, session_read(s, l->sess_in));
}

void session_free(SESSION *s)
{
    KEPT *k, *next;

    for (k = s->kept; k != NULL; k = next) {
        next = k->next;
        SSL_SESSION_free(k->offered);
        SSL_SESSION_free(k->newest);
        OPENSSL_free(k);
    }
    s->kept = NULL;
}

/* Offering
 * --------
 */

static int has_expired(const SSL_SESSION *session)
{
    return SSL_SESSION_get_time_ex(session) + SSL_SESSION_get_timeout(session)
        < time(NULL);
}

/* Of its early data, which is for this protocol: RFC 8446, section 4.2.10. */
static int offers_protocol_of(const LAYER_OPTIONS *l,
                              const SSL_SESSION *session)
{
    const unsigned char *name;
    const char *p = l->alpn;
    size_t len;

    SSL_SESSION_get0_alpn_selected(session, &name, &len);
    if (len == 0)
        return 1;
    while (p != NULL && (strcspn(p, ",") != len || memcmp(p, name, len) != 0)) {
        p = strchr(p, ',');
        p += p != NULL;
    }
    return p != NULL;
}

/* Why it must not be offered, or NULL. */
static const char *trouble_with(const SESSION *s, SSL_SESSION *session,
                                SSL *ssl, const VERIFY *v)
{
    X509 *peer = SSL_SESSION_get0_peer(session);

    if (has_expired(session))
        return "it has expired";
    if (!SSL_SESSION_is_resumable(session))
        return "it cannot be resumed";
    if (!pin_matches(&v->pins, peer))
        return "the key of its peer matches no -pin";
    if (SSL_SESSION_get_max_early_data(session) > 0
        && !offers_protocol_of(s->l, session))
        return "it was made for a protocol that is not in -alpn";
    if (s->l->insecure)
        return NULL;
    if (session_is_unverified(session))
        return "it was made with -insecure";
    if (peer == NULL)
        return s->l->psk != NULL ? NULL : "it has no certificate";
    return verify_name(ssl, peer) ? NULL : "it was made with a peer of another "
                                           "name";
}

static int offer(SSL_SESSION *session, SSL *ssl)
{
    static const unsigned char none[1];

    return SSL_SESSION_set1_id_context(session, none, 0)
        && SSL_set_session(ssl, session);
}

static int use_in_server(SSL *ssl, int layer)
{
    SESSION_CONTEXT c = session_context(layer);

    return SSL_set_session_id_context(ssl, c.id, c.len);
}

static int not_offered(const SESSION *s, int layer, const char *peer,
                       const char *trouble)
{
    report_layer(TOOL_OK, layer, peer, "the session %s is not offered: %s",
                 s->keep || s->l->sess_in == NULL ? "before" : s->l->sess_in,
                 trouble);
    return 1;
}

/* A session that does not say of which layer it is has none from here on. */
static KEPT *find(SESSION *s, int layer)
{
    KEPT *unknown = s->kept, *k;

    if (s->first != 0 || unknown == NULL || unknown->layer != 0)
        return session_kept(s, layer);
    k = session_kept(s, layer);
    if (k == NULL || k->offered != NULL)
        return k;
    k->offered = unknown->offered;
    unknown->offered = NULL;
    return k;
}

/* 1 if there is a session, but of other layers. */
static int has_others(const SESSION *s)
{
    const KEPT *k = s->kept;

    while (k != NULL && k->offered == NULL)
        k = k->next;
    return k != NULL;
}

int session_use(SESSION *s, SSL *ssl, int layer, const VERIFY *v,
                const char *peer)
{
    const char *trouble;
    int is_first = s->first == 0;
    KEPT *k;

    if (SSL_is_server(ssl))
        return use_in_server(ssl, layer);
    k = find(s, layer);
    s->first = is_first ? layer : s->first;
    if (k == NULL || SSL_set_ex_data(ssl, kept_index, k) != 1)
        return 0;
    k->renewed = 0;
    if (k->offered == NULL)
        return !is_first || !has_others(s)
            || not_offered(s, layer, peer, "it was made in another layer");
    trouble = trouble_with(s, k->offered, ssl, v);
    return trouble == NULL ? offer(k->offered, ssl)
                           : not_offered(s, layer, peer, trouble);
}
