/*
 * server_lookup.h - finds the addresses of names while the server goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_LOOKUP_H
# define SERVER_LOOKUP_H

# include <netdb.h>
# include "server_mode.h"
# include "tool_net.h"

typedef struct lookups_st LOOKUPS;
typedef struct lookup_st LOOKUP;

/* NULL on failure. They live as long as the process. */
LOOKUPS *lookups_new(void);
/* Readable when there are answers; lookups_collect() takes them. */
int lookups_fd(const LOOKUPS *l);
void lookups_collect(LOOKUPS *l, void (*found)(CONN *c, void *arg), void *arg);

/* Asks for the addresses of place, for c. NULL without memory. */
LOOKUP *lookup_start(LOOKUPS *l, const NET_PLACE *place, CONN *c);
/* 1 if there is an answer, and so no more of it to wait for. */
int lookup_is_done(const LOOKUP *l);
/* For freeaddrinfo(); NULL with an error of getaddrinfo(). */
struct addrinfo *lookup_take(LOOKUP *l, int *error);
/* Whether there is an answer or not. */
void lookup_free(LOOKUP *l);

#endif
