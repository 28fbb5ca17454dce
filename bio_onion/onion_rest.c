/*
 * onion_rest.c - what a connection gives back while it is idle.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A layer holds two buffers of 16 KiB and more, the wire some of its own. An
 * idle connection needs none of them; one that is busy would free them and
 * allocate them again at each turn. Nothing calls a connection that is idle,
 * so it is when a call leaves nothing to do that they are given back; and a
 * connection is busy that reads and writes so often in a second that it shows.
 *
 * What was in the clear is cleansed when its buffer is given back. An SSL that
 * does so does it after each record too, at a twelfth of the cost of all else.
 */

#include <time.h>
#include "onion_local.h"
#include "onion_openssl.h"

/* Reads and writes in a second. */
#define BUSY_TURNS 32

/*
 * An SSL frees what is empty at the end of a record, or keeps it. From OpenSSL
 * 3.2 on what clears a mode does not tell the record layer, but what sets one
 * does, if only 0.
 */
static void set_release(const ONION_LAYER *l, int busy)
{
    if (l->rests && busy) {
        SSL_clear_mode(l->ssl, SSL_MODE_RELEASE_BUFFERS);
        SSL_set_mode(l->ssl, 0);
        if (ONION_SSL_FREES_CLEAN)
            SSL_clear_options(l->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    } else if (l->rests) {
        SSL_set_mode(l->ssl, SSL_MODE_RELEASE_BUFFERS);
        SSL_set_options(l->ssl, SSL_OP_CLEANSE_PLAINTEXT);
    }
}

static void set_busy(BIO *stack, int busy)
{
    ONION_STACK *s = onion_stack_of(stack);
    BIO *b;

    if (s->busy == (unsigned)busy)
        return;
    s->busy = busy != 0;
    for (b = onion_layer_find(BIO_next(stack)); b != NULL;
         b = onion_layer_find(BIO_next(b)))
        set_release(onion_layer_of(b), busy);
    onion_wire_keep(s->wire, busy);
}

void onion_rest_turn(BIO *stack)
{
    ONION_STACK *s = onion_stack_of(stack);
    long now = (long)time(NULL);

    s->turns++;
    if (now != s->second) {
        set_busy(stack, now == s->second + 1 && s->turns > BUSY_TURNS);
        s->second = now;
        s->turns = 0;
    } else if (s->turns == BUSY_TURNS) {
        set_busy(stack, 1);
    }
}

void onion_rest_begin(BIO *stack, BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    l->rests = (SSL_get_mode(l->ssl) & SSL_MODE_RELEASE_BUFFERS) == 0
        && (SSL_get_options(l->ssl) & SSL_OP_CLEANSE_PLAINTEXT) == 0;
    set_release(l, onion_stack_of(stack)->busy);
}
