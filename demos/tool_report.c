/*
 * tool_report.c - what the tools say when something fails, and exit with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "tool_report.h"

#define LINE_SIZE 1024

static const char *program = "onion";
static const char *place;   /* NULL: the command line */
static int hasty;           /* after report_without_waiting() */

void report_program(const char *name)
{
    program = name;
}

void report_without_waiting(void)
{
    hasty = 1;
}

int report_has_room(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) != 0;
}

void report_place(const char *where)
{
    place = where;
}

void report_escape(BIO *out, const char *text, size_t len)
{
    size_t i, start = 0;

    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= ' ' && c < 0x7f)
            continue;
        if (i > start)
            BIO_write(out, text + start, (int)(i - start));
        BIO_printf(out, c == '\t' ? "\\t" : "\\x%02x", c);
        start = i + 1;
    }
    if (len > start)
        BIO_write(out, text + start, (int)(len - start));
}

/* What is between :// and the last @ may be a password, wherever that is. */
const char *report_url(char shown[REPORT_URL_SIZE], const char *text)
{
    const char *at = strrchr(text, '@');
    const char *begin = strstr(text, "://");
    int scheme = begin != NULL ? (int)(begin - text) + 3 : 0;

    if (at != NULL && at >= text + scheme)
        snprintf(shown, REPORT_URL_SIZE, "%.*s...%s", scheme, text, at);
    else
        snprintf(shown, REPORT_URL_SIZE, "%s", text);
    return shown;
}

/* Nothing of a name may end the label, or move a terminal. */
const char *report_label(char out[REPORT_LABEL_SIZE], int layer,
                         const char *peer)
{
    char name[REPORT_LABEL_SIZE - 16];
    size_t i = 0;

    for (; peer != NULL && peer[i] != '\0' && i + 1 < sizeof(name); i++)
        name[i] = peer[i] > ' ' && peer[i] <= '~' ? peer[i] : '?';
    name[i] = '\0';
    snprintf(out, REPORT_LABEL_SIZE, "[%d%s%s] ", layer, i > 0 ? " " : "",
             name);
    return out;
}

static char last_text[LINE_SIZE];

const char *report_last(void)
{
    return last_text;
}

/* One write, so that lines of several processes do not mix. */
static void say(const char *who, const char *text)
{
    BIO *line = BIO_new(BIO_s_mem());
    char *data;
    long len;

    snprintf(last_text, sizeof(last_text), "%s%s%s", who != NULL ? who : "",
             who != NULL ? ": " : "", text);
    if (line == NULL)
        return;
    BIO_printf(line, "%s: ", program);
    if (place != NULL)
        BIO_printf(line, "%s: ", place);
    if (who != NULL)
        BIO_printf(line, "%s: ", who);
    report_escape(line, text, strlen(text));
    BIO_puts(line, "\n");
    len = BIO_get_mem_data(line, &data);
    fflush(stdout);
    if (!hasty || report_has_room(STDERR_FILENO)) {
        fwrite(data, 1, (size_t)len, stderr);
        fflush(stderr);
    }
    BIO_free(line);
}

