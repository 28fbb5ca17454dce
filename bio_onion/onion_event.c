/*
 * onion_event.c - tells the application's callback what happened to a layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Things happen deep inside calls of OpenSSL, where nothing may be changed and
 * no number is certain. So they are told at the end of the stack's function,
 * by comparing each layer with what was told of it.
 */

#include "onion_local.h"

static void tell(BIO *stack, BIO *layer, int event)
{
    ONION_STACK *s = onion_stack_of(stack);
    ONION_LAYER *l = onion_layer_of(layer);

    if ((l->told & (1U << event)) != 0)
        return;
    l->told |= 1U << event;
    if (s->cb != NULL)
        s->cb(stack, event, onion_layer_number(layer), l->ssl, s->cb_arg);
}

static void tell_opened(BIO *stack, BIO *layer)
{
    tell(stack, layer, ONION_EVENT_STARTED);
    if (onion_layer_of(layer)->handshaken)
        tell(stack, layer, ONION_EVENT_HANDSHAKE);
}

static void tell_closed(BIO *stack, BIO *layer)
{
    const ONION_LAYER *l = onion_layer_of(layer);

    if (l->left)
        tell(stack, layer, ONION_EVENT_PEER_CLOSED);
    if (l->sent_close)
        tell(stack, layer, ONION_EVENT_CLOSED);
    if (l->failure != 0)
        tell(stack, layer, ONION_EVENT_FAILED);
}

/* Layers open from the outermost on, and close from the innermost on. */
static void tell_all(BIO *stack)
{
    int n, layers = onion_chain_layers(stack);

    for (n = 1; n <= layers; n++)
        tell_opened(stack, onion_chain_layer(stack, n));
    for (n = layers; n > 0; n--)
        tell_closed(stack, onion_chain_layer(stack, n));
}

void onion_event_tell(BIO *stack)
{
    if (onion_stack_of(stack)->cb != NULL)
        tell_all(stack);
}

void onion_event_removed(BIO *stack, BIO *layer)
{
    if (onion_stack_of(stack)->cb == NULL)
        return;
    onion_event_tell(stack);
    tell(stack, layer, ONION_EVENT_REMOVED);
}

void BIO_onion_set_callback(BIO *stack, BIO_onion_cb *cb, void *arg)
{
    BIO *b = onion_stack_find(stack);

    if (b == NULL)
        return;
    onion_stack_of(b)->cb = NULL;
    tell_all(b);            /* what is past is not news */
    onion_stack_of(b)->cb = cb;
    onion_stack_of(b)->cb_arg = arg;
}
