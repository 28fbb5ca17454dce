/*
 * test_failure.c - all that is not an orderly end: laws 7 to 9 of the design.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "util.h"

static struct peers p;

static int version_of(int i)
{
    return i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

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

/* The transport of a ends, or fails, before the next byte. */
static void end_of_a(enum tap_end end)
{
    struct tap_side *in = &tap_of(p.a.tap)->in;

    in->limit = in->len;
    in->end = end;
}

/*
 * The stack has failed: each call says so again, nothing is read or written,
 * and no depth changes. layer 0: whichever.
 */
static void stays_failed(BIO *stack, BIO *tap, int layer)
{
    int read_depth = BIO_onion_read_depth(stack);
    int write_depth = BIO_onion_write_depth(stack);
    size_t out = tap_of(tap)->out.len;
    char in[100];
    int i, reason = 0;

    for (i = 0; i < 3; i++) {
        test_failed(stack, BIO_read(stack, in, sizeof(in)), 0);
        test_failed(stack, BIO_write(stack, "SECRET", 6), 0);
        test_failed(stack, BIO_puts(stack, "SECRET"), 0);
        test_failed(stack, BIO_gets(stack, in, sizeof(in)), 0);
        test_failed(stack, (int)BIO_do_handshake(stack), 0);
        test_failed(stack, BIO_onion_stop_tls(stack, 0), 0);
        test_refused(BIO_onion_drop_tls(stack, 0), 0);
        ck_assert_int_eq((int)BIO_pending(stack), 1);
        test_no_error();
    }
    test_depths(stack, read_depth, write_depth);
    ck_assert_uint_eq(tap_of(tap)->out.len, out);
    ck_assert_int_gt(BIO_onion_failed_layer(stack, &reason), 0);
    ck_assert_int_ne(reason, 0);
    if (layer > 0) {
        ck_assert_int_eq(BIO_onion_failed_layer(stack, NULL), layer);
        test_failed_at(stack, BIO_read(stack, in, 1), reason, layer);
    }
}

/*
 * The end of the transport
 */

/* _i: version, client x depth 1 to 3 */
START_TEST(the_end_of_the_transport_is_a_truncation)
{
    int depth = 1 + _i / 4;
    size_t before;
    char in[20];

    dive(_i, depth);
    peer_send(&p, &p.b, "last words", 10);
    peer_expect(&p, &p.a, "last words", 10, depth);
    end_of_a(TAP_EOF);
    before = tap_of(p.a.tap)->out.len;
    test_failed(p.a.bio, BIO_read(p.a.bio, in, 20), ONION_R_TRUNCATED);
    ck_assert_uint_eq(tap_of(p.a.tap)->out.len, before);
    ck_assert_int_eq(BIO_eof(p.a.bio), 1);
    stays_failed(p.a.bio, p.a.tap, 0);
    done();
}
END_TEST

START_TEST(the_end_in_mid_record_is_a_truncation)
{
    int depth = 1 + _i / 4, i;
    char in[20];

    for (i = 1; i < 25; i += 4) {
        dive(_i, depth);
        peers_talk(&p);
        end_of_a(TAP_EOF);
        tap_of(p.a.tap)->in.limit += (size_t)i;
        peer_send(&p, &p.b, "last words", 10);
        test_failed(p.a.bio, BIO_read(p.a.bio, in, 20), ONION_R_TRUNCATED);
        stays_failed(p.a.bio, p.a.tap, 0);
        done();
    }
}
END_TEST

START_TEST(a_reset_is_a_failure_of_the_transport)
{
    int depth = _i / 4;
    char in[20];

    dive(_i, depth);
    peers_talk(&p);
    end_of_a(TAP_ERROR);
    test_failed(p.a.bio, BIO_read(p.a.bio, in, 20), ONION_R_TRANSPORT_FAILED);
    if (depth > 0)
        stays_failed(p.a.bio, p.a.tap, 0);
    done();
}
END_TEST

START_TEST(data_before_the_end_is_delivered)
{
    int depth = 1 + _i / 4;
    char in[20];

    dive(_i, depth);
    peer_send(&p, &p.b, "last words", 10);
    tap_of(p.a.tap)->in.limit = tap_of(p.b.tap)->out.len;
    tap_of(p.a.tap)->in.end = TAP_EOF;
    peer_expect(&p, &p.a, "last words", 10, depth);
    test_failed(p.a.bio, BIO_read(p.a.bio, in, 20), ONION_R_TRUNCATED);
    done();
}
END_TEST

