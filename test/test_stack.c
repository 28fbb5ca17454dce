/*
 * test_stack.c - the functions of a stack: what each does, and what it refuses.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <ctype.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include "util.h"

static struct peers p;

static void set_up(void)
{
    peers_new(&p, 70000, TLS1_3_VERSION);
}

static void tear_down(void)
{
    peers_free(&p);
}

static BIO *lowest(BIO *b)
{
    while (BIO_next(b) != NULL)
        b = BIO_next(b);
    return b;
}

static SSL *fresh_client(int layer)
{
    return test_ssl(1, TLS1_3_VERSION, layer);
}

/* A start that is refused: nothing changes, and ssl stays with the caller. */
static void refused(SSL *ssl, int reason)
{
    int read_depth = BIO_onion_read_depth(p.a.bio);
    int write_depth = BIO_onion_write_depth(p.a.bio);
    size_t out = tap_of(p.a.tap)->out.len;

    test_refused(BIO_onion_start_tls(p.a.bio, ssl, NULL, 0), reason);
    test_depths(p.a.bio, read_depth, write_depth);
    ck_assert_uint_eq(tap_of(p.a.tap)->out.len, out);
    SSL_free(ssl);
}

/*
 * Start and stop
 */

/* _i: shape x depth 0, 1, 3, 8; tiny pairs only go to 3. */
START_TEST(layers_start_and_stop_one_by_one_at_any_depth)
{
    static const int depths[] = { 0, 1, 3, 8 };
    struct shape shape = test_shape(_i % TEST_SHAPES);
    int depth = depths[_i / TEST_SHAPES], i;

    if (shape.size < 100 && depth > 3)
        depth = 3;
    peers_new(&p, shape.size, shape.version);
    p.flip = shape.flip;
    peers_talk(&p);
    for (i = 1; i <= depth; i++) {
        peers_dive(&p, 1);
        test_depths(p.a.bio, i, i);
        peers_talk(&p);
    }
    for (i = depth - 1; i >= 0; i--)
        peers_rise(&p, i % 2 == 0 ? &p.a : &p.b, i);
    peers_free(&p);
}
END_TEST

START_TEST(each_layer_has_a_client_of_its_own)
{
    int i;

    for (i = 0; i < 4; i++) {
        p.flip = i % 2;
        p.version = i < 2 ? TLS1_2_VERSION : TLS1_3_VERSION;
        peers_dive(&p, 1);
        ck_assert_int_eq(SSL_is_server(BIO_onion_get0_ssl(p.a.bio, i + 1)),
                         i % 2);
    }
    peers_talk(&p);
    peers_rise(&p, &p.a, 0);
}
END_TEST

START_TEST(a_layer_can_be_started_again_after_a_stop)
{
    int i;

    for (i = 0; i < 5; i++) {
        peers_dive(&p, 2);
        peers_rise(&p, i % 2 ? &p.a : &p.b, i % 2);
        peers_rise(&p, &p.b, 0);
    }
}
END_TEST

START_TEST(start_puts_nothing_on_the_wire)
{
    peers_dive(&p, 1);
    tap_of(p.a.tap)->out.calls = 0;
    peers_start(&p);
    ck_assert_int_eq(tap_of(p.a.tap)->out.calls, 0);
    ck_assert_int_eq((int)BIO_wpending(p.a.bio), 0);
    test_depths(p.a.bio, 2, 2);
    test_no_error();
    peers_handshake(&p);
}
END_TEST

START_TEST(a_layer_starts_before_the_one_below_has_shaken_hands)
{
    struct shape shape = test_shape(_i);

    peers_new(&p, shape.size, shape.version);
    p.flip = shape.flip;
    peers_start(&p);
    BIO_do_handshake(p.a.bio);
    peers_start(&p);
    peers_start(&p);
    test_depths(p.b.bio, 3, 3);
    peers_handshake(&p);
    peers_talk(&p);
    peers_rise(&p, &p.b, 0);
    peers_free(&p);
}
END_TEST

START_TEST(reads_and_writes_shake_hands_by_themselves)
{
    peers_start(&p);
    peers_start(&p);
    peers_talk(&p);
}
END_TEST

START_TEST(in_the_clear_there_are_no_hands_to_shake)
{
    ck_assert_int_eq((int)BIO_do_handshake(p.a.bio), 1);
    ck_assert_uint_eq(tap_of(p.a.tap)->out.len, 0);
}
END_TEST

START_TEST(start_is_refused_past_the_maximum_depth)
{
    int i;

    for (i = 0; i < 16; i++)
        ck_assert_int_eq(BIO_onion_start_tls(p.a.bio, fresh_client(i + 1),
                                             NULL, 0), 1);
    refused(fresh_client(17), ONION_R_MAX_DEPTH);
    ck_assert_int_eq(BIO_onion_set_max_depth(p.a.bio, 17), 1);
    ck_assert_int_eq(BIO_onion_start_tls(p.a.bio, fresh_client(17), NULL, 0),
                     1);
    refused(fresh_client(18), ONION_R_MAX_DEPTH);
    refused(fresh_client(18), ONION_R_MAX_DEPTH);
    ck_assert_uint_eq(tap_of(p.a.tap)->out.len, 0);
}
END_TEST

START_TEST(start_is_refused_while_the_depths_differ)
{
    peers_dive(&p, 1);
    peer_stop(&p, &p.a, 0);
    test_depths(p.a.bio, 1, 0);
    refused(fresh_client(1), ONION_R_DEPTHS_DIFFER);
    peer_expect_boundary(&p, &p.b, 1);
    test_depths(p.b.bio, 0, 1);
    test_refused(BIO_onion_start_server(p.b.bio,
                                        test_server_ctx(0, "layer1.test", 0)),
                 ONION_R_DEPTHS_DIFFER);
    test_refused(BIO_onion_start_client(p.a.bio, test_client_ctx(0, 1), "ab"),
                 ONION_R_DEPTHS_DIFFER);
    peer_stop(&p, &p.b, 0);
    peer_expect_boundary(&p, &p.a, 1);
    peers_dive(&p, 1);
}
END_TEST

