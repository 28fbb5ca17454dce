/*
 * client_route.h - the way that the options describe, and whether it is one.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * -connect or -unix says where the connection goes, or else the first hop does,
 * which names a place then. -via and -dest name the place at the other end of
 * a hop; the hops in between are where the one before them has led.
 */

#ifndef CLIENT_ROUTE_H
# define CLIENT_ROUTE_H

# include "hop_url.h"
# include "tool_options.h"

typedef enum {
    HOP_VIA,            /* then CONNECT, to the place of the next hop */
    HOP_PUSH,           /* TLS at once */
    HOP_STARTTLS,       /* TLS after the words of a protocol */
    HOP_LINE,           /* TLS after STARTTLS of the line protocol */
    HOP_DEST,           /* the end of the way */
    HOP_LAYER           /* no hop: options for layers that are started later */
} HOP_KIND;

typedef struct hop_st {
    HOP_KIND kind;
    int tls;            /* it opens a layer */
    int group;          /* with the options of this group */
    HOP_URL url;        /* of -via and -dest */
    const char *protocol;   /* of -starttls */
    const NET_PLACE *at;    /* who is at the other end; never NULL */
} HOP;

typedef struct route_st {
    NET_PLACE first;    /* where TCP goes, unless path is set */
    const char *path;   /* of a socket; NULL for TCP */
    HOP hop[GROUPS_MAX + ONION_MAX_DEPTH];
    int n;
    int depth;          /* layers that the hops open */
} ROUTE;

/*
 * By the groups, whose openers have a HOP_KIND for their min; connect and path
 * may be NULL; layers is that many times -push. 1; or 0, reported.
 */
int route_make(ROUTE *r, const GROUPS *groups, const char *connect,
               const char *path, int layers);

#endif
