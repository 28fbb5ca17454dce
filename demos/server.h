/*
 * server.h - what all connections of the server share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_H
# define SERVER_H

# include <netdb.h>
# include "server_access.h"
# include "server_log.h"
# include "server_lookup.h"
# include "server_mode.h"
# include "server_stats.h"
# include "server_timer.h"
# include "server_wait.h"
# include "tool_tls.h"
# include "tool_watch.h"

typedef struct server_st {
    /* As it was told to be; nothing of this changes once it listens. */
    GROUPS groups;
    TLS_LAYERS tls;
    const MODE *mode;
    const MODE *origin;     /* within a CONNECT; NULL: its target is called */
    int layers;             /* to start at once */
    unsigned long flags;    /* of each stack */
    int state;              /* each change of the layers is shown */
    int max_depth;
    int max_conns;
    int timeout;            /* each in seconds; 0 for never: */
    int idle_timeout;
    int close_timeout;
    int drain;
    struct addrinfo *target;    /* of -forward; NULL without */
    const char *target_name;    /* as it was given */
    ACCESS access;          /* to what the proxy may connect, and for whom */

    /* As it is at present. */
    int draining;           /* it takes no more connections */
    WAIT *wait;
    TIMERS timers;
    LOOKUPS *lookups;       /* NULL if no mode looks names up */
    STATS stats;
    LOG log;
    WATCH watch;
} SERVER;

#endif