START_TEST(start_is_refused_while_a_write_is_half_done)
{
    peers_dive(&p, _i);
    tap_hold(&tap_of(p.a.tap)->out);
    test_retried(p.a.bio, BIO_write(p.a.bio, "half", 4));
    refused(fresh_client(_i + 1), ONION_R_WRITE_UNFINISHED);
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq(BIO_write(p.a.bio, "half", 4), 4);
    peer_expect(&p, &p.b, "half", 4, _i);
    peers_dive(&p, 1);
}
END_TEST

START_TEST(start_is_refused_on_a_failed_stack)
{
    char c;

    peers_dive(&p, 1);
    tap_slip(p.a.tap, "not a record of TLS", 19);
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &c, 1), 0, 1);
    refused(fresh_client(2), 0);
    refused(fresh_client(2), 0);
}
END_TEST

START_TEST(start_is_refused_for_an_ssl_that_is_not_fresh)
{
    SSL *with_bio = fresh_client(1), *shaking = fresh_client(1);
    BIO *mem = BIO_new(BIO_s_mem());

    SSL_set_bio(with_bio, mem, mem);
    refused(with_bio, ONION_R_SSL_IN_USE);
    mem = BIO_new(BIO_s_mem());
    SSL_set_bio(shaking, mem, mem);
    ck_assert_int_le(SSL_do_handshake(shaking), 0);
    SSL_set_bio(shaking, NULL, NULL);
    ERR_clear_error();
    refused(shaking, ONION_R_SSL_IN_USE);
    peers_dive(&p, 1);
    test_refused(BIO_onion_start_tls(p.a.bio, BIO_onion_get0_ssl(p.a.bio, 1),
                                     NULL, 0), ONION_R_SSL_IN_USE);
    refused(NULL, 0);
}
END_TEST

/* OpenSSL cannot be asked whether it is; so the handshake says it. */
START_TEST(an_ssl_in_neither_state_fails_in_its_handshake)
{
    SSL *undecided = SSL_new(test_client_ctx(0, 1));
    int ret = BIO_onion_start_tls(p.a.bio, undecided, NULL, 0);

    ck_assert_int_eq(ret, 1);
    ret = (int)BIO_do_handshake(p.a.bio);
    test_failed_at(p.a.bio, ret, ONION_R_HANDSHAKE_FAILED, 1);
    ck_assert_uint_eq(tap_of(p.a.tap)->out.len, 0);
}
END_TEST

START_TEST(start_is_refused_for_datagrams)
{
    SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
    SSL *ssl = SSL_new(ctx);

    SSL_set_connect_state(ssl);
    refused(ssl, ONION_R_SSL_UNSUPPORTED);
    test_refused(BIO_onion_start_client(p.a.bio, ctx, "layer1.test"),
                 ONION_R_SSL_UNSUPPORTED);
    test_depths(p.a.bio, 0, 0);
    SSL_CTX_free(ctx);
}
END_TEST

START_TEST(start_and_stop_want_a_stack)
{
    BIO *mem = BIO_new(BIO_s_mem());
    SSL *ssl = fresh_client(1);

    test_refused(BIO_onion_start_tls(mem, ssl, NULL, 0), ONION_R_NO_STACK);
    test_refused(BIO_onion_start_tls(NULL, ssl, NULL, 0), ONION_R_NO_STACK);
    test_refused(BIO_onion_start_client(mem, test_client_ctx(0, 1), "ab"),
                 ONION_R_NO_STACK);
    test_refused(BIO_onion_start_server(mem, test_server_ctx(0, "a", 0)),
                 ONION_R_NO_STACK);
    test_failed(mem, BIO_onion_stop_tls(mem, 0), ONION_R_NO_STACK);
    test_refused(BIO_onion_drop_tls(mem, 0), ONION_R_NO_STACK);
    ck_assert_int_eq(BIO_onion_read_depth(mem), -1);
    ck_assert_int_eq(BIO_onion_write_depth(mem), -1);
    ck_assert_int_eq(BIO_onion_read_depth(NULL), -1);
    ck_assert_ptr_null(BIO_onion_get0_ssl(mem, 1));
    ck_assert_ptr_null(BIO_onion_get0_ssl(NULL, 1));
    ck_assert_int_eq(BIO_onion_set_max_depth(mem, 1), 0);
    ck_assert_int_eq(BIO_onion_set_min_depth(mem, 1), 0);
    ck_assert_int_eq(BIO_onion_set_flags(mem, 0), 0);
    BIO_onion_set_callback(mem, NULL, NULL);
    ck_assert_int_eq(BIO_onion_failed_layer(mem, NULL), 0);
    ERR_clear_error();
    SSL_free(ssl);
    BIO_free(mem);
}
END_TEST

START_TEST(stop_in_the_clear_has_nothing_to_do)
{
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), 1);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 3), 1);
    peers_dive(&p, 2);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 2), 1);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 3), 1);
    test_depths(p.a.bio, 2, 2);
    peers_talk(&p);
}
END_TEST

START_TEST(stop_and_drop_refuse_a_negative_depth)
{
    peers_dive(&p, 1);
    test_failed(p.a.bio, BIO_onion_stop_tls(p.a.bio, -1), 0);
    test_refused(BIO_onion_drop_tls(p.a.bio, -1), 0);
    test_depths(p.a.bio, 1, 1);
    peers_talk(&p);
}
END_TEST

START_TEST(a_stack_may_be_built_by_push)
{
    BIO *a, *b, *s = BIO_new(BIO_f_onion_stack());
    char in[10];

    BIO_new_bio_pair(&a, 1000, &b, 1000);
    ck_assert_ptr_eq(BIO_push(s, a), s);
    ck_assert_int_eq(BIO_onion_start_tls(s, fresh_client(1), NULL, 0), 1);
    test_depths(s, 1, 1);
    ck_assert_int_eq((int)BIO_do_handshake(s), -1);
    ck_assert(BIO_should_retry(s));
    ck_assert_int_gt(BIO_read(b, in, sizeof(in)), 0);
    ck_assert_int_eq(in[0], SSL3_RT_HANDSHAKE);
    BIO_free_all(s);
    BIO_free(b);
    test_no_error();
}
END_TEST

START_TEST(a_stack_over_nothing_says_so)
{
    BIO *s = BIO_new(BIO_f_onion_stack());
    char c;

    test_failed(s, BIO_read(s, &c, 1), ONION_R_NO_TRANSPORT);
    test_failed(s, BIO_write(s, "x", 1), ONION_R_NO_TRANSPORT);
    BIO_free_all(s);
    test_no_error();
}
END_TEST

