/*
 * bench_program.c - a peer in a program of its own, driven by lines.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * It is started with "memory" or "socket" and a depth, and says "ready" when
 * its ends have shaken hands. For each line "SIZE COUNT ANSWERED" it sends so
 * much, and answers "SECONDS BYTES": the CPU time that it has taken, and what
 * was received. It ends with its input.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

struct bench_program_st {
    const BENCH_PEER *peer;
    pid_t pid;
    FILE *to, *from;
};

/* In the new process. */
static void become(const char *command, const char *mode, int depth, int in,
                   int out)
{
    char line[512];

    dup2(in, 0);
    dup2(out, 1);
    snprintf(line, sizeof(line), "exec %s %s %d", command, mode, depth);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

static BENCH_PROGRAM *start(const char *command, const char *mode, int depth)
{
    BENCH_PROGRAM *p = bench_new(sizeof(*p));
    int in[2], out[2];

    if (pipe(in) != 0 || pipe(out) != 0)
        bench_stop("no pipe");
    fflush(NULL);
    p->pid = fork();
    if (p->pid == 0) {
        close(in[1]);
        close(out[0]);
        become(command, mode, depth, in[0], out[1]);
    }
    close(in[0]);
    close(out[1]);
    /* Else the next program keeps the input of this one open. */
    fcntl(in[1], F_SETFD, FD_CLOEXEC);
    fcntl(out[0], F_SETFD, FD_CLOEXEC);
    p->to = fdopen(in[1], "w");
    p->from = fdopen(out[0], "r");
    return p;
}

BENCH_PROGRAM *bench_program_open(const BENCH_PEER *peer, const char *mode,
                                  int depth)
{
    const char *command = getenv(peer->program);
    BENCH_PROGRAM *p;
    char line[64];

    if (command == NULL || *command == '\0')
        return NULL;
    p = start(command, mode, depth);
    p->peer = peer;
    if (fgets(line, sizeof(line), p->from) != NULL
        && strcmp(line, "ready\n") == 0)
        return p;
    bench_program_close(p);
    return NULL;
}

double bench_program_send(BENCH_PROGRAM *p, const BENCH_LOAD *load, int count)
{
    int puts = count * (load->burst > 0 ? load->burst : 1);
    long bytes = 0, expected = (long)load->size * puts;
    double seconds = 0;
    char line[64];

    fprintf(p->to, "%d %d %d\n", load->size, puts, load->answered);
    fflush(p->to);
    if (fgets(line, sizeof(line), p->from) == NULL
        || sscanf(line, "%lf %ld", &seconds, &bytes) != 2
        || bytes != expected * (load->answered ? 2 : 1))
        bench_stop("%s: %ld of %ld bytes came", p->peer->name, bytes,
                   expected);
    return seconds;
}

void bench_program_close(BENCH_PROGRAM *p)
{
    fclose(p->to);
    fclose(p->from);
    waitpid(p->pid, NULL, 0);
    free(p);
}
