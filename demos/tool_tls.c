/*
 * tool_tls.c - what each group of options means to OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "tool_cert.h"
#include "tool_conf.h"
#include "tool_lines.h"
#include "tool_report.h"
#include "tool_tls.h"
#include "tool_trust.h"

#define GROUP_NAME_SIZE (REPORT_URL_SIZE + 64)

/* Loading
 * -------
 */

/* A name that is asked for is taken, so that INFO can tell it. */
static int take_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    (void)arg;
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL
        ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* Not below TLS 1.2, nor below what the system's configuration asks for. */
static void set_defaults(SSL_CTX *ctx)
{
    if (SSL_CTX_get_min_proto_version(ctx) < TLS1_2_VERSION)
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF
                               | SSL_OP_ENABLE_KTLS);
    SSL_CTX_set_tlsext_servername_callback(ctx, take_name);
}

static void set_own(SSL_CTX *ctx, const LAYER_OPTIONS *l)
{
    if (l->version != 0) {
        SSL_CTX_set_min_proto_version(ctx, l->version);
        SSL_CTX_set_max_proto_version(ctx, l->version);
    }
    if (l->max_send_frag != 0)
        SSL_CTX_set_max_send_fragment(ctx, l->max_send_frag);
}

/* Versions, ciphers and the level of security may leave nothing together. */
static int can_talk(SSL_CTX *ctx, const char *who)
{
    SSL *ssl = SSL_new(ctx);
    STACK_OF(SSL_CIPHER) *left = ssl != NULL ? SSL_get1_supported_ciphers(ssl)
                                             : NULL;
    int ok = sk_SSL_CIPHER_num(left) > 0;

    sk_SSL_CIPHER_free(left);
    SSL_free(ssl);
    ERR_clear_error();
    if (!ok)
        report(TOOL_USAGE, who, "the versions and ciphers that are asked for "
               "leave none");
    return ok;
}

static int load_options(TLS_GROUP *g, const LAYER_OPTIONS *l, const char *who)
{
    g->ctx = SSL_CTX_new(TLS_method());
    if (g->ctx == NULL) {
        report(TOOL_USAGE, who, "%s", report_openssl());
        return 0;
    }
    set_defaults(g->ctx);
    if (!conf_apply(g->ctx, l, who))
        return 0;
    set_own(g->ctx, l);
    return can_talk(g->ctx, who) && cert_load(g->ctx, l, who)
        && trust_load(g->ctx, l, who)
        && verify_load(&g->verify, g->ctx, l, who)
        && alpn_load(&g->alpn, g->ctx, l, who)
        && psk_load(&g->psk, g->ctx, l, who)
        && session_load(&g->session, g->ctx, l, who)
        && status_load(&g->status, g->ctx, l, who)
        && ticket_load(&g->tickets, g->ctx, l, who);
}

/* Whom to believe and what to show, the file has said. */
static int load_described(TLS_GROUP *g, const CONFIG *c, const GROUP *group,
                          const char *who)
{
    const LAYER_OPTIONS *l = &group->tls;

    g->described = group->described;
    g->ctx = BIO_onion_config_get0_ctx(c->layers, g->described);
    if (!SSL_CTX_up_ref(g->ctx))
        return 0;
    SSL_CTX_set_tlsext_servername_callback(g->ctx, take_name);
    set_own(g->ctx, l);
    return verify_load(&g->verify, g->ctx, l, who)
        && session_load(&g->session, g->ctx, l, who)
        && status_load(&g->status, g->ctx, l, who)
        && ticket_load(&g->tickets, g->ctx, l, who);
}

static int load_group(TLS_GROUP *g, const GROUPS *groups, int n,
                      const char *who)
{
    const GROUP *group = options_group(groups, n);

    return group->described > 0
        ? load_described(g, &groups->config, group, who)
        : load_options(g, &group->tls, who);
}

/* What a report calls a group: "layer 2" for -layer, else as it was opened. */
static const char *name_of_group(const GROUPS *groups, int group,
                                 char name[GROUP_NAME_SIZE])
{
    const GROUP *g = options_group(groups, group);
    char shown[REPORT_URL_SIZE];

    if (group < 0)
        return NULL;
    if (g->argument != NULL)
        snprintf(name, GROUP_NAME_SIZE, "-%s %s", g->opener->name,
                 report_url(shown, g->argument));
    else
        snprintf(name, GROUP_NAME_SIZE, "%s %d", g->opener->name,
                 options_count(groups, group + 1, g->opener->name));
    return name;
}

int tls_load(TLS_LAYERS *t, const GROUPS *groups)
{
    char name[GROUP_NAME_SIZE];
    int i, ok = 1;

    t->groups = groups;
    t->group = OPENSSL_zalloc((size_t)(1 + groups->n) * sizeof(*t->group));
    if (t->group == NULL)
        return 0;
    for (i = -1; ok && i < groups->n; i++)
        ok = load_group(&t->group[i + 1], groups, i,
                        name_of_group(groups, i, name));
    return ok;
}

