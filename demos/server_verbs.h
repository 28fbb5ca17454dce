/*
 * server_verbs.h - what the server does for each line of the protocol.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_VERBS_H
# define SERVER_VERBS_H

# include "server.h"
# include "server_steps.h"
# include "tool_line.h"

/* Adds the steps that answer the line: 1, or 0 without memory. */
int verbs_answer(STEPS *steps, BIO *stack, const SERVER *server,
                 const LINE *line);

/* Adds an ERR line with why, and an orderly end of the connection. */
int verbs_refuse(STEPS *steps, const char *why);

#endif
