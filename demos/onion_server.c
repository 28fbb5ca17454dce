/*
 * onion_server.c - a server for layers of TLS within TLS, in several modes.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * One thread, an onion for each connection. Its exit codes are in
 * tool_report.h; once it listens, only SIGTERM or SIGINT ends it, with 0.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "bio_onion.h"
#include "server.h"
#include "server_loop.h"
#include "tool_pass.h"
#include "tool_report.h"

typedef struct arguments_st {
    const char *accept;
    int line, echo, www, proxy, proxy_origin;
    const char *forward;
    STRINGS proxy_allow;
    const char *proxy_auth;
    int early, early_data;
    int layers;             /* -1: as many as there are -layer */
    int max_depth, max_conns;
    int timeout, idle_timeout, close_timeout, drain;
    const char *log;
    const char *stats;
    int state;
    WATCH watch;
} ARGUMENTS;

#define OF(field) offsetof(ARGUMENTS, field)
#define DAY 86400

static const OPTION table[] = {
    { "accept", OPTION_STRING, OF(accept), 0, 0, "[host:]port",
      "listen there; without host on all addresses; port 0\n"
      "for one that is free. \"ACCEPT address:port\" is printed\n"
      "when it listens" },
    OPTION_TITLE("Modes, one of which is needed:"),
    { "line", OPTION_SET, OF(line), 0, 1, NULL,
      "speak the line protocol" },
    { "echo", OPTION_SET, OF(echo), 0, 1, NULL,
      "send back what comes" },
    { "www", OPTION_SET, OF(www), 0, 1, NULL,
      "serve a page that shows every layer" },
    { "forward", OPTION_STRING, OF(forward), 0, 0, "host:port",
      "connect to there, and pass on what the layers carry" },
    { "proxy", OPTION_SET, OF(proxy), 0, 1, NULL,
      "be an HTTPS proxy: CONNECT within the layers" },
    OPTION_TITLE("Of -proxy:"),
    { "proxy_allow", OPTION_LIST, OF(proxy_allow), 0, 0, "host:port",
      "a CONNECT may go there; * is any host or any port.\n"
      "May be repeated; without it nothing is allowed" },
    { "proxy_auth", OPTION_STRING, OF(proxy_auth), 0, 0, "user:password",
      "ask for them (Basic); or file:name of a file with them\n"
      "in its first line" },
    { "proxy_origin", OPTION_SET, OF(proxy_origin), 0, 1, NULL,
      "call nobody: answer for the target, in one layer more,\n"
      "with -www or -echo" },
    OPTION_TITLE("Layers:"),
    { "layers", OPTION_NUMBER, OF(layers), 0, ONION_MAX_DEPTH, "n",
      "start n layers at once, as TLS server (default: with\n"
      "-line 0; else one for each -layer, but the last with\n"
      "-proxy_origin, or 1 if there is no -layer but a -cert)" },
    { "layer", OPTION_GROUP, 0, 0, 0, NULL,
      "the options that follow are of the next layer; behind\n"
      "the last -layer, of all deeper ones too" },
    { "early", OPTION_SET, OF(early), 0, 1, NULL,
      "take handshakes of inner layers as early data" },
    { "early_data", OPTION_SET, OF(early_data), 0, 1, NULL,
      "the same for what is said in the innermost layer; it\n"
      "is used before the handshake is done" },
    OPTION_TITLE("Limits:"),
    { "max_depth", OPTION_NUMBER, OF(max_depth), 1, ONION_MAX_DEPTH, "n",
      "refuse to start more layers (default 16)" },
    { "max_conns", OPTION_NUMBER, OF(max_conns), 1, 1000000, "n",
      "refuse more connections at once (default 1000)" },
    { "timeout", OPTION_NUMBER, OF(timeout), 1, DAY, "seconds",
      "cut off a peer that stalls in a handshake or request,\n"
      "or does not read, for so long (default 30)" },
    { "idle_timeout", OPTION_NUMBER, OF(idle_timeout), 0, DAY, "seconds",
      "end a connection on which nothing was said for so\n"
      "long (default 3600; 0: never)" },
    { "close_timeout", OPTION_NUMBER, OF(close_timeout), 0, DAY, "seconds",
      "wait so long for the peer's end after ours (default 2)" },
    { "drain", OPTION_NUMBER, OF(drain), 0, DAY, "seconds",
      "after SIGTERM let connections finish for so long\n"
      "(default 10); a second signal ends at once" },
    OPTION_TITLE("What it tells:"),
    { "log", OPTION_STRING, OF(log), 0, 0, "file",
      "a line for each layer and connection that has ended;\n"
      "- is stderr. Opened again at SIGHUP" },
    { "stats", OPTION_STRING, OF(stats), 0, 0, "[host:]port",
      "GET /metrics there, for Prometheus; without host for\n"
      "this machine only. \"STATS address:port\" is printed" },
    OPTION_TITLE("To see more, on stderr:"),
    { "state", OPTION_SET, OF(state), 0, 1, NULL,
      "draw the layers of a connection after each change" },
    WATCH_OPTIONS(OF(watch)),
    OPTION_END
};

static const char usage[] =
    "Usage: onion_server -accept [host:]port mode [options] [-layer ...]...\n"
    "A server for layers of TLS within TLS.\n";

static int mistake(const char *text)
{
    report(TOOL_USAGE, NULL, "%s; try -help", text);
    return 0;
}

/* The mode
 * --------
 */