void tls_free(TLS_LAYERS *t)
{
    int i;

    for (i = 0; t->group != NULL && i <= t->groups->n; i++) {
        TLS_GROUP *g = &t->group[i];

        SSL_CTX_free(g->ctx);
        session_free(&g->session);
        status_free(&g->status);
        OPENSSL_cleanse(g, sizeof(*g));
    }
    OPENSSL_free(t->group);
    t->group = NULL;
}

/* Groups
 * ------
 */

void tls_keep_sessions(TLS_LAYERS *t)
{
    int i;

    for (i = 0; i <= t->groups->n; i++)
        t->group[i].session.keep = 1;
}

static uint32_t most_early(const LAYER_OPTIONS *l)
{
    return layer_is_given(l, "max_early_data") ? (uint32_t)l->max_early_data
                                               : SSL3_RT_MAX_PLAIN_LENGTH;
}

void tls_allow_early(TLS_LAYERS *t)
{
    int i;

    for (i = -1; i < t->groups->n; i++) {
        SSL_CTX *ctx = t->group[i + 1].ctx;
        uint32_t most = most_early(&options_group(t->groups, i)->tls);

        SSL_CTX_set_max_early_data(ctx, most);
        SSL_CTX_set_recv_max_early_data(ctx, most);
    }
}

int tls_has_pins(const TLS_LAYERS *t)
{
    int i;

    for (i = 0; i <= t->groups->n; i++)
        if (t->group[i].verify.pins.n > 0)
            return 1;
    return 0;
}

int tls_group_of_layer(const TLS_LAYERS *t, int layer)
{
    int i, last = -1;

    for (i = 0; i < t->groups->n && layer > 0; i++)
        if (strcmp(t->groups->group[i].opener->name, "layer") == 0) {
            last = i;
            layer--;
        }
    return last;
}

static int has_role(const TLS_GROUP *g, int client)
{
    const SSL_METHOD *method = SSL_CTX_get_ssl_method(g->ctx);

    return method == (client ? TLS_client_method() : TLS_server_method());
}

int tls_can_serve(const TLS_LAYERS *t, int group)
{
    const LAYER_OPTIONS *l = &options_group(t->groups, group)->tls;
    const TLS_GROUP *g = &t->group[group + 1];

    if (g->described > 0)
        return has_role(g, 0);
    return l->cert.n > 0 || l->psk != NULL;
}

int tls_can_connect(const TLS_LAYERS *t, int group)
{
    const TLS_GROUP *g = &t->group[group + 1];

    return g->described == 0 || has_role(g, 1);
}

/* A layer
 * -------
 */

static SSL *new_ssl(TLS_GROUP *g, int client)
{
    SSL *ssl = SSL_new(g->ctx);

    if (ssl == NULL)
        return NULL;
    if (client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    if (psk_use(&g->psk, ssl))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static SSL *new_described(const TLS_LAYERS *t, const TLS_GROUP *g, int client,
                          const char *host)
{
    if (has_role(g, client))
        return BIO_onion_config_new_ssl(t->groups->config.layers, g->described,
                                        host);
    ERR_raise_data(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT,
                   "its section has the other role");
    return NULL;
}

SSL *tls_new_server(const TLS_LAYERS *t, int group, int layer)
{
    TLS_GROUP *g = &t->group[group + 1];
    SSL *ssl = g->described > 0 ? new_described(t, g, 0, NULL)
                                : new_ssl(g, 0);

    if (ssl == NULL)
        return NULL;
    if (g->described == 0 || g->verify.pins.n > 0)
        verify_client(&g->verify, ssl);
    if (session_use(&g->session, ssl, layer, &g->verify, NULL))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

SSL *tls_new_client(const TLS_LAYERS *t, int group, int layer,
                    const char *host)
{
    TLS_GROUP *g = &t->group[group + 1];
    SSL *ssl = g->described > 0 ? new_described(t, g, 1, host)
                                : new_ssl(g, 1);

    if (ssl == NULL)
        return NULL;
    if ((g->described > 0 || verify_server(&g->verify, ssl, host))
        && status_ask(ssl, g->verify.l)
        && session_use(&g->session, ssl, layer, &g->verify, host))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static void show_status(SSL *ssl, int layer, const char *peer)
{
    BIO *out = lines_new(layer, peer);

    if (out != NULL)
        status_show(out, ssl);
    BIO_free_all(out);
}

int tls_greet(const TLS_LAYERS *t, int group, SSL *ssl, int layer,
              const char *peer)
{
    const TLS_GROUP *g = &t->group[group + 1];

    if (!pin_matches(&g->verify.pins, SSL_get0_peer_certificate(ssl))) {
        report_layer(TOOL_TLS, layer, peer, "the public key of the peer is "
                     "not one of -pin");
        return 0;
    }
    if (g->verify.l->status && !SSL_is_server(ssl))
        show_status(ssl, layer, peer);
    return 1;
}