START_TEST(the_end_in_a_handshake_is_a_failure)
{
    int before = _i / 4;

    dive(_i, before);
    peers_start(&p);
    BIO_do_handshake(p.a.bio);
    end_of_a(TAP_EOF);
    test_failed(p.a.bio, BIO_do_handshake(p.a.bio) == 1, ONION_R_TRUNCATED);
    stays_failed(p.a.bio, p.a.tap, 0);
    done();
}
END_TEST

/* Our own close changes nothing: the peer may have had more to say. */
START_TEST(the_end_after_our_close_is_a_truncation)
{
    char in[20];

    dive(_i, 1);
    peers_talk(&p);
    peer_stop(&p, &p.a, 0);
    end_of_a(TAP_EOF);
    test_failed_at(p.a.bio, BIO_read(p.a.bio, in, 20), ONION_R_TRUNCATED, 1);
    test_depths(p.a.bio, 1, 0);
    test_failed_at(p.a.bio, BIO_write(p.a.bio, "SECRET", 6), 0, 1);
    stays_failed(p.a.bio, p.a.tap, 1);
    done();
}
END_TEST

/* In the clear the end of the transport is none of TLS's business. */
START_TEST(the_end_in_the_clear_is_an_end)
{
    char in[20];
    int i;

    dive(_i, 0);
    end_of_a(TAP_EOF);
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(BIO_read(p.a.bio, in, 20), 0);
        ck_assert(!BIO_should_retry(p.a.bio));
        ck_assert_int_eq(BIO_eof(p.a.bio), 1);
        test_no_error();
    }
    ck_assert_int_eq(BIO_onion_failed_layer(p.a.bio, NULL), 0);
    ck_assert_int_eq(BIO_write(p.a.bio, "half-closed", 11), 11);
    done();
}
END_TEST

/* What b does, without care for what becomes of it. */
static void b_goes_on(int *step)
{
    BIO *b = p.b.bio;
    char in[100];

    switch (*step) {
    case 0:
        *step += BIO_do_handshake(b) == 1;
        break;
    case 1:
        *step += BIO_write(b, "inside", 6) == 6;
        break;
    case 2:
        *step += BIO_onion_stop_tls(b, 1) >= 0;
        break;
    case 3:
        *step += BIO_write(b, "middle", 6) == 6;
        break;
    case 4:
        *step += BIO_onion_stop_tls(b, 0) >= 0;
        break;
    case 5:
        *step += BIO_write(b, "clear", 5) == 5;
        break;
    default:
        BIO_read(b, in, sizeof(in));
    }
    ERR_clear_error();
}

/* Reads until it ends or fails; how many boundaries came, -1 for a failure. */
static int read_to_the_end(struct tap_side *in)
{
    int depth, ret, boundaries = 0, step = 0, rounds = 0;
    char data[100];

    for (;;) {
        depth = BIO_onion_read_depth(p.a.bio);
        ret = BIO_read(p.a.bio, data, sizeof(data));
        if (ret > 0)
            ck_assert_mem_eq(data, depth == 2 ? "inside" : depth == 1
                             ? "middle" : "clear", (size_t)ret);
        else if (ret == 0 && !BIO_eof(p.a.bio))
            boundaries++;
        else if (ret == 0)
            return boundaries;
        else if (!BIO_should_retry(p.a.bio))
            return -1;
        b_goes_on(&step);
        if (step == 6 && rounds++ > 10)
            in->limit = in->len;
        ck_assert_msg(rounds < 1000, "no progress");
    }
}

/*
 * _i: version, client x end. The stream is cut at many places: either a has
 * seen both boundaries, or it fails, and is then where it was.
 */
START_TEST(an_end_anywhere_is_never_taken_for_a_close)
{
    enum tap_end end = _i / 4 ? TAP_ERROR : TAP_EOF;
    struct tap_side *in;
    int cut, got = -1, cuts = 0;
    int each = test_times(60, 12), stride = test_times(11, 89);

    for (cut = 0; got < 0; cut += cut < each ? 1 : stride) {
        dive(_i, 0);
        peers_start(&p);
        peers_start(&p);
        in = &tap_of(p.a.tap)->in;
        in->limit = (size_t)cut;
        in->end = end;
        got = read_to_the_end(in);
        if (got < 0 && BIO_onion_read_depth(p.a.bio) > 0) {
            test_failed(p.a.bio, -1, end == TAP_EOF ? ONION_R_TRUNCATED
                                                    : ONION_R_TRANSPORT_FAILED);
            stays_failed(p.a.bio, p.a.tap, 0);
            ck_assert(!tap_saw(&tap_of(p.a.tap)->out, "SECRET"));
        } else if (got < 0) {
            /* A reset in the clear. */
            test_failed(p.a.bio, -1, ONION_R_TRANSPORT_FAILED);
            got = 2;
        } else {
            ck_assert_int_eq(got, 2);
        }
        cuts++;
        done();
    }
    ck_assert_int_gt(cuts, each);
}
END_TEST

