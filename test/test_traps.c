/*
 * test_traps.c - each trap of the design, section 5, by its number.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The comment on a test says how it was seen to fail, with a line of the
 * library taken out, or why it does not.
 */

#include <stdlib.h>
#include <string.h>
#include "util.h"

static struct peers p;
static struct stock s;
static BIO *stack, *tap;

static int version_of(int i)
{
    return i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

static void dive(int i, int depth)
{
    peers_new(&p, 70000, version_of(i));
    p.flip = i / 2 % 2;
    peers_dive(&p, depth);
    peers_talk(&p);
}

static void done(void)
{
    peers_free(&p);
}

/* The stock peer is the server where i / 2 is odd. */
static void stock_up(int i, int depth)
{
    stack = stock_pair(&s, 400000, &tap);
    while (depth-- > 0)
        stock_dive(&s, stack, version_of(i), i / 2 % 2);
}

static void stock_down(void)
{
    BIO_free_all(stack);
    test_no_error();
    stock_free(&s);
}

/* Two chains of layers alone, over a pair with a tap on each side. */
struct chains {
    BIO *c, *s, *tap_c, *tap_s;
};

static BIO *layer_over(SSL *ssl, BIO *below)
{
    BIO *b = BIO_new(BIO_f_onion());

    BIO_set_ssl(b, ssl, BIO_CLOSE);
    return BIO_push(b, below);
}

static void chains_shake(struct chains *t)
{
    int rounds = 0, c = 0, d = 0;
    char byte;

    while (!c || !d) {
        if (c)
            BIO_read(t->c, &byte, 1);
        c = c || BIO_do_handshake(t->c) == 1;
        ck_assert(c || BIO_should_retry(t->c));
        d = d || BIO_do_handshake(t->s) == 1;
        ck_assert(d || BIO_should_retry(t->s));
        ck_assert_msg(rounds++ < 100000, "no progress");
    }
}

static struct chains chains_new(int version, int depth, size_t size)
{
    struct chains t;
    int i;

    BIO_new_bio_pair(&t.c, size, &t.s, size);
    t.c = BIO_push(t.tap_c = tap_new(), t.c);
    t.s = BIO_push(t.tap_s = tap_new(), t.s);
    for (i = 1; i <= depth; i++) {
        t.c = layer_over(test_ssl(1, version, i), t.c);
        t.s = layer_over(test_ssl(0, version, i), t.s);
    }
    return t;
}

static void chains_free(struct chains *t)
{
    BIO_free_all(t->c);
    BIO_free_all(t->s);
    test_no_error();
}

static void chains_talk(struct chains *t)
{
    char in[10];

    ck_assert_int_eq(BIO_write(t->c, "to s", 4), 4);
    ck_assert_int_eq(BIO_read(t->s, in, sizeof(in)), 4);
    ck_assert_int_eq(BIO_write(t->s, "to c", 4), 4);
    ck_assert_int_eq(BIO_read(t->c, in, sizeof(in)), 4);
    test_no_error();
}

/*
 * 1. Without the latch of a failure the second read is a boundary: OpenSSL
 * says "zero return" then.
 */
START_TEST(trap_01_a_fatal_alert_is_no_boundary_at_the_second_read)
{
    BIO *mem = BIO_new(BIO_s_mem()), *old;
    char in[10];
    int i;

    stock_up(_i, 1);
    old = SSL_get_rbio(s.ssl[1]);
    BIO_up_ref(old);
    BIO_write(mem, "\x17\x03\x03\x00\x20"
              "01234567890123456789012345678901", 37);
    SSL_set0_rbio(s.ssl[1], mem);
    ck_assert_int_le(stock_read(&s, 1, in, sizeof(in)), 0);
    SSL_set0_rbio(s.ssl[1], old);
    for (i = 0; i < 4; i++)
        test_failed_at(stack, BIO_read(stack, in, sizeof(in)),
                       ONION_R_LAYER_FAILED, 1);
    test_depths(stack, 1, 1);
    stock_down();
}
END_TEST

/* 1. Fails if a close needs no handshake before it: the read gives 0. */
START_TEST(trap_01_a_forged_close_in_the_handshake_is_no_boundary)
{
    char in[10];
    int i;

    stack = stock_pair(&s, 70000, &tap);
    BIO_onion_start_tls(stack, test_ssl(_i / 2, version_of(_i), 1), NULL, 0);
    test_retried(stack, BIO_read(stack, in, 10));
    stock_write(&s, 0, test_forged_close, 7);
    stock_write(&s, 0, "clear", 5);
    for (i = 0; i < 4; i++)
        test_failed_at(stack, BIO_read(stack, in, 10),
                       ONION_R_HANDSHAKE_FAILED, 1);
    test_depths(stack, 1, 1);
    stock_down();
}
END_TEST

/* 1. The same, for a layer without a stack. */
START_TEST(trap_01_a_layer_alone_is_not_at_a_clean_end_then)
{
    struct chains t = chains_new(version_of(_i), 1, 70000);
    char in[10];
    int i, ret;

    BIO_read(t.c, in, 1);
    tap_slip(t.tap_c, test_forged_close, 7);
    for (i = 0; i < 3; i++) {
        ret = BIO_read(t.c, in, 10);
        test_failed_at(t.c, ret == 0 ? 1 : ret, ONION_R_HANDSHAKE_FAILED, 1);
    }
    chains_free(&t);
}
END_TEST

static void set_unsafe(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_set_quiet_shutdown(ssl, 1);
}

/* A layer that would ignore an end of file, and never send its close. */
static void dive_unsafe(int i)
{
    SSL *ssl = test_ssl(1, version_of(i), 1);

    set_unsafe(ssl);
    peers_new(&p, 70000, version_of(i));
    BIO_onion_start_tls(p.a.bio, ssl, NULL, 0);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, p.version, 1), NULL, 0);
    peers_handshake(&p);
    peers_talk(&p);
}

