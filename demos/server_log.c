/*
 * server_log.c - a line for each connection and each layer that has ended.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "server_conn.h"
#include "server_layer.h"

#define SENTENCE_SIZE 512
/* A pipe takes so much as a whole, or nothing. */
#define LINE_SIZE 4096

/* The file
 * --------
 */

static int is_stderr(const LOG *log)
{
    return strcmp(log->file, "-") == 0;
}

/* Once, until it works again. */
static void complain(LOG *log, const char *what)
{
    if (!log->failed)
        report(TOOL_USAGE, NULL, "cannot %s the log %s: %s", what, log->file,
               strerror(errno));
    log->failed = 1;
}

int log_open(LOG *log)
{
    log->fd = -1;
    if (log->file == NULL)
        return 1;
    log->fd = is_stderr(log) ? STDERR_FILENO
                             : open(log->file, O_WRONLY | O_APPEND | O_CREAT
                                    | O_CLOEXEC | O_NONBLOCK, 0640);
    if (log->fd == -1) {
        complain(log, "open");
        return 0;
    }
    log->failed = 0;
    return 1;
}

void log_close(LOG *log)
{
    if (log->file != NULL && log->fd != -1 && !is_stderr(log))
        close(log->fd);
    log->fd = -1;
}

void log_reopen(LOG *log)
{
    if (!log_is_kept(log))
        return;
    log_close(log);
    log_open(log);
}

int log_is_kept(const LOG *log)
{
    return log->file != NULL;
}

/* A line
 * ------
 */

static void put_quoted(BIO *line, const char *name, const char *text)
{
    const char *p;

    BIO_printf(line, " %s=\"", name);
    for (p = text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            BIO_puts(line, "\\");
        report_escape(line, p, 1);
    }
    BIO_puts(line, "\"");
}

static BIO *begin_line(const char *what)
{
    BIO *line = BIO_new(BIO_s_mem());
    time_t now = time(NULL);
    struct tm tm;
    char text[32];

    if (line == NULL || gmtime_r(&now, &tm) == NULL)
        return line;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    BIO_printf(line, "%s %s", text, what);
    return line;
}

/* One write, so that the lines of several processes do not mix. */
static int write_line(LOG *log, char *text, size_t len)
{
    if (len > LINE_SIZE) {
        len = LINE_SIZE;
        text[len - 1] = '\n';
    }
    /* The descriptor of stderr is not ours alone: it may block. */
    if (is_stderr(log) && !report_has_room(log->fd)) {
        errno = EAGAIN;
        return 0;
    }
    return write(log->fd, text, len) == (ssize_t)len;
}

static void not_written(LOG *log)
{
    int full = errno == EAGAIN || errno == EWOULDBLOCK;

    log->lost += full;
    if (!full || !is_stderr(log))
        complain(log, "write");
}

/* 1 if no line is lost, or that is told. */
static int tell_lost(LOG *log)
{
    BIO *line = log->lost > 0 ? begin_line("lost") : NULL;
    char *text;
    long len;

    if (line == NULL)
        return log->lost == 0;
    BIO_printf(line, " lines=%lu\n", log->lost);
    len = BIO_get_mem_data(line, &text);
    if (write_line(log, text, (size_t)len))
        log->lost = 0;
    BIO_free(line);
    return log->lost == 0;
}

static void end_line(LOG *log, BIO *line)
{
    char *text;
    long len;

    if (line != NULL && log->fd != -1) {
        BIO_puts(line, "\n");
        len = BIO_get_mem_data(line, &text);
        if (tell_lost(log) && write_line(log, text, (size_t)len))
            log->failed = 0;
        else
            not_written(log);
    }
    BIO_free(line);
}

/* What ended the layer. Its failure is the stack's to know. */
static const char *layer_end(BIO *stack, int layer, const SSL *ssl)
{
    int reason, failed = BIO_onion_failed_layer(stack, &reason);
    int closed = SSL_get_shutdown(ssl);

    if (failed == layer)
        return stats_reason(reason);
    if (failed != 0 && failed < layer)
        return "a layer outside it failed";
    if (closed == (SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN))
        return "closed by both";
    if (closed == SSL_SENT_SHUTDOWN)
        return "closed by the server";
    return closed == SSL_RECEIVED_SHUTDOWN ? "closed by the client"
                                           : "left open";
}

void log_layer(const CONN *c, int layer, SSL *ssl)
{
    LOG *log = &c->server->log;
    char text[LAYER_TEXT_SIZE];
    BIO *line;

    if (!log_is_kept(log) || !c->counted)
        return;
    line = begin_line("layer");
    if (line == NULL)
        return;
    BIO_printf(line, " conn=%lu layer=%d role=%s version=%s cipher=%s",
               c->number, layer, layer_role(ssl), SSL_get_version(ssl),
               SSL_get_cipher_name(ssl));
    put_quoted(line, "name", layer_name(ssl, text));
    BIO_printf(line, " resumed=%s early=%s",
               SSL_session_reused(ssl) ? "yes" : "no", layer_early(ssl));
    put_quoted(line, "subject", layer_subject(ssl, text));
    put_quoted(line, "end", layer_end(c->stack, layer, ssl));
    end_line(log, line);
}

void log_conn(const CONN *c)
{
    LOG *log = &c->server->log;
    BIO *line;

    if (!log_is_kept(log) || (line = begin_line("conn")) == NULL)
        return;
    BIO_printf(line, " conn=%lu peer=%s mode=%s", c->number, c->name,
               c->mode->name);
    if (c->target != NULL)
        put_quoted(line, "target", c->target);
    BIO_printf(line, " in=%" PRIu64 " out=%" PRIu64 " seconds=%.3f", c->in,
               c->out, (double)(net_now() - c->since) / 1000);
    put_quoted(line, "end", c->how != NULL ? c->how : "done");
    end_line(log, line);
}

void log_refused(LOG *log, const char *peer, const char *why)
{
    BIO *line = log_is_kept(log) ? begin_line("refused") : NULL;

    if (line == NULL)
        return;
    BIO_printf(line, " peer=%s", peer);
    put_quoted(line, "end", why);
    end_line(log, line);
}

/* How it ended
 * ------------
 */

char *log_sentence(int depth, const char *text)
{
    char sentence[SENTENCE_SIZE];

    if (depth < 0)
        return OPENSSL_strdup(text);
    if (depth == 0)
        snprintf(sentence, sizeof(sentence), "in the clear: %s", text);
    else
        snprintf(sentence, sizeof(sentence), "layer %d: %s", depth, text);
    return OPENSSL_strdup(sentence);
}

/* The text of the library names the layer. */
char *log_stack_sentence(void)
{
    const char *text = "", *reason;
    char sentence[SENTENCE_SIZE];
    int flags;
    unsigned long error = ERR_peek_last_error_all(NULL, NULL, NULL, &text,
                                                  &flags);

    if (ERR_GET_LIB(error) != BIO_onion_error_library())
        return OPENSSL_strdup(report_openssl());
    reason = ERR_reason_error_string(error);
    snprintf(sentence, sizeof(sentence), "%s: %s",
             reason != NULL ? reason : "failed",
             (flags & ERR_TXT_STRING) != 0 ? text : "");
    return OPENSSL_strdup(sentence);
}
