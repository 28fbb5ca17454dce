/*
 * starttls_client.c - a layer that is started, and stopped again, in the midst
 * of a conversation: FTP with AUTH TLS and CCC (RFC 4217).
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     starttls_client HOST:PORT CA.pem NAME USER PASSWORD
 *
 * The password goes inside the layer. What is said behind CCC is clear text
 * again, so that a firewall can follow it.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include "bio_onion.h"

/*
 * A reply of one line or several, shown with the depth at which it was read.
 * BIO_gets() takes nothing from behind its newline: what follows the agreement
 * to AUTH TLS belongs to the layer, whoever has sent it.
 */
static int hear(BIO *stack)
{
    char line[1024];

    do {
        if (BIO_gets(stack, line, sizeof(line)) <= 0)
            return 0;
        printf("depth %d: %s", BIO_onion_read_depth(stack), line);
    } while (strspn(line, "0123456789") != 3 || line[3] == '-');
    return line[0] == '2' || line[0] == '3';
}

static int ask(BIO *stack, const char *command, const char *argument)
{
    return BIO_printf(stack, "%s%s%s\r\n", command, argument[0] ? " " : "",
                      argument) > 0
        && hear(stack);
}

/* The handshake is done, and the name verified, before anything is said. */
static int start(BIO *stack, SSL_CTX *ctx, const char *name)
{
    return ask(stack, "AUTH", "TLS")
        && BIO_onion_start_client(stack, ctx, name) == 1
        && BIO_do_handshake(stack) == 1;
}

/* Our close_notify, and the server's: BIO_read() tells of that by 0, once. */
static int stop(BIO *stack)
{
    char late[256];

    if (!ask(stack, "CCC", "") || BIO_onion_stop_tls(stack, 0) < 0)
        return 0;
    while (BIO_onion_read_depth(stack) > 0)
        if (BIO_read(stack, late, sizeof(late)) < 0)
            return 0;
    return 1;
}

int main(int argc, char *argv[])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *stack;
    int ok;

    signal(SIGPIPE, SIG_IGN);
    if (argc != 6 || !SSL_CTX_load_verify_locations(ctx, argv[2], NULL))
        return 2;
    stack = BIO_new_onion_stack(BIO_new_connect(argv[1]));
    ok = hear(stack)
        && start(stack, ctx, argv[3])
        && ask(stack, "USER", argv[4])
        && ask(stack, "PASS", argv[5])
        && stop(stack)
        && ask(stack, "PWD", "")
        && ask(stack, "QUIT", "");
    if (!ok)
        ERR_print_errors_fp(stderr);
    BIO_free_all(stack);
    SSL_CTX_free(ctx);
    return ok ? 0 : 1;
}
