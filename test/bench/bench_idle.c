/*
 * bench_idle.c - what connections that do nothing hold, and what a stack costs
 * that has no layers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifdef HAVE_MALLINFO2
# include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "bench.h"

#define LAYERS 3

/* Bytes of malloc() that are in use; glibc tells. */
static double in_use(void)
{
#ifdef HAVE_MALLINFO2
    struct mallinfo2 m = mallinfo2();

    return (double)m.uordblks + (double)m.hblkhd;
#else
    return 0;
#endif
}

/* By both ends of a connection of depth layers. */
static double held(const BENCH_PEER *peer, int depth, int connections)
{
    static const BENCH_LOAD load = { "", 16 * 1024, 1, 1, 0 };
    void *(*end)[2] = bench_new((size_t)connections * sizeof(*end));
    double before, after;
    int i;

    before = in_use();
    for (i = 0; i < connections; i++) {
        peer->open(end[i], depth);
        bench_load_send(peer, end[i], &load, 1, 1);
        peer->get(end[i][0], &(char) { 0 }, 1);
        peer->get(end[i][1], &(char) { 0 }, 1);
    }
    after = in_use();
    for (i = 0; i < connections; i++) {
        peer->close(end[i][0]);
        peer->close(end[i][1]);
    }
    free(end);
    return (after - before) / connections;
}

void bench_idle(int connections)
{
    double bytes;
    int i;

    printf("\nmemory of a connection of %d layers that has sent 16 KiB each "
           "way and is idle\n%-14s %12s %12s %22s\n", LAYERS, "peer",
           "KiB an end", "KiB a layer", "MiB of 10,000, an end");
    for (i = 0; i < bench_n_peers; i++) {
        if (bench_peers[i]->program != NULL)
            continue;
        held(bench_peers[i], 1, 2);         /* what is made once */
        bytes = held(bench_peers[i], LAYERS, connections) / 2;
        printf("%-14s %12.1f %12.1f %22.0f\n", bench_peers[i]->name,
               bytes / 1024, bytes / 1024 / LAYERS, bytes * 10000 / 1048576);
    }
}

/*
 * A stack without layers
 */

static double run(const BENCH_PEER *peer, void *const end[2],
                  const BENCH_LOAD *load)
{
    double start = bench_cpu();

    bench_load_send(peer, end, load, load->count, 0);
    return bench_cpu() - start;
}

static void open_bare(const BENCH_PEER *peer, void *end[2], int sockets)
{
    int fd[2];

    if (!sockets) {
        peer->open(end, 0);
        return;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
        bench_stop("no socket pair");
    end[0] = peer->open_fd(fd[0], 1, 0);
    end[1] = peer->open_fd(fd[1], 0, 0);
}

static void bare(const BENCH_LOAD *load, int sockets, int sets, int rounds)
{
    const BENCH_PEER *peer[2] = { &bench_stack, &bench_bio_ssl };
    BENCH_STATS stats = { .n = 0 };
    void *end[2][2];
    double seconds[2];
    int i, j, k;

    for (i = 0; i < sets; i++) {
        for (k = 0; k < 2; k++) {
            open_bare(peer[k], end[k], sockets);
            bench_load_send(peer[k], end[k], load, 16, 1);
        }
        for (j = 0; j < rounds; j++) {
            for (k = 0; k < 2; k++)
                seconds[(j + k) % 2] = run(peer[(j + k) % 2],
                                           end[(j + k) % 2], load);
            bench_stats_add(&stats, seconds[0] / seconds[1]);
        }
        for (k = 0; k < 4; k++)
            peer[k / 2]->close(end[k / 2][k % 2]);
    }
    printf("%-8s %-16s", sockets ? "socket" : "memory", load->name);
    bench_stats_print(&stats, 3);
    printf("\n");
}

void bench_bare_transport(int sets, int rounds)
{
    static const BENCH_LOAD loads[] = {
        { "64 KiB writes", 64 * 1024, 200, 0, 0 },
        { "100 B ping-pong", 100, 4000, 1, 0 }
    };
    int i, j;

    printf("\na stack without layers: CPU time as a multiple of that of the "
           "bare transport (median min max)\n");
    for (i = 0; i < 2; i++)
        for (j = 0; j < 2; j++)
            bare(&loads[i], j, sets, rounds);
}
