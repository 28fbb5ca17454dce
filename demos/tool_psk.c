/*
 * tool_psk.c - a key that both ends have beforehand.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The callbacks of TLS 1.2 serve TLS 1.3 too, with SHA-256.
 */

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "tool_psk.h"
#include "tool_report.h"

static int is_given(const LAYER_OPTIONS *l, const char *word)
{
    int i = 0;

    while (i < l->confs && strcmp(l->conf[i].name, word) != 0)
        i++;
    return i < l->confs;
}

/*
 * What goes with the key, unless the user has chosen: a server that has a
 * certificate too would use that.
 */
static int choose_ciphers(SSL_CTX *ctx, const LAYER_OPTIONS *l)
{
    return (is_given(l, "-ciphersuites")
            || SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:"
                                        "TLS_CHACHA20_POLY1305_SHA256"))
        && (is_given(l, "-cipher")
            || SSL_CTX_set_cipher_list(ctx, "kECDHEPSK:kDHEPSK:kPSK:ALL:"
                                       "!COMPLEMENTOFDEFAULT:!eNULL"));
}

int psk_load(PSK *psk, SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who)
{
    psk->identity = l->psk_identity != NULL ? l->psk_identity
                                            : "Client_identity";
    if (l->psk == NULL)
        return 1;
    if (strlen(psk->identity) > PSK_MAX_IDENTITY_LEN
        || psk->identity[0] == '\0') {
        report(TOOL_USAGE, who, "-psk_identity must have 1 to %d characters",
               PSK_MAX_IDENTITY_LEN);
        return 0;
    }
    if (OPENSSL_hexstr2buf_ex(psk->key, sizeof(psk->key), &psk->len, l->psk,
                              '\0') == 1 && psk->len > 0)
        return choose_ciphers(ctx, l);
    ERR_clear_error();
    report(TOOL_USAGE, who, "-psk must be 1 to %d bytes in hex", PSK_SIZE);
    return 0;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int psk_index = -1;

static void make_index(void)
{
    psk_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static unsigned int give(const PSK *psk, unsigned char *out, unsigned int size)
{
    if (psk->len > size)
        return 0;
    memcpy(out, psk->key, psk->len);
    return (unsigned int)psk->len;
}

static unsigned int as_client(SSL *ssl, const char *hint, char *identity,
                              unsigned int max_identity, unsigned char *out,
                              unsigned int size)
{
    const PSK *psk = SSL_get_ex_data(ssl, psk_index);

    (void)hint;
    if (OPENSSL_strlcpy(identity, psk->identity, max_identity) >= max_identity)
        return 0;
    return give(psk, out, size);
}

/* 0 for an identity that is not known: a certificate may do instead. */
static unsigned int as_server(SSL *ssl, const char *identity,
                              unsigned char *out, unsigned int size)
{
    const PSK *psk = SSL_get_ex_data(ssl, psk_index);

    if (identity == NULL || strcmp(identity, psk->identity) != 0)
        return 0;
    return give(psk, out, size);
}

int psk_use(PSK *psk, SSL *ssl)
{
    if (psk->len == 0)
        return 1;
    if (!CRYPTO_THREAD_run_once(&once, make_index)
        || SSL_set_ex_data(ssl, psk_index, psk) != 1)
        return 0;
    if (SSL_is_server(ssl))
        SSL_set_psk_server_callback(ssl, as_server);
    else
        SSL_set_psk_client_callback(ssl, as_client);
    return 1;
}
