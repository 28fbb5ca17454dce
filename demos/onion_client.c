/*
 * onion_client.c - a client that starts and stops layers of TLS on request.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Lines are typed, piped, or given as a script whose replies are checked. Its
 * exit codes are in tool_report.h, and in what -help prints.
 */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "bio_onion.h"
#include "client_input.h"
#include "client_script.h"
#include "client_state.h"
#include "client_talk.h"
#include "tool_net.h"
#include "tool_report.h"

typedef struct arguments_st {
    const char *connect;
    const char *script;
    const char *stop;
    int line;
    int layers;
    int state;
    int timeout;
} ARGUMENTS;

#define OF(field) offsetof(ARGUMENTS, field)

static const OPTION table[] = {
    { "connect", OPTION_STRING, OF(connect), 0, 0, "host:port",
      "connect there; the host is also the name to verify,\n"
      "unless -verify_hostname or -servername gives one" },
    { "line", OPTION_SET, OF(line), 0, 1, NULL,
      "speak the line protocol (this is so anyway)" },
    { "layers", OPTION_NUMBER, OF(layers), 0, ONION_MAX_DEPTH, "n",
      "start n layers at once, as TLS client (default 0)" },
    { "script", OPTION_STRING, OF(script), 0, 0, "'a;b;c'",
      "send these lines, check each reply to each byte,\n"
      "and exit with 0 only if all were right" },
    { "stop", OPTION_STRING, OF(stop), 0, 0, "how",
      "after STOPTLS: passive (wait for the server's\n"
      "close_notify; the default), active (close, then wait)\n"
      "or early (close, and go on without waiting)" },
    { "state", OPTION_SET, OF(state), 0, 1, NULL,
      "draw the chain of layers after each change" },
    { "timeout", OPTION_NUMBER, OF(timeout), 1, 86400, "seconds",
      "give up when the peer owes something and sends\n"
      "nothing for so long (default 10)" },
    { "layer", OPTION_GROUP, 0, 0, 0, NULL,
      "the options that follow are of the next layer; behind\n"
      "the last -layer, of all deeper ones too" },
    OPTION_END
};

static const char usage[] =
    "Usage: onion_client -connect host:port [options] [-layer ...]...\n"
    "A client that starts and stops layers of TLS within TLS on request.\n"
    "Lines come from standard input or -script: CAPA, STARTTLS, RSTARTTLS, "
    "STOPTLS,\nSTOPTLS+, STOPTLS!, BULK n, MULTI n, INFO, QUIT, DROP, "
    "DROPOUTER or any text.\n";

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

static int check(const ARGUMENTS *a, CLIENT *c)
{
    if (a->connect == NULL)
        return mistake("-connect is needed");
    c->timeout = a->timeout;
    c->strict = a->script != NULL;
    c->attended = !c->strict && isatty(STDIN_FILENO);
    c->escape = isatty(STDOUT_FILENO);
    return set_stop(c, a->stop) && net_parse(&c->place, a->connect, 1)
        && (a->script == NULL || script_check(a->script))
        && tls_load(&c->tls, &c->groups);
}

static int run(const ARGUMENTS *a, CLIENT *c)
{
    net_ignore_sigpipe();
    c->out = BIO_new_fp(stdout, BIO_NOCLOSE);
    if (c->out == NULL || (a->state && !state_begin(c)))
        return report(TOOL_NETWORK, NULL, "%s", report_openssl());
    if (client_open(c, a->layers)) {
        if (a->script != NULL)
            script_run(c, a->script);
        else
            input_run(c);
    }
    return c->code == TOOL_OK && c->refused ? TOOL_REFUSED : c->code;
}

int main(int argc, char **argv)
{
    static CLIENT client = { .fd = -1 };
    ARGUMENTS arguments = { .timeout = 10 };
    int result;

    report_program("onion_client");
    result = options_parse(argc, argv, usage, table, &arguments,
                           &client.groups);
    if (result <= 0)
        return result == 0 ? TOOL_OK : TOOL_USAGE;
    result = check(&arguments, &client) ? run(&arguments, &client)
                                        : TOOL_USAGE;
    client_free(&client);
    BIO_free(client.out);
    return result;
}
