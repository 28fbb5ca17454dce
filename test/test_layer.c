/*
 * test_layer.c - a layer alone, BIO_f_onion(), behaves as BIO_f_ssl() does.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where both can do it, a test runs with BIO_f_ssl() too (even _i): then it is
 * OpenSSL that says what the behaviour is.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include "util.h"

/* The clock, which a test can stop. */
static time_t stopped;

time_t time(time_t *out)
{
    struct timespec now = { stopped, 0 };

    if (stopped == 0)
        clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

static const BIO_METHOD *method_of(int i)
{
    return i % 2 == 0 ? BIO_f_ssl() : BIO_f_onion();
}

static int version_of(int i)
{
    return i / 2 % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

static BIO *layer_of(const BIO_METHOD *method, SSL *ssl)
{
    BIO *b = BIO_new(method);

    ck_assert_ptr_nonnull(b);
    ck_assert_int_eq((int)BIO_set_ssl(b, ssl, BIO_CLOSE), 1);
    return b;
}

/* Layers 1 to depth over transport. */
static BIO *chain_of(const BIO_METHOD *method, int client, int version,
                     int depth, BIO *transport)
{
    BIO *top = transport;
    int i;

    for (i = 1; i <= depth; i++)
        top = BIO_push(layer_of(method, test_ssl(client, version, i)), top);
    return top;
}

static int shake_once(BIO *b)
{
    int ret = (int)BIO_do_handshake(b);

    if (ret == 1)
        return 1;
    ck_assert_msg(BIO_should_retry(b), "the handshake fails");
    return 0;
}

static void shake(BIO *c, BIO *s)
{
    int done_c = 0, done_s = 0, rounds = 0;
    char byte;

    while (!done_c || !done_s) {
        if (done_c)
            ck_assert_int_eq(BIO_read(c, &byte, 1), -1);
        done_c = done_c || shake_once(c);
        done_s = done_s || shake_once(s);
        ck_assert_msg(rounds++ < 100000, "no progress");
    }
}

static int write_once(BIO *b, const void *data, int len)
{
    int ret = BIO_write(b, data, len);

    if (ret <= 0) {
        ck_assert_int_eq(ret, -1);
        ck_assert(BIO_should_retry(b));
        return 0;
    }
    ck_assert_int_eq(ret, len);
    return 1;
}

/* len bytes from one to the other; both may be slow. */
static void relay(BIO *from, BIO *to, const unsigned char *data, int len)
{
    int sent = 0, got = 0, rounds = 0, ret;
    unsigned char in[5000];

    while (!sent || got < len) {
        sent = sent || write_once(from, data, len);
        ret = BIO_read(to, in, sizeof(in));
        if (ret > 0) {
            ck_assert_mem_eq(in, data + got, (size_t)ret);
            got += ret;
        } else {
            ck_assert(BIO_should_retry(to));
        }
        ck_assert_msg(rounds++ < 200000, "no progress");
    }
    ck_assert_int_eq(got, len);
    test_no_error();
}

struct ends {
    BIO *c, *s;             /* the tops */
    BIO *half_c, *half_s;   /* the transports */
    int onion;              /* and so the error queue must be clean */
};

static struct ends ends_new(int i, int depth, size_t size)
{
    struct ends e;

    e.onion = i % 2;
    BIO_new_bio_pair(&e.half_c, size, &e.half_s, size);
    e.c = chain_of(method_of(i), 1, version_of(i), depth, e.half_c);
    e.s = chain_of(method_of(i), 0, version_of(i), depth, e.half_s);
    return e;
}

static struct ends ends_shaken(int i, int depth)
{
    struct ends e = ends_new(i, depth, 70000);

    shake(e.c, e.s);
    return e;
}

static void ends_free(struct ends *e)
{
    BIO_free_all(e->c);
    BIO_free_all(e->s);
    if (e->onion)
        test_no_error();
    ERR_clear_error();
}

/* i: method */
START_TEST(a_renegotiation_comes_with_the_byte_past_the_limit)
{
    struct ends e = ends_shaken(2 + _i, 1);
    static const struct { int pass, count; } steps[] = {
        { 512, 0 }, { 1, 1 }, { 512, 1 }, { 1, 2 }
    };
    int i;

    stopped = time(NULL);
    BIO_set_ssl_renegotiate_bytes(e.s, 512);
    for (i = 0; i < 4; i++) {
        relay(e.s, e.c, test_bytes(512), steps[i].pass);
        stopped += 1000;
        ck_assert_int_eq((int)BIO_get_num_renegotiates(e.s), steps[i].count);
    }
    stopped = 0;
    ends_free(&e);
}
END_TEST

/* i: method */
START_TEST(what_passed_before_there_was_a_limit_does_not_count)
{
    struct ends e = ends_shaken(2 + _i, 1);

    relay(e.s, e.c, test_bytes(1000), 1000);
    BIO_set_ssl_renegotiate_bytes(e.s, 512);
    relay(e.s, e.c, test_bytes(10), 10);
    ck_assert_int_eq((int)BIO_get_num_renegotiates(e.s), 0);
    ends_free(&e);
}
END_TEST

/* i: method */
START_TEST(a_renegotiation_comes_with_the_second_past_the_limit)
{
    struct ends e = ends_shaken(2 + _i, 1);
    static const struct { int skip, count; } steps[] = {
        { 0, 0 }, { 60, 0 }, { 1, 1 }, { 0, 1 }, { 60, 1 }, { 1, 2 }
    };
    int i;

    stopped = time(NULL);
    BIO_set_ssl_renegotiate_timeout(e.s, 60);
    for (i = 0; i < 6; i++) {
        stopped += steps[i].skip;
        relay(e.s, e.c, test_bytes(10), 10);
        ck_assert_int_eq((int)BIO_get_num_renegotiates(e.s), steps[i].count);
    }
    stopped = 0;
    ends_free(&e);
}
END_TEST

static int flushes_of(int i, BIO_callback_fn_ex cb)
{
    struct ends e = ends_new(i, 1, 70000);
    BIO *tap = BIO_push(tap_new(), e.half_c);
    int n;

    BIO_set_next(e.c, NULL);
    BIO_push(e.c, tap);
    BIO_set_callback_ex(tap, cb);
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(100), 100);
    relay(e.s, e.c, test_bytes(100), 100);
    n = tap_of(tap)->flushes;
    ends_free(&e);
    return n;
}

/* i: version */
START_TEST(it_flushes_as_often_as_bio_f_ssl_does)
{
    ck_assert_int_eq(flushes_of(1 + 2 * _i, NULL), flushes_of(2 * _i, NULL));
}
END_TEST

/* The flags are those of an earlier call. */
static long stale_flags(BIO *b, int oper, const char *argp, size_t len,
                        int argi, long argl, int ret, size_t *processed)
{
    (void)argp;
    (void)len;
    (void)argl;
    (void)processed;
    if (oper == (BIO_CB_CTRL | BIO_CB_RETURN) && argi == BIO_CTRL_FLUSH)
        BIO_set_retry_read(b);
    return ret;
}

/* i: version */
START_TEST(a_flush_that_succeeds_is_not_made_good)
{
    ck_assert_int_eq(flushes_of(1 + 2 * _i, stale_flags),
                     flushes_of(1 + 2 * _i, NULL));
}
END_TEST

START_TEST(a_flush_that_waits_is_made_good_once)
{
    struct ends e = ends_new(1, 1, 70000);
    BIO *tap = BIO_push(tap_new(), e.half_c);
    int rounds, flushes;
    SSL *ssl;

    BIO_set_next(e.c, NULL);
    BIO_push(e.c, tap);
    tap_of(tap)->flush_retry = 1000;
    BIO_get_ssl(e.c, &ssl);
    for (rounds = 0; !SSL_is_init_finished(ssl); rounds++) {
        ck_assert_int_lt(rounds, 10);
        ck_assert_int_eq((int)BIO_do_handshake(e.c), -1);
        BIO_do_handshake(e.s);
    }
    ck_assert_int_eq((int)BIO_do_handshake(e.c), -1);
    ck_assert(BIO_should_write(e.c) && !BIO_should_read(e.c));
    ck_assert_int_eq(BIO_get_retry_reason(e.c), 0);
    tap_of(tap)->flush_retry = 0;
    ck_assert_int_eq((int)BIO_do_handshake(e.c), 1);
    flushes = tap_of(tap)->flushes;
    relay(e.c, e.s, test_bytes(100), 100);
    relay(e.s, e.c, test_bytes(100), 100);
    ck_assert_int_eq(tap_of(tap)->flushes, flushes);
    ends_free(&e);
}
END_TEST

START_TEST(a_flush_that_fails_fails_the_layer)
{
    struct ends e = ends_new(1, 1, 70000);

    BIO_set_callback_ex(e.half_c, test_no_flush);
    test_failed(e.c, (int)BIO_do_handshake(e.c), ONION_R_TRANSPORT_FAILED);
    ends_free(&e);
}
END_TEST

static long flush_waits(BIO *b, int oper, const char *argp, size_t len,
                        int argi, long argl, int ret, size_t *processed)
{
    if (oper == BIO_CB_CTRL && argi == BIO_CTRL_FLUSH)
        BIO_set_retry_write(b);
    return test_no_flush(b, oper, argp, len, argi, argl, ret, processed);
}

START_TEST(a_flush_of_0_may_ask_for_a_retry)
{
    struct ends e = ends_new(1, 1, 70000);

    BIO_set_callback_ex(e.half_c, flush_waits);
    test_retried(e.c, (int)BIO_do_handshake(e.c));
    BIO_set_callback_ex(e.half_c, NULL);
    shake(e.c, e.s);
    ends_free(&e);
}
END_TEST

/* i: version. OpenSSL flushes after the alert that it has for an end. */
START_TEST(an_end_where_no_flush_succeeds_is_a_truncation)
{
    struct ends e = ends_shaken(1 + 2 * _i, 1);
    char in[10];

    relay(e.s, e.c, test_bytes(4), 4);
    BIO_set_callback_ex(e.half_c, test_no_flush);
    (void)BIO_shutdown_wr(e.half_s);
    test_failed(e.c, BIO_read(e.c, in, 10), ONION_R_TRUNCATED);
    ends_free(&e);
}
END_TEST

START_TEST(what_follows_a_key_update_that_is_answered_is_read_at_once)
{
    struct ends e = ends_shaken(1, 1);
    char c;
    SSL *ssl;

    BIO_get_ssl(e.s, &ssl);
    ck_assert_int_eq(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    ck_assert_int_eq(BIO_write(e.s, "x", 1), 1);
    ck_assert_int_eq(BIO_read(e.c, &c, 1), 1);
    relay(e.c, e.s, test_bytes(100), 100);
    ends_free(&e);
}
END_TEST

/* Each answer is written by the read that goes on. */
START_TEST(what_follows_a_request_that_is_declined_is_read_at_once)
{
    struct ends e = ends_shaken(3, 1);
    SSL *client, *server;
    char c;

    BIO_get_ssl(e.c, &client);
    BIO_get_ssl(e.s, &server);
    SSL_set_options(client, SSL_OP_NO_RENEGOTIATION);
    ck_assert_int_eq(SSL_renegotiate(server), 1);
    ck_assert_int_eq((int)BIO_do_handshake(e.s), 1);
    ck_assert_int_eq(BIO_write(e.s, "x", 1), 1);
    ck_assert_int_eq(BIO_read(e.c, &c, 1), 1);
    ends_free(&e);
}
END_TEST

/* Without a stack, too, whatever the peer sends. */
START_TEST(one_read_takes_a_bounded_number_of_records)
{
    struct ends e = ends_shaken(1, 1);
    int i, reads = 0;
    SSL *server;
    char c;

    BIO_get_ssl(e.s, &server);
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(SSL_key_update(server, SSL_KEY_UPDATE_NOT_REQUESTED),
                         1);
        ck_assert_int_eq(SSL_do_handshake(server), 1);
    }
    ck_assert_int_eq(BIO_write(e.s, "x", 1), 1);
    while (BIO_read(e.c, &c, 1) != 1) {
        ck_assert(BIO_should_read(e.c));
        ck_assert_int_lt(reads++, 10);
    }
    ck_assert_int_gt(reads, 1);
    ends_free(&e);
}
END_TEST

/* i: method x version */
START_TEST(reset_says_goodbye_first)
{
    struct ends e = ends_shaken(_i, 1);
    BIO *tap = tap_new();

    BIO_set_next(e.c, NULL);
    BIO_push(e.c, BIO_push(tap, e.half_c));
    (void)BIO_reset(e.c);
    ck_assert_int_eq(tap_records(&tap_of(tap)->out, 0), 1);
    ERR_clear_error();
    ends_free(&e);
}
END_TEST

/* SSL_clear() does not take one that is about to renegotiate. i: method */
START_TEST(reset_tells_that_an_ssl_cannot_be_reset)
{
    struct ends e = ends_shaken(2 + _i, 1);
    SSL *server;

    BIO_get_ssl(e.s, &server);
    ck_assert_int_eq(SSL_renegotiate(server), 1);
    ck_assert_int_eq((int)BIO_reset(e.s), 0);
    ERR_clear_error();
    ends_free(&e);
}
END_TEST

/* i: 0 the transport ended, 1 a write is half done, 2 the peer closed */
START_TEST(reset_forgets_what_became_of_the_last_session)
{
    struct ends e = ends_shaken(1, 1);
    BIO *tap = tap_new();
    char c;

    BIO_set_next(e.c, NULL);
    BIO_push(e.c, BIO_push(tap, e.half_c));
    if (_i == 0) {
        tap_of(tap)->in.limit = 0;
        tap_of(tap)->in.end = TAP_EOF;
        test_failed(e.c, BIO_read(e.c, &c, 1), ONION_R_TRUNCATED);
    } else if (_i == 1) {
        tap_hold(&tap_of(tap)->out);
        test_retried(e.c, BIO_write(e.c, "x", 1));
    } else {
        ck_assert_int_eq(BIO_onion_shutdown(e.s), 0);
        ck_assert_int_eq(BIO_read(e.c, &c, 1), 0);
        ck_assert_int_eq(BIO_onion_shutdown(e.c), 1);
    }
    (void)BIO_reset(e.c);     /* 0: what a pair answers */
    (void)BIO_reset(e.s);
    tap_release(&tap_of(tap)->in);
    tap_release(&tap_of(tap)->out);
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(100), 100);
    relay(e.s, e.c, test_bytes(100), 100);
    ends_free(&e);
}
END_TEST

