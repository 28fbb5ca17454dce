/*
 * client_describe.h - the layers, in words, on stderr.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_DESCRIBE_H
# define CLIENT_DESCRIBE_H

# include "client_talk.h"

/* Every layer that is there: all that is known. */
void describe_all(CLIENT *c);

/* The same, a line each. */
void describe_brief(CLIENT *c);

#endif
