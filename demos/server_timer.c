/*
 * server_timer.c - which of many deadlines comes first: a binary heap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <openssl/crypto.h>
#include "server_timer.h"

int timers_reserve(TIMERS *t, size_t n)
{
    size_t room = t->room == 0 ? 64 : t->room;
    TIMER **heap;

    if (n <= t->room)
        return 1;
    while (room < n)
        room *= 2;
    heap = OPENSSL_realloc(t->heap, (room + 1) * sizeof(*heap));
    if (heap == NULL)
        return 0;
    t->heap = heap;
    t->room = room;
    return 1;
}

void timers_free(TIMERS *t)
{
    OPENSSL_free(t->heap);
    t->heap = NULL;
    t->n = t->room = 0;
}

static void put(TIMERS *t, TIMER *timer, size_t place)
{
    t->heap[place] = timer;
    timer->place = place;
}

static void rise(TIMERS *t, TIMER *timer)
{
    size_t i = timer->place;

    while (i > 1 && t->heap[i / 2]->due > timer->due) {
        put(t, t->heap[i / 2], i);
        i /= 2;
    }
    put(t, timer, i);
}

static void sink(TIMERS *t, TIMER *timer)
{
    size_t i = timer->place, child;

    while ((child = 2 * i) <= t->n) {
        if (child < t->n && t->heap[child + 1]->due < t->heap[child]->due)
            child++;
        if (t->heap[child]->due >= timer->due)
            break;
        put(t, t->heap[child], i);
        i = child;
    }
    put(t, timer, i);
}

void timers_set(TIMERS *t, TIMER *timer, long long due)
{
    timer->due = due;
    if (timer->place == 0)
        put(t, timer, ++t->n);
    rise(t, timer);
    sink(t, timer);
}

void timers_clear(TIMERS *t, TIMER *timer)
{
    TIMER *last;

    if (timer->place == 0)
        return;
    last = t->heap[t->n--];
    if (last != timer) {
        put(t, last, timer->place);
        rise(t, last);
        sink(t, last);
    }
    timer->place = 0;
}

TIMER *timers_first(const TIMERS *t)
{
    return t->n > 0 ? t->heap[1] : NULL;
}
