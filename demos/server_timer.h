/*
 * server_timer.h - which of many deadlines comes first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_TIMER_H
# define SERVER_TIMER_H

# include <stddef.h>

/* It must stay where it is while it is set. */
typedef struct timer_st {
    long long due;          /* of net_now(), valid iff place != 0 */
    size_t place;           /* in the heap, from 1 on; 0: it is not set */
    void *owner;
} TIMER;

typedef struct timers_st {
    TIMER **heap;           /* from 1 on: none is due before heap[place / 2] */
    size_t n;
    size_t room;            /* for so many */
} TIMERS;

/* Room for n timers at once: 1, or 0 without memory. */
int timers_reserve(TIMERS *t, size_t n);
void timers_free(TIMERS *t);

/* Sets it, or sets it anew; there must be room. */
void timers_set(TIMERS *t, TIMER *timer, long long due);
void timers_clear(TIMERS *t, TIMER *timer);

/* The first of all; NULL if none is set. */
TIMER *timers_first(const TIMERS *t);

#endif