/* Its transport was popped, which is for who wants the transport back. */
START_TEST(a_stack_that_lost_its_transport_says_so)
{
    BIO *one, *other, *s;
    char c;

    ck_assert(BIO_new_bio_pair(&one, 0, &other, 0));
    s = BIO_new_onion_stack(one);
    ck_assert_int_eq(BIO_onion_start_tls(s, fresh_client(1), NULL, 0), 1);
    BIO_pop(one);
    test_failed(s, BIO_read(s, &c, 1), ONION_R_NO_TRANSPORT);
    test_failed(s, BIO_write(s, "x", 1), ONION_R_NO_TRANSPORT);
    test_failed(s, (int)BIO_do_handshake(s), ONION_R_NO_TRANSPORT);
    test_failed(s, (int)BIO_flush(s), ONION_R_NO_TRANSPORT);
    ck_assert_int_eq((int)BIO_pending(s), 0);
    BIO_free_all(s);
    BIO_free(one);
    BIO_free(other);
    test_no_error();
}
END_TEST

START_TEST(a_chain_with_a_stack_in_it_will_do)
{
    BIO *top = BIO_push(BIO_new(BIO_f_null()), p.a.bio);

    peers_dive(&p, 1);
    test_depths(top, 1, 1);
    ck_assert_ptr_eq(BIO_onion_get0_ssl(top, 1),
                     BIO_onion_get0_ssl(p.a.bio, 1));
    ck_assert_int_eq(BIO_onion_start_tls(top, fresh_client(2), NULL, 0), 1);
    test_depths(top, 2, 2);
    BIO_pop(top);
    BIO_free(top);
}
END_TEST

/*
 * Bytes that were read too early
 */

static size_t read_hello(unsigned char *text, size_t max)
{
    size_t got = 0;
    int ret;

    while (got < max) {
        ret = BIO_read(p.b.bio, text + got, (int)(max - got));
        if (ret <= 0)
            break;
        got += (size_t)ret;
    }
    ERR_clear_error();
    return got;
}

/* _i: how much of the ClientHello, and below how many layers */
START_TEST(unread_bytes_go_to_the_handshake)
{
    static const size_t sizes[] = { 1, 4, 5, 6, 100, 4000 };
    size_t early = sizes[_i % 6], got;
    unsigned char text[5000];
    int depth = _i / 6;

    peers_dive(&p, depth);
    BIO_write(p.a.bio, "START\n", 6);
    BIO_onion_start_tls(p.a.bio, fresh_client(depth + 1), NULL, 0);
    test_retried(p.a.bio, (int)BIO_do_handshake(p.a.bio));
    got = read_hello(text, 6 + early);
    ck_assert_uint_gt(got, 6);
    ck_assert_mem_eq(text, "START\n", 6);
    ck_assert_int_eq(BIO_onion_start_tls(p.b.bio,
                                         test_ssl(0, 0, depth + 1),
                                         text + 6, got - 6), 1);
    memset(text, 0, sizeof(text));
    peers_handshake(&p);
    peers_talk(&p);
    peers_rise(&p, &p.a, 0);
}
END_TEST

START_TEST(unread_bytes_never_come_back_as_text)
{
    char in[100];
    int ret, i;

    BIO_onion_start_tls(p.b.bio, test_ssl(0, 0, 1), "NOOP\r\n", 6);
    BIO_onion_start_tls(p.a.bio, fresh_client(1), NULL, 0);
    BIO_do_handshake(p.a.bio);
    ERR_clear_error();
    ret = BIO_do_handshake(p.b.bio) == 1;
    test_failed_at(p.b.bio, ret, ONION_R_HANDSHAKE_FAILED, 1);
    for (i = 0; i < 3; i++) {
        ret = BIO_read(p.b.bio, in, sizeof(in));
        test_failed_at(p.b.bio, ret, 0, 1);
    }
    test_depths(p.b.bio, 1, 1);
}
END_TEST

START_TEST(unread_bytes_come_before_those_on_the_way)
{
    unsigned char text[200];
    size_t got;

    BIO_onion_start_tls(p.a.bio, fresh_client(1), NULL, 0);
    BIO_do_handshake(p.a.bio);
    ck_assert_uint_eq(got = read_hello(text, 50), 50);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, 0, 1), text, got);
    peers_handshake(&p);
    peers_talk(&p);
}
END_TEST

/*
 * The two short starts
 */

static void start_both(const char *cert, int flags, const char *host,
                       int verify)
{
    ck_assert_int_eq(BIO_onion_start_client(p.a.bio,
                                            test_client_ctx(0, verify), host),
                     1);
    ck_assert_int_eq(BIO_onion_start_server(p.b.bio,
                                            test_server_ctx(0, cert, flags)),
                     1);
}

/* Drives both until the client has an answer, and gives it. */
static int client_answer(void)
{
    int ret = -1, rounds = 0;

    while ((ret = (int)BIO_do_handshake(p.a.bio)) <= 0
           && BIO_should_retry(p.a.bio)) {
        BIO_do_handshake(p.b.bio);
        ERR_clear_error();
        ck_assert_msg(rounds++ < 1000, "no progress");
    }
    return ret;
}

/* _i: below how many layers, and whether the context verifies itself */
START_TEST(start_client_asks_for_the_name_and_checks_it)
{
    SSL *ssl;

    peers_dive(&p, _i / 2);
    start_both("www.test", 0, "www.test", _i % 2);
    peers_handshake(&p);
    ssl = BIO_onion_get0_ssl(p.b.bio, _i / 2 + 1);
    ck_assert_str_eq(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
                     "www.test");
    ssl = BIO_onion_get0_ssl(p.a.bio, _i / 2 + 1);
    ck_assert_int_eq(SSL_get_verify_result(ssl), X509_V_OK);
    ck_assert_str_eq(SSL_get0_peername(ssl), "www.test");
    peers_talk(&p);
}
END_TEST

/* _i: below how many layers, and whether the context verifies itself */
START_TEST(start_client_refuses_another_name)
{
    peers_dive(&p, _i / 2);
    start_both("other.test", 0, "www.test", _i % 2);
    test_failed_at(p.a.bio, client_answer(), ONION_R_CERTIFICATE_REFUSED,
                   _i / 2 + 1);
    test_failed_at(p.a.bio, BIO_write(p.a.bio, "x", 1), 0, _i / 2 + 1);
}
END_TEST

