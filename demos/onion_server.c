/*
 * onion_server.c - a server that starts and stops layers of TLS on request.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread, one poll() loop, an onion for each connection. Its exit codes are
 * in tool_report.h; once it listens, only SIGTERM or SIGINT ends it, with 0.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bio_onion.h"
#include "server_conn.h"
#include "tool_net.h"
#include "tool_report.h"

#define MAX_CONNS       1000
/* After an accept() that failed for want of descriptors or memory. */
#define ACCEPT_PAUSE_MS 100

typedef struct arguments_st {
    const char *accept;
    int line;
    int layers;
    int max_depth;
    int timeout;
} ARGUMENTS;

#define OF(field) offsetof(ARGUMENTS, field)

static const OPTION table[] = {
    { "accept", OPTION_STRING, OF(accept), 0, 0, "[host:]port",
      "listen there; without host on all addresses; port 0\n"
      "for one that is free. \"ACCEPT address:port\" is printed\n"
      "when it listens" },
    { "line", OPTION_SET, OF(line), 0, 1, NULL,
      "speak the line protocol" },
    { "layers", OPTION_NUMBER, OF(layers), 0, ONION_MAX_DEPTH, "n",
      "start n layers at once, as TLS server (default 0)" },
    { "max_depth", OPTION_NUMBER, OF(max_depth), 1, ONION_MAX_DEPTH, "n",
      "refuse to start more layers (default 16)" },
    { "timeout", OPTION_NUMBER, OF(timeout), 1, 86400, "seconds",
      "cut off a peer that stalls in a handshake, or does\n"
      "not read, for so long (default 30)" },
    { "layer", OPTION_GROUP, 0, 0, 0, NULL,
      "the options that follow are of the next layer; behind\n"
      "the last -layer, of all deeper ones too" },
    OPTION_END
};

static const char usage[] =
    "Usage: onion_server -accept [host:]port -line [options] [-layer ...]...\n"
    "A server that starts and stops layers of TLS within TLS on request.\n";

/* What the loop works on. */
typedef struct loop_st {
    SERVER server;
    int signals;                /* readable: time to go */
    int leaving;                /* a second signal ends it at once */
    int listener[NET_LISTENERS];
    int listeners;
    CONN *conn[MAX_CONNS];
    int conns;
    long long pause;            /* no accept() before; 0 if there was no need */
    struct pollfd poll[1 + NET_LISTENERS + MAX_CONNS];
} LOOP;

/* Arguments
 * ---------
 */

static int mistake(const char *text)
{
    report(TOOL_USAGE, NULL, "%s; try -help", text);
    return 0;
}

static int check_layers(const SERVER *s)
{
    int i;

    if (s->layers > s->max_depth)
        return mistake("-layers is more than -max_depth");
    for (i = 1; i <= s->layers; i++)
        if (!tls_can_serve(&s->tls, tls_group_of_layer(&s->tls, i))) {
            report(TOOL_USAGE, NULL, "layer %d: -layers needs its -cert", i);
            return 0;
        }
    return 1;
}

static int check(const ARGUMENTS *a, SERVER *s, NET_PLACE *place)
{
    if (a->accept == NULL)
        return mistake("-accept is needed");
    if (!a->line)
        return mistake("-line is needed: it is the only way to talk so far");
    s->layers = a->layers;
    s->max_depth = a->max_depth;
    s->timeout = a->timeout;
    return net_parse(place, a->accept, 0) && tls_load(&s->tls, &s->groups)
        && check_layers(s);
}

/* The loop
 * --------
 */

static void fill_slot(struct pollfd *p, int fd, short events)
{
    p->fd = fd;
    p->events = events;
    p->revents = 0;
}

/* Room for one more connection, and something to make it of. */
static int may_accept(const LOOP *l, long long now)
{
    return l->conns < MAX_CONNS && now >= l->pause;
}

static int fill_poll(LOOP *l, long long now)
{
    int i, n = 0;
    short events = may_accept(l, now) ? POLLIN : 0;

    fill_slot(&l->poll[n++], l->signals, POLLIN);
    for (i = 0; i < l->listeners; i++)
        fill_slot(&l->poll[n++], l->listener[i], events);
    for (i = 0; i < l->conns; i++)
        fill_slot(&l->poll[n++], conn_fd(l->conn[i]), conn_events(l->conn[i]));
    return n;
}

