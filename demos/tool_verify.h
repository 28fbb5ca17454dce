/*
 * tool_verify.h - who must be at the other end of a layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_VERIFY_H
# define TOOL_VERIFY_H

# include <openssl/ssl.h>
# include "tool_layer.h"
# include "tool_pin.h"

typedef struct verify_st {
    const LAYER_OPTIONS *l;
    PINS pins;
} VERIFY;

/*
 * Verification of each SSL of ctx by the options. 1; or 0, and what is wrong
 * has been reported as of who. v lives as long as ctx.
 */
int verify_load(VERIFY *v, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                const char *who);

/* What a TLS client asks for and expects; host may be NULL. 1, or 0. */
int verify_server(const VERIFY *v, SSL *ssl, const char *host);

/* What a TLS server asks of its client. */
void verify_client(const VERIFY *v, SSL *ssl);

/* 1 if the certificate is for all that ssl expects by name or address. */
int verify_name(SSL *ssl, X509 *cert);

#endif