START_TEST(start_client_refuses_an_untrusted_issuer)
{
    start_both("www.test", TEST_UNTRUSTED, "www.test", _i);
    test_failed_at(p.a.bio, client_answer(), ONION_R_CERTIFICATE_REFUSED, 1);
}
END_TEST

START_TEST(start_client_refuses_an_old_certificate)
{
    start_both("www.test", TEST_EXPIRED, "www.test", _i);
    test_failed_at(p.a.bio, client_answer(), ONION_R_CERTIFICATE_REFUSED, 1);
}
END_TEST

START_TEST(start_client_checks_an_address_and_does_not_send_it)
{
    SSL *ssl;

    start_both(_i ? "::1" : "192.0.2.1", 0, _i ? "::1" : "192.0.2.1", 0);
    peers_handshake(&p);
    ssl = BIO_onion_get0_ssl(p.b.bio, 1);
    ck_assert_ptr_null(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    peers_talk(&p);
}
END_TEST

START_TEST(start_client_refuses_another_address)
{
    start_both("192.0.2.1", 0, _i ? "::1" : "192.0.2.2", 0);
    test_failed_at(p.a.bio, client_answer(), ONION_R_CERTIFICATE_REFUSED, 1);
}
END_TEST

START_TEST(start_client_leaves_the_context_as_it_was)
{
    SSL_CTX *ctx = test_client_ctx(0, 0);

    ck_assert_int_eq(BIO_onion_start_client(p.a.bio, ctx, "www.test"), 1);
    ck_assert_int_eq(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_NONE);
    ck_assert_int_eq(SSL_get_verify_mode(BIO_onion_get0_ssl(p.a.bio, 1))
                     & SSL_VERIFY_PEER, SSL_VERIFY_PEER);
}
END_TEST

/* A host that checks nothing would be worse than none. */
START_TEST(the_short_starts_refuse_bad_arguments)
{
    SSL_CTX *ctx = test_client_ctx(0, 1);

    test_refused(BIO_onion_start_client(p.a.bio, ctx, NULL), 0);
    test_refused(BIO_onion_start_client(p.a.bio, ctx, ""), 0);
    test_refused(BIO_onion_start_client(p.a.bio, NULL, "www.test"), 0);
    test_refused(BIO_onion_start_server(p.a.bio, NULL), 0);
    test_depths(p.a.bio, 0, 0);
    ck_assert_uint_eq(tap_of(p.a.tap)->out.len, 0);
}
END_TEST

START_TEST(a_client_certificate_is_asked_for_and_refused_per_layer)
{
    SSL *client = fresh_client(2), *server = test_ssl(0, 0, 2);
    int ret = -1, rounds = 0;

    peers_dive(&p, 1);
    test_ask_client(server);
    if (_i > 0)
        test_give_client(client, _i == 1 ? 0 : TEST_UNTRUSTED);
    BIO_onion_start_tls(p.a.bio, client, NULL, 0);
    BIO_onion_start_tls(p.b.bio, server, NULL, 0);
    while ((ret = (int)BIO_do_handshake(p.b.bio)) <= 0
           && BIO_should_retry(p.b.bio)) {
        BIO_do_handshake(p.a.bio);
        ck_assert_msg(rounds++ < 1000, "no progress");
    }
    if (_i == 1)
        ck_assert_int_eq(ret, 1);
    else
        test_failed_at(p.b.bio, ret, 0, 2);
    ERR_clear_error();
}
END_TEST

/*
 * Questions
 */

START_TEST(get0_ssl_counts_from_the_outermost)
{
    SSL *one = fresh_client(1), *two = fresh_client(2);

    ck_assert_ptr_null(BIO_onion_get0_ssl(p.a.bio, 1));
    BIO_onion_start_tls(p.a.bio, one, NULL, 0);
    BIO_onion_start_tls(p.a.bio, two, NULL, 0);
    ck_assert_ptr_eq(BIO_onion_get0_ssl(p.a.bio, 1), one);
    ck_assert_ptr_eq(BIO_onion_get0_ssl(p.a.bio, 2), two);
    ck_assert_ptr_null(BIO_onion_get0_ssl(p.a.bio, 0));
    ck_assert_ptr_null(BIO_onion_get0_ssl(p.a.bio, 3));
    ck_assert_ptr_null(BIO_onion_get0_ssl(p.a.bio, -1));
    test_no_error();
}
END_TEST

START_TEST(limits_have_a_range)
{
    ck_assert_int_eq(BIO_onion_set_max_depth(p.a.bio, ONION_MAX_DEPTH), 1);
    ck_assert_int_eq(BIO_onion_set_max_depth(p.a.bio, ONION_MAX_DEPTH + 1), 0);
    ck_assert_int_eq(BIO_onion_set_max_depth(p.a.bio, -1), 0);
    ck_assert_int_eq(BIO_onion_set_max_depth(p.a.bio, 0), 1);
    refused(fresh_client(1), ONION_R_MAX_DEPTH);
    ck_assert_int_eq(BIO_onion_set_max_depth(p.a.bio, 5), 1);
    ck_assert_int_eq(BIO_onion_set_min_depth(p.a.bio, -1), 0);
    ck_assert_int_eq(BIO_onion_set_min_depth(p.a.bio, ONION_MAX_DEPTH + 1), 0);
    ck_assert_int_eq(BIO_onion_set_min_depth(p.a.bio, 3), 1);
    ck_assert_int_eq(BIO_onion_set_min_depth(p.a.bio, 0), 1);
    ERR_clear_error();
}
END_TEST

START_TEST(stop_and_drop_below_the_minimum_are_refused)
{
    size_t out;

    peers_dive(&p, 2);
    BIO_onion_set_min_depth(p.a.bio, 1);
    out = tap_of(p.a.tap)->out.len;
    test_failed(p.a.bio, BIO_onion_stop_tls(p.a.bio, 0), ONION_R_MIN_DEPTH);
    test_refused(BIO_onion_drop_tls(p.a.bio, 0), ONION_R_MIN_DEPTH);
    test_depths(p.a.bio, 2, 2);
    ck_assert_uint_eq(tap_of(p.a.tap)->out.len, out);
    peers_rise(&p, &p.a, 1);
    BIO_onion_set_min_depth(p.a.bio, 0);
    peers_rise(&p, &p.a, 0);
}
END_TEST

START_TEST(a_flag_that_is_not_known_is_refused)
{
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, ONION_FOLLOW), 1);
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, 0), 1);
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, 0x80000000UL), 0);
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, ONION_FOLLOW | 0x4000UL),
                     0);
    ERR_clear_error();
}
END_TEST

