/*
 * client_progress.h - tells somebody at a terminal what is waited for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_PROGRESS_H
# define CLIENT_PROGRESS_H

# include "client_talk.h"

/* Of so many milliseconds, how many to wait before progress_show(). */
int progress_wait(const CLIENT *c, long long left);

/* Shows how long it has been waited, if that is long. */
void progress_show(CLIENT *c, const char *what);

/* Takes that off the screen. */
void progress_clear(CLIENT *c);

#endif
