/*
 * test_gather.c - ONION_GATHER: small writes wait for what makes a record.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include "util.h"

static struct peers p;

static size_t sent(void)
{
    return tap_of(p.a.tap)->out.len;
}

/* Two peers at a depth, of which a gathers. */
static void gathering(int depth)
{
    char c;

    peers_new(&p, 70000, TLS1_3_VERSION);
    peers_dive(&p, depth);
    peers_talk(&p);
    BIO_read(p.a.bio, &c, 1);
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, ONION_GATHER), 1);
}

static void done(void)
{
    peers_free(&p);
    test_no_error();
}

static void put(const char *text)
{
    int len = (int)strlen(text);

    ck_assert_int_eq(BIO_write(p.a.bio, text, len), len);
    test_no_error();
}

/* _i: depth, in each of these */
START_TEST(small_writes_leave_as_one_record)
{
    size_t before;

    gathering(_i);
    before = sent();
    put("one ");
    put("two ");
    put("three");
    ck_assert_uint_eq(sent(), before);
    ck_assert_int_eq((int)BIO_wpending(p.a.bio), 13);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    ck_assert_uint_eq(sent(), before + 13 + 22 * (size_t)_i);
    ck_assert_int_eq((int)BIO_wpending(p.a.bio), 0);
    peer_expect(&p, &p.b, "one two three", 13, _i);
    done();
}
END_TEST

START_TEST(a_read_sends_what_is_gathered)
{
    char in[10];
    size_t before;

    gathering(_i / 2);
    before = sent();
    put("question");
    test_retried(p.a.bio, _i % 2 ? BIO_gets(p.a.bio, in, 10)
                                 : BIO_read(p.a.bio, in, 10));
    ck_assert_uint_gt(sent(), before);
    peer_expect(&p, &p.b, "question", 8, _i / 2);
    done();
}
END_TEST

START_TEST(a_record_that_is_full_leaves)
{
    static char big[16384];
    size_t before;
    int i, got = 0, n;

    gathering(_i);
    memset(big, 'b', sizeof(big));
    before = sent();
    for (i = 0; i < 170; i++) {
        ck_assert_int_eq(BIO_write(p.a.bio, big, 100), 100);
        ck_assert_int_le((int)BIO_wpending(p.a.bio), 16384);
    }
    ck_assert_uint_gt(sent(), before + 16000);
    ck_assert_int_eq(BIO_write(p.a.bio, big, 16384), 16384);
    ck_assert_int_eq((int)BIO_wpending(p.a.bio), 0);
    while (got < 170 * 100 + 16384 && (n = BIO_read(p.b.bio, big, 16384)) > 0)
        got += n;
    ck_assert_int_eq(got, 170 * 100 + 16384);
    done();
}
END_TEST

static void start(struct peer *who, int client, int layer)
{
    ck_assert_int_eq(BIO_onion_start_tls(who->bio,
                                         test_ssl(client, TLS1_3_VERSION,
                                                  layer), NULL, 0), 1);
}

START_TEST(what_is_gathered_goes_to_the_depth_of_its_write)
{
    gathering(_i);
    put("before the start");
    start(&p.a, 1, _i + 1);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    peer_expect(&p, &p.b, "before the start", 16, _i);
    start(&p.b, 0, _i + 1);
    put("inside");
    peers_handshake(&p);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    peer_expect(&p, &p.b, "inside", 6, _i + 1);
    put("before the stop");
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, _i), 0);
    put("outside");
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    peer_expect(&p, &p.b, "before the stop", 15, _i + 1);
    peer_expect_boundary(&p, &p.b, _i + 1);
    peer_expect(&p, &p.b, "outside", 7, _i);
    done();
}
END_TEST

START_TEST(a_drop_sends_it_first)
{
    gathering(1);
    put("last words");
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, 0), 1);
    put("in the clear");
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    peer_expect(&p, &p.b, "last words", 10, 1);
    ck_assert_int_eq(BIO_onion_drop_tls(p.b.bio, 0), 1);
    peer_expect(&p, &p.b, "in the clear", 12, 0);
    done();
}
END_TEST

START_TEST(a_flush_that_cannot_send_is_repeated)
{
    gathering(_i);
    tap_hold(&tap_of(p.a.tap)->out);
    put("kept");
    test_retried(p.a.bio, (int)BIO_flush(p.a.bio));
    put(" and more");
    test_retried(p.a.bio, (int)BIO_flush(p.a.bio));
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    peer_expect(&p, &p.b, "kept and more", 13, _i);
    done();
}
END_TEST

START_TEST(what_is_gathered_before_the_handshake_waits_for_it)
{
    peers_new(&p, 70000, TLS1_3_VERSION);
    BIO_onion_set_flags(p.a.bio, ONION_GATHER);
    peers_dive(&p, _i);
    peers_start(&p);
    put("early");
    test_retried(p.a.bio, (int)BIO_flush(p.a.bio));
    test_refused(BIO_onion_start_client(p.a.bio, test_client_ctx(0, 1),
                                        test_name(_i + 2)),
                 ONION_R_WRITE_UNFINISHED);
    peers_handshake(&p);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    peer_expect(&p, &p.b, "early", 5, _i + 1);
    done();
}
END_TEST

START_TEST(without_the_flag_the_next_write_sends_it_first)
{
    gathering(_i);
    put("one ");
    BIO_onion_set_flags(p.a.bio, 0);
    put("two");
    peer_expect(&p, &p.b, "one two", 7, _i);
    done();
}
END_TEST

START_TEST(a_stack_that_is_freed_sends_it)
{
    BIO *rest;

    gathering(_i);
    put("goodbye");
    rest = BIO_next(p.a.bio);
    BIO_free(p.a.bio);
    p.a.bio = NULL;
    peer_expect(&p, &p.b, "goodbye", 7, _i);
    BIO_free_all(rest);
    peers_free(&p);
}
END_TEST