/*
 * 2. It is the port that tells an end from a close here, so this still passes
 * with the option left on; trap_02_a_layer_alone_takes_both_away does not.
 */
START_TEST(trap_02_an_end_of_file_is_not_ignored)
{
    struct tap_side *in;
    char c;

    dive_unsafe(_i);
    in = &tap_of(p.a.tap)->in;
    in->limit = in->len;
    in->end = TAP_EOF;
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &c, 1), ONION_R_TRUNCATED, 1);
    test_depths(p.a.bio, 1, 1);
    done();
}
END_TEST

/* 2. Fails with quiet shutdown left on: no close_notify comes to b. */
START_TEST(trap_02_a_quiet_shutdown_is_not_quiet)
{
    dive_unsafe(_i);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), 0);
    test_depths(p.a.bio, 1, 0);
    peer_expect_boundary(&p, &p.b, 1);
    peer_stop(&p, &p.b, 0);
    peer_expect_boundary(&p, &p.a, 1);
    peers_talk(&p);
    done();
}
END_TEST

/* 2. Fails with any one of the four left on. */
START_TEST(trap_02_a_layer_alone_takes_both_away)
{
    SSL *ssl = test_ssl(1, 0, 1);
    BIO *b = BIO_new(BIO_f_onion());

    set_unsafe(ssl);
    SSL_set_options(ssl, SSL_OP_ENABLE_KTLS);
    SSL_set_read_ahead(ssl, 1);
    BIO_set_ssl(b, ssl, BIO_CLOSE);
    ck_assert_uint_eq(SSL_get_options(ssl) & SSL_OP_IGNORE_UNEXPECTED_EOF, 0);
    ck_assert_uint_eq(SSL_get_options(ssl) & SSL_OP_ENABLE_KTLS, 0);
    ck_assert_int_eq(SSL_get_quiet_shutdown(ssl), 0);
    ck_assert_int_eq(SSL_get_read_ahead(ssl), 0);
    BIO_free(b);
}
END_TEST

/*
 * 3. A stack walks past layers that it has closed, so that this cannot occur
 * by one stop; the next test fails without the latch.
 */
START_TEST(trap_03_a_second_stop_with_unread_data_is_safe)
{
    int i;

    dive(_i, 1);
    peer_send(&p, &p.b, "unread", 6);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), 0);
    peer_expect(&p, &p.a, "unread", 6, 1);
    peer_stop(&p, &p.b, 0);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), 0);
    peer_expect_boundary(&p, &p.a, 1);
    peer_expect_boundary(&p, &p.b, 1);
    peers_talk(&p);
    done();
}
END_TEST

/* 3. Fails if SSL_shutdown() is called though our close is sent. */
START_TEST(trap_03_so_is_a_second_shutdown_of_a_layer_alone)
{
    struct chains t = chains_new(version_of(_i), 1, 70000);
    char in[10];
    int i;

    chains_shake(&t);
    BIO_write(t.s, "unread", 6);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(BIO_onion_shutdown(t.c), 0);
    ck_assert_int_eq(BIO_read(t.c, in, 10), 6);
    BIO_write(t.s, "more", 4);
    ck_assert_int_eq(BIO_read(t.c, in, 10), 4);
    chains_free(&t);
}
END_TEST

/*
 * 4. 600,000 bytes are more than the wire takes: the write is half done.
 * Fails if the stop does not look at that: the layers close in the middle.
 */
START_TEST(trap_04_a_stop_in_a_half_done_write_waits_for_it)
{
    static unsigned char big[600000];
    int ret;

    peers_new(&p, 17408, version_of(_i));
    peers_dive(&p, 2);
    test_retried(p.a.bio, BIO_write(p.a.bio, big, sizeof(big)));
    ret = BIO_onion_stop_tls(p.a.bio, 0);
    ck_assert_int_lt(ret, 0);
    if (!BIO_should_retry(p.a.bio))
        test_failed(p.a.bio, ret, ONION_R_WRITE_UNFINISHED);
    test_depths(p.a.bio, 2, 2);
    peer_send(&p, &p.a, big, sizeof(big));
    peer_stop(&p, &p.a, 0);
    peer_expect(&p, &p.b, big, sizeof(big), 2);
    peer_expect_boundary(&p, &p.b, 2);
    peer_expect_boundary(&p, &p.b, 1);
    done();
}
END_TEST

