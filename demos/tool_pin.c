/*
 * tool_pin.c - public keys of peers that are known beforehand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "tool_pin.h"
#include "tool_report.h"

#define PREFIX      "sha256//"
/* PIN_SIZE bytes in base64. */
#define ENCODED     44

static int decode(unsigned char pin[PIN_SIZE], const char *text, size_t len)
{
    unsigned char all[PIN_SIZE + 1];
    char again[ENCODED + 1];

    if (len != strlen(PREFIX) + ENCODED
        || strncmp(text, PREFIX, strlen(PREFIX)) != 0)
        return 0;
    text += strlen(PREFIX);
    if (EVP_DecodeBlock(all, (const unsigned char *)text, ENCODED)
        != PIN_SIZE + 1)
        return 0;
    memcpy(pin, all, PIN_SIZE);
    /* EVP_DecodeBlock() does not mind padding where there must be none. */
    EVP_EncodeBlock((unsigned char *)again, pin, PIN_SIZE);
    return memcmp(again, text, ENCODED) == 0;
}

static int add(PINS *pins, const char *text, size_t len, const char *who)
{
    if (pins->n < PINS_MAX && decode(pins->pin[pins->n], text, len)) {
        pins->n++;
        return 1;
    }
    report(TOOL_USAGE, who, "-pin %.*s: %s", (int)len, text,
           pins->n < PINS_MAX ? "it must be sha256// and 44 characters of "
                                "base64" : "there are too many");
    return 0;
}

int pin_load(PINS *pins, const LAYER_OPTIONS *l, const char *who)
{
    int i;

    for (i = 0; i < l->pin.n; i++) {
        const char *text = l->pin.s[i];
        size_t len = strcspn(text, ";");

        for (;;) {
            if (!add(pins, text, len, who))
                return 0;
            if (text[len] == '\0')
                break;
            text += len + 1;
            len = strcspn(text, ";");
        }
    }
    return 1;
}

static int digest_key(const X509 *cert, unsigned char out[PIN_SIZE])
{
    unsigned char *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    int ok = len > 0
        && EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    return ok;
}

int pin_matches(const PINS *pins, const X509 *cert)
{
    unsigned char key[PIN_SIZE];
    int i;

    if (pins->n == 0)
        return 1;
    if (cert == NULL || !digest_key(cert, key))
        return 0;
    for (i = 0; i < pins->n; i++)
        if (CRYPTO_memcmp(pins->pin[i], key, PIN_SIZE) == 0)
            return 1;
    return 0;
}
