/*
 * onion_config_layer.c - makes a layer of a section of a configuration.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What a section leaves out never makes a layer weaker: a client verifies its
 * server, and a server that knows certificates of clients asks for one.
 */

#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/x509v3.h>
#include "onion_config_local.h"

#define CONF_FLAGS      (SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CERTIFICATE \
                         | SSL_CONF_FLAG_REQUIRE_PRIVATE)
/* The longest name that TLS can ask for. */
#define NAME_MAX_LENGTH 255
#define DEPTH_MAX       100
#define ALPN_MAX        1024

/* A section that is being read. */
typedef struct reader_st {
    const ONION_CONFIG_FILE *file;
    ONION_CONFIG_LAYER *layer;
    int number;
    const char *section;        /* of the layer */
    SSL_CONF_CTX *conf;
} READER;

/*
 * What SSL_CONF does not know
 *
 * Each takes a value: NULL, or why it cannot be. "" if OpenSSL says why.
 */
static const char *take_name(char **field, const char *value)
{
    if (strlen(value) > NAME_MAX_LENGTH)
        return "no name is so long";
    OPENSSL_free(*field);
    *field = OPENSSL_strdup(value);
    return *field == NULL ? "" : NULL;
}

static const char *take_host(READER *r, const char *value)
{
    if (value[0] == '\0')
        return "it needs a name or an address";
    return take_name(&r->layer->host, value);
}

static const char *take_servername(READER *r, const char *value)
{
    return take_name(&r->layer->servername, value);
}

static const char *take_verify_depth(READER *r, const char *value)
{
    char *end;
    long depth = strtol(value, &end, 10);

    if (value[0] < '0' || value[0] > '9' || *end != '\0' || depth > DEPTH_MAX)
        return "it must be a number from 0 to 100";
    SSL_CTX_set_verify_depth(r->layer->ctx, (int)depth);
    return NULL;
}

/* ALPN
 * ----
 */

/* As they are on the wire. */
typedef struct alpn_st {
    unsigned int len;
    unsigned char list[ALPN_MAX];
} ALPN;

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int alpn_index = -1;

static void free_alpn(void *ctx, void *alpn, CRYPTO_EX_DATA *data, int index,
                      long number, void *arg)
{
    (void)ctx;
    (void)data;
    (void)index;
    (void)number;
    (void)arg;
    OPENSSL_free(alpn);
}

static void make_index(void)
{
    alpn_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_alpn);
}

/* A client that offers nothing of ours must not talk on: RFC 7301, 3.2. */
static int choose_alpn(SSL *ssl, const unsigned char **out,
                       unsigned char *out_len, const unsigned char *in,
                       unsigned int in_len, void *arg)
{
    const ALPN *alpn = arg;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, alpn->list, alpn->len, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int add_alpn(const char *name, int len, void *arg)
{
    ALPN *alpn = arg;

    if (name == NULL || len < 1 || len > 255
        || alpn->len + 1 + (unsigned int)len > ALPN_MAX)
        return 0;
    alpn->list[alpn->len++] = (unsigned char)len;
    memcpy(alpn->list + alpn->len, name, (size_t)len);
    alpn->len += (unsigned int)len;
    return 1;
}

/* It lives and dies with the context, which may outlive the configuration. */
static const char *take_alpn(READER *r, const char *value)
{
    SSL_CTX *ctx = r->layer->ctx;
    ALPN *alpn = OPENSSL_zalloc(sizeof(*alpn));

    if (alpn == NULL || !CRYPTO_THREAD_run_once(&once, make_index)
        || SSL_CTX_set_ex_data(ctx, alpn_index, alpn) != 1) {
        OPENSSL_free(alpn);
        return "";
    }
    if (CONF_parse_list(value, ',', 1, add_alpn, alpn) != 1)
        return "it must be names of 1 to 255 characters with commas between";
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, alpn);
    return SSL_CTX_set_alpn_protos(ctx, alpn->list, alpn->len) != 0
        ? "" : NULL;
}

/*
 * Keys
 */
typedef struct key_st {
    const char *name;
    const char *(*take)(READER *r, const char *value);
    int of_client;
} KEY;

static const KEY keys[] = {
    { "alpn", take_alpn, 0 },
    { "host", take_host, 1 },
    { "servername", take_servername, 1 },
    { "verify_depth", take_verify_depth, 0 },
    { NULL, NULL, 0 }
};

/* These two were taken before all others. */
static int is_taken(const char *name)
{
    return strcmp(name, "role") == 0 || strcmp(name, "ssl_conf") == 0;
}

