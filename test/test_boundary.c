/*
 * test_boundary.c - where a layer ends: laws 3 to 6 of the design.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>
#include <string.h>
#include "util.h"

static struct peers p;

static int version_of(int i)
{
    return i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/* Even _i: TLS 1.3. */
static void dive(int i, int depth)
{
    peers_new(&p, 70000, version_of(i));
    p.flip = i / 2 % 2;
    peers_dive(&p, depth);
}

static void done(void)
{
    peers_free(&p);
}

static void say(struct peer *from, const char *text)
{
    peer_send(&p, from, text, strlen(text));
}

static void hear(struct peer *to, const char *text, int depth)
{
    peer_expect(&p, to, text, strlen(text), depth);
}

/* Bytes that have left a, in all. */
static size_t sent(void)
{
    return tap_of(p.a.tap)->out.len;
}

/*
 * Law 3: the directions are independent.
 */

/* _i: version, client x depth 1 to 3 */
START_TEST(after_a_stop_writes_go_below_at_once)
{
    int depth = 1 + _i / 4;

    dive(_i, depth);
    ck_assert_int_eq(peer_stop(&p, &p.a, depth - 1), 0);
    test_depths(p.a.bio, depth, depth - 1);
    say(&p.a, "below");
    peer_expect_boundary(&p, &p.b, depth);
    hear(&p.b, "below", depth - 1);
    test_depths(p.b.bio, depth - 1, depth);
    done();
}
END_TEST

START_TEST(after_a_stop_reads_go_on_inside_up_to_the_peers_close)
{
    int depth = 1 + _i / 4, i;

    dive(_i, depth);
    peer_stop(&p, &p.a, depth - 1);
    for (i = 0; i < 3; i++) {
        say(&p.b, "still inside");
        hear(&p.a, "still inside", depth);
        test_depths(p.a.bio, depth, depth - 1);
    }
    peer_stop(&p, &p.b, depth - 1);
    say(&p.b, "out");
    peer_expect_boundary(&p, &p.a, depth);
    hear(&p.a, "out", depth - 1);
    test_depths(p.a.bio, depth - 1, depth - 1);
    done();
}
END_TEST

START_TEST(a_layer_is_removed_when_both_directions_have_left_it)
{
    int depth = 1 + _i / 4;

    dive(_i, depth);
    peer_stop(&p, &p.a, depth - 1);
    ck_assert_ptr_nonnull(BIO_onion_get0_ssl(p.a.bio, depth));
    peer_expect_boundary(&p, &p.b, depth);
    ck_assert_ptr_nonnull(BIO_onion_get0_ssl(p.b.bio, depth));
    ck_assert_int_eq(BIO_onion_stop_tls(p.b.bio, depth - 1), 1);
    ck_assert_ptr_null(BIO_onion_get0_ssl(p.b.bio, depth));
    peer_expect_boundary(&p, &p.a, depth);
    ck_assert_ptr_null(BIO_onion_get0_ssl(p.a.bio, depth));
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, depth - 1), 1);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(nothing_stalls_while_both_write_at_different_depths)
{
    int i;

    dive(_i, 2);
    peer_stop(&p, &p.a, 1);
    for (i = 0; i < 5; i++) {
        peer_send(&p, &p.a, test_bytes(20000), 20000);
        peer_send(&p, &p.b, test_bytes(20000), 20000);
        peer_expect(&p, &p.a, test_bytes(20000), 20000, 2);
        if (i == 0)
            peer_expect_boundary(&p, &p.b, 2);
        peer_expect(&p, &p.b, test_bytes(20000), 20000, 1);
    }
    done();
}
END_TEST

/*
 * Law 4: only the application lowers its own write depth.
 */

/* _i: version, client x depth 1 to 3 */
START_TEST(the_peers_close_does_not_lower_our_write_depth)
{
    int depth = 1 + _i / 4, i;

    dive(_i, depth);
    peer_stop(&p, &p.b, depth - 1);
    peer_expect_boundary(&p, &p.a, depth);
    test_depths(p.a.bio, depth - 1, depth);
    for (i = 0; i < 3; i++) {
        say(&p.a, "SECRET");
        test_depths(p.a.bio, depth - 1, depth);
        hear(&p.b, "SECRET", depth);
    }
    ck_assert(!tap_saw(&tap_of(p.a.tap)->out, "SECRET"));
    done();
}
END_TEST

