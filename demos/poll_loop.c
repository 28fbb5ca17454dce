/*
 * poll_loop.c - a stack on a socket that does not block, in a loop with one
 * poll(): standard input goes to the peer, what the peer says to the output.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     poll_loop HOST:PORT CA.pem NAME...
 *
 * A layer for each NAME, the outermost first, all at once: the handshake of
 * each follows that of the one below. At the end of the input our side of all
 * of them is closed; the program ends when the peer has closed its own.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <openssl/err.h>
#include "bio_onion.h"

typedef enum { GOES_ON, ENDED, FAILED } STATE;

typedef struct loop_st {
    BIO *stack;
    short wants;        /* what the socket must be able to do; for poll() */
    char text[4096];    /* from the input; a retry repeats it from here */
    int len;            /* bytes of it that are not written; 0 for none */
    int input_ended;
    int stopped;        /* our side of all layers is closed */
} LOOP;

/* A call has not got through: what it waits for, or that it failed. */
static STATE waits(LOOP *l)
{
    if (!BIO_should_retry(l->stack))
        return FAILED;
    if (BIO_should_read(l->stack))
        l->wants |= POLLIN;
    if (BIO_should_write(l->stack))
        l->wants |= POLLOUT;
    return GOES_ON;
}

/* All that there is, since poll() knows nothing of what is decrypted. */
static STATE hear(LOOP *l)
{
    char text[4096];
    int n;

    while ((n = BIO_read(l->stack, text, sizeof(text))) > 0)
        if (write(STDOUT_FILENO, text, (size_t)n) != n)
            return FAILED;
    if (n < 0)
        return waits(l);
    /* A boundary: the peer has closed its side of a layer. */
    return BIO_onion_read_depth(l->stack) == 0 ? ENDED : hear(l);
}

static STATE say(LOOP *l)
{
    if (l->len > 0) {
        if (BIO_write(l->stack, l->text, l->len) <= 0)
            return waits(l);
        l->len = 0;
    }
    if (l->input_ended && !l->stopped) {
        if (BIO_onion_stop_tls(l->stack, 0) < 0)
            return waits(l);
        l->stopped = 1;
    }
    return GOES_ON;
}

/* What a read has caused to be sent, and the socket has not taken yet. */
static STATE flush(LOOP *l)
{
    return BIO_flush(l->stack) > 0 ? GOES_ON : waits(l);
}

static void take_input(LOOP *l)
{
    ssize_t n = read(STDIN_FILENO, l->text, sizeof(l->text));

    l->len = n > 0 ? (int)n : 0;
    l->input_ended = n <= 0;
}

/* The input is asked only while there is room for it. */
static STATE sleep_until_something(LOOP *l)
{
    struct pollfd p[2] = { { .fd = (int)BIO_get_fd(l->stack, NULL) },
                           { .fd = STDIN_FILENO, .events = POLLIN } };

    p[0].events = l->wants;
    if (l->len > 0 || l->input_ended)
        p[1].fd = -1;
    if (poll(p, 2, BIO_pending(l->stack) > 0 ? 0 : -1) < 0)
        return FAILED;
    if (p[1].revents != 0)
        take_input(l);
    return GOES_ON;
}

static STATE turn(LOOP *l)
{
    STATE s;

    l->wants = 0;
    if ((s = say(l)) == GOES_ON && (s = hear(l)) == GOES_ON
        && (s = flush(l)) == GOES_ON)
        s = sleep_until_something(l);
    return s;
}

static BIO *connect_to(const char *address, SSL_CTX *ctx, char **names)
{
    BIO *stack = BIO_new_onion_stack(BIO_new_connect(address));

    if (stack == NULL || BIO_do_handshake(stack) <= 0)
        return NULL;
    BIO_socket_nbio((int)BIO_get_fd(stack, NULL), 1);
    for (; *names != NULL; names++)
        if (!BIO_onion_start_client(stack, ctx, *names))
            return NULL;
    return stack;
}

int main(int argc, char *argv[])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    STATE s = FAILED;
    LOOP l = { 0 };

    signal(SIGPIPE, SIG_IGN);
    if (argc < 4 || !SSL_CTX_load_verify_locations(ctx, argv[2], NULL))
        return 2;
    l.stack = connect_to(argv[1], ctx, argv + 3);
    if (l.stack != NULL)
        while ((s = turn(&l)) == GOES_ON)
            ;
    if (s == FAILED)
        ERR_print_errors_fp(stderr);
    BIO_free_all(l.stack);
    SSL_CTX_free(ctx);
    return s == ENDED ? 0 : 1;
}
