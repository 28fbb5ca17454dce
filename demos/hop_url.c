/*
 * hop_url.c - the URLs of -via and -dest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include "hop_url.h"
#include "tool_report.h"

/* A part of the text. */
typedef struct piece_st {
    const char *at;
    size_t len;
} PIECE;

static const struct {
    const char *begin;
    int scheme;
    const char *port;       /* NULL: it must be given */
} schemes[] = {
    { "https://", URL_HTTPS, "443" },
    { "http://", URL_HTTP, "80" },
    { "tcp://", URL_TCP, NULL }
};

#define SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

static int bad_url(const char *option, const char *text, const char *what)
{
    char shown[REPORT_URL_SIZE];

    report(TOOL_USAGE, NULL, "-%s %s: %s", option, report_url(shown, text),
           what);
    return 0;
}

/* The name must have a place in a NET_PLACE, and the port be a number. */
static int copy(char *out, size_t size, PIECE from)
{
    if (from.len >= size)
        return 0;
    memcpy(out, from.at, from.len);
    out[from.len] = '\0';
    return 1;
}

static int hex_digit(char c)
{
    return OPENSSL_hexchar2int((unsigned char)c);
}

/* Decodes %XX. No byte of the result ends or breaks a line of a protocol. */
static int decode(char *out, size_t size, PIECE from)
{
    size_t i, n = 0;

    for (i = 0; i < from.len && n + 1 < size; i++) {
        int c = (unsigned char)from.at[i];

        if (c == '%') {
            if (i + 2 >= from.len || hex_digit(from.at[i + 1]) < 0
                || hex_digit(from.at[i + 2]) < 0)
                return 0;
            c = hex_digit(from.at[i + 1]) * 16 + hex_digit(from.at[i + 2]);
            i += 2;
        }
        if (c < ' ' || c == 0x7f)
            return 0;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return i == from.len;
}

static const char *parse_user(HOP_URL *url, PIECE user)
{
    const char *colon = memchr(user.at, ':', user.len);
    PIECE password = { user.at + user.len, 0 };

    url->has_user = 1;
    if (colon != NULL) {
        password.at = colon + 1;
        password.len = user.len - (size_t)(password.at - user.at);
        user.len = (size_t)(colon - user.at);
    }
    if (decode(url->user, sizeof(url->user), user)
        && decode(url->password, sizeof(url->password), password))
        return NULL;
    return "the user or password is too long, holds a control character, or a "
           "% that is not followed by two hexadecimal digits (%25 is a %)";
}

static const char *parse_port(char *out, size_t size, PIECE port)
{
    unsigned long n = 0;
    size_t i;

    for (i = 0; i < port.len && port.at[i] >= '0' && port.at[i] <= '9'; i++)
        n = n > 65535 ? n : n * 10 + (unsigned long)(port.at[i] - '0');
    if (i < port.len || n < 1 || n > 65535)
        return "the port is not a number from 1 to 65535";
    snprintf(out, size, "%lu", n);
    return NULL;
}

static const char *parse_address(char *out, size_t size, PIECE address)
{
    unsigned char digits[16];

    if (copy(out, size, address) && inet_pton(AF_INET6, out, digits) == 1)
        return NULL;
    return "what is in the brackets is no IPv6 address";
}

static const char *parse_name(char *out, size_t size, PIECE name)
{
    size_t i;

    if (name.len == 0)
        return "there is no host in it";
    for (i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];

        if (c >= 0x80)
            return "the host is not ASCII; give its xn-- form";
        if (c == ':')
            return "an IPv6 address needs brackets, [::1]";
        if (strchr("-._", c) == NULL && !((c >= '0' && c <= '9')
            || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return "the host has a character that no host has";
    }
    return copy(out, size, name) ? NULL : "the host is longer than 255 bytes";
}

/* host, host:port, [address] or [address]:port. */
static const char *parse_place(HOP_URL *url, PIECE place, const char *port)
{
    int bracket = place.len > 0 && place.at[0] == '[';
    const char *end = bracket ? memchr(place.at, ']', place.len) : NULL;
    size_t skip = (size_t)bracket, used, len;
    const char *wrong;

    if (bracket && end == NULL)
        return "a bracket is not closed";
    for (len = skip; len < place.len; len++)
        if (bracket ? place.at + len == end : place.at[len] == ':')
            break;
    /* More than one colon: no port, but an address. */
    if (!bracket && len + 1 < place.len
        && memchr(place.at + len + 1, ':', place.len - len - 1) != NULL)
        len = place.len;
    used = len + skip;
    wrong = (bracket ? parse_address : parse_name)
        (url->place.host, sizeof(url->place.host),
         (PIECE){ place.at + skip, len - skip });
    if (wrong != NULL)
        return wrong;
    if (used < place.len && place.at[used] != ':')
        return "only :port may follow the bracket";
    if (used < place.len)
        return parse_port(url->place.port, sizeof(url->place.port),
                          (PIECE){ place.at + used + 1,
                                   place.len - used - 1 });
    if (port == NULL)
        return "it needs a port";
    snprintf(url->place.port, sizeof(url->place.port), "%s", port);
    return NULL;
}

static const char *parse_rest(HOP_URL *url, const char *text, const char *port,
                              int allowed)
{
    size_t len = strcspn(text, "/?#");
    PIECE place = { text, len };
    size_t i = len;

    while (i > 0 && text[i - 1] != '@')
        i--;
    place.at += i;
    place.len -= i;
    if (strcmp(text + len, "") != 0 && strcmp(text + len, "/") != 0)
        return "nothing may follow host and port (in a user or password, / is "
               "%2F, ? is %3F, # is %23)";
    if (i > 0 && !(allowed & URL_USER))
        return "it takes no user";
    if (i > 0) {
        const char *wrong = parse_user(url, (PIECE){ text, i - 1 });

        if (wrong != NULL)
            return wrong;
    }
    return parse_place(url, place, port);
}

int url_parse(HOP_URL *url, const char *option, const char *text, int allowed)
{
    const char *wrong;
    size_t i = 0;

    memset(url, 0, sizeof(*url));
    while (i < SCHEMES
           && (!(schemes[i].scheme & allowed)
               || strncasecmp(text, schemes[i].begin,
                              strlen(schemes[i].begin)) != 0))
        i++;
    if (i == SCHEMES)
        return bad_url(option, text, (allowed & URL_TCP) != 0
                       ? "it begins with https:// or tcp://"
                       : "it begins with https:// or http://");
    url->scheme = schemes[i].scheme;
    wrong = parse_rest(url, text + strlen(schemes[i].begin), schemes[i].port,
                       allowed);
    return wrong == NULL || bad_url(option, text, wrong);
}

void url_place(char place[URL_PLACE_SIZE], const char *host, const char *port)
{
    snprintf(place, URL_PLACE_SIZE,
             strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}
