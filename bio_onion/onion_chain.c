/*
 * onion_chain.c - the layers of a stack, which are the BIO chain and no more.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * No list of the layers exists but the chain, so none can fall out of step
 * with it. Each question is answered by walking down from the stack.
 */

#include "onion_local.h"

/* Where a direction enters: the innermost layer it is still in, or the wire. */
BIO *onion_chain_read_top(BIO *stack)
{
    BIO *b = onion_layer_find(BIO_next(stack));

    while (b != NULL && onion_layer_of(b)->left)
        b = onion_layer_find(BIO_next(b));
    return b != NULL ? b : onion_wire_find(stack);
}

BIO *onion_chain_write_top(BIO *stack)
{
    BIO *b = onion_layer_find(BIO_next(stack));

    while (b != NULL && onion_layer_of(b)->sent_close)
        b = onion_layer_find(BIO_next(b));
    return b != NULL ? b : onion_wire_find(stack);
}

static int count_from(BIO *b)
{
    int n = 0;

    for (b = onion_layer_find(b); b != NULL; b = onion_layer_find(BIO_next(b)))
        n++;
    return n;
}

int onion_chain_read_depth(BIO *stack)
{
    return count_from(onion_chain_read_top(stack));
}

int onion_chain_write_depth(BIO *stack)
{
    return count_from(onion_chain_write_top(stack));
}

int onion_chain_layers(BIO *stack)
{
    return count_from(BIO_next(stack));
}

BIO *onion_chain_layer(BIO *stack, int number)
{
    BIO *b = onion_layer_find(BIO_next(stack));
    int n = onion_chain_layers(stack);

    if (number < 1)
        return NULL;
    while (b != NULL && n-- > number)
        b = onion_layer_find(BIO_next(b));
    return b != NULL && n + 1 == number ? b : NULL;
}

BIO *onion_chain_failed(BIO *stack)
{
    BIO *b, *failed = NULL;

    for (b = onion_layer_find(BIO_next(stack)); b != NULL;
         b = onion_layer_find(BIO_next(b)))
        if (onion_layer_of(b)->failure != 0)
            failed = b;
    return failed;
}

/* Each layer but the outermost must leave room in the record of the next. */
int onion_chain_record_room(BIO *stack)
{
    BIO *b = onion_chain_write_top(stack);
    int room = SSL3_RT_MAX_PLAIN_LENGTH;
    BIO *next;

    for (b = onion_layer_find(b); b != NULL; b = next) {
        next = onion_layer_find(BIO_next(b));
        if (next != NULL)
            room -= onion_session_overhead(onion_layer_of(b)->ssl);
    }
    return room;
}

int onion_chain_peek(BIO *top, void *out, int len)
{
    if (onion_layer_is(top))
        return onion_session_get(top, out, len, 1);
    return onion_wire_peek(top, out, len);
}

int onion_chain_give_back(BIO *top, const void *in, size_t len)
{
    if (onion_layer_is(top))
        return onion_buf_prepend(&onion_layer_of(top)->back, in, len);
    return onion_wire_give_back(top, in, len);
}
