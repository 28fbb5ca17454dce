/*
 * tool_alpn.h - the protocols to talk inside a layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_ALPN_H
# define TOOL_ALPN_H

# include <openssl/ssl.h>
# include "tool_layer.h"

# define ALPN_SIZE  1024

/* As they are on the wire; len is 0 without -alpn. */
typedef struct alpn_st {
    unsigned char list[ALPN_SIZE];
    unsigned int len;
} ALPN;

/*
 * A client of ctx offers -alpn, a server chooses by it. 1; or 0, and what is
 * wrong has been reported as of who. ctx uses alpn as long as it lives.
 */
int alpn_load(ALPN *alpn, SSL_CTX *ctx, const LAYER_OPTIONS *l,
              const char *who);

#endif