/* The other way round: the read side is in the clear, the write side not. */
START_TEST(the_peer_may_close_all_and_we_still_write_inside)
{
    int i;

    dive(_i, 3);
    peer_stop(&p, &p.b, 0);
    for (i = 3; i > 0; i--)
        peer_expect_boundary(&p, &p.a, i);
    say(&p.b, "clear");
    hear(&p.a, "clear", 0);
    test_depths(p.a.bio, 0, 3);
    say(&p.a, "SECRET");
    hear(&p.b, "SECRET", 3);
    ck_assert(!tap_saw(&tap_of(p.a.tap)->out, "SECRET"));
    ck_assert_int_eq(peer_stop(&p, &p.a, 0), 1);
    for (i = 3; i > 0; i--)
        peer_expect_boundary(&p, &p.b, i);
    peers_talk(&p);
    done();
}
END_TEST

/* A close that came up, but of which nobody was told, changes nothing. */
START_TEST(a_close_not_yet_read_makes_no_stop_go_too_far)
{
    dive(_i, 2);
    peer_stop(&p, &p.b, 1);
    test_depths(p.a.bio, 2, 2);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 1), 0);
    test_depths(p.a.bio, 2, 1);
    peer_expect_boundary(&p, &p.a, 2);
    test_depths(p.a.bio, 1, 1);
    peer_expect_boundary(&p, &p.b, 2);
    peers_talk(&p);
    done();
}
END_TEST

/*
 * Law 5: a boundary is in the stream, one read that gives 0.
 */

START_TEST(a_boundary_is_exactly_one_read_of_nothing)
{
    int depth = 1 + _i / 4;
    char in[20];

    dive(_i, depth);
    say(&p.b, "in");
    peer_stop(&p, &p.b, depth - 1);
    say(&p.b, "out");
    ck_assert_int_eq(BIO_read(p.a.bio, in, sizeof(in)), 2);
    test_depths(p.a.bio, depth, depth);
    ck_assert_int_eq(BIO_read(p.a.bio, in, sizeof(in)), 0);
    ck_assert(!BIO_should_retry(p.a.bio));
    ck_assert_int_eq(BIO_eof(p.a.bio), 0);
    test_no_error();
    test_depths(p.a.bio, depth - 1, depth);
    ck_assert_int_eq(BIO_read(p.a.bio, in, sizeof(in)), 3);
    ck_assert_mem_eq(in, "out", 3);
    test_retried(p.a.bio, BIO_read(p.a.bio, in, sizeof(in)));
    done();
}
END_TEST

START_TEST(no_other_call_lowers_the_read_depth)
{
    char in[20];

    dive(_i, 2);
    say(&p.b, "x");
    peer_stop(&p, &p.b, 0);
    ck_assert_int_eq((int)BIO_do_handshake(p.a.bio), 1);
    (void)BIO_pending(p.a.bio);
    (void)BIO_eof(p.a.bio);
    (void)BIO_flush(p.a.bio);
    say(&p.a, "write");
    test_depths(p.a.bio, 2, 2);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 1), 0);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 1), 0);
    test_depths(p.a.bio, 2, 1);
    ck_assert_int_eq(BIO_read(p.a.bio, in, sizeof(in)), 1);
    test_depths(p.a.bio, 2, 1);
    done();
}
END_TEST

START_TEST(each_layer_has_a_boundary_of_its_own)
{
    int i;

    dive(_i, 4);
    peer_stop(&p, &p.b, 0);
    say(&p.b, "clear");
    for (i = 4; i > 0; i--) {
        test_depths(p.a.bio, i, 4);
        peer_expect_boundary(&p, &p.a, i);
    }
    hear(&p.a, "clear", 0);
    done();
}
END_TEST

