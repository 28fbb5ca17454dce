/*
 * tool_watch.h - shows what happens in each layer, and writes a key log.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What is shown goes to stderr, and each line of it begins with the label of
 * its layer (tool_report.h). The certificates of -showcerts are PEM as it is,
 * below a line with their label, so that they can be cut out and used.
 */

#ifndef TOOL_WATCH_H
# define TOOL_WATCH_H

# include <stddef.h>
# include <openssl/ssl.h>
# include "tool_table.h"

typedef struct watch_st {
    int msg;
    int trace;
    int debug;
    int showcerts;
    const char *keylogfile;
    BIO *keylog;            /* NULL before watch_open(), and without a file */
} WATCH;

/* Rows for the table of a program whose WATCH is at offset base. */
# define WATCH_OPTIONS(base) \
    { "msg", OPTION_SET, (base) + offsetof(WATCH, msg), 0, 1, NULL, \
      "show each protocol message, in hex" }, \
    { "trace", OPTION_SET, (base) + offsetof(WATCH, trace), 0, 1, NULL, \
      "show each protocol message, in words" }, \
    { "debug", OPTION_SET, (base) + offsetof(WATCH, debug), 0, 1, NULL, \
      "show all bytes that a layer writes and reads" }, \
    { "showcerts", OPTION_SET, (base) + offsetof(WATCH, showcerts), 0, 1, \
      NULL, "show the certificates that each peer has sent" }, \
    { "keylogfile", OPTION_STRING, (base) + offsetof(WATCH, keylogfile), \
      0, 0, "file", "append the secrets of all layers to it, for Wireshark" }

/* Opens the files: 1; or 0, which has been reported. */
int watch_open(WATCH *w);
void watch_close(WATCH *w);

/*
 * Watches ssl, the layer of that number, with peer at its other end (or NULL),
 * from before its handshake. w must live as long. 1; 0 without memory.
 */
int watch_layer(const WATCH *w, SSL *ssl, int layer, const char *peer);

/* An ONION_EVENT_ of a layer with that SSL, in words. */
const char *watch_event(int event, const SSL *ssl);

/*
 * For a program whose own message callback has taken the place of the one that
 * watch_layer() has set: it passes on to this what it was told.
 */
void watch_message(int written, int version, int type, const void *data,
                   size_t len, SSL *ssl);

#endif
