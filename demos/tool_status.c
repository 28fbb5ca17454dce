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

/* Showing
 * -------
 */

static void show_time(BIO *out, const char *what, const ASN1_GENERALIZEDTIME *t)
{
    if (t == NULL)
        return;
    BIO_printf(out, ", %s ", what);
    ASN1_GENERALIZEDTIME_print(out, t);
}

static void show_single(BIO *out, OCSP_SINGLERESP *single)
{
    ASN1_GENERALIZEDTIME *revoked, *from, *until;
    ASN1_INTEGER *serial = NULL;
    int reason, status = OCSP_single_get0_status(single, &reason, &revoked,
                                                 &from, &until);

    OCSP_id_get0_info(NULL, NULL, NULL, &serial,
                      (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
    BIO_puts(out, "OCSP: certificate ");
    i2a_ASN1_INTEGER(out, serial);
    BIO_printf(out, ": %s", OCSP_cert_status_str(status));
    show_time(out, "since", status == V_OCSP_CERTSTATUS_REVOKED ? revoked
                                                                : NULL);
    show_time(out, "as of", from);
    show_time(out, "until", until);
    if (OCSP_check_validity(from, until, 300, -1) != 1)
        BIO_puts(out, ", which is not now");
    BIO_puts(out, "\n");
    ERR_clear_error();
}

static void show_signature(BIO *out, SSL *ssl, OCSP_BASICRESP *basic)
{
    X509_STORE *trusted = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    int ok = OCSP_basic_verify(basic, chain, trusted, 0) == 1;

    BIO_printf(out, "OCSP: its signature %s%s\n",
               ok ? "is good" : "does not verify: ",
               ok ? "" : report_openssl());
}

static void show_response(BIO *out, SSL *ssl, OCSP_RESPONSE *r)
{
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(r);
    int i, n = basic != NULL ? OCSP_resp_count(basic) : 0;

    ERR_clear_error();
    if (basic == NULL) {
        BIO_printf(out, "OCSP: the responder said: %s\n",
                   OCSP_response_status_str(OCSP_response_status(r)));
        return;
    }
    for (i = 0; i < n; i++)
        show_single(out, OCSP_resp_get0(basic, i));
    show_signature(out, ssl, basic);
    OCSP_BASICRESP_free(basic);
}

void status_show(BIO *out, SSL *ssl)
{
    const unsigned char *data = NULL;
    long len = SSL_get_tlsext_status_ocsp_resp(ssl, &data);
    OCSP_RESPONSE *r = len > 0 ? parse(data, (size_t)len) : NULL;

    if (r != NULL)
        show_response(out, ssl, r);
    else
        BIO_printf(out, "OCSP: %s\n", len > 0 ? "what came is no response"
                                              : "no response came");
    (void)BIO_flush(out);
    OCSP_RESPONSE_free(r);
}
