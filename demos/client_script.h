/*
 * client_script.h - a conversation that is given in advance, and checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_SCRIPT_H
# define CLIENT_SCRIPT_H

# include "client_talk.h"

/* 1 if the script can be run; 0, and what is wrong with it was reported. */
int script_check(const char *script);

/* The lines of the script, up to its end or the first reply that is wrong. */
void script_run(CLIENT *c, const char *script);

#endif
