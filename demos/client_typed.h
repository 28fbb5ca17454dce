/*
 * client_typed.h - what is typed: text for the peer, commands for the client.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_TYPED_H
# define CLIENT_TYPED_H

# include "client_slot.h"

typedef struct typed_st {
    int commands;       /* they are known */
    int crlf;           /* a newline becomes CR LF */
    enum {
        TYPED_START,    /* of a line */
        TYPED_LETTER,   /* of a command; it is held back */
        TYPED_CR,       /* behind it */
        TYPED_LINE      /* in a line of text */
    } where;
    char letter;        /* in TYPED_LETTER and TYPED_CR */
    char last;          /* byte of the text */
} TYPED;

/*
 * Moves text from one slot to the other, up to a command: a line that is the
 * letter of one, and nothing else. Returns that letter; or 0, when all is moved
 * or there is no more room. What is left after the last newline is a line too
 * if the input has ended.
 */
char typed_move(TYPED *t, SLOT *from, SLOT *to, int ended);

#endif
