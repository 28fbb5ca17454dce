/*
 * test_wire.c - the bottom of a stack: few calls of the transport, few records.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include "util.h"

static struct peers p;

static int version_of(int i)
{
    return i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

static int records[10];         /* that each layer of a has written */

static void on_message(int write, int version, int type, const void *data,
                       size_t len, SSL *ssl, void *arg)
{
    (void)version;
    (void)data;
    (void)len;
    (void)ssl;
    if (write && type == SSL3_RT_HEADER && arg != NULL)
        ++*(int *)arg;
}

/* From OpenSSL 3.2 on a session with keys hears of no other callback. */
static void watch_records(int version, int depth)
{
    int i;

    SSL_CTX_set_msg_callback(test_client_ctx(version, 1), on_message);
    for (i = 1; i <= depth; i++)
        SSL_CTX_set_msg_callback(test_server_ctx(version, test_name(i),
                                                 i % 2 ? 0 : TEST_P256),
                                 on_message);
}

static void count_records(int depth)
{
    int i;

    memset(records, 0, sizeof(records));
    for (i = 1; i <= depth; i++)
        SSL_set_msg_callback_arg(BIO_onion_get0_ssl(p.a.bio, i), &records[i]);
}

/* Even _i: TLS 1.3. The pair takes whatever a test writes. */
static void dive(int i, int depth)
{
    peers_new(&p, 400000, version_of(i));
    watch_records(p.version, depth);
    p.flip = i / 2 % 2;
    peers_dive(&p, depth);
    peers_talk(&p);
}

static void done(void)
{
    peers_free(&p);
}

/* Calls of a's transport that moved something since the last question. */
static int moved(struct tap_side *side)
{
    int n = side->moved;

    side->moved = 0;
    return n;
}

static struct tap_side *out(struct peer *peer)
{
    return &tap_of(peer->tap)->out;
}

static struct tap_side *in(struct peer *peer)
{
    return &tap_of(peer->tap)->in;
}

/* _i: version, client x depth 0 to 4 */
START_TEST(a_write_is_one_write_of_the_transport)
{
    static const int sizes[] = { 1, 1000, 16384, 16385, 50000 };
    int i;

    dive(_i, _i / 4);
    moved(out(&p.a));
    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(50000), sizes[i]),
                         sizes[i]);
        ck_assert_int_eq(moved(out(&p.a)), 1);
    }
    for (i = 0; i < 5; i++)
        peer_expect(&p, &p.b, test_bytes(50000), (size_t)sizes[i], _i / 4);
    done();
}
END_TEST

/* _i: version, client x below how many layers */
START_TEST(each_flight_of_a_handshake_is_one_write)
{
    int a = 0, b = 0;

    dive(_i, _i / 4);
    peers_start(&p);
    moved(out(&p.a));
    moved(out(&p.b));
    while (!a || !b) {
        a = a || BIO_do_handshake(p.a.bio) == 1;
        b = b || BIO_do_handshake(p.b.bio) == 1;
        peers_round(&p);
    }
    ck_assert_int_eq(moved(out(&p.a)), 2);
    ck_assert_int_eq(moved(out(&p.b)), 2);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(the_first_write_may_go_with_the_last_flight)
{
    dive(2 * (_i % 2), _i / 2);
    peers_start(&p);
    moved(out(&p.a));
    peer_send(&p, &p.a, "early", 5);
    ck_assert_int_le(moved(out(&p.a)), 2 + p.flip);
    peer_expect(&p, &p.b, "early", 5, 1 + _i / 2);
    done();
}
END_TEST

START_TEST(a_stop_of_all_layers_is_one_write)
{
    dive(_i, 4);
    moved(out(&p.a));
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), 0);
    ck_assert_int_eq(moved(out(&p.a)), 1);
    done();
}
END_TEST

START_TEST(follow_answers_in_one_write)
{
    dive(_i, 1);
    BIO_onion_set_flags(p.a.bio, ONION_FOLLOW);
    peer_stop(&p, &p.b, 0);
    moved(out(&p.a));
    peer_expect_boundary(&p, &p.a, 1);
    ck_assert_int_eq(moved(out(&p.a)), 1);
    done();
}
END_TEST

/* _i: version, client x depth 0 to 3 */
START_TEST(what_has_come_is_read_at_once)
{
    int i;

    dive(_i, _i / 4);
    for (i = 0; i < 10; i++)
        peer_send(&p, &p.b, "0123456789", 10);
    moved(in(&p.a));
    p.a.ask = 3;
    for (i = 0; i < 10; i++)
        peer_expect(&p, &p.a, "0123456789", 10, _i / 4);
    ck_assert_int_le(moved(in(&p.a)), 1);
    done();
}
END_TEST

