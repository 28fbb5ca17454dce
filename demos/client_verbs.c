/*
 * client_verbs.c - the client's part in each verb of the line protocol.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "client_state.h"
#include "client_verbs.h"
#include "tool_report.h"

/* How much of a line is shown in a report. */
#define SHOWN_LENGTH    200
/* A reply may be longer than expected by so much, to be reported well. */
#define SLACK           4096

/* The verb under way. */
typedef struct turn_st {
    CLIENT *c;
    const char *text;       /* the line */
    size_t len;
    unsigned long count;    /* of BULK and MULTI */
    int depth;              /* at which the line is written */
} TURN;

/* Replies
 * -------
 */

static int shown_length(size_t len)
{
    return len > SHOWN_LENGTH ? SHOWN_LENGTH : (int)len;
}

/* The reply is not what it must be. */
static int wrong(TURN *t, const char *must, size_t must_len)
{
    const LINE *l = &t->c->line;

    if (line_is_refusal(l->data, l->len)) {
        client_report_layer(t->c, TOOL_REFUSED, t->depth, "the peer refused "
                            "'%.*s': %.*s", shown_length(t->len), t->text,
                            shown_length(l->len), l->data);
        return client_fail(t->c, TOOL_REFUSED);
    }
    client_report_layer(t->c, TOOL_PROTOCOL, t->depth, "the reply to '%.*s' "
                        "must be '%.*s', but is '%.*s'", shown_length(t->len),
                        t->text, shown_length(must_len), must,
                        shown_length(l->len), l->data);
    return client_fail(t->c, TOOL_PROTOCOL);
}

/* Takes a reply that must be the len bytes at must, if anybody checks. */
static int expect(TURN *t, const char *must, size_t len)
{
    CLIENT *c = t->c;

    if (!client_receive(c, c->strict ? len + SLACK
                                     : len + VERBS_ANY_LENGTH))
        return 0;
    client_show(c);
    if (!c->strict) {
        c->refused |= line_is_refusal(c->line.data, c->line.len);
        return 1;
    }
    if (c->line.len == len && memcmp(c->line.data, must, len) == 0)
        return 1;
    return wrong(t, must, len);
}

static int expect_text(TURN *t, const char *must)
{
    return expect(t, must, strlen(must));
}

/* The content of a memory BIO, which it frees. */
static int expect_mem(TURN *t, BIO *mem)
{
    char *must;
    long len;
    int result;

    if (mem == NULL)
        return client_fail(t->c, TOOL_NETWORK);
    len = BIO_get_mem_data(mem, &must);
    result = expect(t, must, (size_t)len);
    BIO_free(mem);
    return result;
}

/*
 * A reply that decides what happens here: 1 for OK, 0 for ERR. -1 if it is
 * neither, or did not come.
 */
static int ask(TURN *t)
{
    CLIENT *c = t->c;

    if (!client_receive(c, SLACK))
        return -1;
    client_show(c);
    /* What the peer agrees to, it agrees to where it was asked. */
    if (BIO_onion_write_depth(c->stack) != t->depth) {
        client_blame(c, "a reply outside the layer of its question");
        return -1;
    }
    if (c->line.len == 2 && memcmp(c->line.data, "OK", 2) == 0)
        return 1;
    if (line_is_refusal(c->line.data, c->line.len))
        return 0;
    wrong(t, "OK", 2);
    return -1;
}

/* After ERR: 1 to go on, which nobody must do who believes to be protected. */
static int refused(TURN *t, int go_on)
{
    if (t->c->strict || !go_on)
        return wrong(t, "OK", 2);
    t->c->refused = 1;
    return 1;
}

/* An ERR that the protocol demands. */
static int expect_refusal(TURN *t)
{
    CLIENT *c = t->c;

    if (!client_receive(c, SLACK))
        return 0;
    client_show(c);
    if (!line_is_refusal(c->line.data, c->line.len))
        return wrong(t, "ERR", 3);
    c->refused |= !c->strict;
    return 1;
}

/* Verbs
 * -----
 */

static int do_text(TURN *t)
{
    BIO *mem = BIO_new(BIO_s_mem());

    if (mem != NULL) {
        BIO_printf(mem, "depth=%d ", t->depth);
        if (t->len > 0)
            BIO_write(mem, t->text, (int)t->len);
    }
    return expect_mem(t, mem);
}

static int do_capa(TURN *t)
{
    CLIENT *c = t->c;
    unsigned long n;

    if (!client_receive(c, SLACK))
        return 0;
    client_show(c);
    if (line_is_capa(c->line.data, c->line.len, &n)
        && n >= (unsigned long)t->depth)
        c->max_depth = n;
    else if (c->strict)
        return wrong(t, LINE_CAPA "n", strlen(LINE_CAPA "n"));
    return 1;
}

static int do_start(TURN *t, int as_client)
{
    CLIENT *c = t->c;

    if (c->strict && c->max_depth > 0
        && (unsigned long)t->depth >= c->max_depth)
        return expect_refusal(t);
    switch (ask(t)) {
    case 1:
        return client_start(c, as_client);
    case 0:
        return refused(t, c->attended);
    default:
        return 0;
    }
}

static int stop_in_mode(TURN *t)
{
    CLIENT *c = t->c;
    int both = 0;

    if (c->stop == STOP_PASSIVE)
        return client_await_boundary(c) && client_follow(c);
    if (!client_stop(c, t->depth - 1, &both))
        return 0;
    return both || c->stop == STOP_EARLY
        || (client_await_boundary(c) && client_follow(c));
}

