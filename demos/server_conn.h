/*
 * server_conn.h - one connection of the server.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * It shakes hands in the layers that are started at once, is used by a mode,
 * says goodbye in each layer, and lets the peer finish.
 */

#ifndef SERVER_CONN_H
# define SERVER_CONN_H

# include <openssl/bio.h>
# include "server.h"
# include "tool_net.h"
# include "tool_report.h"

typedef enum {
    CONN_SHAKING,           /* hands, in each layer */
    CONN_USED,              /* by its mode */
    CONN_CLOSING,           /* our side of each layer */
    CONN_LINGERING,         /* until the peer has closed its side too */
    CONN_OVER               /* nothing is left but conn_free() */
} CONN_STAGE;

struct conn_st {
    /* For the modes. */
    SERVER *server;
    const MODE *mode;
    void *state;            /* of the mode; NULL until it has begun */
    BIO *stack;             /* NULL once the end was sent */
    SLOT near;              /* the socket under the stack */
    SLOT far;               /* a second socket; its fd is -1 without */
    short want, want_far;   /* of poll(): what the mode waits for */
    unsigned long progress; /* grows whenever something was done */
    char *target;           /* what far is connected to; NULL without */
    char name[NET_NAME_SIZE];   /* of the peer */

    /* For server_conn.c. */
    CONN *next, **link;     /* of the list it is in; link is what points here */
    CONN *next_due;         /* of those whose time has come */
    CONN_STAGE stage;
    unsigned again : 1;     /* there is more to do, without waiting */
    unsigned waiting : 2;   /* the MODE_RESULT that set the deadline, or 0 */
    unsigned distrusted : 1;    /* the peer of a layer is not who it must be */
    unsigned counted : 1;   /* in the statistics and the log */
    int depth;              /* of layers that are started at once */
    uint64_t mark;          /* what had been done when the deadline was set */
    TIMER timer;            /* its deadline */

    BIO *captions;          /* for server_state.c; NULL if there are none */

    /* For server_log.c. */
    unsigned long number;
    BIO *transport;         /* of the stack, which owns it; counts bytes */
    uint64_t in, out;       /* bytes of the transport */
    long long since;
    char *how;              /* it ended; NULL if nothing went wrong */
};

/*
 * Owns fd, and is put at the head of list. NULL on failure, which has been
 * reported; fd is closed then too.
 */
CONN *conn_new(int fd, SERVER *server, const MODE *mode, CONN **list);

/* Does what can be done without waiting, now being net_now(). */
void conn_run(CONN *c, long long now);

/*
 * Says goodbye in each layer, unless something is still being passed on; the
 * peer may still finish, for a moment.
 */
void conn_end(CONN *c, const char *why);

/* Closes the layers as well as it can without waiting. */
void conn_free(CONN *c);

/*
 * For the modes
 * -------------
 */

/* Waits, too, for what the last call on the stack has asked for. */
void conn_want(CONN *c);

/* Starts layer n inside the present ones, as TLS server: 1 or 0. */
int conn_start_layer(CONN *c, int n);

/*
 * Something went wrong at that depth, or for which no depth matters if it is
 * -1: it is said once, in the log or on stderr.
 */
void conn_blame(CONN *c, int code, int depth, const char *fmt, ...)
    REPORT_FORMAT(4, 5);

/* The far socket, which may be -1: the one before it is closed. */
void conn_set_far(CONN *c, int fd);

#endif