/* 4. Fails without the latch of a half-written record: "bad write retry". */
START_TEST(trap_04_a_layer_alone_finishes_its_write_first)
{
    struct chains t = chains_new(version_of(_i), 1, 70000);
    struct tap_side *out = &tap_of(t.tap_c)->out;
    int ret;
    char in[10];

    chains_shake(&t);
    out->limit = out->len + 5;
    ck_assert_int_eq(BIO_write(t.c, "half", 4), -1);
    ck_assert(BIO_should_retry(t.c));
    ret = BIO_onion_shutdown(t.c);
    ck_assert_int_lt(ret, 0);
    ERR_clear_error();
    tap_release(out);
    ck_assert_int_eq(BIO_write(t.c, "half", 4), 4);
    ck_assert_int_eq(BIO_onion_shutdown(t.c), 0);
    ck_assert_int_eq(BIO_read(t.s, in, 10), 4);
    ck_assert_int_eq(BIO_read(t.s, in, 10), 0);
    chains_free(&t);
}
END_TEST

/* 5. Fails if SSL_shutdown() is called before the handshake is done. */
START_TEST(trap_05_a_stop_in_a_handshake_leaves_no_error)
{
    int i;

    peers_new(&p, 70000, version_of(_i));
    peers_start(&p);
    for (i = 0; i < 3; i++)
        test_retried(p.a.bio, BIO_onion_stop_tls(p.a.bio, 0));
    peer_stop(&p, &p.a, 0);
    peer_expect_boundary(&p, &p.b, 1);
    done();
}
END_TEST

/*
 * 5. Guarded twice, by the handshake and by a mark in the error queue: fails
 * only with both taken out.
 */
START_TEST(trap_05_a_free_in_a_handshake_leaves_no_error)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    size_t before;

    BIO_do_handshake(t.c);
    BIO_do_handshake(t.s);
    ERR_clear_error();
    before = tap_of(t.tap_c)->out.len;
    BIO_up_ref(t.tap_c);
    BIO_free_all(t.c);
    test_no_error();
    ck_assert_uint_eq(tap_of(t.tap_c)->out.len, before);
    t.c = t.tap_c;
    chains_free(&t);
}
END_TEST

/* 6. Fails with read-ahead left on: a layer that "read past its close". */
START_TEST(trap_06_read_ahead_is_off_and_nothing_is_swallowed)
{
    SSL *ssl = test_ssl(1, version_of(_i), 1);

    SSL_set_read_ahead(ssl, 1);
    peers_new(&p, 70000, version_of(_i));
    BIO_onion_start_tls(p.a.bio, ssl, NULL, 0);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, p.version, 1), NULL, 0);
    peers_handshake(&p);
    ck_assert_int_eq(SSL_get_read_ahead(ssl), 0);
    SSL_set_read_ahead(ssl, 1);         /* by hand, and in vain */
    peer_stop(&p, &p.b, 0);
    peer_send(&p, &p.b, "behind", 6);
    peer_expect_boundary(&p, &p.a, 1);
    peer_expect(&p, &p.a, "behind", 6, 0);
    done();
}
END_TEST

/* From OpenSSL 3.2 on nothing tells of it in TLS 1.3. */
START_TEST(trap_06_what_was_swallowed_by_hand_is_a_failure)
{
    SSL *ssl;
    char c;

    if (version_of(_i) == TLS1_3_VERSION
        && OpenSSL_version_num() >= 0x30200000L)
        return;
    peers_new(&p, 70000, version_of(_i));
    peers_dive(&p, 1);
    ssl = BIO_onion_get0_ssl(p.a.bio, 1);
    peer_send(&p, &p.b, "x", 1);
    peer_stop(&p, &p.b, 0);
    peer_send(&p, &p.b, "behind", 6);
    SSL_set_read_ahead(ssl, 1);
    ck_assert_int_eq(SSL_peek(ssl, &c, 1), 1);
    ck_assert_int_eq(BIO_read(p.a.bio, &c, 1), 1);
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &c, 1), ONION_R_LAYER_FAILED, 1);
    done();
}
END_TEST

static void check_no_ktls(BIO *b, BIO *below)
{
    char buf[300] = { 0 };
    int cmd;

    for (cmd = 72; cmd <= 76; cmd++) {
        tap_of(below)->ctrls[cmd] = 0;
        ck_assert_int_le((int)BIO_ctrl(b, cmd, 1, buf), 0);
        ck_assert_int_eq(tap_of(below)->ctrls[cmd], 0);
    }
}

/*
 * 7. Each BIO of the stack has its own list, so one that passes on all it gets
 * is not enough: fails with those of the stack and the wire taken out.
 */
