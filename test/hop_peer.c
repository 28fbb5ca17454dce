/*
 * hop_peer.c - a peer that plays a dialogue from a file, for one connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * hop_peer [-cert FILE -key FILE] [-slow MS] [-cut N] FILE
 *
 * It listens on a free port of 127.0.0.1 and says which: "ACCEPT host:port". A
 * line of the file is one of
 *
 *     > TEXT       send it; with \r, \n, \t, \\ and \xNN
 *     < TEXT       this must come now, to the byte
 *     head         an HTTP head, up to its empty line, which is shown
 *     x N          send N times x
 *     tls          start a layer, as TLS server
 *     stop         stop it, and go on outside
 *     echo         send back what comes, up to the end
 *     silent       wait for the end
 *     # ...        nothing
 *
 * At the end of the file it stops the layers and ends the connection. With
 * -slow each byte that is sent goes alone, MS milliseconds before the next;
 * with -cut it ends the connection in the middle of the N-th thing to send,
 * with no close_notify. It exits with 0 if all that was due has come.
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

#define TEXT_MAX 8192

static struct {
    const char *cert, *key, *file;
    int slow;               /* milliseconds; 0 for not */
    int cut;                /* 0 for never */
    int sent;               /* things to send so far */
    BIO *stack;
} peer;

static int failed(const char *what)
{
    fprintf(stderr, "hop_peer: %s\n", what);
    ERR_print_errors_fp(stderr);
    return 0;
}

/* Words and text
 * --------------
 */

static int hex_digit(char c)
{
    return OPENSSL_hexchar2int((unsigned char)c);
}

