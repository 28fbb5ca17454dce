/*
 * client_terminal.h - what the peer says, as a terminal may be given it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_TERMINAL_H
# define CLIENT_TERMINAL_H

# include <openssl/bio.h>
# include "client_slot.h"

/* The character under way. All 0 at the start. */
typedef struct terminal_st {
    unsigned char first;    /* its first byte */
    int due;                /* bytes of it that are to come */
} TERMINAL;

/* Shows all that is held. -1 with errno if out takes no more. */
int terminal_drain(TERMINAL *t, SLOT *from, BIO *out);

#endif
