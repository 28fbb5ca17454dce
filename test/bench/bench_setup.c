/*
 * bench_setup.c - time to the first reply on plain TCP, Nagle's algorithm on.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <unistd.h>
#include "bench.h"

#define MESSAGE 100

struct service {
    const BENCH_PEER *peer;
    int depth;
};

static void receive(const BENCH_PEER *peer, void *end)
{
    char data[MESSAGE];
    int got;

    for (got = 0; got < MESSAGE; )
        got += peer->get(end, data + got, MESSAGE - got);
}

/* A client closes only when it has the reply. */
static void serve(int listener, int control[2], void *arg)
{
    const struct service *s = arg;
    void *end;
    char c;

    for (;;) {
        end = s->peer->open_fd(bench_accept(listener), 0, s->depth);
        receive(s->peer, end);
        s->peer->put(end, bench_data(), MESSAGE);
        if (read(control[0], &c, 1) != 1)
            return;
        s->peer->close(end);
    }
}

static double connect_and_ask(const struct service *s,
                              const BENCH_SERVER *server)
{
    double start = bench_clock();
    void *end = s->peer->open_fd(bench_server_connect(server), 1, s->depth);

    s->peer->put(end, bench_data(), MESSAGE);
    receive(s->peer, end);
    start = bench_clock() - start;
    if (write(server->control[1], "", 1) != 1)
        bench_stop("%s: its server is gone", s->peer->name);
    s->peer->close(end);
    return start;
}

static void cell(const BENCH_PEER *peer, int depth, int rounds)
{
    struct service s = { peer, depth };
    BENCH_STATS stats = { .n = 0 };
    BENCH_SERVER server;

    bench_server_start(&server, serve, &s);
    connect_and_ask(&s, &server);
    while (rounds-- > 0)
        bench_stats_add(&stats, 1000 * connect_and_ask(&s, &server));
    bench_server_stop(&server);
    bench_stats_print(&stats, 1);
    printf(" %5.1f", bench_stats_at(&stats, 0.5) / depth);
    bench_stats_save(&stats, "setup", peer->name, depth);
}

void bench_setup(int rounds)
{
    int i, j;

    printf("\nTCP, Nagle on: ms to connect, shake hands in each layer and get "
           "a reply (median min max), and per layer\n%-6s", "depth");
    for (i = 0; i < bench_n_peers; i++)
        if (bench_peers[i]->program == NULL)
            printf("  %-22s", bench_peers[i]->name);
    printf("\n");
    SSL_free(bench_ssl(0));     /* what is made once */
    SSL_free(bench_ssl(1));
    for (i = 0; i < BENCH_DEPTHS; i++) {
        printf("%-6d", bench_depths[i]);
        for (j = 0; j < bench_n_peers; j++)
            if (bench_peers[j]->program == NULL)
                cell(bench_peers[j], bench_depths[i], rounds);
        printf("\n");
    }
}
