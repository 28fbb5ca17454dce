/*
 * client_commands.c - the single letters that command a session.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Q, K and k are those of s_client; S is as in s_server, and the others are
 * for what neither has.
 */

#include <stdio.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "client_commands.h"
#include "client_describe.h"

/* Something cannot be done now, and nothing has changed. */
static int refuse(CLIENT *c, const char *why)
{
    client_report_layer(c, TOOL_OK, BIO_onion_write_depth(c->stack), "%s",
                        why);
    ERR_clear_error();
    return 1;
}

/* Quit
 * ----
 */

static int quit(CLIENT *c)
{
    return client_fail(c, client_report_layer(c, TOOL_OK,
                                              BIO_onion_write_depth(c->stack),
                                              "closed by us"));
}

/* Key updates
 * -----------
 */

static int update(CLIENT *c, int type)
{
    SSL *ssl = BIO_onion_get0_ssl(c->stack, BIO_onion_write_depth(c->stack));

    if (ssl == NULL)
        return refuse(c, "no layer whose keys could be updated");
    if (SSL_version(ssl) < TLS1_3_VERSION)
        return refuse(c, "key updates are of TLS 1.3, and this is an older "
                         "version");
    if (SSL_key_update(ssl, type) != 1)
        return refuse(c, "a key update is under way");
    client_begin(c);
    while (BIO_do_handshake(c->stack) <= 0)
        if (!client_again(c, "key update"))
            return 0;
    return refuse(c, type == SSL_KEY_UPDATE_REQUESTED
                  ? "keys updated, the peer is to do so too"
                  : "our keys updated");
}

static int update_both(CLIENT *c)
{
    return update(c, SSL_KEY_UPDATE_REQUESTED);
}

static int update_ours(CLIENT *c)
{
    return update(c, SSL_KEY_UPDATE_NOT_REQUESTED);
}

/* Layers
 * ------
 */

static int show_state(CLIENT *c)
{
    describe_all(c);
    return 1;
}

static int start(CLIENT *c)
{
    int layer = BIO_onion_write_depth(c->stack) + 1;

    if (BIO_onion_read_depth(c->stack) != layer - 1)
        return refuse(c, "a layer is being closed; first comes the peer's "
                         "close_notify");
    if (layer > ONION_MAX_DEPTH)
        return refuse(c, "there cannot be more layers");
    if (!client_start(c, 1))
        return 0;
    describe_brief(c);
    return 1;
}

/* What is asked for here need not stay. */
static void require(CLIENT *c, int depth)
{
    if (depth >= c->required)
        return;
    c->required = depth;
    BIO_onion_set_min_depth(c->stack, depth);
}

static int stop(CLIENT *c)
{
    int layer = BIO_onion_write_depth(c->stack), both;

    if (layer == 0)
        return refuse(c, "no layer to close");
    require(c, layer - 1);
    if (!client_stop(c, layer - 1, &both))
        return 0;
    client_report_layer(c, TOOL_OK, layer, both
                        ? "closed by us, as by the peer before"
                        : "closed by us; the peer's close_notify is to come");
    return 1;
}

static int drop(CLIENT *c)
{
    int layer = BIO_onion_write_depth(c->stack);

    if (layer == 0)
        return refuse(c, "no layer to drop");
    require(c, layer - 1);
    if (!client_try_drop(c)) {
        if (BIO_onion_failed_layer(c->stack, NULL) > 0)
            return client_report_stack(c);
        return refuse(c, "cannot be dropped now: there is more to read, or to "
                         "write, in it");
    }
    client_report_layer(c, TOOL_OK, layer, "dropped, with no close_notify");
    return 1;
}

/* The letters
 * -----------
 */

static int help(CLIENT *c);

static const struct {
    char letter;
    int (*command)(CLIENT *c);
    const char *help;
} commands[] = {
    { 'Q', quit, "close all layers and quit" },
    { 'K', update_both, "update the keys of the innermost layer, both ways" },
    { 'k', update_ours, "update ours only" },
    { 'S', show_state, "show the state of every layer" },
    { 'L', start, "start a layer inside the present one" },
    { 'C', stop, "close the innermost layer, by exchange" },
    { 'D', drop, "drop it, with no close_notify" },
    { '?', help, "this list" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(CLIENT *c)
{
    size_t i;

    (void)c;
    for (i = 0; i < COMMANDS; i++)
        fprintf(stderr, "%c  %s\n", commands[i].letter, commands[i].help);
    return 1;
}

int command_is(char letter)
{
    size_t i = 0;

    while (i < COMMANDS && commands[i].letter != letter)
        i++;
    return i < COMMANDS;
}

int command_do(CLIENT *c, char letter)
{
    size_t i = 0;

    while (commands[i].letter != letter)
        i++;
    return commands[i].command(c);
}