/* i: method x version x depth 1 to 4 */
START_TEST(a_handshake_and_data_pass_each_way)
{
    struct ends e = ends_shaken(_i, 1 + _i / 4);

    relay(e.c, e.s, test_bytes(50000), 50000);
    relay(e.s, e.c, test_bytes(50000), 50000);
    ends_free(&e);
}
END_TEST

/* Layers alone have no wire, where the tickets of a server could wait. */
static void no_tickets(BIO *b)
{
    SSL *ssl;

    for (; BIO_get_ssl(b, &ssl) == 1; b = BIO_next(b))
        SSL_set_num_tickets(ssl, 0);
}

START_TEST(nested_layers_pass_through_a_pair_of_any_size)
{
    struct shape shape = test_shape(_i);
    int i = shape.version == TLS1_3_VERSION ? 1 : 3;
    struct ends e = ends_new(i, shape.depth, shape.size);

    no_tickets(e.s);
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(3000), 3000);
    relay(e.s, e.c, test_bytes(3000), 3000);
    ends_free(&e);
}
END_TEST

START_TEST(a_layer_without_an_ssl_does_nothing)
{
    BIO *b = BIO_new(method_of(_i));
    SSL *ssl = NULL;
    char c;

    ck_assert_int_le(BIO_read(b, &c, 1), 0);
    ck_assert_int_le(BIO_write(b, "x", 1), 0);
    ck_assert_int_ne((int)ERR_peek_error(), 0);
    ck_assert(!BIO_should_retry(b));
    ck_assert_int_le((int)BIO_get_ssl(b, &ssl), 0);
    ck_assert_ptr_null(ssl);
    ck_assert_int_le((int)BIO_do_handshake(b), 0);
    ERR_clear_error();
    BIO_free(b);
    test_no_error();
}
END_TEST

