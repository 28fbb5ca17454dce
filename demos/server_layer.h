/*
 * server_layer.h - what can be told of a layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_LAYER_H
# define SERVER_LAYER_H

# include <openssl/ssl.h>

# define LAYER_TEXT_SIZE 512

/*
 * Each writes text into out, "-" if there is none, and returns it. It is as the
 * peer has sent it: to be escaped before it is printed.
 */
const char *layer_name(const SSL *ssl, char out[LAYER_TEXT_SIZE]);
const char *layer_alpn(const SSL *ssl, char out[LAYER_TEXT_SIZE]);
/* Of the peer's certificate, if it was verified. */
const char *layer_subject(const SSL *ssl, char out[LAYER_TEXT_SIZE]);

/* What has become of its early data; "none" if there was none. */
const char *layer_early(const SSL *ssl);

const char *layer_role(const SSL *ssl);

#endif
