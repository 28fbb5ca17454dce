/*
 * server_request.h - reads the head of an HTTP/1 request.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_REQUEST_H
# define SERVER_REQUEST_H

# include <openssl/bio.h>
# include "tool_line.h"

/* A longer line, or more of them, is refused. */
# define REQUEST_LINE_MAX   8192UL
# define REQUEST_LINES_MAX  100

typedef struct request_st {
    LINE line;              /* that is being read */
    int lines;              /* that were read */
    char *method;           /* NULL until the first line was read */
    char *target;           /* as it was sent */
    char *authorization;    /* of Proxy-Authorization; NULL without */
    int minor;              /* of HTTP/1.x */
    unsigned has_host : 1;
    unsigned has_body : 1;
    unsigned close : 1;     /* Connection: close, */
    unsigned keep : 1;      /* and keep-alive */
    int status;             /* after REQUEST_BAD: what to answer */
} REQUEST;

typedef enum {
    REQUEST_DONE,           /* what follows the head was not read */
    REQUEST_WAIT,           /* BIO_should_read(), BIO_should_write() say */
    REQUEST_END,            /* the peer has closed, between two requests */
    REQUEST_BAD,
    REQUEST_FAILED          /* the error queue says why */
} REQUEST_RESULT;

/* Goes on reading; request_clear() before the next. */
REQUEST_RESULT request_read(REQUEST *r, BIO *stack);
void request_clear(REQUEST *r);

/* 1 if nothing of the request has come yet. */
int request_is_new(const REQUEST *r);
/* 1 if the client may send another after this one. */
int request_keeps(const REQUEST *r);

#endif
