/*
 * onion_write.c - the write of a stack, whole or not at all.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * An application is told that a write is done when the transport has it all,
 * so that it may wait for the answer. Until then the write is to be repeated,
 * and what of it has gone into the layer is kept in mind here, not in an SSL.
 * With ONION_GATHER small writes wait here instead, for what makes a record of
 * them.
 */

#include "onion_local.h"

int onion_write_is_half_done(BIO *b)
{
    ONION_STACK *s = onion_stack_of(b);

    return s->out_done > 0 && s->out_done < s->out_len;
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
static int write_piece(BIO *b, BIO *top, int room, const char *in, int left)
{
    BIO *wire = onion_stack_of(b)->wire;
    int n;

    onion_wire_go_straight(wire, room == 0 || left <= room);
    n = BIO_write(top, in, piece_length(wire, room, left));
    onion_wire_go_straight(wire, 0);
    return n;
}

static int takes_early(BIO *top)
{
    ONION_LAYER *l = onion_layer_of(top);

    return l->early != NULL && onion_early_takes(l);
}

/* A layer has taken it to send it early, but may not have sent it yet. */
static int push_early(BIO *b, BIO *top)
{
    if (!onion_layer_is(top) || onion_layer_of(top)->early == NULL
        || onion_early_push(top) > 0)
        return 1;
    onion_pass_retry(b, top);
    return -1;
}

/* Gives bytes to the layer, *done of them so far, up to all or a retry. */
static int write_pieces(BIO *b, const char *in, int len, int *done)
{
    BIO *top = onion_chain_write_top(b);
    int room, n;

    if (*done == len)
        return push_early(b, top);
    if (onion_layer_is(top) && !onion_layer_of(top)->handshaken
        && !takes_early(top) && onion_session_handshake(top) <= 0) {
        onion_pass_retry(b, top);
        return -1;
    }
    room = onion_chain_fit(top);
    while (*done < len) {
        if (!wire_has_room(b))
            return -1;
        n = write_piece(b, top, room, in + *done, len - *done);
        if (n <= 0) {
            onion_pass_retry(b, top);
            return -1;
        }
        *done += n;
    }
    return push_early(b, top);
}

/*
 * Gathering
 * ---------
 *
 * What is gathered was written, for its writer, at the present write depth: it
 * goes into the layer before anything else is written, read or changed.
 */

size_t onion_write_gathered(BIO *b)
{
    return onion_stack_of(b)->gathered.len;
}

int onion_write_send_gathered(BIO *b)
{
    ONION_STACK *s = onion_stack_of(b);
    ONION_BUF *q = &s->gathered;
    int done = 0, ret;

    if (q->len == 0)
        return 1;
    ret = write_pieces(b, (const char *)q->data + q->off, (int)q->len, &done);
    onion_buf_drop(q, (size_t)done);
    if (q->len == 0 && !s->busy)
        onion_buf_free(q);
    return ret;
}

int onion_write_flush(BIO *b)
{
    int ret = onion_write_send_gathered(b);

    return ret > 0 ? push_early(b, onion_chain_write_top(b)) : ret;
}

/* 1: nothing of a write is still to go into the layer. 0: refused. */
int onion_write_settle(BIO *b, const char *what)
{
    if (onion_stack_of(b)->out_done == 0 && onion_write_send_gathered(b) > 0)
        return 1;
    BIO_clear_retry_flags(b);
    return onion_stack_refuse(b, ONION_R_WRITE_UNFINISHED, what);
}

/* The peer has closed a layer, and our writes are still inside. */
static int is_to_follow(BIO *b)
{
    return (onion_stack_of(b)->flags & ONION_FOLLOW) != 0
        && onion_chain_write_depth(b) > onion_chain_read_depth(b);
}

/* A write that asked for a retry is finished where it was begun. */
int onion_write_may_follow(BIO *b)
{
    return is_to_follow(b) && onion_stack_of(b)->out == NULL
        && onion_write_gathered(b) == 0;
}

/* 1: it waits for more. 0: it does not fit. -1: no memory, raised. */
static int gather(BIO *b, const char *in, int len)
{
    ONION_STACK *s = onion_stack_of(b);
    int room;

    if ((s->flags & ONION_GATHER) == 0 || s->out_done > 0 || is_to_follow(b))
        return 0;
    room = onion_chain_fit(onion_chain_write_top(b));
    if (room == 0)
        room = SSL3_RT_MAX_PLAIN_LENGTH;
    if (s->gathered.len + (size_t)len >= (size_t)room)
        return 0;
    s->out = NULL;              /* nothing of it was taken: this is instead */
    return onion_buf_append(&s->gathered, in, (size_t)len) ? 1 : -1;
}

/* A peer that closed while a write was under way is followed after it. */
int onion_write_follow(BIO *b, int ret)
{
    if (!is_to_follow(b))
        return ret;
    if (onion_stop_follow(b) < 0)
        return onion_stack_leave(b, -1);
    onion_stop_remove(b);
    return onion_stack_leave_anyway(b, ret);
}

/* Writes what the application has given, all of it. */
static int write_through(BIO *b, const char *in, int len)
{
    ONION_STACK *s = onion_stack_of(b);
    int ret;

    if (!write_retry_ok(b, in, len))
        return -1;
    ret = onion_write_send_gathered(b);
    if (ret > 0)
        ret = write_pieces(b, s->out, s->out_len, &s->out_done);
    ret = onion_stack_leave(b, ret > 0 ? len : -1);
    if (ret <= 0)
        return ret;
    s->out = NULL;
    s->out_done = 0;
    return onion_write_follow(b, ret);
}

int onion_write(BIO *b, const char *in, int len)
{
    int ret;

    if (!onion_stack_enter(b))
        return -1;
    if (in == NULL || len <= 0)
        return 0;
    if (!onion_wire_writable(onion_stack_of(b)->wire))
        return -1;
    onion_rest_turn(b);
    ret = gather(b, in, len);
    if (ret == 0)
        return write_through(b, in, len);
    return ret > 0 ? len : -1;
}