START_TEST(a_layer_is_a_filter)
{
    BIO *b = BIO_new(BIO_f_onion());

    ck_assert_int_ne(BIO_method_type(b) & BIO_TYPE_FILTER, 0);
    ck_assert_ptr_eq(BIO_f_onion(), BIO_f_onion());
    BIO_free(b);
}
END_TEST

START_TEST(reads_and_writes_shake_hands_by_themselves)
{
    struct ends e = ends_new(_i, 2, 70000);

    relay(e.c, e.s, test_bytes(100), 100);
    relay(e.s, e.c, test_bytes(100), 100);
    ends_free(&e);
}
END_TEST

START_TEST(puts_writes_a_string)
{
    struct ends e = ends_shaken(_i, 1);
    char in[20];

    ck_assert_int_eq(BIO_puts(e.c, "onion"), 5);
    ck_assert_int_eq(BIO_puts(e.c, ""), 0);
    ck_assert_int_eq(BIO_read(e.s, in, sizeof(in)), 5);
    ck_assert_mem_eq(in, "onion", 5);
    ends_free(&e);
}
END_TEST

START_TEST(pending_is_what_is_left_of_a_record)
{
    struct ends e = ends_shaken(_i, 1);
    char in[20];

    ck_assert_int_eq((int)BIO_pending(e.s), 0);
    BIO_write(e.c, "0123456789", 10);
    ck_assert_int_eq(BIO_read(e.s, in, 4), 4);
    ck_assert_int_eq((int)BIO_pending(e.s), 6);
    ck_assert_int_eq(BIO_read(e.s, in, sizeof(in)), 6);
    ck_assert_int_eq((int)BIO_pending(e.s), 0);
    ends_free(&e);
}
END_TEST

START_TEST(flush_reaches_a_buffer_below)
{
    struct ends e = ends_shaken(_i, 1);
    BIO *buffer = BIO_new(BIO_f_buffer());
    char c;

    BIO_push(buffer, BIO_pop(e.c));
    BIO_push(e.c, buffer);
    ck_assert_int_eq(BIO_write(e.c, "x", 1), 1);
    ck_assert_int_eq((int)BIO_pending(e.half_s), 0);
    ck_assert_int_gt((int)BIO_wpending(e.c), 0);
    ck_assert_int_eq((int)BIO_flush(e.c), 1);
    ck_assert(!BIO_should_retry(e.c));
    ck_assert_int_eq(BIO_read(e.s, &c, 1), 1);
    ends_free(&e);
}
END_TEST

START_TEST(get_ssl_gives_the_ssl_of_the_top_layer)
{
    SSL *ssl = test_ssl(1, 0, 1), *got = NULL;
    BIO *buffer = BIO_new(BIO_f_buffer());
    BIO *b = layer_of(method_of(_i), ssl);

    ck_assert_int_eq((int)BIO_get_ssl(b, &got), 1);
    ck_assert_ptr_eq(got, ssl);
    BIO_push(buffer, b);
    got = NULL;
    ck_assert_int_eq((int)BIO_get_ssl(buffer, &got), 1);
    ck_assert_ptr_eq(got, ssl);
    BIO_free_all(buffer);
    test_no_error();
}
END_TEST

START_TEST(set_ssl_takes_the_place_of_an_older_ssl)
{
    struct ends e = ends_new(_i, 1, 70000);
    SSL *ssl = test_ssl(1, version_of(_i), 1), *got;

    ck_assert_int_eq((int)BIO_set_ssl(e.c, ssl, BIO_CLOSE), 1);
    BIO_get_ssl(e.c, &got);
    ck_assert_ptr_eq(got, ssl);
    /* BIO_f_ssl() gives the new SSL no BIO before a BIO_push(). */
    BIO_pop(e.c);
    BIO_push(e.c, e.half_c);
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(10), 10);
    ends_free(&e);
}
END_TEST

START_TEST(set_ssl_after_push_finds_the_transport)
{
    struct ends e = ends_new(1, 1, 70000);
    BIO *late = BIO_new(BIO_f_onion());

    BIO_pop(e.c);
    BIO_free(e.c);
    BIO_push(late, e.half_c);
    BIO_set_ssl(late, test_ssl(1, version_of(1), 1), BIO_CLOSE);
    e.c = late;
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(10), 10);
    ends_free(&e);
}
END_TEST

START_TEST(the_close_flag_can_be_asked_and_set)
{
    BIO *b = BIO_new(method_of(_i));
    SSL *ssl = test_ssl(1, 0, 1);

    BIO_set_ssl(b, ssl, BIO_NOCLOSE);
    ck_assert_int_eq((int)BIO_get_close(b), BIO_NOCLOSE);
    ck_assert_int_eq((int)BIO_set_close(b, BIO_CLOSE), 1);
    ck_assert_int_eq((int)BIO_get_close(b), BIO_CLOSE);
    BIO_free(b);
    test_no_error();
}
END_TEST

