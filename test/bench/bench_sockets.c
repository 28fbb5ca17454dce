/*
 * bench_sockets.c - streams, questions and answers over TCP between two
 * processes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The figure is bytes, or exchanges, for each second of CPU time that both
 * processes take together, in interleaved rounds as over memory.
 */

#include <stdio.h>
#include <unistd.h>
#include "bench.h"

#define PEERS_MAX 16

struct session {
    const BENCH_PEER *peer;
    int depth;
    BENCH_SERVER server;        /* valid iff peer->program == NULL */
    void *end;
    BENCH_PROGRAM *program;
    BENCH_STATS speed;          /* MB, or 1,000 exchanges, a second */
    BENCH_STATS beside;         /* times BIO_f_ssl()'s */
    double seconds;             /* of the last run */
};

static struct session sessions[PEERS_MAX];

static void get_all(const BENCH_PEER *peer, void *end, unsigned char *data,
                    int len)
{
    int got = 0;

    while (got < len)
        got += peer->get(end, data + got, len - got);
}

struct order {
    long bytes;
    int answer;                 /* so many at a time, or 0 for never */
};

static void obey(const BENCH_PEER *peer, void *end, const struct order *o)
{
    static unsigned char data[64 * 1024];
    long todo = o->bytes;
    int n;

    for (; todo > 0 && o->answer > 0; todo -= o->answer) {
        get_all(peer, end, data, o->answer);
        peer->put(end, data, o->answer);
    }
    for (; todo > 0; todo -= n) {
        n = (int)sizeof(data) < todo ? (int)sizeof(data) : (int)todo;
        n = peer->get(end, data, n);
    }
}

/* Reads as many bytes as it is told to, and tells what that took. */
static void serve(int listener, int control[2], void *arg)
{
    struct session *s = arg;
    void *end = s->peer->open_fd(bench_accept(listener), 0, s->depth);
    struct order o;
    double start;

    while (read(control[0], &o, sizeof(o)) == sizeof(o)) {
        start = bench_cpu();
        obey(s->peer, end, &o);
        start = bench_cpu() - start;
        if (write(control[1], &start, sizeof(start)) != sizeof(start))
            return;
    }
}

static void session_open(struct session *s, const BENCH_PEER *peer, int depth,
                         const BENCH_LOAD *load)
{
    s->peer = peer;
    s->depth = depth;
    s->end = NULL;
    s->speed.n = s->beside.n = 0;
    if (peer->program != NULL) {
        /* They do not answer. */
        if (!load->answered)
            s->program = bench_program_open(peer, "socket", depth);
        return;
    }
    bench_server_start(&s->server, serve, s);
    s->end = peer->open_fd(bench_server_connect(&s->server), 1, depth);
}

static void session_close(struct session *s)
{
    if (s->end != NULL) {
        bench_server_stop(&s->server);
        s->peer->close(s->end);
    }
    if (s->program != NULL)
        bench_program_close(s->program);
    s->program = NULL;
}

static void run(struct session *s, const BENCH_LOAD *load, int count)
{
    struct order o = { (long)load->size * count,
                       load->answered ? load->size : 0 };
    static unsigned char answer[64 * 1024];
    double start, theirs;

    if (s->program != NULL)
        s->seconds = bench_program_send(s->program, load, count);
    if (s->end == NULL)
        return;
    if (write(s->server.control[1], &o, sizeof(o)) != sizeof(o))
        bench_stop("%s: its server is gone", s->peer->name);
    start = bench_cpu();
    while (count-- > 0) {
        s->peer->put(s->end, bench_data(), load->size);
        get_all(s->peer, s->end, answer, o.answer);
    }
    s->seconds = bench_cpu() - start;
    if (read(s->server.control[0], &theirs, sizeof(theirs)) != sizeof(theirs))
        bench_stop("%s: its server is gone", s->peer->name);
    s->seconds += theirs;
}

static void round_of(const BENCH_LOAD *load, int depth, int first)
{
    int count = 2 * load->count / depth, i;
    double done = load->answered ? 1e-3 * count
                                 : 1e-6 * (double)load->size * count;

    for (i = 0; i < bench_n_peers; i++)
        run(&sessions[(first + i) % bench_n_peers], load, count);
    for (i = 0; i < bench_n_peers; i++)
        if (sessions[i].end != NULL || sessions[i].program != NULL) {
            bench_stats_add(&sessions[i].speed, done / sessions[i].seconds);
            bench_stats_add(&sessions[i].beside,
                            sessions[1].seconds / sessions[i].seconds);
        }
}

static void row(const BENCH_LOAD *load, int depth, int rounds)
{
    int i;

    for (i = 0; i < bench_n_peers; i++)
        session_open(&sessions[i], bench_peers[i], depth, load);
    for (i = 0; i < bench_n_peers; i++)
        run(&sessions[i], load, 16);
    for (i = 0; i < rounds; i++)
        round_of(load, depth, i);
    printf("%-6d", depth);
    for (i = 0; i < bench_n_peers; i++) {
        session_close(&sessions[i]);
        bench_stats_print(&sessions[i].speed, 0);
        if (sessions[i].beside.n > 0)
            printf(" %5.2f", bench_stats_at(&sessions[i].beside, 0.5));
        bench_stats_save(&sessions[i].speed,
                         load->answered ? "exchanges" : "socket",
                         sessions[i].peer->name, depth);
    }
    printf("\n");
}

void bench_sockets(const BENCH_LOAD *load, int rounds)
{
    int i;

    printf("\nTCP, two processes, %s: %s per CPU second of both (median min "
           "max), and times BIO_f_ssl\n%-6s", load->name,
           load->answered ? "thousands" : "MB", "depth");
    for (i = 0; i < bench_n_peers; i++)
        printf("  %-22s", bench_peers[i]->name);
    printf("\n");
    for (i = 0; i < BENCH_DEPTHS; i++)
        row(load, bench_depths[i], rounds);
}
