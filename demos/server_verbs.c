/*
 * server_verbs.c - what the server does for each line of the protocol.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdarg.h>
#include <stdio.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "server_verbs.h"
#include "tool_report.h"

static int say(STEPS *s, const char *fmt, ...) REPORT_FORMAT(2, 3);

static int say(STEPS *s, const char *fmt, ...)
{
    char text[256];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n >= (int)sizeof(text)) {
        n = (int)sizeof(text) - 1;
        text[n - 1] = '\n';
    }
    return n > 0 && steps_add_text(s, text, (size_t)n);
}

/* The content of a memory BIO and a newline; frees the BIO. */
static int say_mem(STEPS *s, BIO *mem)
{
    char *text;
    long len;
    int ok;

    if (mem == NULL || BIO_puts(mem, "\n") <= 0) {
        BIO_free(mem);
        return 0;
    }
    len = BIO_get_mem_data(mem, &text);
    ok = steps_add_text(s, text, (size_t)len);
    BIO_free(mem);
    return ok;
}

static int answer_text(STEPS *s, BIO *stack, const LINE *line)
{
    BIO *mem = BIO_new(BIO_s_mem());

    if (mem == NULL)
        return 0;
    BIO_printf(mem, "depth=%d ", BIO_onion_write_depth(stack));
    if (line->len > 0)
        BIO_write(mem, line->data, (int)line->len);
    return say_mem(s, mem);
}

/* The next layer as SSL, or NULL after an ERR line. */
static SSL *next_layer(STEPS *s, BIO *stack, const SERVER *server, int client)
{
    int layer = BIO_onion_write_depth(stack) + 1;
    int group = tls_group_of_layer(&server->tls, layer);
    SSL *ssl;

    if (BIO_onion_read_depth(stack) != layer - 1) {
        say(s, "ERR layer %d is not yet closed by the client\n", layer);
        return NULL;
    }
    if (layer > server->max_depth) {
        say(s, "ERR max-depth=%d\n", server->max_depth);
        return NULL;
    }
    if (!client && !tls_can_serve(&server->tls, group)) {
        say(s, "ERR no certificate for layer %d\n", layer);
        return NULL;
    }
    ssl = client ? tls_new_client(&server->tls, group, layer, NULL)
                 : tls_new_server(&server->tls, group, layer);
    if (ssl == NULL)
        say(s, "ERR cannot make layer %d: %s\n", layer, report_openssl());
    return ssl;
}

static int answer_start(STEPS *s, BIO *stack, const SERVER *server, int client)
{
    SSL *ssl = next_layer(s, stack, server, client);

    if (ssl == NULL)
        return 1;
    if (!say(s, "OK\n")) {
        SSL_free(ssl);
        return 0;
    }
    return steps_add_start(s, ssl) && steps_add(s, STEP_HANDSHAKE, 0);
}

/* The trailing line leaves with the close_notify: see STOPTLS+. */
static int stop_and_trail(STEPS *s, int depth)
{
    return steps_add(s, STEP_GATHER, 0) && say(s, "OK\n")
        && steps_add(s, STEP_STOP, depth)
        && say(s, "depth=%d trailing\n", depth)
        && steps_add(s, STEP_RELEASE, 0);
}

static int answer_stop(STEPS *s, BIO *stack, VERB verb)
{
    int depth = BIO_onion_write_depth(stack);

    if (depth == 0)
        return say(s, "ERR depth=0\n");
    /* Our side of the layer that this was read in is closed already. */
    if (BIO_onion_read_depth(stack) != depth)
        return say(s, "ERR layer %d is not yet closed by the client\n",
                   depth + 1);
    if (verb == VERB_STOPTLS_TRAILING)
        return stop_and_trail(s, depth - 1);
    return say(s, "OK\n")
        && steps_add(s, verb == VERB_STOPTLS ? STEP_STOP : STEP_DROP,
                     depth - 1);
}

static int answer_count(STEPS *s, BIO *stack, VERB verb, unsigned long count)
{
    if (count > LINE_MAX_COUNT)
        return say(s, "ERR at most %lu\n", LINE_MAX_COUNT);
    if (verb == VERB_MULTI)
        return steps_add_count(s, STEP_MULTI, count);
    return say(s, "depth=%d ", BIO_onion_write_depth(stack))
        && steps_add_count(s, STEP_BULK, count) && say(s, "\n");
}

static int answer_quit(STEPS *s, BIO *stack)
{
    return say(s, "BYE depth=%d\n", BIO_onion_write_depth(stack))
        && steps_add(s, STEP_STOP, 0) && steps_add(s, STEP_END, 0);
}

static int answer_drop_outer(STEPS *s, BIO *stack)
{
    if (BIO_onion_write_depth(stack) == 0)
        return say(s, "ERR depth=0\n");
    return steps_add(s, STEP_CLOSE_OUTER, 0) && steps_add(s, STEP_CUT, 0);
}

int verbs_answer(STEPS *s, BIO *stack, const SERVER *server, const LINE *line)
{
    unsigned long count = 0;
    VERB verb = line_verb(line->data, line->len, &count);

    switch (verb) {
    case VERB_CAPA:
        return say(s, LINE_CAPA "%d\n", server->max_depth);
    case VERB_STARTTLS:
    case VERB_RSTARTTLS:
        return answer_start(s, stack, server, verb == VERB_RSTARTTLS);
    case VERB_STOPTLS:
    case VERB_STOPTLS_TRAILING:
    case VERB_STOPTLS_DROP:
        return answer_stop(s, stack, verb);
    case VERB_BULK:
    case VERB_MULTI:
        return answer_count(s, stack, verb, count);
    case VERB_BAD_COUNT:
        return say(s, "ERR a number is needed\n");
    case VERB_INFO:
        return say_mem(s, line_info(stack, 0));
    case VERB_QUIT:
        return answer_quit(s, stack);
    case VERB_DROP:
        return steps_add(s, STEP_CUT, 0);
    case VERB_DROPOUTER:
        return answer_drop_outer(s, stack);
    default:
        return answer_text(s, stack, line);
    }
}

int verbs_refuse(STEPS *s, const char *why)
{
    return say(s, "ERR %s\n", why) && steps_add(s, STEP_STOP, 0)
        && steps_add(s, STEP_END, 0);
}