/* One escape behind a backslash. */
static char unescape_one(const char **p)
{
    const char *at = *p;

    *p += 1;
    if (*at == 'r')
        return '\r';
    if (*at == 'n')
        return '\n';
    if (*at == 't')
        return '\t';
    if (*at != 'x')
        return *at;
    *p += 2;
    return (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
}

static size_t unescape(char out[TEXT_MAX], const char *text)
{
    size_t n = 0;

    while (*text != '\0' && n < TEXT_MAX)
        out[n++] = *text++ == '\\' ? unescape_one(&text) : text[-1];
    return n;
}

static void show(const char *what, const char *text, size_t len)
{
    size_t i;

    printf("%s: ", what);
    for (i = 0; i < len; i++)
        if (text[i] >= ' ' && text[i] < 0x7f)
            putchar(text[i]);
        else
            printf("\\x%02x", (unsigned char)text[i]);
    putchar('\n');
}

/* Sending and receiving
 * ---------------------
 */

static void pause_ms(long ms)
{
    struct timespec t = { 0, ms * 1000000 };

    nanosleep(&t, NULL);
}

static int put(const char *text, size_t len)
{
    size_t i, piece = peer.slow > 0 ? 1 : len;

    for (i = 0; i < len; i += piece) {
        if (BIO_write(peer.stack, text + i, (int)piece) <= 0)
            return failed("cannot send");
        if (peer.slow > 0)
            pause_ms(peer.slow);
    }
    return 1;
}

/* What was there to send has been cut: the peer says no more. */
static int cut(const char *text, size_t len)
{
    put(text, len / 2);
    fflush(stdout);
    _exit(0);
}

static int put_or_cut(const char *text, size_t len)
{
    if (++peer.sent == peer.cut)
        return cut(text, len);
    return put(text, len);
}

static int put_many(const char *count)
{
    char block[4096];
    long left = atol(count);

    memset(block, 'x', sizeof(block));
    for (; left > 0; left -= (long)sizeof(block))
        if (BIO_write(peer.stack, block,
                      left < (long)sizeof(block) ? (int)left
                                                 : (int)sizeof(block)) <= 0)
            return failed("cannot send");
    return 1;
}

static int expect(const char *text, size_t len)
{
    char got[TEXT_MAX] = "";
    size_t had = 0;
    int n;

    while (had < len) {
        n = BIO_read(peer.stack, got + had, (int)(len - had));
        if (n <= 0)
            break;
        had += (size_t)n;
    }
    if (had == len && memcmp(got, text, len) == 0)
        return 1;
    show("expected", text, len);
    show("but got", got, had);
    return 0;
}

static int expect_head(void)
{
    char line[TEXT_MAX];

    do {
        if (BIO_gets(peer.stack, line, sizeof(line)) <= 0)
            return failed("no head");
        fputs(line, stdout);
    } while (strcmp(line, "\r\n") != 0);
    return 1;
}

static int echo(int back)
{
    char text[TEXT_MAX];
    int n;

    while ((n = BIO_read(peer.stack, text, sizeof(text))) > 0)
        if (back && BIO_write(peer.stack, text, n) <= 0)
            return failed("cannot echo");
    return n == 0 || failed("the client broke off");
}

static int start_tls(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int ok = ctx != NULL && peer.cert != NULL && peer.key != NULL
        && SSL_CTX_use_certificate_chain_file(ctx, peer.cert) == 1
        && SSL_CTX_use_PrivateKey_file(ctx, peer.key, SSL_FILETYPE_PEM) == 1
        && BIO_onion_start_server(peer.stack, ctx) == 1
        && BIO_do_handshake(peer.stack) == 1;

    SSL_CTX_free(ctx);
    return ok || failed("no TLS");
}

/* Up to the client's close_notify. */
static int stop_tls(void)
{
    char waste[TEXT_MAX];
    int n;

    n = BIO_onion_stop_tls(peer.stack, BIO_onion_write_depth(peer.stack) - 1);
    while (n == 0 && BIO_read(peer.stack, waste, sizeof(waste)) > 0)
        ;
    return BIO_onion_read_depth(peer.stack)
        == BIO_onion_write_depth(peer.stack)
        || failed("the client does not close the layer");
}

/* The dialogue
 * ------------
 */

static int play_line(const char *line)
{
    char text[TEXT_MAX];
    size_t len = strlen(line) > 2 ? unescape(text, line + 2) : 0;

    if (line[0] == '>')
        return put_or_cut(text, len);
    if (line[0] == '<')
        return expect(text, len);
    if (strcmp(line, "head") == 0)
        return expect_head();
    if (line[0] == 'x')
        return put_many(line + 1);
    if (strcmp(line, "tls") == 0)
        return start_tls();
    if (strcmp(line, "stop") == 0)
        return stop_tls();
    if (strcmp(line, "echo") == 0 || strcmp(line, "silent") == 0)
        return echo(line[0] == 'e');
    return line[0] == '#' || line[0] == '\0' || failed("what is this line?");
}

static int play(void)
{
    char line[TEXT_MAX];
    FILE *file = fopen(peer.file, "r");
    int ok = file != NULL || failed(peer.file);

    while (ok && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        ok = play_line(line);
    }
    if (file != NULL)
        fclose(file);
    return ok;
}

/* The connection
 * --------------
 */

static int listen_on_loopback(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd == -1 || bind(fd, (struct sockaddr *)&a, len) == -1
        || listen(fd, 1) == -1
        || getsockname(fd, (struct sockaddr *)&a, &len) == -1)
        return -1;
    printf("ACCEPT 127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

static int serve(void)
{
    int on = 1, listener = listen_on_loopback();
    int fd = listener == -1 ? -1 : accept(listener, NULL, NULL);
    int ok;

    if (fd == -1)
        return failed("no connection");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    peer.stack = BIO_new_onion_stack(BIO_new_socket(fd, BIO_CLOSE));
    if (peer.stack == NULL)
        return failed("no stack");
    ok = play();
    BIO_free_all(peer.stack);
    close(listener);
    return ok;
}

static int parse(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++)
        if (i + 1 == argc)
            peer.file = argv[i];
        else if (strcmp(argv[i], "-cert") == 0)
            peer.cert = argv[++i];
        else if (strcmp(argv[i], "-key") == 0)
            peer.key = argv[++i];
        else if (strcmp(argv[i], "-slow") == 0)
            peer.slow = atoi(argv[++i]);
        else if (strcmp(argv[i], "-cut") == 0)
            peer.cut = atoi(argv[++i]);
        else
            return failed(argv[i]);
    return peer.file != NULL || failed("no FILE");
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    return parse(argc, argv) && serve() ? 0 : 1;
}