static const KEY *find_key(const char *name)
{
    const KEY *k;

    for (k = keys; k->name != NULL; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}

static int bad_value(const READER *r, const CONF_VALUE *v, const char *why)
{
    if (why == NULL)
        return 1;
    if (why[0] == '\0')
        return onion_config_refuse_for(r->file, v->section, v->name,
                                       "no memory");
    return onion_config_refuse(r->file, v->section, v->name,
                               ONION_R_BAD_CONFIG, why);
}

static int take_own(READER *r, const KEY *k, const CONF_VALUE *v)
{
    if (k->of_client && !r->layer->client)
        return bad_value(r, v, "it is for a client, and this is a server");
    return bad_value(r, v, k->take(r, v->value));
}

/* Where OpenSSL takes any word for 0. */
static int is_bad_number(const char *name, const char *value)
{
    return (strcasecmp(name, "RecordPadding") == 0
            || strcasecmp(name, "NumTickets") == 0)
        && (value[0] == '\0' || strspn(value, "0123456789") != strlen(value));
}

static SSL_CONF_CTX *new_conf(unsigned int roles)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();

    if (conf != NULL)
        SSL_CONF_CTX_set_flags(conf, CONF_FLAGS | roles);
    return conf;
}

static int knows(SSL_CONF_CTX *conf, const char *name)
{
    return conf != NULL
        && SSL_CONF_cmd_value_type(conf, name) != SSL_CONF_TYPE_UNKNOWN;
}

static int is_for_the_other_role(const char *name)
{
    SSL_CONF_CTX *both = new_conf(SSL_CONF_FLAG_CLIENT | SSL_CONF_FLAG_SERVER);
    int known = knows(both, name);

    SSL_CONF_CTX_free(both);
    return known;
}

static int take_command(READER *r, const CONF_VALUE *v)
{
    const char *name = onion_config_key(v);

    if (is_bad_number(name, v->value))
        return bad_value(r, v, "it must be a number");
    onion_err_clear();
    if (SSL_CONF_cmd(r->conf, name, v->value) > 0)
        return 1;
    return onion_config_refuse_for(r->file, v->section, v->name,
                                   "it cannot have this value");
}

static int take(READER *r, const CONF_VALUE *v, int own)
{
    const char *name = onion_config_key(v);
    const KEY *k = own ? find_key(v->name) : NULL;

    if (own && is_taken(v->name))
        return 1;
    if (k != NULL)
        return take_own(r, k, v);
    if (knows(r->conf, name))
        return take_command(r, v);
    if (is_for_the_other_role(name))
        return bad_value(r, v, r->layer->client
                         ? "it is for a server, and this is a client"
                         : "it is for a client, and this is a server");
    if (own)
        return onion_config_offer(r->file, r->number, v);
    return onion_config_refuse(r->file, v->section, v->name,
                               ONION_R_UNKNOWN_KEY,
                               "there is no such command of SSL_CONF");
}

static int take_all(READER *r, const STACK_OF(CONF_VALUE) *values, int own)
{
    int i;

    for (i = 0; i < sk_CONF_VALUE_num(values); i++)
        if (!take(r, sk_CONF_VALUE_value(values, i), own))
            return 0;
    return 1;
}

/* Those of the section that is named come first, so its own override them. */
static int take_sections(READER *r, const STACK_OF(CONF_VALUE) *values)
{
    const char *name = onion_config_value(values, "ssl_conf");
    const STACK_OF(CONF_VALUE) *shared = NULL;

    if (name != NULL) {
        shared = onion_config_section(r->file, name, r->section, "ssl_conf");
        if (shared == NULL)
            return 0;
    }
    return take_all(r, shared, 0) && take_all(r, values, 1);
}

/*
 * What follows from them
 */
static int refuse(const READER *r, const char *why)
{
    return onion_config_refuse(r->file, r->section, NULL, ONION_R_BAD_CONFIG,
                               why);
}

static int has_trust(SSL_CTX *ctx)
{
    X509_STORE *store = NULL;

    return SSL_CTX_get0_verify_cert_store(ctx, &store) == 1 && store != NULL;
}

static int trust_servers(READER *r)
{
    SSL_CTX *ctx = r->layer->ctx;

    SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx) | SSL_VERIFY_PEER,
                       NULL);
    if (has_trust(ctx))
        return 1;
    /* That there are none is no mistake: nobody is trusted then. */
    SSL_CTX_set_default_verify_paths(ctx);
    onion_err_clear();
    return 1;
}