static void sooner(long long *first, long long deadline)
{
    if (deadline >= 0 && (*first < 0 || deadline < *first))
        *first = deadline;
}

/* Milliseconds until the first deadline; -1 if there is none. */
static int poll_timeout(const LOOP *l, long long now)
{
    long long first = l->pause > now ? l->pause : -1;
    int i;

    for (i = 0; i < l->conns; i++)
        sooner(&first, conn_deadline(l->conn[i]));
    if (first < 0)
        return -1;
    return first > now ? (int)(first - now) : 0;
}

static void pause_accept(LOOP *l, long long now)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED
        || errno == EINTR)
        return;
    if (l->pause == 0)
        report(TOOL_NETWORK, NULL, "cannot accept: %s", strerror(errno));
    l->pause = now + ACCEPT_PAUSE_MS;
}

static void accept_on(LOOP *l, int listener, long long now)
{
    CONN *c;
    int fd;

    while (may_accept(l, now)) {
        fd = net_accept(listener);
        if (fd == -1) {
            pause_accept(l, now);
            return;
        }
        l->pause = 0;
        c = conn_new(fd, &l->server);
        if (c != NULL) {
            conn_run(c, now);
            l->conn[l->conns++] = c;
        }
    }
}

static void run_conns(LOOP *l, const struct pollfd *p, long long now)
{
    int i, kept = 0;

    for (i = 0; i < l->conns; i++) {
        CONN *c = l->conn[i];
        long long deadline = conn_deadline(c);

        if (p[i].revents != 0 || (deadline >= 0 && now >= deadline))
            conn_run(c, now);
        if (conn_is_over(c))
            conn_free(c);
        else
            l->conn[kept++] = c;
    }
    l->conns = kept;
}

/* Runs what poll() has found. */
static void run(LOOP *l, long long now)
{
    int i;

    /* The new ones come behind those that poll() knows of. */
    run_conns(l, &l->poll[1 + l->listeners], now);
    for (i = 0; i < l->listeners; i++)
        if (l->poll[1 + i].revents != 0)
            accept_on(l, l->listener[i], now);
}

/* At the first signal: from now on there are only ends to wait for. */
static void leave(LOOP *l)
{
    char waste[16];
    int i;

    (void)!read(l->signals, waste, sizeof(waste));
    while (l->listeners > 0)
        close(l->listener[--l->listeners]);
    for (i = 0; i < l->conns; i++)
        conn_end(l->conn[i]);
    l->leaving = 1;
}

static int serve(LOOP *l)
{
    long long now;
    int n;

    while (!l->leaving || l->conns > 0) {
        now = net_now();
        n = fill_poll(l, now);
        if (poll(l->poll, (nfds_t)n, poll_timeout(l, now)) == -1) {
            if (errno == EINTR)
                continue;
            return report(TOOL_NETWORK, NULL, "poll: %s", strerror(errno));
        }
        if (l->poll[0].revents == 0)
            run(l, net_now());
        else if (l->leaving)
            break;
        else
            leave(l);
    }
    return TOOL_OK;
}

static int start(LOOP *l, const NET_PLACE *place)
{
    char name[NET_NAME_SIZE];
    int i;

    net_ignore_sigpipe();
    l->signals = net_catch_signals();
    if (l->signals == -1)
        return report(TOOL_NETWORK, NULL, "signals: %s", strerror(errno));
    l->listeners = net_listen(place, l->listener);
    if (l->listeners == 0)
        return TOOL_NETWORK;
    for (i = 0; i < l->listeners; i++) {
        net_name(l->listener[i], 0, name);
        printf("ACCEPT %s\n", name);
    }
    fflush(stdout);
    return serve(l);
}

static void finish(LOOP *l)
{
    while (l->conns > 0)
        conn_free(l->conn[--l->conns]);
    while (l->listeners > 0)
        close(l->listener[--l->listeners]);
    tls_free(&l->server.tls);
}

int main(int argc, char **argv)
{
    static LOOP loop;
    ARGUMENTS arguments = { .max_depth = 16, .timeout = 30 };
    NET_PLACE place;
    int result;

    report_program("onion_server");
    result = options_parse(argc, argv, usage, table, &arguments,
                           &loop.server.groups);
    if (result <= 0)
        return result == 0 ? TOOL_OK : TOOL_USAGE;
    if (check(&arguments, &loop.server, &place))
        result = start(&loop, &place);
    else
        result = TOOL_USAGE;
    finish(&loop);
    return result;
}
