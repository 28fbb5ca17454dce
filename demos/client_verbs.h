/*
 * client_verbs.h - the client's part in each verb of the line protocol.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_VERBS_H
# define CLIENT_VERBS_H

# include "client_talk.h"

/*
 * Sends the line, takes its replies and does here what the verb does there.
 * 1 to go on; 0 at the end, with the exit code in c->code.
 */
int verbs_do(CLIENT *c, const char *text, size_t len);

/* 1 if nothing can follow the line. */
int verbs_is_last(const char *text, size_t len);

/* What a peer may say without being asked, or to a line nobody checks. */
# define VERBS_ANY_LENGTH   (16UL << 20)

#endif
