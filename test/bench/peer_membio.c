/*
 * peer_membio.c - an SSL a layer over memory BIOs, pumped by hand.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * As programs do that keep OpenSSL away from their sockets: what one SSL has
 * written into its memory BIO is written into the next, and the other way.
 */

#include <stdlib.h>
#include <openssl/err.h>
#include "bench.h"

#define PUMP (16 * 1024)

struct end {
    BENCH_WIRE wire;
    int depth;
    SSL *ssl[BENCH_DEPTH_MAX];  /* the outermost first */
    long records;
};

static void add_layer(struct end *e, int client)
{
    SSL *ssl = bench_ssl(client);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());

    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl, in, out);
    bench_count_records(ssl, &e->records);
    e->ssl[e->depth++] = ssl;
}

/* Takes out to the transport what layer i has written. */
static void pump_out(struct end *e, int i)
{
    char data[PUMP];
    int n;

    for (; i >= 0; i--)
        while ((n = BIO_read(SSL_get_wbio(e->ssl[i]), data, PUMP)) > 0)
            if (i == 0)
                bench_wire_write(&e->wire, data, n);
            else if (SSL_write(e->ssl[i - 1], data, n) != n)
                bench_stop("memory BIOs: SSL_write");
}

/* Brings in something for layer i from what is outside it. 0: nothing. */
static int pump_in(struct end *e, int i)
{
    char data[PUMP];
    int n;

    if (i == 0) {
        n = bench_wire_read(&e->wire, data, PUMP);
    } else {
        while ((n = SSL_read(e->ssl[i - 1], data, PUMP)) <= 0)
            if (!pump_in(e, i - 1))
                return 0;
    }
    if (n > 0)
        BIO_write(SSL_get_rbio(e->ssl[i]), data, n);
    return n > 0;
}

/* One go at the handshake of the innermost layer. 1: done. */
static int shake(struct end *e)
{
    int i = e->depth - 1, ret;

    do {
        ret = SSL_do_handshake(e->ssl[i]);
        pump_out(e, i);
        ERR_clear_error();
    } while (ret != 1 && pump_in(e, i));
    return ret == 1;
}

static int get(void *end, void *data, int len)
{
    struct end *e = end;
    int n, i = e->depth - 1;

    while ((n = SSL_read(e->ssl[i], data, len)) <= 0)
        if (!pump_in(e, i))
            return 0;
    return n;
}

static void open_memory(void *end[2], int depth)
{
    struct end *a = bench_new(sizeof(*a)), *b = bench_new(sizeof(*b));
    int done;
    char c;

    bench_wire_pair(&a->wire, &b->wire);
    while (depth-- > 0) {
        add_layer(a, 1);
        add_layer(b, 0);
        for (done = 0; done != 3; ) {
            done |= shake(a);
            done |= shake(b) << 1;
        }
    }
    get(a, &c, 1);              /* the tickets */
    ERR_clear_error();
    end[0] = a;
    end[1] = b;
}

static void *open_fd(int fd, int client, int depth)
{
    struct end *e = bench_new(sizeof(*e));

    bench_wire_of_fd(&e->wire, fd);
    while (depth-- > 0) {
        add_layer(e, client);
        if (!shake(e))
            bench_stop("memory BIOs: no handshake");
    }
    return e;
}

static void put(void *end, const void *data, int len)
{
    struct end *e = end;

    if (SSL_write(e->ssl[e->depth - 1], data, len) != len)
        bench_stop("memory BIOs: SSL_write");
    pump_out(e, e->depth - 1);
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

    while (e->depth > 0)
        SSL_free(e->ssl[--e->depth]);
    bench_wire_close(&e->wire);
    free(e);
}

const BENCH_PEER bench_membio = {
    "memory BIOs", open_memory, open_fd, put, NULL, get, count, end_close, NULL
};
