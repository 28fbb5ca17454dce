/*
 * tool_ticket.h - keys of session tickets that several servers share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_TICKET_H
# define TOOL_TICKET_H

# include <openssl/ssl.h>
# include "tool_layer.h"

# define TICKET_KEYS_MAX    16

typedef struct ticket_key_st {
    unsigned char name[16];
    unsigned char hmac[32];
    unsigned char aes[32];
} TICKET_KEY;

typedef struct ticket_keys_st {
    TICKET_KEY key[TICKET_KEYS_MAX];
    int n;                  /* 0 without -ticket_keys: OpenSSL makes its own */
} TICKET_KEYS;

/*
 * A server of ctx encrypts its tickets with the first key. 1; or 0, and what
 * is wrong has been reported as of who. keys lives as long as ctx.
 */
int ticket_load(TICKET_KEYS *keys, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                const char *who);

#endif
