/*
 * tool_verify.c - who must be at the other end of a layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "tool_report.h"
#include "tool_verify.h"

/* The longest name of a host that TLS can ask for. */
#define NAME_MAX_LENGTH 255

static int is_address(const char *name)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);

    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    return ip != NULL;
}

/* The certificate
 * ---------------
 */

/* -insecure is for TLS clients. */
static int trusts_anybody(const VERIFY *v, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(
        ctx, SSL_get_ex_data_X509_STORE_CTX_idx());

    return v->l->insecure && !SSL_is_server(ssl);
}

static int verify(X509_STORE_CTX *ctx, void *arg)
{
    const VERIFY *v = arg;
    int ok = X509_verify_cert(ctx) == 1;

    if (!pin_matches(&v->pins, X509_STORE_CTX_get0_cert(ctx))) {
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }
    if (ok || !trusts_anybody(v, ctx))
        return ok;
    /* The pin has decided; a session that remembers more is of no use. */
    if (v->pins.n > 0)
        X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

static int check_name(const char *option, const char *name, const char *who)
{
    size_t len = name != NULL ? strlen(name) : 1;

    if (len > 0 && len <= NAME_MAX_LENGTH)
        return 1;
    report(TOOL_USAGE, who, "-%s must have 1 to %d characters", option,
           NAME_MAX_LENGTH);
    return 0;
}

static int check_address(const char *address, const char *who)
{
    if (address == NULL || is_address(address))
        return 1;
    report(TOOL_USAGE, who, "-verify_ip %s is no IP address", address);
    return 0;
}

int verify_load(VERIFY *v, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                const char *who)
{
    v->l = l;
    SSL_CTX_set_cert_verify_callback(ctx, verify, v);
    return check_name("servername", l->servername, who)
        && check_name("verify_hostname", l->verify_hostname, who)
        && check_address(l->verify_ip, who) && pin_load(&v->pins, l, who);
}

void verify_client(const VERIFY *v, SSL *ssl)
{
    static const int modes[] = {
        SSL_VERIFY_NONE,
        SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE,
        SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE
            | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    };

    /* A pin is of no use with a client that has no key. */
    SSL_set_verify(ssl, modes[v->pins.n > 0 ? VERIFY_REQUIRED : v->l->verify],
                   NULL);
}

/* The name
 * --------
 */

static int expect_name(SSL *ssl, const char *name)
{
    if (is_address(name))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), name, 0))
        return 1;
    /* OpenSSL 4.0 takes no name of one letter, and does not say so. */
    if (ERR_peek_error() == 0)
        ERR_raise(ERR_LIB_X509, ERR_R_PASSED_INVALID_ARGUMENT);
    return 0;
}

static int expect(SSL *ssl, const LAYER_OPTIONS *l, const char *name)
{
    if (l->verify_ip != NULL
        && !X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), l->verify_ip))
        return 0;
    if (l->verify_hostname != NULL)
        return expect_name(ssl, l->verify_hostname);
    return l->verify_ip != NULL || name == NULL || expect_name(ssl, name);
}

/* An address is not asked for: RFC 6066, section 3. */
static int ask_for(SSL *ssl, const LAYER_OPTIONS *l, const char *name)
{
    if (l->noservername || name == NULL || is_address(name))
        return 1;
    return SSL_set_tlsext_host_name(ssl, name) == 1;
}

int verify_server(const VERIFY *v, SSL *ssl, const char *host)
{
    const LAYER_OPTIONS *l = v->l;
    const char *name = l->servername != NULL ? l->servername : host;
    int none = l->insecure && v->pins.n == 0;

    SSL_set_verify(ssl, none ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return ask_for(ssl, l, name) && (l->insecure || expect(ssl, l, name));
}

/* To be freed; NULL if none is expected, of which OpenSSL makes an error. */
static char *expected_ip(X509_VERIFY_PARAM *param)
{
    char *ip;

    ERR_set_mark();
    ip = X509_VERIFY_PARAM_get1_ip_asc(param);
    ERR_pop_to_mark();
    return ip;
}

int verify_name(SSL *ssl, X509 *cert)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    unsigned int flags = X509_VERIFY_PARAM_get_hostflags(param);
    const char *host = X509_VERIFY_PARAM_get0_host(param, 0);
    char *ip = expected_ip(param);
    int ok = ip == NULL || X509_check_ip_asc(cert, ip, 0) == 1;

    OPENSSL_free(ip);
    return ok && (host == NULL
                  || X509_check_host(cert, host, 0, flags, NULL) == 1);
}
