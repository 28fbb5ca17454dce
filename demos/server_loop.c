/*
 * server_loop.c - the one thread: accepts connections, and runs each in turn.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "server_conn.h"
#include "server_loop.h"

/* After an accept() that failed for want of descriptors or memory. */
#define ACCEPT_PAUSE_MS 100
/* New connections before the others have their turn. */
#define ACCEPTS_A_TURN  64
/* Who asks for statistics, at once. */
#define STATS_MAX       64

/* A set of sockets that listen, for the same mode. */
typedef struct door_st {
    const MODE *mode;
    CONN *conns;            /* the connections that came through it */
    int n, max;             /* of them */
    int refusing;           /* more than max have come: that was reported */
    SLOT slot[NET_LISTENERS];
    int slots;
} DOOR;

typedef struct loop_st {
    SERVER *server;
    DOOR main, stats;
    SLOT signals, lookups;
    CONN *ready, **last;    /* to be run without waiting, in this order */
    TIMER pause;            /* set: no accept() before */
    TIMER drain;            /* set: no longer than that */
    int gone;               /* nothing is served any more */
    int code;               /* to exit with */
} LOOP;

static int failed(const char *what)
{
    report(TOOL_NETWORK, NULL, "%s: %s", what, strerror(errno));
    return 0;
}

/* Connections
 * -----------
 */

static DOOR *door_of(LOOP *l, const CONN *c)
{
    return c->mode == &mode_stats ? &l->stats : &l->main;
}

static void add_ready(LOOP *l, CONN *c)
{
    c->next_due = NULL;
    *l->last = c;
    l->last = &c->next_due;
}

static void run_conn(LOOP *l, CONN *c, long long now)
{
    conn_run(c, now);
    if (c->stage == CONN_OVER) {
        door_of(l, c)->n--;
        conn_free(c);
    } else if (c->again) {
        add_ready(l, c);
    }
}

/* One that is in the list of the ready will be run from there. */
static void run_conn_found(CONN *c, void *arg)
{
    if (!c->again)
        run_conn(arg, c, net_now());
}

/* Those whose time has come join those that have more to do. */
static void find_due(LOOP *l, long long now)
{
    TIMERS *t = &l->server->timers;
    TIMER *first;

    while ((first = timers_first(t)) != NULL && first->due <= now) {
        CONN *c = first->owner;

        timers_clear(t, first);
        if (c != NULL && !c->again)
            add_ready(l, c);
    }
}

static void run_ready(LOOP *l, long long now)
{
    CONN *c, *next = l->ready;

    *l->last = NULL;
    l->ready = NULL;
    l->last = &l->ready;
    while ((c = next) != NULL) {
        next = c->next_due;
        run_conn(l, c, now);
    }
}

/* At the door
 * -----------
 */

static void refuse(LOOP *l, DOOR *d, int fd)
{
    char name[NET_NAME_SIZE];

    net_name(fd, 1, name);
    close(fd);
    if (d == &l->main)
        l->server->stats.refused++;
    log_refused(&l->server->log, name, d == &l->main
                ? "-max_conns" : "too many ask for -stats");
    if (!d->refusing && d == &l->main)
        report(TOOL_NETWORK, name, "refused: there are %d connections; see "
               "-max_conns", d->max);
    d->refusing = 1;
}

static void admit(LOOP *l, DOOR *d, int fd)
{
    CONN *c;

    if (d->n >= d->max) {
        refuse(l, d, fd);
        return;
    }
    d->refusing = 0;
    c = conn_new(fd, l->server, d->mode, &d->conns);
    if (c == NULL)
        return;
    d->n++;
    run_conn(l, c, net_now());
}

/* 1; or 0 with errno: not at each of its sockets. */
static int set_accepting(LOOP *l, DOOR *d, int on)
{
    int i, ok = 1;

    for (i = 0; i < d->slots; i++)
        ok = wait_set(l->server->wait, &d->slot[i], on ? POLLIN : 0) && ok;
    return ok;
}

static int is_nothing(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == ECONNABORTED
        || error == EINTR;
}

static void pause_accepting(LOOP *l)
{
    int error = errno;

    if (is_nothing(error))
        return;
    report(TOOL_NETWORK, NULL, "cannot accept: %s", strerror(error));
    set_accepting(l, &l->main, 0);
    set_accepting(l, &l->stats, 0);
    timers_set(&l->server->timers, &l->pause, net_now() + ACCEPT_PAUSE_MS);
}

static void accept_at(LOOP *l, DOOR *d, int listener)
{
    int i, fd;

    for (i = 0; i < ACCEPTS_A_TURN; i++) {
        fd = net_accept(listener);
        if (fd == -1) {
            pause_accepting(l);
            return;
        }
        admit(l, d, fd);
    }
}

static void close_door(LOOP *l, DOOR *d)
{
    while (d->slots > 0) {
        SLOT *slot = &d->slot[--d->slots];

        wait_remove(l->server->wait, slot);
        close(slot->fd);
    }
}

static int open_door(LOOP *l, DOOR *d, const NET_PLACE *place, const char *word)
{
    int i, fd[NET_LISTENERS];
    char name[NET_NAME_SIZE];

    d->slots = net_listen(place, fd);
    for (i = 0; i < d->slots; i++) {
        d->slot[i].fd = fd[i];
        d->slot[i].owner = d;
    }
    if (d->slots == 0 || !set_accepting(l, d, 1))
        return d->slots > 0 && failed("wait");
    for (i = 0; i < d->slots; i++) {
        net_name(fd[i], 0, name);
        printf("%s %s\n", word, name);
    }
    return 1;
}

/* Signals
 * -------
 */