START_TEST(a_transport_that_takes_no_more_is_a_failure)
{
    static const enum tap_end ends[] = { TAP_ERROR, TAP_ZERO };
    int i;

    dive(0, _i / 2);
    tap_of(p.a.tap)->out.limit = tap_of(p.a.tap)->out.len + 3;
    tap_of(p.a.tap)->out.end = ends[_i % 2];
    for (i = 0; i < 3; i++)
        test_failed(p.a.bio, BIO_write(p.a.bio, "SECRET", 6),
                    ONION_R_TRANSPORT_FAILED);
    test_depths(p.a.bio, _i / 2, _i / 2);
    done();
}
END_TEST

/*
 * A stock peer that does what it should not
 */

static struct stock s;
static BIO *stack, *tap;

static void stock_up(int i, int depth)
{
    stack = stock_pair(&s, 70000, &tap);
    while (depth-- > 0)
        stock_dive(&s, stack, version_of(i), i / 2 % 2);
    stock_write(&s, s.depth, "ready", 5);
    BIO_write(stack, "ready", 5);
    stock_expect(&s, s.depth, "ready");
}

/* Reads the first word, and then the failure of this layer. */
static void stock_failed(int reason, int layer)
{
    const char *text;
    char in[20];
    int n;

    ck_assert_int_eq(BIO_read(stack, in, 5), 5);
    n = BIO_read(stack, in, 20);
    /* OpenSSL 3.2 and later has that for a newest entry, which says nothing. */
    ERR_peek_last_error_data(&text, NULL);
    ck_assert_ptr_null(strstr(text, "record layer failure"));
    test_failed_at(stack, n, reason, layer);
    stays_failed(stack, tap, layer);
}

static void stock_down(void)
{
    BIO_free_all(stack);
    test_no_error();
    stock_free(&s);
}

/* _i: version, role x (inner depth 2, 3) */
START_TEST(a_close_of_the_layer_below_truncates_the_one_inside)
{
    int depth = 2 + _i / 4;

    stock_up(_i, depth);
    ck_assert_int_eq(SSL_shutdown(s.ssl[1]), 0);
    stock_failed(ONION_R_TRUNCATED, 2);
    test_depths(stack, depth, depth);
    stock_down();
}
END_TEST

/* Law 8: not even an alert, which the layer below would have to carry. */
START_TEST(a_layer_that_was_truncated_says_nothing_more)
{
    size_t before;
    char in[10];

    stock_up(_i, 2);
    BIO_read(stack, in, 5);
    before = tap_of(tap)->out.len;
    ck_assert_int_eq(SSL_shutdown(s.ssl[1]), 0);
    test_failed_at(stack, BIO_read(stack, in, 20), ONION_R_TRUNCATED, 2);
    ck_assert_uint_eq(tap_of(tap)->out.len, before);
    stock_down();
}
END_TEST

/* The close of the layer above has come, but not all of it. */
START_TEST(a_close_below_in_mid_record_truncates_too)
{
    static const unsigned char half[] = { 23, 3, 3, 0, 50, 1, 2, 3 };

    stock_up(_i, 2);
    stock_write(&s, 1, half, sizeof(half));
    ck_assert_int_eq(SSL_shutdown(s.ssl[1]), 0);
    stock_failed(ONION_R_TRUNCATED, 2);
    stock_down();
}
END_TEST

START_TEST(a_close_below_in_a_handshake_fails_the_one_inside)
{
    stock_up(_i, 1);
    BIO_read(stack, (char[5]) { 0 }, 5);
    BIO_onion_start_tls(stack, test_ssl(_i / 2 % 2, version_of(_i), 2),
                        NULL, 0);
    BIO_do_handshake(stack);
    ERR_clear_error();
    ck_assert_int_eq(SSL_shutdown(s.ssl[1]), 0);
    test_failed_at(stack, BIO_do_handshake(stack) == 1, ONION_R_TRUNCATED, 2);
    stays_failed(stack, tap, 2);
    stock_down();
}
END_TEST

START_TEST(a_close_below_after_our_own_close_truncates)
{
    char in[20];

    stock_up(_i, 2);
    BIO_read(stack, in, 5);
    ck_assert_int_eq(BIO_onion_stop_tls(stack, 1), 0);
    ck_assert_int_eq(SSL_shutdown(s.ssl[1]), 0);
    test_failed_at(stack, BIO_read(stack, in, 20), ONION_R_TRUNCATED, 2);
    test_depths(stack, 2, 1);
    stays_failed(stack, tap, 2);
    stock_down();
}
END_TEST

