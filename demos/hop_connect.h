/*
 * hop_connect.h - the way through an HTTP proxy, by CONNECT.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef HOP_CONNECT_H
# define HOP_CONNECT_H

# include "client_talk.h"

typedef struct hop_connect_st {
    const char *host;           /* where to, an IPv6 address without brackets */
    const char *port;
    const char *user;           /* for the proxy; NULL for nobody */
    const char *password;       /* NULL for none */
    const char *const *header;  /* "Name: value", to add to the request */
    int headers;
} HOP_CONNECT;

/*
 * 1 if user, password and headers are fit to send; else 0, which has been
 * reported. To be called before anything is opened.
 */
int hop_connect_check(const HOP_CONNECT *h);

/*
 * Asks the proxy at the other end of the innermost layer for a tunnel. 1: the
 * stack leads to host:port now, and what came behind the reply is unread in
 * it. 0: it has been reported, and the exit code is in c->code.
 */
int hop_connect(CLIENT *c, const HOP_CONNECT *h);

#endif
