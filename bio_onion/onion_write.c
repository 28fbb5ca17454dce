/*
 * onion_write.c - the write of a stack, whole or not at all.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An application is told that a write is done when the transport has it all,
 * so that it may wait for the answer. Until then the write is to be repeated,
 * and what of it has gone into the layer is remembered here, not in an SSL.
 */

#include "onion_local.h"

int onion_write_is_half_done(BIO *b)
{
    ONION_STACK *s = onion_stack_of(b);

    return s->out_done > 0 && s->out_done < s->out_len;
}

int onion_write_is_unfinished(BIO *b)
{
    return onion_stack_of(b)->out_done > 0;
}

/*
 * A write that was not finished is repeated from the same address, and not
 * shortened. One of which nothing has been taken may be repeated otherwise.
 */
static int write_retry_ok(BIO *b, const char *in, int len)
{
    ONION_STACK *s = onion_stack_of(b);

    if (s->out_done == 0) {
        s->out = in;
        s->out_len = len;
        return 1;
    }
    if (s->out != in || len < s->out_len) {
        onion_stack_refuse(b, ONION_R_BAD_WRITE_RETRY,
                           "repeat the same bytes from the same address");
        return 0;
    }
    s->out_len = len;
    return 1;
}

/* 1: the wire takes more. */
static int wire_has_room(BIO *b)
{
    BIO *wire = onion_stack_of(b)->wire;

    if (onion_wire_unsent(wire) < ONION_WIRE_HIGH
        || onion_wire_flush(wire) > 0)
        return 1;
    onion_pass_retry(b, wire);
    if (!BIO_should_retry(b))
        onion_wire_writable(wire);
    return 0;
}

/*
 * How much of what is left makes a piece: in a layer, what is one record in
 * each; or all, if it is one in the innermost, since another would cost more.
 */
static int piece_length(BIO *wire, int room, int left)
{
    int most = room;

    if (room == 0)
        most = (int)(ONION_WIRE_HIGH - onion_wire_unsent(wire));
    else if (left <= SSL3_RT_MAX_PLAIN_LENGTH)
        most = left;
    return left < most ? left : most;
}

/* The last piece need not wait in the wire, if it is the only one there. */
static int write_piece(BIO *b, BIO *top, int room)
{
    ONION_STACK *s = onion_stack_of(b);
    int left = s->out_len - s->out_done, n;

    onion_wire_go_straight(s->wire, room == 0 || left <= room);
    n = BIO_write(top, (const char *)s->out + s->out_done,
                  piece_length(s->wire, room, left));
    onion_wire_go_straight(s->wire, 0);
    return n;
}

/* Gives the rest of the write to the layer, if the wire holds not too much. */
static int write_rest(BIO *b)
{
    ONION_STACK *s = onion_stack_of(b);
    BIO *top = onion_chain_write_top(b);
    int room, n;

    if (s->out_done == s->out_len)
        return 1;
    if (onion_layer_is(top) && !onion_layer_of(top)->handshaken
        && onion_session_handshake(top) <= 0) {
        onion_pass_retry(b, top);
        return -1;
    }
    room = onion_chain_fit(top);
    while (s->out_done < s->out_len) {
        if (!wire_has_room(b))
            return -1;
        n = write_piece(b, top, room);
        if (n <= 0) {
            onion_pass_retry(b, top);
            return -1;
        }
        s->out_done += n;
    }
    return 1;
}

/* A peer that closed while a write was under way is followed after it. */
static int follow_after(BIO *b, int ret)
{
    if ((onion_stack_of(b)->flags & ONION_FOLLOW) == 0
        || onion_chain_write_depth(b) <= onion_chain_read_depth(b))
        return ret;
    if (onion_stop_follow(b) < 0)
        return onion_stack_leave(b, -1);
    onion_stop_remove(b);
    return onion_stack_leave_anyway(b, ret);
}

int onion_write(BIO *b, const char *in, int len)
{
    ONION_STACK *s = onion_stack_of(b);
    int ret;

    if (!onion_stack_enter(b))
        return -1;
    if (in == NULL || len <= 0)
        return 0;
    if (!onion_wire_writable(s->wire) || !write_retry_ok(b, in, len))
        return -1;
    onion_rest_turn(b);
    ret = onion_stack_leave(b, write_rest(b) > 0 ? len : -1);
    if (ret <= 0)
        return ret;
    s->out = NULL;
    s->out_done = 0;
    return follow_after(b, ret);
}

