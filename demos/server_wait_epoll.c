/*
 * server_wait_epoll.c - waits until one of many sockets is ready, by epoll.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "server_wait.h"

/* Slots that one wait tells of; the others have their turn at the next. */
#define WAIT_AT_ONCE 256

struct wait_st {
    int fd;
    /* Of the wait under way; a slot that is removed meanwhile is NULL here. */
    struct epoll_event event[WAIT_AT_ONCE];
    int n;
};

WAIT *wait_new(void)
{
    WAIT *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return NULL;
    w->fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->fd != -1)
        return w;
    free(w);
    return NULL;
}

void wait_free(WAIT *w)
{
    if (w == NULL)
        return;
    close(w->fd);
    free(w);
}

static unsigned to_epoll(short events)
{
    return ((events & POLLIN) != 0 ? EPOLLIN : 0U)
        | ((events & POLLOUT) != 0 ? EPOLLOUT : 0U);
}

static short from_epoll(unsigned events)
{
    return (short)(((events & EPOLLIN) != 0 ? POLLIN : 0)
                   | ((events & EPOLLOUT) != 0 ? POLLOUT : 0)
                   | ((events & EPOLLERR) != 0 ? POLLERR : 0)
                   | ((events & EPOLLHUP) != 0 ? POLLHUP : 0));
}

int wait_set(WAIT *w, SLOT *slot, short events)
{
    struct epoll_event e = { .events = to_epoll(events),
                             .data = { .ptr = slot } };

    if (slot->added && slot->events == events)
        return 1;
    if (epoll_ctl(w->fd, slot->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, slot->fd,
                  &e) == -1)
        return 0;
    slot->added = 1;
    slot->events = events;
    return 1;
}

void wait_remove(WAIT *w, SLOT *slot)
{
    struct epoll_event unused = { 0 };
    int i;

    if (!slot->added)
        return;
    (void)epoll_ctl(w->fd, EPOLL_CTL_DEL, slot->fd, &unused);
    slot->added = 0;
    for (i = 0; i < w->n; i++)
        if (w->event[i].data.ptr == slot)
            w->event[i].data.ptr = NULL;
}

int wait_run(WAIT *w, int timeout, void (*found)(SLOT *slot, void *arg),
             void *arg)
{
    int i, n = epoll_wait(w->fd, w->event, WAIT_AT_ONCE, timeout);

    if (n == -1)
        return errno == EINTR;
    w->n = n;
    for (i = 0; i < n; i++) {
        SLOT *slot = w->event[i].data.ptr;

        if (slot == NULL)
            continue;
        slot->ready = from_epoll(w->event[i].events);
        found(slot, arg);
    }
    w->n = 0;
    return 1;
}
