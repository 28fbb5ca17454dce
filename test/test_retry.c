/*
 * test_retry.c - transports that are slow, small, or ask to come again.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <unistd.h>
#include "util.h"

static struct peers p;

static struct shape set_up(int i)
{
    struct shape shape = test_shape(i % TEST_SHAPES);

    peers_new(&p, shape.size, shape.version);
    p.flip = shape.flip;
    return shape;
}

static void done(void)
{
    peers_free(&p);
}

/* Three layers in and out, with some text at each depth. */
static void whole_life(size_t len)
{
    int i;

    for (i = 1; i <= 3; i++) {
        peers_dive(&p, 1);
        peer_send(&p, &p.a, test_bytes(len), len);
        peer_send(&p, &p.b, test_bytes(len), len);
        peer_expect(&p, &p.a, test_bytes(len), len, i);
        peer_expect(&p, &p.b, test_bytes(len), len, i);
    }
    peers_rise(&p, &p.a, 2);
    peers_rise(&p, &p.b, 0);
}

/*
 * Slow transports
 */

START_TEST(a_whole_life_over_a_pair_of_any_size)
{
    set_up(_i);
    whole_life(3000);
    done();
}
END_TEST

/* _i: a shape x how many bytes pass per call */
START_TEST(a_whole_life_over_a_throttled_transport)
{
    static const size_t per_call[] = { 1, 3, 100 };

    set_up(_i);
    tap_of(p.a.tap)->in.max = per_call[_i / TEST_SHAPES];
    tap_of(p.a.tap)->out.max = per_call[_i / TEST_SHAPES];
    tap_of(p.b.tap)->in.max = 1;
    whole_life(200);
    done();
}
END_TEST

START_TEST(a_whole_life_with_a_retry_before_every_call)
{
    set_up(_i);
    tap_of(p.a.tap)->in.stutter = tap_of(p.a.tap)->out.stutter = 1;
    tap_of(p.b.tap)->in.stutter = tap_of(p.b.tap)->out.stutter = 1;
    whole_life(1000);
    done();
}
END_TEST

START_TEST(a_whole_life_one_byte_and_a_retry_at_a_time)
{
    set_up(4 * 4 + _i);
    tap_of(p.a.tap)->in.stutter = tap_of(p.a.tap)->out.stutter = 1;
    tap_of(p.a.tap)->in.max = tap_of(p.a.tap)->out.max = 1;
    whole_life(100);
    done();
}
END_TEST

/* What a poll() loop would see: it does what it is told, and that suffices. */
START_TEST(a_retry_always_asks_for_what_the_transport_lacks)
{
    char c;

    set_up(16 + _i);
    peers_dive(&p, 2);
    test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
    ck_assert(BIO_should_read(p.a.bio) && !BIO_should_write(p.a.bio));
    ck_assert(!BIO_should_io_special(p.a.bio));
    tap_hold(&tap_of(p.a.tap)->out);
    test_retried(p.a.bio, BIO_write(p.a.bio, "x", 1));
    ck_assert(BIO_should_write(p.a.bio));
    test_retried(p.a.bio, (int)BIO_flush(p.a.bio));
    ck_assert(BIO_should_write(p.a.bio));
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq(BIO_write(p.a.bio, "x", 1), 1);
    done();
}
END_TEST

/* Else the bytes in the wire would stay there when one only reads. */
START_TEST(a_read_with_unsent_bytes_asks_to_write_too)
{
    char c;

    set_up(16 + _i);
    peers_dive(&p, 2);
    tap_hold(&tap_of(p.a.tap)->out);
    test_retried(p.a.bio, BIO_write(p.a.bio, "x", 1));
    test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
    ck_assert(BIO_should_read(p.a.bio) && BIO_should_write(p.a.bio));
    tap_release(&tap_of(p.a.tap)->out);
    test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
    ck_assert(BIO_should_read(p.a.bio) && !BIO_should_write(p.a.bio));
    peer_expect(&p, &p.b, "x", 1, 2);
    ck_assert_int_eq(BIO_write(p.a.bio, "x", 1), 1);
    peer_expect_retry(&p.b);
    done();
}
END_TEST