int report(int code, const char *who, const char *fmt, ...)
{
    char text[LINE_SIZE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    say(who, text);
    return code;
}

int report_layer(int code, int layer, const char *peer, const char *fmt, ...)
{
    char label[REPORT_LABEL_SIZE], text[LINE_SIZE], line[LINE_SIZE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    snprintf(line, sizeof(line), "%s%s",
             report_label(label, layer, peer), text);
    say(NULL, line);
    return code;
}

static const char *reason_of(unsigned long error)
{
    const char *text;

    if (error == 0)
        return "no reason given";
    if (ERR_SYSTEM_ERROR(error))
        return strerror(ERR_GET_REASON(error));
    text = ERR_reason_error_string(error);
    return text != NULL ? text : "unknown error";
}

const char *report_openssl(void)
{
    const char *text = reason_of(ERR_peek_error());

    ERR_clear_error();
    return text;
}

/* How a reason of the library ends the program, and what its user may do. */
static const struct {
    int reason, code;
    const char *advice;
} verdicts[] = {
    { ONION_R_HANDSHAKE_FAILED, TOOL_TLS,
      "do both ends start TLS here, with versions, ciphers and certificates "
      "that suit both?" },
    { ONION_R_CERTIFICATE_REFUSED, TOOL_TLS,
      "see -CAfile and -verify_hostname of this layer" },
    { ONION_R_SESSION_MISMATCH, TOOL_TLS, "do not resume it" },
    { ONION_R_LAYER_FAILED, TOOL_TLS, "the other end may have logged why" },
    { ONION_R_BELOW_FAILED, TOOL_TLS, NULL },
    { ONION_R_TOO_MUCH_UNSENT, TOOL_TLS, NULL },
    { ONION_R_MIN_DEPTH, TOOL_CLOSED,
      "nothing more is sent; see -require_depth" },
    { ONION_R_TRUNCATED, TOOL_TRUNCATED,
      "what was read in it may be incomplete" },
    { ONION_R_TRANSPORT_FAILED, TOOL_NETWORK, NULL },
    { 0, TOOL_TLS, NULL }
};

/* What the user knows as -require_depth is a reason of many words there. */
static const char *words_of(unsigned long error, const char **cause)
{
    if (ERR_GET_REASON(error) != ONION_R_MIN_DEPTH)
        return reason_of(error);
    *cause = "";
    return "closed by the peer, but it had to stay";
}

static size_t verdict_of(int reason)
{
    size_t i = 0;

    while (verdicts[i].reason != 0 && verdicts[i].reason != reason)
        i++;
    return i;
}

/* SSL_is_init_finished() tells no more once the layer has failed. */
static int had_handshake(BIO *stack, int layer)
{
    SSL *ssl = BIO_onion_get0_ssl(stack, layer);
    char waste;

    return SSL_get_finished(ssl, &waste, 1) > 0
        && SSL_get_peer_finished(ssl, &waste, 1) > 0;
}

/* What failed first tells more than what failed because of it. */
static size_t verdict_on(BIO *stack, int last)
{
    int first, layer = BIO_onion_failed_layer(stack, &first);

    if (layer == 0 || last == ONION_R_TRANSPORT_FAILED)
        return verdict_of(last);
    /* A layer that ends before it began has lost nothing. */
    if (first == ONION_R_TRUNCATED && !had_handshake(stack, layer))
        return verdict_of(ONION_R_HANDSHAKE_FAILED);
    return verdict_of(first);
}

/* What the user may do, or NULL. */
static const char *advice_on(BIO *stack, size_t v)
{
    int layer = BIO_onion_failed_layer(stack, NULL);

    if (layer > 0 && verdicts[v].reason == ONION_R_CERTIFICATE_REFUSED
        && SSL_get_verify_result(BIO_onion_get0_ssl(stack, layer))
            == X509_V_ERR_APPLICATION_VERIFICATION)
        return "its public key is not one of -pin of this layer";
    return verdicts[v].advice;
}

/* What failed last, in the words of the library: its text, or "". */
static const char *text_of_last(unsigned long *error)
{
    const char *text = "";
    int flags = 0;

    *error = ERR_peek_last_error_all(NULL, NULL, NULL, &text, &flags);
    return (flags & ERR_TXT_STRING) != 0 ? text : "";
}

/* The layer that the library's text names, with the cause; else 0. */
static int layer_of_text(const char *text, const char **cause)
{
    const char *end = strstr(text, "): ");

    *cause = text;
    if (strncmp(text, "layer ", 6) != 0 || end == NULL)
        return 0;
    *cause = end + 3;
    return (int)strtol(text + 6, NULL, 10);
}

int report_stack_of(BIO *stack, REPORT_PEER *peer, void *arg)
{
    unsigned long error;
    const char *cause, *text = text_of_last(&error);
    int layer = layer_of_text(text, &cause);
    const char *who = peer(arg, layer), *advice, *words;
    size_t v;

    if (ERR_GET_LIB(error) != BIO_onion_error_library())
        return report_layer(TOOL_NETWORK, layer, who, "%s", report_openssl());
    v = verdict_on(stack, ERR_GET_REASON(error));
    advice = advice_on(stack, v);
    words = words_of(error, &cause);
    report_layer(verdicts[v].code, layer, who, "%s%s%s%s%s", words,
                 cause[0] != '\0' ? ": " : "", cause,
                 advice != NULL ? "; " : "", advice != NULL ? advice : "");
    ERR_clear_error();
    return verdicts[v].code;
}