START_TEST(an_end_in_the_clear_is_told_from_a_boundary)
{
    char c;

    dive(_i, 1);
    peer_stop(&p, &p.b, 0);
    tap_of(p.a.tap)->in.end = TAP_EOF;
    peer_expect_boundary(&p, &p.a, 1);
    tap_of(p.a.tap)->in.limit = 0;
    ck_assert_int_eq(BIO_read(p.a.bio, &c, 1), 0);
    ck_assert(!BIO_should_retry(p.a.bio));
    ck_assert_int_eq(BIO_eof(p.a.bio), 1);
    ck_assert_int_eq(BIO_read(p.a.bio, &c, 1), 0);
    test_no_error();
    done();
}
END_TEST

START_TEST(gets_stops_at_a_boundary_and_the_next_call_tells_it)
{
    char line[20];

    dive(_i, 2);
    say(&p.b, "no newline");
    peer_stop(&p, &p.b, 1);
    say(&p.b, "next\n");
    ck_assert_int_eq(BIO_gets(p.a.bio, line, sizeof(line)), 10);
    ck_assert_str_eq(line, "no newline");
    test_depths(p.a.bio, 2, 2);
    ck_assert_int_eq(BIO_gets(p.a.bio, line, sizeof(line)), 0);
    ck_assert(!BIO_should_retry(p.a.bio) && !BIO_eof(p.a.bio));
    test_depths(p.a.bio, 1, 2);
    ck_assert_int_eq(BIO_gets(p.a.bio, line, sizeof(line)), 5);
    ck_assert_str_eq(line, "next\n");
    done();
}
END_TEST

/*
 * Law 6: no byte is lost, and none is read at another depth.
 */

/* All that b says, in and out of the inner layer, comes up in one segment. */
START_TEST(what_follows_a_close_in_its_segment_is_not_lost)
{
    int depth = 1 + _i / 4;

    dive(_i, depth);
    tap_hold(&tap_of(p.a.tap)->in);
    say(&p.b, "inside");
    ck_assert_int_eq(BIO_onion_stop_tls(p.b.bio, 0), 0);
    ck_assert_int_eq(BIO_write(p.b.bio, "clear", 5), 5);
    tap_release(&tap_of(p.a.tap)->in);
    hear(&p.a, "inside", depth);
    for (; depth > 0; depth--)
        peer_expect_boundary(&p, &p.a, depth);
    hear(&p.a, "clear", 0);
    done();
}
END_TEST

/* _i: version x at which byte the stream is cut, behind the talk before. */
START_TEST(a_close_may_be_cut_at_every_byte)
{
    struct tap_side *in;
    size_t start;

    dive(_i, 2);
    peers_talk(&p);
    in = &tap_of(p.a.tap)->in;
    start = in->len;
    in->limit = start + (size_t)_i / 2;
    say(&p.b, "inside");
    BIO_onion_stop_tls(p.b.bio, 1);
    say(&p.b, "middle");
    BIO_onion_stop_tls(p.b.bio, 0);
    say(&p.b, "clear");
    while (peer_pump(&p.a))
        ;
    tap_release(in);
    hear(&p.a, "inside", 2);
    peer_expect_boundary(&p, &p.a, 2);
    hear(&p.a, "middle", 1);
    peer_expect_boundary(&p, &p.a, 1);
    hear(&p.a, "clear", 0);
    peer_stop(&p, &p.a, 0);
    done();
}
END_TEST

/*
 * A stock peer puts the close_notify of layer 2 and the text behind it into
 * one record of layer 1: with a memory BIO between its layers.
 */
static size_t stock_inner_close(SSL *inner, unsigned char *out, size_t max)
{
    BIO *mem = BIO_new(BIO_s_mem());
    BIO *old_w = SSL_get_wbio(inner);
    int len;

    BIO_up_ref(old_w);
    SSL_set0_wbio(inner, mem);
    ck_assert_int_eq(SSL_write(inner, "inside", 6), 6);
    ck_assert_int_eq(SSL_shutdown(inner), 0);
    len = BIO_read(mem, out, (int)max);
    ck_assert_int_gt(len, 0);
    SSL_set0_wbio(inner, old_w);
    return (size_t)len;
}

