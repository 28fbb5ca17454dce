/*
 * tool_session.h - sessions that are kept, to be resumed later.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A session is of one layer; a group that is used for several has one for each.
 * It is offered only where its certificate would be accepted as it is: in that
 * layer, for that name, with that pin.
 */

#ifndef TOOL_SESSION_H
# define TOOL_SESSION_H

# include <openssl/ssl.h>
# include "tool_verify.h"

/* What is kept of one layer. */
typedef struct kept_st KEPT;
struct kept_st {
    struct session_st *of;
    KEPT *next;             /* of a deeper layer */
    int layer;              /* 0: of the first that is started, in old files */
    SSL_SESSION *offered;   /* the next time; NULL if there is none */
    SSL_SESSION *newest;    /* that the peer has given; NULL if it has not */
    int renewed;            /* it has, in the SSL that was used last */
};

/* The sessions of a group. */
typedef struct session_st {
    const LAYER_OPTIONS *l;
    KEPT *kept;             /* by layer */
    int first;              /* layer of the group; 0 before it is started */
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

/* 1 if no more sessions are to be waited for, that this SSL would be given. */
int session_has_come(SSL *ssl);

/*
 * tool_session_file.c
 *
 * A file has a session in PEM for each layer. Both functions return NULL, or
 * what is wrong.
 */
const char *session_write(const SESSION *s, const char *name);
const char *session_read(SESSION *s, const char *name);

/* The place of a layer, which is made if it must be; NULL without memory. */
KEPT *session_kept(SESSION *s, int layer);

/* 1 if it was made with -insecure, where it was written down. */
int session_is_unverified(SSL_SESSION *session);

/*
 * A server resumes no session in another context. A client has none, since a
 * pre-shared key would not be of it; but what it writes down has one.
 */
typedef struct session_context_st {
    unsigned char id[SSL_MAX_SID_CTX_LENGTH];
    unsigned int len;
} SESSION_CONTEXT;
SESSION_CONTEXT session_context(int layer);

#endif
