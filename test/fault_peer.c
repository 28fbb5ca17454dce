/*
 * fault_peer.c - a peer of the tools to which something happens on the way.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     fault_peer client HOST:PORT STAGE FAULT CA TOOL
 *     fault_peer server STAGE FAULT CERT KEY TOOL
 *
 * It is made of OpenSSL alone, and goes through one dialogue: two layers with a
 * CONNECT between them, data in the inner one, and both stopped again. The
 * client has it with onion_server -proxy -proxy_origin -echo; the server says
 * "ACCEPT HOST:PORT", and has it with onion_client -via -dest -line -script.
 * At one of ten stages, or never if that is 0, a fault comes:
 *
 *     kill     the peer is killed, by SIGKILL
 *     stop     it is stopped, by SIGSTOP; it goes on when it is continued
 *     reset    it resets the connection
 *     end      it ends the connection, and reads on
 *     sigkill  the tool is killed; TOOL is a file with its process id
 *     sigstop  the tool is stopped, and continued after a moment
 *
 * What the tool sends is looked at below each layer: what was said in the inner
 * one must not be there. Exit codes: 0, all went well, or all that could; 1, it
 * did not; 2, usage; 3, a secret has come where it must not; 4, the tool has
 * ended what was not at its end. After sigkill 0 is that the layers were cut
 * off, and none of them closed.
 */

#ifndef _GNU_SOURCE
# define _GNU_SOURCE            /* memmem() */
#endif

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

/* What is said in the inner layer only; so many of them are the data. */
#define SECRET      "<secret of layer 2>"
#define SECRETS     2000
/* Seconds until the alarm rings: nothing takes so long. */
#define PATIENCE    60
#define LINE_SIZE   1024

enum stage {
    NEVER,
    CONNECTED,
    HANDSHAKE_1,            /* in the middle of what it says in it */
    LAYER_1,
    CONNECT_SAID,
    HANDSHAKE_2,
    LAYER_2,
    DATA,                   /* in the middle */
    STOP_SAID,
    STOP,                   /* in the middle of the outer close_notify */
    CLEAR
};

struct seen {
    char *data;
    size_t len, room;
};

static struct {
    enum stage stage;
    const char *fault;
    const char *tool;       /* the file with its process id */
    size_t cut;             /* bytes until the fault comes; 0: not now */
    int fd;
    BIO *below[3];          /* what the SSL of a layer reads, [0] unused */
    SSL *ssl[3];
    struct seen seen[3];    /* below each layer */
    int happened;           /* the fault has */
    int writing;            /* it comes in the middle of a write */
} peer;

static void leave(int code, const char *what)
{
    fprintf(stderr, "fault_peer: stage %d, %s: %s\n", peer.stage, peer.fault,
            what);
    ERR_print_errors_fp(stderr);
    exit(code);
}

/* Not by a close_notify: so it must be where the tool was killed. */
static void cut_off(const char *what)
{
    if (peer.happened && strcmp(peer.fault, "sigkill") == 0)
        exit(0);
    leave(4, what);
}

static void closed_early(const char *what)
{
    leave(strcmp(peer.fault, "sigkill") == 0 ? 1 : 4, what);
}

/* The fault
 * ---------
 */

static void pause_ms(long ms)
{
    struct timespec t = { 0, ms * 1000000 };

    nanosleep(&t, NULL);
}

static void reset(void)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(peer.fd);
    exit(0);
}

/* Looks for what was said in the inner layer. */
static void look(int layer, const char *data, size_t len);

/* All that still comes: in the outer layer, if that is not busy, and bare. */
static void end(void)
{
    char in[4096];
    ssize_t n;

    shutdown(peer.fd, SHUT_WR);
    while (peer.ssl[1] != NULL && !peer.writing
           && (n = SSL_read(peer.ssl[1], in, sizeof(in))) > 0)
        look(2, in, (size_t)n);
    while ((n = read(peer.fd, in, sizeof(in))) > 0)
        look(1, in, (size_t)n);
    exit(0);
}

static pid_t tool(void)
{
    FILE *in = fopen(peer.tool, "r");
    int pid = 0;

    if (in == NULL || fscanf(in, "%d", &pid) != 1 || pid <= 1)
        leave(2, "no process id of the tool");
    fclose(in);
    return pid;
}

