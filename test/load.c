/*
 * load.c - many connections at once, through layers of TLS, to one echo.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     load HOST:PORT PID CA.pem CONNECTIONS ROUNDS NAME...
 *
 * A layer for each NAME, the outermost first; PID is the server's, whose memory
 * is looked at. All connections are opened, and stay. Then each sends a message
 * of its own in each round and compares what comes back: a few of them at a
 * time, and in a last round all at once. In the end each is closed layer by
 * layer. It prints figures, a line each, and exits with 0 if all went well.
 */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <fcntl.h>
#ifdef HAVE_MALLINFO2
# include <malloc.h>
#endif
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include "bio_onion.h"

/* Of each message. */
#define SIZE        1000
/* That shake hands or wait for their echo at a time. */
#define WINDOW      64
#define EVENTS      64
/* Milliseconds without anything. */
#define PATIENCE    120000

typedef struct conn_st {
    BIO *stack;
    int fd;
    unsigned wants;         /* of epoll */
    unsigned sent : 1;      /* the message of this round */
    unsigned busy : 1;      /* in this phase */
    int got;                /* bytes of its echo */
    double since;           /* this round */
} CONN;

/* What each connection does in a phase: 1 done, 0 not yet. */
typedef int STEP(CONN *c);

static struct {
    struct sockaddr_in server;
    const char *pid;
    SSL_CTX *ctx;
    char **name;            /* of each layer; NULL behind the last */
    int n, rounds, round;
    CONN *conn;
    int epoll;
    double *took;           /* of each echo, in seconds */
    int echoes;
} load;

