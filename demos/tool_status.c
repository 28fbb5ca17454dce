/*
 * tool_status.c - what an OCSP responder says of a certificate, stapled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include "tool_file.h"
#include "tool_report.h"
#include "tool_status.h"

#define RESPONSE_MAX    65535UL

/* OpenSSL calls it in a client too, where it would judge the response. */
static int on_status(SSL *ssl, void *arg)
{
    const STATUS *status = arg;
    unsigned char *copy;

    if (!SSL_is_server(ssl))
        return 1;
    copy = OPENSSL_memdup(status->response, status->len);
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)status->len);
    return SSL_TLSEXT_ERR_OK;
}

static OCSP_RESPONSE *parse(const unsigned char *data, size_t len)
{
    OCSP_RESPONSE *r = d2i_OCSP_RESPONSE(NULL, &data, (long)len);

    ERR_clear_error();
    return r;
}

int status_load(STATUS *status, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                const char *who)
{
    const char *trouble;
    OCSP_RESPONSE *r;

    if (l->status_file == NULL)
        return 1;
    status->response = file_read(l->status_file, RESPONSE_MAX, &status->len,
                                 &trouble);
    if (status->response != NULL) {
        r = parse(status->response, status->len);
        trouble = r == NULL ? "no OCSP response in DER" : NULL;
        OCSP_RESPONSE_free(r);
    }
    if (trouble != NULL) {
        report(TOOL_USAGE, who, "cannot load -status_file %s: %s",
               l->status_file, trouble);
        return 0;
    }
    SSL_CTX_set_tlsext_status_arg(ctx, status);
    return SSL_CTX_set_tlsext_status_cb(ctx, on_status) == 1;
}

void status_free(STATUS *status)
{
    OPENSSL_free(status->response);
    status->response = NULL;
}

int status_ask(SSL *ssl, const LAYER_OPTIONS *l)
{
    return !l->status
        || SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) == 1;
}

void status_show(BIO *out, SSL *ssl)
{
    const unsigned char *data = NULL;
    long len = SSL_get_tlsext_status_ocsp_resp(ssl, &data);
    OCSP_RESPONSE *r = len > 0 ? parse(data, (size_t)len) : NULL;

    if (r != NULL)
        OCSP_RESPONSE_print(out, r, 0);
    else
        BIO_printf(out, "OCSP Response: %s\n",
                   len > 0 ? "what came is none" : "none came");
    (void)BIO_flush(out);
    OCSP_RESPONSE_free(r);
}
