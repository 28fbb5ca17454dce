/*
 * record.c - records of TLS made by hand, for what no SSL would send.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <check.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include "record.h"

#define SECRET 48               /* SHA-384 */
#define KEPT 16

/* The last traffic secrets of TLS 1.3 that a context has told of. */
static struct secrets {
    SSL *ssl;
    unsigned told;              /* the later, the larger */
    char client[2 * SECRET + 1], server[2 * SECRET + 1];
    char early[2 * SECRET + 1];
} kept[KEPT];

static struct secrets *kept_of(const SSL *ssl)
{
    int i;

    for (i = 0; i < KEPT; i++)
        if (kept[i].ssl == ssl)
            return &kept[i];
    return NULL;
}

/* Or the place of the one that has told nothing for longest. */
static struct secrets *place_for(const SSL *ssl)
{
    static unsigned now;
    struct secrets *s = kept_of(ssl);
    int i;

    if (s == NULL) {
        s = kept;
        for (i = 1; i < KEPT; i++)
            if (kept[i].told < s->told)
                s = &kept[i];
        memset(s, 0, sizeof(*s));
    }
    s->told = ++now;
    return s;
}

/* A line is a label, the random number of the client, and the secret. */
static void on_key(const SSL *ssl, const char *line)
{
    struct secrets *s = place_for(ssl);
    const char *secret = strrchr(line, ' ');

    s->ssl = (SSL *)ssl;
    if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0)
        snprintf(s->client, sizeof(s->client), "%s", secret + 1);
    if (strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0)
        snprintf(s->server, sizeof(s->server), "%s", secret + 1);
    if (strncmp(line, "CLIENT_EARLY_TRAFFIC_SECRET ", 28) == 0)
        snprintf(s->early, sizeof(s->early), "%s", secret + 1);
}

void record_watch(SSL_CTX *ctx)
{
    memset(kept, 0, sizeof(kept));
    SSL_CTX_set_keylog_callback(ctx, on_key);
}