START_TEST(the_flags_are_clear_after_a_call_that_is_done)
{
    char c;

    set_up(16 + _i);
    peers_dive(&p, 2);
    test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
    ck_assert_int_eq(BIO_write(p.a.bio, "x", 1), 1);
    ck_assert_int_eq(BIO_get_retry_flags(p.a.bio), 0);
    test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    ck_assert_int_eq(BIO_get_retry_flags(p.a.bio), 0);
    done();
}
END_TEST

/*
 * The write contract
 */

/* _i: depth */
START_TEST(a_retried_write_is_sent_once)
{
    struct tap_side *out;
    size_t i, cut;

    for (cut = 0; cut < 100; cut += 7) {
        peers_new(&p, 70000, TLS1_3_VERSION);
        peers_dive(&p, _i);
        out = &tap_of(p.a.tap)->out;
        out->limit = out->len + cut;
        for (i = 0; i < 3; i++)
            test_retried(p.a.bio, BIO_write(p.a.bio, test_bytes(200), 200));
        tap_release(out);
        ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(200), 200), 200);
        ck_assert_int_eq(BIO_write(p.a.bio, "next", 4), 4);
        peer_expect(&p, &p.b, test_bytes(200), 200, _i);
        peer_expect(&p, &p.b, "next", 4, _i);
        peer_expect_retry(&p.b);
        done();
    }
}
END_TEST

START_TEST(a_write_retried_from_elsewhere_is_refused)
{
    char text[] = "one and only", copy[] = "one and only";

    peers_new(&p, 70000, TLS1_3_VERSION);
    peers_dive(&p, _i);
    tap_of(p.a.tap)->out.limit = tap_of(p.a.tap)->out.len + 3;
    test_retried(p.a.bio, BIO_write(p.a.bio, text, 12));
    test_failed(p.a.bio, BIO_write(p.a.bio, copy, 12),
                ONION_R_BAD_WRITE_RETRY);
    test_failed(p.a.bio, BIO_write(p.a.bio, text, 5),
                ONION_R_BAD_WRITE_RETRY);
    tap_release(&tap_of(p.a.tap)->out);
    test_failed(p.a.bio, BIO_puts(p.a.bio, "another"),
                ONION_R_BAD_WRITE_RETRY);
    ck_assert_int_eq(BIO_write(p.a.bio, text, 12), 12);
    peer_expect(&p, &p.b, text, 12, _i);
    peer_expect_retry(&p.b);
    done();
}
END_TEST

/* The wire takes 256 KiB or so: this write is more than it holds. */
START_TEST(a_write_larger_than_every_buffer_is_retried_to_its_end)
{
    static unsigned char big[600000];
    int ret, rounds = 0;

    memcpy(big, test_bytes(200000), 200000);
    memcpy(big + 400000, test_bytes(200000), 200000);
    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, _i);
    while ((ret = BIO_write(p.a.bio, big, sizeof(big))) < 0) {
        test_retried(p.a.bio, ret);
        ck_assert_int_lt((int)BIO_wpending(p.a.bio), 400000);
        peer_pump(&p.b);
        peers_round(&p);
        rounds++;
    }
    ck_assert_int_eq(ret, (int)sizeof(big));
    ck_assert_int_gt(rounds, 10);
    peer_expect(&p, &p.b, big, sizeof(big), _i);
    peer_expect_retry(&p.b);
    done();
}
END_TEST

/*
 * Reads that must write, writes that must read
 */

