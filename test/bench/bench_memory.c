/*
 * bench_memory.c - throughput over memory, as a share of the limit.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A round is a run of the limit and of each peer, one next to the other in
 * time, in an order that changes; a figure is a ratio of two runs of a round.
 * A set opens all anew, at other addresses, since where a buffer lies can cost
 * more than what is measured.
 */

#include <stdio.h>
#include <stdlib.h>
#include "bench.h"

#define PEERS_MAX 16

struct open_peer {
    const BENCH_PEER *peer;
    void *end[2];               /* valid iff peer->program == NULL */
    BENCH_PROGRAM *program;     /* NULL: it is missing */
    void *gap;
    BENCH_STATS share, beside;  /* of the limit; BIO_f_ssl()'s time over its */
    double seconds;             /* of the last run */
};

static struct open_peer peers[PEERS_MAX];
static double limit;            /* seconds of the last run */

/* The deeper, the less: a run takes a similar time at each depth. */
static int writes(const BENCH_LOAD *load, int depth)
{
    int n = load->count / depth;

    return n < 8 ? 8 : n;
}

static void run(struct open_peer *p, const BENCH_LOAD *load, int count,
                int check)
{
    double start = bench_cpu();

    if (p->program != NULL) {
        p->seconds = bench_program_send(p->program, load, count);
    } else if (p->peer->program == NULL) {
        bench_load_send(p->peer, p->end, load, count, check);
        p->seconds = bench_cpu() - start;
    }
}

static int is_there(const struct open_peer *p)
{
    return p->peer->program == NULL || p->program != NULL;
}

static void peers_open(int depth)
{
    int i;

    for (i = 0; i < bench_n_peers; i++) {
        struct open_peer *p = &peers[i];

        p->peer = bench_peers[i];
        p->gap = malloc((size_t)(rand() % 8192) + 1);
        if (p->peer->program != NULL)
            p->program = bench_program_open(p->peer, "memory", depth);
        else
            p->peer->open(p->end, depth);
    }
}

static void peers_close(void)
{
    int i;

    for (i = 0; i < bench_n_peers; i++) {
        struct open_peer *p = &peers[i];

        if (p->program != NULL)
            bench_program_close(p->program);
        else if (p->peer->program == NULL) {
            p->peer->close(p->end[0]);
            p->peer->close(p->end[1]);
        }
        p->program = NULL;
        free(p->gap);
    }
}

/* Each of them and the limit, once, starting with the first-th. */
static void round_of(const BENCH_LOAD *load, int depth, int first)
{
    int count = writes(load, depth), all = bench_n_peers + 1, i, j;

    for (i = 0; i < all; i++) {
        j = (first + i) % all;
        if (j == bench_n_peers)
            limit = bench_limit(load, depth, count);
        else
            run(&peers[j], load, count, 0);
    }
    for (i = 0; i < bench_n_peers; i++)
        if (is_there(&peers[i])) {
            bench_stats_add(&peers[i].share, limit / peers[i].seconds);
            bench_stats_add(&peers[i].beside,
                            peers[1].seconds / peers[i].seconds);
        }
}

static void measure(const BENCH_LOAD *load, int depth, int sets, int rounds)
{
    int i, j;

    for (i = 0; i < bench_n_peers; i++)
        peers[i].share.n = peers[i].beside.n = 0;
    for (i = 0; i < sets; i++) {
        peers_open(depth);
        for (j = 0; j < bench_n_peers; j++)
            run(&peers[j], load, 8, 1);
        for (j = 0; j < rounds; j++)
            round_of(load, depth, i + j);
        peers_close();
    }
}

static void head(const BENCH_LOAD *load)
{
    int i;

    printf("\nmemory, one thread, %s: share of the limit (median min max), "
           "and times BIO_f_ssl\n", load->name);
    printf("%-6s", "depth");
    for (i = 0; i < bench_n_peers; i++)
        printf("  %-22s", bench_peers[i]->name);
    printf("\n");
}

void bench_memory(const BENCH_LOAD *load, int sets, int rounds)
{
    int i, j;

    head(load);
    for (i = 0; i < BENCH_DEPTHS; i++) {
        measure(load, bench_depths[i], sets, rounds);
        printf("%-6d", bench_depths[i]);
        for (j = 0; j < bench_n_peers; j++) {
            bench_stats_print(&peers[j].share, 2);
            if (peers[j].beside.n == 0)
                printf(" %5s", "");
            else
                printf(" %5.2f", bench_stats_at(&peers[j].beside, 0.5));
            bench_stats_save(&peers[j].share, load->name,
                             peers[j].peer->name, bench_depths[i]);
        }
        printf("\n");
    }
}

static void print_counts(const BENCH_PEER *peer, const BENCH_LOAD *load,
                         int depth)
{
    BENCH_COUNTS before = { 0 }, after = { 0 };
    const int n = 16;
    void *end[2];

    peer->open(end, depth);
    bench_load_send(peer, end, load, 4, 1);
    peer->count(end[0], &before);
    peer->count(end[1], &before);
    bench_load_send(peer, end, load, n, 1);
    peer->count(end[0], &after);
    peer->count(end[1], &after);
    peer->close(end[0]);
    peer->close(end[1]);
    if (after.records >= 0)
        printf("  %6.1f", (double)(after.records - before.records) / n);
    else
        printf("  %6s", "-");
    if (after.writes > before.writes)
        printf(" %5.1f %5.1f %7.0f", (double)(after.writes - before.writes) / n,
               (double)(after.reads - before.reads) / n,
               (double)(after.bytes - before.bytes) / n);
    else
        printf(" %5s %5s %7s", "-", "-", "-");
}

void bench_counts(const BENCH_LOAD *load)
{
    int i, j;

    printf("\ncounts, %s: records sealed in all layers, writes and reads of "
           "the transport, bytes on the wire, each per write\n", load->name);
    printf("%-6s", "depth");
    for (i = 0; i < bench_n_peers; i++)
        if (bench_peers[i]->program == NULL)
            printf("  %-26s", bench_peers[i]->name);
    printf("\n");
    for (i = 0; i < BENCH_DEPTHS; i++) {
        printf("%-6d", bench_depths[i]);
        for (j = 0; j < bench_n_peers; j++)
            if (bench_peers[j]->program == NULL)
                print_counts(bench_peers[j], load, bench_depths[i]);
        printf("\n");
    }
}
