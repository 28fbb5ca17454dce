/*
 * tool_trust.c - the certificates that a layer trusts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <openssl/err.h>
#include <openssl/store.h>
#include "tool_file.h"
#include "tool_report.h"
#include "tool_trust.h"

static int cannot(const char *who, const char *what, const char *where,
                  const char *trouble)
{
    report(TOOL_USAGE, who, "cannot use the CA %s %s: %s", what, where,
           trouble);
    ERR_clear_error();
    return 0;
}

static int load_file(SSL_CTX *ctx, const char *name, const char *who)
{
    const char *trouble = file_trouble(name);

    if (trouble == NULL && SSL_CTX_load_verify_file(ctx, name) != 1)
        trouble = "no certificate in PEM in it";
    return trouble == NULL || cannot(who, "certificates", name, trouble);
}

static int load_directory(SSL_CTX *ctx, const char *name, const char *who)
{
    const char *trouble = file_directory_trouble(name);

    if (trouble == NULL && SSL_CTX_load_verify_dir(ctx, name) != 1)
        trouble = report_openssl();
    return trouble == NULL || cannot(who, "directory", name, trouble);
}

/* OpenSSL opens a store only when it is searched, and is silent then. */
static int has_certificate(const char *uri)
{
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    int found = 0;

    while (store != NULL && !found && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info == NULL)
            break;
        found = OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_CERT;
        OSSL_STORE_INFO_free(info);
    }
    OSSL_STORE_close(store);
    return found;
}

static int load_store(SSL_CTX *ctx, const char *uri, const char *who)
{
    if (!has_certificate(uri))
        return cannot(who, "store", uri, "no certificate in it, or not there");
    ERR_clear_error();
    return SSL_CTX_load_verify_store(ctx, uri) == 1
        || cannot(who, "store", uri, report_openssl());
}

/* That they are not there is no mistake of the user's. */
static void load_defaults(SSL_CTX *ctx, const LAYER_OPTIONS *l)
{
    if (!l->no_cafile)
        SSL_CTX_set_default_verify_file(ctx);
    if (!l->no_capath)
        SSL_CTX_set_default_verify_dir(ctx);
    /* OpenSSL takes the directory for the store. */
    if (!l->no_castore && !l->no_capath)
        SSL_CTX_set_default_verify_store(ctx);
    ERR_clear_error();
}

/* A TLS server names the CAs that it takes client certificates of. */
static void name_authorities(SSL_CTX *ctx, const LAYER_OPTIONS *l)
{
    if (l->verify != 0 && l->cafile != NULL)
        SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(l->cafile));
    ERR_clear_error();
}

int trust_load(SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who)
{
    if ((l->cafile != NULL && !load_file(ctx, l->cafile, who))
        || (l->capath != NULL && !load_directory(ctx, l->capath, who))
        || (l->castore != NULL && !load_store(ctx, l->castore, who)))
        return 0;
    if (l->cafile == NULL && l->capath == NULL && l->castore == NULL)
        load_defaults(ctx, l);
    name_authorities(ctx, l);
    if (layer_verify_depth(l) >= 0)
        SSL_CTX_set_verify_depth(ctx, layer_verify_depth(l));
    return 1;
}
