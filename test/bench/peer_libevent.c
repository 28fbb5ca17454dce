/*
 * peer_libevent.c - bufferevent filters of libevent, one on the other.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Over memory it is a pair of bufferevents, which moves what is written from
 * one to the other: there are no calls to count.
 */

#include <stdlib.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include "bench.h"

struct end {
    struct event_base *base;    /* the same for both ends of a pair */
    int ends;                   /* that use it; freed with the last */
    struct end *other;          /* of the pair */
    int depth;                  /* filters */
    struct bufferevent *at[BENCH_DEPTH_MAX + 1];    /* [0]: the transport */
    int connected;              /* the innermost */
    int gathers;                /* what is put waits for the next turn */
    int ended;                  /* nothing more comes */
    long records;
};

static struct end *end_new(struct event_base *base)
{
    struct end *e = bench_new(sizeof(*e));

    if (base == NULL)
        bench_stop("libevent: no base");
    e->base = base;
    return e;
}

static void on_event(struct bufferevent *b, short what, void *arg)
{
    struct end *e = arg;

    (void)b;
    if ((what & BEV_EVENT_CONNECTED) != 0)
        e->connected = 1;
    if ((what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) != 0)
        e->ended = 1;
}

static void turn(struct end *e, int flags)
{
    event_base_loop(e->base, flags);
    if (e->ended)
        bench_stop("libevent: the connection has ended");
}

static void add_layer(struct end *e, int client)
{
    SSL *ssl = bench_ssl(client);
    struct bufferevent *b;

    bench_count_records(ssl, &e->records);
    b = bufferevent_openssl_filter_new(e->base, e->at[e->depth], ssl,
                                       client ? BUFFEREVENT_SSL_CONNECTING
                                              : BUFFEREVENT_SSL_ACCEPTING,
                                       BEV_OPT_CLOSE_ON_FREE);
    if (b == NULL)
        bench_stop("libevent: no filter");
    e->connected = 0;
    bufferevent_setcb(b, NULL, NULL, on_event, e);
    bufferevent_enable(b, EV_READ | EV_WRITE);
    e->at[++e->depth] = b;
}

static void open_memory(void *end[2], int depth)
{
    struct event_base *base = event_base_new();
    struct end *a = end_new(base), *b = end_new(base);
    struct bufferevent *pair[2];

    if (bufferevent_pair_new(base, BEV_OPT_CLOSE_ON_FREE, pair) != 0)
        bench_stop("libevent: no pair");
    a->at[0] = pair[0];
    b->at[0] = pair[1];
    a->other = b;
    b->other = a;
    while (depth-- > 0) {
        add_layer(a, 1);
        add_layer(b, 0);
        while (!a->connected || !b->connected)
            turn(a, EVLOOP_NONBLOCK);
    }
    event_base_loop(base, EVLOOP_NONBLOCK);
    end[0] = a;
    end[1] = b;
}

static void *open_fd(int fd, int client, int depth)
{
    struct event_base *base = event_base_new();
    struct end *e = end_new(base);

    evutil_make_socket_nonblocking(fd);
    e->at[0] = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(e->at[0], NULL, NULL, on_event, e);
    bufferevent_enable(e->at[0], EV_READ | EV_WRITE);
    while (depth-- > 0) {
        add_layer(e, client);
        while (!e->connected)
            turn(e, EVLOOP_ONCE);
    }
    return e;
}

static size_t unsent(const struct end *e)
{
    size_t n = 0;
    int i;

    for (i = 0; i <= e->depth; i++)
        n += evbuffer_get_length(bufferevent_get_output(e->at[i]));
    return n;
}

/* Over a socket it is done when the kernel has it all, as with the others. */
static void put(void *end, const void *data, int len)
{
    struct end *e = end;

    bufferevent_write(e->at[e->depth], data, (size_t)len);
    if (e->gathers)
        return;
    event_base_loop(e->base, EVLOOP_NONBLOCK);
    while (e->other == NULL && unsent(e) > 0 && !e->ended)
        event_base_loop(e->base, EVLOOP_ONCE);
}

static void gather(void *end, int on)
{
    struct end *e = end;

    e->gathers = on;
    if (on) {
        bufferevent_disable(e->at[e->depth], EV_WRITE);
    } else {
        bufferevent_enable(e->at[e->depth], EV_WRITE);
        put(e, "", 0);
    }
}

static int get(void *end, void *data, int len)
{
    struct end *e = end;
    struct evbuffer *in = bufferevent_get_input(e->at[e->depth]);

    while (evbuffer_get_length(in) == 0) {
        turn(e, e->other != NULL ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
        if (e->other != NULL)
            break;
    }
    return evbuffer_remove(in, data, (size_t)len);
}

static void count(void *end, BENCH_COUNTS *counts)
{
    struct end *e = end;

    counts->records += e->records;
}

static void end_close(void *end)
{
    struct end *e = end;

    bufferevent_setcb(e->at[e->depth], NULL, NULL, NULL, NULL);
    bufferevent_free(e->at[e->depth]);
    event_base_loop(e->base, EVLOOP_NONBLOCK);
    if (e->other != NULL)
        e->other->other = NULL;
    else
        event_base_free(e->base);
    free(e);
}

const BENCH_PEER bench_libevent = {
    "libevent", open_memory, open_fd, put, gather, get, count, end_close, NULL
};
