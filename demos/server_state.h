/*
 * server_state.h - draws the layers of a connection when they have changed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_STATE_H
# define SERVER_STATE_H

# include "server_conn.h"

/* Notes an ONION_EVENT_, with -state. */
void state_event(CONN *c, int event, int layer, const SSL *ssl);

/* Shows on stderr what was noted, and the chain; nothing if nothing was. */
void state_report(CONN *c);

void state_free(CONN *c);

#endif
