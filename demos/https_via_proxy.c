/*
 * https_via_proxy.c - HTTPS through an HTTPS proxy: what the proxy passes on is
 * a second session, inside that with the proxy.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     https_via_proxy PROXY-HOST:PORT CA.pem PROXY-NAME HOST[:PORT]
 *
 * It prints the response to GET / of HOST.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include "bio_onion.h"

/* BIO_gets() takes nothing from behind the head: that is the target's TLS. */
static int connect_through(BIO *stack, const char *target)
{
    char line[1024];
    int status = 0;

    if (BIO_printf(stack, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target,
                   target) <= 0
        || BIO_gets(stack, line, sizeof(line)) <= 0
        || sscanf(line, "HTTP/1.%*1d %3d", &status) != 1)
        return 0;
    if (status / 100 != 2) {
        fprintf(stderr, "the proxy says: %s", line);
        return 0;
    }
    do {
        if (BIO_gets(stack, line, sizeof(line)) <= 0)
            return 0;
    } while (strcmp(line, "\r\n") != 0 && strcmp(line, "\n") != 0);
    return 1;
}

/* The close_notify of the target is the end of the response: 0, a boundary. */
static int get(BIO *stack, const char *host)
{
    char text[4096];
    int n;

    if (BIO_printf(stack, "GET / HTTP/1.1\r\nHost: %s\r\n"
                   "Connection: close\r\n\r\n", host) <= 0)
        return 0;
    while ((n = BIO_read(stack, text, sizeof(text))) > 0)
        fwrite(text, 1, (size_t)n, stdout);
    return n == 0;
}

static int fetch(BIO *stack, SSL_CTX *ctx, const char *proxy,
                 const char *target)
{
    char host[256], authority[300];

    snprintf(host, sizeof(host), "%.*s", (int)strcspn(target, ":"), target);
    snprintf(authority, sizeof(authority), "%s%s", target,
             strchr(target, ':') == NULL ? ":443" : "");
    return BIO_onion_start_client(stack, ctx, proxy)
        && connect_through(stack, authority)
        && BIO_onion_start_client(stack, ctx, host)
        && get(stack, host);
}

int main(int argc, char *argv[])
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *stack;
    int ok;

    signal(SIGPIPE, SIG_IGN);
    if (argc != 5 || !SSL_CTX_load_verify_locations(ctx, argv[2], NULL))
        return 2;
    stack = BIO_new_onion_stack(BIO_new_connect(argv[1]));
    ok = fetch(stack, ctx, argv[3], argv[4]);
    if (!ok)
        ERR_print_errors_fp(stderr);
    BIO_free_all(stack);
    SSL_CTX_free(ctx);
    return ok ? 0 : 1;
}
