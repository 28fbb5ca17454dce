/*
 * client_slot.h - bytes on their way from one descriptor to another.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_SLOT_H
# define CLIENT_SLOT_H

# include <stddef.h>

/* As much as a TLS record holds. */
# define SLOT_SIZE      16384

typedef struct slot_st {
    char data[SLOT_SIZE];
    size_t start;       /* of the bytes held */
    size_t len;         /* how many there are */
} SLOT;

size_t slot_room(const SLOT *s);
void slot_put(SLOT *s, char byte);          /* there must be room */
char slot_get(SLOT *s);                     /* there must be one */
size_t slot_add(SLOT *s, const void *data, size_t len);    /* what fits */
void slot_drop(SLOT *s, size_t len);

/* Reads what there is: the number of bytes, 0 at the end, -1 with errno. */
int slot_fill(SLOT *s, int fd);

/* Writes some of it, without waiting if poll() says so. -1 with errno. */
int slot_drain(SLOT *s, int fd);

#endif
