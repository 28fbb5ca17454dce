/*
 * onion_client.c - a client of TLS within TLS, over any number of hops.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Its manual is onion_client.1; its exit codes are in tool_report.h too.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "bio_onion.h"
#include "client_describe.h"
#include "client_hops.h"
#include "client_input.h"
#include "client_json.h"
#include "client_reconnect.h"
#include "client_script.h"
#include "client_session.h"
#include "client_state.h"
#include "client_talk.h"
#include "hop_starttls.h"
#include "tool_pass.h"

typedef struct arguments_st {
    const char *connect;
    const char *path;
    int ipv4, ipv6;
    int layers;
    int verbs;
    const char *script;
    const char *stop;
    int brief;
    int quiet;
    int json;
    int state;
    int crlf;
    int ign_eof;
    int nocommands;
    int reconnect;
    int early;
    const char *early_data;
    int require_depth;      /* -1 if not given */
    int timeout;            /* 0 if not given */
    WATCH watch;
} ARGUMENTS;

#define OF(field) offsetof(ARGUMENTS, field)
#define DEFAULT_TIMEOUT 10

static const OPTION table[] = {
    OPTION_TITLE("Where to:"),
    { "connect", OPTION_STRING, OF(connect), 0, 0, "host:port",
      "connect there (default: to the first hop)" },
    { "unix", OPTION_STRING, OF(path), 0, 0, "path",
      "connect to this socket" },
    { "4", OPTION_SET, OF(ipv4), 0, 1, NULL, "use IPv4 only" },
    { "6", OPTION_SET, OF(ipv6), 0, 1, NULL, "use IPv6 only" },
    OPTION_TITLE("The hops, in this order and any number; what follows one\n"
                 "is of its layer:"),
    { "via", OPTION_GROUP_WITH, 0, HOP_VIA, 0, "url",
      "a proxy, https://[user@]host[:port] or http://...:\n"
      "CONNECT to the next hop" },
    { "push", OPTION_GROUP, 0, HOP_PUSH, 0, NULL, "TLS at once" },
    { "starttls", OPTION_GROUP_WITH, 0, HOP_STARTTLS, 0, "protocol",
      "TLS after STARTTLS of\n" HOP_STARTTLS_NAMES },
    { "line", OPTION_GROUP, 0, HOP_LINE, 0, NULL,
      "TLS after STARTTLS of the line protocol" },
    { "dest", OPTION_GROUP_WITH, 0, HOP_DEST, 0, "url",
      "the destination, https://host[:port], or\n"
      "tcp://host:port without TLS" },
    { "layer", OPTION_GROUP, 0, HOP_LAYER, 0, NULL,
      "no hop: what follows is of the next layer that is\n"
      "started later; the last one, of all deeper ones too" },
    { "layers", OPTION_NUMBER, OF(layers), 0, ONION_MAX_DEPTH, "n",
      "n times -push, with the options of the -layer" },
    OPTION_TITLE("The session:"),
    { "brief", OPTION_SET, OF(brief), 0, 1, NULL,
      "describe each layer in a line" },
    { "quiet", OPTION_SET, OF(quiet), 0, 1, NULL,
      "nothing on stdout but what the peer sends, no\n"
      "commands, and failures only on stderr" },
    { "json", OPTION_SET, OF(json), 0, 1, NULL,
      "nothing on stdout but an object that describes the\n"
      "layers, at the end" },
    { "nocommands", OPTION_SET, OF(nocommands), 0, 1, NULL,
      "do not take a letter alone in its line for a command" },
    { "crlf", OPTION_SET, OF(crlf), 0, 1, NULL, "send a newline as CR LF" },
    { "ign_eof", OPTION_SET, OF(ign_eof), 0, 1, NULL,
      "the end of the input closes nothing; no commands" },
    { "timeout", OPTION_NUMBER, OF(timeout), 1, 86400, "seconds",
      "give up when the peer owes something and sends\n"
      "nothing for so long (default 10)" },
    { "require_depth", OPTION_NUMBER, OF(require_depth), 0, ONION_MAX_DEPTH,
      "n", "the peer must not close more layers than leaves n\n"
      "(default: it must close none of the hops')" },
    { "reconnect", OPTION_SET, OF(reconnect), 0, 1, NULL,
      "connect five times more, with the sessions of all\n"
      "layers" },
    { "early", OPTION_SET, OF(early), 0, 1, NULL,
      "layers that are started together and resumed shake\n"
      "hands together, as early data" },
    { "early_data", OPTION_STRING, OF(early_data), 0, 0, "file",
      "send this first in the innermost layer, before its\n"
      "handshake if its session allows; it may be replayed" },
    { "state", OPTION_SET, OF(state), 0, 1, NULL,
      "draw the chain of layers after each change" },
    OPTION_TITLE("The line protocol:"),
    { "verbs", OPTION_SET, OF(verbs), 0, 1, NULL,
      "speak it, from then on (-line and -script do too)" },
    { "script", OPTION_STRING, OF(script), 0, 0, "'a;b;c'",
      "send these lines, check each reply to each byte,\n"
      "and exit with 0 only if all were right" },
    { "stop", OPTION_STRING, OF(stop), 0, 0, "how",
      "after STOPTLS: passive (wait for the server's\n"
      "close_notify; the default), active (close, then wait)\n"
      "or early (close, and go on without waiting)" },
    OPTION_TITLE("To see more:"),
    WATCH_OPTIONS(OF(watch)),
    OPTION_END
};

