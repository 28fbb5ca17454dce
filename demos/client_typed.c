/*
 * client_typed.c - what is typed: text for the peer, commands for the client.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Other than s_client this takes a letter for a command only where the line is
 * that letter alone, so that RCPT, QUIT and DATA can be said to a server.
 */

#include <string.h>
#include "client_commands.h"
#include "client_typed.h"

/* The text that one typed byte can become: a letter, CR and CR LF. */
#define ROOM    4

static void put(TYPED *t, SLOT *to, char byte)
{
    if (byte == '\n' && t->crlf && t->last != '\r')
        slot_put(to, '\r');
    slot_put(to, byte);
    t->last = byte;
    t->where = byte == '\n' ? TYPED_START : TYPED_LINE;
}

/* What was held back is text after all. */
static void put_held(TYPED *t, SLOT *to)
{
    int cr = t->where == TYPED_CR;

    put(t, to, t->letter);
    if (cr)
        put(t, to, '\r');
}

static int holds_back(TYPED *t, char byte)
{
    if (t->where == TYPED_START && t->commands && command_is(byte)) {
        t->where = TYPED_LETTER;
        t->letter = byte;
        return 1;
    }
    if (t->where == TYPED_LETTER && byte == '\r') {
        t->where = TYPED_CR;
        return 1;
    }
    return 0;
}

static int is_held(const TYPED *t)
{
    return t->where == TYPED_LETTER || t->where == TYPED_CR;
}

/* The letter of the command that the byte completes, or 0. */
static char take(TYPED *t, SLOT *to, char byte)
{
    if (holds_back(t, byte))
        return 0;
    if (is_held(t) && byte == '\n') {
        t->where = TYPED_START;
        return t->letter;
    }
    if (is_held(t))
        put_held(t, to);
    put(t, to, byte);
    return 0;
}

char typed_move(TYPED *t, SLOT *from, SLOT *to, int ended)
{
    char letter;

    while (from->len > 0 && slot_room(to) >= ROOM) {
        letter = take(t, to, slot_get(from));
        if (letter != 0)
            return letter;
    }
    if (!ended || from->len > 0 || !is_held(t))
        return 0;
    t->where = TYPED_START;
    return t->letter;
}
