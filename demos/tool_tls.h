/*
 * tool_tls.h - what each layer's group of options means to OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_TLS_H
# define TOOL_TLS_H

# include <openssl/ssl.h>
# include "tool_options.h"

/* Loaded once, at the start: nothing is read from a file after that. */
typedef struct tls_layers_st {
    const LAYER_GROUPS *groups;
    SSL_CTX *ctx[ONION_MAX_DEPTH];  /* one for each group, NULL behind them */
} TLS_LAYERS;

/* 1; or 0, and what is wrong has been reported. To be freed in both cases. */
int tls_load(TLS_LAYERS *t, const LAYER_GROUPS *groups);
void tls_free(TLS_LAYERS *t);

/* 1 if the layer has a certificate, without which it is no TLS server. */
int tls_can_serve(const TLS_LAYERS *t, int layer);

/* For BIO_onion_start_tls(); NULL with the reason in the error queue. */
SSL *tls_new_server(const TLS_LAYERS *t, int layer);

/*
 * The same for a TLS client. The certificate must be for -verify_hostname, or
 * else -servername, or else host, which may be NULL: then any name is good,
 * but the chain is verified. With -insecure nothing is.
 */
SSL *tls_new_client(const TLS_LAYERS *t, int layer, const char *host);

#endif
