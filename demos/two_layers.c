/*
 * two_layers.c - the shortest whole use of bio_onion: two layers of TLS, one
 * inside the other, started and stopped again on one connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     onion_server -line ... &  two_layers HOST:PORT CA.pem OUTER INNER
 *
 * It talks to onion_server -line, which starts a layer when it reads STARTTLS
 * and stops it when it reads STOPTLS.
 */

#include <signal.h>
#include <stdio.h>
#include <openssl/err.h>
#include "bio_onion.h"

/* Sends a line, and shows the reply with the depth at which it was read. */
static int ask(BIO *stack, const char *line)
{
    char reply[256];

    if (BIO_puts(stack, line) <= 0
        || BIO_gets(stack, reply, sizeof(reply)) <= 0)
        return 0;
    printf("depth %d: %s", BIO_onion_read_depth(stack), reply);
    return 1;
}

static int start(BIO *stack, SSL_CTX *ctx, const char *name)
{
    return ask(stack, "STARTTLS\n")
        && BIO_onion_start_client(stack, ctx, name) == 1
        && BIO_do_handshake(stack) == 1;
}

static int stop(BIO *stack, int depth)
{
    char unread[256];

    if (!ask(stack, "STOPTLS\n") || BIO_onion_stop_tls(stack, depth) < 0)
        return 0;
    while (BIO_onion_read_depth(stack) > depth)
        if (BIO_read(stack, unread, sizeof(unread)) < 0)
            return 0;
    return 1;
}

int main(int argc, char *argv[])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *stack;
    int ok;

    signal(SIGPIPE, SIG_IGN);   /* a peer that is gone is an error, no more */
    if (argc != 5 || !SSL_CTX_load_verify_locations(ctx, argv[2], NULL))
        return 2;
    stack = BIO_new_onion_stack(BIO_new_connect(argv[1]));
    ok = ask(stack, "in clear\n")
        && start(stack, ctx, argv[3])
        && start(stack, ctx, argv[4])
        && ask(stack, "in two layers\n")
        && stop(stack, 1)
        && stop(stack, 0)
        && ask(stack, "in clear again\n");
    if (!ok)
        ERR_print_errors_fp(stderr);
    BIO_free_all(stack);
    SSL_CTX_free(ctx);
    return ok ? 0 : 1;
}
