/*
 * server_relay.h - passes on what comes, between the layers and a far socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each direction ends on its own. What ends without a close_notify is passed
 * on as a reset, and what is reset without a close_notify: nobody takes the
 * part for the whole.
 */

#ifndef SERVER_RELAY_H
# define SERVER_RELAY_H

# include "server_conn.h"

typedef struct flow_st {
    char *data;             /* NULL if nothing is on its way */
    int off, len;           /* of it: what is still to be passed on */
    unsigned ended : 1;     /* its source has said that that was all */
    unsigned told : 1;      /* and its sink was told */
} FLOW;

typedef struct relay_st {
    FLOW up;                /* from the layers to the far socket */
    FLOW down;
    int broken;             /* errno: why the far socket takes nothing more */
} RELAY;

/* Verbs of a mode that has connected c->far. */
MODE_RESULT relay_run(RELAY *r, CONN *c);
MODE_RESULT relay_late(RELAY *r, CONN *c);
void relay_end(RELAY *r, CONN *c);

#endif