START_TEST(a_peer_that_closes_is_followed_after_it)
{
    gathering(2);
    BIO_onion_set_flags(p.a.bio, ONION_GATHER | ONION_FOLLOW);
    tap_hold(&tap_of(p.a.tap)->out);
    put("inside two");
    peer_stop(&p, &p.b, 1);
    peer_expect_boundary(&p, &p.a, 2);
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    test_depths(p.a.bio, 1, 1);
    peer_expect(&p, &p.b, "inside two", 10, 2);
    peer_expect_boundary(&p, &p.b, 2);
    done();
}
END_TEST

/* a follows, and is the last to end the handshake of layer 2. _i: version */
static void following(int i)
{
    peers_new(&p, 400000, i == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
    p.flip = i == 0;
    peers_dive(&p, 1);
    BIO_onion_set_flags(p.a.bio, ONION_GATHER | ONION_FOLLOW);
    peers_start(&p);
}

/* What ends the handshake for a, and the close of b, come in one read. */
static void hear_both(void)
{
    char c;

    do {
        BIO_do_handshake(p.a.bio);
    } while (BIO_do_handshake(p.b.bio) <= 0);
    ck_assert_int_eq(BIO_onion_stop_tls(p.b.bio, 1), 0);
    ck_assert_int_eq(BIO_read(p.a.bio, &c, 1), 0);
    test_no_error();
}

START_TEST(a_boundary_that_comes_with_the_handshake_is_followed_after_it)
{
    following(_i);
    put("inside two");
    test_retried(p.a.bio, (int)BIO_flush(p.a.bio));
    hear_both();
    test_depths(p.a.bio, 1, 1);
    peer_expect(&p, &p.b, "inside two", 10, 2);
    peer_expect_boundary(&p, &p.b, 2);
    done();
}
END_TEST

/* The write had to go through, and then it need not any more. */
START_TEST(a_write_to_be_repeated_is_followed_and_not_gathered)
{
    static char big[17000];

    following(_i);
    put("inside two");
    test_retried(p.a.bio, BIO_write(p.a.bio, big, sizeof(big)));
    hear_both();
    test_depths(p.a.bio, 1, 2);
    put("still inside");
    test_depths(p.a.bio, 1, 1);
    peer_expect(&p, &p.b, "inside twostill inside", 22, 2);
    peer_expect_boundary(&p, &p.b, 2);
    done();
}
END_TEST

/* Until the wire adds no more to what is gathered. How much was written. */
static int fill_the_wire(void)
{
    int before, total = 0;

    do {
        before = (int)BIO_wpending(p.a.bio);
        ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(16000), 16000), 16000);
        total += 16000;
        test_retried(p.a.bio, (int)BIO_flush(p.a.bio));
    } while ((int)BIO_wpending(p.a.bio) > before + 16000);
    return total;
}

/* _i: a flush, or a read sends the rest */
START_TEST(what_the_wire_has_no_room_for_is_followed_when_it_went)
{
    int total, i;
    char c;

    gathering(2);
    BIO_onion_set_flags(p.a.bio, ONION_GATHER | ONION_FOLLOW);
    tap_hold(&tap_of(p.a.tap)->out);
    total = fill_the_wire();
    peer_stop(&p, &p.b, 1);
    peer_expect_boundary(&p, &p.a, 2);
    test_depths(p.a.bio, 1, 2);
    tap_release(&tap_of(p.a.tap)->out);
    while (BIO_onion_write_depth(p.a.bio) == 2) {
        if (_i == 0)
            (void)BIO_flush(p.a.bio);
        else
            test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
        peer_pump(&p.b);
        peers_round(&p);
    }
    for (i = 0; i < total; i += 16000)
        peer_expect(&p, &p.b, test_bytes(16000), 16000, 2);
    peer_expect_boundary(&p, &p.b, 2);
    done();
}
END_TEST

START_TEST(a_failed_transport_takes_nothing)
{
    gathering(_i);
    tap_hold(&tap_of(p.a.tap)->out);
    tap_of(p.a.tap)->out.end = TAP_ERROR;
    put("lost");
    test_failed(p.a.bio, (int)BIO_flush(p.a.bio), 0);
    test_failed(p.a.bio, BIO_write(p.a.bio, "more", 4), 0);
    peers_free(&p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gather");
    TCase *tc = test_case(suite, "gather");

    test_loop(tc, small_writes_leave_as_one_record, 0, 4);
    test_loop(tc, a_read_sends_what_is_gathered, 0, 6);
    test_loop(tc, a_record_that_is_full_leaves, 0, 4);
    test_loop(tc, what_is_gathered_goes_to_the_depth_of_its_write, 0, 3);
    tcase_add_test(tc, a_drop_sends_it_first);
    test_loop(tc, a_flush_that_cannot_send_is_repeated, 0, 3);
    test_loop(tc, what_is_gathered_before_the_handshake_waits_for_it, 0, 3);
    test_loop(tc, without_the_flag_the_next_write_sends_it_first, 0, 3);
    test_loop(tc, a_stack_that_is_freed_sends_it, 0, 3);
    tcase_add_test(tc, a_peer_that_closes_is_followed_after_it);
    test_loop(tc, a_boundary_that_comes_with_the_handshake_is_followed_after_it,
              0, 2);
    test_loop(tc, a_write_to_be_repeated_is_followed_and_not_gathered, 0, 2);
    test_loop(tc, what_the_wire_has_no_room_for_is_followed_when_it_went, 0,
              2);
    test_loop(tc, a_failed_transport_takes_nothing, 0, 2);
    return test_main(suite);
}