/* _i: version, role x layer 1, 2 */
START_TEST(a_bad_record_fails_its_layer)
{
    int layer = 1 + _i / 4;

    stock_up(_i, 2);
    stock_write(&s, layer - 1, "\x17\x03\x03\x00\x20"
                "01234567890123456789012345678901", 37);
    stock_failed(ONION_R_LAYER_FAILED, layer);
    stock_down();
}
END_TEST

START_TEST(text_where_a_record_should_be_fails_its_layer)
{
    int layer = 1 + _i / 4;

    stock_up(_i, 2);
    stock_write(&s, layer - 1, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    stock_failed(ONION_R_LAYER_FAILED, layer);
    stock_down();
}
END_TEST

/* The layer below is well, and what is said there is not for the one above. */
START_TEST(a_failed_layer_does_not_let_through_what_is_said_below)
{
    char in[20];
    int i;

    stock_up(_i, 2);
    stock_write(&s, 1, "not a record", 12);
    stock_write(&s, 1, "clear text of one", 17);
    ck_assert_int_eq(BIO_read(stack, in, 5), 5);
    for (i = 0; i < 5; i++)
        test_failed_at(stack, BIO_read(stack, in, 20), ONION_R_LAYER_FAILED,
                       2);
    test_failed_at(stack, BIO_write(stack, "SECRET", 6), ONION_R_LAYER_FAILED,
                   2);
    test_depths(stack, 2, 2);
    stock_down();
}
END_TEST

/* A bad record makes the stock peer's SSL say a fatal alert. */
static void stock_fatal_alert(int layer)
{
    BIO *mem = BIO_new(BIO_s_mem()), *old = SSL_get_rbio(s.ssl[layer]);
    char in[10];

    BIO_write(mem, "\x17\x03\x03\x00\x20"
              "01234567890123456789012345678901", 37);
    BIO_up_ref(old);
    SSL_set0_rbio(s.ssl[layer], mem);
    ck_assert_int_le(SSL_read(s.ssl[layer], in, sizeof(in)), 0);
    SSL_set0_rbio(s.ssl[layer], old);
    ERR_clear_error();
}

START_TEST(a_fatal_alert_is_a_failure_at_every_read)
{
    int layer = 1 + _i / 4;

    stock_up(_i, 2);
    stock_fatal_alert(layer);
    stock_failed(ONION_R_LAYER_FAILED, layer);
    stock_down();
}
END_TEST

START_TEST(our_alert_reaches_the_peer_and_nothing_after_it)
{
    int layer = 1 + _i / 4;
    char in[10];

    stock_up(_i, 2);
    stock_write(&s, layer - 1, "not a record", 12);
    stock_failed(ONION_R_LAYER_FAILED, layer);
    ck_assert_int_lt(SSL_read(s.ssl[layer], in, sizeof(in)), 1);
    ck_assert_int_eq(ERR_GET_LIB(ERR_peek_error()), ERR_LIB_SSL);
    ck_assert_int_gt(ERR_GET_REASON(ERR_peek_error()),
                     SSL_AD_REASON_OFFSET);
    ERR_clear_error();
    stock_down();
}
END_TEST

/* _i: version, role. The layer that is sound says good-bye, the other not. */
START_TEST(freeing_closes_what_is_sound_below_a_failure)
{
    char in[10];
    size_t before;

    stock_up(_i, 2);
    stock_write(&s, 1, "not a record", 12);
    stock_failed(ONION_R_LAYER_FAILED, 2);
    before = tap_of(tap)->out.len;
    BIO_up_ref(tap);
    BIO_free_all(stack);
    ck_assert_int_eq(tap_records(&tap_of(tap)->out, before), 1);
    while (SSL_read(s.ssl[1], in, sizeof(in)) > 0)
        ;
    ERR_clear_error();
    ck_assert_int_eq(SSL_get_shutdown(s.ssl[1]), SSL_RECEIVED_SHUTDOWN);
    BIO_free_all(tap);
    stock_free(&s);
}
END_TEST

START_TEST(freeing_writes_nothing_through_a_failed_layer)
{
    size_t before;

    stock_up(_i, 2);
    stock_write(&s, 0, "not a record", 12);
    stock_failed(ONION_R_LAYER_FAILED, 1);
    before = tap_of(tap)->out.len;
    BIO_up_ref(tap);
    BIO_free_all(stack);
    ck_assert_uint_eq(tap_of(tap)->out.len, before);
    BIO_free_all(tap);
    stock_free(&s);
}
END_TEST

/*
 * Forged alerts
 */

/* _i: version, role x close or fatal x layer 1 or 2 */
START_TEST(a_forged_alert_before_the_handshake_is_no_close)
{
    const unsigned char *alert = _i / 4 % 2 ? test_forged_fatal
                                            : test_forged_close;
    int layer = 1 + _i / 8;

    stack = stock_pair(&s, 70000, &tap);
    if (layer == 2)
        stock_dive(&s, stack, version_of(_i), _i / 2 % 2);
    BIO_onion_start_tls(stack, test_ssl(_i / 2 % 2, version_of(_i), layer),
                        NULL, 0);
    BIO_do_handshake(stack);
    ERR_clear_error();
    stock_write(&s, layer - 1, alert, 7);
    test_failed_at(stack, BIO_do_handshake(stack) == 1,
                   ONION_R_HANDSHAKE_FAILED, layer);
    test_depths(stack, layer, layer);
    stays_failed(stack, tap, layer);
    stock_down();
}
END_TEST

START_TEST(a_forged_alert_read_with_bio_read_is_no_boundary)
{
    char in[10];

    stack = stock_pair(&s, 70000, &tap);
    BIO_onion_start_tls(stack, test_ssl(_i / 2 % 2, version_of(_i), 1),
                        NULL, 0);
    test_retried(stack, BIO_read(stack, in, sizeof(in)));
    stock_write(&s, 0, test_forged_close, 7);
    test_failed_at(stack, BIO_read(stack, in, sizeof(in)),
                   ONION_R_HANDSHAKE_FAILED, 1);
    stays_failed(stack, tap, 1);
    stock_down();
}
END_TEST

/* Shakes hands until a holds at its limit. */
static void shake_to_the_limit(void)
{
    int i;

    for (i = 0; i < 10; i++) {
        BIO_do_handshake(p.a.bio);
        BIO_do_handshake(p.b.bio);
    }
    ERR_clear_error();
}

/*
 * _i: version, client. The forged close comes at many places of the stream.
 * Where it comes after the handshake, the next record shows it.
 */
START_TEST(a_forged_close_anywhere_is_never_a_boundary)
{
    struct tap_side *in;
    size_t cut;
    char data[100];
    int ret, rounds;

    for (cut = 0; cut < 1500; cut += (size_t)test_times(17, 101)) {
        dive(_i, 0);
        peers_start(&p);
        in = &tap_of(p.a.tap)->in;
        in->limit = cut;
        shake_to_the_limit();
        tap_slip(p.a.tap, test_forged_close, 7);
        tap_release(in);
        shake_to_the_limit();
        for (rounds = 0; rounds < 10; rounds++) {
            ret = BIO_read(p.a.bio, data, sizeof(data));
            ck_assert_int_lt(ret, 0);
            BIO_write(p.b.bio, "text", 4);
            BIO_read(p.b.bio, data, sizeof(data));
        }
        /* In mid-record it may have made a length: then a waits for more. */
        end_of_a(TAP_EOF);
        ck_assert_int_eq(BIO_read(p.a.bio, data, 1), -1);
        test_failed(p.a.bio, -1, 0);
        test_depths(p.a.bio, 1, 1);
        stays_failed(p.a.bio, p.a.tap, 1);
        done();
    }
}
END_TEST

/*
 * A handshake that is refused
 */

/* _i: version x layer */
START_TEST(a_refused_certificate_fails_its_layer_at_both_ends)
{
    int layer = 1 + _i / 2, a, b, rounds = 0;
    char in[10];

    dive(_i % 2, layer - 1);
    BIO_onion_start_client(p.a.bio, test_client_ctx(0, 1), "other.test");
    BIO_onion_start_tls(p.b.bio, test_ssl(0, p.version, layer), NULL, 0);
    do {
        BIO_do_handshake(p.a.bio);
        if (BIO_should_retry(p.a.bio))
            BIO_do_handshake(p.b.bio);
        ck_assert_msg(rounds++ < 100, "no progress");
    } while (BIO_should_retry(p.a.bio));
    a = (int)BIO_do_handshake(p.a.bio);
    test_failed_at(p.a.bio, a, ONION_R_CERTIFICATE_REFUSED, layer);
    stays_failed(p.a.bio, p.a.tap, layer);
    b = BIO_read(p.b.bio, in, sizeof(in));
    test_failed_at(p.b.bio, b, 0, layer);
    stays_failed(p.b.bio, p.b.tap, layer);
    done();
}
END_TEST

START_TEST(peers_that_share_no_version_fail)
{
    int rounds = 0, a;

    peers_new(&p, 70000, 0);
    BIO_onion_start_tls(p.a.bio, test_ssl(1, TLS1_2_VERSION, 1), NULL, 0);
    BIO_onion_start_tls(p.b.bio, test_ssl(0, TLS1_3_VERSION, 1), NULL, 0);
    do {
        a = (int)BIO_do_handshake(p.a.bio);
        ck_assert_msg(rounds++ < 100, "no progress");
        if (BIO_should_retry(p.a.bio))
            BIO_do_handshake(p.b.bio);
    } while (BIO_should_retry(p.a.bio));
    test_failed_at(p.a.bio, a == 1, 0, 1);
    test_failed_at(p.b.bio, BIO_do_handshake(p.b.bio) == 1,
                   ONION_R_HANDSHAKE_FAILED, 1);
    done();
}
END_TEST

START_TEST(a_peer_that_is_not_tls_fails_the_handshake)
{
    int times = 1;

    stack = stock_pair(&s, 70000, &tap);
    BIO_onion_start_tls(stack, test_ssl(_i, 0, 1), NULL, 0);
    /* OpenSSL 3.5 waits for as much as that seems to announce. */
    if (OpenSSL_version_num() >= 0x30200000L)
        times = 400;
    for (; times > 0; times--)
        stock_write(&s, 0, "220 mail.test ESMTP ready\r\n", 27);
    test_failed_at(stack, BIO_do_handshake(stack) == 1,
                   ONION_R_HANDSHAKE_FAILED, 1);
    stays_failed(stack, tap, 1);
    stock_down();
}
END_TEST

/* That is all that the client says before it waits for an answer. */
START_TEST(a_request_in_the_clear_fails_the_handshake_and_is_named)
{
    const char *data = "";
    int flags;

    stack = stock_pair(&s, 70000, &tap);
    BIO_onion_start_tls(stack, test_ssl(0, 0, 1), NULL, 0);
    stock_write(&s, 0, "GET / HTTP/1.0\r\n\r\n", 18);
    ck_assert_int_le((int)BIO_do_handshake(stack), 0);
    ERR_peek_last_error_data(&data, &flags);
    ck_assert_ptr_nonnull(strstr(data, "http request"));
    test_failed_at(stack, BIO_do_handshake(stack) == 1,
                   ONION_R_HANDSHAKE_FAILED, 1);
    stays_failed(stack, tap, 1);
    stock_down();
}
END_TEST

/*
 * The error queue
 */

/* _i: depth. A stale entry before each call, none after it. */
START_TEST(a_stale_entry_changes_no_result)
{
    char in[20];

    dive(0, _i);
    test_stale_error();
    test_retried(p.a.bio, BIO_read(p.a.bio, in, sizeof(in)));
    test_stale_error();
    ck_assert_int_eq(BIO_write(p.a.bio, "abc", 3), 3);
    test_no_error();
    test_stale_error();
    ck_assert_int_eq(BIO_read(p.b.bio, in, sizeof(in)), 3);
    test_no_error();
    test_stale_error();
    test_retried(p.a.bio, BIO_gets(p.a.bio, in, sizeof(in)));
    test_stale_error();
    ck_assert_int_eq(BIO_puts(p.a.bio, "abc"), 3);
    test_no_error();
    test_stale_error();
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    test_no_error();
    test_stale_error();
    ck_assert_int_eq((int)BIO_do_handshake(p.a.bio), 1);
    test_no_error();
    done();
}
END_TEST

START_TEST(a_stale_entry_changes_no_start_or_stop)
{
    SSL *ssl = test_ssl(1, version_of(_i), 2);

    dive(_i, 1);
    test_stale_error();
    ck_assert_int_eq(BIO_onion_start_tls(p.a.bio, ssl, NULL, 0), 1);
    test_no_error();
    BIO_onion_start_tls(p.b.bio, test_ssl(0, version_of(_i), 2), NULL, 0);
    test_stale_error();
    test_retried(p.a.bio, (int)BIO_do_handshake(p.a.bio));
    peers_handshake(&p);
    test_stale_error();
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 1), 0);
    test_no_error();
    peer_expect_boundary(&p, &p.b, 2);
    test_stale_error();
    ck_assert_int_eq(BIO_onion_stop_tls(p.b.bio, 1), 1);
    test_no_error();
    test_stale_error();
    ck_assert_int_eq(BIO_read(p.a.bio, &(char) { 0 }, 1), 0);
    test_no_error();
    test_depths(p.a.bio, 1, 1);
    test_stale_error();
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, 0), 1);
    test_no_error();
    test_stale_error();
    BIO_free_all(p.a.bio);
    p.a.bio = NULL;
    ERR_clear_error();
    done();
}
END_TEST

