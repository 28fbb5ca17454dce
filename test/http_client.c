/*
 * http_client.c - OpenSSL's HTTP client through layers of TLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     http_client transfer|exchange HOST:PORT PATH CA.pem VERSION NAME...
 *
 * A layer for each NAME, the outermost first; none is of a TLS later than
 * VERSION, 1.2 or 1.3. OpenSSL calls tls_layers() when it has connected, to
 * put them over its BIO, and before it disconnects, to take them off again.
 * The body goes to stdout. `transfer' is OSSL_HTTP_transfer(), which wants it
 * to be DER; `exchange' is OSSL_HTTP_exchange() on a connection that stays
 * open while the body is read.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include <openssl/http.h>
#include "bio_onion.h"

#define BODY_LIMIT (1024 * 1024)
#define PATIENCE 20 /* seconds */

typedef struct layers_st {
    SSL_CTX *ctx;
    char **names;
    int count;
    int up;             /* layers over the BIO of OpenSSL now */
    int left_errors;    /* taking a layer off left an error behind */
} LAYERS;

static BIO *new_layer(SSL_CTX *ctx, const char *name)
{
    BIO *layer = BIO_new_onion(ctx, 1);
    SSL *ssl;

    if (layer == NULL)
        return NULL;
    BIO_get_ssl(layer, &ssl);
    if (SSL_set_tlsext_host_name(ssl, name)
        && X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), name, 0))
        return layer;
    BIO_free(layer);
    return NULL;
}

static BIO *put_on(LAYERS *l, BIO *bio)
{
    BIO *layer;

    for (; l->up < l->count; l->up++) {
        layer = new_layer(l->ctx, l->names[l->up]);
        if (layer == NULL)
            return NULL;
        bio = BIO_push(layer, bio);
    }
    return bio;
}

/* The peer may be gone already, so that there is nobody to close to. */
static BIO *take_off(LAYERS *l, BIO *bio)
{
    BIO *next;

    ERR_set_mark();
    BIO_onion_shutdown(bio);
    ERR_pop_to_mark();
    for (; l->up > 0; l->up--) {
        unsigned long before = ERR_peek_last_error();

        next = BIO_pop(bio);
        BIO_free(bio);
        bio = next;
        if (ERR_peek_last_error() != before)
            l->left_errors = 1;
    }
    return bio;
}

/* What OpenSSL calls bio_update_fn. */
static BIO *tls_layers(BIO *bio, void *arg, int connect, int detail)
{
    (void)detail;
    return connect ? put_on(arg, bio) : take_off(arg, bio);
}

/* With a limit in time, what OpenSSL connects does not block. */
static int copy(BIO *from)
{
    char data[4096];
    int n;

    for (;;) {
        n = BIO_read(from, data, sizeof(data));
        if (n > 0 && fwrite(data, 1, (size_t)n, stdout) == (size_t)n)
            continue;
        if (n >= 0 || !BIO_should_retry(from)
            || BIO_wait(from, time(NULL) + PATIENCE, 0) <= 0)
            return n == 0;
    }
}

static int transfer(const char *host, const char *port, const char *path,
                    LAYERS *l)
{
    BIO *body = OSSL_HTTP_transfer(NULL, host, port, path, 1, NULL, NULL, NULL,
                                   NULL, tls_layers, l, 0, NULL, NULL, NULL,
                                   NULL, 1, BODY_LIMIT, PATIENCE, 0);
    int ok;

    if (body == NULL)
        return 0;
    BIO_set_mem_eof_return(body, 0);
    ok = copy(body);
    BIO_free(body);
    return ok;
}

static int exchange(const char *host, const char *port, const char *path,
                    LAYERS *l)
{
    OSSL_HTTP_REQ_CTX *rctx;
    BIO *body = NULL;
    int ok = 0;

    rctx = OSSL_HTTP_open(host, port, NULL, NULL, 1, NULL, NULL, tls_layers, l,
                          0, PATIENCE);
    if (rctx == NULL)
        return 0;
    if (OSSL_HTTP_set1_request(rctx, path, NULL, NULL, NULL, NULL, 0,
                               BODY_LIMIT, PATIENCE, 0))
        body = OSSL_HTTP_exchange(rctx, NULL);
    if (body != NULL)
        ok = copy(body);
    BIO_free(body);
    return OSSL_HTTP_close(rctx, ok) && ok;
}

static SSL_CTX *new_ctx(const char *ca, const char *version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    int max = strcmp(version, "1.2") == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;

    if (ctx == NULL || SSL_CTX_load_verify_file(ctx, ca) != 1
        || !SSL_CTX_set_max_proto_version(ctx, max)) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static int report(int ok, const LAYERS *l)
{
    if (!ok)
        ERR_print_errors_fp(stderr);
    if (l->up != 0 || l->left_errors) {
        fprintf(stderr, "http_client: %d layers are left%s\n", l->up,
                l->left_errors ? ", and errors of those taken off" : "");
        return 0;
    }
    return ok;
}

int main(int argc, char **argv)
{
    LAYERS l = { NULL, argv + 6, argc - 6, 0, 0 };
    char *port;
    int ok;

    if (argc < 7 || (port = strrchr(argv[2], ':')) == NULL) {
        fprintf(stderr, "usage: http_client transfer|exchange HOST:PORT PATH "
                        "CA.pem VERSION NAME...\n");
        return 2;
    }
    *port++ = '\0';
    signal(SIGPIPE, SIG_IGN);
    l.ctx = new_ctx(argv[4], argv[5]);
    if (l.ctx == NULL) {
        ERR_print_errors_fp(stderr);
        return 2;
    }
    if (strcmp(argv[1], "transfer") == 0)
        ok = transfer(argv[2], port, argv[3], &l);
    else
        ok = exchange(argv[2], port, argv[3], &l);
    ok = report(ok, &l);
    SSL_CTX_free(l.ctx);
    return ok && fflush(stdout) == 0 ? 0 : 1;
}
