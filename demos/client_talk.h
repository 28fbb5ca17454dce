/*
 * client_talk.h - the client's end of a conversation, one thing at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The socket never blocks; each function waits in poll() until it is done, or
 * has failed, or -timeout is over. Unless it says otherwise it returns 1; or 0
 * when the conversation cannot go on, which has been reported then, and the
 * exit code is in the CLIENT.
 */

#ifndef CLIENT_TALK_H
# define CLIENT_TALK_H

# include <stddef.h>
# include "client_early.h"
# include "client_facts.h"
# include "client_route.h"
# include "hop_url.h"
# include "tool_line.h"
# include "tool_net.h"
# include "tool_report.h"
# include "tool_tls.h"
# include "tool_watch.h"

typedef enum { STOP_PASSIVE, STOP_ACTIVE, STOP_EARLY } STOP_MODE;

typedef struct client_st {
    GROUPS groups;
    TLS_LAYERS tls;
    WATCH watch;
    ROUTE route;
    EARLY early;
    int required;           /* depth below which the peer must not close */
    int timeout;            /* seconds without progress */
    int quiet;              /* nothing but the peer's bytes, and failures */
    int progress;           /* somebody waits at a terminal */
    STOP_MODE stop;
    int strict;             /* -script: each reply must be what it should */
    int attended;           /* somebody types the lines at a terminal */
    int escape;             /* and somebody reads them at one */

    int fd;                 /* -1 before client_connect() */
    BIO *stack;             /* NULL before client_connect() */
    const NET_PLACE *at;    /* who is at the other end of what is said now */
    char peer[ONION_MAX_DEPTH + 1][URL_PLACE_SIZE];     /* of each layer */
    char address[NET_NAME_SIZE];    /* that the connection has gone to */
    FACTS facts;            /* of each layer that there was */
    int group[ONION_MAX_DEPTH + 1];     /* whose options a layer has */
    BIO *out;               /* standard output */
    BIO *captions;          /* what -state has not yet shown; NULL without */
    BIO *drawing;           /* and where it does; NULL without */
    LINE line;              /* the last line received, or a part of it */
    int code;               /* to exit with */
    int failed_layer;       /* what the last report was about; 0: no layer */
    int refused;            /* the peer has answered ERR, and it went on */
    int shown;              /* the length of the progress that is shown */
    int fresh;              /* layers that have not yet shaken hands */
    unsigned long max_depth;    /* what CAPA said; 0 if not asked */
    long long deadline;     /* of what is under way */
} CLIENT;

/* Sets the exit code. Returns 0. */
int client_fail(CLIENT *c, int code);

/* Reports something of what is being said. Returns code. */
int client_report(CLIENT *c, int code, const char *fmt, ...)
    REPORT_FORMAT(3, 4);

/* The same of a layer. */
int client_report_layer(CLIENT *c, int code, int layer, const char *fmt, ...)
    REPORT_FORMAT(4, 5);

/* Reports that the last call on the stack has failed. Returns 0. */
int client_report_stack(CLIENT *c);

/* Reports that the peer has not done as the protocol says. Returns 0. */
int client_blame(CLIENT *c, const char *what);

/*
 * After something below that needs the peer, and is not done: waits; 1 to try
 * it again.
 */
int client_again(CLIENT *c, const char *what);

/* -timeout begins anew. */
void client_begin(CLIENT *c);

/* To where the route begins, with a stack that has no layer yet. */
int client_connect(CLIENT *c);

/* Ends the connection, without a wait. */
void client_disconnect(CLIENT *c);

void client_free(CLIENT *c);

/* Sends the text and LF in one write. */
int client_send(CLIENT *c, const char *text, size_t len);

/* Receives a line of at most max bytes into c->line. */
int client_receive(CLIENT *c, size_t max);

/* Receives what there is without waiting: a LINE_ result, and no report. */
int client_poll_line(CLIENT *c, size_t max);

/* Shows what was received. */
void client_show(CLIENT *c);

/*
 * Starts a layer as TLS client, or else server, with c->at, and with the
 * options of the group.
 */
int client_open(CLIENT *c, int group, int as_client);

/* Shakes hands in the layers that were started since it was done last. */
int client_shake(CLIENT *c);

/* Both. The options are those of the -layer of that number. */
int client_start(CLIENT *c, int as_client);

/*
 * Our close_notify in the layers inside depth; *both becomes 1 if the peer's
 * had come before, and the layers are gone.
 */
int client_stop(CLIENT *c, int depth, int *both);

/* Waits for the peer's close_notify; no text may come before it. */
int client_await_boundary(CLIENT *c);

/* After LINE_BOUNDARY: closes our side too. */
int client_follow(CLIENT *c);

/* The same for a boundary that may be due, or else was not asked for. */
int client_cross(CLIENT *c);

/*
 * Takes the innermost layer away, with no close_notify. The second reports
 * nothing: the error queue says why it cannot be.
 */
int client_drop(CLIENT *c);
int client_try_drop(CLIENT *c);

/* Waits for the end of the connection, following the peer layer by layer. */
int client_await_end(CLIENT *c);

/* Closes all layers and the connection, and waits for the peer to do so. */
int client_close(CLIENT *c);

#endif
