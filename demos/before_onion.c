/*
 * before_onion.c - a program that uses BIO_f_ssl(); after_onion.c is what has
 * become of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     before_onion HOST:PORT CA.pem NAME
 *
 * It prints the response to GET / of NAME.
 */

#include <signal.h>
#include <stdio.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

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

int main(int argc, char *argv[])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *bio;
    int ok;

    signal(SIGPIPE, SIG_IGN);
    if (argc != 4 || !SSL_CTX_load_verify_locations(ctx, argv[2], NULL))
        return 2;
    bio = BIO_new_ssl_connect(ctx);
    BIO_set_conn_hostname(bio, argv[1]);
    ok = expect(bio, argv[3]) && BIO_do_handshake(bio) == 1
        && get(bio, argv[3]);
    if (!ok)
        ERR_print_errors_fp(stderr);
    BIO_free_all(bio);
    SSL_CTX_free(ctx);
    return ok ? 0 : 1;
}
