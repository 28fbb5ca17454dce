/*
 * client_reconnect.h - ends a connection so that its sessions can be resumed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_RECONNECT_H
# define CLIENT_RECONNECT_H

# include "client_talk.h"

/*
 * Waits a little for the sessions that are still to come, which are kept as
 * tls_keep_sessions() says, and closes the connection. 1; or 0, reported, with
 * the code in c->code.
 */
int reconnect_begin(CLIENT *c);

#endif
