/*
 * client_terminal.c - what the peer says, as a terminal may be given it.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What could command the terminal is shown as what it is: the controls of
 * ASCII, and those of eight bits, alone or as UTF-8 has them (U+0080 to
 * U+009F). Other text in UTF-8 passes.
 */

#include "client_terminal.h"

/* The bytes that follow the first one of a character, 0 if it is no first. */
static int followers(unsigned char byte)
{
    if (byte < 0xc2 || byte > 0xf4)
        return 0;
    return byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
}

static int is_plain(TERMINAL *t, unsigned char byte)
{
    int follows = t->due > 0 && (byte & 0xc0) == 0x80;
    int is_control = t->first == 0xc2 && byte < 0xa0;

    if (follows) {
        t->due--;
        return !is_control;
    }
    t->first = byte;
    t->due = followers(byte);
    return t->due > 0 || (byte >= ' ' && byte < 0x7f) || byte == '\n'
        || byte == '\r' || byte == '\t';
}

int terminal_drain(TERMINAL *t, SLOT *from, BIO *out)
{
    const char *text = from->data + from->start;
    size_t i, done = 0;

    for (i = 0; i < from->len; i++) {
        if (is_plain(t, (unsigned char)text[i]))
            continue;
        BIO_write(out, text + done, (int)(i - done));
        BIO_printf(out, "\\x%02x", (unsigned char)text[i]);
        done = i + 1;
    }
    if (done < from->len)
        BIO_write(out, text + done, (int)(from->len - done));
    slot_drop(from, from->len);
    return BIO_flush(out) == 1 ? 1 : -1;
}
