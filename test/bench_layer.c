/*
 * bench_layer.c - what a single layer costs beside BIO_f_ssl(): make bench.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both write and read the same bytes in one process, in turn, over BIO pairs
 * or socket pairs: each run of the one is paired with a run of the other next
 * to it in time, and the median of the ratios of their CPU times is printed.
 * All is built anew for each set of runs, at other addresses, since where a
 * buffer lies can cost more than what is measured. BIO_f_ssl() against itself
 * tells how far to trust the figures.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <time.h>
#include <sys/socket.h>
#include "util.h"

#define TARGET 1.02
#define PAIR_SIZE (256 * 1024)
#define PAIRS_PER_SET 8
#define SETS_MAX 64

struct ends {
    BIO *c, *s;
    void *gap;                  /* moves the next ends to other addresses */
};

struct load {
    const char *name;
    int size;                   /* of a write */
    int writes;                 /* in a run */
    int sockets;
};

static const struct load loads[] = {
    { "64 KiB, pair", 64 * 1024, 64, 0 },
    { "100 B, pair", 100, 1000, 0 },
    { "64 KiB, socket", 64 * 1024, 64, 1 },
    { "100 B, socket", 100, 1000, 1 }
};

#define LOADS (sizeof(loads) / sizeof(loads[0]))

static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

static double ratios[SETS_MAX * PAIRS_PER_SET];
static double seconds[2];

static void stop(const char *what)
{
    fprintf(stderr, "bench_layer: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static BIO *layer_new(const BIO_METHOD *method, SSL *ssl, BIO *below)
{
    BIO *b = BIO_new(method);

    if (b == NULL || BIO_set_ssl(b, ssl, BIO_CLOSE) != 1)
        stop("BIO_set_ssl");
    return BIO_push(b, below);
}

static void transport_new(BIO **c, BIO **s, int sockets)
{
    int fd[2], size = PAIR_SIZE;

    if (!sockets) {
        if (!BIO_new_bio_pair(c, PAIR_SIZE, s, PAIR_SIZE))
            stop("BIO_new_bio_pair");
        return;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0
        || setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) != 0
        || !BIO_socket_nbio(fd[0], 1) || !BIO_socket_nbio(fd[1], 1))
        stop("socketpair");
    *c = BIO_new_socket(fd[0], BIO_CLOSE);
    *s = BIO_new_socket(fd[1], BIO_CLOSE);
}

static void ends_new(struct ends *e, const BIO_METHOD *method, int version,
                     int sockets)
{
    BIO *c, *s;
    char byte;
    int done = 0;

    e->gap = malloc((size_t)(rand() % 8192) + 1);
    transport_new(&c, &s, sockets);
    e->c = layer_new(method, test_ssl(1, version, 1), c);
    e->s = layer_new(method, test_ssl(0, version, 1), s);
    while (done != 3) {
        done |= BIO_do_handshake(e->c) == 1;
        done |= (BIO_do_handshake(e->s) == 1) << 1;
    }
    BIO_read(e->c, &byte, 1);   /* the tickets */
    ERR_clear_error();
}

static void ends_free(struct ends *e)
{
    BIO_free_all(e->c);
    BIO_free_all(e->s);
    free(e->gap);
    ERR_clear_error();
}

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double run(struct ends *e, const struct load *load)
{
    static char in[16384];
    const unsigned char *out = test_bytes((size_t)load->size);
    double start = cpu_now();
    int i, got, n;

    for (i = 0; i < load->writes; i++) {
        if (BIO_write(e->c, out, load->size) != load->size)
            stop("BIO_write");
        for (got = 0; got < load->size; got += n)
            if ((n = BIO_read(e->s, in, sizeof(in))) <= 0)
                stop("BIO_read");
    }
    return cpu_now() - start;
}

/* A run of each; which goes first changes each time. */
static double pair(struct ends *ours, struct ends *theirs,
                   const struct load *load, int ours_first)
{
    double a, b;

    if (ours_first) {
        a = run(ours, load);
        b = run(theirs, load);
    } else {
        b = run(theirs, load);
        a = run(ours, load);
    }
    seconds[0] += a;
    seconds[1] += b;
    return a / b;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int measure(const BIO_METHOD *method, int version,
                   const struct load *load, int sets)
{
    struct ends ours, theirs;
    int i, j, n = 0;

    seconds[0] = seconds[1] = 0;
    for (i = 0; i < sets; i++) {
        ends_new(i % 2 ? &ours : &theirs, i % 2 ? method : BIO_f_ssl(),
                 version, load->sockets);
        ends_new(i % 2 ? &theirs : &ours, i % 2 ? BIO_f_ssl() : method,
                 version, load->sockets);
        run(&ours, load);
        run(&theirs, load);
        for (j = 0; j < PAIRS_PER_SET; j++)
            ratios[n++] = pair(&ours, &theirs, load, j % 2);
        ends_free(&ours);
        ends_free(&theirs);
    }
    qsort(ratios, (size_t)n, sizeof(ratios[0]), compare);
    return n;
}

static void report(const BIO_METHOD *method, int version,
                   const struct load *load, int sets)
{
    int n = measure(method, version, load, sets);
    double per = 1e6 / ((double)load->writes * n);
    double median = ratios[n / 2];

    printf("%-15s TLS 1.%d  %-12s %8.2f %8.2f   %.3f (%.3f to %.3f)%s\n",
           load->name, version == TLS1_3_VERSION ? 3 : 2,
           method == BIO_f_ssl() ? "BIO_f_ssl" : "BIO_f_onion",
           seconds[0] * per, seconds[1] * per, median, ratios[n / 4],
           ratios[3 * n / 4],
           median > TARGET && method != BIO_f_ssl() ? "  above target" : "");
    fflush(stdout);
}

/* For a profiler: one of the methods, once. */
static void profile(const BIO_METHOD *method, const struct load *load)
{
    struct ends e;

    ends_new(&e, method, TLS1_3_VERSION, load->sockets);
    printf("%.6f s\n", run(&e, load));
    ends_free(&e);
}

int main(int argc, char *argv[])
{
    int sets = argc > 1 ? atoi(argv[1]) : 16;
    size_t i, j;

    signal(SIGPIPE, SIG_IGN);
    if (argc > 2) {             /* ssl or onion, and the number of a load */
        profile(strcmp(argv[1], "ssl") == 0 ? BIO_f_ssl() : BIO_f_onion(),
                &loads[(size_t)atoi(argv[2]) % LOADS]);
        return 0;
    }
    if (sets < 1 || sets > SETS_MAX)
        sets = SETS_MAX;
    printf("CPU time of a write and its read, in microseconds; the target is "
           "%.2f\n\n", TARGET);
    printf("%-15s %-8s %-12s %8s %8s   %s\n", "write", "version", "method",
           "its", "f_ssl's", "ratio: median (quartiles)");
    for (i = 0; i < LOADS; i++)
        for (j = 0; j < 2; j++) {
            report(BIO_f_ssl(), versions[j], &loads[i], sets);
            report(BIO_f_onion(), versions[j], &loads[i], sets);
        }
    return 0;
}
