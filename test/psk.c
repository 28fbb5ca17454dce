/*
 * psk.c - layers whose handshakes cost little, for tests that make millions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>
#include <string.h>
#include "psk.h"
#include "util.h"

#define KEY_LEN 32

static const unsigned char key[KEY_LEN] = "a key that is known to both ends";

/* [client][TLS 1.3]; they live as long as the process. */
static SSL_CTX *contexts[2][2];

static void contexts_free(void)
{
    int i;

    for (i = 0; i < 4; i++)
        SSL_CTX_free(contexts[i / 2][i % 2]);
}

/* TLS 1.2 */

static unsigned client_key(SSL *ssl, const char *hint, char *identity,
                           unsigned identity_size, unsigned char *out,
                           unsigned size)
{
    (void)ssl;
    (void)hint;
    ck_assert_uint_ge(size, KEY_LEN);
    OPENSSL_strlcpy(identity, "test", identity_size);
    memcpy(out, key, KEY_LEN);
    return KEY_LEN;
}

static unsigned server_key(SSL *ssl, const char *identity, unsigned char *out,
                           unsigned size)
{
    (void)ssl;
    (void)identity;
    ck_assert_uint_ge(size, KEY_LEN);
    memcpy(out, key, KEY_LEN);
    return KEY_LEN;
}

/* TLS 1.3 */

static SSL_SESSION *session_new(SSL *ssl)
{
    static const unsigned char aes_128_gcm[2] = { 0x13, 0x01 };
    SSL_SESSION *session = SSL_SESSION_new();

    ck_assert(session != NULL);
    ck_assert(SSL_SESSION_set1_master_key(session, key, KEY_LEN));
    ck_assert(SSL_SESSION_set_cipher(session,
                                     SSL_CIPHER_find(ssl, aes_128_gcm)));
    ck_assert(SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION));
    return session;
}

static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **id,
                       size_t *len, SSL_SESSION **session)
{
    (void)md;
    *id = (const unsigned char *)"test";
    *len = 4;
    *session = session_new(ssl);
    return 1;
}

static int find_session(SSL *ssl, const unsigned char *id, size_t len,
                        SSL_SESSION **session)
{
    (void)id;
    (void)len;
    *session = session_new(ssl);
    return 1;
}

/* Where the ends have no group in common, the key alone is enough. */
static void set_up_1_3(SSL_CTX *ctx, int client)
{
    ck_assert(SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256"));
    ck_assert(SSL_CTX_set1_groups_list(ctx, client ? "X25519" : "P-256"));
    SSL_CTX_set_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
    if (client)
        SSL_CTX_set_psk_use_session_callback(ctx, use_session);
    else
        SSL_CTX_set_psk_find_session_callback(ctx, find_session);
}

static void set_up_1_2(SSL_CTX *ctx, int client)
{
    ck_assert(SSL_CTX_set_cipher_list(ctx, "PSK-AES128-GCM-SHA256"));
    if (client)
        SSL_CTX_set_psk_client_callback(ctx, client_key);
    else
        SSL_CTX_set_psk_server_callback(ctx, server_key);
}

static SSL_CTX *context_new(int client, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(client ? TLS_client_method()
                                      : TLS_server_method());

    ck_assert(ctx != NULL);
    ck_assert(SSL_CTX_set_min_proto_version(ctx, version));
    ck_assert(SSL_CTX_set_max_proto_version(ctx, version));
    if (version == TLS1_3_VERSION)
        set_up_1_3(ctx, client);
    else
        set_up_1_2(ctx, client);
    return ctx;
}

SSL *psk_ssl(int client, int version)
{
    SSL_CTX **ctx = &contexts[client][version == TLS1_3_VERSION];
    static int registered;

    if (*ctx == NULL)
        *ctx = context_new(client, version);
    if (!registered)
        registered = atexit(contexts_free) == 0;
    return test_ssl_of(*ctx, client, NULL);
}