/* _i: version x role x how the bytes are cut into records of layer 1 */
START_TEST(what_follows_a_close_in_its_record_is_not_lost)
{
    struct peer a = { .ask = 100 };
    unsigned char out[500];
    struct stock s;
    size_t len, cut;

    a.bio = stock_pair(&s, 70000, &a.tap);
    stock_dive(&s, a.bio, version_of(_i), _i / 2 % 2);
    stock_dive(&s, a.bio, version_of(_i), _i / 2 % 2);
    len = stock_inner_close(s.ssl[2], out, sizeof(out));
    memcpy(out + len, "outside", 7);
    len += 7;
    cut = (size_t)_i / 4 < len ? (size_t)_i / 4 : len;
    if (cut > 0)
        stock_write(&s, 1, out, cut);
    while (peer_pump(&a))
        ;
    if (cut < len)
        stock_write(&s, 1, out + cut, len - cut);
    while (peer_pump(&a))
        ;
    ck_assert_uint_eq(a.tail, 6 + 1 + 7);
    ck_assert_uint_eq(a.box[5], 'e' | 2 << 9);
    ck_assert_uint_eq(a.box[6], 0x100 | 2 << 9);
    ck_assert_uint_eq(a.box[7], 'o' | 1 << 9);
    ck_assert_uint_eq(a.box[13], 'e' | 1 << 9);
    BIO_free_all(a.bio);
    stock_free(&s);
    free(a.box);
}
END_TEST

/*
 * Stops of all kinds
 */

/* _i: a shape, depth 2 */
START_TEST(both_may_stop_at_once_with_data_on_the_way)
{
    struct shape shape = test_shape(_i);
    int a = -1, b = -1;

    peers_new(&p, shape.size, shape.version);
    p.flip = shape.flip;
    peers_dive(&p, 2);
    peer_send(&p, &p.a, test_bytes(300), 300);
    peer_send(&p, &p.b, test_bytes(300), 300);
    while (a < 0 || b < 0) {
        if (a < 0 && (a = BIO_onion_stop_tls(p.a.bio, 0)) < 0)
            test_retried(p.a.bio, a);
        if (b < 0 && (b = BIO_onion_stop_tls(p.b.bio, 0)) < 0)
            test_retried(p.b.bio, b);
        if (a < 0)
            peer_pump(&p.b);
        if (b < 0)
            peer_pump(&p.a);
        peers_round(&p);
    }
    say(&p.a, "clear");
    say(&p.b, "clear");
    peer_expect(&p, &p.a, test_bytes(300), 300, 2);
    peer_expect(&p, &p.b, test_bytes(300), 300, 2);
    peer_expect_boundary(&p, &p.a, 2);
    peer_expect_boundary(&p, &p.a, 1);
    peer_expect_boundary(&p, &p.b, 2);
    peer_expect_boundary(&p, &p.b, 1);
    hear(&p.a, "clear", 0);
    hear(&p.b, "clear", 0);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(one_may_stop_further_than_the_other)
{
    dive(_i, 4);
    peer_stop(&p, &p.a, 1);
    peer_stop(&p, &p.b, 3);
    say(&p.a, "at one");
    say(&p.b, "at three");
    peer_expect_boundary(&p, &p.a, 4);
    hear(&p.a, "at three", 3);
    test_depths(p.a.bio, 3, 1);
    ck_assert_ptr_null(BIO_onion_get0_ssl(p.a.bio, 4));
    peer_expect_boundary(&p, &p.b, 4);
    peer_expect_boundary(&p, &p.b, 3);
    peer_expect_boundary(&p, &p.b, 2);
    hear(&p.b, "at one", 1);
    peer_stop(&p, &p.b, 1);
    peer_expect_boundary(&p, &p.a, 3);
    peer_expect_boundary(&p, &p.a, 2);
    peers_talk(&p);
    peers_rise(&p, &p.b, 0);
    done();
}
END_TEST

START_TEST(a_stop_that_is_repeated_closes_nothing_more)
{
    size_t before;
    int i;

    dive(_i, 3);
    peer_stop(&p, &p.a, 2);
    before = sent();
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 2), 0);
    ck_assert_uint_eq(sent(), before);
    peer_expect_boundary(&p, &p.b, 3);
    peer_stop(&p, &p.b, 2);
    peer_expect_boundary(&p, &p.a, 3);
    for (i = 0; i < 5; i++)
        ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 2), 1);
    ck_assert_uint_eq(sent(), before);
    test_depths(p.a.bio, 2, 2);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(a_stop_may_go_further_while_another_is_under_way)
{
    int i;

    dive(_i, 3);
    for (i = 2; i >= 0; i--) {
        ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, i), 0);
        test_depths(p.a.bio, 3, i);
        say(&p.a, "here");
    }
    for (i = 2; i >= 0; i--) {
        peer_expect_boundary(&p, &p.b, i + 1);
        hear(&p.b, "here", i);
    }
    peer_stop(&p, &p.b, 0);
    for (i = 3; i > 0; i--)
        peer_expect_boundary(&p, &p.a, i);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(a_stop_does_not_go_up_again)
{
    dive(_i, 3);
    peer_stop(&p, &p.a, 1);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 2), 0);
    test_depths(p.a.bio, 3, 1);
    done();
}
END_TEST