/* Errors that what lies below leaves behind on success are not ours. */
/* Only what the peer has sent ends a layer, not what a program has set. */
START_TEST(a_close_that_is_set_by_hand_is_no_boundary)
{
    char c;

    dive(_i, 1 + _i);
    SSL_set_shutdown(BIO_onion_get0_ssl(p.a.bio, 1 + _i),
                     SSL_RECEIVED_SHUTDOWN);
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &c, 1), ONION_R_LAYER_FAILED,
                   1 + _i);
    test_depths(p.a.bio, 1 + _i, 1 + _i);
    test_failed(p.a.bio, BIO_write(p.a.bio, "secret", 6), 0);
    done();
}
END_TEST

/* What another connection has left, and was never printed. */
static void leave_reason(int lib, int reason)
{
    ERR_clear_error();
    ERR_raise(lib, reason);
}

/* A layer alone, shaking hands with another over a tap. */
struct pair {
    BIO *layer, *cut, *peer;
};

static struct pair pair_new(void)
{
    struct pair t = { BIO_new(BIO_f_onion()), tap_new(),
                      BIO_new(BIO_f_onion()) };
    BIO *half, *other;

    ck_assert(BIO_new_bio_pair(&half, 0, &other, 0));
    BIO_push(BIO_push(t.layer, t.cut), half);
    BIO_push(t.peer, other);
    BIO_set_ssl(t.layer, test_ssl(1, TLS1_2_VERSION, 1), BIO_CLOSE);
    BIO_set_ssl(t.peer, test_ssl(0, TLS1_2_VERSION, 1), BIO_CLOSE);
    return t;
}

