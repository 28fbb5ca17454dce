/*
 * server_wait.h - waits until one of many sockets is ready.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * By epoll where the system has it (server_wait_epoll.c), else by poll()
 * (server_wait_poll.c). Both tell again what is still so at the next wait.
 */

#ifndef SERVER_WAIT_H
# define SERVER_WAIT_H

# include <poll.h>
# include <stddef.h>

/* A socket that is waited for. It must stay where it is while it is. */
typedef struct slot_st {
    int fd;                 /* -1: none */
    short events;           /* of poll(), to wait for; set by wait_set() */
    short ready;            /* of poll(), what was found; POLLERR and POLLHUP
                               are, whether waited for or not */
    unsigned added : 1;     /* to the WAIT */
    size_t place;           /* in it, valid iff added; for poll() */
    void *owner;
} SLOT;

typedef struct wait_st WAIT;

/* NULL on failure, with errno. */
WAIT *wait_new(void);
void wait_free(WAIT *w);

/*
 * What to wait for from now on; with no events, for POLLERR and POLLHUP. 1; or
 * 0 with errno if there is no memory, and nothing has changed.
 */
int wait_set(WAIT *w, SLOT *slot, short events);
/* Before its fd is closed. */
void wait_remove(WAIT *w, SLOT *slot);

/*
 * Waits for so many milliseconds, or for ever if -1, and calls found for some
 * of the slots that are ready; found may set slots, and remove the one it was
 * called for. 1; or 0 with errno.
 */
int wait_run(WAIT *w, int timeout, void (*found)(SLOT *slot, void *arg),
             void *arg);

#endif
