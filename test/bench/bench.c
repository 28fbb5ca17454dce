/*
 * bench.c - nested TLS, ours beside that of others: make bench.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     bench [-quick] [section...]
 *     bench profile PEER DEPTH SIZE COUNT
 *
 * The sections are memory, counts, sockets, setup, idle and bare; all, unless
 * some are named. The second form is for a profiler: see instructions.sh.
 */

#ifdef HAVE_MALLINFO2
# include <malloc.h>
#endif
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include "bench.h"

const BENCH_PEER bench_go = {
    .name = "Go", .program = "BENCH_GO"
};
const BENCH_PEER bench_twisted = {
    .name = "Twisted", .program = "BENCH_TWISTED"
};

const BENCH_PEER *const bench_peers[] = {
    &bench_stack,
    &bench_bio_ssl,
    &bench_membio,
#ifdef BENCH_GNUTLS
    &bench_gnutls,
#endif
#ifdef BENCH_LIBEVENT
    &bench_libevent,
#endif
    &bench_go,
    &bench_twisted
};

const int bench_n_peers = sizeof(bench_peers) / sizeof(bench_peers[0]);

static const BENCH_LOAD loads[] = {
    { "16 KiB writes", 16 * 1024, 512, 0, 0 },
    { "64 KiB writes", 64 * 1024, 128, 0, 0 },
    { "100 B writes", 100, 4000, 0, 0 },
    { "100 B ping-pong", 100, 2000, 1, 0 },
    { "160 writes of 100 B, gathered", 100, 64, 0, 160 }
};

#define LOADS ((int)(sizeof(loads) / sizeof(loads[0])))

void bench_stop(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "bench: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    ERR_print_errors_fp(stderr);
    exit(1);
}

void *bench_new(size_t len)
{
    void *p = calloc(1, len);

    if (p == NULL)
        bench_stop("out of memory");
    return p;
}

static double now(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double bench_cpu(void)
{
    return now(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_clock(void)
{
    return now(CLOCK_MONOTONIC);
}

const unsigned char *bench_data(void)
{
    static unsigned char data[BENCH_SIZE_MAX];
    size_t i;

    if (data[1] == 0)
        for (i = 0; i < sizeof(data); i++)
            data[i] = (unsigned char)(i * 7 + i / 251);
    return data;
}

static void profile(char *argv[])
{
    BENCH_LOAD load = { "", 0, 0, 0, 0 };
    void *end[2];
    int i;

    load.size = atoi(argv[2]);
    for (i = 0; i < bench_n_peers; i++)
        if (strcmp(bench_peers[i]->name, argv[0]) == 0
            && bench_peers[i]->program == NULL) {
            bench_peers[i]->open(end, atoi(argv[1]));
            bench_load_send(bench_peers[i], end, &load, 4, 1);
            bench_load_profile(bench_peers[i], end, &load, atoi(argv[3]));
            bench_peers[i]->close(end[0]);
            bench_peers[i]->close(end[1]);
            return;
        }
    bench_stop("no peer %s", argv[0]);
}

static void say_missing(void)
{
    BENCH_PROGRAM *p;
    int i;

#ifndef BENCH_GNUTLS
    printf("GnuTLS is missing: gnutls >= 3.6 was not found by configure\n");
#endif
#ifndef BENCH_LIBEVENT
    printf("libevent is missing: libevent_openssl was not found by "
           "configure\n");
#endif
    for (i = 0; i < bench_n_peers; i++) {
        if (bench_peers[i]->program == NULL)
            continue;
        p = bench_program_open(bench_peers[i], "memory", 1);
        if (p == NULL)
            printf("%s is missing\n", bench_peers[i]->name);
        else
            bench_program_close(p);
    }
}

static int wants(char *argv[], const char *section)
{
    int any = 0;

    for (; *argv != NULL; argv++) {
        any = 1;
        if (strcmp(*argv, section) == 0)
            return 1;
    }
    return !any;
}

static void sections(char *argv[], int quick)
{
    int sets = quick ? 2 : 6, rounds = quick ? 4 : 8, i;

    for (i = 0; wants(argv, "counts") && i < LOADS; i++)
        bench_counts(&loads[i]);
    for (i = 0; wants(argv, "memory") && i < LOADS; i++)
        bench_memory(&loads[i], sets, rounds);
    if (wants(argv, "sockets")) {
        bench_sockets(&loads[1], quick ? 5 : 15);
        bench_sockets(&loads[3], quick ? 5 : 15);
    }
    if (wants(argv, "setup"))
        bench_setup(quick ? 3 : 9);
    if (wants(argv, "bare"))
        bench_bare_transport(sets, 4 * rounds);
    if (wants(argv, "idle"))
        bench_idle(quick ? 20 : 200);
}

int main(int argc, char *argv[])
{
    int quick = argc > 1 && strcmp(argv[1], "-quick") == 0;

    signal(SIGPIPE, SIG_IGN);
#ifdef HAVE_MALLINFO2
    /* GnuTLS allocates for each record, and would give it back each time. */
    mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
#endif
    if (argc == 6 && strcmp(argv[1], "profile") == 0) {
        profile(argv + 2);
        return 0;
    }
    printf("%s; the limit: EVP seal and open of the same bytes, once a layer\n",
           OpenSSL_version(OPENSSL_VERSION));
    say_missing();
    sections(argv + 1 + quick, quick);
    return 0;
}