START_TEST(trap_07_a_transport_that_claims_ktls_sees_records)
{
    SSL *a = test_ssl(1, version_of(_i), 1);
    SSL *b = test_ssl(0, version_of(_i), 1);

    peers_new(&p, 70000, version_of(_i));
    tap_of(p.a.tap)->ktls = tap_of(p.b.tap)->ktls = 1;
    SSL_set_options(a, SSL_OP_ENABLE_KTLS);
    SSL_set_options(b, SSL_OP_ENABLE_KTLS);
    BIO_onion_start_tls(p.a.bio, a, NULL, 0);
    BIO_onion_start_tls(p.b.bio, b, NULL, 0);
    peers_handshake(&p);
    peer_send(&p, &p.a, "SECRET", 6);
    peer_expect(&p, &p.b, "SECRET", 6, 1);
    ck_assert(!tap_saw(&tap_of(p.a.tap)->out, "SECRET"));
    check_no_ktls(p.a.bio, p.a.tap);
    done();
}
END_TEST

/* 7. Fails with the list of the layer taken out. */
START_TEST(trap_07_a_layer_alone_passes_on_what_it_knows_only)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    BIO *outer = BIO_next(t.c);
    int cmd;

    tap_of(t.tap_c)->ktls = 1;
    chains_shake(&t);
    BIO_write(t.c, "SECRET", 6);
    ck_assert(!tap_saw(&tap_of(t.tap_c)->out, "SECRET"));
    check_no_ktls(t.c, t.tap_c);
    check_no_ktls(outer, t.tap_c);
    for (cmd = 200; cmd < 256; cmd++) {
        BIO_ctrl(t.c, cmd, 0, NULL);
        ck_assert_int_eq(tap_of(t.tap_c)->ctrls[cmd], 0);
    }
    chains_free(&t);
}
END_TEST

/* 8. Fails if the port does not note an end: the reason is another. */
START_TEST(trap_08_an_outer_close_truncates_the_inner_layer)
{
    char in[10];

    stock_up(_i, 2);
    SSL_shutdown(s.ssl[1]);
    test_failed_at(stack, BIO_read(stack, in, 10), ONION_R_TRUNCATED, 2);
    test_failed_at(stack, BIO_write(stack, "SECRET", 6), ONION_R_TRUNCATED, 2);
    test_failed_at(stack, BIO_read(stack, in, 10), ONION_R_TRUNCATED, 2);
    stock_down();
}
END_TEST

/* 8. The same, for layers without a stack. */
START_TEST(trap_08_nested_layers_alone_see_it_too)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    char in[10];
    int ret;

    chains_shake(&t);
    chains_talk(&t);
    ck_assert_int_eq(BIO_onion_shutdown(BIO_next(t.s)), 0);
    ret = BIO_read(t.c, in, 10);
    test_failed_at(t.c, ret, ONION_R_TRUNCATED, 2);
    ret = BIO_write(t.c, "SECRET", 6);
    test_failed_at(t.c, ret, ONION_R_TRUNCATED, 2);
    ck_assert_int_eq(BIO_eof(t.c), 1);
    chains_free(&t);
}
END_TEST

/*
 * 9. Fails if the port passes on the retry of a flush, and also if it forgets
 * to flush later.
 */
START_TEST(trap_09_a_flush_in_a_handshake_is_finished_later)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);

    tap_of(t.tap_c)->flush_retry = 7;
    tap_of(t.tap_s)->flush_retry = 7;
    chains_shake(&t);
    chains_talk(&t);
    ck_assert_int_eq(tap_of(t.tap_c)->flush_retry, 0);
    chains_free(&t);
}
END_TEST

/* 9. Fails if the wire does not flush the transport. */
START_TEST(trap_09_so_it_is_in_a_stack)
{
    peers_new(&p, 70000, version_of(_i));
    tap_of(p.a.tap)->flush_retry = tap_of(p.b.tap)->flush_retry = 9;
    peers_dive(&p, 2);
    peers_talk(&p);
    ck_assert_int_eq(tap_of(p.a.tap)->flush_retry, 0);
    done();
}
END_TEST

/*
 * 10. Fails if a layer asks the error queue what has become of a call: "layer
 * failed". A layer alone leaves the entry for whoever prints it, a stack does
 * not.
 */
START_TEST(trap_10_a_stale_error_does_not_make_a_retry_fatal)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    char c;

    chains_shake(&t);
    BIO_read(t.c, &c, 1);       /* OpenSSL empties the queue for a ticket */
    test_stale_error();
    ck_assert_int_eq(BIO_read(t.c, &c, 1), -1);
    ck_assert(BIO_should_retry(t.c));
    ck_assert_int_eq(ERR_GET_LIB(ERR_get_error()), ERR_LIB_PEM);
    test_no_error();
    dive(_i, 2);
    test_stale_error();
    test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
    chains_talk(&t);
    peers_talk(&p);
    done();
    chains_free(&t);
}
END_TEST

/*
 * 11. The mode that is asked for here is what makes the loss silent. Fails if
 * the stack does not compare a retry with the write before it.
 */
