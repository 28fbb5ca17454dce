/*
 * server_layer.c - what can be told of a layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/x509.h>
#include "server_layer.h"

static const char *take(const void *text, size_t len,
                        char out[LAYER_TEXT_SIZE])
{
    if (len >= LAYER_TEXT_SIZE)
        len = LAYER_TEXT_SIZE - 1;
    if (len == 0)
        return strcpy(out, "-");
    memcpy(out, text, len);
    out[len] = '\0';
    return out;
}

const char *layer_name(const SSL *ssl, char out[LAYER_TEXT_SIZE])
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    return take(name, name != NULL ? strlen(name) : 0, out);
}

const char *layer_alpn(const SSL *ssl, char out[LAYER_TEXT_SIZE])
{
    const unsigned char *protocol;
    unsigned int len;

    SSL_get0_alpn_selected(ssl, &protocol, &len);
    return take(protocol, len, out);
}

const char *layer_subject(const SSL *ssl, char out[LAYER_TEXT_SIZE])
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    BIO *mem = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = 0;

    if (cert != NULL && mem != NULL
        && SSL_get_verify_result(ssl) == X509_V_OK) {
        X509_NAME_print_ex(mem, X509_get_subject_name(cert), 0,
                           XN_FLAG_RFC2253);
        len = BIO_get_mem_data(mem, &text);
    }
    take(text, (size_t)len, out);
    BIO_free(mem);
    return out;
}

const char *layer_early(const SSL *ssl)
{
    switch (SSL_get_early_data_status(ssl)) {
    case SSL_EARLY_DATA_ACCEPTED:
        return "accepted";
    case SSL_EARLY_DATA_REJECTED:
        return "rejected";
    default:
        return "none";
    }
}

const char *layer_role(const SSL *ssl)
{
    return SSL_is_server(ssl) ? "server" : "client";
}
