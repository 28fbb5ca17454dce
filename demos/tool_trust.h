/*
 * tool_trust.h - the certificates that a layer trusts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_TRUST_H
# define TOOL_TRUST_H

# include <openssl/ssl.h>
# include "tool_layer.h"

/*
 * Those of -CAfile, -CApath and -CAstore, or else those of the system. 1; or 0,
 * and what is wrong has been reported as of who.
 */
int trust_load(SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who);

#endif
