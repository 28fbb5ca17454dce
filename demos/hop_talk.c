/*
 * hop_talk.c - what all hops do: say something, and read just the answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include "bio_onion.h"
#include "hop_talk.h"

#define WHAT_SIZE 512

/* Text of the peer, printable and short. */
static void show(char shown[HOP_SHOWN_SIZE], const char *text, size_t len)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *data;
    long n;

    shown[0] = '\0';
    if (out == NULL)
        return;
    report_escape(out, text, len < HOP_SHOWN_SIZE ? len : HOP_SHOWN_SIZE);
    n = BIO_get_mem_data(out, &data);
    if (n >= HOP_SHOWN_SIZE - 4 || len >= HOP_SHOWN_SIZE)
        snprintf(shown, HOP_SHOWN_SIZE, "%.*s...", HOP_SHOWN_SIZE - 5, data);
    else
        snprintf(shown, HOP_SHOWN_SIZE, "%.*s", (int)n, data);
    BIO_free(out);
}

/*
 * The hop is made in the layer that we write in, even where the peer has just
 * closed it.
 */
static int say(CLIENT *c, int code, const char *what, const char *text,
               size_t len)
{
    char shown[HOP_SHOWN_SIZE] = "";

    if (len > 0)
        show(shown, text, len);
    return client_fail(c, client_report_layer(c, code,
                                              BIO_onion_write_depth(c->stack),
                                              len > 0 ? "%s: '%s'" : "%s",
                                              what, shown));
}

int hop_blame(CLIENT *c, const char *what, const char *text, size_t len)
{
    char line[WHAT_SIZE + 32];

    snprintf(line, sizeof(line), "the peer broke the protocol: %s", what);
    return say(c, TOOL_PROTOCOL, line, text, len);
}

int hop_refused(CLIENT *c, const char *what, const char *text, size_t len)
{
    return say(c, TOOL_REFUSED, what, text, len);
}

int hop_send(CLIENT *c, const void *data, size_t len)
{
    client_begin(c);
    while (BIO_write(c->stack, data, (int)len) <= 0)
        if (!client_again(c, "sending"))
            return 0;
    return 1;
}

int hop_say(CLIENT *c, const char *text)
{
    return hop_send(c, text, strlen(text));
}

/* Waits, or reports why that is of no use. */
static int again(CLIENT *c, const char *what)
{
    char line[WHAT_SIZE];

    snprintf(line, sizeof(line), "waiting for %s", what);
    return client_again(c, line);
}

int hop_unlike(CLIENT *c, const char *what)
{
    char line[WHAT_SIZE];

    snprintf(line, sizeof(line), "this is not %s", what);
    return hop_blame(c, line, c->line.data, c->line.len);
}

/* It ended where something was due, of which this has come. */
static int cut_off(CLIENT *c, const char *how, const char *what,
                   const char *text, size_t len)
{
    char line[WHAT_SIZE];

    snprintf(line, sizeof(line), "it %s where %s was due", how, what);
    if (len == 0)
        return hop_blame(c, line, NULL, 0);
    snprintf(line, sizeof(line), "it %s in the middle of %s", how, what);
    return hop_blame(c, line, text, len);
}

/* Lines
 * -----
 */

/* What has come of the line cannot become one that begins so. */
static int differs(const LINE *line, const char *begin)
{
    size_t n = strlen(begin);

    return line->len > 0
        && strncmp(line->data, begin, line->len < n ? line->len : n) != 0;
}

/* 1 to go on, 2 complete. */
static int near_line(CLIENT *c, size_t max, const char *begin,
                     const char *what)
{
    int result = client_poll_line(c, max);
    const LINE *l = &c->line;

    if (differs(l, begin) || (result == LINE_DONE && l->len < strlen(begin)))
        return hop_unlike(c, what);
    switch (result) {
    case LINE_DONE:
        return 2;
    case LINE_TOO_LONG:
        return hop_blame(c, "the line is too long", l->data, l->len);
    case LINE_END:
        return cut_off(c, "ended the connection", what, l->data, l->len);
    case LINE_BOUNDARY:
        return cut_off(c, "closed the layer", what, l->data, l->len);
    default:
        return again(c, what);
    }
}

int hop_line_like(CLIENT *c, size_t max, const char *begin, const char *what)
{
    int result;

    client_begin(c);
    line_clear(&c->line);
    do
        result = near_line(c, max, begin, what);
    while (result == 1);
    if (result != 2)
        return 0;
    /* In the place of the LF, or before it. */
    c->line.data[c->line.len] = '\0';
    if (strlen(c->line.data) != c->line.len)
        return hop_blame(c, "there is a NUL in the line", c->line.data,
                         c->line.len);
    return 1;
}

int hop_line(CLIENT *c, size_t max, const char *what)
{
    return hop_line_like(c, max, "", what);
}

/* Bytes
 * -----
 */

int hop_bytes(CLIENT *c, void *data, size_t len, const char *what)
{
    char *at = data;
    size_t had = 0;
    int n;

    while (had < len) {
        n = BIO_read(c->stack, at + had, (int)(len - had));
        if (n > 0)
            had += (size_t)n;
        else if (n < 0 || BIO_should_retry(c->stack)) {
            if (!again(c, what))
                return 0;
        } else {
            return cut_off(c, BIO_eof(c->stack) ? "ended the connection"
                                                : "closed the layer",
                           what, at, had);
        }
    }
    return 1;
}

int hop_nothing_more(CLIENT *c)
{
    char text[64];
    int n = BIO_read(c->stack, text, sizeof(text));

    if (n > 0)
        return hop_blame(c, "text behind its agreement to TLS, where only we "
                         "may speak; somebody may have injected it", text,
                         (size_t)n);
    if (BIO_should_retry(c->stack))
        return 1;
    if (n < 0)
        return client_again(c, "");
    return cut_off(c, BIO_eof(c->stack) ? "ended the connection"
                                        : "closed the layer",
                   "the start of TLS", text, 0);
}