START_TEST(a_stop_costs_one_close_notify_for_each_layer)
{
    size_t before;

    dive(_i, 1);
    before = sent();
    peer_stop(&p, &p.a, 0);
    ck_assert_int_eq(tap_records(&tap_of(p.a.tap)->out, before), 1);
    done();
}
END_TEST

/* _i: a shape; a stops before it has had an answer to its first flight. */
START_TEST(a_stop_in_a_handshake_finishes_that_first)
{
    struct shape shape = test_shape(_i);
    int ret;

    peers_new(&p, shape.size, shape.version);
    p.flip = shape.flip;
    peers_start(&p);
    peers_start(&p);
    ret = BIO_onion_stop_tls(p.a.bio, 0);
    test_retried(p.a.bio, ret);
    test_depths(p.a.bio, 2, 2);
    ck_assert_int_eq(peer_stop(&p, &p.a, 0), 0);
    peer_expect_boundary(&p, &p.b, 2);
    peer_expect_boundary(&p, &p.b, 1);
    peer_stop(&p, &p.b, 0);
    peer_expect_boundary(&p, &p.a, 2);
    peer_expect_boundary(&p, &p.a, 1);
    peers_talk(&p);
    done();
}
END_TEST

/* Trap 20: else the tickets are read as text of the layer below. */
START_TEST(tickets_on_the_way_are_not_text)
{
    dive(2 * _i, 0);
    peers_start(&p);
    peers_handshake(&p);
    peers_start(&p);
    while ((BIO_do_handshake(p.a.bio) == 1)
           + (BIO_do_handshake(p.b.bio) == 1) < 2)
        peers_round(&p);
    /* The server has just written its tickets; the client did not read. */
    peer_stop(&p, &p.a, 1);
    say(&p.a, "below");
    say(&p.b, "inside");
    hear(&p.a, "inside", 2);
    peer_stop(&p, &p.b, 1);
    say(&p.b, "below");
    peer_expect_boundary(&p, &p.a, 2);
    hear(&p.a, "below", 1);
    peer_expect_boundary(&p, &p.b, 2);
    hear(&p.b, "below", 1);
    done();
}
END_TEST

START_TEST(a_message_in_parts_may_cross_a_stop)
{
    dive(_i, 2);
    peer_send(&p, &p.b, test_bytes(60000), 60000);
    p.a.ask = 7;
    ck_assert_int_eq(peer_pump(&p.a), 1);
    peer_stop(&p, &p.a, 1);
    p.a.ask = 4096;
    peer_expect(&p, &p.a, test_bytes(60000), 60000, 2);
    peer_expect_boundary(&p, &p.b, 2);
    peer_stop(&p, &p.b, 1);
    peer_expect_boundary(&p, &p.a, 2);
    peers_talk(&p);
    done();
}
END_TEST

/*
 * ONION_FOLLOW
 */

