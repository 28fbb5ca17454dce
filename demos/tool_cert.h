/*
 * tool_cert.h - certificates and private keys to show to the peer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_CERT_H
# define TOOL_CERT_H

# include <openssl/ssl.h>
# include "tool_layer.h"

/* 1; or 0, and what is wrong has been reported as of who. */
int cert_load(SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who);

#endif
