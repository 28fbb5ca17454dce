/*
 * client_session.h - what is typed goes out, what comes in is shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_SESSION_H
# define CLIENT_SESSION_H

# include "client_talk.h"

typedef struct session_options_st {
    int commands;       /* single letters are commands */
    int crlf;           /* what is typed as a newline becomes CR LF */
    int ign_eof;        /* the end of the input closes nothing */
    int mute;           /* what comes in is counted, not shown */
    int pipe;           /* the end of what comes in is passed on at once */
    int patient;        /* after our close, no -timeout */
} SESSION_OPTIONS;

/* Up to the end, well or not: the exit code is in c->code. */
void session_run(CLIENT *c, const SESSION_OPTIONS *options);

#endif