/* No call of the transport either, where no byte is missing. */
START_TEST(a_read_that_can_be_served_asks_nothing_below)
{
    char c;
    int i, calls;

    dive(_i, _i / 4);
    peer_send(&p, &p.b, "0123456789", 10);
    ck_assert_int_eq(BIO_read(p.a.bio, &c, 1), 1);
    calls = in(&p.a)->calls;
    for (i = 0; i < 9; i++)
        ck_assert_int_eq(BIO_read(p.a.bio, &c, 1), 1);
    ck_assert_int_eq(in(&p.a)->calls, calls);
    done();
}
END_TEST

/* Without layers what is read ahead is copied: little is, much is not. */
START_TEST(a_large_read_in_the_clear_takes_what_it_asks_for)
{
    struct tap_side *from;
    char data[5000];

    dive(_i, 0);
    from = in(&p.a);
    from->len = 0;
    ck_assert_int_eq(BIO_write(p.b.bio, test_bytes(20000), 20000), 20000);
    ck_assert_int_eq(BIO_read(p.a.bio, data, 5000), 5000);
    ck_assert_uint_eq(from->len, 5000);
    ck_assert_int_eq(BIO_read(p.a.bio, data, 100), 100);
    ck_assert_uint_eq(from->len, 20000);
    ck_assert_int_eq(BIO_read(p.a.bio, data, 5000), 5000);
    ck_assert_mem_eq(data, test_bytes(20000) + 5100, 5000);
    done();
}
END_TEST

/* What the layer below says comes from the wire when the layer is gone. */
START_TEST(bytes_behind_a_removed_layer_come_from_the_wire)
{
    int depth = 1 + _i / 4, i;
    struct tap_side *from;

    dive(_i, depth);
    from = in(&p.a);
    peer_stop(&p, &p.a, 0);
    tap_hold(from);
    for (i = depth; i > 0; i--)
        ck_assert_int_eq(BIO_read(p.b.bio, &(char) { 0 }, 1), 0);
    peer_stop(&p, &p.b, 0);
    peer_send(&p, &p.b, "in the clear", 12);
    tap_release(from);
    moved(from);
    for (i = depth; i > 0; i--)
        peer_expect_boundary(&p, &p.a, i);
    ck_assert_int_eq(moved(from), 1);
    peer_expect(&p, &p.a, "in the clear", 12, 0);
    ck_assert_int_eq(moved(from), 0);
    test_depths(p.a.bio, 0, 0);
    done();
}
END_TEST

/* And the other way round: what came too early for a start. */
START_TEST(bytes_before_a_start_wait_in_the_wire)
{
    char line[10];

    dive(_i, _i / 4);
    peer_send(&p, &p.a, "S\n", 2);
    BIO_onion_start_tls(p.a.bio, test_ssl(1, p.version, 1 + _i / 4), NULL, 0);
    BIO_do_handshake(p.a.bio);
    moved(in(&p.b));
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 2);
    ck_assert_int_eq(moved(in(&p.b)), 1);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, p.version, 1 + _i / 4), NULL, 0);
    BIO_do_handshake(p.b.bio);
    ERR_clear_error();
    ck_assert_int_eq(moved(in(&p.b)), 0);
    peers_handshake(&p);
    done();
}
END_TEST

/*
 * Records
 */

/* _i: version, client x depth 1, 3, 8 */
START_TEST(sixteen_kilobytes_are_two_records_at_most_in_each_layer)
{
    static const int depths[] = { 1, 3, 8 };
    int depth = depths[_i / 4], i;
    size_t before;

    dive(_i, depth);
    count_records(depth);
    before = out(&p.a)->len;
    ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(16384), 16384), 16384);
    for (i = 1; i <= depth; i++) {
        ck_assert_int_ge(records[i], 1);
        ck_assert_int_le(records[i], 2);
    }
    ck_assert_int_eq(tap_records(out(&p.a), before), records[1]);
    peer_expect(&p, &p.b, test_bytes(16384), 16384, depth);
    done();
}
END_TEST

START_TEST(a_large_write_costs_as_few_records_inside_as_outside)
{
    int i;

    dive(_i, 4);
    count_records(4);
    ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(160000), 160000), 160000);
    for (i = 1; i <= 4; i++)
        ck_assert_int_le(records[i], 11);
    peer_expect(&p, &p.b, test_bytes(160000), 160000, 4);
    done();
}
END_TEST

/* _i: version x depth 0 to 8: 22 bytes a layer, 29 in TLS 1.2. */
START_TEST(a_byte_costs_one_record_in_each_layer)
{
    int depth = _i / 2;
    size_t before;

    dive(_i % 2, depth);
    before = out(&p.a)->len;
    ck_assert_int_eq(BIO_write(p.a.bio, "x", 1), 1);
    ck_assert_uint_eq(out(&p.a)->len - before,
                      1 + (size_t)depth * (_i % 2 ? 29 : 22));
    done();
}
END_TEST