static void pair_shake(struct pair *t)
{
    while (BIO_do_handshake(t->layer) != 1) {
        ck_assert(BIO_should_retry(t->layer));
        ck_assert(BIO_do_handshake(t->peer) == 1 || BIO_should_retry(t->peer));
    }
}

static void pair_free(struct pair *t)
{
    BIO_free_all(t->layer);
    BIO_free_all(t->peer);
    test_no_error();
}

/* A layer alone does not empty the queue first, so it must know what is new. */
START_TEST(a_stale_reason_is_not_taken_for_this_one)
{
    struct pair t = pair_new();
    const char *text;
    char c;

    pair_shake(&t);
    tap_hold(&tap_of(t.cut)->in);
    tap_of(t.cut)->in.end = TAP_ERROR;
    errno = EACCES;
    if (_i == 0)
        leave_reason(BIO_onion_error_library(), ONION_R_CERTIFICATE_REFUSED);
    else
        leave_reason(ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING);
    ck_assert_int_eq(BIO_read(t.layer, &c, 1), -1);
    ERR_peek_last_error_data(&text, NULL);
    ck_assert_ptr_null(strstr(text, strerror(EACCES)));
    test_failed_at(t.layer, -1, ONION_R_TRANSPORT_FAILED, 1);
    pair_free(&t);
}
END_TEST