static int do_stop(TURN *t, VERB verb)
{
    char must[32];

    if (t->depth == 0)
        return expect_text(t, "ERR depth=0");
    switch (ask(t)) {
    case 0:
        return refused(t, 1);
    case 1:
        break;
    default:
        return 0;
    }
    if (verb == VERB_STOPTLS_DROP)
        return client_drop(t->c);
    if (!stop_in_mode(t))
        return 0;
    if (verb == VERB_STOPTLS)
        return 1;
    snprintf(must, sizeof(must), "depth=%d trailing", t->depth - 1);
    return expect_text(t, must);
}

static int do_bulk(TURN *t)
{
    char start[32];
    int n = snprintf(start, sizeof(start), "depth=%d ", t->depth);
    size_t len = (size_t)n + t->count;
    char *must;
    int result;

    if (t->count > LINE_MAX_COUNT)
        return expect_refusal(t);
    must = OPENSSL_malloc(len);
    if (must == NULL)
        return client_fail(t->c, TOOL_NETWORK);
    memcpy(must, start, (size_t)n);
    memset(must + n, 'x', t->count);
    result = expect(t, must, len);
    OPENSSL_free(must);
    return result;
}

static int do_multi(TURN *t)
{
    unsigned long i;
    char must[64];

    if (t->count > LINE_MAX_COUNT)
        return expect_refusal(t);
    for (i = 0; i < t->count; i++) {
        snprintf(must, sizeof(must), "depth=%d line %lu", t->depth, i);
        if (!expect_text(t, must))
            return 0;
    }
    return 1;
}

static int do_quit(TURN *t)
{
    char must[32];

    snprintf(must, sizeof(must), "BYE depth=%d", t->depth);
    if (expect_text(t, must))
        client_await_end(t->c);
    return 0;
}

/* The end that DROP and DROPOUTER make
 * ------------------------------------
 */

/*
 * The layer that the end cuts off: the outermost by the end of the connection,
 * the second by a close of the first. 0 if it ends well.
 */
static int cut_layer(int depth, VERB verb)
{
    if (verb == VERB_DROP)
        return depth >= 1 ? 1 : 0;
    return depth >= 2 ? 2 : 0;
}

/* Reads up to the failure. */
static int read_to_cut(CLIENT *c)
{
    int result;

    client_begin(c);
    line_clear(&c->line);
    while ((result = client_poll_line(c, SLACK)) == LINE_WAIT)
        if (!client_again(c, "waiting for the end"))
            return 0;
    if (result == LINE_FAILED)
        return 1;
    return client_blame(c, "neither an end nor a failure");
}

static int expect_cut(TURN *t, int layer)
{
    CLIENT *c = t->c;
    int reason = 0;

    if (!read_to_cut(c))
        return 0;
    state_show(c);
    if (BIO_onion_failed_layer(c->stack, &reason) != layer
        || reason != ONION_R_TRUNCATED)
        return client_report_stack(c);
    BIO_printf(c->out, "< layer %d truncated, as it had to be\n", layer);
    (void)BIO_flush(c->out);
    ERR_clear_error();
    return 0;
}

static int do_drop(TURN *t, VERB verb)
{
    int layer = cut_layer(t->depth, verb);

    if (verb == VERB_DROPOUTER && t->depth == 0)
        return expect_refusal(t);
    if (layer > 0 && t->c->strict)
        return expect_cut(t, layer);
    client_await_end(t->c);
    return 0;
}

/* Any verb
 * --------
 */

static int do_verb(TURN *t, VERB verb)
{
    switch (verb) {
    case VERB_CAPA:
        return do_capa(t);
    case VERB_STARTTLS:
    case VERB_RSTARTTLS:
        return do_start(t, verb == VERB_STARTTLS);
    case VERB_STOPTLS:
    case VERB_STOPTLS_TRAILING:
    case VERB_STOPTLS_DROP:
        return do_stop(t, verb);
    case VERB_BULK:
        return do_bulk(t);
    case VERB_MULTI:
        return do_multi(t);
    case VERB_BAD_COUNT:
        return expect_refusal(t);
    case VERB_INFO:
        return expect_mem(t, line_info(t->c->stack, 1));
    case VERB_QUIT:
        return do_quit(t);
    case VERB_DROP:
    case VERB_DROPOUTER:
        return do_drop(t, verb);
    default:
        return do_text(t);
    }
}

/* Nobody may be there any more to read the replies. */
static int output_ok(CLIENT *c)
{
    if (!ferror(stdout))
        return 1;
    report(TOOL_USAGE, NULL, "cannot write to the output");
    return client_fail(c, TOOL_USAGE);
}

int verbs_do(CLIENT *c, const char *text, size_t len)
{
    TURN t = { .c = c, .text = text, .len = len };
    VERB verb = line_verb(text, len, &t.count);

    t.depth = BIO_onion_write_depth(c->stack);
    return client_send(c, text, len) && do_verb(&t, verb) && output_ok(c);
}

int verbs_is_last(const char *text, size_t len)
{
    unsigned long count;
    VERB verb = line_verb(text, len, &count);

    return verb == VERB_QUIT || verb == VERB_DROP || verb == VERB_DROPOUTER;
}
