/*
 * server_request.c - reads the head of an HTTP/1 request: RFC 9112.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What two readers of a request could understand in two ways is refused.
 */

#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include "server_request.h"

void request_clear(REQUEST *r)
{
    line_free(&r->line);
    OPENSSL_free(r->method);
    OPENSSL_free(r->target);
    OPENSSL_clear_free(r->authorization, r->authorization != NULL
                       ? strlen(r->authorization) : 0);
    memset(r, 0, sizeof(*r));
}

int request_is_new(const REQUEST *r)
{
    return r->method == NULL && r->line.len == 0;
}

int request_keeps(const REQUEST *r)
{
    return !r->close && !r->has_body && (r->minor >= 1 || r->keep);
}

static int bad(REQUEST *r, int status)
{
    r->status = status;
    return 0;
}

/* Of RFC 9110, section 5.6.2. */
static int is_token(const char *text, size_t len)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    size_t i;

    for (i = 0; i < len; i++) {
        char c = text[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || memchr(others, c, sizeof(others) - 1) != NULL))
            return 0;
    }
    return len > 0;
}

/* No control character but a tab: a bare CR, a NUL. */
static int is_text(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return 0;
    }
    return 1;
}

/* The first line
 * --------------
 */

static int version(REQUEST *r, const char *text, size_t len)
{
    if (len != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.')
        return bad(r, 400);
    if (text[5] != '1' || text[7] < '0' || text[7] > '9')
        return bad(r, 505);
    r->minor = text[7] - '0';
    return 1;
}

/* Exactly one space between the words: that is what is sent. */
static int first_line(REQUEST *r, const char *text, size_t len)
{
    const char *end = text + len;
    const char *target = memchr(text, ' ', len);
    const char *last = NULL;

    if (target != NULL)
        last = memchr(target + 1, ' ', (size_t)(end - target) - 1);
    if (last == NULL)
        return bad(r, 400);
    target++;
    last++;
    if (last - target < 2
        || !is_token(text, (size_t)(target - text) - 1))
        return bad(r, 400);
    if (!version(r, last, (size_t)(end - last)))
        return 0;
    r->method = OPENSSL_strndup(text, (size_t)(target - text) - 1);
    r->target = OPENSSL_strndup(target, (size_t)(last - target) - 1);
    return (r->method != NULL && r->target != NULL) || bad(r, 500);
}

/* The fields
 * ----------
 */

static int field_host(REQUEST *r, const char *value)
{
    (void)value;
    if (r->has_host)
        return bad(r, 400);
    r->has_host = 1;
    return 1;
}

static int field_connection(REQUEST *r, const char *value)
{
    while (*value != '\0') {
        size_t len = strcspn(value, ", \t");

        if (len == 5 && strncasecmp(value, "close", len) == 0)
            r->close = 1;
        if (len == 10 && strncasecmp(value, "keep-alive", len) == 0)
            r->keep = 1;
        value += len;
        value += strspn(value, ", \t");
    }
    return 1;
}

static int field_length(REQUEST *r, const char *value)
{
    size_t digits = strspn(value, "0123456789");

    if (digits == 0 || value[digits] != '\0')
        return bad(r, 400);
    if (strspn(value, "0") != digits)
        r->has_body = 1;
    return 1;
}

static int field_coding(REQUEST *r, const char *value)
{
    (void)value;
    r->has_body = 1;
    return 1;
}

static int field_authorization(REQUEST *r, const char *value)
{
    if (r->authorization != NULL)
        return bad(r, 400);
    r->authorization = OPENSSL_strdup(value);
    return r->authorization != NULL || bad(r, 500);
}

static const struct {
    const char *name;
    int (*take)(REQUEST *r, const char *value);
} fields[] = {
    { "Host", field_host },
    { "Connection", field_connection },
    { "Content-Length", field_length },
    { "Transfer-Encoding", field_coding },
    { "Proxy-Authorization", field_authorization }
};

static int field(REQUEST *r, char *text, size_t len)
{
    char *value = memchr(text, ':', len);
    size_t i, name;

    if (value == NULL || !is_token(text, (size_t)(value - text)))
        return bad(r, 400);
    name = (size_t)(value - text);
    while (len > name + 1 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    text[len] = '\0';
    value++;
    value += strspn(value, " \t");
    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (strlen(fields[i].name) == name
            && strncasecmp(fields[i].name, text, name) == 0)
            return fields[i].take(r, value);
    return 1;
}

/* The head
 * --------
 */

/* 1: the head is complete. 0: it goes on, or is bad, with the status set. */
static int take_line(REQUEST *r)
{
    char *text = r->line.data;
    size_t len = r->line.len;

    if (!is_text(text, len))
        return bad(r, 400);
    if (++r->lines > REQUEST_LINES_MAX)
        return bad(r, 431);
    if (r->method == NULL) {
        /* An empty line may precede it: RFC 9112, section 2.2. */
        if (len > 0)
            first_line(r, text, len);
        return 0;
    }
    if (len > 0)
        return field(r, text, len) && 0;
    return r->minor == 0 || r->has_host || bad(r, 400);
}

static REQUEST_RESULT bad_result(REQUEST *r, int status)
{
    r->status = status;
    return REQUEST_BAD;
}

static REQUEST_RESULT at_end(REQUEST *r)
{
    return request_is_new(r) ? REQUEST_END : bad_result(r, 400);
}

/* A connection that waits holds no buffer. */
static REQUEST_RESULT wait_for_more(REQUEST *r)
{
    if (r->line.len == 0)
        line_free(&r->line);
    return REQUEST_WAIT;
}

REQUEST_RESULT request_read(REQUEST *r, BIO *stack)
{
    int done;

    r->line.max = REQUEST_LINE_MAX;
    for (;;) {
        switch (line_read(&r->line, stack)) {
        case LINE_DONE:
            break;
        case LINE_WAIT:
            return wait_for_more(r);
        case LINE_BOUNDARY:
        case LINE_END:
            return at_end(r);
        case LINE_TOO_LONG:
            return bad_result(r, r->method == NULL ? 414 : 431);
        default:
            return REQUEST_FAILED;
        }
        done = take_line(r);
        line_clear(&r->line);
        if (r->status != 0)
            return REQUEST_BAD;
        if (done)
            return REQUEST_DONE;
    }
}