START_TEST(noclose_leaves_the_ssl_and_the_wire_alone)
{
    struct ends e = ends_shaken(_i, 1);
    SSL *ssl;

    while (BIO_pending(e.half_s) > 0)
        ck_assert_int_eq(BIO_read(e.s, &ssl, 1), -1);
    BIO_get_ssl(e.c, &ssl);
    (void)BIO_set_close(e.c, BIO_NOCLOSE);
    BIO_free_all(e.c);
    ck_assert_int_eq(SSL_get_shutdown(ssl), 0);
    SSL_free(ssl);
    ck_assert_int_eq((int)BIO_pending(e.half_s), 0);
    e.c = NULL;
    ends_free(&e);
}
END_TEST

START_TEST(close_tells_the_peer_once)
{
    struct ends e = ends_shaken(_i, 2);
    BIO *outer = BIO_next(e.c);
    char c;

    BIO_free(e.c);
    BIO_free(outer);
    ck_assert_int_eq(BIO_read(e.s, &c, 1), 0);
    ck_assert(!BIO_should_retry(e.s));
    ck_assert_int_eq(BIO_read(BIO_next(e.s), &c, 1), 0);
    ck_assert_int_eq((int)BIO_pending(e.half_s), 0);
    e.c = e.half_c;
    ends_free(&e);
}
END_TEST

START_TEST(a_layer_freed_in_its_handshake_leaves_no_error)
{
    struct ends e = ends_new(_i, 2, 70000);

    shake_once(e.c);
    shake_once(e.s);
    ends_free(&e);
}
END_TEST

START_TEST(a_chain_may_be_built_from_the_top_down)
{
    struct ends e = ends_new(1, 1, 70000);
    BIO *outer = layer_of(BIO_f_onion(), test_ssl(1, TLS1_3_VERSION, 1));
    BIO *inner = layer_of(BIO_f_onion(), test_ssl(1, TLS1_3_VERSION, 2));
    BIO *peer = layer_of(BIO_f_onion(), test_ssl(0, TLS1_3_VERSION, 2));

    BIO_pop(e.c);
    BIO_free(e.c);
    BIO_push(inner, outer);
    BIO_push(outer, e.half_c);
    BIO_push(peer, e.s);
    e.c = inner;
    shake(outer, e.s);
    e.s = peer;
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(1000), 1000);
    ends_free(&e);
}
END_TEST

/* With BIO_f_ssl() this is a use after free: see notes on trap 19. */
START_TEST(a_filter_below_may_be_popped_after_the_handshake)
{
    int where = _i;         /* over layer 0, 1, 2 of 3 */
    struct ends e = ends_new(1, 3, 70000);
    BIO *tap = tap_new(), *at, *above = e.c;
    int i;

    for (i = 0; i < 3 - where - 1; i++)
        above = BIO_next(above);
    at = BIO_next(above);
    BIO_set_next(above, NULL);
    BIO_push(tap, at);
    BIO_push(above, tap);
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(100), 100);
    ck_assert_ptr_eq(BIO_next(above), tap);
    BIO_pop(tap);
    ck_assert_ptr_eq(BIO_next(above), at);
    BIO_free(tap);
    relay(e.c, e.s, test_bytes(100), 100);
    relay(e.s, e.c, test_bytes(100), 100);
    ends_free(&e);
}
END_TEST

START_TEST(a_layer_in_the_middle_may_be_popped)
{
    struct ends e = ends_shaken(1 + 2 * _i, 3);
    BIO *c = BIO_next(e.c), *s = BIO_next(e.s);

    /* Layers 3 stay above; layers 2 go, and 1 carries what 3 says. */
    relay(e.s, e.c, test_bytes(10), 10);    /* no ticket is on the way */
    BIO_pop(c);
    BIO_pop(s);
    ck_assert_ptr_ne(BIO_next(e.c), c);
    BIO_free(c);
    BIO_free(s);
    test_no_error();
    relay(e.c, e.s, test_bytes(1000), 1000);
    relay(e.s, e.c, test_bytes(1000), 1000);
    ends_free(&e);
}
END_TEST

START_TEST(a_chain_without_layers_is_shut_down_already)
{
    BIO *null = BIO_new(BIO_f_null());

    ck_assert_int_eq(BIO_onion_shutdown(NULL), 1);
    ck_assert_int_eq(BIO_onion_shutdown(null), 1);
    BIO_free(null);
    test_no_error();
}
END_TEST

static void test_nothing_below(BIO *layer)
{
    char c;

    test_failed(layer, (int)BIO_do_handshake(layer), ONION_R_NO_TRANSPORT);
    test_failed(layer, BIO_read(layer, &c, 1), ONION_R_NO_TRANSPORT);
    test_failed(layer, BIO_write(layer, "x", 1), ONION_R_NO_TRANSPORT);
    ck_assert_int_eq((int)BIO_pending(layer), 0);
    test_no_error();
}

START_TEST(a_layer_over_nothing_says_so_and_goes_on_when_pushed)
{
    struct ends e = ends_new(1 + 2 * _i, 1, 70000);

    BIO_pop(e.c);
    test_nothing_below(e.c);
    BIO_push(e.c, e.half_c);
    shake(e.c, e.s);
    BIO_pop(e.c);
    test_nothing_below(e.c);
    BIO_push(e.c, e.half_c);
    relay(e.c, e.s, test_bytes(100), 100);
    ends_free(&e);
}
END_TEST

START_TEST(a_popped_layer_goes_on_over_another_transport)
{
    struct ends e = ends_shaken(1 + 2 * _i, 1);
    BIO *c, *s;

    relay(e.s, e.c, test_bytes(10), 10);
    BIO_pop(e.c);
    BIO_pop(e.s);
    BIO_free(e.half_c);
    BIO_free(e.half_s);
    BIO_new_bio_pair(&c, 70000, &s, 70000);
    BIO_push(e.c, c);
    BIO_push(e.s, s);
    relay(e.c, e.s, test_bytes(100), 100);
    relay(e.s, e.c, test_bytes(100), 100);
    ends_free(&e);
}
END_TEST

START_TEST(a_layer_freed_after_pop_leaves_no_error)
{
    struct ends e = ends_shaken(1, 1);

    ck_assert_ptr_eq(BIO_pop(e.c), e.half_c);
    BIO_free(e.c);
    test_no_error();
    ck_assert_int_eq((int)BIO_pending(e.half_s), 0);
    BIO_free(e.half_c);
    e.c = NULL;
    ends_free(&e);
}
END_TEST