START_TEST(the_reason_of_a_transport_is_told)
{
    BIO *layer = BIO_push(BIO_new(BIO_f_onion()), BIO_new(BIO_s_socket()));
    const char *text;

    BIO_set_ssl(layer, test_ssl(1, TLS1_3_VERSION, 1), BIO_CLOSE);
    ck_assert_int_le((int)BIO_do_handshake(layer), 0);
    ERR_peek_last_error_data(&text, NULL);
    ck_assert_ptr_nonnull(strstr(text, "uninitialized"));
    test_failed_at(layer, -1, ONION_R_TRANSPORT_FAILED, 1);
    BIO_free_all(layer);
}
END_TEST

START_TEST(a_handshake_leaves_nothing_in_the_queue)
{
    struct pair t = pair_new();

    tap_of(t.cut)->litter = 1;
    pair_shake(&t);
    test_no_error();
    tap_of(t.cut)->litter = 0;
    pair_free(&t);
}
END_TEST

START_TEST(a_transport_that_litters_changes_nothing)
{
    peers_new(&p, 70000, version_of(_i));
    p.flip = _i / 2;
    tap_of(p.a.tap)->litter = tap_of(p.b.tap)->litter = 1;
    peers_talk(&p);
    peers_dive(&p, 3);
    peers_talk(&p);
    peers_rise(&p, &p.a, 0);
    tap_of(p.a.tap)->litter = tap_of(p.b.tap)->litter = 0;
    done();
}
END_TEST

START_TEST(the_newest_entry_is_ours_though_there_are_others)
{
    char in[10];

    dive(0, 2);
    test_stale_error();
    end_of_a(TAP_EOF);
    test_failed(p.a.bio, BIO_read(p.a.bio, in, 10), ONION_R_TRUNCATED);
    test_stale_error();
    test_failed(p.a.bio, BIO_write(p.a.bio, "x", 1), 0);
    test_stale_error();
    test_failed(p.a.bio, BIO_onion_stop_tls(p.a.bio, 1), 0);
    test_stale_error();
    test_refused(BIO_onion_drop_tls(p.a.bio, 1), 0);
    done();
}
END_TEST

