/*
 * tool_status.h - what an OCSP responder says of a certificate, stapled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_STATUS_H
# define TOOL_STATUS_H

# include <openssl/ssl.h>
# include "tool_layer.h"

/* A response to give; NULL without -status_file. */
typedef struct status_st {
    unsigned char *response;
    size_t len;
} STATUS;

/*
 * A server of ctx gives the response. 1; or 0, and what is wrong has been
 * reported as of who. status lives as long as ctx.
 */
int status_load(STATUS *status, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                const char *who);
void status_free(STATUS *status);

/* A TLS client with -status asks for it. */
int status_ask(SSL *ssl, const LAYER_OPTIONS *l);

/* Prints the response that came, after the handshake. */
void status_show(BIO *out, SSL *ssl);

#endif