static void sigstop(pid_t pid)
{
    kill(pid, SIGSTOP);
    pause_ms(50);
    kill(pid, SIGCONT);
}

static void happen(void)
{
    peer.happened = 1;
    if (strcmp(peer.fault, "kill") == 0)
        raise(SIGKILL);
    else if (strcmp(peer.fault, "stop") == 0)
        raise(SIGSTOP);
    else if (strcmp(peer.fault, "reset") == 0)
        reset();
    else if (strcmp(peer.fault, "end") == 0)
        end();
    else if (strcmp(peer.fault, "sigkill") == 0)
        kill(tool(), SIGKILL);
    else
        sigstop(tool());
}

static void reach(enum stage stage)
{
    if (peer.stage == stage)
        happen();
}

/* It comes when so many bytes more have been sent. */
static void arm(enum stage stage, size_t bytes)
{
    if (peer.stage == stage)
        peer.cut = bytes;
}

/* A filter below each layer
 * -------------------------
 */

static void look(int layer, const char *data, size_t len)
{
    struct seen *s = &peer.seen[layer];
    size_t before = s->len < sizeof(SECRET) ? 0 : s->len - sizeof(SECRET);

    if (s->len + len > s->room) {
        s->room = 2 * (s->len + len);
        s->data = realloc(s->data, s->room);
        if (s->data == NULL)
            exit(1);
    }
    memcpy(s->data + s->len, data, len);
    s->len += len;
    if (memmem(s->data + before, s->len - before, SECRET,
               sizeof(SECRET) - 1) == NULL)
        return;
    fprintf(stderr, "fault_peer: below layer %d:\n", layer);
    leave(3, "what was said in layer 2 has come outside it");
}

/* What is below the first layer is the wire. */
static int below_read(BIO *b, char *out, int len)
{
    int layer = BIO_get_data(b) == &peer.seen[1] ? 1 : 2;
    int n = BIO_read(BIO_next(b), out, len);

    if (n > 0)
        look(layer, out, (size_t)n);
    return n;
}

static int below_write(BIO *b, const char *in, int len)
{
    size_t cut = peer.cut;

    if (BIO_get_data(b) != &peer.seen[1] || cut == 0)
        return BIO_write(BIO_next(b), in, len);
    if ((size_t)len < cut) {
        peer.cut -= (size_t)len;
        return BIO_write(BIO_next(b), in, len);
    }
    peer.cut = 0;
    if (BIO_write(BIO_next(b), in, (int)cut) != (int)cut)
        return -1;
    peer.writing = 1;
    happen();
    peer.writing = 0;
    if ((size_t)len > cut
        && BIO_write(BIO_next(b), in + cut, len - (int)cut) <= 0)
        return -1;
    return len;
}

static long below_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    if (cmd == BIO_CTRL_FLUSH)
        return BIO_ctrl(BIO_next(b), cmd, num, ptr);
    return 0;
}

static int below_create(BIO *b)
{
    BIO_set_init(b, 1);
    return 1;
}

static BIO *below_new(int layer, BIO *next)
{
    static BIO_METHOD *method;
    BIO *b;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "below");
        BIO_meth_set_read(method, below_read);
        BIO_meth_set_write(method, below_write);
        BIO_meth_set_ctrl(method, below_ctrl);
        BIO_meth_set_create(method, below_create);
    }
    b = BIO_new(method);
    BIO_set_data(b, &peer.seen[layer]);
    return BIO_push(b, next);
}

/* Layers
 * ------
 */

static void start(int layer, SSL_CTX *ctx, int as_client)
{
    static const char *const names[] = { "", "outer.example",
                                         "inner.example" };
    SSL *ssl = SSL_new(ctx);
    BIO *inside;

    if (ssl == NULL)
        leave(1, "no SSL");
    if (layer == 1) {
        peer.below[1] = below_new(1, BIO_new_socket(peer.fd, BIO_NOCLOSE));
    } else {
        inside = BIO_new(BIO_f_ssl());
        BIO_set_ssl(inside, peer.ssl[1], BIO_NOCLOSE);
        peer.below[2] = below_new(2, inside);
    }
    SSL_set_bio(ssl, peer.below[layer], peer.below[layer]);
    peer.ssl[layer] = ssl;
    if (as_client) {
        SSL_set_tlsext_host_name(ssl, names[layer]);
        X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), names[layer], 0);
    }
    if ((as_client ? SSL_connect(ssl) : SSL_accept(ssl)) != 1)
        cut_off("no handshake");
}