START_TEST(get_fd_is_that_of_the_transport)
{
    int fds[2];
    BIO *s;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    s = BIO_new_onion_stack(BIO_new_socket(fds[0], BIO_CLOSE));
    BIO_onion_start_tls(s, fresh_client(1), NULL, 0);
    ck_assert_int_eq((int)BIO_get_fd(s, NULL), fds[0]);
    ck_assert_int_eq(SSL_get_fd(BIO_onion_get0_ssl(s, 1)), fds[0]);
    BIO_free_all(s);
    close(fds[1]);
    test_no_error();
}
END_TEST

/*
 * The callback
 */

struct event {
    int event, layer;
    SSL *ssl;
};

static struct event events[50];
static int n_events;

static void on_event(BIO *stack, int event, int layer, SSL *ssl, void *arg)
{
    BIO *out = BIO_new(BIO_s_mem());

    ck_assert_ptr_eq(arg, &events);
    ck_assert_ptr_eq(stack, p.a.bio);
    ck_assert_ptr_nonnull(ssl);
    ck_assert_ptr_nonnull(SSL_get_version(ssl));
    ck_assert_int_ge(BIO_onion_read_depth(stack), 0);
    ck_assert_int_eq(BIO_onion_print(out, stack), 1);
    ck_assert_int_ge((int)BIO_pending(out), 10);
    BIO_free(out);
    ck_assert_int_lt(n_events, 50);
    events[n_events++] = (struct event) { event, layer, ssl };
}

static void listen_to_events(void)
{
    n_events = 0;
    BIO_onion_set_callback(p.a.bio, on_event, &events);
}

/* Where the n-th of these events came; it must have. */
static int event_at(int event, int layer)
{
    int i, at = -1, n = 0;

    for (i = 0; i < n_events; i++)
        if (events[i].event == event && events[i].layer == layer) {
            at = i;
            n++;
        }
    ck_assert_msg(n == 1, "event %d of layer %d: %d times", event, layer, n);
    return at;
}

START_TEST(the_callback_tells_of_start_and_handshake)
{
    listen_to_events();
    peers_start(&p);
    ck_assert_int_eq(n_events, 1);
    ck_assert_ptr_eq(events[0].ssl, BIO_onion_get0_ssl(p.a.bio, 1));
    peers_start(&p);
    peers_handshake(&p);
    ck_assert_int_eq(n_events, 4);
    ck_assert_int_eq(event_at(ONION_EVENT_STARTED, 1), 0);
    ck_assert_int_eq(event_at(ONION_EVENT_STARTED, 2), 1);
    ck_assert_int_eq(event_at(ONION_EVENT_HANDSHAKE, 1), 2);
    ck_assert_int_eq(event_at(ONION_EVENT_HANDSHAKE, 2), 3);
    ck_assert_ptr_eq(events[3].ssl, BIO_onion_get0_ssl(p.a.bio, 2));
    n_events = 0;
}
END_TEST

/* _i: who stops */
START_TEST(the_callback_tells_of_each_close_and_removal)
{
    int layer;

    peers_dive(&p, 2);
    listen_to_events();
    peers_rise(&p, _i ? &p.b : &p.a, 0);
    ck_assert_int_eq(n_events, 6);
    for (layer = 1; layer <= 2; layer++) {
        int ours = event_at(ONION_EVENT_CLOSED, layer);
        int theirs = event_at(ONION_EVENT_PEER_CLOSED, layer);
        int removed = event_at(ONION_EVENT_REMOVED, layer);

        ck_assert_int_eq(ours > theirs, _i);
        ck_assert(removed > ours && removed > theirs);
    }
    ck_assert_int_lt(event_at(ONION_EVENT_CLOSED, 2),
                     event_at(ONION_EVENT_CLOSED, 1));
    ck_assert_int_lt(event_at(ONION_EVENT_REMOVED, 2),
                     event_at(ONION_EVENT_REMOVED, 1));
}
END_TEST

START_TEST(the_callback_tells_of_a_failure)
{
    int reason = 0;
    char c;

    peers_dive(&p, 2);
    listen_to_events();
    ck_assert_int_eq(BIO_onion_failed_layer(p.a.bio, &reason), 0);
    tap_slip(p.a.tap, "not a record of TLS", 19);
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &c, 1), 0, 1);
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &c, 1), 0, 1);
    event_at(ONION_EVENT_FAILED, 1);
    ck_assert_int_eq(BIO_onion_failed_layer(p.a.bio, &reason), 1);
    ck_assert_int_eq(reason, ONION_R_LAYER_FAILED);
    ck_assert_int_eq(BIO_onion_failed_layer(p.a.bio, NULL), 1);
    BIO_onion_set_callback(p.a.bio, NULL, NULL);
}
END_TEST

START_TEST(without_a_callback_all_goes_on)
{
    listen_to_events();
    BIO_onion_set_callback(p.a.bio, NULL, NULL);
    peers_dive(&p, 1);
    peers_rise(&p, &p.a, 0);
    ck_assert_int_eq(n_events, 0);
}
END_TEST

/*
 * The drawing
 */

static int drawing(BIO *stack, char *text, int size)
{
    BIO *out = BIO_new(BIO_s_mem());
    int len, i, lines = 0;

    ck_assert_int_eq(BIO_onion_print(out, stack), 1);
    len = BIO_read(out, text, size - 1);
    BIO_free(out);
    ck_assert_int_gt(len, 0);
    text[len] = '\0';
    ck_assert_int_eq(text[len - 1], '\n');
    for (i = 0; i < len; i++) {
        lines += text[i] == '\n';
        ck_assert(text[i] == '\n' || isprint((unsigned char)text[i]));
    }
    return lines;
}

