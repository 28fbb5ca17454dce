/*
 * server_log.h - a line for each connection and each layer that has ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A line is words of the form name=value or name="value", where a quote, a
 * backslash or what is not printable is escaped: no peer can forge a line.
 *
 * A log may be a pipe, and nobody waits for its reader: lines for which there
 * is no room are lost, and counted in the next one that is written.
 */

#ifndef SERVER_LOG_H
# define SERVER_LOG_H

# include <openssl/ssl.h>
# include "server_mode.h"

typedef struct log_st {
    const char *file;       /* "-" for stderr; NULL: no log is kept */
    int fd;                 /* -1 if it cannot be opened at present */
    int failed;             /* and that has been reported */
    unsigned long lost;     /* lines, since nobody reads what was written */
} LOG;

/* 1; or 0, which has been reported. */
int log_open(LOG *log);
/* Somebody has renamed it, and wants a new one; nothing without a log. */
void log_reopen(LOG *log);
void log_close(LOG *log);
int log_is_kept(const LOG *log);

/* Before the layer is freed, and before the stack of the connection is. */
void log_layer(const CONN *c, int layer, SSL *ssl);
void log_conn(const CONN *c);
/* One that was never begun. */
void log_refused(LOG *log, const char *peer, const char *why);

/*
 * How a connection ended: text that names the layer, unless depth is -1, or
 * what the error queue says of the stack. To be freed with OPENSSL_free();
 * NULL if there is no memory.
 */
char *log_sentence(int depth, const char *text);
char *log_stack_sentence(void);

#endif