static void end_all(LOOP *l)
{
    CONN *c, *next;

    for (c = l->main.conns; c != NULL; c = next) {
        next = c->next;
        conn_end(c, "the server ended");
        run_conn_found(c, l);
    }
}

/* Each may find that it has nothing more to do. */
static void run_all(LOOP *l)
{
    CONN *c, *next;

    for (c = l->main.conns; c != NULL; c = next) {
        next = c->next;
        run_conn_found(c, l);
    }
}

/* At the first signal: from now on there are only ends to wait for. */
static void leave(LOOP *l)
{
    SERVER *s = l->server;

    close_door(l, &l->main);
    s->draining = 1;
    if (s->drain == 0) {
        end_all(l);
        return;
    }
    timers_set(&s->timers, &l->drain, net_now() + 1000LL * s->drain);
    run_all(l);
}

static void hear_signals(LOOP *l)
{
    while (net_take_signal(SIGHUP))
        log_reopen(&l->server->log);
    while (net_take_signal(SIGTERM) || net_take_signal(SIGINT)) {
        if (l->server->draining)
            l->gone = 1;
        else
            leave(l);
    }
}

/* The loop
 * --------
 */

static void found(SLOT *slot, void *arg)
{
    LOOP *l = arg;

    if (slot == &l->signals)
        net_clear_signals();
    else if (slot == &l->lookups)
        lookups_collect(l->server->lookups, run_conn_found, l);
    else if (slot->owner == &l->main || slot->owner == &l->stats)
        accept_at(l, slot->owner, slot->fd);
    else
        run_conn_found(slot->owner, l);
}

/* Milliseconds until the first deadline; -1 if there is none. */
static int until_first(const LOOP *l, long long now)
{
    const TIMER *first = timers_first(&l->server->timers);

    if (l->ready != NULL)
        return 0;
    if (first == NULL)
        return -1;
    return first->due <= now ? 0 : first->due - now > 60000
        ? 60000 : (int)(first->due - now);
}

static void run_timers(LOOP *l, long long now)
{
    if (l->pause.place != 0 && l->pause.due <= now) {
        timers_clear(&l->server->timers, &l->pause);
        if (!set_accepting(l, &l->main, 1) || !set_accepting(l, &l->stats, 1))
            timers_set(&l->server->timers, &l->pause, now + ACCEPT_PAUSE_MS);
    }
    if (l->drain.place != 0 && l->drain.due <= now) {
        timers_clear(&l->server->timers, &l->drain);
        end_all(l);
    }
    find_due(l, now);
}

static int serve(LOOP *l)
{
    while (!l->gone && !(l->server->draining && l->main.n == 0)) {
        if (!wait_run(l->server->wait, until_first(l, net_now()), found, l))
            return report(TOOL_NETWORK, NULL, "wait: %s", strerror(errno));
        hear_signals(l);
        run_timers(l, net_now());
        run_ready(l, net_now());
    }
    return TOOL_OK;
}

/* Starting and ending
 * -------------------
 */

static int open_signals(LOOP *l)
{
    net_ignore_sigpipe();
    report_without_waiting();
    l->signals.fd = net_catch_signals();
    if (l->signals.fd == -1
        || !net_catch_signal(SIGHUP)
        || !wait_set(l->server->wait, &l->signals, POLLIN))
        return failed("signals");
    return 1;
}

static int open_lookups(LOOP *l)
{
    SERVER *s = l->server;

    if (s->mode != &mode_proxy || s->origin != NULL)
        return 1;
    s->lookups = lookups_new();
    if (s->lookups == NULL)
        return failed("lookups");
    l->lookups.fd = lookups_fd(s->lookups);
    return wait_set(s->wait, &l->lookups, POLLIN) || failed("lookups");
}

/* A connection has one descriptor, or two, and a timer. */
static int reserve(const LOOP *l)
{
    SERVER *s = l->server;
    int each = s->mode == &mode_forward || s->mode == &mode_proxy ? 2 : 1;
    long limit = net_raise_limit(), others = STATS_MAX + 32;

    if (limit >= 0 && limit < (long)each * s->max_conns + others) {
        s->max_conns = limit > others + each ? (int)((limit - others) / each)
                                             : 1;
        report(TOOL_NETWORK, NULL, "the limit of %ld descriptors is enough "
               "for -max_conns %d; see ulimit -n", limit, s->max_conns);
    }
    return timers_reserve(&s->timers, (size_t)s->max_conns + STATS_MAX + 2)
        || failed("timers");
}

static int start(LOOP *l, const NET_PLACE *place, const NET_PLACE *stats)
{
    SERVER *s = l->server;

    s->wait = wait_new();
    if (s->wait == NULL)
        return failed("wait");
    if (!reserve(l) || !open_signals(l) || !open_lookups(l)
        || !open_door(l, &l->main, place, "ACCEPT")
        || (stats != NULL && !open_door(l, &l->stats, stats, "STATS")))
        return 0;
    l->main.max = s->max_conns;
    return fflush(stdout) == 0 || failed("output");
}

static void free_conns(DOOR *d)
{
    while (d->conns != NULL) {
        conn_end(d->conns, "the server ended");
        conn_free(d->conns);
    }
}

int loop_run(SERVER *server, const NET_PLACE *place, const NET_PLACE *stats)
{
    LOOP l;
    int code = TOOL_NETWORK;

    memset(&l, 0, sizeof(l));
    l.server = server;
    l.last = &l.ready;
    l.main.mode = server->mode;
    l.stats.mode = &mode_stats;
    l.stats.max = STATS_MAX;
    if (start(&l, place, stats))
        code = serve(&l);
    close_door(&l, &l.main);
    close_door(&l, &l.stats);
    free_conns(&l.main);
    free_conns(&l.stats);
    timers_free(&server->timers);
    wait_free(server->wait);
    return code;
}
