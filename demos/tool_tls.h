/*
 * tool_tls.h - what each group of options means to OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A group is named by its number in GROUPS, -1 being the defaults; a layer by
 * its number in the stack, 1 being the outermost.
 */

#ifndef TOOL_TLS_H
# define TOOL_TLS_H

# include <openssl/ssl.h>
# include "tool_options.h"

/* Loaded once, at the start: nothing is read from a file after that. */
typedef struct tls_layers_st {
    const GROUPS *groups;
    SSL_CTX *ctx[1 + GROUPS_MAX];   /* of group n at n + 1; NULL behind them */
} TLS_LAYERS;

/* 1; or 0, and what is wrong has been reported. To be freed in both cases. */
int tls_load(TLS_LAYERS *t, const GROUPS *groups);
void tls_free(TLS_LAYERS *t);

/*
 * The group of a layer that is started by a verb or a command: the layer-th
 * that -layer has opened, or the last of them; -1 if there is none.
 */
int tls_group_of_layer(const TLS_LAYERS *t, int layer);

/* 1 if the group has a certificate, without which it is no TLS server. */
int tls_can_serve(const TLS_LAYERS *t, int group);

/* For BIO_onion_start_tls(); NULL with the reason in the error queue. */
SSL *tls_new_server(const TLS_LAYERS *t, int group, int layer);

/*
 * The same for a TLS client. The certificate must be for -verify_hostname, or
 * else -servername, or else host, which may be NULL: then any name is good,
 * but the chain is verified. With -insecure nothing is.
 */
SSL *tls_new_client(const TLS_LAYERS *t, int group, int layer,
                    const char *host);

#endif
