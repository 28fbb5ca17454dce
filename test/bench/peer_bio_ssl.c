/*
 * peer_bio_ssl.c - BIO_f_ssl() on BIO_f_ssl(), and the transport alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>
#include <openssl/err.h>
#include "bench.h"

struct end {
    BENCH_WIRE wire;
    BIO *bio;
    long records;
};

static void add_layer(struct end *e, int client)
{
    BIO *b = BIO_new(BIO_f_ssl());
    SSL *ssl = bench_ssl(client);

    bench_count_records(ssl, &e->records);
    BIO_set_ssl(b, ssl, BIO_CLOSE);
    e->bio = BIO_push(b, e->bio);
}

static void open_memory(void *end[2], int depth)
{
    struct end *a = bench_new(sizeof(*a)), *b = bench_new(sizeof(*b));
    int done;
    char c;

    bench_wire_pair(&a->wire, &b->wire);
    a->bio = bench_wire_bio(&a->wire);
    b->bio = bench_wire_bio(&b->wire);
    while (depth-- > 0) {
        add_layer(a, 1);
        add_layer(b, 0);
        for (done = 0; done != 3; ) {
            done |= BIO_do_handshake(a->bio) == 1;
            done |= (BIO_do_handshake(b->bio) == 1) << 1;
        }
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
    e->bio = bench_wire_bio(&e->wire);
    while (depth-- > 0) {
        add_layer(e, client);
        if (BIO_do_handshake(e->bio) != 1)
            bench_stop("BIO_f_ssl: no handshake");
    }
    return e;
}

static void put(void *end, const void *data, int len)
{
    struct end *e = end;

    if (BIO_write(e->bio, data, len) != len)
        bench_stop("BIO_f_ssl: BIO_write");
}

static int get(void *end, void *data, int len)
{
    struct end *e = end;
    int n = BIO_read(e->bio, data, len);

    if (n <= 0 && !BIO_should_retry(e->bio))
        bench_stop("BIO_f_ssl: BIO_read");
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

const BENCH_PEER bench_bio_ssl = {
    "BIO_f_ssl", open_memory, open_fd, put, NULL, get, count, end_close, NULL
};
