/*
 * client_commands.h - the single letters that command a session.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_COMMANDS_H
# define CLIENT_COMMANDS_H

# include "client_talk.h"

int command_is(char letter);

/*
 * Does it; all text before it has been sent. 1 to go on; 0 at the end, which
 * was asked for, or is a failure, reported, with the exit code in c->code.
 */
int command_do(CLIENT *c, char letter);

#endif
