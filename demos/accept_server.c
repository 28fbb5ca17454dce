/*
 * accept_server.c - accepts connections, one after another, and starts and
 * stops layers on each when it is asked to.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     accept_server [HOST:]PORT CERT.pem KEY.pem [CERT.pem KEY.pem]...
 *
 * A certificate and key for each layer, the outermost first: there may be so
 * many. It answers STARTTLS and STOPTLS as onion_server -line does, and any
 * other line with the line.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include "bio_onion.h"

#define LAYERS 16

typedef struct settings_st {
    SSL_CTX *ctx[LAYERS];
    int count;
} SETTINGS;

static int load(SETTINGS *s, char **files)
{
    for (s->count = 0; files[0] != NULL && s->count < LAYERS; files += 2) {
        SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

        s->ctx[s->count++] = ctx;
        if (files[1] == NULL
            || SSL_CTX_use_certificate_chain_file(ctx, files[0]) <= 0
            || SSL_CTX_use_PrivateKey_file(ctx, files[1],
                                           SSL_FILETYPE_PEM) <= 0)
            return 0;
    }
    return s->count > 0;
}

/* The answer is written in the present layer, before the next one starts. */
static int start(BIO *stack, SETTINGS *s)
{
    int depth = BIO_onion_read_depth(stack);

    if (depth >= s->count)
        return BIO_puts(stack, "ERR no more layers\n") > 0;
    return BIO_puts(stack, "OK\n") > 0
        && BIO_onion_start_server(stack, s->ctx[depth]);
}

/* The client's side shows as a boundary, in the reads that follow. */
static int stop(BIO *stack)
{
    int depth = BIO_onion_write_depth(stack);

    if (depth == 0)
        return BIO_puts(stack, "ERR depth=0\n") > 0;
    return BIO_puts(stack, "OK\n") > 0
        && BIO_onion_stop_tls(stack, depth - 1) >= 0;
}

static int answer(BIO *stack, SETTINGS *s, const char *line)
{
    if (strcmp(line, "STARTTLS\n") == 0)
        return start(stack, s);
    if (strcmp(line, "STOPTLS\n") == 0)
        return stop(stack);
    return BIO_printf(stack, "depth=%d %s", BIO_onion_read_depth(stack),
                      line) > 0;
}

/* Until the client ends the connection, in the clear: 1, or it fails: 0. */
static int serve(BIO *stack, SETTINGS *s)
{
    char line[1024];
    int n;

    /* A client that closes a layer without asking is followed. */
    BIO_onion_set_flags(stack, ONION_FOLLOW);
    do {
        n = BIO_gets(stack, line, sizeof(line));
        if (n > 0 && !answer(stack, s, line))
            return 0;
    } while (n > 0 || (n == 0 && !BIO_eof(stack)));
    return n == 0;
}

/* BIO_pop() takes the connection from the BIO that accepts. */
static int accept_one(BIO *listener, SETTINGS *s)
{
    BIO *stack;

    if (BIO_do_accept(listener) <= 0)
        return 0;
    stack = BIO_new_onion_stack(BIO_pop(listener));
    if (stack == NULL)
        return 0;
    if (!serve(stack, s))
        ERR_print_errors_fp(stderr);
    BIO_free_all(stack);
    return 1;
}

int main(int argc, char *argv[])
{
    SETTINGS s;
    BIO *listener;

    signal(SIGPIPE, SIG_IGN);
    if (argc < 4 || !load(&s, argv + 2)) {
        ERR_print_errors_fp(stderr);
        return 2;
    }
    listener = BIO_new_accept(argv[1]);
    BIO_set_bind_mode(listener, BIO_BIND_REUSEADDR);
    if (BIO_do_accept(listener) > 0) {
        printf("ACCEPT %s:%s\n", BIO_get_accept_name(listener),
               BIO_get_accept_port(listener));
        fflush(stdout);
        while (accept_one(listener, &s))
            ;
    }
    ERR_print_errors_fp(stderr);
    return 1;
}
