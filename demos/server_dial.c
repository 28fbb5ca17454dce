/*
 * server_dial.c - connects the far socket of a connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <string.h>
#include "server_dial.h"

void dial_addresses(DIAL *d, const struct addrinfo *list)
{
    d->next = list;
}

int dial_name(DIAL *d, CONN *c, const NET_PLACE *place)
{
    d->lookup = lookup_start(c->server->lookups, place, c);
    return d->lookup != NULL;
}

static DIAL_RESULT fail(DIAL *d, const char *why)
{
    d->why = why;
    return DIAL_FAILED;
}

/* Begins with the next address that can be begun with. */
static DIAL_RESULT call_next(DIAL *d, CONN *c)
{
    int fd, error = EADDRNOTAVAIL;

    for (; d->next != NULL; d->next = d->next->ai_next) {
        fd = net_dial(d->next);
        error = errno;
        conn_set_far(c, fd);
        if (fd == -1)
            continue;
        d->next = d->next->ai_next;
        d->calling = 1;
        d->late = 0;
        c->progress++;
        c->want_far = POLLOUT;
        return DIAL_WAIT;
    }
    return fail(d, d->late ? "it did not answer in time" : strerror(error));
}

static DIAL_RESULT take_answer(DIAL *d, CONN *c)
{
    int error;

    d->list = lookup_take(d->lookup, &error);
    lookup_free(d->lookup);
    d->lookup = NULL;
    d->next = d->list;
    return d->list != NULL ? call_next(d, c) : fail(d, gai_strerror(error));
}

static DIAL_RESULT hear(DIAL *d, CONN *c)
{
    int error;

    c->want_far = POLLOUT;
    if (c->far.ready == 0)
        return DIAL_WAIT;
    error = net_dialled(c->far.fd);
    c->want_far = 0;
    if (error == 0)
        return DIAL_DONE;
    return d->next != NULL ? call_next(d, c) : fail(d, strerror(error));
}

DIAL_RESULT dial_run(DIAL *d, CONN *c)
{
    if (d->calling)
        return hear(d, c);
    if (d->lookup == NULL)
        return call_next(d, c);
    return lookup_is_done(d->lookup) ? take_answer(d, c) : DIAL_WAIT;
}

int dial_give_up(DIAL *d, CONN *c)
{
    conn_set_far(c, -1);
    d->calling = 0;
    d->late = 1;
    d->why = "it did not answer in time";
    return d->lookup == NULL && d->next != NULL;
}

void dial_free(DIAL *d)
{
    lookup_free(d->lookup);
    if (d->list != NULL)
        freeaddrinfo(d->list);
    memset(d, 0, sizeof(*d));
}