START_TEST(trap_11_a_retry_with_other_bytes_is_refused)
{
    static unsigned char big[600000], other[600000];
    SSL *ssl = test_ssl(1, version_of(_i), 1);

    SSL_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                      | SSL_MODE_ENABLE_PARTIAL_WRITE);
    peers_new(&p, 17408, version_of(_i));
    BIO_onion_start_tls(p.a.bio, ssl, NULL, 0);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, p.version, 1), NULL, 0);
    peers_handshake(&p);
    test_retried(p.a.bio, BIO_write(p.a.bio, big, sizeof(big)));
    test_failed(p.a.bio, BIO_write(p.a.bio, other, sizeof(other)),
                ONION_R_BAD_WRITE_RETRY);
    peer_send(&p, &p.a, big, sizeof(big));
    peer_send(&p, &p.a, "next", 4);
    peer_expect(&p, &p.b, big, sizeof(big), 1);
    peer_expect(&p, &p.b, "next", 4, 1);
    done();
}
END_TEST

/* 12. Fails without a gets method: -2. */
START_TEST(trap_12_a_stack_has_puts_and_gets)
{
    char line[10];

    dive(_i, _i / 4);
    ck_assert_int_eq(BIO_puts(p.a.bio, "line\n"), 5);
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 5);
    test_retried(p.b.bio, BIO_gets(p.b.bio, line, sizeof(line)));
    done();
}
END_TEST

/* 13. Fails if no room is left for the layers below: 36 records. */
START_TEST(trap_13_an_inner_record_fits_into_an_outer_one)
{
    size_t before;

    peers_new(&p, 70000, version_of(_i));
    peers_dive(&p, 8);
    before = tap_of(p.a.tap)->out.len;
    ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(16384), 16384), 16384);
    ck_assert_int_le(tap_records(&tap_of(p.a.tap)->out, before), 2);
    ck_assert_uint_lt(tap_of(p.a.tap)->out.len - before, 16384 + 2 * 8 * 30);
    done();
}
END_TEST

/*
 * 14. Fails if only the innermost SSL is asked: 0 with four records there.
 * What poll() cannot see, BIO_pending() tells; and what is not there yet,
 * it does not: a loop that believes it neither sleeps nor spins.
 */
START_TEST(trap_14_a_loop_on_pending_neither_sleeps_nor_spins)
{
    int i, reads = 0;
    char in[10];

    dive(_i, 3);
    for (i = 0; i < 5; i++)
        peer_send(&p, &p.b, "0123456789", 10);
    ck_assert_int_eq(BIO_read(p.a.bio, in, 10), 10);
    while (BIO_pending(p.a.bio) > 0) {
        ck_assert_int_eq(BIO_read(p.a.bio, in, 10), 10);
        ck_assert_int_lt(reads++, 5);
    }
    ck_assert_int_eq(reads, 4);
    tap_hold(&tap_of(p.a.tap)->in);
    peer_send(&p, &p.b, "0123456789", 10);
    tap_of(p.a.tap)->in.limit += 15;
    test_retried(p.a.bio, BIO_read(p.a.bio, in, 10));
    ck_assert_int_eq((int)BIO_pending(p.a.bio), 0);
    tap_release(&tap_of(p.a.tap)->in);
    peer_expect(&p, &p.a, "0123456789", 10, 3);
    done();
}
END_TEST

/*
 * 15. a only writes, b only reads; neither does more. Fails with "no progress"
 * if the handshake of a server waits until its tickets are sent.
 */
START_TEST(trap_15_tickets_do_not_stop_who_only_writes)
{
    static const size_t sizes[] = { 1, 7, 50, 512 };
    int a = 0, b = 0, got = 0, depth = 1 + _i / 4, n;
    char in[1000];

    peers_new(&p, sizes[_i % 4], TLS1_3_VERSION);
    for (n = 0; n < depth; n++)
        peers_start(&p);
    while (!a || got < 5000) {
        a = a || peer_done(&p.a, BIO_write(p.a.bio, test_bytes(5000), 5000));
        if (!b) {
            b = peer_done(&p.b, BIO_do_handshake(p.b.bio) == 1 ? 1 : -1);
        } else if ((n = BIO_read(p.b.bio, in, sizeof(in))) > 0) {
            ck_assert_mem_eq(in, test_bytes(5000) + got, (size_t)n);
            got += n;
        }
        peers_round(&p);
    }
    ck_assert_int_eq(got, 5000);
    done();
}
END_TEST

/* Messages of the handshake that a has handled: counted by type. */
static int handled;

static void on_message(int write, int version, int type, const void *data,
                       size_t len, SSL *ssl, void *arg)
{
    (void)version;
    (void)data;
    (void)len;
    (void)ssl;
    (void)arg;
    handled += !write && type == SSL3_RT_HANDSHAKE;
}

static void flood_of_key_updates(int n)
{
    while (n-- > 0) {
        SSL_key_update(s.ssl[1], SSL_KEY_UPDATE_NOT_REQUESTED);
        ck_assert_int_eq(SSL_do_handshake(s.ssl[1]), 1);
    }
}

