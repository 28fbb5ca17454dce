/*
 * server_http.h - serves HTTP/1.1: reads requests, writes replies, keeps alive.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_HTTP_H
# define SERVER_HTTP_H

# include "server_conn.h"
# include "server_request.h"

typedef struct http_st HTTP;

/* Answers a GET or HEAD by one of the two below: 1, or 0 without memory. */
typedef int http_answer(CONN *c, HTTP *h);

struct http_st {
    http_answer *answer;
    REQUEST request;
    char *out;              /* the reply; NULL if there is none to send */
    int len;
    unsigned keep : 1;      /* another request may follow this reply */
};

/* A reply with a body, which it frees, NULL being a failure. 1 or 0. */
int http_reply(HTTP *h, int status, const char *type, BIO *body);
/* A reply that says only what the status is; more is further fields, or "". */
int http_refuse(HTTP *h, int status, const char *more);

/* Sends the reply: 1; or 0 with BIO_should_retry(), or a failure. */
int http_send(HTTP *h, BIO *stack);

/* Verbs of a mode that answers each request; the first is for its begin(). */
int http_begin(CONN *c, http_answer *answer);
MODE_RESULT http_run(CONN *c);
MODE_RESULT http_late(CONN *c);
const char *http_doing(const CONN *c);
void http_end(CONN *c);

void http_free(HTTP *h);

#endif
