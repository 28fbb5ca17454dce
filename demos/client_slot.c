/*
 * client_slot.c - bytes on their way from one descriptor to another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <unistd.h>
#include "client_slot.h"

/* So many bytes a pipe takes at once that poll() calls writable. */
#define PIECE   4096

/* Moves what is held to the front. */
static void settle(SLOT *s)
{
    if (s->start > 0 && s->len > 0)
        memmove(s->data, s->data + s->start, s->len);
    s->start = 0;
}

size_t slot_room(const SLOT *s)
{
    return SLOT_SIZE - s->len;
}

void slot_put(SLOT *s, char byte)
{
    if (s->start + s->len == SLOT_SIZE)
        settle(s);
    s->data[s->start + s->len++] = byte;
}

size_t slot_add(SLOT *s, const void *data, size_t len)
{
    settle(s);
    if (len > slot_room(s))
        len = slot_room(s);
    memcpy(s->data + s->len, data, len);
    s->len += len;
    return len;
}

char slot_get(SLOT *s)
{
    s->len--;
    return s->data[s->start++];
}

void slot_drop(SLOT *s, size_t len)
{
    s->start += len;
    s->len -= len;
    if (s->len == 0)
        s->start = 0;
}

int slot_fill(SLOT *s, int fd)
{
    ssize_t n;

    settle(s);
    n = read(fd, s->data + s->len, SLOT_SIZE - s->len);
    if (n > 0)
        s->len += (size_t)n;
    return (int)n;
}

int slot_drain(SLOT *s, int fd)
{
    ssize_t n = write(fd, s->data + s->start,
                      s->len < PIECE ? s->len : PIECE);

    if (n > 0)
        slot_drop(s, (size_t)n);
    return (int)n;
}