/* Who says whom to believe, or which names to tell, wants to be shown one. */
static int trust_clients(READER *r)
{
    SSL_CTX *ctx = r->layer->ctx;
    int mode = SSL_CTX_get_verify_mode(ctx);

    if (mode == SSL_VERIFY_NONE && !has_trust(ctx)
        && sk_X509_NAME_num(SSL_CTX_get0_CA_list(ctx)) <= 0)
        return 1;
    if (!has_trust(ctx))
        return refuse(r, "it asks for certificates and trusts none; see "
                         "VerifyCAFile");
    if ((mode & SSL_VERIFY_POST_HANDSHAKE) != 0)
        return refuse(r, "a layer does not ask for a certificate after the "
                         "handshake; see VerifyMode");
    if (mode == SSL_VERIFY_NONE)
        mode = SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_CTX_set_verify(ctx, mode | SSL_VERIFY_PEER, NULL);
    return 1;
}

/* OpenSSL has held each against its key, and counts none without. */
static int check_certificate(const READER *r)
{
    SSL_CTX *ctx = r->layer->ctx;

    return r->layer->client
        || SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST) == 1
        || refuse(r, "a server needs its Certificate");
}

/* Versions, ciphers and the level of security may leave nothing together. */
static int try(const READER *r)
{
    SSL *ssl = onion_config_layer_ssl(r->layer, r->layer->host);
    STACK_OF(SSL_CIPHER) *left = ssl != NULL ? SSL_get1_supported_ciphers(ssl)
                                             : NULL;
    int n = sk_SSL_CIPHER_num(left);

    sk_SSL_CIPHER_free(left);
    SSL_free(ssl);
    if (ssl == NULL)
        return onion_config_refuse_for(r->file, r->section, NULL,
                                       "there can be no such host");
    onion_err_clear();
    return n > 0 || refuse(r, "its versions and ciphers leave none");
}

static int finish(READER *r)
{
    if (SSL_CONF_CTX_finish(r->conf) != 1)
        return refuse(r, "there is no PrivateKey, and none in the file of its "
                         "Certificate");
    return (r->layer->client ? trust_servers(r) : trust_clients(r))
        && check_certificate(r) && try(r);
}

/*
 * The layer
 */
static int set_role(READER *r, const STACK_OF(CONF_VALUE) *values,
                    const char *role)
{
    const char *own = onion_config_value(values, "role");

    role = own != NULL ? own : role;
    if (role == NULL)
        return refuse(r, "it needs a role, client or server");
    r->layer->client = strcmp(role, "client") == 0;
    return r->layer->client || strcmp(role, "server") == 0
        || onion_config_refuse(r->file, r->section, own != NULL ? "role" : NULL,
                               ONION_R_BAD_CONFIG,
                               "it must be client or server");
}

/* Not below TLS 1.2, nor below what the system's configuration asks for. */
static int make_context(READER *r)
{
    SSL_CTX *ctx = SSL_CTX_new(r->layer->client ? TLS_client_method()
                                                : TLS_server_method());
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    r->layer->ctx = ctx;
    r->conf = new_conf(r->layer->client ? SSL_CONF_FLAG_CLIENT
                                        : SSL_CONF_FLAG_SERVER);
    if (ctx == NULL || r->conf == NULL
        || (SSL_CTX_get_min_proto_version(ctx) < TLS1_2_VERSION
            && !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION))
        || !EVP_Digest(r->section, strlen(r->section), digest, &len,
                       EVP_sha256(), NULL)
        || !SSL_CTX_set_session_id_context(ctx, digest, len))
        return onion_config_refuse_for(r->file, r->section, NULL, "no memory");
    SSL_CONF_CTX_set_ssl_ctx(r->conf, ctx);
    return 1;
}

int onion_config_layer_read(ONION_CONFIG_LAYER *l, const ONION_CONFIG_FILE *f,
                            int number, const char *section, const char *role)
{
    READER r = { .file = f, .layer = l, .number = number, .section = section };
    const STACK_OF(CONF_VALUE) *values = NCONF_get_section(f->conf, section);
    int ok = set_role(&r, values, role) && make_context(&r)
        && take_sections(&r, values) && finish(&r);

    SSL_CONF_CTX_free(r.conf);
    return ok;
}

void onion_config_layer_free(ONION_CONFIG_LAYER *l)
{
    SSL_CTX_free(l->ctx);
    OPENSSL_free(l->host);
    OPENSSL_free(l->servername);
}

/* A name of "" is none: OpenSSL would send it. */
static int ask_for(const ONION_CONFIG_LAYER *l, SSL *ssl)
{
    char *name = l->servername;

    return name == NULL
        || SSL_set_tlsext_host_name(ssl, (name[0] != '\0' ? name : NULL)) == 1;
}

SSL *onion_config_layer_ssl(const ONION_CONFIG_LAYER *l, const char *host)
{
    SSL *ssl = SSL_new(l->ctx);

    if (ssl == NULL)
        return NULL;
    if (!l->client) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_set_connect_state(ssl);
    if ((host == NULL || onion_peer_expect(ssl, host)) && ask_for(l, ssl))
        return ssl;
    SSL_free(ssl);
    return NULL;
}