START_TEST(print_draws_a_line_for_each_layer)
{
    char text[4000];
    int lines = drawing(p.a.bio, text, sizeof(text));
    char *one, *two;

    p.version = TLS1_2_VERSION;
    peers_dive(&p, 1);
    ck_assert_int_eq(drawing(p.a.bio, text, sizeof(text)), lines + 1);
    p.version = TLS1_3_VERSION;
    peers_dive(&p, 1);
    ck_assert_int_eq(drawing(p.a.bio, text, sizeof(text)), lines + 2);
    one = strstr(text, "TLSv1.2");
    two = strstr(text, "TLSv1.3");
    ck_assert(one != NULL && two != NULL && two < one);
    ck_assert_ptr_nonnull(strstr(text, "layer2.test"));
    ck_assert_ptr_nonnull(strstr(text, "client"));
    ck_assert_ptr_nonnull(strstr(text, SSL_get_cipher_name(
                                     BIO_onion_get0_ssl(p.a.bio, 2))));
    test_no_error();
}
END_TEST

START_TEST(print_shows_which_directions_are_open)
{
    char before[4000], after[4000];

    peers_dive(&p, 1);
    drawing(p.a.bio, before, sizeof(before));
    peer_stop(&p, &p.a, 0);
    drawing(p.a.bio, after, sizeof(after));
    ck_assert_str_ne(before, after);
}
END_TEST

START_TEST(print_tells_a_verified_peer_from_another)
{
    char verified[4000], other[4000];
    SSL_CTX *ctx = test_client_ctx(TLS1_3_VERSION, 0);

    peers_dive(&p, 1);
    drawing(p.a.bio, verified, sizeof(verified));
    peers_rise(&p, &p.a, 0);
    BIO_onion_start_tls(p.a.bio, test_ssl_of(ctx, 1, "layer1.test"), NULL, 0);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, 0, 1), NULL, 0);
    peers_handshake(&p);
    drawing(p.a.bio, other, sizeof(other));
    ck_assert_str_ne(verified, other);
}
END_TEST

/* The name that a client asks for is what the client likes. */
START_TEST(print_shows_no_control_character_of_the_peer)
{
    SSL *ssl = test_ssl_of(test_client_ctx(0, 0), 1, NULL);
    char text[4000];

    SSL_set_tlsext_host_name(ssl, "a\n layer 7 \033[2J\r");
    BIO_onion_start_tls(p.a.bio, ssl, NULL, 0);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, 0, 1), NULL, 0);
    peers_handshake(&p);
    ck_assert_int_eq(drawing(p.b.bio, text, sizeof(text)),
                     drawing(p.a.bio, text, sizeof(text)));
}
END_TEST

START_TEST(print_says_when_out_took_less)
{
    BIO *out = BIO_new_mem_buf("read only", 9);

    peers_dive(&p, 1);
    ck_assert_int_eq(BIO_onion_print(out, p.a.bio), 0);
    BIO_free(out);
    ERR_clear_error();
}
END_TEST

/*
 * Lines
 */

/* _i: depth */
START_TEST(gets_gives_a_line_with_its_newline)
{
    char line[100];

    peers_dive(&p, _i);
    ck_assert_int_eq(BIO_puts(p.a.bio, "one\n\ntwo\nthr"), 12);
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 4);
    ck_assert_str_eq(line, "one\n");
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 1);
    ck_assert_str_eq(line, "\n");
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 4);
    ck_assert_str_eq(line, "two\n");
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 3);
    ck_assert_str_eq(line, "thr");
    test_retried(p.b.bio, BIO_gets(p.b.bio, line, sizeof(line)));
}
END_TEST

START_TEST(gets_gives_what_fits_and_loses_nothing)
{
    char line[5];

    peers_dive(&p, _i);
    BIO_puts(p.a.bio, "abcdefgh\nij\n");
    ck_assert_int_eq(BIO_gets(p.b.bio, line, 5), 4);
    ck_assert_str_eq(line, "abcd");
    ck_assert_int_eq(BIO_gets(p.b.bio, line, 5), 4);
    ck_assert_str_eq(line, "efgh");
    ck_assert_int_eq(BIO_gets(p.b.bio, line, 5), 1);
    ck_assert_str_eq(line, "\n");
    ck_assert_int_eq(BIO_gets(p.b.bio, line, 5), 3);
    ck_assert_str_eq(line, "ij\n");
}
END_TEST

START_TEST(gets_takes_no_byte_from_behind_the_newline)
{
    char line[100];

    peers_dive(&p, _i);
    BIO_puts(p.a.bio, "START\n");
    BIO_onion_start_tls(p.a.bio, fresh_client(_i + 1), NULL, 0);
    BIO_do_handshake(p.a.bio);
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 6);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, 0, _i + 1), NULL, 0);
    peers_handshake(&p);
    peers_talk(&p);
}
END_TEST

START_TEST(gets_leaves_the_rest_to_read)
{
    char line[100];

    peers_dive(&p, _i);
    BIO_puts(p.a.bio, "line\nrest");
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 5);
    peer_expect(&p, &p.b, "rest", 4, _i);
}
END_TEST

START_TEST(gets_joins_a_line_of_many_records)
{
    char line[100];
    int i;

    peers_dive(&p, _i);
    for (i = 0; i < 10; i++)
        BIO_write(p.a.bio, "abc", 3);
    BIO_write(p.a.bio, "\n", 1);
    ck_assert_int_eq(BIO_gets(p.b.bio, line, sizeof(line)), 31);
    ck_assert_str_eq(line, "abcabcabcabcabcabcabcabcabcabc\n");
}
END_TEST

START_TEST(puts_of_nothing_is_0)
{
    peers_dive(&p, _i);
    ck_assert_int_eq(BIO_puts(p.a.bio, ""), 0);
    ck_assert_int_eq(BIO_puts(p.a.bio, "x"), 1);
    peer_expect(&p, &p.b, "x", 1, _i);
}
END_TEST

/*
 * Pending
 */

START_TEST(pending_is_what_a_read_can_deliver)
{
    char in[10];

    peers_dive(&p, _i);
    ck_assert_int_eq((int)BIO_pending(p.b.bio), 0);
    BIO_write(p.a.bio, "0123456789", 10);
    ck_assert_int_eq(BIO_read(p.b.bio, in, 3), 3);
    ck_assert_int_eq((int)BIO_pending(p.b.bio), 7);
    ck_assert_int_eq(BIO_read(p.b.bio, in, 10), 7);
    ck_assert_int_eq((int)BIO_pending(p.b.bio), 0);
    test_no_error();
}
END_TEST