/* _i: method x version x order */
START_TEST(a_chain_may_be_freed_one_by_one_in_any_order)
{
    static const int orders[6][3] = {
        { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
        { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 }
    };
    struct ends e = ends_shaken(1, 2);
    BIO *all[3];
    int i;

    all[0] = e.c;
    all[1] = BIO_next(all[0]);
    all[2] = BIO_next(all[1]);
    for (i = 0; i < 3; i++) {
        BIO_pop(all[orders[_i][i]]);
        BIO_free(all[orders[_i][i]]);
        test_no_error();
    }
    e.c = NULL;
    ends_free(&e);
}
END_TEST

START_TEST(a_retry_shows_in_every_layer_and_whose_it_is)
{
    struct ends e = ends_shaken(_i, 3);
    int reason = -1;
    BIO *b;
    char c;

    ck_assert_int_eq(BIO_read(e.c, &c, 1), -1);
    for (b = e.c; b != NULL; b = BIO_next(b)) {
        ck_assert(BIO_should_read(b) && BIO_should_retry(b));
        ck_assert(!BIO_should_write(b) && !BIO_should_io_special(b));
    }
    ck_assert_ptr_eq(BIO_get_retry_BIO(e.c, &reason), e.half_c);
    ck_assert_int_eq(reason, 0);
    test_no_error();
    ends_free(&e);
}
END_TEST

START_TEST(a_write_that_cannot_go_asks_to_write)
{
    struct ends e = ends_new(_i, 1, 17408);
    int i, ret = 1;

    shake(e.c, e.s);
    for (i = 0; ret > 0 && i < 100; i++)
        ret = BIO_write(e.c, test_bytes(1000), 1000);
    ck_assert_int_eq(ret, -1);
    ck_assert(BIO_should_retry(e.c) && BIO_should_write(e.c));
    ck_assert_ptr_eq(BIO_get_retry_BIO(e.c, NULL), e.half_c);
    test_no_error();
    ends_free(&e);
}
END_TEST

START_TEST(get_fd_finds_the_socket_below)
{
    int fds[2], fd = -1;
    SSL *ssl = test_ssl(1, 0, 1);
    BIO *b = layer_of(method_of(_i), ssl);

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    BIO_push(b, BIO_new_socket(fds[0], BIO_CLOSE));
    ck_assert_int_eq((int)BIO_get_fd(b, &fd), fds[0]);
    ck_assert_int_eq(fd, fds[0]);
    ck_assert_int_eq(SSL_get_fd(ssl), fds[0]);
    BIO_free_all(b);
    close(fds[1]);
}
END_TEST

START_TEST(get_fd_is_not_0_where_there_is_no_socket)
{
    struct ends e = ends_new(1, 2, 512);
    SSL *ssl;

    BIO_get_ssl(e.c, &ssl);
    ck_assert_int_eq(SSL_get_fd(ssl), -1);
    /* A BIO pair answers 0 to all it does not know: not so we. */
    ck_assert_int_le((int)BIO_get_fd(e.c, NULL), 0);
    ends_free(&e);
}
END_TEST

/* s_server does so: two BIOs in the SSL, and no chain. */
START_TEST(an_ssl_with_its_own_bios_keeps_them)
{
    SSL *ssl = test_ssl(1, TLS1_3_VERSION, 1);
    BIO *up[2], *down[2], *peer, *layer;
    SSL *server = test_ssl(0, TLS1_3_VERSION, 1);
    struct ends e;

    BIO_new_bio_pair(&up[0], 70000, &up[1], 70000);
    BIO_new_bio_pair(&down[0], 70000, &down[1], 70000);
    SSL_set_bio(ssl, down[0], up[0]);
    SSL_set_bio(server, up[1], down[1]);
    layer = layer_of(method_of(_i), ssl);
    peer = layer_of(BIO_f_ssl(), server);
    ck_assert_ptr_eq(SSL_get_rbio(ssl), down[0]);
    ck_assert_ptr_eq(SSL_get_wbio(ssl), up[0]);
    e.onion = 0;            /* the peer is not */
    e.c = layer;
    e.s = peer;
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(1000), 1000);
    relay(e.s, e.c, test_bytes(1000), 1000);
    ck_assert_int_gt((int)BIO_number_written(up[0]), 1000);
    ck_assert_int_eq((int)BIO_number_written(down[0]), 0);
    /* BIO_f_ssl() takes a reference of the rbio as its next. */
    if (BIO_next(layer) != NULL)
        ck_assert_ptr_eq(BIO_next(layer), down[0]);
    ends_free(&e);
}
END_TEST

START_TEST(after_the_peers_close_it_is_at_its_end_for_good)
{
    struct ends e = ends_shaken(1 + 2 * (_i % 2), 1 + _i / 2);
    char in[10];
    int i;

    BIO_write(e.s, "bye", 3);
    BIO_onion_shutdown(e.s);
    ck_assert_int_eq(BIO_read(e.c, in, sizeof(in)), 3);
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(BIO_read(e.c, in, sizeof(in)), 0);
        ck_assert(!BIO_should_retry(e.c));
        ck_assert_int_eq(BIO_eof(e.c), 1);
        test_no_error();
    }
    ends_free(&e);
}
END_TEST

START_TEST(after_the_peers_close_it_does_not_read_what_lies_below)
{
    struct ends e = ends_shaken(1, 1);
    char in[10];

    BIO_onion_shutdown(e.s);
    BIO_write(e.half_s, "clear", 5);
    ck_assert_int_eq(BIO_read(e.c, in, sizeof(in)), 0);
    ck_assert_int_eq(BIO_read(e.c, in, sizeof(in)), 0);
    ck_assert_int_eq(BIO_read(e.half_c, in, sizeof(in)), 5);
    ends_free(&e);
}
END_TEST

START_TEST(after_the_peers_close_it_still_writes)
{
    struct ends e = ends_shaken(_i, 1);
    SSL *ssl;
    char in[10];

    BIO_get_ssl(e.s, &ssl);
    ck_assert_int_eq(SSL_shutdown(ssl), 0);
    ck_assert_int_eq(BIO_read(e.c, in, sizeof(in)), 0);
    ck_assert_int_eq(BIO_write(e.c, "more", 4), 4);
    ck_assert_int_eq(BIO_read(e.s, in, sizeof(in)), 4);
    ends_free(&e);
}
END_TEST

START_TEST(shutdown_closes_every_layer_and_ends_with_1)
{
    struct ends e = ends_shaken(1 + 2 * (_i % 2), 1 + _i / 2);
    char in[10];

    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ck_assert_int_eq(BIO_read(e.s, in, sizeof(in)), 0);
    ck_assert_int_ge(BIO_onion_shutdown(e.s), 0);
    ck_assert_int_eq(BIO_onion_shutdown(e.s), 1);
    ck_assert_int_eq(BIO_read(e.c, in, sizeof(in)), 0);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 1);
    test_no_error();
    ends_free(&e);
}
END_TEST

START_TEST(shutdown_keeps_what_the_peer_has_said)
{
    struct ends e = ends_shaken(1 + 2 * _i, 2);
    char in[10];

    BIO_write(e.s, "last words", 10);
    ck_assert_int_eq(BIO_onion_shutdown(e.s), 0);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ck_assert_int_eq(BIO_read(e.c, in, sizeof(in)), 10);
    ck_assert_int_eq(BIO_read(e.c, in, sizeof(in)), 0);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 1);
    ends_free(&e);
}
END_TEST

