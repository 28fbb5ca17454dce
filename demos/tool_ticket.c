/*
 * tool_ticket.c - keys of session tickets that several servers share.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A key has 80 bytes: its name, and a key each for HMAC and AES. nginx has them
 * in this order; haproxy, which has a line of base64 for each key, has the one
 * for AES first.
 */

#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "tool_file.h"
#include "tool_report.h"
#include "tool_ticket.h"

#define KEY_SIZE    80
#define ENCODED     108         /* KEY_SIZE bytes in base64 */
#define FILE_MAX    (TICKET_KEYS_MAX * (ENCODED + 2UL))

/* Reading
 * -------
 */

static int add(TICKET_KEYS *keys, const unsigned char *data, int aes_first)
{
    TICKET_KEY *k;

    if (keys->n == TICKET_KEYS_MAX)
        return 0;
    k = &keys->key[keys->n++];
    memcpy(k->name, data, 16);
    memcpy(aes_first ? k->aes : k->hmac, data + 16, 32);
    memcpy(aes_first ? k->hmac : k->aes, data + 48, 32);
    return 1;
}

static int add_raw(TICKET_KEYS *keys, const unsigned char *data, size_t len)
{
    size_t i;

    for (i = 0; i < len; i += KEY_SIZE)
        if (!add(keys, data + i, 0))
            return 0;
    return 1;
}

/* One line, without its end. */
static int add_line(TICKET_KEYS *keys, const unsigned char *line, size_t len)
{
    unsigned char key[KEY_SIZE + 1];
    int ok = len == ENCODED
        && EVP_DecodeBlock(key, line, ENCODED) == KEY_SIZE + 1
        && add(keys, key, 1);

    OPENSSL_cleanse(key, sizeof(key));
    return ok;
}

static int add_lines(TICKET_KEYS *keys, const unsigned char *data, size_t len)
{
    const unsigned char *end;
    size_t n, line;

    for (; len > 0; data += n, len -= n) {
        end = memchr(data, '\n', len);
        line = end != NULL ? (size_t)(end - data) : len;
        n = line + (end != NULL);
        if (line > 0 && data[line - 1] == '\r')
            line--;
        if (line > 0 && !add_line(keys, data, line))
            return 0;
    }
    return 1;
}

/* All lines of base64 have characters of text; random bytes do not. */
static int is_text(const unsigned char *data, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        if ((data[i] < ' ' && data[i] != '\n' && data[i] != '\r')
            || data[i] >= 0x7f)
            return 0;
    return 1;
}

static const char *load_file(TICKET_KEYS *keys, const char *name)
{
    const char *trouble;
    size_t len;
    unsigned char *data = file_read(name, FILE_MAX, &len, &trouble);
    int ok;

    if (data == NULL)
        return trouble;
    if (is_text(data, len))
        ok = add_lines(keys, data, len);
    else
        ok = len % KEY_SIZE == 0 && add_raw(keys, data, len);
    OPENSSL_clear_free(data, len);
    return ok ? NULL : "it must be keys of 80 bytes, or lines of 108 "
                       "characters of base64, and at most 16 in all";
}

/* Using
 * -----
 */

static int start_mac(EVP_MAC_CTX *mac, const TICKET_KEY *k)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[3];

    params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
                                                  (void *)k->hmac,
                                                  sizeof(k->hmac));
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
                                                 0);
    params[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, params);
}

static int encrypt(const TICKET_KEY *k, unsigned char name[16],
                   unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    memcpy(name, k->name, sizeof(k->name));
    if (RAND_bytes(iv, 16) != 1
        || EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), k->aes, iv, NULL) != 1
        || !start_mac(mac, k))
        return -1;
    return 1;
}

/* 0 for a ticket of nobody here; 2 to give a new one, of the first key. */
static int decrypt(const TICKET_KEYS *keys, const unsigned char name[16],
                   unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    int i = 0;

    while (i < keys->n && memcmp(keys->key[i].name, name, 16) != 0)
        i++;
    if (i == keys->n)
        return 0;
    if (EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), keys->key[i].aes, iv,
                            NULL) != 1 || !start_mac(mac, &keys->key[i]))
        return -1;
    return i == 0 ? 1 : 2;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int keys_index = -1;

static void make_index(void)
{
    keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypting)
{
    const TICKET_KEYS *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl),
                                                  keys_index);

    return encrypting ? encrypt(&keys->key[0], name, iv, cipher, mac)
                      : decrypt(keys, name, iv, cipher, mac);
}

int ticket_load(TICKET_KEYS *keys, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                const char *who)
{
    const char *trouble;
    int i;

    for (i = 0; i < l->ticket_keys.n; i++) {
        trouble = load_file(keys, l->ticket_keys.s[i]);
        if (trouble != NULL) {
            report(TOOL_USAGE, who, "cannot load the ticket keys %s: %s",
                   l->ticket_keys.s[i], trouble);
            return 0;
        }
    }
    if (keys->n == 0)
        return 1;
    return CRYPTO_THREAD_run_once(&once, make_index)
        && SSL_CTX_set_ex_data(ctx, keys_index, keys) == 1
        && SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}
