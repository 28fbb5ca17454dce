/*
 * server_steps.c - what a connection has still to do, in order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include "bio_onion.h"
#include "server_steps.h"
#include "tool_net.h"

/* One BIO_write() of STEP_BULK, and how many of them make a turn. */
#define BULK_PIECE      16384
#define PIECES_A_TURN   16

/* Adding
 * ------
 */

static STEP *add(STEPS *s, STEP_KIND kind)
{
    STEP *step;

    if (s->first == s->n)
        s->first = s->n = 0;
    if (s->n == STEPS_MAX)
        return NULL;
    step = &s->step[s->n++];
    memset(step, 0, sizeof(*step));
    step->kind = kind;
    return step;
}

int steps_add(STEPS *s, STEP_KIND kind, int depth)
{
    STEP *step = add(s, kind);

    if (step != NULL)
        step->depth = depth;
    return step != NULL;
}

int steps_add_text(STEPS *s, const char *text, size_t len)
{
    char *own = OPENSSL_memdup(text, len);
    STEP *step = own != NULL ? add(s, STEP_SEND) : NULL;

    if (step == NULL) {
        OPENSSL_free(own);
        return 0;
    }
    step->text = own;
    step->len = len;
    return 1;
}

int steps_add_count(STEPS *s, STEP_KIND kind, unsigned long count)
{
    STEP *step = add(s, kind);

    if (step != NULL)
        step->count = count;
    return step != NULL;
}

int steps_add_start(STEPS *s, SSL *ssl)
{
    STEP *step = add(s, STEP_START);

    if (step != NULL)
        step->ssl = ssl;
    else
        SSL_free(ssl);
    return step != NULL;
}

static void clear(STEP *step)
{
    OPENSSL_free(step->text);
    SSL_free(step->ssl);
    step->text = NULL;
    step->ssl = NULL;
}

void steps_free(STEPS *s)
{
    while (s->first < s->n)
        clear(&s->step[s->first++]);
}

const char *steps_what(const STEPS *s)
{
    if (s->first == s->n)
        return NULL;
    switch (s->step[s->first].kind) {
    case STEP_HANDSHAKE:
        return "in the handshake";
    case STEP_STOP:
    case STEP_CLOSE_OUTER:
        return "while a layer was closed";
    default:
        return "and does not take its replies";
    }
}

/* Doing
 * -----
 *
 * Each returns what the library did: 1 done, or not yet, or failed.
 */

static int do_send(STEP *step, BIO *stack)
{
    return step->len == 0 || BIO_write(stack, step->text, (int)step->len) > 0;
}

static int do_bulk(STEP *step, BIO *stack)
{
    int n = step->count < BULK_PIECE ? (int)step->count : BULK_PIECE;

    if (step->text == NULL) {
        step->text = OPENSSL_malloc(BULK_PIECE);
        if (step->text == NULL)
            return -1;
        memset(step->text, 'x', BULK_PIECE);
    }
    if (n > 0 && BIO_write(stack, step->text, n) <= 0)
        return -1;
    step->count -= (unsigned long)n;
    return 1;
}

/* A write that is repeated must be the same: the line stays until it is out. */
static int do_line(STEP *step, BIO *stack)
{
    enum { SIZE = 64 };

    if (step->count == 0)
        return 1;
    if (step->len == 0) {
        if (step->text == NULL)
            step->text = OPENSSL_malloc(SIZE);
        if (step->text == NULL)
            return -1;
        step->len = (size_t)snprintf(step->text, SIZE, "depth=%d line %lu\n",
                                     BIO_onion_write_depth(stack), step->done);
    }
    if (BIO_write(stack, step->text, (int)step->len) <= 0)
        return -1;
    step->len = 0;
    step->done++;
    step->count--;
    return 1;
}

static int do_start(STEP *step, BIO *stack)
{
    if (BIO_onion_start_tls(stack, step->ssl, NULL, 0) != 1)
        return -1;
    step->ssl = NULL;
    return 1;
}

/* What no program should do, and what DROPOUTER is for. */
static int do_close_outer(STEP *step, BIO *stack)
{
    if (step->done++ == 0)
        SSL_shutdown(BIO_onion_get0_ssl(stack, 1));
    return (int)BIO_flush(stack);
}

static int gather(BIO *stack, int on)
{
    int fd;

    if (BIO_get_fd(stack, &fd) > 0)
        net_gather(fd, on);
    return 1;
}

static int do_step(STEP *step, BIO *stack)
{
    switch (step->kind) {
    case STEP_SEND:
        return do_send(step, stack);
    case STEP_BULK:
        return do_bulk(step, stack);
    case STEP_MULTI:
        return do_line(step, stack);
    case STEP_START:
        return do_start(step, stack);
    case STEP_HANDSHAKE:
        return (int)BIO_do_handshake(stack);
    case STEP_STOP:
        return BIO_onion_stop_tls(stack, step->depth) >= 0 ? 1 : -1;
    case STEP_DROP:
        return BIO_onion_drop_tls(stack, step->depth);
    case STEP_CLOSE_OUTER:
        return do_close_outer(step, stack);
    case STEP_GATHER:
    case STEP_RELEASE:
        return gather(stack, step->kind == STEP_GATHER);
    default:
        return 1;
    }
}

static int last_step(const STEP *step)
{
    return step->kind == STEP_END || step->kind == STEP_CUT;
}

STEPS_RESULT steps_run(STEPS *s, BIO *stack)
{
    int i;

    for (i = 0; i < PIECES_A_TURN && s->first < s->n; i++) {
        STEP *step = &s->step[s->first];

        if (last_step(step))
            return step->kind == STEP_END ? STEPS_END : STEPS_CUT;
        if (do_step(step, stack) <= 0)
            return BIO_should_retry(stack) ? STEPS_WAIT : STEPS_FAILED;
        s->progress++;
        if (step->count > 0)
            continue;
        clear(step);
        s->first++;
    }
    return s->first < s->n ? STEPS_MORE : STEPS_DONE;
}
