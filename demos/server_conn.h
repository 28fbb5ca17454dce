/*
 * server_conn.h - one connection of the server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_CONN_H
# define SERVER_CONN_H

# include "server_verbs.h"

typedef struct conn_st CONN;

/* Owns fd. NULL on failure; fd is closed then too. */
CONN *conn_new(int fd, const SERVER *server);

/* Does what can be done without waiting, now being net_now(). */
void conn_run(CONN *c, long long now);

/* Says goodbye in each layer; the peer may still finish, for a moment. */
void conn_end(CONN *c);

/* What to poll() for before conn_run(): the socket and its events. */
int conn_fd(const CONN *c);
short conn_events(const CONN *c);
/* When to call conn_run() at the latest; -1 for never. */
long long conn_deadline(const CONN *c);
/* 1: nothing is left but conn_free(). */
int conn_is_over(const CONN *c);

/* Closes the layers as well as it can without waiting. */
void conn_free(CONN *c);

#endif
