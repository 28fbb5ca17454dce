/*
 * tool_tls.c - what each group of options means to OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "tool_conf.h"
#include "tool_report.h"
#include "tool_tls.h"

#define GROUP_NAME_SIZE 300

/* Loading
 * -------
 */

/* The first error tells of the file; else it is there, but of another kind. */
static const char *why_not(const char *otherwise)
{
    int of_system = ERR_SYSTEM_ERROR(ERR_peek_error());
    const char *text = report_openssl();

    return of_system ? text : otherwise;
}

static int load_key(SSL_CTX *ctx, const char *key, const char *cert,
                    const char *who)
{
    int ok = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM);

    if (ok != 1 && ERR_GET_REASON(ERR_peek_last_error())
        != X509_R_KEY_VALUES_MISMATCH) {
        report(TOOL_USAGE, who, "cannot load the private key %s: %s%s", key,
               why_not("no key in PEM, or a wrong password"),
               key == cert ? "; see -key" : "");
        return 0;
    }
    if (ok == 1 && SSL_CTX_check_private_key(ctx) == 1)
        return 1;
    ERR_clear_error();
    report(TOOL_USAGE, who, "the private key %s does not belong to the "
           "certificate %s", key, cert);
    return 0;
}

static int load_certificates(SSL_CTX *ctx, const LAYER_OPTIONS *l,
                             const char *who)
{
    int i;

    for (i = 0; i < l->cert.n; i++) {
        const char *cert = l->cert.s[i];

        if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1) {
            report(TOOL_USAGE, who, "cannot load the certificate %s: %s", cert,
                   why_not("no certificate in PEM that can be used"));
            return 0;
        }
        if (!load_key(ctx, l->key.n > 0 ? l->key.s[i] : cert, cert, who))
            return 0;
    }
    return 1;
}

static int load_trusted(SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who)
{
    if (l->cafile != NULL && SSL_CTX_load_verify_file(ctx, l->cafile) != 1) {
        report(TOOL_USAGE, who, "cannot load the CA certificates %s: %s",
               l->cafile, report_openssl());
        return 0;
    }
    if (l->capath != NULL && SSL_CTX_load_verify_dir(ctx, l->capath) != 1) {
        report(TOOL_USAGE, who, "cannot use the CA directory %s: %s",
               l->capath, report_openssl());
        return 0;
    }
    if (l->cafile == NULL && l->capath == NULL)
        SSL_CTX_set_default_verify_paths(ctx);
    /* That they are not there is no mistake of the user's. */
    ERR_clear_error();
    return 1;
}

/* A TLS server names the CAs that it takes client certificates of. */
static void set_verification(SSL_CTX *ctx, const LAYER_OPTIONS *l)
{
    if (l->verify_depth > 0)
        SSL_CTX_set_verify_depth(ctx, l->verify_depth);
    if (l->verify != 0 && l->cafile != NULL)
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(l->cafile));
    ERR_clear_error();
}

/* A name that is asked for is taken, so that INFO can tell it. */
static int take_name(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    (void)arg;
    return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL
        ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* Never below what the system's configuration asks for. */
static void set_versions(SSL_CTX *ctx, const LAYER_OPTIONS *l)
{
    long min = SSL_CTX_get_min_proto_version(ctx);

    if (l->version != 0)
        SSL_CTX_set_max_proto_version(ctx, l->version);
    if (l->version > min || min < TLS1_2_VERSION)
        SSL_CTX_set_min_proto_version(ctx, l->version != 0 ? l->version
                                                           : TLS1_2_VERSION);
}

static SSL_CTX *load_group(const LAYER_OPTIONS *l, const char *who)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());

    if (ctx == NULL) {
        report(TOOL_USAGE, who, "%s", report_openssl());
        return NULL;
    }
    set_versions(ctx, l);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_tlsext_servername_callback(ctx, take_name);
    if (conf_apply(ctx, l, who) && load_certificates(ctx, l, who)
        && load_trusted(ctx, l, who)) {
        set_verification(ctx, l);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

/* What a report calls a group: "layer 2" for -layer, else as it was opened. */
static const char *name_of_group(const GROUPS *groups, int group,
                                 char name[GROUP_NAME_SIZE])
{
    const GROUP *g = options_group(groups, group);

    if (group < 0)
        return NULL;
    if (g->argument != NULL)
        snprintf(name, GROUP_NAME_SIZE, "-%s %s", g->opener->name, g->argument);
    else
        snprintf(name, GROUP_NAME_SIZE, "%s %d", g->opener->name,
                 options_count(groups, group + 1, g->opener->name));
    return name;
}

int tls_load(TLS_LAYERS *t, const GROUPS *groups)
{
    char name[GROUP_NAME_SIZE];
    int i;

    memset(t, 0, sizeof(*t));
    t->groups = groups;
    for (i = -1; i < groups->n; i++) {
        t->ctx[i + 1] = load_group(&options_group(groups, i)->tls,
                                   name_of_group(groups, i, name));
        if (t->ctx[i + 1] == NULL)
            return 0;
    }
    return 1;
}

void tls_free(TLS_LAYERS *t)
{
    int i;

    for (i = 0; i <= GROUPS_MAX; i++)
        SSL_CTX_free(t->ctx[i]);
}

/* A layer
 * -------
 */

static const LAYER_OPTIONS *options_of(const TLS_LAYERS *t, int group)
{
    return &options_group(t->groups, group)->tls;
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

int tls_can_serve(const TLS_LAYERS *t, int group)
{
    return options_of(t, group)->cert.n > 0;
}

/* A session is resumed in the layer that it was made in, and in no other. */
static int set_session_context(SSL *ssl, int layer)
{
    char id[SSL_MAX_SID_CTX_LENGTH];
    int len = snprintf(id, sizeof(id), "onion layer %d", layer);

    return SSL_set_session_id_context(ssl, (unsigned char *)id,
                                      (unsigned int)len);
}

SSL *tls_new_server(const TLS_LAYERS *t, int group, int layer)
{
    static const int modes[] = {
        SSL_VERIFY_NONE,
        SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE,
        SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE
            | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    };
    SSL *ssl = SSL_new(t->ctx[group + 1]);

    if (ssl == NULL)
        return NULL;
    SSL_set_accept_state(ssl);
    SSL_set_verify(ssl, modes[options_of(t, group)->verify],
                   NULL);
    if (set_session_context(ssl, layer))
        return ssl;
    SSL_free(ssl);
    return NULL;
}

static int is_address(const char *name)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    return ip != NULL;
}

static int expect_name(SSL *ssl, const char *name)
{
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, name);
}

static int set_names(SSL *ssl, const LAYER_OPTIONS *l, const char *host)
{
    const char *ask = l->servername != NULL ? l->servername : host;
    const char *expect = l->verify_hostname != NULL ? l->verify_hostname : ask;

    /* An address is not asked for: RFC 6066, section 3. */
    if (ask != NULL && !is_address(ask) && !SSL_set_tlsext_host_name(ssl, ask))
        return 0;
    SSL_set_verify(ssl, l->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return l->insecure || expect == NULL || expect_name(ssl, expect);
}

SSL *tls_new_client(const TLS_LAYERS *t, int group, int layer,
                    const char *host)
{
    SSL *ssl = SSL_new(t->ctx[group + 1]);

    if (ssl == NULL)
        return NULL;
    SSL_set_connect_state(ssl);
    if (set_session_context(ssl, layer)
        && set_names(ssl, options_of(t, group), host))
        return ssl;
    SSL_free(ssl);
    return NULL;
}
