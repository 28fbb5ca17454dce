/*
 * server_wait_poll.c - waits until one of many sockets is ready, by poll().
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <stdlib.h>
#include "server_wait.h"

struct wait_st {
    SLOT **slot;            /* n of them, in the order of poll */
    struct pollfd *poll;
    size_t n;
    size_t room;            /* for so many; both arrays have it */
};

WAIT *wait_new(void)
{
    return calloc(1, sizeof(WAIT));
}

void wait_free(WAIT *w)
{
    if (w == NULL)
        return;
    free(w->slot);
    free(w->poll);
    free(w);
}

static int make_room(WAIT *w)
{
    size_t room = w->room == 0 ? 64 : 2 * w->room;
    struct pollfd *polls;
    SLOT **slots;

    if (w->n < w->room)
        return 1;
    slots = realloc(w->slot, room * sizeof(*slots));
    if (slots == NULL)
        return 0;
    w->slot = slots;
    polls = realloc(w->poll, room * sizeof(*polls));
    if (polls == NULL)
        return 0;
    w->poll = polls;
    w->room = room;
    return 1;
}

int wait_set(WAIT *w, SLOT *slot, short events)
{
    if (!slot->added) {
        if (!make_room(w))
            return 0;
        slot->place = w->n++;
        w->slot[slot->place] = slot;
        w->poll[slot->place].fd = slot->fd;
        w->poll[slot->place].revents = 0;
        slot->added = 1;
    }
    w->poll[slot->place].events = events;
    slot->events = events;
    return 1;
}

/* The last one takes its place. */
void wait_remove(WAIT *w, SLOT *slot)
{
    if (!slot->added)
        return;
    w->n--;
    w->slot[slot->place] = w->slot[w->n];
    w->slot[slot->place]->place = slot->place;
    w->poll[slot->place] = w->poll[w->n];
    slot->added = 0;
}

int wait_run(WAIT *w, int timeout, void (*found)(SLOT *slot, void *arg),
             void *arg)
{
    size_t i;

    if (poll(w->poll, (nfds_t)w->n, timeout) == -1)
        return errno == EINTR;
    /* From the end: one that comes into a freed place has had its turn. */
    for (i = w->n; i-- > 0;) {
        if (i >= w->n || w->poll[i].revents == 0)
            continue;
        w->slot[i]->ready = w->poll[i].revents;
        w->poll[i].revents = 0;
        found(w->slot[i], arg);
    }
    return 1;
}
