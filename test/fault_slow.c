/*
 * fault_slow.c - many clients that send a byte a second, and one that does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     fault_slow HOST:PORT CA COUNT SECONDS
 *
 * COUNT clients are slow, every second one of them from its ClientHello on, the
 * others when they have shaken hands in the outer layer. For so many seconds,
 * and for a third of that before they are there, another client comes, shakes
 * hands in two layers, sends a message, waits for its echo and leaves, again
 * and again. It prints how long that took, and exits with 0 if each time was
 * below LIMIT and no slow client was let go.
 */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include "bio_onion.h"

/* Seconds: far more than it takes on any machine, if nobody is waited for. */
#define LIMIT       5.0
#define PATIENCE    120
#define VISITS_MAX  100000

static struct {
    struct sockaddr_in server;
    SSL_CTX *ctx;
} load;

struct slow {
    int fd;
    SSL *ssl;
    BIO *out;               /* what it has still to send */
};

static void stop(const char *what)
{
    fprintf(stderr, "fault_slow: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int dial(void)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *)&load.server,
                            sizeof(load.server)) == -1)
        stop("cannot connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

/* The slow ones
 * -------------
 */

/* From now on it writes into memory, and a byte at a time to the server. */
static void slow_new(struct slow *s, int shakes_hands)
{
    char message[1000] = "";

    s->fd = dial();
    s->ssl = SSL_new(load.ctx);
    s->out = BIO_new(BIO_s_mem());
    if (s->ssl == NULL || s->out == NULL || !SSL_set_fd(s->ssl, s->fd))
        stop("no SSL");
    SSL_set_tlsext_host_name(s->ssl, "outer.example");
    if (shakes_hands && SSL_connect(s->ssl) != 1)
        stop("a slow client: no handshake");
    SSL_set0_wbio(s->ssl, s->out);
    if (shakes_hands) {
        SSL_write(s->ssl, message, sizeof(message));
    } else {
        /* It would wait for the answer to its ClientHello. */
        SSL_set0_rbio(s->ssl, BIO_new(BIO_s_mem()));
        SSL_connect(s->ssl);
    }
    ERR_clear_error();
}

static void slow_send(struct slow *s)
{
    char byte;

    if (BIO_read(s->out, &byte, 1) != 1)
        stop("a slow client has nothing more to send");
    if (send(s->fd, &byte, 1, 0) != 1)
        stop("a slow client was let go");
}

static void slow_free(struct slow *s)
{
    SSL_free(s->ssl);
    close(s->fd);
}

/* The other
 * ---------
 */

static void visit(void)
{
    BIO *stack = BIO_new_onion_stack(BIO_new_socket(dial(), BIO_CLOSE));
    char in[6] = "";

    if (stack == NULL
        || BIO_onion_start_client(stack, load.ctx, "outer.example") != 1
        || BIO_onion_start_client(stack, load.ctx, "inner.example") != 1
        || BIO_write(stack, "hello", 5) != 5 || BIO_read(stack, in, 5) != 5
        || strcmp(in, "hello") != 0)
        stop("the other client was not served");
    BIO_free_all(stack);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void tell(int count, double *took, int n)
{
    qsort(took, (size_t)n, sizeof(*took), by_size);
    printf("%d visits beside %d slow clients: half of them took %.1f ms, 99 of "
           "100 at most %.1f ms, the longest %.1f ms\n", n, count,
           took[n / 2] * 1e3, took[(size_t)n * 99 / 100] * 1e3,
           took[n - 1] * 1e3);
    if (took[n - 1] > LIMIT)
        stop("the other client had to wait");
}

/* Beside so many slow ones. */
static void visits(struct slow *slow, int count, double seconds)
{
    static double took[VISITS_MAX];
    struct timespec pause = { 0, 20000000 };
    double start = now(), next = start, begun;
    int n = 0, i;

    while (n < VISITS_MAX && now() < start + seconds) {
        if (now() >= next) {
            for (i = 0; i < count; i++)
                slow_send(&slow[i]);
            next += 1;
        }
        begun = now();
        visit();
        took[n++] = now() - begun;
        nanosleep(&pause, NULL);
    }
    tell(count, took, n);
}

static int set_up(const char *address, const char *ca)
{
    const char *port = strrchr(address, ':');

    load.server.sin_family = AF_INET;
    load.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    load.server.sin_port = htons((unsigned short)atoi(port != NULL ? port + 1
                                                                   : "0"));
    load.ctx = SSL_CTX_new(TLS_client_method());
    return load.ctx != NULL && SSL_CTX_load_verify_file(load.ctx, ca) == 1;
}

int main(int argc, char **argv)
{
    struct slow *slow;
    int count, i;

    if (argc != 5 || !set_up(argv[1], argv[2])) {
        fprintf(stderr, "usage: fault_slow HOST:PORT CA COUNT SECONDS\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    alarm(PATIENCE);
    count = atoi(argv[3]);
    slow = calloc((size_t)count, sizeof(*slow));
    if (slow == NULL)
        stop("no memory");
    visits(slow, 0, atof(argv[4]) / 3);
    for (i = 0; i < count; i++)
        slow_new(&slow[i], i % 2);
    visits(slow, count, atof(argv[4]));
    for (i = 0; i < count; i++)
        slow_free(&slow[i]);
    free(slow);
    SSL_CTX_free(load.ctx);
    return 0;
}
