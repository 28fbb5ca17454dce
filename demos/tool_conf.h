/*
 * tool_conf.h - the options of a layer that SSL_CONF_cmd() knows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_CONF_H
# define TOOL_CONF_H

# include <openssl/ssl.h>
# include "tool_layer.h"

/* 1 if it knows the word, -name; *argument becomes 1 if that takes one. */
int conf_knows(const char *word, int *argument);

/* Applies what was given. 1; or 0, and the mistake of who is reported. */
int conf_apply(SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who);

/* Prints them for -help. */
void conf_help(void);

#endif
