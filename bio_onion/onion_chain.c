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

BIO *onion_chain_wire(BIO *stack, BIO **failed)
{
    BIO *b;

    *failed = NULL;
    for (b = BIO_next(stack); b != NULL && !onion_wire_is(b); b = BIO_next(b))
        if (onion_layer_is(b) && onion_layer_of(b)->failure != 0)
            *failed = b;
    return b;
}

BIO *onion_chain_failed(BIO *stack)
{
    BIO *failed;

    onion_chain_wire(stack, &failed);
    return failed;
}

/*
 * A record of the outermost layer is of the largest size, one of each layer
 * inside it smaller by what the layers between make of it.
 */
int onion_chain_fit(BIO *top)
{
    size_t room = SSL3_RT_MAX_PLAIN_LENGTH;
    BIO *b, *next;

    if (!onion_layer_is(top))
        return 0;
    for (b = top; (next = onion_layer_find(BIO_next(b))) != NULL; b = next)
        room -= (size_t)onion_layer_of(b)->overhead;
    for (b = top; b != NULL; b = next) {
        next = onion_layer_find(BIO_next(b));
        onion_layer_of(b)->room_below = next != NULL ? room : 0;
    }
    return (int)room;
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
