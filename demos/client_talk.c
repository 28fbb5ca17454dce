/*
 * client_talk.c - the client's end of a conversation, one thing at a time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "client_progress.h"
#include "client_state.h"
#include "client_talk.h"
#include "tool_alert.h"
#include "tool_report.h"

int client_fail(CLIENT *c, int code)
{
    c->code = code;
    return 0;
}

/* Who is at the other end of what is said now. */
static void client_place(const CLIENT *c, char out[URL_PLACE_SIZE])
{
    if (c->at->host[0] != '\0')
        url_place(out, c->at->host, c->at->port);
    else
        snprintf(out, URL_PLACE_SIZE, "%s", c->route.path);
}

static const char *peer_of(void *arg, int layer)
{
    CLIENT *c = arg;

    if (layer > ONION_MAX_DEPTH || c->peer[layer][0] == '\0')
        return NULL;
    return c->peer[layer];
}

#define TEXT_SIZE 1024

static int note_layer(CLIENT *c, int code, int layer)
{
    if (code != TOOL_OK)
        c->failed_layer = layer;
    return layer;
}

int client_report(CLIENT *c, int code, const char *fmt, ...)
{
    char text[TEXT_SIZE], at[URL_PLACE_SIZE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    client_place(c, at);
    progress_clear(c);
    return report_layer(code, note_layer(c, code,
                                         BIO_onion_read_depth(c->stack)),
                        at, "%s", text);
}

int client_report_layer(CLIENT *c, int code, int layer, const char *fmt, ...)
{
    char text[TEXT_SIZE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    progress_clear(c);
    return report_layer(code, note_layer(c, code, layer), peer_of(c, layer),
                        "%s", text);
}

int client_report_stack(CLIENT *c)
{
    progress_clear(c);
    alert_hear(c->stack);
    c->failed_layer = BIO_onion_failed_layer(c->stack, NULL);
    return client_fail(c, report_stack_of(c->stack, peer_of, c));
}

int client_blame(CLIENT *c, const char *what)
{
    return client_fail(c, client_report(c, TOOL_PROTOCOL, "the peer broke the "
                                        "protocol: %s", what));
}

/* What the library has just failed to do. */
static int failed(CLIENT *c)
{
    state_show(c);
    return client_report_stack(c);
}

/* Waiting
 * -------
 */

void client_begin(CLIENT *c)
{
    c->deadline = net_now() + 1000LL * c->timeout;
}

/* Polls for what the last call asked for. 0: -timeout is over. */
static int wait_for_socket(CLIENT *c, const char *what)
{
    struct pollfd p = { .fd = c->fd };
    long long left = c->deadline - net_now();

    if (left <= 0)
        return 0;
    if (BIO_should_read(c->stack)) {
        p.events |= POLLIN;
        /* What is decrypted already wakes no poll(). */
        if (BIO_pending(c->stack) > 0)
            return 1;
    }
    if (BIO_should_write(c->stack))
        p.events |= POLLOUT;
    if (poll(&p, 1, progress_wait(c, left)) == 0)
        progress_show(c, what);
    return 1;
}

/* After a call that did not succeed: 1 to repeat it. */
int client_again(CLIENT *c, const char *what)
{
    if (!BIO_should_retry(c->stack))
        return failed(c);
    if (wait_for_socket(c, what))
        return 1;
    return client_fail(c, client_report(c, TOOL_NETWORK, "%s: nothing from "
                                        "the peer for %d s; see -timeout",
                                        what, c->timeout));
}

/* Opening and closing
 * -------------------
 */

static int make_stack(CLIENT *c)
{
    BIO *transport = BIO_new_socket(c->fd, BIO_NOCLOSE);

    if (transport != NULL)
        c->stack = BIO_new_onion_stack(transport);
    if (c->stack != NULL)
        return 1;
    BIO_free(transport);
    report(TOOL_NETWORK, NULL, "%s", report_openssl());
    return client_fail(c, TOOL_NETWORK);
}

/* NULL has been reported. */
static SSL *new_ssl(CLIENT *c, int group, int as_client, int layer)
{
    const char *host = c->at->host[0] != '\0' ? c->at->host : NULL;
    SSL *ssl = as_client ? tls_new_client(&c->tls, group, layer, host)
                         : tls_new_server(&c->tls, group, layer);

    if (ssl == NULL)
        client_fail(c, client_report_layer(c, TOOL_TLS, layer, "%s",
                                           report_openssl()));
    return ssl;
}

int client_open(CLIENT *c, int group, int as_client)
{
    int layer = BIO_onion_write_depth(c->stack) + 1;
    SSL *ssl;

    if (layer <= ONION_MAX_DEPTH)
        client_place(c, c->peer[layer]);
    ssl = new_ssl(c, group, as_client, layer);
    if (ssl == NULL)
        return 0;
    if (layer <= ONION_MAX_DEPTH) {
        c->group[layer] = group;
        facts_of_new(c, layer, ssl);
    }
    if (BIO_onion_start_tls(c->stack, ssl, NULL, 0) == 1) {
        c->fresh++;
        return 1;
    }
    SSL_free(ssl);
    return failed(c);
}

/* Nothing is said in a layer before this, but what may be said early. */
static int greet(CLIENT *c, int layer)
{
    SSL *ssl = BIO_onion_get0_ssl(c->stack, layer);

    if (tls_greet(&c->tls, c->group[layer], ssl, layer, c->peer[layer]))
        return 1;
    c->failed_layer = layer;
    return client_fail(c, TOOL_TLS);
}

static int greet_all(CLIENT *c)
{
    int layer, depth = BIO_onion_write_depth(c->stack);

    for (layer = depth - c->fresh + 1; layer <= depth; layer++) {
        if (c->early.on)
            state_early(c, layer);
        if (!greet(c, layer))
            return 0;
    }
    c->fresh = 0;
    return 1;
}

int client_shake(CLIENT *c)
{
    int ok;

    client_begin(c);
    while (BIO_do_handshake(c->stack) <= 0)
        if (!client_again(c, "handshake"))
            return 0;
    progress_clear(c);
    facts_take(c);
    ok = greet_all(c);
    state_show(c);
    return ok;
}

static void on_event(BIO *stack, int event, int layer, SSL *ssl, void *arg)
{
    (void)stack;
    /* What is removed can be asked for the last time. */
    if (event == ONION_EVENT_REMOVED)
        facts_take(arg);
    state_event(arg, event, layer, ssl);
}

static int open_socket(CLIENT *c)
{
    return c->route.path != NULL
        ? net_connect_path(c->route.path, 1000 * c->timeout)
        : net_connect(&c->route.first, 1000 * c->timeout);
}

int client_connect(CLIENT *c)
{
    c->fd = open_socket(c);
    if (c->fd == -1)
        return client_fail(c, TOOL_NETWORK);
    if (!make_stack(c))
        return 0;
    client_place(c, c->peer[0]);
    net_name(c->fd, 1, c->address);
    BIO_onion_set_max_depth(c->stack, ONION_MAX_DEPTH);
    c->fresh = 0;
    facts_begin(c);
    BIO_onion_set_callback(c->stack, on_event, c);
    state_note(c, "connected");
    state_show(c);
    return 1;
}

void client_disconnect(CLIENT *c)
{
    if (c->stack != NULL)
        BIO_onion_set_callback(c->stack, NULL, NULL);
    BIO_free_all(c->stack);
    c->stack = NULL;
    if (c->fd != -1)
        close(c->fd);
    c->fd = -1;
}

void client_free(CLIENT *c)
{
    client_disconnect(c);
    BIO_free(c->captions);
    BIO_free(c->drawing);
    line_free(&c->line);
    early_free(&c->early);
    tls_free(&c->tls);
}

/* Lines
 * -----
 */

int client_send(CLIENT *c, const char *text, size_t len)
{
    char *line = OPENSSL_malloc(len + 1);
    int ok = 1;

    if (line == NULL)
        return client_fail(c, TOOL_NETWORK);
    if (len > 0)
        memcpy(line, text, len);
    line[len] = '\n';
    client_begin(c);
    while (ok && BIO_write(c->stack, line, (int)(len + 1)) <= 0)
        ok = client_again(c, "sending");
    OPENSSL_free(line);
    return ok;
}

int client_poll_line(CLIENT *c, size_t max)
{
    c->line.max = max;
    return line_read(&c->line, c->stack);
}

/*
 * A boundary where a reply is due. It is what must come if our side of the
 * layer is closed already (-stop early), and else nobody has asked for it.
 */
int client_cross(CLIENT *c)
{
    int layer = BIO_onion_read_depth(c->stack) + 1;
    int expected = layer > BIO_onion_write_depth(c->stack);

    if (c->line.len > 0)
        return client_fail(c, client_report_layer(c, TOOL_PROTOCOL, layer,
                                                  "closed by the peer in "
                                                  "mid-line"));
    if (!expected && !c->attended)
        return client_fail(c, client_report_layer(c, TOOL_PROTOCOL, layer,
                                                  "closed by the peer, which "
                                                  "was not asked to"));
    if (!expected)
        client_report_layer(c, TOOL_OK, layer,
                            "closed by the peer, going on outside");
    return client_follow(c);
}

/* 1 if the line is complete and where it must be. */
static int check_depth(CLIENT *c)
{
    if (c->strict && BIO_onion_read_depth(c->stack)
        != BIO_onion_write_depth(c->stack))
        return client_blame(c, "a reply in a layer it had to close first");
    return 1;
}

static int receive(CLIENT *c, size_t max)
{
    size_t had = c->line.len;

    switch (client_poll_line(c, max)) {
    case LINE_WAIT:
        if (c->line.len != had)
            client_begin(c);
        return client_again(c, "waiting for a reply");
    case LINE_BOUNDARY:
        return client_cross(c);
    case LINE_END:
        return client_blame(c, "it ended the connection where a reply was due");
    case LINE_TOO_LONG:
        return client_blame(c, "the reply is longer than it may be");
    case LINE_FAILED:
        return failed(c);
    default:
        return check_depth(c) ? 2 : 0;
    }
}

int client_receive(CLIENT *c, size_t max)
{
    int result;

    client_begin(c);
    line_clear(&c->line);
    do
        result = receive(c, max);
    while (result == 1);
    return result == 2;
}

/* How much of a reply is shown of a script. */
#define SHOWN_LENGTH    200

static void show_part(CLIENT *c)
{
    size_t shown = c->line.len > SHOWN_LENGTH ? SHOWN_LENGTH : c->line.len;

    BIO_puts(c->out, "< ");
    report_escape(c->out, c->line.data, shown);
    if (shown < c->line.len)
        BIO_printf(c->out, "... (%lu bytes)", (unsigned long)c->line.len);
}

/*
 * To a script's reader its beginning, to a terminal nothing that could control
 * it, and to any other program just what came.
 */
void client_show(CLIENT *c)
{
    if (c->strict)
        show_part(c);
    else if (c->escape)
        report_escape(c->out, c->line.data, c->line.len);
    else if (c->line.len > 0)
        BIO_write(c->out, c->line.data, (int)c->line.len);
    BIO_puts(c->out, "\n");
    (void)BIO_flush(c->out);
}

/* Layers
 * ------
 */

int client_start(CLIENT *c, int as_client)
{
    int layer = BIO_onion_write_depth(c->stack) + 1;

    return client_open(c, tls_group_of_layer(&c->tls, layer), as_client)
        && client_shake(c);
}

int client_stop(CLIENT *c, int depth, int *both)
{
    int result;

    client_begin(c);
    while ((result = BIO_onion_stop_tls(c->stack, depth)) < 0)
        if (!client_again(c, "closing the layer"))
            return 0;
    *both = result;
    state_show(c);
    return 1;
}

/* 1 to go on, 2 there. */
static int near_boundary(CLIENT *c)
{
    int result = client_poll_line(c, LINE_MAX_LENGTH);

    if (result == LINE_FAILED)
        return failed(c);
    if (c->line.len > 0 || result == LINE_DONE)
        return client_blame(c, "text where its close_notify was due");
    if (result == LINE_WAIT)
        return client_again(c, "waiting for its close_notify");
    if (result == LINE_END)
        return client_blame(c, "it ended without closing the layer");
    return 2;
}

int client_await_boundary(CLIENT *c)
{
    int result;

    client_begin(c);
    line_clear(&c->line);
    do
        result = near_boundary(c);
    while (result == 1);
    return result == 2;
}

int client_follow(CLIENT *c)
{
    int both;

    state_show(c);
    if (!client_stop(c, BIO_onion_read_depth(c->stack), &both))
        return 0;
    return both || client_blame(c, "a closed layer is still there");
}

int client_try_drop(CLIENT *c)
{
    int ok;

    ok = BIO_onion_drop_tls(c->stack, BIO_onion_write_depth(c->stack) - 1);
    state_show(c);
    return ok == 1;
}

int client_drop(CLIENT *c)
{
    return client_try_drop(c) || failed(c);
}

/* A line behind the last reply. */
static int unasked(CLIENT *c)
{
    if (c->strict)
        return client_blame(c, "text where the end was due");
    client_show(c);
    line_clear(&c->line);
    return 1;
}

/* 1 to go on, 2 at the end. */
static int near_end(CLIENT *c)
{
    int result = client_poll_line(c, LINE_MAX_LENGTH);

    if (result == LINE_DONE)
        return unasked(c);
    if (result == LINE_WAIT)
        return client_again(c, "waiting for the end");
    if (result == LINE_FAILED)
        return failed(c);
    if (result == LINE_TOO_LONG)
        return client_blame(c, "a line without end");
    if (c->line.len > 0)
        return client_blame(c, "it ended in mid-line");
    return result == LINE_BOUNDARY ? client_follow(c) : 2;
}

int client_await_end(CLIENT *c)
{
    int result;

    client_begin(c);
    line_clear(&c->line);
    do
        result = near_end(c);
    while (result == 1);
    if (result != 2)
        return 0;
    state_note(c, "the connection has ended, in the clear");
    state_show(c);
    return 1;
}

int client_close(CLIENT *c)
{
    int both;

    if (!client_stop(c, 0, &both))
        return 0;
    shutdown(c->fd, SHUT_WR);
    return client_await_end(c);
}
