/*
 * onion_config.c - layers by a file, in the manner of openssl.cnf.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All is read and checked when it is loaded; what a connection takes is not
 * changed any more, so that any number of threads may use it.
 */

#include <string.h>
#include <openssl/crypto.h>
#include "onion_config_local.h"

struct onion_config_st {
    ONION_CONFIG_LAYER layer[ONION_MAX_DEPTH];      /* the outermost first */
    char *section[ONION_MAX_DEPTH];
    int n;
};

/*
 * Loading
 */
static int add_section(const char *name, int len, void *arg)
{
    ONION_CONFIG *c = arg;

    if (name == NULL || len < 1 || c->n == ONION_MAX_DEPTH)
        return 0;
    c->section[c->n] = OPENSSL_strndup(name, (size_t)len);
    return c->section[c->n++] != NULL;
}

static int take_key(const ONION_CONFIG_FILE *f, const CONF_VALUE *v)
{
    if (strcmp(v->name, "layers") == 0)
        return 1;
    if (strcmp(v->name, "role") != 0)
        return onion_config_offer(f, 0, v);
    return strcmp(v->value, "client") == 0 || strcmp(v->value, "server") == 0
        || onion_config_refuse(f, v->section, v->name, ONION_R_BAD_CONFIG,
                               "it must be client or server");
}

static int take_stack(ONION_CONFIG *c, const ONION_CONFIG_FILE *f,
                      const STACK_OF(CONF_VALUE) *values, const char *section)
{
    const char *layers = onion_config_value(values, "layers");
    int i;

    if (layers == NULL)
        return onion_config_refuse(f, section, NULL, ONION_R_BAD_CONFIG,
                                   "it needs layers, a list of sections");
    if (CONF_parse_list(layers, ',', 1, add_section, c) != 1)
        return onion_config_refuse(f, section, "layers", ONION_R_BAD_CONFIG,
                                   "it must be 1 to 64 names of sections, "
                                   "with commas between");
    for (i = 0; i < sk_CONF_VALUE_num(values); i++)
        if (!take_key(f, sk_CONF_VALUE_value(values, i)))
            return 0;
    return 1;
}

static int read_layers(ONION_CONFIG *c, const ONION_CONFIG_FILE *f,
                       const char *section)
{
    const STACK_OF(CONF_VALUE) *values = onion_config_section(f, section, NULL,
                                                              NULL);
    const char *role;
    int i;

    if (values == NULL || !take_stack(c, f, values, section))
        return 0;
    role = onion_config_value(values, "role");
    for (i = 0; i < c->n; i++)
        if (onion_config_section(f, c->section[i], section, "layers") == NULL
            || !onion_config_layer_read(&c->layer[i], f, i + 1, c->section[i],
                                        role))
            return 0;
    return 1;
}

ONION_CONFIG *BIO_onion_config_load(const char *file, const char *section,
                                    BIO_onion_config_cb *cb, void *arg)
{
    ONION_CONFIG_FILE f = { .cb = cb, .cb_arg = arg };
    ONION_CONFIG *c;
    int ok;

    onion_err_clear();
    c = OPENSSL_zalloc(sizeof(*c));
    if (c == NULL) {
        ONION_raise(ERR_R_MALLOC_FAILURE, "configuration");
        return NULL;
    }
    ok = onion_config_file_read(&f, file)
        && read_layers(c, &f, section != NULL ? section : "onion");
    onion_config_file_free(&f);
    if (ok) {
        onion_err_clear();
        return c;
    }
    BIO_onion_config_free(c);
    return NULL;
}

void BIO_onion_config_free(ONION_CONFIG *config)
{
    int i;

    for (i = 0; config != NULL && i < config->n; i++) {
        onion_config_layer_free(&config->layer[i]);
        OPENSSL_free(config->section[i]);
    }
    OPENSSL_free(config);
}

/*
 * Layers
 */
int BIO_onion_config_layers(const ONION_CONFIG *config)
{
    return config != NULL ? config->n : 0;
}

static const ONION_CONFIG_LAYER *find(const ONION_CONFIG *config, int layer)
{
    return config == NULL || layer < 1 || layer > config->n
        ? NULL : &config->layer[layer - 1];
}

SSL_CTX *BIO_onion_config_get0_ctx(const ONION_CONFIG *config, int layer)
{
    const ONION_CONFIG_LAYER *l = find(config, layer);

    return l != NULL ? l->ctx : NULL;
}

static SSL *no_ssl(int reason, int layer, const char *why)
{
    ONION_raise(reason, "layer %d of the configuration: %s", layer, why);
    return NULL;
}

SSL *BIO_onion_config_new_ssl(const ONION_CONFIG *config, int layer,
                              const char *host)
{
    const ONION_CONFIG_LAYER *l = find(config, layer);
    SSL *ssl;

    onion_err_clear();
    if (l == NULL)
        return no_ssl(ERR_R_PASSED_INVALID_ARGUMENT, layer, "there is none");
    if (l->host != NULL)
        host = l->host;
    if (l->client && (host == NULL || host[0] == '\0'))
        return no_ssl(ERR_R_PASSED_NULL_PARAMETER, layer,
                      "a client needs the host's name");
    ssl = onion_config_layer_ssl(l, host);
    if (ssl == NULL)
        return no_ssl(ERR_R_PASSED_INVALID_ARGUMENT, layer,
                      "no SSL for this host");
    onion_err_clear();
    return ssl;
}

/*
 * Starting
 */
static void free_all(SSL **ssl, int n)
{
    while (n > 0)
        SSL_free(ssl[--n]);
}

/* All of them, before the first is started; those from depth `from' on. */
static int make_all(const ONION_CONFIG *config, SSL **ssl, int from, int to)
{
    int i;

    for (i = from; i < to; i++) {
        ssl[i - from] = BIO_onion_config_new_ssl(config, i + 1, NULL);
        if (ssl[i - from] == NULL) {
            free_all(ssl, i - from);
            return 0;
        }
    }
    return 1;
}

int BIO_onion_start_config(BIO *stack, const ONION_CONFIG *config, int depth)
{
    BIO *b = onion_stack_find(stack);
    SSL *ssl[ONION_MAX_DEPTH] = { NULL };
    int i, from, n = 0;

    if (b == NULL || !onion_stack_enter(b))
        return 0;
    from = onion_chain_layers(b);
    if (depth < -1 || depth > BIO_onion_config_layers(config)
        || config == NULL)
        return onion_stack_refuse(b, ERR_R_PASSED_INVALID_ARGUMENT,
                                  "start: the configuration has no such depth");
    depth = depth == -1 ? config->n : depth;
    if (depth > onion_stack_of(b)->max_depth)
        return onion_stack_refuse(b, ONION_R_MAX_DEPTH, "start");
    if (!make_all(config, ssl, from, depth))
        return 0;
    n = depth - from;
    for (i = 0; i < n; i++)
        if (!BIO_onion_start_tls(b, ssl[i], NULL, 0)) {
            free_all(ssl + i, n - i);
            return 0;
        }
    return 1;
}