static int check_proxy(const ARGUMENTS *a, SERVER *s)
{
    if (!a->proxy && (a->proxy_origin || a->proxy_allow.n > 0
                      || a->proxy_auth != NULL))
        return mistake("-proxy_allow, -proxy_auth and -proxy_origin need "
                       "-proxy");
    if (!a->proxy)
        return 1;
    if (a->proxy_origin)
        s->origin = a->echo ? &mode_echo : &mode_www;
    return access_load(&s->access, &a->proxy_allow, a->proxy_auth);
}

/* With -proxy_origin there are two: what is within the proxy does not count. */
static int choose_mode(const ARGUMENTS *a, SERVER *s)
{
    const struct {
        int chosen;
        const MODE *mode;
    } modes[] = {
        { a->line, &mode_line },
        { a->echo && !a->proxy_origin, &mode_echo },
        { a->www && !a->proxy_origin, &mode_www },
        { a->forward != NULL, &mode_forward },
        { a->proxy, &mode_proxy }
    };
    size_t i;
    int n = 0;

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (modes[i].chosen) {
            s->mode = modes[i].mode;
            n++;
        }
    if (n != 1 || (a->echo && a->www))
        return mistake("one of -line, -echo, -www, -forward and -proxy is "
                       "needed");
    return check_proxy(a, s);
}

static int find_target(const ARGUMENTS *a, SERVER *s)
{
    NET_PLACE place;

    if (a->forward == NULL)
        return TOOL_OK;
    if (!net_parse(&place, a->forward, 1))
        return TOOL_USAGE;
    s->target_name = a->forward;
    s->target = net_resolve(&place);
    return s->target != NULL ? TOOL_OK : TOOL_NETWORK;
}

/* Layers
 * ------
 */

static int default_layers(const SERVER *s)
{
    int groups = options_count(&s->groups, s->groups.n, "layer");

    if (s->mode == &mode_line)
        return 0;
    if (groups == 0)
        return tls_can_serve(&s->tls, -1);
    return s->origin != NULL && groups > 1 ? groups - 1 : groups;
}

static int check_layers(const ARGUMENTS *a, SERVER *s)
{
    int i, served;

    s->layers = a->layers >= 0 ? a->layers : default_layers(s);
    served = s->layers + (s->origin != NULL);
    if (served > s->max_depth)
        return mistake("there are more layers than -max_depth");
    for (i = 1; i <= served; i++)
        if (!tls_can_serve(&s->tls, tls_group_of_layer(&s->tls, i))) {
            report(TOOL_USAGE, NULL, "layer %d: it needs its -cert%s", i,
                   s->groups.config.layers != NULL
                   ? ", or the role of a server" : "");
            return 0;
        }
    return 1;
}

/* The rest
 * --------
 */

/* Without a host, which is not the same as *, this machine alone may ask. */
static int parse_stats(const ARGUMENTS *a, NET_PLACE *place)
{
    if (a->stats == NULL)
        return 1;
    if (!net_parse(place, a->stats, 0))
        return 0;
    if (place->host[0] == '\0' && a->stats[0] != '*')
        strcpy(place->host, "127.0.0.1");
    return 1;
}

static void copy_limits(const ARGUMENTS *a, SERVER *s)
{
    s->max_depth = a->max_depth;
    s->max_conns = a->max_conns;
    s->timeout = a->timeout;
    s->idle_timeout = a->idle_timeout;
    s->close_timeout = a->close_timeout;
    s->drain = a->drain;
    s->log.file = a->log;
    s->state = a->state;
    s->watch = a->watch;
}

static int set_early(const ARGUMENTS *a, SERVER *s)
{
    if (a->early || a->early_data) {
        s->flags = ONION_EARLY | (a->early_data ? ONION_EARLY_DATA : 0);
        tls_allow_early(&s->tls);
    }
    return 1;
}

static int check(const ARGUMENTS *a, SERVER *s, NET_PLACE *place,
                 NET_PLACE *stats)
{
    if (a->accept == NULL)
        return mistake("-accept is needed");
    copy_limits(a, s);
    return choose_mode(a, s) && net_parse(place, a->accept, 0)
        && parse_stats(a, stats) && tls_load(&s->tls, &s->groups)
        && set_early(a, s) && check_layers(a, s) && log_open(&s->log)
        && watch_open(&s->watch);
}

static int run(const ARGUMENTS *a, SERVER *s)
{
    NET_PLACE place, stats;
    int result = check(a, s, &place, &stats) ? find_target(a, s) : TOOL_USAGE;

    pass_forget();
    if (result == TOOL_OK)
        result = loop_run(s, &place, a->stats != NULL ? &stats : NULL);
    if (s->target != NULL)
        freeaddrinfo(s->target);
    tls_free(&s->tls);
    config_free(&s->groups.config);
    log_close(&s->log);
    watch_close(&s->watch);
    return result;
}

int main(int argc, char **argv)
{
    static SERVER server;
    ARGUMENTS arguments = {
        .layers = -1, .max_depth = 16, .max_conns = 1000, .timeout = 30,
        .idle_timeout = 3600, .close_timeout = 2, .drain = 10
    };
    int result;

    report_program("onion_server");
    /* It need not be heard. */
    if (!net_hold_standard(O_RDWR))
        return report(TOOL_USAGE, NULL, "no standard input and output: %s",
                      strerror(errno));
    server.log.fd = -1;
    result = options_parse(argc, argv, usage, table, &arguments,
                           &server.groups);
    if (result <= 0)
        return result == 0 ? TOOL_OK : TOOL_USAGE;
    return run(&arguments, &server);
}