static void derive(const char *kdf_name, const OSSL_PARAM *params,
                   unsigned char *out, size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

    ck_assert_int_eq(EVP_KDF_derive(ctx, out, len, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static OSSL_PARAM text(const char *key, const char *value)
{
    return OSSL_PARAM_construct_utf8_string(key, (char *)value, 0);
}

static OSSL_PARAM octets(const char *key, const void *value, size_t len)
{
    return OSSL_PARAM_construct_octet_string(key, (void *)value, len);
}

/* HKDF-Expand-Label of RFC 8446, section 7.1. */
static void expand(const unsigned char *secret, const char *label,
                   unsigned char *out, size_t len)
{
    OSSL_PARAM params[] = {
        text(OSSL_KDF_PARAM_DIGEST, "SHA384"),
        text(OSSL_KDF_PARAM_MODE, "EXPAND_ONLY"),
        octets(OSSL_KDF_PARAM_KEY, secret, SECRET),
        octets(OSSL_KDF_PARAM_PREFIX, "tls13 ", 6),
        octets(OSSL_KDF_PARAM_LABEL, label, strlen(label)),
        octets(OSSL_KDF_PARAM_DATA, "", 0),
        OSSL_PARAM_construct_end()
    };

    derive("TLS13-KDF", params, out, len);
}

static void unhex(const char *hex, unsigned char *out, size_t len)
{
    unsigned byte;

    while (len-- > 0) {
        ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
        *out++ = (unsigned char)byte;
        hex += 2;
    }
}

/* The SSL goes on to its next keys, so the count of its records is known. */
static void keys_of_13(struct record_maker *m, SSL *ssl)
{
    const struct secrets *s = kept_of(ssl);
    unsigned char secret[SECRET], next[SECRET];

    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    ck_assert_int_eq(SSL_do_handshake(ssl), 1);
    unhex(SSL_is_server(ssl) ? s->server : s->client, secret, SECRET);
    expand(secret, "traffic upd", next, SECRET);
    expand(next, "key", m->key, 32);
    expand(next, "iv", m->iv, 12);
    m->number = 0;
}

/* RFC 5246, section 6.3: two keys, two nonces, the client's first. */
static void keys_of_12(struct record_maker *m, SSL *ssl, unsigned written)
{
    unsigned char master[48], seed[13 + 64] = "key expansion", block[72];
    OSSL_PARAM params[] = {
        text(OSSL_KDF_PARAM_DIGEST, "SHA384"),
        octets(OSSL_KDF_PARAM_SECRET, master, sizeof(master)),
        octets(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
        OSSL_PARAM_construct_end()
    };
    int server = SSL_is_server(ssl);

    SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
    SSL_get_server_random(ssl, seed + 13, 32);
    SSL_get_client_random(ssl, seed + 45, 32);
    derive("TLS1-PRF", params, block, sizeof(block));
    memcpy(m->key, block + (server ? 32 : 0), 32);
    memcpy(m->iv, block + 64 + (server ? 4 : 0), 4);
    m->number = 1 + written;        /* the first was its Finished */
}

void record_maker(struct record_maker *m, SSL *ssl, unsigned written)
{
    memset(m, 0, sizeof(*m));
    m->version = SSL_version(ssl);
    ck_assert_ptr_nonnull(strstr(SSL_get_cipher_name(ssl), "256"));
    if (m->version >= TLS1_3_VERSION)
        keys_of_13(m, ssl);
    else
        keys_of_12(m, ssl, written);
}

void record_maker_early(struct record_maker *m, SSL *ssl, unsigned written)
{
    const struct secrets *s = kept_of(ssl);
    unsigned char secret[SECRET];

    ck_assert_ptr_nonnull(s);
    m->version = TLS1_3_VERSION;
    m->number = written;
    unhex(s->early, secret, SECRET);
    expand(secret, "key", m->key, 32);
    expand(secret, "iv", m->iv, 12);
}

static void put_number(unsigned char *out, unsigned long long number)
{
    int i;

    for (i = 0; i < 8; i++)
        out[i] = (unsigned char)(number >> (56 - 8 * i));
}

/* Seals len bytes, and puts the tag behind them. */
static void seal(const struct record_maker *m, const unsigned char nonce[12],
                 const unsigned char *head, int head_len, const void *in,
                 size_t len, unsigned char *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;

    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, m->key, nonce);
    EVP_EncryptUpdate(ctx, NULL, &n, head, head_len);
    EVP_EncryptUpdate(ctx, out, &n, in, (int)len);
    EVP_EncryptFinal_ex(ctx, out + len, &n);
    ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16,
                                         out + len), 1);
    EVP_CIPHER_CTX_free(ctx);
}

static void put_head(unsigned char *out, int type, size_t len)
{
    out[0] = (unsigned char)type;
    out[1] = out[2] = 3;
    out[3] = (unsigned char)(len >> 8);
    out[4] = (unsigned char)len;
}

/* The type is behind the content, and the head says another. */
static size_t make_13(struct record_maker *m, int type, const void *content,
                      size_t len, unsigned char *out)
{
    unsigned char inner[17000], nonce[12];
    int i;

    memcpy(inner, content, len);
    inner[len++] = (unsigned char)type;
    put_head(out, SSL3_RT_APPLICATION_DATA, len + 16);
    memset(nonce, 0, 4);
    put_number(nonce + 4, m->number++);
    for (i = 0; i < 12; i++)
        nonce[i] ^= m->iv[i];
    seal(m, nonce, out, 5, inner, len, out + 5);
    return 5 + len + 16;
}

static size_t make_12(struct record_maker *m, int type, const void *content,
                      size_t len, unsigned char *out)
{
    unsigned char head[13], nonce[12];

    put_number(head, m->number++);
    put_head(head + 8, type, len);
    put_head(out, type, 8 + len + 16);
    memcpy(out + 5, head, 8);
    memcpy(nonce, m->iv, 4);
    memcpy(nonce + 4, head, 8);
    seal(m, nonce, head, 13, content, len, out + 13);
    return 13 + len + 16;
}

size_t record_make(struct record_maker *m, int type, const void *content,
                   size_t len, unsigned char *out)
{
    if (m->version >= TLS1_3_VERSION)
        return make_13(m, type, content, len, out);
    return make_12(m, type, content, len, out);
}
