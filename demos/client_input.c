/*
 * client_input.c - a conversation that is typed, or comes out of a pipe.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A line is sent when the one before it is answered and has had its effect.
 * While none is under way the peer may still speak, close a layer, or go.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "bio_onion.h"
#include "client_input.h"
#include "client_state.h"
#include "client_verbs.h"
#include "tool_report.h"

/* Input without a newline in so many bytes is not text. */
#define INPUT_MAX       (16UL << 20)
#define INPUT_PIECE     16384

typedef struct input_st {
    char *data;         /* NULL iff size == 0 */
    size_t start;       /* of the next line */
    size_t len;         /* bytes, of which those before start are done */
    size_t size;
    int ended;
} INPUT;

static int grow(INPUT *in)
{
    char *data;

    if (in->start > 0) {
        memmove(in->data, in->data + in->start, in->len - in->start);
        in->len -= in->start;
        in->start = 0;
    }
    if (in->size - in->len >= INPUT_PIECE)
        return 1;
    data = OPENSSL_realloc(in->data, 2 * in->size + INPUT_PIECE);
    if (data == NULL)
        return 0;
    in->data = data;
    in->size = 2 * in->size + INPUT_PIECE;
    return 1;
}

/* What there is on standard input, which poll() has found. */
static int take_input(CLIENT *c, INPUT *in)
{
    ssize_t n;

    if (!grow(in) || in->len > INPUT_MAX) {
        report(TOOL_USAGE, NULL, "a line of the input is too long");
        return client_fail(c, TOOL_USAGE);
    }
    n = read(STDIN_FILENO, in->data + in->len, INPUT_PIECE);
    if (n < 0 && errno != EINTR && errno != EAGAIN) {
        report(TOOL_USAGE, NULL, "cannot read the input: %s", strerror(errno));
        return client_fail(c, TOOL_USAGE);
    }
    if (n > 0)
        in->len += (size_t)n;
    in->ended = n == 0;
    return 1;
}

/* The next line, if it is complete; what is left at the end is one too. */
static const char *next_line(INPUT *in, size_t *len)
{
    const char *line = in->data + in->start;
    size_t left = in->len - in->start;
    const char *end = left > 0 ? memchr(line, '\n', left) : NULL;

    if (end == NULL && (!in->ended || left == 0))
        return NULL;
    *len = end != NULL ? (size_t)(end - line) : left;
    in->start += *len + (end != NULL);
    if (*len > 0 && line[*len - 1] == '\r')
        --*len;
    return line;
}

static int hear_end(CLIENT *c)
{
    state_note(c, "the connection has ended, in the clear");
    state_show(c);
    report(TOOL_OK, NULL, "the peer has ended the connection");
    return client_fail(c, c->attended ? TOOL_OK : TOOL_PROTOCOL);
}

static int hear_line(CLIENT *c)
{
    client_show(c);
    line_clear(&c->line);
    return 1;
}

/* 1 to go on, 2 if there is nothing more to hear for now. */
static int hear(CLIENT *c)
{
    switch (client_poll_line(c, VERBS_ANY_LENGTH)) {
    case LINE_DONE:
        return hear_line(c);
    case LINE_WAIT:
        return BIO_pending(c->stack) > 0 ? 1 : 2;
    case LINE_BOUNDARY:
        return client_cross(c);
    case LINE_END:
        return hear_end(c);
    case LINE_TOO_LONG:
        return client_blame(c, "a line without end");
    default:
        state_show(c);
        return client_report_stack(c);
    }
}

/* Hears the peer until there is input. */
static int wait_for_input(CLIENT *c, INPUT *in)
{
    struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
                           { .fd = c->fd } };
    int result;

    line_clear(&c->line);
    for (;;) {
        do
            result = hear(c);
        while (result == 1);
        if (result == 0)
            return 0;
        p[1].events = POLLIN;
        if (BIO_should_write(c->stack))
            p[1].events |= POLLOUT;
        if (poll(p, 2, -1) > 0 && p[0].revents != 0)
            return take_input(c, in);
    }
}

static void run(CLIENT *c, INPUT *in)
{
    const char *line;
    size_t len;

    for (;;) {
        while ((line = next_line(in, &len)) != NULL)
            if (!verbs_do(c, line, len))
                return;
        if (in->ended) {
            client_close(c);
            return;
        }
        if (!wait_for_input(c, in))
            return;
    }
}

void input_run(CLIENT *c)
{
    INPUT in = { NULL, 0, 0, 0, 0 };

    run(c, &in);
    OPENSSL_free(in.data);
}
