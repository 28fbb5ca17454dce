/*
 * hops.c - a fuzz target: what a peer answers before TLS begins.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses CONNECT or a protocol of -starttls, the second how the
 * answer is cut into reads and how it ends; what is left is the answer.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "fuzz.h"
#include "fuzz_source.h"
#include "hop_connect.h"
#include "hop_starttls.h"
#include "tool_report.h"

static const char *const protocols[] = {
    "smtp", "lmtp", "imap", "pop3", "ftp", "ldap", "xmpp", "xmpp-server",
    "nntp", "sieve", "postgres", "mysql", "telnet", "irc"
};

#define PROTOCOLS (sizeof(protocols) / sizeof(protocols[0]))

static const char password[] = "SECRET";
static CLIENT client;
static int ready;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    report_program("fuzz");
    /* To poll() it is always ready. */
    ready = open("/dev/null", O_RDWR);
    return 0;
}

/* Nothing more will come: the client need not wait for it. */
static void on_empty(void *arg)
{
    CLIENT *c = arg;

    c->deadline = 0;
}

static int connect_by(CLIENT *c, unsigned how)
{
    static const char *const header[] = { "X-One: 1", "Host: other" };
    const HOP_CONNECT h = {
        .host = how % 2 ? "::1" : "inner.example", .port = "443",
        .user = how / 2 % 2 ? "user" : NULL,
        .password = how / 2 % 2 ? password : NULL,
        .header = header, .headers = (int)(how / 4 % 3)
    };

    return hop_connect(c, &h);
}

static int run(CLIENT *c, unsigned what)
{
    if (what >= PROTOCOLS)
        return connect_by(c, what - PROTOCOLS);
    return hop_starttls(c, protocols[what], "inner.example");
}

static int is_code(int code)
{
    return code == TOOL_NETWORK || code == TOOL_PROTOCOL
        || code == TOOL_REFUSED;
}

static void check(int ok, int peer_knows)
{
    FUZZ_MUST(ok ? client.code == TOOL_OK : is_code(client.code),
              "an exit code that is documented");
    FUZZ_MUST(!ok || ERR_peek_error() == 0, "no error after success");
    FUZZ_MUST(ok || report_last()[0] != '\0', "a failure is reported");
    FUZZ_MUST(ok || peer_knows || strstr(report_last(), password) == NULL,
              "a report has no password");
    FUZZ_MUST(BIO_onion_read_depth(client.stack) == 0, "no depth changes");
}

/* 1 if a -starttls has made it, over a transport that tells of all it has. */
static int hop(const uint8_t *data, size_t size)
{
    static const NET_PLACE place = { "proxy.example", "8080" };
    struct fuzz_input in = { data, size };
    unsigned what = fuzz_choice(&in, PROTOCOLS + 12), cut = fuzz_byte(&in);
    int ok;

    fuzz_begin();
    memset(&client, 0, sizeof(client));
    client.fd = ready;
    client.at = &place;
    client.timeout = 30;
    client.stack = BIO_new_onion_stack(source_new(&in, cut, on_empty,
                                                  &client));
    FUZZ_MUST(client.stack != NULL, "memory");
    ok = run(&client, what);
    check(ok, fuzz_has(data, size, password));
    client.fd = -1;
    BIO_free_all(client.stack);
    client.stack = NULL;
    line_free(&client.line);
    ERR_clear_error();
    return ok && what < PROTOCOLS && !source_waits(cut);
}

/* Where there was a way to TLS, there is none with a byte behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *more;

    if (!hop(data, size))
        return 0;
    more = malloc(size + 1);
    if (more == NULL)
        abort();
    memcpy(more, data, size);
    more[size] = 'x';
    FUZZ_MUST(!hop(more, size + 1), "nothing is behind an agreement to TLS");
    free(more);
    return 0;
}
