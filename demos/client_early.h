/*
 * client_early.h - what goes before a handshake: -early and -early_data.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_EARLY_H
# define CLIENT_EARLY_H

# include <stddef.h>

typedef struct early_st {
    int on;                 /* the handshakes of inner layers may */
    unsigned char *data;    /* of the innermost layer; NULL without */
    size_t len;
    size_t sent;            /* so much of it on this connection */
} EARLY;

struct client_st;

/* Reads the file, unless it is NULL: 1; or 0, reported. */
int early_load(EARLY *e, const char *file);
void early_free(EARLY *e);

/* A layer is about to start; with innermost it is the last of the hops. */
void early_begin(struct client_st *c, int innermost);

/*
 * Writes what its session allows, before the handshake of the innermost layer.
 * Whoever verifies has done so when the session was made. As client_talk.h.
 */
int early_send(struct client_st *c);

/* How many bytes of the data are still to be sent. */
size_t early_left(const EARLY *e);

/* The SSL_EARLY_DATA_ status in the words of s_client. */
const char *early_words(int status);

#endif
