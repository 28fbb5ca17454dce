/*
 * server_line.c - the server's end of the line protocol.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A connection either has steps to do or reads a line, never both: what a peer
 * makes the server hold is one line and its answer.
 */

#include <openssl/crypto.h>
#include "bio_onion.h"
#include "server_conn.h"
#include "server_verbs.h"

typedef struct talk_st {
    STEPS steps;
    LINE line;
} TALK;

static int begin(CONN *c)
{
    TALK *t = OPENSSL_zalloc(sizeof(*t));

    if (t != NULL)
        t->line.max = LINE_MAX_LENGTH;
    c->state = t;
    return t != NULL;
}

/* The steps could not be planned. */
static MODE_RESULT no_memory(CONN *c)
{
    conn_blame(c, TOOL_NETWORK, -1, "out of memory");
    return MODE_CLOSE;
}

static MODE_RESULT refuse(CONN *c, TALK *t, const char *why)
{
    conn_blame(c, TOOL_PROTOCOL, BIO_onion_write_depth(c->stack), "%s", why);
    line_clear(&t->line);
    return verbs_refuse(&t->steps, why) ? MODE_MORE : no_memory(c);
}

/* The peer has closed a layer: so do we, before anything else is said. */
static MODE_RESULT follow(CONN *c, TALK *t)
{
    if (!steps_add(&t->steps, STEP_STOP, BIO_onion_read_depth(c->stack)))
        return no_memory(c);
    return t->line.len == 0
        ? MODE_MORE : refuse(c, t, "the line was not finished in its layer");
}

static MODE_RESULT hear_end(CONN *c, const TALK *t)
{
    if (t->line.len > 0)
        conn_blame(c, TOOL_PROTOCOL, 0, "the peer ended in mid-line");
    return MODE_CLOSE;
}

static MODE_RESULT answer(CONN *c, TALK *t)
{
    int ok = verbs_answer(&t->steps, c->stack, c->server, &t->line);

    line_clear(&t->line);
    return ok ? MODE_MORE : no_memory(c);
}

/* A connection that waits for a line holds no buffer. */
static MODE_RESULT wait_for_line(CONN *c, TALK *t)
{
    if (t->line.len == 0)
        line_free(&t->line);
    conn_want(c);
    return MODE_IDLE;
}

static MODE_RESULT read_line(CONN *c, TALK *t)
{
    switch (line_read(&t->line, c->stack)) {
    case LINE_DONE:
        return answer(c, t);
    case LINE_WAIT:
        return wait_for_line(c, t);
    case LINE_BOUNDARY:
        return follow(c, t);
    case LINE_END:
        return hear_end(c, t);
    case LINE_TOO_LONG:
        return refuse(c, t, "line too long");
    default:
        return MODE_FAILED;
    }
}

static MODE_RESULT run(CONN *c)
{
    TALK *t = c->state;
    STEPS_RESULT result = steps_run(&t->steps, c->stack);

    c->progress = t->steps.progress;
    switch (result) {
    case STEPS_DONE:
        return read_line(c, t);
    case STEPS_MORE:
        return MODE_MORE;
    case STEPS_WAIT:
        conn_want(c);
        return MODE_WAIT;
    case STEPS_END:
        return MODE_CLOSE;
    case STEPS_CUT:
        return MODE_CUT;
    default:
        return MODE_FAILED;
    }
}

static const char *doing(const CONN *c)
{
    const TALK *t = c->state;

    return steps_what(&t->steps);
}

static void end(CONN *c)
{
    TALK *t = c->state;

    steps_free(&t->steps);
    line_free(&t->line);
    OPENSSL_free(t);
}

const MODE mode_line = { "line", begin, run, NULL, doing, end };