START_TEST(follow_closes_with_the_boundary)
{
    int depth = 1 + _i / 4;

    dive(_i, depth);
    BIO_onion_set_flags(p.a.bio, ONION_FOLLOW);
    peer_stop(&p, &p.b, depth - 1);
    test_depths(p.a.bio, depth, depth);
    peer_expect_boundary(&p, &p.a, depth);
    test_depths(p.a.bio, depth - 1, depth - 1);
    ck_assert_ptr_null(BIO_onion_get0_ssl(p.a.bio, depth));
    peer_expect_boundary(&p, &p.b, depth);
    ck_assert_int_eq(BIO_onion_stop_tls(p.b.bio, depth - 1), 1);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(follow_goes_down_as_many_layers_as_the_peer)
{
    int i;

    dive(_i, 3);
    BIO_onion_set_flags(p.a.bio, ONION_FOLLOW);
    peer_stop(&p, &p.b, 0);
    for (i = 3; i > 0; i--) {
        peer_expect_boundary(&p, &p.a, i);
        test_depths(p.a.bio, i - 1, i - 1);
    }
    for (i = 3; i > 0; i--)
        peer_expect_boundary(&p, &p.b, i);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(follow_waits_for_a_write_that_is_half_done)
{
    dive(_i, 2);
    BIO_onion_set_flags(p.a.bio, ONION_FOLLOW);
    tap_of(p.a.tap)->out.limit = sent() + 5;
    test_retried(p.a.bio, BIO_write(p.a.bio, "half done", 9));
    peer_stop(&p, &p.b, 1);
    peer_expect_boundary(&p, &p.a, 2);
    test_depths(p.a.bio, 1, 2);
    test_retried(p.a.bio, BIO_write(p.a.bio, "half done", 9));
    test_depths(p.a.bio, 1, 2);
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq(BIO_write(p.a.bio, "half done", 9), 9);
    test_depths(p.a.bio, 1, 1);
    hear(&p.b, "half done", 2);
    peer_expect_boundary(&p, &p.b, 2);
    peers_talk(&p);
    done();
}
END_TEST

/* The close_notify waits in the wire, and goes with the next call. */
START_TEST(follow_works_over_a_transport_that_is_full)
{
    dive(_i, 1);
    BIO_onion_set_flags(p.a.bio, ONION_FOLLOW);
    peer_stop(&p, &p.b, 0);
    tap_hold(&tap_of(p.a.tap)->out);
    peer_expect_boundary(&p, &p.a, 1);
    tap_release(&tap_of(p.a.tap)->out);
    while (BIO_onion_write_depth(p.a.bio) != 0
           || BIO_flush(p.a.bio) != 1) {
        peer_pump(&p.a);
        peers_round(&p);
    }
    peer_expect_boundary(&p, &p.b, 1);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(without_follow_nothing_is_sent_at_a_boundary)
{
    size_t before;

    dive(_i, 1);
    peer_stop(&p, &p.b, 0);
    before = sent();
    peer_expect_boundary(&p, &p.a, 1);
    peer_expect_retry(&p.a);
    ck_assert_uint_eq(sent(), before);
    done();
}
END_TEST

/*
 * drop_tls
 */

START_TEST(drop_goes_down_and_sends_nothing)
{
    size_t before;
    int to = _i / 4;

    dive(_i, 3);
    peers_talk(&p);         /* and so no ticket is on the way */
    before = sent();
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, to), 1);
    ck_assert_int_eq(BIO_onion_drop_tls(p.b.bio, to), 1);
    ck_assert_uint_eq(sent(), before);
    test_depths(p.a.bio, to, to);
    ck_assert_ptr_null(BIO_onion_get0_ssl(p.a.bio, to + 1));
    test_no_error();
    peers_talk(&p);
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, to), 1);
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, 3), 1);
    done();
}
END_TEST

