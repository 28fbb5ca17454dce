/*
 * client_hops.h - the walk over the hops, from the socket to the destination.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_HOPS_H
# define CLIENT_HOPS_H

# include "client_talk.h"

/* 1 if what the hops are to say can be said; else 0, reported. */
int hops_check(const CLIENT *c);

/* 1 if a hop speaks the line protocol. */
int hops_have_line(const CLIENT *c);

/*
 * Connects, and goes through all hops. 1; or 0, reported, with the exit code in
 * c->code.
 */
int hops_walk(CLIENT *c);

#endif
