/*
 * peer_gnutls.c - GnuTLS sessions, each with the one outside for a transport.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <gnutls/gnutls.h>
#include "bench.h"

#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM"

struct layer {
    gnutls_session_t session;
    struct layer *outside;      /* NULL for the outermost */
    BENCH_WIRE *wire;
};

struct end {
    BENCH_WIRE wire;
    int depth;
    struct layer layer[BENCH_DEPTH_MAX];
};

static int is_again(ssize_t ret)
{
    return ret == GNUTLS_E_AGAIN || ret == GNUTLS_E_INTERRUPTED;
}

/* As a transport does: errno is EAGAIN where there is nothing. */
static ssize_t result(struct layer *l, ssize_t ret)
{
    if (ret >= 0)
        return ret;
    gnutls_transport_set_errno(l->session, is_again(ret) ? EAGAIN : EIO);
    return -1;
}

static ssize_t push(gnutls_transport_ptr_t at, const void *data, size_t len)
{
    struct layer *l = at;

    if (l->outside == NULL)
        return bench_wire_write(l->wire, data, (int)len);
    return result(l, gnutls_record_send(l->outside->session, data, len));
}

static ssize_t pull(gnutls_transport_ptr_t at, void *data, size_t len)
{
    struct layer *l = at;
    int n;

    if (l->outside != NULL)
        return result(l, gnutls_record_recv(l->outside->session, data, len));
    n = bench_wire_read(l->wire, data, (int)len);
    return result(l, n > 0 ? n : GNUTLS_E_AGAIN);
}

static int pull_timeout(gnutls_transport_ptr_t at, unsigned ms)
{
    (void)at;
    (void)ms;
    return 1;
}

static gnutls_certificate_credentials_t credentials(void)
{
    static gnutls_certificate_credentials_t made;
    gnutls_datum_t cert, key;

    if (made != NULL)
        return made;
    cert.data = (unsigned char *)bench_certificate_pem();
    cert.size = (unsigned)strlen((char *)cert.data);
    key.data = (unsigned char *)bench_key_pem();
    key.size = (unsigned)strlen((char *)key.data);
    gnutls_certificate_allocate_credentials(&made);
    if (gnutls_certificate_set_x509_key_mem(made, &cert, &key,
                                            GNUTLS_X509_FMT_PEM) < 0)
        bench_stop("GnuTLS: no certificate");
    return made;
}

static void add_layer(struct end *e, int client)
{
    struct layer *l = &e->layer[e->depth];
    unsigned flags = client ? GNUTLS_CLIENT : GNUTLS_SERVER;

    if (gnutls_init(&l->session, flags | GNUTLS_NONBLOCK) < 0
        || gnutls_priority_set_direct(l->session, PRIORITY, NULL) < 0
        || gnutls_credentials_set(l->session, GNUTLS_CRD_CERTIFICATE,
                                  credentials()) < 0)
        bench_stop("GnuTLS: no session");
    l->outside = e->depth > 0 ? l - 1 : NULL;
    l->wire = &e->wire;
    gnutls_transport_set_ptr(l->session, l);
    gnutls_transport_set_push_function(l->session, push);
    gnutls_transport_set_pull_function(l->session, pull);
    gnutls_transport_set_pull_timeout_function(l->session, pull_timeout);
    e->depth++;
}

static gnutls_session_t innermost(const struct end *e)
{
    return e->layer[e->depth - 1].session;
}

/* One go. 1: done. */
static int shake(struct end *e)
{
    int ret = gnutls_handshake(innermost(e));

    if (ret < 0 && !is_again(ret) && gnutls_error_is_fatal(ret))
        bench_stop("GnuTLS: %s", gnutls_strerror(ret));
    return ret == 0;
}

static int get(void *end, void *data, int len)
{
    ssize_t n = gnutls_record_recv(innermost(end), data, (size_t)len);

    if (n == 0 || (n < 0 && gnutls_error_is_fatal((int)n)))
        bench_stop("GnuTLS: %s", gnutls_strerror((int)n));
    return n > 0 ? (int)n : 0;
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
            done |= done & 1 ? 0 : shake(a);
            done |= done & 2 ? 0 : shake(b) << 1;
        }
    }
    get(a, &c, 1);              /* the tickets */
    end[0] = a;
    end[1] = b;
}

static void *open_fd(int fd, int client, int depth)
{
    struct end *e = bench_new(sizeof(*e));

    bench_wire_of_fd(&e->wire, fd);
    while (depth-- > 0) {
        add_layer(e, client);
        while (!shake(e))
            ;
    }
    return e;
}

static void put(void *end, const void *data, int len)
{
    const char *from = data;
    ssize_t n;
    int done;

    for (done = 0; done < len; done += (int)n) {
        n = gnutls_record_send(innermost(end), from + done,
                               (size_t)(len - done));
        if (n < 0)
            bench_stop("GnuTLS: %s", gnutls_strerror((int)n));
    }
}

static void count(void *end, BENCH_COUNTS *counts)
{
    struct end *e = end;

    bench_wire_count(&e->wire, counts);
    counts->records = -1;
}

static void end_close(void *end)
{
    struct end *e = end;

    while (e->depth > 0)
        gnutls_deinit(e->layer[--e->depth].session);
    bench_wire_close(&e->wire);
    free(e);
}

const BENCH_PEER bench_gnutls = {
    "GnuTLS", open_memory, open_fd, put, NULL, get, count, end_close, NULL
};
