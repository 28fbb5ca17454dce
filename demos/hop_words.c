/*
 * hop_words.c - STARTTLS where a reply begins with a word.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 9051 (IMAP), RFC 2595 (POP3), RFC 5804 (ManageSieve).
 */

#include <stdlib.h>
#include <string.h>
#include "hop_protocols.h"
#include "hop_talk.h"

static int refused(CLIENT *c, const char *what)
{
    return hop_refused(c, what, c->line.data, c->line.len);
}

/* IMAP
 * ----
 */

static int imap_greeting(CLIENT *c)
{
    if (!hop_line_like(c, HOP_LINE_MAX, "* ", "the greeting of an IMAP server"))
        return 0;
    if (hop_first_is(c->line.data + 2, "OK"))
        return 1;
    if (hop_first_is(c->line.data + 2, "PREAUTH"))
        return refused(c, "STARTTLS comes too late for the IMAP server");
    return hop_first_is(c->line.data + 2, "BYE")
        ? refused(c, "the IMAP server does not serve")
        : hop_unlike(c, "the greeting of an IMAP server");
}

/*
 * Lines up to the one with our tag: 1 for its OK. *offered becomes 1 if
 * STARTTLS is among the capabilities.
 */
static int imap_reply(CLIENT *c, const char *tag, const char *what,
                      int *offered)
{
    size_t n = strlen(tag);
    int lines = 0;

    for (;;) {
        const char *line;

        if (lines++ == HOP_LINES_MAX)
            return hop_blame(c, "a reply of more than 100 lines", NULL, 0);
        if (!hop_line(c, HOP_LINE_MAX, what))
            return 0;
        line = c->line.data;
        if (strncmp(line, tag, n) == 0 && hop_first_is(line + n, "OK"))
            return 1;
        if (strncmp(line, tag, n) == 0)
            return refused(c, "the IMAP server refused");
        if (strncmp(line, "* ", 2) != 0)
            return hop_unlike(c, what);
        if (hop_first_is(line + 2, "BYE"))
            return refused(c, "the IMAP server serves no more");
        if (hop_first_is(line + 2, "CAPABILITY")
            && hop_has_word(line + 2, "STARTTLS"))
            *offered = 1;
    }
}

int hop_imap(CLIENT *c, const char *name)
{
    int offered = 0;

    (void)name;
    if (!imap_greeting(c) || !hop_say(c, "a CAPABILITY\r\n")
        || !imap_reply(c, "a ", "the reply to CAPABILITY", &offered))
        return 0;
    if (!offered)
        return hop_refused(c, "the IMAP server offers no STARTTLS", "", 0);
    return hop_say(c, "b STARTTLS\r\n")
        && imap_reply(c, "b ", "the reply to STARTTLS", &offered);
}

/* POP3
 * ----
 */

/* 1 for +OK, 2 for -ERR. */
static int pop3_reply(CLIENT *c, const char *what)
{
    if (!hop_line(c, HOP_LINE_MAX, what))
        return 0;
    if (hop_first_is(c->line.data, "+OK"))
        return 1;
    return hop_first_is(c->line.data, "-ERR") ? 2 : hop_unlike(c, what);
}

int hop_pop3(CLIENT *c, const char *name)
{
    int result = pop3_reply(c, "the greeting of a POP3 server");

    (void)name;
    if (result == 2)
        return refused(c, "the POP3 server does not serve");
    if (result == 0 || !hop_say(c, "CAPA\r\n"))
        return 0;
    result = pop3_reply(c, "the reply to CAPA");
    /* A server from before RFC 2449 has no list, but may have STLS. */
    if (result == 0
        || (result == 1
            && !hop_offers(c, "STLS", "the POP3 server offers no STLS"))
        || !hop_say(c, "STLS\r\n"))
        return 0;
    result = pop3_reply(c, "the reply to STLS");
    if (result == 2)
        return refused(c, "the POP3 server refused STLS");
    return result;
}

/* ManageSieve
 * -----------
 */

#define LITERAL_MAX     65536UL

/* The number in a "{n}" or "{n+}" that ends the line: bytes behind it. */
static int literal(const CLIENT *c, unsigned long *n)
{
    const char *open = strrchr(c->line.data, '{');
    char *end;

    if (open == NULL || open[1] < '0' || open[1] > '9')
        return 0;
    *n = strtoul(open + 1, &end, 10);
    return strcmp(end, "}") == 0 || strcmp(end, "+}") == 0;
}

static int skip(CLIENT *c, unsigned long n)
{
    char waste[512];

    if (n > LITERAL_MAX)
        return hop_blame(c, "a string of more than 64 KiB", NULL, 0);
    client_begin(c);
    while (n > 0) {
        size_t some = n < sizeof(waste) ? n : sizeof(waste);

        if (!hop_bytes(c, waste, some, "the rest of a string"))
            return 0;
        n -= some;
    }
    return 1;
}

/* The strings that belong to the line, and the line's own rest after each. */
static int skip_literals(CLIENT *c)
{
    unsigned long n;
    int strings = 0;

    while (literal(c, &n)) {
        if (strings++ == HOP_LINES_MAX)
            return hop_blame(c, "a line of more than 100 strings", NULL, 0);
        if (!skip(c, n) || !hop_line(c, HOP_LINE_MAX, "the rest of a line"))
            return 0;
    }
    return 1;
}

/* 1 to go on, 2 for OK. */
static int sieve_line(CLIENT *c, const char *what, int *offered)
{
    const char *line;
    int result = 1;

    if (!hop_line(c, HOP_LINE_MAX, what))
        return 0;
    line = c->line.data;
    if (hop_first_is(line, "NO") || hop_first_is(line, "BYE"))
        return refused(c, "the sieve server refused");
    if (hop_first_is(line, "OK"))
        result = 2;
    else if (line[0] != '"' && line[0] != '{')
        return hop_unlike(c, what);
    else if (hop_first_is(line, "\"STARTTLS\""))
        *offered = 1;
    return skip_literals(c) ? result : 0;
}

static int sieve_reply(CLIENT *c, const char *what, int *offered)
{
    int result = 1, lines = 0;

    while (result == 1) {
        if (lines++ == HOP_LINES_MAX)
            return hop_blame(c, "a reply of more than 100 lines", NULL, 0);
        result = sieve_line(c, what, offered);
    }
    return result == 2;
}

int hop_sieve(CLIENT *c, const char *name)
{
    int offered = 0;

    (void)name;
    if (!sieve_reply(c, "the greeting of a sieve server", &offered))
        return 0;
    if (!offered)
        return hop_refused(c, "the sieve server offers no STARTTLS", "", 0);
    return hop_say(c, "STARTTLS\r\n")
        && sieve_reply(c, "the reply to STARTTLS", &offered);
}