/* The text never goes by in a layer that is not meant to see it. */
START_TEST(nothing_of_the_text_is_on_the_wire)
{
    dive(_i, 1 + _i / 4);
    peer_send(&p, &p.a, "SECRET", 6);
    peer_expect(&p, &p.b, "SECRET", 6, 1 + _i / 4);
    ck_assert(!tap_saw(out(&p.a), "SECRET"));
    peers_rise(&p, &p.a, 0);
    peer_send(&p, &p.a, "SECRET", 6);
    ck_assert(tap_saw(out(&p.a), "SECRET"));
    done();
}
END_TEST

/*
 * Bounds
 */

START_TEST(wpending_counts_a_flight_that_cannot_leave)
{
    dive(_i, 1);
    peers_start(&p);
    tap_hold(out(&p.a));
    test_retried(p.a.bio, (int)BIO_do_handshake(p.a.bio));
    if (!p.flip) {
        ck_assert_int_gt((int)BIO_wpending(p.a.bio), 100);
        ck_assert(BIO_should_write(p.a.bio));
    }
    tap_release(out(&p.a));
    peers_handshake(&p);
    ck_assert_int_eq((int)BIO_wpending(p.a.bio), 0);
    done();
}
END_TEST

START_TEST(a_write_that_cannot_leave_holds_a_bounded_number)
{
    int i, held;

    dive(_i, 2);
    tap_hold(out(&p.a));
    test_retried(p.a.bio, BIO_write(p.a.bio, test_bytes(200000), 200000));
    held = (int)BIO_wpending(p.a.bio);
    for (i = 0; i < 10; i++)
        test_retried(p.a.bio, BIO_write(p.a.bio, test_bytes(200000), 200000));
    ck_assert_int_eq((int)BIO_wpending(p.a.bio), held);
    ck_assert_int_lt(held, 300000);
    tap_release(out(&p.a));
    ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(200000), 200000), 200000);
    peer_expect(&p, &p.b, test_bytes(200000), 200000, 2);
    done();
}
END_TEST

/*
 * Each HelloRequest is answered by a warning, and the peer reads none of them.
 * It is the layer that fails, not the memory.
 */
START_TEST(a_peer_that_asks_but_does_not_read_is_given_up)
{
    struct stock s;
    BIO *tap, *stack = stock_pair(&s, 70000, &tap);
    int i, ret = -1, most = 0;
    char c;

    stock_dive(&s, stack, TLS1_2_VERSION, 1);
    tap_hold(&tap_of(tap)->out);
    for (i = 0; i < 100000; i++) {
        SSL_renegotiate(s.ssl[1]);
        SSL_do_handshake(s.ssl[1]);
        ERR_clear_error();
        if (i % 100 != 0)
            continue;
        ret = BIO_read(stack, &c, 1);
        if ((int)BIO_wpending(stack) > most)
            most = (int)BIO_wpending(stack);
        if (!BIO_should_retry(stack))
            break;
    }
    test_failed_at(stack, ret, ONION_R_TOO_MUCH_UNSENT, 1);
    ck_assert_int_gt(most, 1000);
    ck_assert_int_lt(most, 2000000);
    BIO_free_all(stack);
    stock_free(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire");
    TCase *tc = test_case(s, "calls");

    test_loop(tc, a_write_is_one_write_of_the_transport, 0, 20);
    test_loop(tc, each_flight_of_a_handshake_is_one_write, 0, 16);
    test_loop(tc, the_first_write_may_go_with_the_last_flight, 0, 6);
    test_loop(tc, a_stop_of_all_layers_is_one_write, 0, 4);
    test_loop(tc, follow_answers_in_one_write, 0, 4);
    test_loop(tc, what_has_come_is_read_at_once, 0, 16);
    test_loop(tc, a_large_read_in_the_clear_takes_what_it_asks_for, 0, 4);
    test_loop(tc, a_read_that_can_be_served_asks_nothing_below,
              0, 16);
    test_loop(tc, bytes_behind_a_removed_layer_come_from_the_wire,
              0, 12);
    test_loop(tc, bytes_before_a_start_wait_in_the_wire, 0, 8);
    tc = test_case(s, "records");
    test_loop(tc,
              sixteen_kilobytes_are_two_records_at_most_in_each_layer,
              0, 12);
    test_loop(tc,
              a_large_write_costs_as_few_records_inside_as_outside,
              0, 4);
    test_loop(tc, a_byte_costs_one_record_in_each_layer, 0, 18);
    test_loop(tc, nothing_of_the_text_is_on_the_wire, 0, 12);
    tc = test_case(s, "bounds");
    test_loop(tc, wpending_counts_a_flight_that_cannot_leave, 0, 4);
    test_loop(tc,
              a_write_that_cannot_leave_holds_a_bounded_number,
              0, 4);
    tcase_add_test(tc, a_peer_that_asks_but_does_not_read_is_given_up);
    return test_main(s);
}