static void flood_of_tickets(int n)
{
    while (n-- > 0) {
        SSL_new_session_ticket(s.ssl[1]);
        ck_assert_int_eq(SSL_do_handshake(s.ssl[1]), 1);
    }
}

/*
 * 16. Fails without the budget, and with auto-retry on: all in one call.
 * One call handles what has been read ahead at most; and when it asks for
 * a retry, poll() or BIO_pending() bring the loop back.
 */
START_TEST(trap_16_a_flood_without_data_does_not_hold_a_read)
{
    int most = 0, ret = -1, calls = 0;
    char in[10];

    stock_up(2, 1);
    SSL_set_msg_callback(BIO_onion_get0_ssl(stack, 1), on_message);
    if (_i == 0)
        flood_of_key_updates(10000);
    else
        flood_of_tickets(1000);
    stock_write(&s, 1, "done", 4);
    while (ret < 0) {
        handled = 0;
        ret = BIO_read(stack, in, sizeof(in));
        most = handled > most ? handled : most;
        if (ret < 0) {
            test_retried(stack, ret);
            ck_assert(BIO_pending(stack) > 0
                      || BIO_pending(BIO_next(tap)) > 0);
        }
        ck_assert_int_lt(calls++, 10000);
    }
    ck_assert_int_eq(ret, 4);
    ck_assert_int_gt(calls, 1);
    ck_assert_int_lt(most, 3000);
    stock_down();
}
END_TEST

/* An SSL for layer 2 that offers the session of layer 1. */
static SSL *offer(SSL_SESSION *session, const char *host)
{
    SSL *ssl = test_ssl_of(test_client_ctx(version_of(0), 1), 1, host);

    ck_assert_int_eq(SSL_set_session(ssl, session), 1);
    return ssl;
}

/* 17. _i: another name, the same name. Fails without the second check. */
START_TEST(trap_17_a_session_of_another_name_is_not_accepted)
{
    SSL_CTX *server = test_server_ctx(TLS1_3_VERSION, "a.test", 0);
    SSL_CTX *client = test_client_ctx(TLS1_3_VERSION, 1);
    SSL_SESSION *session;
    int rounds = 0, ret;

    peers_new(&p, 70000, TLS1_3_VERSION);
    BIO_onion_start_client(p.a.bio, client, "a.test");
    BIO_onion_start_server(p.b.bio, server);
    peers_handshake(&p);
    peers_talk(&p);
    session = SSL_get1_session(BIO_onion_get0_ssl(p.a.bio, 1));
    BIO_onion_start_tls(p.a.bio, offer(session, _i ? "a.test" : "b.test"),
                        NULL, 0);
    BIO_onion_start_server(p.b.bio, server);
    SSL_SESSION_free(session);
    do {
        ret = (int)BIO_do_handshake(p.a.bio);
        if (BIO_should_retry(p.a.bio))
            BIO_do_handshake(p.b.bio);
        ck_assert_msg(rounds++ < 100, "no progress");
    } while (BIO_should_retry(p.a.bio));
    if (_i) {
        ck_assert_int_eq(ret, 1);
        ck_assert(SSL_session_reused(BIO_onion_get0_ssl(p.a.bio, 2)));
    } else {
        test_failed_at(p.a.bio, ret == 1, ONION_R_SESSION_MISMATCH, 2);
        test_failed_at(p.a.bio, BIO_write(p.a.bio, "SECRET", 6), 0, 2);
    }
    ERR_clear_error();
    done();
}
END_TEST

/*
 * 18. Guarded twice, as trap 5: fails without the mark around the last words.
 */
START_TEST(trap_18_a_layer_freed_after_pop_leaves_no_error)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    BIO *inner = t.c;
    size_t before;

    chains_shake(&t);
    before = tap_of(t.tap_c)->out.len;
    t.c = BIO_pop(inner);
    BIO_free(inner);
    test_no_error();
    inner = t.c;
    t.c = BIO_pop(inner);
    BIO_free(inner);
    test_no_error();
    ck_assert_uint_eq(tap_of(t.tap_c)->out.len, before);
    chains_free(&t);
}
END_TEST

/* 19. Fails if the SSL is given what lies below, and not a port. */
START_TEST(trap_19_a_pop_below_a_layer_leaves_the_chain_whole)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    BIO *outer = BIO_next(t.c), *below = BIO_next(t.tap_c);

    chains_shake(&t);
    chains_talk(&t);
    ck_assert_ptr_eq(BIO_pop(t.tap_c), below);
    ck_assert_ptr_eq(BIO_next(outer), below);
    BIO_free(t.tap_c);
    chains_talk(&t);
    chains_free(&t);
}
END_TEST