static const char usage[] =
    "Usage: onion_client [-connect host:port | -unix path] [options]\n"
    "                    [-via url | -push | -starttls protocol | -line |\n"
    "                     -dest url [options of the layer]]...\n"
    "A client of TLS within TLS: through proxies, and beyond them. What is "
    "typed\ngoes out, what comes in is shown; ? alone in its line lists the "
    "commands.\n";

/* The options
 * -----------
 */

static int mistake(const char *text)
{
    report(TOOL_USAGE, NULL, "%s; try -help", text);
    return 0;
}

static int set_stop(CLIENT *c, const char *how)
{
    if (how == NULL || strcmp(how, "passive") == 0)
        c->stop = STOP_PASSIVE;
    else if (strcmp(how, "active") == 0)
        c->stop = STOP_ACTIVE;
    else if (strcmp(how, "early") == 0)
        c->stop = STOP_EARLY;
    else
        return mistake("-stop is passive, active or early");
    return 1;
}

/* Options of which only one can be given. */
static int check_ways(const ARGUMENTS *a)
{
    int verbs = a->verbs || a->script != NULL;

    if (a->ipv4 && a->ipv6)
        return mistake("-6 contradicts -4");
    if (a->quiet + a->brief + a->json > 1)
        return mistake("-quiet, -brief and -json contradict each other");
    if (verbs && (a->quiet || a->json))
        return mistake("-verbs and -script contradict -quiet and -json");
    if (verbs && (a->crlf || a->ign_eof || a->nocommands))
        return mistake("-verbs and -script contradict -crlf, -ign_eof and "
                       "-nocommands");
    if (verbs && a->reconnect)
        return mistake("-verbs and -script contradict -reconnect");
    if (verbs && a->early_data != NULL)
        return mistake("-verbs and -script contradict -early_data");
    if (a->quiet && a->state)
        return mistake("-state contradicts -quiet");
    if (a->json && a->state)
        return mistake("-state contradicts -json");
    return 1;
}

static int check_required(ARGUMENTS *a, CLIENT *c)
{
    c->required = a->require_depth;
    if (c->required <= c->route.depth)
        return 1;
    report(TOOL_USAGE, NULL, "-require_depth %d is more than the %d layers "
           "that are asked for", c->required, c->route.depth);
    return 0;
}

static void set_client(ARGUMENTS *a, CLIENT *c)
{
    c->timeout = a->timeout != 0 ? a->timeout : DEFAULT_TIMEOUT;
    c->strict = a->script != NULL;
    c->attended = !c->strict && isatty(STDIN_FILENO);
    c->escape = !a->quiet && isatty(STDOUT_FILENO);
    c->quiet = a->quiet || a->json;
    c->progress = !c->quiet && isatty(STDERR_FILENO);
    c->watch = a->watch;
    if (a->ipv4 || a->ipv6)
        net_family(a->ipv4 ? AF_INET : AF_INET6);
    /* A -line hop leads to a conversation by the line protocol. */
    if (!a->quiet && !a->json && hops_have_line(c))
        a->verbs = 1;
    a->verbs |= c->strict;
    /* There the depth is for the two sides to agree upon. */
    if (c->required == -1)
        c->required = a->verbs ? 0 : c->route.depth;
}

