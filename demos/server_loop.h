/*
 * server_loop.h - the one thread: accepts connections, and runs each in turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_LOOP_H
# define SERVER_LOOP_H

# include "server.h"
# include "tool_net.h"

/*
 * Listens on place and, unless it is NULL, on stats; serves until it is told
 * to go. Returns the exit code.
 */
int loop_run(SERVER *server, const NET_PLACE *place, const NET_PLACE *stats);

#endif