static void say_some(int layer, const char *data, size_t len)
{
    ERR_clear_error();
    if (layer == 0 ? BIO_write(BIO_next(peer.below[1]), data, (int)len) <= 0
                   : SSL_write(peer.ssl[layer], data, (int)len) <= 0)
        cut_off("cannot send");
}

static void say(int layer, const char *text)
{
    say_some(layer, text, strlen(text));
}

static int hear_some(int layer, char *out, int len)
{
    int n;

    ERR_clear_error();
    if (layer == 0) {
        n = BIO_read(BIO_next(peer.below[1]), out, len);
        if (n > 0)
            look(1, out, (size_t)n);
        return n;
    }
    n = SSL_read(peer.ssl[layer], out, len);
    if (n > 0 && layer == 1)
        look(2, out, (size_t)n);
    if (n > 0)
        return n;
    if (SSL_get_error(peer.ssl[layer], n) == SSL_ERROR_ZERO_RETURN)
        return 0;
    cut_off("the layer was cut off");
    return -1;
}

static void missing(int layer)
{
    if (layer > 0)
        closed_early("closed where something had to be said");
    cut_off("an end where something had to be said");
}

/* So much must come, to the byte. */
static void hear(int layer, const char *text, size_t len)
{
    char in[4096];
    size_t had = 0;

    while (had < len) {
        int n = hear_some(layer, in, len - had < sizeof(in) ? (int)(len - had)
                                                            : (int)sizeof(in));

        if (n <= 0)
            missing(layer);
        if (memcmp(in, text + had, (size_t)n) != 0)
            leave(1, "something else was said than had to be");
        had += (size_t)n;
    }
}

/* Up to the text that ends it. */
static void hear_line(int layer, char line[LINE_SIZE], const char *end_of_it)
{
    size_t len = 0;

    do {
        if (len + 1 == LINE_SIZE)
            leave(1, "a line without end");
        if (hear_some(layer, line + len, 1) != 1)
            missing(layer);
        line[++len] = '\0';
    } while (strstr(line, end_of_it) == NULL);
}

static void close_layer(int layer)
{
    ERR_clear_error();
    if (SSL_shutdown(peer.ssl[layer]) < 0)
        cut_off("cannot send a close_notify");
}

static void hear_close(int layer)
{
    if (hear_some(layer, (char[1]) { 0 }, 1) != 0)
        leave(1, "data where a close_notify had to come");
}

static void hear_end(void)
{
    if (hear_some(0, (char[1]) { 0 }, 1) > 0)
        leave(1, "data where the end had to come");
}

/* The dialogue, as client
 * -----------------------
 */

static void secrets(char data[SECRETS * (sizeof(SECRET) - 1)])
{
    int i;

    for (i = 0; i < SECRETS; i++)
        memcpy(data + (size_t)i * (sizeof(SECRET) - 1), SECRET,
               sizeof(SECRET) - 1);
}

static void echo(int layer, const char *data, size_t len)
{
    say_some(layer, data, len);
    hear(layer, data, len);
}

static void play_client(SSL_CTX *ctx)
{
    static char data[SECRETS * (sizeof(SECRET) - 1)];
    char line[LINE_SIZE];

    secrets(data);
    reach(CONNECTED);
    arm(HANDSHAKE_1, 100);
    start(1, ctx, 1);
    reach(LAYER_1);
    say(1, "CONNECT inner.example:1 HTTP/1.1\r\nHost: inner.example\r\n\r\n");
    reach(CONNECT_SAID);
    hear_line(1, line, "\r\n\r\n");
    arm(HANDSHAKE_2, 100);
    start(2, ctx, 1);
    reach(LAYER_2);
    arm(DATA, sizeof(data) / 2);
    echo(2, data, sizeof(data));
    close_layer(2);
    reach(STOP_SAID);
    hear_close(2);
    echo(1, "in layer 1", 10);
    arm(STOP, 10);
    close_layer(1);
    hear_close(1);
    reach(CLEAR);
    echo(0, "in the clear", 12);
    shutdown(peer.fd, SHUT_WR);
    hear_end();
}

/* The dialogue, as server, by the line protocol
 * ---------------------------------------------
 */

