/*
 * tool_psk.h - a key that both ends have beforehand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_PSK_H
# define TOOL_PSK_H

# include <openssl/ssl.h>
# include "tool_layer.h"

# define PSK_SIZE   256

typedef struct psk_st {
    unsigned char key[PSK_SIZE];
    size_t len;                 /* 0 without -psk */
    const char *identity;
} PSK;

/* 1; or 0, and what is wrong has been reported as of who. */
int psk_load(PSK *psk, SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who);

/* Sets it for ssl, for either role, in TLS 1.2 and 1.3. psk outlives ssl. */
int psk_use(PSK *psk, SSL *ssl);

#endif
