/*
 * pipe_client.c - stdin and stdout through layers of TLS, to a peer that knows
 * nothing of this library and sends back what it gets.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     pipe_client HOST:PORT CA.pem NAME...
 *
 * A layer for each NAME, the outermost first. When as much has come back as
 * was sent, it stops all layers, and says on stderr how each of them ended.
 * Exits with 0 if everything came back.
 */

#include <poll.h>
#include <stdio.h>
#include <unistd.h>
#include <openssl/err.h>
#include "bio_onion.h"

#define PATIENCE_MS 20000

typedef struct pipe_st {
    BIO *stack;
    int fd;
    int wants;              /* POLLIN, POLLOUT: what the stack waits for */
    int eof;                /* of stdin */
    char data[20000];       /* read from stdin, not yet written */
    size_t len;
    size_t sent, received;
} PIPE;

static int fail(const char *what)
{
    fprintf(stderr, "pipe_client: %s\n", what);
    ERR_print_errors_fp(stderr);
    return 0;
}

/* Waits for what the stack wants, if that is anything, or for stdin. */
static int wait_for_any(PIPE *p)
{
    struct pollfd fds[2] = { { .fd = p->fd, .events = (short)p->wants },
                             { .fd = -1, .events = POLLIN } };
    int timeout = p->wants == 0 || BIO_pending(p->stack) > 0 ? 0 : PATIENCE_MS;
    int n;

    if (!p->eof && p->len == 0)
        fds[1].fd = STDIN_FILENO;
    n = poll(fds, 2, timeout);
    if (n < 0 || (n == 0 && timeout > 0))
        return fail("nothing came for too long");
    if (fds[1].revents != 0) {
        ssize_t got = read(STDIN_FILENO, p->data, sizeof(p->data));

        p->eof = got <= 0;
        p->len = got > 0 ? (size_t)got : 0;
    }
    return 1;
}

/* After a result of 0 or less: 1 if it was a retry. */
static int note_retry(PIPE *p)
{
    if (!BIO_should_retry(p->stack))
        return 0;
    if (BIO_should_read(p->stack))
        p->wants |= POLLIN;
    if (BIO_should_write(p->stack))
        p->wants |= POLLOUT;
    return 1;
}

static int send_some(PIPE *p)
{
    int n;

    if (p->len == 0)
        return 1;
    n = BIO_write(p->stack, p->data, (int)p->len);
    if (n <= 0)
        return note_retry(p) || fail("write");
    p->sent += (size_t)n;
    p->len = 0;
    return 1;
}

static int receive_some(PIPE *p)
{
    char data[20000];
    int n = BIO_read(p->stack, data, sizeof(data));

    if (n <= 0)
        return note_retry(p) || fail("read");
    p->received += (size_t)n;
    return fwrite(data, 1, (size_t)n, stdout) == (size_t)n;
}

static int echo(PIPE *p)
{
    do {
        if (!wait_for_any(p))
            return 0;
        p->wants = 0;
        if (!send_some(p) || !receive_some(p))
            return 0;
    } while (!p->eof || p->len > 0 || p->received < p->sent);
    return fflush(stdout) == 0;
}

/* The peer's close_notify in each layer, as far as it sends them. */
static void stop(PIPE *p)
{
    char data[100];
    int layers = BIO_onion_read_depth(p->stack);

    while (BIO_onion_read_depth(p->stack) > 0) {
        int r = BIO_onion_stop_tls(p->stack, 0);

        p->eof = 1;
        p->wants = 0;
        if (r == 1 || (r < 0 && !note_retry(p)))
            break;
        if (r == 0 && BIO_read(p->stack, data, sizeof(data)) < 0
            && !note_retry(p))
            break;
        if (p->wants != 0 && !wait_for_any(p))
            break;
    }
    fprintf(stderr, "closed by both sides: %d of %d layers\n",
            layers - BIO_onion_read_depth(p->stack), layers);
    ERR_print_errors_fp(stderr);
}

int main(int argc, char *argv[])
{
    static PIPE p;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    BIO *transport;
    int i, ok = 1;

    if (argc < 3 || !SSL_CTX_load_verify_locations(ctx, argv[2], NULL))
        return !fail("usage: pipe_client HOST:PORT CA.pem NAME...");
    transport = BIO_new_connect(argv[1]);
    if (BIO_do_connect(transport) != 1)
        return !fail("connect");
    BIO_get_fd(transport, &p.fd);
    BIO_socket_nbio(p.fd, 1);

    p.stack = BIO_new_onion_stack(transport);
    for (i = 3; i < argc && ok; i++)
        ok = BIO_onion_start_client(p.stack, ctx, argv[i]);
    ok = ok && echo(&p);
    if (ok)
        stop(&p);
    BIO_free_all(p.stack);
    SSL_CTX_free(ctx);
    return !ok;
}