/* A tap between the outermost layer and its transport. */
static BIO *tap_under(struct ends *e)
{
    BIO *b = e->c, *tap = tap_new();

    while (BIO_next(b) != e->half_c)
        b = BIO_next(b);
    BIO_pop(e->half_c);
    BIO_push(b, tap);
    BIO_push(b, e->half_c);
    return tap;
}

START_TEST(shutdown_can_be_retried)
{
    struct ends e = ends_shaken(1, 2);
    BIO *tap = tap_under(&e);

    tap_hold(&tap_of(tap)->out);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), -1);
    ck_assert(BIO_should_retry(e.c) && BIO_should_write(e.c));
    test_no_error();
    tap_release(&tap_of(tap)->out);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ck_assert_int_eq(tap_records(&tap_of(tap)->out, 0), 2);
    ends_free(&e);
}
END_TEST

/* The record with the close_notify of layer 2 goes, and not that of layer 1. */
START_TEST(shutdown_tells_of_a_retry_in_any_layer)
{
    struct ends e = ends_shaken(1, 2);
    BIO *tap = tap_under(&e);

    tap_of(tap)->out.limit = 46;
    tap_of(tap)->out.end = TAP_RETRY;
    ck_assert_int_eq(BIO_onion_shutdown(e.c), -1);
    ck_assert_int_eq(tap_records(&tap_of(tap)->out, 0), 1);
    ck_assert(BIO_should_retry(e.c) && BIO_should_write(e.c));
    tap_release(&tap_of(tap)->out);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ends_free(&e);
}
END_TEST

START_TEST(shutdown_asks_for_no_retry_that_an_earlier_call_wanted)
{
    struct ends e = ends_shaken(1, 1);
    BIO *tap = tap_under(&e);
    char c;

    e.c = BIO_push(BIO_new(BIO_f_buffer()), e.c);
    ck_assert_int_eq(BIO_read(e.c, &c, 1), -1);
    ck_assert(BIO_should_retry(e.c));
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ck_assert(!BIO_should_retry(e.c));
    ck_assert_int_eq(tap_records(&tap_of(tap)->out, 0), 1);
    ends_free(&e);
}
END_TEST

START_TEST(shutdown_says_that_a_write_is_to_be_finished_first)
{
    struct ends e = ends_shaken(1, 1);
    BIO *tap = tap_under(&e);

    tap_hold(&tap_of(tap)->out);
    test_retried(e.c, BIO_write(e.c, "x", 1));
    test_failed(e.c, BIO_onion_shutdown(e.c), ONION_R_WRITE_UNFINISHED);
    tap_release(&tap_of(tap)->out);
    ck_assert_int_eq(BIO_write(e.c, "x", 1), 1);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ends_free(&e);
}
END_TEST

/* Over a blocking socket it would wait for a peer that may never answer. */
START_TEST(the_first_shutdown_does_not_wait_for_the_peer)
{
    struct ends e = ends_shaken(1, 1);
    BIO *tap = tap_under(&e);

    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    ck_assert_int_eq(tap_of(tap)->in.calls, 0);
    ck_assert_int_eq(tap_records(&tap_of(tap)->out, 0), 1);
    ends_free(&e);
}
END_TEST

START_TEST(a_write_after_shutdown_fails)
{
    struct ends e = ends_shaken(1 + 2 * _i, 1);
    int ret;

    BIO_onion_shutdown(e.c);
    ret = BIO_write(e.c, "x", 1);
    test_failed(e.c, ret, ONION_R_WRITE_CLOSED);
    ends_free(&e);
}
END_TEST

START_TEST(new_onion_makes_a_layer_of_either_role)
{
    BIO *c = BIO_new_onion(test_client_ctx(0, 1), 1);
    BIO *s = BIO_new_onion(test_server_ctx(0, "layer1.test", 0), 0);
    SSL *ssl;

    ck_assert(BIO_get_ssl(c, &ssl) == 1 && !SSL_is_server(ssl));
    ck_assert_int_eq((int)BIO_get_close(c), BIO_CLOSE);
    ck_assert(BIO_get_ssl(s, &ssl) == 1 && SSL_is_server(ssl));
    BIO_free_all(c);
    BIO_free_all(s);
}
END_TEST

START_TEST(helpers_say_that_they_have_no_context)
{
    ck_assert_ptr_null(BIO_new_onion(NULL, 1));
    test_refused(0, ERR_R_PASSED_NULL_PARAMETER);
    ck_assert_ptr_null(BIO_new_onion_connect(NULL));
    test_refused(0, ERR_R_PASSED_NULL_PARAMETER);
    ck_assert_ptr_null(BIO_new_buffer_onion_connect(NULL));
    test_refused(0, ERR_R_PASSED_NULL_PARAMETER);
}
END_TEST

START_TEST(set_ssl_mode_chooses_the_role)
{
    BIO *b = layer_of(method_of(_i), SSL_new(test_client_ctx(0, 0)));
    SSL *ssl;

    BIO_get_ssl(b, &ssl);
    ck_assert_int_eq((int)BIO_set_ssl_mode(b, 0), 1);
    ck_assert(SSL_is_server(ssl));
    ck_assert_int_eq((int)BIO_set_ssl_mode(b, 1), 1);
    ck_assert(!SSL_is_server(ssl));
    BIO_free(b);
}
END_TEST

static int info_calls;

static int count_info(BIO *b, int state, int ret)
{
    (void)b;
    (void)state;
    info_calls++;
    return ret;
}

/* A connected and shaken pair over TCP, c being a connect BIO's chain. */
static struct ends over_tcp(BIO *c)
{
    char name[32];
    int listener = test_listen(name), fd;
    SSL *ssl = NULL;
    struct ends e = { .c = c, .onion = 1 };

    BIO_get_ssl(c, &ssl);
    X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), test_name(1), 0);
    ck_assert_int_eq((int)BIO_set_conn_hostname(c, name), 1);
    BIO_set_nbio(c, 1);
    shake_once(c);
    fd = test_accept(listener);
    BIO_socket_nbio(fd, 1);
    BIO_set_tcp_ndelay(fd, 1);
    e.half_s = BIO_new_socket(fd, BIO_CLOSE);
    e.s = chain_of(BIO_f_onion(), 0, TLS1_3_VERSION, 1, e.half_s);
    shake(e.c, e.s);
    return e;
}

START_TEST(new_onion_connect_connects_and_shakes_hands)
{
    BIO *c = BIO_new_onion_connect(test_client_ctx(TLS1_3_VERSION, 1));
    struct ends e;

    info_calls = 0;
    ck_assert_int_eq((int)BIO_set_info_callback(c, count_info), 1);
    e = over_tcp(c);
    ck_assert_int_gt(info_calls, 0);
    ck_assert_int_gt((int)BIO_get_fd(e.c, NULL), 0);
    relay(e.c, e.s, test_bytes(1000), 1000);
    relay(e.s, e.c, test_bytes(1000), 1000);
    ends_free(&e);
}
END_TEST