/* FTPS, CCC: the passive side does not answer the close_notify. */
START_TEST(drop_ends_what_the_peer_does_not_answer)
{
    size_t before;

    dive(_i, 1);
    peers_talk(&p);
    ck_assert_int_eq(peer_stop(&p, &p.a, 0), 0);
    before = sent();
    peer_expect_boundary(&p, &p.b, 1);
    test_depths(p.b.bio, 0, 1);
    ck_assert_int_eq(BIO_onion_drop_tls(p.b.bio, 0), 1);
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, 0), 1);
    ck_assert_uint_eq(sent(), before);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(drop_is_refused_with_bytes_that_were_not_read)
{
    char in[10];

    dive(_i, 2);
    say(&p.b, "0123456789");
    ck_assert_int_eq(BIO_read(p.a.bio, in, 3), 3);
    test_refused(BIO_onion_drop_tls(p.a.bio, 0), ONION_R_UNREAD_DATA);
    test_refused(BIO_onion_drop_tls(p.a.bio, 1), ONION_R_UNREAD_DATA);
    test_depths(p.a.bio, 2, 2);
    hear(&p.a, "3456789", 2);
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, 0), 1);
    done();
}
END_TEST

START_TEST(drop_is_refused_in_a_handshake)
{
    dive(_i, 1);
    peers_start(&p);
    test_refused(BIO_onion_drop_tls(p.a.bio, 1), ONION_R_IN_HANDSHAKE);
    BIO_do_handshake(p.a.bio);
    test_refused(BIO_onion_drop_tls(p.a.bio, 0), ONION_R_IN_HANDSHAKE);
    peers_handshake(&p);
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, 0), 1);
    done();
}
END_TEST

START_TEST(drop_is_refused_while_a_write_is_half_done)
{
    dive(_i, 2);
    peers_talk(&p);
    tap_of(p.a.tap)->out.limit = sent() + 5;
    test_retried(p.a.bio, BIO_write(p.a.bio, "half done", 9));
    test_refused(BIO_onion_drop_tls(p.a.bio, 1), ONION_R_WRITE_UNFINISHED);
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq(BIO_write(p.a.bio, "half done", 9), 9);
    hear(&p.b, "half done", 2);
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, 1), 1);
    ck_assert_int_eq(BIO_onion_drop_tls(p.b.bio, 1), 1);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(drop_is_refused_on_a_failed_stack)
{
    char c;

    dive(_i, 1);
    tap_slip(p.a.tap, "not a record of TLS", 19);
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &c, 1), 0, 1);
    test_refused(BIO_onion_drop_tls(p.a.bio, 0), 0);
    test_depths(p.a.bio, 1, 1);
    test_failed_at(p.a.bio, BIO_write(p.a.bio, "SECRET", 6), 0, 1);
    ck_assert(!tap_saw(&tap_of(p.a.tap)->out, "SECRET"));
    done();
}
END_TEST

/*
 * The minimum depth
 */

/* _i: version, role x how many layers there are above the minimum */
START_TEST(a_boundary_below_the_minimum_is_a_failure)
{
    int above = _i / 4, i, ret;
    size_t before;
    char c;

    dive(_i, 1 + above);
    BIO_onion_set_min_depth(p.a.bio, 1);
    peer_stop(&p, &p.b, 0);
    say(&p.b, "clear");
    for (i = above; i > 0; i--)
        peer_expect_boundary(&p, &p.a, i + 1);
    before = sent();
    for (i = 0; i < 3; i++) {
        ret = BIO_read(p.a.bio, &c, 1);
        test_failed_at(p.a.bio, ret, ONION_R_MIN_DEPTH, 1);
        test_depths(p.a.bio, 1, 1 + above);
    }
    test_failed(p.a.bio, BIO_write(p.a.bio, "SECRET", 6), 0);
    test_failed(p.a.bio, BIO_onion_stop_tls(p.a.bio, 1), 0);
    ck_assert_uint_eq(sent(), before);
    done();
}
END_TEST

START_TEST(follow_does_not_go_below_the_minimum)
{
    char c;

    dive(_i, 1);
    BIO_onion_set_flags(p.a.bio, ONION_FOLLOW);
    BIO_onion_set_min_depth(p.a.bio, 1);
    peer_stop(&p, &p.b, 0);
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &c, 1), ONION_R_MIN_DEPTH, 1);
    test_depths(p.a.bio, 1, 1);
    test_failed_at(p.a.bio, BIO_write(p.a.bio, "SECRET", 6), 0, 1);
    ck_assert(!tap_saw(&tap_of(p.a.tap)->out, "SECRET"));
    done();
}
END_TEST