/* A poll() on the socket would sleep with the second record in a buffer. */
START_TEST(pending_sees_the_next_record_that_was_read_along)
{
    char in[10];
    int i;

    peers_dive(&p, _i);
    BIO_write(p.a.bio, "one", 3);
    BIO_write(p.a.bio, "two", 3);
    BIO_write(p.a.bio, "three", 5);
    ck_assert_int_eq(BIO_read(p.b.bio, in, 3), 3);
    for (i = 0; i < 2; i++) {
        ck_assert(BIO_pending(p.b.bio) > 0
                  || BIO_pending(lowest(p.b.bio)) > 0);
        ck_assert_int_gt(BIO_read(p.b.bio, in, 10), 0);
    }
    ck_assert_int_eq((int)BIO_pending(p.b.bio), 0);
}
END_TEST

START_TEST(pending_does_not_count_half_a_record)
{
    struct tap_side *in;
    char c;

    peers_dive(&p, _i);
    in = &tap_of(p.b.tap)->in;
    BIO_write(p.a.bio, "0123456789", 10);
    in->limit = in->len + 12;
    test_retried(p.b.bio, BIO_read(p.b.bio, &c, 1));
    ck_assert_int_eq((int)BIO_pending(p.b.bio), 0);
    test_no_error();
    tap_release(in);
    peer_expect(&p, &p.b, "0123456789", 10, _i);
}
END_TEST

START_TEST(pending_is_1_at_a_boundary)
{
    char in[10];

    peers_dive(&p, _i);
    BIO_write(p.a.bio, "last", 4);
    peer_stop(&p, &p.a, _i - 1);
    BIO_write(p.a.bio, "first", 5);
    ck_assert_int_eq(BIO_read(p.b.bio, in, 3), 3);
    ck_assert_int_eq((int)BIO_pending(p.b.bio), 1);
    ck_assert_int_eq(BIO_read(p.b.bio, in, 10), 1);
    ck_assert(BIO_pending(p.b.bio) == 1 || BIO_pending(lowest(p.b.bio)) > 0);
    test_depths(p.b.bio, _i, _i);
    ck_assert_int_eq(BIO_read(p.b.bio, in, 10), 0);
    test_depths(p.b.bio, _i - 1, _i);
    ck_assert_int_eq(BIO_read(p.b.bio, in, 10), 5);
}
END_TEST

START_TEST(pending_is_1_after_a_failure)
{
    char c;

    peers_dive(&p, _i);
    tap_slip(p.b.tap, "not a record of TLS", 19);
    test_failed_at(p.b.bio, BIO_read(p.b.bio, &c, 1), 0, 1);
    ck_assert_int_eq((int)BIO_pending(p.b.bio), 1);
    test_no_error();
}
END_TEST

START_TEST(wpending_is_what_the_wire_holds)
{
    struct tap_side *out;
    size_t before;

    peers_dive(&p, _i);
    out = &tap_of(p.a.tap)->out;
    before = out->len;
    out->limit = out->len + 3;
    test_retried(p.a.bio, BIO_write(p.a.bio, "0123456789", 10));
    ck_assert(BIO_should_write(p.a.bio));
    ck_assert_uint_eq((size_t)BIO_wpending(p.a.bio),
                      10 - 3 + 22 * (size_t)_i);
    test_retried(p.a.bio, (int)BIO_flush(p.a.bio));
    tap_release(out);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    ck_assert_int_eq((int)BIO_wpending(p.a.bio), 0);
    ck_assert_int_eq(BIO_write(p.a.bio, "0123456789", 10), 10);
    ck_assert_uint_eq(out->len - before, 10 + 22 * (size_t)_i);
    peer_expect(&p, &p.b, "0123456789", 10, _i);
}
END_TEST

START_TEST(flush_with_nothing_to_do_is_done)
{
    peers_dive(&p, _i);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    ck_assert(!BIO_should_retry(p.a.bio));
    test_no_error();
}
END_TEST

/*
 * Freeing
 */

/* Frees a stack, but not its transport: that would drop what is in the pair. */
static BIO *free_but_the_transport(BIO **stack)
{
    BIO *transport = lowest(*stack);

    BIO_up_ref(transport);
    BIO_free_all(*stack);
    *stack = NULL;
    return transport;
}

START_TEST(a_reset_is_refused_with_a_reason)
{
    BIO *stack = BIO_new_onion_stack(BIO_new(BIO_s_mem()));

    ck_assert_int_eq(BIO_write(stack, "kept", 4), 4);
    test_stale_error();
    test_refused((int)BIO_reset(stack), ERR_R_UNSUPPORTED);
    ck_assert_int_eq((int)BIO_pending(stack), 4);
    BIO_free_all(stack);
}
END_TEST

START_TEST(free_closes_each_layer_from_the_inside)
{
    BIO *transport;
    int i;

    peers_dive(&p, _i);
    BIO_write(p.a.bio, "bye", 3);
    transport = free_but_the_transport(&p.a.bio);
    test_no_error();
    p.b.ask = 1000;
    peer_pump(&p.b);
    for (i = 0; i < _i; i++)
        peer_pump(&p.b);
    ck_assert_uint_eq(p.b.tail, 3 + (size_t)_i);
    for (i = 0; i < _i; i++)
        ck_assert_uint_eq(p.b.box[3 + i], 0x100U | (unsigned)(_i - i) << 9);
    peer_expect(&p, &p.b, "bye", 3, _i);
    p.b.head = p.b.tail;
    peer_expect_retry(&p.b);
    BIO_free(transport);
}
END_TEST

START_TEST(free_does_not_wait_for_a_transport_that_is_full)
{
    BIO *transport;

    peers_dive(&p, 3);
    tap_hold(&tap_of(p.a.tap)->out);
    if (_i)
        test_retried(p.a.bio, BIO_write(p.a.bio, "x", 1));
    transport = free_but_the_transport(&p.a.bio);
    test_no_error();
    peer_expect_retry(&p.b);
    BIO_free(transport);
}
END_TEST

START_TEST(free_in_a_handshake_leaves_no_error)
{
    BIO *transport;
    int i;

    peers_dive(&p, 1);
    peers_start(&p);
    for (i = 0; i < _i; i++)
        BIO_do_handshake(i % 2 == 0 ? p.a.bio : p.b.bio);
    ERR_clear_error();
    transport = free_but_the_transport(&p.a.bio);
    test_no_error();
    BIO_free(transport);
}
END_TEST

