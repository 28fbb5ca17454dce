/*
 * after_onion.c - before_onion.c with BIO_f_onion() where it had BIO_f_ssl(): a
 * header and a name are different.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     after_onion HOST:PORT CA.pem NAME [INNER-NAME]
 *
 * It prints the response to GET / of NAME. It has learnt to go through a second
 * layer, which is one more BIO in the chain. And what it prints is whole if it
 * returns 0: a connection that ends without a close_notify is an error,
 * whatever the options of ctx or the configuration of the system say.
 */

#include <signal.h>
#include <stdio.h>
#include <openssl/err.h>
#include "bio_onion.h"

/* The certificate must be for that name. */
static int expect(BIO *bio, const char *name)
{
    SSL *ssl;

    if (BIO_get_ssl(bio, &ssl) <= 0)
        return 0;
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    return SSL_set_tlsext_host_name(ssl, name)
        && X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), name, 0);
}

static int get(BIO *bio, const char *name)
{
    char text[4096];
    int n;

    if (BIO_printf(bio, "GET / HTTP/1.1\r\nHost: %s\r\n"
                   "Connection: close\r\n\r\n", name) <= 0)
        return 0;
    while ((n = BIO_read(bio, text, sizeof(text))) > 0)
        fwrite(text, 1, (size_t)n, stdout);
    return n == 0;
}

/* Inside the layer that bio is, another one. */
static BIO *push(BIO *bio, SSL_CTX *ctx, const char *name)
{
    BIO *layer = BIO_new_onion(ctx, 1);

    if (layer != NULL && expect(layer, name))
        return BIO_push(layer, bio);
    BIO_free(layer);
    BIO_free_all(bio);
    return NULL;
}

int main(int argc, char *argv[])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *bio;
    int ok;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 4 || argc > 5
        || !SSL_CTX_load_verify_locations(ctx, argv[2], NULL))
        return 2;
    bio = BIO_new_onion_connect(ctx);
    BIO_set_conn_hostname(bio, argv[1]);
    ok = expect(bio, argv[3]);
    if (ok && argc > 4)
        bio = push(bio, ctx, argv[4]);
    ok = ok && bio != NULL && BIO_do_handshake(bio) == 1
        && get(bio, argv[argc - 1]);
    if (!ok)
        ERR_print_errors_fp(stderr);
    BIO_free_all(bio);
    SSL_CTX_free(ctx);
    return ok ? 0 : 1;
}
