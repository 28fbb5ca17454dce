/*
 * server_mode.h - the ways in which the server uses a connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_MODE_H
# define SERVER_MODE_H

typedef struct conn_st CONN;

/* How the connection goes on. */
typedef enum {
    MODE_MORE,      /* there is more to do now */
    MODE_WAIT,      /* for progress, -timeout seconds at most */
    MODE_IDLE,      /* for whatever comes next, -idle_timeout at most */
    MODE_CHANGED,   /* c->mode is another one: begin it */
    MODE_CLOSE,     /* it is done: say goodbye in each layer */
    MODE_CUT,       /* it is over, and nothing more is written */
    MODE_FAILED     /* the stack has failed; the error queue says why */
} MODE_RESULT;

/*
 * The verbs of a mode. Each works on c->stack and, where there is a second
 * socket, on c->far; none ever waits.
 */
typedef struct mode_st {
    const char *name;
    /* The layers stand. 1, with c->state made; or 0 without memory. */
    int (*begin)(CONN *c);
    /* With what it waits for in c->want and c->want_far. */
    MODE_RESULT (*run)(CONN *c);
    /* The time for MODE_WAIT or MODE_IDLE is over; NULL: nothing to be said. */
    MODE_RESULT (*late)(CONN *c);
    /* What it waits for, after "the peer stalled for 30 s"; without late. */
    const char *(*doing)(const CONN *c);
    /* Frees c->state; c->far is closed after it. */
    void (*end)(CONN *c);
} MODE;

extern const MODE mode_line;        /* server_line.c */
extern const MODE mode_echo;        /* server_echo.c */
extern const MODE mode_www;         /* server_www.c */
extern const MODE mode_forward;     /* server_forward.c */
extern const MODE mode_proxy;       /* server_proxy.c */
extern const MODE mode_stats;       /* server_stats.c */

#endif