/* A write during a handshake has to read: the flags say which. */
START_TEST(a_write_that_shakes_hands_asks_to_read)
{
    set_up(16 + _i);
    peers_start(&p);
    test_retried(p.a.bio, BIO_write(p.a.bio, "x", 1));
    if (!p.flip)
        ck_assert(BIO_should_read(p.a.bio) && !BIO_should_write(p.a.bio));
    tap_hold(&tap_of(p.b.tap)->out);
    test_retried(p.b.bio, (int)BIO_do_handshake(p.b.bio));
    tap_release(&tap_of(p.b.tap)->out);
    peers_handshake(&p);
    done();
}
END_TEST

/* A handshake whose flight cannot leave, in a read. */
START_TEST(a_read_that_shakes_hands_asks_to_write)
{
    char c;

    peers_new(&p, 70000, TLS1_3_VERSION);
    peers_start(&p);
    tap_hold(&tap_of(p.a.tap)->out);
    test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
    ck_assert(BIO_should_write(p.a.bio));
    tap_release(&tap_of(p.a.tap)->out);
    peers_handshake(&p);
    peers_talk(&p);
    done();
}
END_TEST

/*
 * Special retries
 */

/* A certificate callback that suspends so many times. */
static int suspensions;

static int suspend_cert(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return suspensions-- > 0 ? -1 : 1;
}

static int suspend_verify(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx,
                                          SSL_get_ex_data_X509_STORE_CTX_idx());

    if (suspensions-- > 0)
        return SSL_set_retry_verify(ssl);
    return ok;
}

static int suspend_hello(SSL *ssl, int *alert, void *arg)
{
    (void)ssl;
    (void)alert;
    (void)arg;
    return suspensions-- > 0 ? SSL_CLIENT_HELLO_RETRY
                             : SSL_CLIENT_HELLO_SUCCESS;
}

/* Shakes hands; returns how often b asked for a special retry. */
static int special_handshake(struct peer *who)
{
    int a = 0, b = 0, special = 0;

    while (!a || !b) {
        a = a || peer_done(&p.a, BIO_do_handshake(p.a.bio) > 0 ? 1 : -1);
        if (who == &p.a && !a && BIO_should_io_special(p.a.bio))
            special++;
        b = b || peer_done(&p.b, BIO_do_handshake(p.b.bio) > 0 ? 1 : -1);
        if (who == &p.b && !b && BIO_should_io_special(p.b.bio))
            special++;
        peers_round(&p);
    }
    return special;
}

/* _i: version x the suspended layer is 1, 2, 3 of three */
START_TEST(a_certificate_callback_may_suspend_in_any_layer)
{
    int special;

    set_up(16 + _i % 2);
    peers_start(&p);
    peers_start(&p);
    peers_start(&p);
    suspensions = 3;
    SSL_set_cert_cb(BIO_onion_get0_ssl(p.b.bio, 1 + _i / 2), suspend_cert,
                    NULL);
    special = special_handshake(&p.b);
    ck_assert_int_eq(special, 3);
    ck_assert_int_lt(suspensions, 1);
    peers_talk(&p);
    peers_rise(&p, &p.a, 0);
    done();
}
END_TEST

START_TEST(the_reason_of_a_suspended_certificate_callback_comes_up)
{
    int i, special = 0;

    set_up(16 + _i % 2);
    peers_start(&p);
    peers_start(&p);
    suspensions = 1;
    SSL_set_cert_cb(BIO_onion_get0_ssl(p.b.bio, 1 + _i / 2), suspend_cert,
                    NULL);
    for (i = 0; i < 20 && !special; i++) {
        BIO_do_handshake(p.a.bio);
        BIO_do_handshake(p.b.bio);
        special = BIO_should_io_special(p.b.bio);
    }
    ck_assert(special);
    ck_assert_int_eq(BIO_get_retry_reason(p.b.bio), BIO_RR_SSL_X509_LOOKUP);
    peers_handshake(&p);
    done();
}
END_TEST

