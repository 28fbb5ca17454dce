/*
 * onion_stop.c - closes layers, and takes them out of the chain.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A layer is closed in two directions, each on its own: ours here, with our
 * close_notify; the peer's by the read that tells of its close_notify
 * (onion_stack.c). Whichever comes second removes the layer.
 */

#include "onion_local.h"

/* The two directions leave from the inside, so it is always the top one. */
void onion_stop_remove(BIO *stack)
{
    BIO *layer;

    while ((layer = onion_layer_find(BIO_next(stack))) != NULL
           && onion_layer_of(layer)->left
           && onion_layer_of(layer)->sent_close) {
        onion_event_removed(stack, layer);
        BIO_pop(layer);
        BIO_free(layer);
    }
}

/*
 * Closes our side of each layer inside depth. The close_notify of a layer goes
 * through those below it, which may still have to shake hands: a retry.
 */
static int close_down_to(BIO *stack, int depth)
{
    BIO *layer;

    while (onion_chain_write_depth(stack) > depth) {
        layer = onion_chain_write_top(stack);
        if (onion_session_close(layer) <= 0) {
            onion_pass_retry(stack, layer);
            return -1;
        }
    }
    return 1;
}

int onion_stop_follow(BIO *stack)
{
    return close_down_to(stack, onion_chain_read_depth(stack));
}

static int refuse(BIO *stack, int depth, const char *what)
{
    if (depth < 0)
        return onion_stack_refuse(stack, ERR_R_PASSED_INVALID_ARGUMENT, what);
    if (depth < onion_stack_of(stack)->min_depth)
        return onion_stack_refuse(stack, ONION_R_MIN_DEPTH, what);
    return 1;
}

int BIO_onion_stop_tls(BIO *stack, int depth)
{
    BIO *b = onion_stack_find(stack);
    int ret;

    if (b == NULL || !onion_stack_enter(b) || !refuse(b, depth, "stop"))
        return -1;
    /* A write that is with the layer as a whole has its place before it. */
    if (onion_write_is_half_done(b)) {
        onion_stack_refuse(b, ONION_R_WRITE_UNFINISHED, "stop");
        return -1;
    }
    if (!onion_wire_writable(onion_stack_of(b)->wire))
        return -1;
    ret = onion_write_send_gathered(b);
    if (ret > 0)
        ret = close_down_to(b, depth);
    if (ret > 0)
        onion_stop_remove(b);
    if (onion_stack_leave(b, ret) <= 0)
        return -1;
    return onion_chain_read_depth(b) <= depth;
}

/* What would be lost, or misread below, if the layer went now. */
static int refuse_drop(BIO *stack, BIO *layer)
{
    ONION_LAYER *l = onion_layer_of(layer);

    if (!l->handshaken)
        return onion_stack_refuse(stack, ONION_R_IN_HANDSHAKE, "drop");
    if (!l->left && (l->back.len > 0 || SSL_has_pending(l->ssl)))
        return onion_stack_refuse(stack, ONION_R_UNREAD_DATA, "drop");
    return 1;
}

/* Both directions leave it, and nobody is told of a close. */
static void abandon(ONION_LAYER *l)
{
    l->left = l->sent_close = 1;
    l->told |= 1U << ONION_EVENT_PEER_CLOSED | 1U << ONION_EVENT_CLOSED;
}

int BIO_onion_drop_tls(BIO *stack, int depth)
{
    BIO *b = onion_stack_find(stack);
    int n;

    if (b == NULL || !onion_stack_enter(b) || !refuse(b, depth, "drop"))
        return 0;
    if (!onion_write_settle(b, "drop"))
        return 0;
    for (n = onion_chain_layers(b); n > depth; n--)
        if (!refuse_drop(b, onion_chain_layer(b, n)))
            return 0;
    for (n = onion_chain_layers(b); n > depth; n--)
        abandon(onion_layer_of(onion_chain_layer(b, n)));
    onion_stop_remove(b);
    onion_err_clear();
    return 1;
}

void onion_stop_farewell(BIO *stack)
{
    BIO *failed = onion_chain_failed(stack);
    BIO *b = onion_layer_find(failed != NULL ? BIO_next(failed)
                                             : BIO_next(stack));

    onion_stack_of(stack)->wire = onion_wire_find(stack);
    ERR_set_mark();
    if (failed == NULL)
        onion_write_send_gathered(stack);
    for (; b != NULL; b = onion_layer_find(BIO_next(b)))
        onion_session_farewell(b);
    ERR_pop_to_mark();
}
