/*
 * peer_stack.c - ours: a stack of layers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "bench.h"

struct end {
    BENCH_WIRE wire;
    BIO *bio;
    long records;
};

static void build(struct end *e, int client, int depth)
{
    SSL *ssl;

    e->bio = BIO_new_onion_stack(bench_wire_bio(&e->wire));
    if (e->bio == NULL)
        bench_stop("no stack");
    while (depth-- > 0) {
        ssl = bench_ssl(client);
        bench_count_records(ssl, &e->records);
        if (BIO_onion_start_tls(e->bio, ssl, NULL, 0) != 1)
            bench_stop("no layer");
    }
}

static void open_memory(void *end[2], int depth)
{
    struct end *a = bench_new(sizeof(*a)), *b = bench_new(sizeof(*b));
    int done = depth == 0 ? 3 : 0;
    char c;

    bench_wire_pair(&a->wire, &b->wire);
    build(a, 1, depth);
    build(b, 0, depth);
    while (done != 3) {
        done |= BIO_do_handshake(a->bio) == 1;
        done |= (BIO_do_handshake(b->bio) == 1) << 1;
    }
    BIO_read(a->bio, &c, 1);    /* the tickets */
    ERR_clear_error();
    end[0] = a;
    end[1] = b;
}

static void *open_fd(int fd, int client, int depth)
{
    struct end *e = bench_new(sizeof(*e));

    bench_wire_of_fd(&e->wire, fd);
    build(e, client, depth);
    if (depth > 0 && BIO_do_handshake(e->bio) != 1)
        bench_stop("stack: no handshake");
    return e;
}

static void put(void *end, const void *data, int len)
{
    struct end *e = end;

    if (BIO_write(e->bio, data, len) != len)
        bench_stop("stack: BIO_write");
}

static void gather(void *end, int on)
{
    struct end *e = end;

    if (BIO_onion_set_flags(e->bio, on ? ONION_GATHER : 0) != 1
        || (!on && BIO_flush(e->bio) != 1))
        bench_stop("stack: gather");
}

static int get(void *end, void *data, int len)
{
    struct end *e = end;
    int n = BIO_read(e->bio, data, len);

    if (n <= 0 && !BIO_should_retry(e->bio))
        bench_stop("stack: BIO_read");
    return n > 0 ? n : 0;
}

static void count(void *end, BENCH_COUNTS *counts)
{
    struct end *e = end;

    bench_wire_count(&e->wire, counts);
    counts->records += e->records;
}

static void end_close(void *end)
{
    struct end *e = end;

    BIO_free_all(e->bio);
    bench_wire_close(&e->wire);
    free(e);
}

const BENCH_PEER bench_stack = {
    "stack", open_memory, open_fd, put, gather, get, count, end_close, NULL
};