static void laws(Suite *s)
{
    TCase *tc = test_case(s, "direction");

    test_loop(tc, after_a_stop_writes_go_below_at_once, 0, 12);
    test_loop(tc,
              after_a_stop_reads_go_on_inside_up_to_the_peers_close,
              0, 12);
    test_loop(tc,
              a_layer_is_removed_when_both_directions_have_left_it,
              0, 12);
    test_loop(tc, nothing_stalls_while_both_write_at_different_depths,
              0, 4);
    test_loop(tc, the_peers_close_does_not_lower_our_write_depth,
              0, 12);
    test_loop(tc,
              the_peer_may_close_all_and_we_still_write_inside,
              0, 4);
    test_loop(tc,
              a_close_not_yet_read_makes_no_stop_go_too_far,
              0, 4);
    tc = test_case(s, "boundary");
    test_loop(tc, a_boundary_is_exactly_one_read_of_nothing, 0, 12);
    test_loop(tc, no_other_call_lowers_the_read_depth, 0, 4);
    test_loop(tc, each_layer_has_a_boundary_of_its_own, 0, 4);
    test_loop(tc, an_end_in_the_clear_is_told_from_a_boundary, 0, 4);
    test_loop(tc,
              gets_stops_at_a_boundary_and_the_next_call_tells_it,
              0, 4);
    test_loop(tc, what_follows_a_close_in_its_segment_is_not_lost,
              0, 12);
    test_loop(tc, a_close_may_be_cut_at_every_byte, 0, 2 * 200);
    test_loop(tc, what_follows_a_close_in_its_record_is_not_lost,
              0, 4 * 75);
}

static void stops(Suite *s)
{
    TCase *tc = test_case(s, "stop");

    test_loop(tc, both_may_stop_at_once_with_data_on_the_way,
              0, TEST_SHAPES);
    test_loop(tc, one_may_stop_further_than_the_other, 0, 4);
    test_loop(tc, a_stop_that_is_repeated_closes_nothing_more, 0, 4);
    test_loop(tc, a_stop_may_go_further_while_another_is_under_way,
              0, 4);
    test_loop(tc, a_stop_does_not_go_up_again, 0, 4);
    test_loop(tc, a_stop_costs_one_close_notify_for_each_layer,
              0, 4);
    test_loop(tc, a_stop_in_a_handshake_finishes_that_first,
              0, TEST_SHAPES);
    test_loop(tc, tickets_on_the_way_are_not_text, 0, 2);
    test_loop(tc, a_message_in_parts_may_cross_a_stop, 0, 4);
    tc = test_case(s, "follow");
    test_loop(tc, follow_closes_with_the_boundary, 0, 12);
    test_loop(tc, follow_goes_down_as_many_layers_as_the_peer, 0, 4);
    test_loop(tc, follow_waits_for_a_write_that_is_half_done, 0, 4);
    test_loop(tc, follow_works_over_a_transport_that_is_full, 0, 4);
    test_loop(tc, without_follow_nothing_is_sent_at_a_boundary,
              0, 4);
}

static void drops(Suite *s)
{
    TCase *tc = test_case(s, "drop");

    test_loop(tc, drop_goes_down_and_sends_nothing, 0, 12);
    test_loop(tc, drop_ends_what_the_peer_does_not_answer, 0, 4);
    test_loop(tc, drop_is_refused_with_bytes_that_were_not_read,
              0, 4);
    test_loop(tc, drop_is_refused_in_a_handshake, 0, 4);
    test_loop(tc, drop_is_refused_while_a_write_is_half_done, 0, 4);
    test_loop(tc, drop_is_refused_on_a_failed_stack, 0, 4);
    tc = test_case(s, "minimum");
    test_loop(tc, a_boundary_below_the_minimum_is_a_failure, 0, 12);
    test_loop(tc, follow_does_not_go_below_the_minimum, 0, 4);
}

int main(void)
{
    Suite *s = suite_create("boundary");

    laws(s);
    stops(s);
    drops(s);
    return test_main(s);
}