START_TEST(new_buffer_onion_connect_reads_lines)
{
    BIO *c = BIO_new_buffer_onion_connect(test_client_ctx(TLS1_3_VERSION, 1));
    struct ends e;
    char line[20];
    int ret = -1, rounds = 0;

    ck_assert_int_eq(BIO_method_type(c), BIO_TYPE_BUFFER);
    e = over_tcp(c);
    BIO_write(e.s, "one\ntwo\n", 8);
    while (ret <= 0 && rounds++ < 1000)
        ret = BIO_gets(e.c, line, sizeof(line));
    ck_assert_int_eq(ret, 4);
    ck_assert_str_eq(line, "one\n");
    ck_assert_int_eq(BIO_gets(e.c, line, sizeof(line)), 4);
    ck_assert_str_eq(line, "two\n");
    ends_free(&e);
}
END_TEST

START_TEST(copy_session_id_lets_a_session_resume)
{
    struct ends e = ends_shaken(3, 1), f = ends_new(3, 1, 70000);
    SSL *ssl;

    ck_assert_int_eq(BIO_onion_copy_session_id(f.c, e.c), 1);
    shake(f.c, f.s);
    BIO_get_ssl(f.c, &ssl);
    ck_assert_int_eq(SSL_session_reused(ssl), 1);
    ends_free(&e);
    ends_free(&f);
}
END_TEST

START_TEST(copy_session_id_wants_two_layers)
{
    BIO *layer = layer_of(BIO_f_onion(), test_ssl(1, 0, 1));
    BIO *empty = BIO_new(BIO_f_onion()), *other = BIO_new(BIO_s_mem());

    test_refused(BIO_onion_copy_session_id(layer, other), ONION_R_NO_SSL);
    test_refused(BIO_onion_copy_session_id(other, layer), ONION_R_NO_SSL);
    test_refused(BIO_onion_copy_session_id(layer, empty), ONION_R_NO_SSL);
    test_refused(BIO_onion_copy_session_id(empty, layer), ONION_R_NO_SSL);
    test_refused(BIO_onion_copy_session_id(layer, NULL), ONION_R_NO_SSL);
    test_refused(BIO_onion_copy_session_id(NULL, layer), ONION_R_NO_SSL);
    BIO_free(layer);
    BIO_free(empty);
    BIO_free(other);
}
END_TEST

/* What BIO_set_accept_bios() needs. */
START_TEST(dup_chain_makes_a_layer_of_its_own)
{
    BIO *model = layer_of(method_of(_i), test_ssl(0, version_of(_i), 1));
    BIO *copy = BIO_dup_chain(model);
    struct ends e = ends_new(_i, 1, 70000);
    SSL *a = NULL, *b = NULL;

    ck_assert_ptr_nonnull(copy);
    BIO_get_ssl(model, &a);
    BIO_get_ssl(copy, &b);
    ck_assert(b != NULL && b != a);
    BIO_pop(e.s);
    BIO_free(e.s);
    e.s = BIO_push(copy, e.half_s);
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(10), 10);
    BIO_free(model);
    ends_free(&e);
}
END_TEST

START_TEST(reset_makes_ready_for_another_session)
{
    struct ends e = ends_shaken(_i, 1);

    (void)BIO_reset(e.c);
    (void)BIO_reset(e.s);
    ERR_clear_error();
    (void)BIO_reset(e.half_c);
    (void)BIO_reset(e.half_s);
    shake(e.c, e.s);
    relay(e.c, e.s, test_bytes(10), 10);
    ends_free(&e);
}
END_TEST

START_TEST(renegotiation_settings_are_kept)
{
    BIO *b = layer_of(method_of(_i), test_ssl(1, TLS1_2_VERSION, 1));

    ck_assert_int_eq((int)BIO_set_ssl_renegotiate_bytes(b, 1000), 0);
    ck_assert_int_eq((int)BIO_set_ssl_renegotiate_bytes(b, 100), 1000);
    ck_assert_int_eq((int)BIO_set_ssl_renegotiate_bytes(b, 2000), 1000);
    ck_assert_int_eq((int)BIO_set_ssl_renegotiate_timeout(b, 70), 0);
    ck_assert_int_eq((int)BIO_set_ssl_renegotiate_timeout(b, 80), 70);
    ck_assert_int_eq((int)BIO_get_num_renegotiates(b), 0);
    BIO_free(b);
}
END_TEST

START_TEST(two_layers_stand_under_a_buffer)
{
    struct ends e = ends_shaken(_i, 2);
    char line[20];

    e.c = BIO_push(BIO_new(BIO_f_buffer()), e.c);
    e.s = BIO_push(BIO_new(BIO_f_buffer()), e.s);
    BIO_puts(e.c, "one\ntwo\n");
    ck_assert_int_eq(BIO_gets(e.s, line, sizeof(line)), -1);
    ck_assert_int_eq((int)BIO_flush(e.c), 1);
    ck_assert_int_eq(BIO_gets(e.s, line, sizeof(line)), 4);
    ck_assert_str_eq(line, "one\n");
    ck_assert_int_eq(BIO_gets(e.s, line, sizeof(line)), 4);
    ends_free(&e);
}
END_TEST

/* fluent-bit: the layer is the BIO of another SSL, and not in its chain. */
START_TEST(a_layer_can_be_the_bio_of_another_ssl)
{
    struct ends e = ends_shaken(_i, 1);
    SSL *c = test_ssl(1, TLS1_3_VERSION, 2), *s = test_ssl(0, 0, 2);
    int done_c = 0, done_s = 0, rounds = 0;

    SSL_set_bio(c, e.c, e.c);
    SSL_set_bio(s, e.s, e.s);
    while (done_c != 1 || done_s != 1) {
        done_c = SSL_do_handshake(c);
        done_s = SSL_do_handshake(s);
        ERR_clear_error();
        ck_assert_msg(rounds++ < 100, "no progress");
    }
    SSL_free(c);
    SSL_free(s);
    if (e.onion)
        test_no_error();
}
END_TEST

/* The peer of the blocking test: echoes until it is closed. */
static void echo(BIO *b)
{
    char data[5000];
    int n;

    while ((n = BIO_read(b, data, sizeof(data))) > 0)
        if (BIO_write(b, data, n) != n)
            _exit(1);
    if (n != 0 || BIO_should_retry(b))
        _exit(2);
    while ((n = BIO_onion_shutdown(b)) == 0)
        ;
    BIO_free_all(b);        /* for valgrind, which looks here too */
    _exit(n == 1 ? 0 : 3);
}