/* A line, which is answered with what it is. */
static void answer(int layer, enum stage in_the_middle)
{
    char line[LINE_SIZE], reply[LINE_SIZE + 32];
    int len;

    hear_line(layer, line, "\n");
    len = snprintf(reply, sizeof(reply), "depth=%d %s", layer, line);
    if (in_the_middle != NEVER)
        arm(in_the_middle, (size_t)len / 2);
    say(layer, reply);
}

static void expect_line(int layer, const char *text)
{
    char line[LINE_SIZE];

    hear_line(layer, line, "\n");
    if (strcmp(line, text) != 0)
        leave(1, "another line than had to come");
}

static void stop_layer(int layer)
{
    expect_line(layer, "STOPTLS\n");
    say(layer, "OK\n");
    if (layer == 1)
        arm(STOP, 10);
    close_layer(layer);
    if (layer == 2)
        reach(STOP_SAID);
    hear_close(layer);
}

static void play_server(SSL_CTX *ctx)
{
    char line[LINE_SIZE];

    reach(CONNECTED);
    arm(HANDSHAKE_1, 700);
    start(1, ctx, 0);
    reach(LAYER_1);
    hear_line(1, line, "\r\n\r\n");
    reach(CONNECT_SAID);
    say(1, "HTTP/1.1 200 OK\r\n\r\n");
    expect_line(1, "STARTTLS\n");
    say(1, "OK\n");
    arm(HANDSHAKE_2, 700);
    start(2, ctx, 0);
    reach(LAYER_2);
    answer(2, DATA);
    stop_layer(2);
    answer(1, NEVER);
    stop_layer(1);
    reach(CLEAR);
    answer(0, NEVER);
    expect_line(0, "QUIT\n");
    say(0, "BYE depth=0\n");
    shutdown(peer.fd, SHUT_WR);
    hear_end();
}

/* The connection
 * --------------
 */

static void set_address(struct sockaddr_in *a, const char *text)
{
    const char *port = strrchr(text, ':');

    a->sin_family = AF_INET;
    a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a->sin_port = htons((unsigned short)atoi(port != NULL ? port + 1 : text));
}

static void dial(const char *address)
{
    struct sockaddr_in a = { 0 };

    set_address(&a, address);
    peer.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (peer.fd == -1
        || connect(peer.fd, (struct sockaddr *)&a, sizeof(a)) == -1)
        leave(1, "cannot connect");
}

static void take(void)
{
    struct sockaddr_in a = { 0 };
    socklen_t len = sizeof(a);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    set_address(&a, "0");
    if (listener == -1 || bind(listener, (struct sockaddr *)&a, len) == -1
        || listen(listener, 1) == -1
        || getsockname(listener, (struct sockaddr *)&a, &len) == -1)
        leave(1, "cannot listen");
    printf("ACCEPT 127.0.0.1:%d\n", ntohs(a.sin_port));
    fflush(stdout);
    peer.fd = accept(listener, NULL, NULL);
    if (peer.fd == -1)
        leave(1, "no connection");
    close(listener);
}

static SSL_CTX *client_ctx(const char *ca)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL || SSL_CTX_load_verify_file(ctx, ca) != 1)
        leave(1, "no CA");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static SSL_CTX *server_ctx(const char *cert, const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL || SSL_CTX_use_certificate_chain_file(ctx, cert) != 1
        || SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        leave(1, "no certificate");
    return ctx;
}

static void play(char **argv)
{
    if (strcmp(argv[1], "client") == 0) {
        dial(argv[2]);
        play_client(client_ctx(argv[5]));
    } else {
        take();
        play_server(server_ctx(argv[4], argv[5]));
    }
}

int main(int argc, char **argv)
{
    int as_client = argc == 7 && strcmp(argv[1], "client") == 0;

    if (argc != 7 || (!as_client && strcmp(argv[1], "server") != 0)) {
        fprintf(stderr,
                "usage: fault_peer client HOST:PORT STAGE FAULT CA TOOL\n"
                "       fault_peer server STAGE FAULT CERT KEY TOOL\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    alarm(PATIENCE);
    peer.stage = (enum stage)atoi(argv[as_client ? 3 : 2]);
    peer.fault = argv[as_client ? 4 : 3];
    peer.tool = argv[6];
    play(argv);
    if (peer.happened && strcmp(peer.fault, "sigkill") == 0)
        leave(1, "the tool goes on after it was killed");
    return 0;
}
