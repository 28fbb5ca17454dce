/*
 * server_dial.h - connects the far socket of a connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_DIAL_H
# define SERVER_DIAL_H

# include "server_conn.h"

typedef struct dial_st {
    LOOKUP *lookup;         /* of the name; NULL if it was known */
    struct addrinfo *list;  /* what it found, which is to be freed */
    const struct addrinfo *next;    /* the address to try next */
    unsigned calling : 1;   /* c->far is on its way to the one before */
    unsigned late : 1;      /* the last one took too long */
    const char *why;        /* after DIAL_FAILED */
} DIAL;

typedef enum {
    DIAL_DONE,              /* c->far is connected */
    DIAL_WAIT,
    DIAL_FAILED             /* why, and whether it was late, in the DIAL */
} DIAL_RESULT;

/* By addresses that stay, or by a name: 1, or 0 without memory. */
void dial_addresses(DIAL *d, const struct addrinfo *list);
int dial_name(DIAL *d, CONN *c, const NET_PLACE *place);

/* Goes on, one address after the other. */
DIAL_RESULT dial_run(DIAL *d, CONN *c);
/* The present address has had its time: 1 if there is another. */
int dial_give_up(DIAL *d, CONN *c);
void dial_free(DIAL *d);

#endif
