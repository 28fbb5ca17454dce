/*
 * client_input.h - a conversation that is typed, or comes out of a pipe.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_INPUT_H
# define CLIENT_INPUT_H

# include "client_talk.h"

/* The lines of standard input, one after the other, up to its end. */
void input_run(CLIENT *c);

#endif
