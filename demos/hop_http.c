/*
 * hop_http.c - the head of an HTTP/1 response, up to its empty line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "hop_http.h"
#include "hop_talk.h"

/* What is left of the limits. */
typedef struct allowance_st {
    size_t bytes;
    int lines;
} ALLOWANCE;

/* Fields
 * ------
 */

#define SPACE       " \t"
/* What RFC 9110, section 5.6.2 calls a token. */
#define TOKEN \
    "!#$%&'*+-.^_`|~0123456789" \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

int http_is_field(const char *text)
{
    size_t name = strspn(text, TOKEN);
    const unsigned char *p = (const unsigned char *)text + name;

    if (name == 0 || *p != ':')
        return 0;
    while (*++p != '\0')
        if ((*p < ' ' && *p != '\t') || *p == 0x7f)
            return 0;
    return 1;
}

int http_field_is(const char *field, const char *name)
{
    size_t n = strlen(name);

    return strncasecmp(field, name, n) == 0 && field[n] == ':';
}

static void add_scheme(HTTP_HEAD *head, const char *name, size_t len)
{
    size_t had = strlen(head->schemes), left = sizeof(head->schemes) - had;

    if (len == strlen("Basic") && strncasecmp(name, "Basic", len) == 0)
        head->basic = 1;
    if (len + sizeof(", ") <= left)
        snprintf(head->schemes + had, left, "%s%.*s", had > 0 ? ", " : "",
                 (int)len, name);
}

/* Up to the comma behind an element, none of whose quotes holds it. */
static const char *skip_element(const char *p)
{
    int quoted = 0;

    for (; *p != '\0' && (quoted || *p != ','); p++)
        if (quoted && *p == '\\' && p[1] != '\0')
            p++;
        else if (*p == '"')
            quoted = !quoted;
    return p;
}

/* Of an authentication field's value, RFC 9110 section 11.6.1. */
static void add_schemes(HTTP_HEAD *head, const char *value)
{
    while (*value != '\0') {
        const char *next;
        size_t len;

        value += strspn(value, SPACE ",");
        len = strspn(value, TOKEN);
        next = value + len + strspn(value + len, SPACE);
        /* "name=value" is a parameter of the scheme before it. */
        if (len > 0 && *next != '=')
            add_scheme(head, value, len);
        value = skip_element(value);
    }
}

/* The head
 * --------
 */

static int spend(CLIENT *c, ALLOWANCE *left)
{
    if (c->line.len >= left->bytes || left->lines == 0)
        return hop_blame(c, "the head of its response has more than 64 KiB "
                            "or 100 lines", NULL, 0);
    left->bytes -= c->line.len + 1;
    left->lines--;
    return 1;
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 Connection established" */
static int parse_status(HTTP_HEAD *head, const char *line)
{
    const char *p = line + strlen("HTTP/1.");

    if (!is_digit(p[0]) || p[1] != ' ' || p[2] < '1' || p[2] > '5'
        || !is_digit(p[3]) || !is_digit(p[4])
        || (p[5] != ' ' && p[5] != '\0'))
        return 0;
    head->status = (p[2] - '0') * 100 + (p[3] - '0') * 10 + (p[4] - '0');
    snprintf(head->reason, sizeof(head->reason), "%s",
             p + 5 + strspn(p + 5, " "));
    head->schemes[0] = '\0';
    head->basic = 0;
    return 1;
}

static int read_status(CLIENT *c, HTTP_HEAD *head, ALLOWANCE *left,
                       const char *what)
{
    if (!hop_line_like(c, left->bytes, "HTTP/1.", what) || !spend(c, left))
        return 0;
    return parse_status(head, c->line.data)
        || hop_unlike(c, what);
}

/* 1 to go on, 2 for the empty line. */
static int read_field(CLIENT *c, HTTP_HEAD *head, ALLOWANCE *left)
{
    const char *line;

    if (!hop_line(c, left->bytes, "the rest of its response's head")
        || !spend(c, left))
        return 0;
    line = c->line.data;
    if (line[0] == '\0')
        return 2;
    /* A line that goes on from the one before, as RFC 9112 5.2 suffers it. */
    if (strspn(line, SPACE) > 0)
        return 1;
    if (!http_is_field(line))
        return hop_unlike(c, "a field of an HTTP head");
    if (http_field_is(line, "Proxy-Authenticate"))
        add_schemes(head, strchr(line, ':') + 1);
    return 1;
}

/* One head, be it a final one or not. */
static int read_head(CLIENT *c, HTTP_HEAD *head, ALLOWANCE *left,
                     const char *what)
{
    int result;

    if (!read_status(c, head, left, what))
        return 0;
    do
        result = read_field(c, head, left);
    while (result == 1);
    return result == 2;
}

int http_head(CLIENT *c, HTTP_HEAD *head, const char *what)
{
    ALLOWANCE left = { HTTP_HEAD_MAX, HTTP_LINES_MAX };

    do {
        if (!read_head(c, head, &left, what))
            return 0;
        if (head->status == 101)
            return hop_blame(c, "it switches to a protocol that nobody "
                                "asked for (101)", NULL, 0);
    } while (head->status < 200);
    return 1;
}