START_TEST(a_verify_callback_may_suspend_in_any_layer)
{
    SSL *ssl;

    set_up(16 + _i % 2);
    peers_start(&p);
    peers_start(&p);
    peers_start(&p);
    suspensions = 3;
    ssl = BIO_onion_get0_ssl(p.a.bio, 1 + _i / 2);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, suspend_verify);
    ck_assert_int_gt(special_handshake(&p.a), 0);
    ck_assert_int_lt(suspensions, 1);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(a_client_hello_callback_may_suspend_in_any_layer)
{
    SSL_CTX *ctx = test_server_ctx(_i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION,
                                   "layer2.test", 0);
    int below = _i / 2 % 2, above = _i / 4;

    peers_new(&p, 70000, _i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    suspensions = 3;
    if (!below)
        peers_dive(&p, 1);
    else
        peers_start(&p);
    SSL_CTX_set_client_hello_cb(ctx, suspend_hello, NULL);
    BIO_onion_start_tls(p.a.bio, test_ssl(1, p.version, 2), NULL, 0);
    BIO_onion_start_tls(p.b.bio, test_ssl_of(ctx, 0, NULL), NULL, 0);
    if (above)
        peers_start(&p);
    ck_assert_int_eq(special_handshake(&p.b), 3);
    SSL_CTX_set_client_hello_cb(ctx, NULL, NULL);
    peers_talk(&p);
    done();
}
END_TEST

/* _i: depth. As BIO_s_connect() does it, which loopback may not. */
START_TEST(a_transport_that_is_not_connected_asks_for_that)
{
    int i, ret;

    peers_new(&p, 70000, TLS1_3_VERSION);
    for (i = 0; i < _i; i++)
        peers_start(&p);
    tap_of(p.a.tap)->special = BIO_RR_CONNECT;
    for (i = 0; i < 3; i++) {
        ret = BIO_write(p.a.bio, "x", 1);
        test_retried(p.a.bio, ret);
        ck_assert(BIO_should_io_special(p.a.bio));
        ck_assert_int_eq(BIO_get_retry_reason(p.a.bio), BIO_RR_CONNECT);
    }
    tap_of(p.a.tap)->special = 0;
    peers_handshake(&p);
    peer_send(&p, &p.a, "x", 1);
    peer_expect(&p, &p.b, "x", 1, _i);
    peers_talk(&p);
    done();
}
END_TEST

START_TEST(a_connect_bio_is_connected_by_the_first_handshake)
{
    char name[32], text[5];
    int listener = test_listen(name), ret;
    BIO *connect = BIO_new_connect(name), *stack, *peer;

    BIO_set_nbio(connect, 1);
    stack = BIO_new_onion_stack(connect);
    ck_assert_ptr_nonnull(stack);
    while ((ret = BIO_write(stack, "hello", 5)) < 0)
        test_retried(stack, ret);
    ck_assert_int_eq(ret, 5);
    peer = BIO_new_socket(test_accept(listener), BIO_CLOSE);
    ck_assert_int_eq(BIO_read(peer, text, 5), 5);
    ck_assert_int_gt((int)BIO_get_fd(stack, NULL), 0);
    BIO_free_all(stack);
    BIO_free(peer);
    test_no_error();
}
END_TEST

START_TEST(a_connection_that_is_refused_fails)
{
    char name[32];
    BIO *stack;
    int ret;

    close(test_listen(name));
    stack = BIO_new_onion_stack(BIO_new_connect(name));
    if (_i)
        BIO_onion_start_tls(stack, test_ssl(1, 0, 1), NULL, 0);
    ret = BIO_write(stack, "hello", 5);
    test_failed(stack, ret, _i ? 0 : ONION_R_TRANSPORT_FAILED);
    ret = BIO_write(stack, "hello", 5);
    test_failed(stack, ret, _i ? 0 : ONION_R_TRANSPORT_FAILED);
    BIO_free_all(stack);
    test_no_error();
}
END_TEST

/*
 * A transport whose flush cannot finish
 */

static void put_under(BIO *tap, BIO *filter)
{
    BIO *transport = BIO_next(tap);

    BIO_pop(transport);
    BIO_push(tap, filter);
    BIO_push(tap, transport);
}

/* _i: a shape: BIO_f_buffer() over a small pair, and over a slow one. */
START_TEST(a_buffer_may_be_the_transport)
{
    struct shape shape = test_shape(_i);
    BIO *a, *b;

    peers_new(&p, shape.size, shape.version);
    p.flip = shape.flip;
    a = BIO_new(BIO_f_buffer());
    b = BIO_new(BIO_f_buffer());
    put_under(p.a.tap, a);
    put_under(p.b.tap, b);
    whole_life(500);
    done();
}
END_TEST

START_TEST(a_flush_that_asks_for_a_retry_is_not_a_failure)
{
    set_up(16);
    tap_of(p.a.tap)->flush_retry = 20;
    tap_of(p.b.tap)->flush_retry = 20;
    whole_life(10);
    done();
}
END_TEST

START_TEST(a_flush_that_is_owed_is_asked_for)
{
    int i;

    set_up(16 + _i % 2);
    peers_dive(&p, _i / 2);
    tap_of(p.a.tap)->flush_retry = 3;
    for (i = 0; i < 3; i++) {
        test_retried(p.a.bio, BIO_write(p.a.bio, "x", 1));
        ck_assert(BIO_should_write(p.a.bio));
    }
    ck_assert_int_eq(BIO_write(p.a.bio, "x", 1), 1);
    peer_expect(&p, &p.b, "x", 1, _i / 2);
    peer_expect_retry(&p.b);
    done();
}
END_TEST

static void slow(Suite *s)
{
    TCase *tc = test_case(s, "slow");

    test_loop(tc, a_whole_life_over_a_pair_of_any_size,
              0, TEST_SHAPES);
    test_loop(tc, a_whole_life_over_a_throttled_transport,
              0, 3 * TEST_SHAPES);
    test_loop(tc, a_whole_life_with_a_retry_before_every_call,
              0, TEST_SHAPES);
    test_loop(tc, a_whole_life_one_byte_and_a_retry_at_a_time, 0, 4);
    test_loop(tc, a_retry_always_asks_for_what_the_transport_lacks,
              0, 4);
    test_loop(tc, a_read_with_unsent_bytes_asks_to_write_too, 0, 4);
    test_loop(tc, the_flags_are_clear_after_a_call_that_is_done,
              0, 4);
    tc = test_case(s, "write");
    test_loop(tc, a_retried_write_is_sent_once, 0, 4);
    test_loop(tc, a_write_retried_from_elsewhere_is_refused, 0, 3);
    test_loop(tc,
              a_write_larger_than_every_buffer_is_retried_to_its_end,
              0, 4);
    test_loop(tc, a_write_that_shakes_hands_asks_to_read, 0, 4);
    tcase_add_test(tc, a_read_that_shakes_hands_asks_to_write);
}

static void special(Suite *s)
{
    TCase *tc = test_case(s, "special");

    test_loop(tc, a_certificate_callback_may_suspend_in_any_layer,
              0, 6);
    test_loop(tc,
              the_reason_of_a_suspended_certificate_callback_comes_up,
              0, 4);
    test_loop(tc, a_verify_callback_may_suspend_in_any_layer, 0, 6);
    test_loop(tc, a_client_hello_callback_may_suspend_in_any_layer,
              0, 8);
    test_loop(tc, a_transport_that_is_not_connected_asks_for_that,
              1, 4);
    tcase_add_test(tc, a_connect_bio_is_connected_by_the_first_handshake);
    test_loop(tc, a_connection_that_is_refused_fails, 0, 2);
    tc = test_case(s, "flush");
    test_loop(tc, a_buffer_may_be_the_transport, 0, TEST_SHAPES);
    tcase_add_test(tc, a_flush_that_asks_for_a_retry_is_not_a_failure);
    test_loop(tc, a_flush_that_is_owed_is_asked_for, 0, 6);
}

int main(void)
{
    Suite *s = suite_create("retry");

    slow(s);
    special(s);
    return test_main(s);
}