/* 20. Fails if our own close is enough to remove a layer. */
START_TEST(trap_20_tickets_after_our_close_are_not_text_below)
{
    char in[10];
    SSL *ssl;

    stock_up(2, 1);
    BIO_write(stack, "x", 1);
    stock_expect(&s, 1, "x");
    ck_assert_int_eq(BIO_onion_stop_tls(stack, 0), 0);
    ssl = s.ssl[1];
    SSL_new_session_ticket(ssl);
    SSL_do_handshake(ssl);
    test_retried(stack, BIO_read(stack, in, 10));
    test_depths(stack, 1, 0);
    ck_assert_int_eq(SSL_shutdown(ssl), 0);
    ck_assert_int_eq(BIO_read(stack, in, 10), 0);
    test_depths(stack, 0, 0);
    stock_down();
}
END_TEST

static int suspensions;

static int suspend(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return suspensions-- > 0 ? -1 : 1;
}

/* 21. Fails if a suspended callback is no retry. */
START_TEST(trap_21_a_callback_may_suspend_below)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    SSL *ssl;

    suspensions = 2;
    BIO_get_ssl(BIO_next(t.s), &ssl);
    SSL_set_cert_cb(ssl, suspend, NULL);
    chains_shake(&t);
    chains_talk(&t);
    ck_assert_int_lt(suspensions, 1);
    chains_free(&t);
}
END_TEST

/* 21. Fails if the flush of a layer does not clear its flags first. */
START_TEST(trap_21_no_flag_is_left_after_a_flush)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    char c;

    chains_shake(&t);
    ck_assert_int_eq(BIO_read(t.c, &c, 1), -1);
    ck_assert_int_eq((int)BIO_flush(t.c), 1);
    ck_assert_int_eq(BIO_get_retry_flags(t.c), 0);
    dive(_i, 2);
    test_retried(p.a.bio, BIO_read(p.a.bio, &c, 1));
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    ck_assert_int_eq(BIO_get_retry_flags(p.a.bio), 0);
    done();
    chains_free(&t);
}
END_TEST

/* Two records of layer 2 in one of layer 1. */
static void two_in_one(const char *one, const char *two)
{
    BIO *mem = BIO_new(BIO_s_mem()), *old = SSL_get_wbio(s.ssl[2]);
    unsigned char out[500];
    int len;

    BIO_up_ref(old);
    SSL_set0_wbio(s.ssl[2], mem);
    SSL_write(s.ssl[2], one, (int)strlen(one));
    SSL_write(s.ssl[2], two, (int)strlen(two));
    len = BIO_read(mem, out, sizeof(out));
    SSL_set0_wbio(s.ssl[2], old);
    stock_write(&s, 1, out, (size_t)len);
}

/* 22. Fails if BIO_pending() of what is below is counted. */
START_TEST(trap_22_pending_counts_no_ciphertext_from_below)
{
    char in[10];

    stock_up(_i, 2);
    two_in_one("first", "second");
    ck_assert_int_eq(BIO_read(stack, in, 10), 5);
    ck_assert_int_eq((int)BIO_pending(stack), 6);
    ck_assert_int_eq(BIO_read(stack, in, 10), 6);
    ck_assert_int_eq((int)BIO_pending(stack), 0);
    stock_down();
}
END_TEST

/* 22. The same, for layers without a stack. */
START_TEST(trap_22_nor_does_a_layer_alone)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    char in[10];
    SSL *ssl;
    BIO *mem = BIO_new(BIO_s_mem()), *old;
    unsigned char out[500];
    int len;

    chains_shake(&t);
    chains_talk(&t);
    BIO_get_ssl(t.s, &ssl);
    old = SSL_get_wbio(ssl);
    BIO_up_ref(old);
    SSL_set0_wbio(ssl, mem);
    SSL_write(ssl, "first", 5);
    SSL_write(ssl, "second", 6);
    len = BIO_read(mem, out, sizeof(out));
    SSL_set0_wbio(ssl, old);
    ck_assert_int_eq(BIO_write(BIO_next(t.s), out, len), len);
    ck_assert_int_eq(BIO_read(t.c, in, 10), 5);
    ck_assert_int_eq((int)BIO_pending(t.c), 6);
    ck_assert_int_eq(BIO_read(t.c, in, 10), 6);
    ck_assert_int_eq((int)BIO_pending(t.c), 0);
    chains_free(&t);
}
END_TEST

/* 23. Fails if a layer always answers 0: curl and others wait for ever. */
START_TEST(trap_23_eof_is_told_as_it_is)
{
    struct chains t = chains_new(version_of(_i), 2, 70000);
    BIO *outer = BIO_next(t.c);
    char in[10];

    chains_shake(&t);
    chains_talk(&t);
    ck_assert_int_eq(BIO_eof(t.c) == 1 || BIO_eof(outer) == 1, 0);
    BIO_write(t.s, "last", 4);
    BIO_onion_shutdown(t.s);
    ck_assert_int_eq(BIO_eof(t.c) == 1, 0);
    ck_assert_int_eq(BIO_read(t.c, in, 10), 4);
    ck_assert_int_eq(BIO_read(t.c, in, 10), 0);
    ck_assert_int_eq(BIO_eof(t.c), 1);
    ck_assert_int_eq(BIO_read(outer, in, 10), 0);
    ck_assert_int_eq(BIO_eof(outer), 1);
    chains_free(&t);
}
END_TEST

