/*
 * client_json.h - what has become of each layer, as one JSON object.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_JSON_H
# define CLIENT_JSON_H

# include "client_talk.h"

/* Writes the object to out, with what c->code says. 1; 0 if out took less. */
int json_write(CLIENT *c, BIO *out);

#endif
