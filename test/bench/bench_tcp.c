/*
 * bench_tcp.c - a server in a process of its own, on a port of 127.0.0.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

static int listen_anywhere(int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0
        || listen(fd, 16) != 0
        || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        bench_stop("cannot listen");
    *port = ntohs(address.sin_port);
    return fd;
}

void bench_server_start(BENCH_SERVER *s,
                        void (*serve)(int listener, int control[2], void *arg),
                        void *arg)
{
    int in[2], out[2], listener = listen_anywhere(&s->port);

    if (pipe(in) != 0 || pipe(out) != 0)
        bench_stop("no pipe");
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0) {
        s->control[0] = out[0];
        s->control[1] = in[1];
        serve(listener, s->control, arg);
        _exit(0);
    }
    close(listener);
    close(in[1]);
    close(out[0]);
    s->control[0] = in[0];
    s->control[1] = out[1];
}

int bench_server_connect(const BENCH_SERVER *s)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)s->port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address,
                          sizeof(address)) != 0)
        bench_stop("cannot connect");
    return fd;
}

void bench_server_stop(BENCH_SERVER *s)
{
    close(s->control[0]);
    close(s->control[1]);
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
}

int bench_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        bench_stop("cannot accept");
    return fd;
}