static int check_early(const ARGUMENTS *a, CLIENT *c)
{
    c->early.on = a->early;
    if (a->early_data != NULL && a->verbs)
        return mistake("-early_data contradicts -line, unless with -quiet or "
                       "-json");
    if (a->early_data != NULL && c->route.depth == 0)
        return mistake("-early_data is useless without a layer");
    return early_load(&c->early, a->early_data);
}

static int check_roles(const CLIENT *c)
{
    const ROUTE *r = &c->route;
    int i, layer = 0;

    for (i = 0; i < r->n; i++) {
        layer += r->hop[i].tls;
        if (r->hop[i].tls && !tls_can_connect(&c->tls, r->hop[i].group)) {
            report(TOOL_USAGE, NULL, "layer %d: its section has the role of a "
                   "server", layer);
            return 0;
        }
    }
    return 1;
}

static int check(ARGUMENTS *a, CLIENT *c)
{
    if (!check_ways(a) || !set_stop(c, a->stop)
        || (a->script != NULL && !script_check(a->script))
        || !route_make(&c->route, &c->groups, a->connect, a->path, a->layers)
        || !check_required(a, c))
        return 0;
    set_client(a, c);
    if (a->stop != NULL && !a->verbs)
        return mistake("-stop is useless without -verbs");
    return check_early(a, c) && hops_check(c)
        && tls_load(&c->tls, &c->groups) && check_roles(c)
        && watch_open(&c->watch);
}

/* The conversation
 * ----------------
 */

static void converse(const ARGUMENTS *a, CLIENT *c)
{
    SESSION_OPTIONS o = {
        .commands = !a->quiet && !a->ign_eof && !a->nocommands,
        .crlf = a->crlf,
        .ign_eof = a->ign_eof,
        .mute = a->json,
        .pipe = a->quiet,
        .patient = a->quiet && a->timeout == 0
    };

    if (a->script != NULL)
        script_run(c, a->script);
    else if (a->verbs)
        input_run(c);
    else
        session_run(c, &o);
}

static void describe(const ARGUMENTS *a, CLIENT *c)
{
    if (a->brief)
        describe_brief(c);
    else if (!a->quiet && !a->json && !a->verbs)
        describe_all(c);
}

static int connect_once(const ARGUMENTS *a, CLIENT *c)
{
    if (!hops_walk(c))
        return 0;
    BIO_onion_set_min_depth(c->stack, c->required);
    describe(a, c);
    return 1;
}

/* As s_client does. */
#define RECONNECTIONS   5

static int connect_all(const ARGUMENTS *a, CLIENT *c)
{
    int i;

    if (a->early)
        tls_allow_early(&c->tls);
    if (a->reconnect)
        tls_keep_sessions(&c->tls);
    if (!connect_once(a, c))
        return 0;
    for (i = 0; a->reconnect && i < RECONNECTIONS; i++)
        if (!reconnect_begin(c) || !connect_once(a, c))
            return 0;
    return 1;
}

static int run(const ARGUMENTS *a, CLIENT *c)
{
    if (a->state && !state_begin(c, a->verbs ? stdout : stderr))
        return report(TOOL_NETWORK, NULL, "%s", report_openssl());
    if (connect_all(a, c))
        converse(a, c);
    facts_take(c);
    return c->code == TOOL_OK && c->refused ? TOOL_REFUSED : c->code;
}

static int tell(CLIENT *c)
{
    if (json_write(c, c->out))
        return c->code;
    return report(TOOL_USAGE, NULL, "cannot write to the output: %s",
                  strerror(errno));
}

int main(int argc, char **argv)
{
    static CLIENT client;
    ARGUMENTS arguments = { .require_depth = -1 };
    int result;

    client.fd = -1;
    report_program("onion_client");
    net_ignore_sigpipe();
    /* What is closed has nothing to read, and cannot be written to. */
    client.out = net_hold_standard(O_RDONLY)
        ? BIO_new_fp(stdout, BIO_NOCLOSE) : NULL;
    if (client.out == NULL)
        return report(TOOL_USAGE, NULL, "no standard input and output: %s",
                      strerror(errno));
    result = options_parse(argc, argv, usage, table, &arguments,
                           &client.groups);
    if (result <= 0)
        return result == 0 ? TOOL_OK : TOOL_USAGE;
    client.code = check(&arguments, &client) ? run(&arguments, &client)
                                             : TOOL_USAGE;
    if (arguments.json)
        client.code = tell(&client);
    client_free(&client);
    config_free(&client.groups.config);
    watch_close(&client.watch);
    pass_forget();
    BIO_free(client.out);
    return client.code;
}
