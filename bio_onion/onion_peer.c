/*
 * onion_peer.c - who is at the other end of a layer, and who should be.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <openssl/x509v3.h>
#include "onion_local.h"

/* To be freed; NULL if none is expected, of which OpenSSL makes an error. */
static char *expected_ip(X509_VERIFY_PARAM *param)
{
    char *ip;

    ERR_set_mark();
    ip = X509_VERIFY_PARAM_get1_ip_asc(param);
    ERR_pop_to_mark();
    return ip;
}

/* A server has it from its peer, so nothing in it may move a terminal. */
const char *onion_peer_name(const SSL *ssl, char out[ONION_NAME_SIZE])
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    X509_VERIFY_PARAM *param = SSL_get0_param((SSL *)ssl);
    char *ip = expected_ip(param);
    size_t i;

    if (name == NULL)
        name = X509_VERIFY_PARAM_get0_host(param, 0);
    if (name == NULL)
        name = ip != NULL ? ip : "-";
    OPENSSL_strlcpy(out, name, ONION_NAME_SIZE);
    OPENSSL_free(ip);
    for (i = 0; out[i] != '\0'; i++)
        if (out[i] <= ' ' || out[i] > '~')
            out[i] = '?';
    return out;
}

/* For an address there is no server name (RFC 6066, section 3). */
int onion_peer_expect(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_get_verify_mode(ssl),
                   SSL_get_verify_callback(ssl));
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host))
        return 1;
    onion_err_clear();
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0)
        && SSL_set_tlsext_host_name(ssl, host);
}

/* 1 if the peer's certificate is for a host or address that ssl expects. */
static int name_matches(SSL *ssl, X509 *peer)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    unsigned int flags = X509_VERIFY_PARAM_get_hostflags(param);
    char *ip = expected_ip(param);
    const char *host = X509_VERIFY_PARAM_get0_host(param, 0);
    int matches = ip == NULL || X509_check_ip_asc(peer, ip, 0) == 1;
    int i;

    OPENSSL_free(ip);
    if (!matches || host == NULL)
        return matches;
    for (i = 0; host != NULL; host = X509_VERIFY_PARAM_get0_host(param, ++i))
        if (X509_check_host(peer, host, 0, flags, NULL) == 1)
            return 1;
    return 0;
}

/* A session made with an external pre-shared key has no certificate. */
static int is_expected(SSL *ssl, X509 *peer)
{
    if (SSL_is_server(ssl) || peer == NULL
        || (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0)
        return 1;
    return SSL_get_verify_result(ssl) == X509_V_OK && name_matches(ssl, peer);
}

/*
 * OpenSSL copies the names that are expected before it verifies, does not look
 * whether there was memory for it, and verifies without them then. A program
 * that verifies in its own way (by a callback, by DANE) is left to it.
 */
int onion_peer_name_was_checked(SSL *ssl)
{
    X509 *peer = SSL_get0_peer_certificate(ssl);

    if (peer == NULL || (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) == 0
        || SSL_get_verify_callback(ssl) != NULL
        || SSL_get0_dane_authority(ssl, NULL, NULL) >= 0)
        return 1;
    return SSL_get_verify_result(ssl) != X509_V_OK || name_matches(ssl, peer);
}

/*
 * A resumed session brings the certificate of the session before, and OpenSSL
 * does not hold it against the name that is expected now.
 */
int onion_peer_resumed_as_expected(SSL *ssl)
{
    return !SSL_session_reused(ssl)
        || is_expected(ssl, SSL_get0_peer_certificate(ssl));
}

int onion_peer_session_as_expected(SSL *ssl)
{
    return is_expected(ssl, SSL_SESSION_get0_peer(SSL_get_session(ssl)));
}