START_TEST(reasons_have_words)
{
    char in[10];

    dive(0, 1);
    end_of_a(TAP_EOF);
    ck_assert_int_eq(BIO_read(p.a.bio, in, 10), -1);
    ck_assert_ptr_nonnull(ERR_lib_error_string(ERR_peek_last_error()));
    ck_assert_ptr_nonnull(ERR_reason_error_string(ERR_peek_last_error()));
    ERR_clear_error();
    ck_assert_int_eq(BIO_onion_error_library(), BIO_onion_error_library());
    ck_assert_int_ge(BIO_onion_error_library(), ERR_LIB_USER);
    done();
}
END_TEST

static void transports(Suite *suite)
{
    TCase *tc = test_case(suite, "end");

    test_loop(tc, the_end_of_the_transport_is_a_truncation, 0, 12);
    test_loop(tc, the_end_in_mid_record_is_a_truncation, 0, 8);
    test_loop(tc, a_reset_is_a_failure_of_the_transport, 0, 12);
    test_loop(tc, data_before_the_end_is_delivered, 0, 12);
    test_loop(tc, the_end_in_a_handshake_is_a_failure, 0, 12);
    test_loop(tc, the_end_after_our_close_is_a_truncation, 0, 4);
    test_loop(tc, the_end_in_the_clear_is_an_end, 0, 1);
    test_loop(tc, an_end_anywhere_is_never_taken_for_a_close, 0, 8);
    test_loop(tc, a_transport_that_takes_no_more_is_a_failure, 0, 6);
}

static void layers(Suite *suite)
{
    TCase *tc = test_case(suite, "layer");

    test_loop(tc,
              a_close_of_the_layer_below_truncates_the_one_inside,
              0, 8);
    test_loop(tc, a_layer_that_was_truncated_says_nothing_more,
              0, 4);
    test_loop(tc, a_close_below_in_mid_record_truncates_too, 0, 4);
    test_loop(tc, a_close_below_in_a_handshake_fails_the_one_inside,
              0, 4);
    test_loop(tc, a_close_below_after_our_own_close_truncates, 0, 4);
    test_loop(tc, a_bad_record_fails_its_layer, 0, 8);
    test_loop(tc, text_where_a_record_should_be_fails_its_layer,
              0, 8);
    test_loop(tc,
              a_failed_layer_does_not_let_through_what_is_said_below,
              0, 4);
    test_loop(tc, a_fatal_alert_is_a_failure_at_every_read, 0, 8);
    test_loop(tc, our_alert_reaches_the_peer_and_nothing_after_it,
              0, 8);
    test_loop(tc, freeing_closes_what_is_sound_below_a_failure,
              0, 4);
    test_loop(tc, freeing_writes_nothing_through_a_failed_layer,
              0, 4);
}

static void handshakes(Suite *suite)
{
    TCase *tc = test_case(suite, "handshake");

    test_loop(tc, a_forged_alert_before_the_handshake_is_no_close,
              0, 16);
    test_loop(tc, a_forged_alert_read_with_bio_read_is_no_boundary,
              0, 4);
    test_loop(tc, a_forged_close_anywhere_is_never_a_boundary, 0, 4);
    test_loop(tc,
              a_refused_certificate_fails_its_layer_at_both_ends,
              0, 6);
    tcase_add_test(tc, peers_that_share_no_version_fail);
    test_loop(tc, a_peer_that_is_not_tls_fails_the_handshake, 0, 2);
    tcase_add_test(tc, a_request_in_the_clear_fails_the_handshake_and_is_named);
}

static void queue(Suite *suite)
{
    TCase *tc = test_case(suite, "queue");

    test_loop(tc, a_stale_entry_changes_no_result, 0, 4);
    test_loop(tc, a_stale_entry_changes_no_start_or_stop, 0, 2);
    test_loop(tc, a_transport_that_litters_changes_nothing, 0, 4);
    test_loop(tc, a_stale_reason_is_not_taken_for_this_one, 0, 2);
    tcase_add_test(tc, the_reason_of_a_transport_is_told);
    tcase_add_test(tc, a_handshake_leaves_nothing_in_the_queue);
    test_loop(tc, a_close_that_is_set_by_hand_is_no_boundary, 0, 2);
    tcase_add_test(tc, the_newest_entry_is_ours_though_there_are_others);
    tcase_add_test(tc, reasons_have_words);
}

int main(void)
{
    Suite *suite = suite_create("failure");

    transports(suite);
    layers(suite);
    handshakes(suite);
    queue(suite);
    return test_main(suite);
}