START_TEST(all_goes_well_over_a_blocking_socket)
{
    int version = version_of(2 * _i), fds[2], status, n, got = 0;
    unsigned char in[3000];
    pid_t child;
    BIO *b;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    child = fork();
    b = chain_of(BIO_f_onion(), child != 0, version, 2,
                 BIO_new_socket(fds[child != 0], BIO_CLOSE));
    close(fds[child == 0]);
    if (child == 0)
        echo(b);
    ck_assert_int_eq((int)BIO_do_handshake(b), 1);
    ck_assert_int_eq(BIO_write(b, test_bytes(3000), 3000), 3000);
    for (; got < 3000; got += n) {
        n = BIO_read(b, in, sizeof(in));
        ck_assert_int_gt(n, 0);
        ck_assert_mem_eq(in, test_bytes(3000) + got, (size_t)n);
    }
    ck_assert_int_ge(BIO_onion_shutdown(b), 0);
    ck_assert_int_eq(BIO_read(b, in, sizeof(in)), 0);
    ck_assert_int_eq(BIO_onion_shutdown(b), 1);
    waitpid(child, &status, 0);
    ck_assert_int_eq(status, 0);
    BIO_free_all(b);
    test_no_error();
}
END_TEST

static void situations(Suite *s)
{
    TCase *tc = test_case(s, "io");

    test_loop(tc, a_handshake_and_data_pass_each_way, 0, 16);
    test_loop(tc, nested_layers_pass_through_a_pair_of_any_size,
              0, 3 * TEST_SHAPES);
    test_loop(tc, reads_and_writes_shake_hands_by_themselves, 0, 4);
    test_loop(tc, puts_writes_a_string, 0, 4);
    test_loop(tc, pending_is_what_is_left_of_a_record, 0, 4);
    test_loop(tc, flush_reaches_a_buffer_below, 0, 4);
    test_loop(tc, a_retry_shows_in_every_layer_and_whose_it_is,
              0, 4);
    test_loop(tc, a_write_that_cannot_go_asks_to_write, 0, 4);
    test_loop(tc, all_goes_well_over_a_blocking_socket, 0, 2);
    test_loop(tc, two_layers_stand_under_a_buffer, 0, 4);
}

static void settings(Suite *s)
{
    TCase *tc = test_case(s, "settings");

    tcase_add_test(tc, a_layer_is_a_filter);
    test_loop(tc, a_layer_without_an_ssl_does_nothing, 0, 2);
    test_loop(tc, get_ssl_gives_the_ssl_of_the_top_layer, 0, 2);
    test_loop(tc, set_ssl_takes_the_place_of_an_older_ssl, 0, 4);
    tcase_add_test(tc, set_ssl_after_push_finds_the_transport);
    test_loop(tc, the_close_flag_can_be_asked_and_set, 0, 2);
    test_loop(tc, get_fd_finds_the_socket_below, 0, 2);
    tcase_add_test(tc, get_fd_is_not_0_where_there_is_no_socket);
    test_loop(tc, set_ssl_mode_chooses_the_role, 0, 2);
    test_loop(tc, reset_makes_ready_for_another_session, 0, 4);
    test_loop(tc, renegotiation_settings_are_kept, 0, 2);
    test_loop(tc, a_renegotiation_comes_with_the_byte_past_the_limit, 0, 2);
    test_loop(tc, a_renegotiation_comes_with_the_second_past_the_limit, 0, 2);
    test_loop(tc, what_passed_before_there_was_a_limit_does_not_count, 0, 2);
    test_loop(tc, a_flush_that_succeeds_is_not_made_good, 0, 2);
    tcase_add_test(tc,
                   what_follows_a_request_that_is_declined_is_read_at_once);
    tcase_add_test(tc, one_read_takes_a_bounded_number_of_records);
    test_loop(tc, reset_says_goodbye_first, 0, 4);
    test_loop(tc, reset_tells_that_an_ssl_cannot_be_reset, 0, 2);
    test_loop(tc, it_flushes_as_often_as_bio_f_ssl_does, 0, 2);
    tcase_add_test(tc, a_flush_that_waits_is_made_good_once);
    tcase_add_test(tc, a_flush_that_fails_fails_the_layer);
    tcase_add_test(tc, a_flush_of_0_may_ask_for_a_retry);
    test_loop(tc, an_end_where_no_flush_succeeds_is_a_truncation, 0, 2);
    tcase_add_test(tc,
                   what_follows_a_key_update_that_is_answered_is_read_at_once);
    test_loop(tc, reset_forgets_what_became_of_the_last_session, 0, 3);
    test_loop(tc, dup_chain_makes_a_layer_of_its_own, 0, 4);
    tcase_add_test(tc, new_onion_makes_a_layer_of_either_role);
    tcase_add_test(tc, new_onion_connect_connects_and_shakes_hands);
    tcase_add_test(tc, new_buffer_onion_connect_reads_lines);
    tcase_add_test(tc, copy_session_id_lets_a_session_resume);
    tcase_add_test(tc, copy_session_id_wants_two_layers);
    tcase_add_test(tc, helpers_say_that_they_have_no_context);
}

static void chains(Suite *s)
{
    TCase *tc = test_case(s, "chain");

    tcase_add_test(tc, a_chain_may_be_built_from_the_top_down);
    tcase_add_test(tc, a_chain_without_layers_is_shut_down_already);
    test_loop(tc, a_filter_below_may_be_popped_after_the_handshake,
              0, 3);
    test_loop(tc,
              a_layer_in_the_middle_may_be_popped,
              0, 2);
    test_loop(tc, a_popped_layer_goes_on_over_another_transport,
              0, 2);
    test_loop(tc, a_layer_over_nothing_says_so_and_goes_on_when_pushed,
              0, 2);
    test_loop(tc, an_ssl_with_its_own_bios_keeps_them, 0, 2);
    test_loop(tc, a_layer_can_be_the_bio_of_another_ssl, 0, 4);
}

static void ends(Suite *s)
{
    TCase *tc = test_case(s, "end");

    test_loop(tc, noclose_leaves_the_ssl_and_the_wire_alone, 0, 4);
    test_loop(tc, close_tells_the_peer_once, 0, 4);
    test_loop(tc, a_layer_freed_in_its_handshake_leaves_no_error,
              1, 2);
    tcase_add_test(tc, a_layer_freed_after_pop_leaves_no_error);
    test_loop(tc, a_chain_may_be_freed_one_by_one_in_any_order,
              0, 6);
    test_loop(tc, after_the_peers_close_it_is_at_its_end_for_good,
              0, 6);
    tcase_add_test(tc, after_the_peers_close_it_does_not_read_what_lies_below);
    test_loop(tc, after_the_peers_close_it_still_writes, 0, 4);
    test_loop(tc, shutdown_closes_every_layer_and_ends_with_1, 0, 6);
    test_loop(tc, shutdown_keeps_what_the_peer_has_said, 0, 2);
    tcase_add_test(tc, shutdown_can_be_retried);
    tcase_add_test(tc, shutdown_tells_of_a_retry_in_any_layer);
    tcase_add_test(tc, shutdown_asks_for_no_retry_that_an_earlier_call_wanted);
    tcase_add_test(tc, shutdown_says_that_a_write_is_to_be_finished_first);
    tcase_add_test(tc, the_first_shutdown_does_not_wait_for_the_peer);
    test_loop(tc, a_write_after_shutdown_fails, 0, 2);
}

int main(void)
{
    Suite *s = suite_create("layer");

    situations(s);
    settings(s);
    chains(s);
    ends(s);
    return test_main(s);
}