START_TEST(free_while_a_stop_is_under_way_closes_nothing_twice)
{
    BIO *transport;

    peers_dive(&p, 2);
    peer_stop(&p, &p.a, 1);
    transport = free_but_the_transport(&p.a.bio);
    test_no_error();
    peer_expect_boundary(&p, &p.b, 2);
    peer_expect_boundary(&p, &p.b, 1);
    peer_expect_retry(&p.b);
    BIO_free(transport);
}
END_TEST

static void starts(Suite *s)
{
    TCase *tc = test_case(s, "any pair");

    test_loop(tc, layers_start_and_stop_one_by_one_at_any_depth,
              0, 4 * TEST_SHAPES);
    test_loop(tc,
              a_layer_starts_before_the_one_below_has_shaken_hands,
              0, TEST_SHAPES);
    tc = test_case(s, "start");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, each_layer_has_a_client_of_its_own);
    tcase_add_test(tc, a_layer_can_be_started_again_after_a_stop);
    tcase_add_test(tc, start_puts_nothing_on_the_wire);
    tcase_add_test(tc, reads_and_writes_shake_hands_by_themselves);
    tcase_add_test(tc, in_the_clear_there_are_no_hands_to_shake);
    tcase_add_test(tc, a_stack_may_be_built_by_push);
    tcase_add_test(tc, a_stack_over_nothing_says_so);
    tcase_add_test(tc, a_stack_that_lost_its_transport_says_so);
    tcase_add_test(tc, a_chain_with_a_stack_in_it_will_do);
    test_loop(tc, unread_bytes_go_to_the_handshake, 0, 18);
    tcase_add_test(tc, unread_bytes_never_come_back_as_text);
    tcase_add_test(tc, unread_bytes_come_before_those_on_the_way);
}

static void refusals(Suite *s)
{
    TCase *tc = test_case(s, "refused");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, start_is_refused_past_the_maximum_depth);
    tcase_add_test(tc, start_is_refused_while_the_depths_differ);
    test_loop(tc, start_is_refused_while_a_write_is_half_done, 0, 3);
    tcase_add_test(tc, start_is_refused_on_a_failed_stack);
    tcase_add_test(tc, start_is_refused_for_an_ssl_that_is_not_fresh);
    tcase_add_test(tc, an_ssl_in_neither_state_fails_in_its_handshake);
    tcase_add_test(tc, start_is_refused_for_datagrams);
    tcase_add_test(tc, start_and_stop_want_a_stack);
    tcase_add_test(tc, stop_in_the_clear_has_nothing_to_do);
    tcase_add_test(tc, stop_and_drop_refuse_a_negative_depth);
    tcase_add_test(tc, limits_have_a_range);
    tcase_add_test(tc, stop_and_drop_below_the_minimum_are_refused);
    tcase_add_test(tc, a_flag_that_is_not_known_is_refused);
    tcase_add_test(tc, the_short_starts_refuse_bad_arguments);
}

static void certificates(Suite *s)
{
    TCase *tc = test_case(s, "certificate");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    test_loop(tc, start_client_asks_for_the_name_and_checks_it,
              0, 6);
    test_loop(tc, start_client_refuses_another_name, 0, 6);
    test_loop(tc, start_client_refuses_an_untrusted_issuer, 0, 2);
    test_loop(tc, start_client_refuses_an_old_certificate, 0, 2);
    test_loop(tc, start_client_checks_an_address_and_does_not_send_it,
              0, 2);
    test_loop(tc, start_client_refuses_another_address, 0, 2);
    tcase_add_test(tc, start_client_leaves_the_context_as_it_was);
    test_loop(tc,
              a_client_certificate_is_asked_for_and_refused_per_layer,
              0, 3);
}

static void questions(Suite *s)
{
    TCase *tc = test_case(s, "question");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, get0_ssl_counts_from_the_outermost);
    tcase_add_test(tc, get_fd_is_that_of_the_transport);
    tcase_add_test(tc, the_callback_tells_of_start_and_handshake);
    test_loop(tc, the_callback_tells_of_each_close_and_removal,
              0, 2);
    tcase_add_test(tc, the_callback_tells_of_a_failure);
    tcase_add_test(tc, without_a_callback_all_goes_on);
    tcase_add_test(tc, print_draws_a_line_for_each_layer);
    tcase_add_test(tc, print_shows_which_directions_are_open);
    tcase_add_test(tc, print_tells_a_verified_peer_from_another);
    tcase_add_test(tc, print_shows_no_control_character_of_the_peer);
    tcase_add_test(tc, print_says_when_out_took_less);
}

static void io(Suite *s)
{
    TCase *tc = test_case(s, "io");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    test_loop(tc, gets_gives_a_line_with_its_newline, 0, 4);
    test_loop(tc, gets_gives_what_fits_and_loses_nothing, 0, 4);
    test_loop(tc, gets_takes_no_byte_from_behind_the_newline, 0, 4);
    test_loop(tc, gets_leaves_the_rest_to_read, 0, 4);
    test_loop(tc, gets_joins_a_line_of_many_records, 0, 4);
    test_loop(tc, puts_of_nothing_is_0, 0, 3);
    test_loop(tc, pending_is_what_a_read_can_deliver, 0, 4);
    test_loop(tc, pending_sees_the_next_record_that_was_read_along,
              1, 4);
    test_loop(tc, pending_does_not_count_half_a_record, 1, 4);
    test_loop(tc, pending_is_1_at_a_boundary, 1, 4);
    test_loop(tc, pending_is_1_after_a_failure, 1, 4);
    test_loop(tc, wpending_is_what_the_wire_holds, 0, 4);
    test_loop(tc, flush_with_nothing_to_do_is_done, 0, 3);
    tcase_add_test(tc, a_reset_is_refused_with_a_reason);
    test_loop(tc, free_closes_each_layer_from_the_inside, 1, 4);
    test_loop(tc, free_does_not_wait_for_a_transport_that_is_full,
              0, 2);
    test_loop(tc, free_in_a_handshake_leaves_no_error, 0, 5);
    tcase_add_test(tc, free_while_a_stop_is_under_way_closes_nothing_twice);
}

int main(void)
{
    Suite *s = suite_create("stack");

    starts(s);
    refusals(s);
    certificates(s);
    questions(s);
    io(s);
    return test_main(s);
}