/*
 * 23. Fails with a port that is in the chain, as trap 19.
 * What an SSL frees with BIO_free_all() must have nothing behind it.
 */
START_TEST(trap_23_the_bio_of_an_ssl_is_no_chain)
{
    SSL *ssl;

    dive(_i, 2);
    ssl = BIO_onion_get0_ssl(p.a.bio, 1);
    ck_assert_ptr_nonnull(SSL_get_rbio(ssl));
    ck_assert_ptr_null(BIO_next(SSL_get_rbio(ssl)));
    ck_assert_ptr_null(BIO_next(SSL_get_wbio(ssl)));
    ssl = BIO_onion_get0_ssl(p.a.bio, 2);
    ck_assert_ptr_null(BIO_next(SSL_get_rbio(ssl)));
    done();
}
END_TEST

static void one_to_nine(TCase *tc)
{
    test_loop(tc,
              trap_01_a_fatal_alert_is_no_boundary_at_the_second_read,
              0, 4);
    test_loop(tc,
              trap_01_a_forged_close_in_the_handshake_is_no_boundary,
              0, 4);
    test_loop(tc, trap_01_a_layer_alone_is_not_at_a_clean_end_then,
              0, 2);
    test_loop(tc, trap_02_an_end_of_file_is_not_ignored, 0, 2);
    test_loop(tc, trap_02_a_quiet_shutdown_is_not_quiet, 0, 2);
    tcase_add_test(tc, trap_02_a_layer_alone_takes_both_away);
    test_loop(tc, trap_03_a_second_stop_with_unread_data_is_safe,
              0, 4);
    test_loop(tc,
              trap_03_so_is_a_second_shutdown_of_a_layer_alone,
              0, 2);
    test_loop(tc, trap_04_a_stop_in_a_half_done_write_waits_for_it,
              0, 2);
    test_loop(tc, trap_04_a_layer_alone_finishes_its_write_first,
              0, 2);
    test_loop(tc, trap_05_a_stop_in_a_handshake_leaves_no_error,
              0, 2);
    test_loop(tc, trap_05_a_free_in_a_handshake_leaves_no_error,
              0, 2);
    test_loop(tc, trap_06_read_ahead_is_off_and_nothing_is_swallowed,
              0, 2);
    test_loop(tc, trap_06_what_was_swallowed_by_hand_is_a_failure, 0, 2);
    test_loop(tc, trap_07_a_transport_that_claims_ktls_sees_records,
              0, 2);
    test_loop(tc,
              trap_07_a_layer_alone_passes_on_what_it_knows_only,
              0, 2);
    test_loop(tc, trap_08_an_outer_close_truncates_the_inner_layer,
              0, 4);
    test_loop(tc, trap_08_nested_layers_alone_see_it_too, 0, 2);
    test_loop(tc,
              trap_09_a_flush_in_a_handshake_is_finished_later,
              0, 2);
    test_loop(tc, trap_09_so_it_is_in_a_stack, 0, 2);
}

static void ten_to_sixteen(TCase *tc)
{
    test_loop(tc, trap_10_a_stale_error_does_not_make_a_retry_fatal,
              0, 4);
    test_loop(tc, trap_11_a_retry_with_other_bytes_is_refused, 0, 2);
    test_loop(tc, trap_12_a_stack_has_puts_and_gets, 0, 12);
    test_loop(tc, trap_13_an_inner_record_fits_into_an_outer_one,
              0, 2);
    test_loop(tc,
              trap_14_a_loop_on_pending_neither_sleeps_nor_spins,
              0, 4);
    test_loop(tc, trap_15_tickets_do_not_stop_who_only_writes,
              0, 12);
    test_loop(tc, trap_16_a_flood_without_data_does_not_hold_a_read,
              0, 2);
}

static void seventeen_to_twentythree(TCase *tc)
{
    test_loop(tc, trap_17_a_session_of_another_name_is_not_accepted,
              0, 2);
    test_loop(tc, trap_18_a_layer_freed_after_pop_leaves_no_error,
              0, 2);
    test_loop(tc, trap_19_a_pop_below_a_layer_leaves_the_chain_whole,
              0, 2);
    tcase_add_test(tc,
                   trap_20_tickets_after_our_close_are_not_text_below);
    test_loop(tc,
              trap_21_a_callback_may_suspend_below,
              0, 2);
    test_loop(tc, trap_21_no_flag_is_left_after_a_flush,
              0, 2);
    test_loop(tc,
              trap_22_pending_counts_no_ciphertext_from_below,
              0, 4);
    test_loop(tc, trap_22_nor_does_a_layer_alone, 0, 2);
    test_loop(tc, trap_23_eof_is_told_as_it_is, 0, 2);
    test_loop(tc, trap_23_the_bio_of_an_ssl_is_no_chain, 0, 2);
}

int main(void)
{
    Suite *suite = suite_create("traps");
    TCase *tc = test_case(suite, "trap");

    one_to_nine(tc);
    ten_to_sixteen(tc);
    seventeen_to_twentythree(tc);
    return test_main(suite);
}
