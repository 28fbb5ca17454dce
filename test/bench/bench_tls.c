/*
 * bench_tls.c - the credentials of the bench: TLS 1.3, AES-128-GCM, P-256.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include "bench.h"

static X509 *certificate;
static EVP_PKEY *key;

static void make(void)
{
    X509_NAME *name;

    if (certificate != NULL)
        return;
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    certificate = X509_new();
    if (key == NULL || certificate == NULL)
        bench_stop("no certificate");
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86400);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    name = X509_NAME_new();
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"bench", -1, -1, 0);
    X509_set_subject_name(certificate, name);
    X509_set_issuer_name(certificate, name);
    X509_NAME_free(name);
    X509_set_pubkey(certificate, key);
    if (X509_sign(certificate, key, EVP_sha256()) <= 0)
        bench_stop("cannot sign the certificate");
}

static SSL_CTX *context_new(int client)
{
    SSL_CTX *ctx = SSL_CTX_new(client ? TLS_client_method()
                                      : TLS_server_method());

    make();
    if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION)
        || !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256"))
        bench_stop("no SSL_CTX");
    if (!client && (!SSL_CTX_use_certificate(ctx, certificate)
                    || !SSL_CTX_use_PrivateKey(ctx, key)))
        bench_stop("no certificate in the SSL_CTX");
    return ctx;
}

SSL *bench_ssl(int client)
{
    static SSL_CTX *contexts[2];
    SSL *ssl;

    if (contexts[client] == NULL)
        contexts[client] = context_new(client);
    ssl = SSL_new(contexts[client]);
    if (ssl == NULL)
        bench_stop("SSL_new");
    if (client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    return ssl;
}

/* The text that a memory BIO holds; kept until the end. */
static const char *text_of(BIO *b)
{
    char *data;

    BIO_write(b, "", 1);
    BIO_get_mem_data(b, &data);
    return data;
}

const char *bench_certificate_pem(void)
{
    BIO *b = BIO_new(BIO_s_mem());

    make();
    PEM_write_bio_X509(b, certificate);
    return text_of(b);
}

const char *bench_key_pem(void)
{
    BIO *b = BIO_new(BIO_s_mem());

    make();
    PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
    return text_of(b);
}

static void on_message(int write, int version, int type, const void *data,
                       size_t len, SSL *ssl, void *arg)
{
    (void)version;
    (void)data;
    (void)len;
    (void)ssl;
    if (write && type == SSL3_RT_HEADER)
        ++*(long *)arg;
}

void bench_count_records(SSL *ssl, long *records)
{
    SSL_set_msg_callback(ssl, records == NULL ? NULL : on_message);
    SSL_set_msg_callback_arg(ssl, records);
}
