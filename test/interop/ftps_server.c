/*
 * ftps_server.c - an FTP server that ends TLS when the client says CCC.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 *     ftps_server CERT.pem KEY.pem FILE [-drop]
 *
 * It knows what curl and lftp say to get a file (RFC 959, 2228, 2428, 4217),
 * lets anybody in, and gives the same file whatever its name. One connection
 * after the other, until it is killed. Each command is printed with the depth
 * at which it was read. With -drop it is one that takes CCC as curl's passive
 * mode does: after the server's close_notify the client sends none.
 */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/err.h>
#include "bio_onion.h"

#define LINE_SIZE 1000

typedef struct ftps_st {
    SSL_CTX *ctx;
    const char *file;
    BIO *control;
    int passive;            /* listens for a data connection; -1 if none */
    int is_private;         /* PROT P: TLS on the data connection too */
    int drop;               /* -drop */
} FTPS;

/* Sockets
 * -------
 */

/* On a free port of 127.0.0.1, which it stores. */
static int listen_anywhere(int *port)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd == -1 || bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1
        || listen(fd, 5) == -1
        || getsockname(fd, (struct sockaddr *)&in, &len) == -1) {
        perror("ftps_server");
        return -1;
    }
    *port = ntohs(in.sin_port);
    return fd;
}

static BIO *accept_stack(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd == -1)
        return NULL;
    return BIO_new_onion_stack(BIO_new_socket(fd, BIO_CLOSE));
}

static void close_passive(FTPS *f)
{
    if (f->passive != -1)
        close(f->passive);
    f->passive = -1;
}

/* Commands: 1 to go on, 0 at the end
 * -----------------------------------
 */

typedef int COMMAND(FTPS *f);

static int reply(FTPS *f, const char *line)
{
    return BIO_printf(f->control, "%s\r\n", line) > 0;
}

static int auth(FTPS *f)
{
    return reply(f, "234 go on") && BIO_onion_start_server(f->control, f->ctx)
        && BIO_do_handshake(f->control) == 1;
}

/* 1: the client has closed its direction too, and nothing came before that. */
static int close_both(FTPS *f)
{
    char byte;

    return BIO_onion_stop_tls(f->control, 0) == 1
        || (BIO_read(f->control, &byte, 1) == 0 && !BIO_eof(f->control));
}

static int ccc(FTPS *f)
{
    if (!reply(f, "200 clear from here on"))
        return 0;
    if (f->drop && BIO_onion_stop_tls(f->control, 0) >= 0)
        return BIO_onion_drop_tls(f->control, 0);
    return !f->drop && close_both(f);
}

static int epsv(FTPS *f)
{
    int port;

    close_passive(f);
    f->passive = listen_anywhere(&port);
    return f->passive != -1
        && BIO_printf(f->control, "229 there (|||%d|)\r\n", port) > 0;
}

static int pasv(FTPS *f)
{
    int port;

    close_passive(f);
    f->passive = listen_anywhere(&port);
    return f->passive != -1
        && BIO_printf(f->control, "227 there (127,0,0,1,%d,%d)\r\n",
                      port / 256, port % 256) > 0;
}

static int prot_p(FTPS *f)
{
    f->is_private = 1;
    return reply(f, "200 private");
}

static int prot_c(FTPS *f)
{
    f->is_private = 0;
    return reply(f, "200 clear");
}

/* The file, and close_notify behind it where there is TLS. */
static int send_file(FTPS *f, BIO *data)
{
    char block[10000];
    BIO *file = BIO_new_file(f->file, "rb");
    int n = -1;

    if (file != NULL && (!f->is_private
                         || BIO_onion_start_server(data, f->ctx))) {
        while ((n = BIO_read(file, block, sizeof(block))) > 0)
            if (BIO_write(data, block, n) != n)
                break;
        if (n == 0 && f->is_private)
            n = BIO_onion_stop_tls(data, 0) < 0;
    }
    BIO_free(file);
    return n == 0;
}

static int retr(FTPS *f)
{
    BIO *data;
    int ok;

    if (f->passive == -1)
        return reply(f, "425 PASV or EPSV first");
    if (!reply(f, "150 here it comes"))
        return 0;
    data = accept_stack(f->passive);
    close_passive(f);
    ok = data != NULL && send_file(f, data);
    BIO_free_all(data);
    return reply(f, ok ? "226 that was it" : "426 it broke off");
}

static int size(FTPS *f)
{
    struct stat st;

    if (stat(f->file, &st) == -1)
        return reply(f, "550 no file");
    return BIO_printf(f->control, "213 %ld\r\n", (long)st.st_size) > 0;
}

static int quit(FTPS *f)
{
    reply(f, "221 bye");
    return 0;
}

static const struct {
    const char *name;
    COMMAND *command;       /* NULL: the reply is all */
    const char *reply;
} commands[] = {
    { "AUTH TLS", auth, NULL },
    { "AUTH SSL", NULL, "504 TLS" },
    { "USER", NULL, "331 and?" },
    { "PASS", NULL, "230 come in" },
    { "PBSZ", NULL, "200 as you like" },
    { "PROT P", prot_p, NULL },
    { "PROT C", prot_c, NULL },
    { "CCC", ccc, NULL },
    { "PWD", NULL, "257 \"/\"" },
    { "CWD", NULL, "250 here" },
    { "TYPE", NULL, "200 as you like" },
    { "EPSV", epsv, NULL },
    { "PASV", pasv, NULL },
    { "SIZE", size, NULL },
    { "RETR", retr, NULL },
    { "QUIT", quit, NULL }
};

/* No more of a line is printed than the verb. */
static int obey(FTPS *f, const char *line)
{
    size_t i;

    printf("depth=%d %.4s\n", BIO_onion_read_depth(f->control), line);
    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strncasecmp(line, commands[i].name, strlen(commands[i].name)) == 0)
            return commands[i].command == NULL
                ? reply(f, commands[i].reply) : commands[i].command(f);
    return reply(f, "502 not here");
}

static void serve(FTPS *f)
{
    char line[LINE_SIZE];
    int go_on = reply(f, "220 hello");

    while (go_on && BIO_gets(f->control, line, sizeof(line)) > 0) {
        line[strcspn(line, "\r\n")] = '\0';
        go_on = obey(f, line);
    }
    ERR_print_errors_fp(stdout);
    close_passive(f);
    BIO_free_all(f->control);
}

int main(int argc, char **argv)
{
    FTPS f = { .passive = -1 };
    int listener, port;

    f.ctx = SSL_CTX_new(TLS_server_method());
    if (argc < 4
        || SSL_CTX_use_certificate_chain_file(f.ctx, argv[1]) != 1
        || SSL_CTX_use_PrivateKey_file(f.ctx, argv[2], SSL_FILETYPE_PEM) != 1)
        return !!fputs("usage: ftps_server CERT.pem KEY.pem FILE [-drop]\n",
                       stderr);
    f.file = argv[3];
    f.drop = argc > 4 && strcmp(argv[4], "-drop") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    listener = listen_anywhere(&port);
    if (listener == -1)
        return 1;
    printf("ACCEPT 127.0.0.1:%d\n", port);
    while ((f.control = accept_stack(listener)) != NULL) {
        f.is_private = 0;
        serve(&f);
    }
    return 1;
}