static void stop(const CONN *c, const char *what)
{
    fprintf(stderr, "load: connection %d: %s\n", (int)(c - load.conn), what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static double now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Waiting
 * -------
 */

static void want(CONN *c)
{
    struct epoll_event e = { .data = { .ptr = c } };

    if (!BIO_should_retry(c->stack))
        stop(c, "it has failed");
    e.events = (BIO_should_read(c->stack) ? EPOLLIN : 0U)
        | (BIO_should_write(c->stack) ? EPOLLOUT : 0U);
    if (e.events == c->wants)
        return;
    if (epoll_ctl(load.epoll, EPOLL_CTL_MOD, c->fd, &e) == -1)
        give_up("epoll_ctl");
    c->wants = e.events;
}

/* What comes unasked are tickets, which would wake the others for ever. */
static void read_tickets(CONN *c)
{
    if (BIO_read(c->stack, &(char) { 0 }, 1) >= 0)
        stop(c, "the server has spoken first");
    want(c);
}

static int turn(CONN *c, STEP *step)
{
    if (!c->busy)
        read_tickets(c);
    if (!c->busy || !step(c))
        return 0;
    c->busy = 0;
    return 1;
}

/* Every connection in turn, so many at a time. */
static void phase(void (*begin)(CONN *c), STEP *step, int window)
{
    struct epoll_event e[EVENTS];
    int begun = 0, done = 0, i, found;

    while (done < load.n) {
        while (begun < load.n && begun - done < window) {
            CONN *c = &load.conn[begun++];

            begin(c);
            c->busy = 1;
            done += turn(c, step);
        }
        if (done == load.n)
            break;
        found = epoll_wait(load.epoll, e, EVENTS, PATIENCE);
        if (found <= 0)
            give_up("epoll_wait, with nothing found");
        for (i = 0; i < found; i++)
            done += turn(e[i].data.ptr, step);
    }
}

/* The phases
 * ----------
 */

static int dial(const CONN *c)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1 || connect(fd, (struct sockaddr *)&load.server,
                            sizeof(load.server)) == -1
        || fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
        stop(c, "cannot connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void begin_open(CONN *c)
{
    struct epoll_event e = { .events = EPOLLIN, .data = { .ptr = c } };
    BIO *transport;
    int i;

    c->fd = dial(c);
    c->wants = EPOLLIN;
    if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, c->fd, &e) == -1)
        give_up("epoll_ctl");
    transport = BIO_new_socket(c->fd, BIO_CLOSE);
    c->stack = transport != NULL ? BIO_new_onion_stack(transport) : NULL;
    if (c->stack == NULL)
        stop(c, "no stack");
    for (i = 0; load.name[i] != NULL; i++)
        if (BIO_onion_start_client(c->stack, load.ctx, load.name[i]) != 1)
            stop(c, "no layer");
}

static int step_open(CONN *c)
{
    int done = BIO_do_handshake(c->stack) == 1;

    if (done)
        read_tickets(c);
    want(c);
    return done;
}

/* As different from others as chance makes them, and with its own beginning. */
static void message(const CONN *c, unsigned char out[SIZE])
{
    static unsigned char noise[65536];
    unsigned number = (unsigned)(c - load.conn), round = (unsigned)load.round;
    size_t i;

    for (i = 0; noise[1] == 0 && i < sizeof(noise); i++)
        noise[i] = (unsigned char)((i * 2654435761U) >> 13 | 1);
    memcpy(out, noise + (number * 7919 + round * 104729)
                            % (sizeof(noise) - SIZE), SIZE);
    memcpy(out, &number, sizeof(number));
    memcpy(out + sizeof(number), &round, sizeof(round));
}

static void begin_echo(CONN *c)
{
    c->since = now(CLOCK_MONOTONIC);
    c->sent = 0;
    c->got = 0;
}

static int send_message(CONN *c)
{
    unsigned char out[SIZE];

    message(c, out);
    c->sent = BIO_write(c->stack, out, SIZE) == SIZE;
    if (!c->sent)
        want(c);
    return c->sent;
}

static void compare(const CONN *c, const unsigned char *in, int n)
{
    unsigned char out[SIZE];

    message(c, out);
    if (n > SIZE - c->got || memcmp(out + c->got, in, (size_t)n) != 0)
        stop(c, "another echo than what was sent");
}

static int step_echo(CONN *c)
{
    unsigned char in[SIZE + 1];
    int n;

    if (!c->sent && !send_message(c))
        return 0;
    while ((n = BIO_read(c->stack, in, sizeof(in))) > 0) {
        compare(c, in, n);
        c->got += n;
    }
    if (n == 0)
        stop(c, "the server has closed it");
    want(c);
    if (c->got < SIZE)
        return 0;
    load.took[load.echoes++] = now(CLOCK_MONOTONIC) - c->since;
    return 1;
}

static void begin_close(CONN *c)
{
    (void)c;
}

/* Up to the end, which the server answers with its own. */
static int step_close(CONN *c)
{
    unsigned char in;

    if (BIO_onion_read_depth(c->stack) > 0
        && BIO_onion_stop_tls(c->stack, 0) < 0) {
        want(c);
        return 0;
    }
    while (BIO_read(c->stack, &in, 1) == 0)
        if (BIO_eof(c->stack)) {
            BIO_free_all(c->stack);
            return 1;
        }
    if (BIO_onion_read_depth(c->stack) == 0)
        shutdown(c->fd, SHUT_WR);
    want(c);
    return 0;
}

/* Figures
 * -------
 */

/* A line of a file of /proc, in KiB: 0 if there is none. */
static long kib(const char *file, const char *pid, const char *field)
{
    char name[64], line[256];
    long value = 0;
    FILE *in;

    snprintf(name, sizeof(name), "/proc/%s/%s", pid, file);
    in = fopen(name, "r");
    while (in != NULL && fgets(line, sizeof(line), in) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            value = atol(line + strlen(field));
    if (in != NULL)
        fclose(in);
    return value;
}

/* Bytes that malloc() has given out; glibc tells. */
static double given_out(void)
{
#ifdef HAVE_MALLINFO2
    struct mallinfo2 m = mallinfo2();

    return (double)m.uordblks + (double)m.hblkhd;
#else
    return 0;
#endif
}

static void tell_memory(const char *who, const char *pid, long before)
{
    long held = kib("smaps_rollup", pid, "Rss:") - before;
    long peak = kib("status", pid, "VmHWM:");

    printf("memory of the %s: %ld MiB more, %.1f KiB a connection; "
           "at most %ld MiB in all\n", who, held / 1024,
           (double)held / load.n, peak / 1024);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void tell_echoes(const char *how, double seconds)
{
    qsort(load.took, (size_t)load.echoes, sizeof(*load.took), by_size);
    printf("echo of %d bytes, %s: %d in %.1f s, half of them within %.3f ms, "
           "99 of 100 within %.3f ms\n", SIZE, how, load.echoes, seconds,
           load.took[load.echoes / 2] * 1e3,
           load.took[(size_t)load.echoes * 99 / 100] * 1e3);
    load.echoes = 0;
}

static void tell_handshakes(int layers, double seconds, double cpu)
{
    printf("%d connections of %d layers: %.0f handshakes a second, "
           "%.2f ms of the client's CPU each\n", load.n, layers,
           load.n * layers / seconds, cpu * 1e3 / load.n / layers);
}

/* The whole
 * ---------
 */

static void open_all(void)
{
    double start = now(CLOCK_MONOTONIC);
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    int layers = 0;

    while (load.name[layers] != NULL)
        layers++;
    phase(begin_open, step_open, WINDOW);
    tell_handshakes(layers, now(CLOCK_MONOTONIC) - start,
                    now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

static void echo_rounds(int rounds, int window, const char *how)
{
    double start = now(CLOCK_MONOTONIC);

    for (; rounds > 0; rounds--, load.round++)
        phase(begin_echo, step_echo, window);
    tell_echoes(how, now(CLOCK_MONOTONIC) - start);
}

static void run(void)
{
    long server = kib("smaps_rollup", load.pid, "Rss:");
    long client = kib("smaps_rollup", "self", "Rss:");
    double given = given_out();

    open_all();
    echo_rounds(load.rounds, WINDOW, "64 at a time");
    echo_rounds(1, load.n, "all at once");
    tell_memory("server", load.pid, server);
    tell_memory("client", "self", client);
    printf("of the client's, malloc() has given out %.1f KiB a connection\n",
           (given_out() - given) / 1024 / load.n);
    phase(begin_close, step_close, WINDOW);
}

static void set_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        give_up("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == -1)
        give_up("setrlimit");
}

static int set_up(char **argv)
{
    char *port = strrchr(argv[1], ':');

    if (port == NULL)
        return 0;
    *port++ = '\0';
    load.server.sin_family = AF_INET;
    load.server.sin_port = htons((unsigned short)atoi(port));
    load.pid = argv[2];
    load.n = atoi(argv[4]);
    load.rounds = atoi(argv[5]);
    load.name = argv + 6;
    load.conn = calloc((size_t)load.n, sizeof(*load.conn));
    load.took = calloc((size_t)load.n * (size_t)load.rounds,
                       sizeof(*load.took));
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.ctx = SSL_CTX_new(TLS_client_method());
    return inet_pton(AF_INET, argv[1], &load.server.sin_addr) == 1
        && load.n > 0 && load.rounds > 0 && load.conn != NULL
        && load.took != NULL && load.epoll != -1 && load.ctx != NULL
        && SSL_CTX_load_verify_file(load.ctx, argv[3]) == 1;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 7 || !set_up(argv)) {
        fprintf(stderr, "usage: load HOST:PORT PID CA.pem CONNECTIONS ROUNDS "
                        "NAME...\n");
        ERR_print_errors_fp(stderr);
        return 2;
    }
    set_limit();
    run();
    SSL_CTX_free(load.ctx);
    free(load.conn);
    free(load.took);
    close(load.epoll);
    return 0;
}
