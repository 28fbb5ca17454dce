/*
 * hop_http.h - the head of an HTTP/1 response, up to its empty line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef HOP_HTTP_H
# define HOP_HTTP_H

# include "client_talk.h"

/* All heads of one response together, those of 1xx and the final one. */
# define HTTP_HEAD_MAX      65536UL
# define HTTP_LINES_MAX     100

typedef struct http_head_st {
    int status;             /* 200 to 599 */
    char reason[128];       /* printable; may be empty */
    char schemes[256];      /* "Basic, Negotiate": what a 407 offers */
    int basic;              /* Basic is one of them */
} HTTP_HEAD;

/*
 * Reads a response from the innermost layer; what follows the head is unread.
 * 1 done; 0 reported, with the exit code in c->code. what is the response's
 * name in a report.
 */
int http_head(CLIENT *c, HTTP_HEAD *head, const char *what);

/* 1 if text is "Name: value", with nothing in it that could end a line. */
int http_is_field(const char *text);

/* 1 if the field has this name. */
int http_field_is(const char *field, const char *name);

#endif
