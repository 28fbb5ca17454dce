/*
 * tool_session.h - sessions that are kept, to be resumed later.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A session is of one layer: of the first that a group is used for. It is
 * offered only where its certificate would be accepted as it is: in that layer,
 * for that name, with that pin.
 */

#ifndef TOOL_SESSION_H
# define TOOL_SESSION_H

# include <openssl/ssl.h>
# include "tool_verify.h"

typedef struct session_st {
    const LAYER_OPTIONS *l;
    SSL_SESSION *session;   /* to offer; NULL if there is none */
    int layer;              /* that it is for; 0 as long as none was started */
    int keep;               /* the newest is offered the next time */
} SESSION;

/* 1; or 0, and what is wrong has been reported as of who. */
int session_load(SESSION *s, SSL_CTX *ctx, const LAYER_OPTIONS *l,
                 const char *who);
void session_free(SESSION *s);

/*
 * What ssl has to do with sessions, as that layer, once all that it expects is
 * set; peer is for a report. 1, or 0 without memory.
 */
int session_use(SESSION *s, SSL *ssl, int layer, const VERIFY *v,
                const char *peer);

#endif
