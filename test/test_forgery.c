/*
 * test_forgery.c - what an attacker says in the place of a peer, and what a
 * peer says that it should not.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Bytes are slipped into a stream from the transport by an attacker on the
 * network, and into one between two layers by the peer of the outer one: see
 * fault.h. In each conversation there is a tap below each layer, and what is
 * said inside the layer must not be in it: see talk.h.
 */

#include <stdio.h>
#include <string.h>
#include "fault.h"
#include "record.h"

static int version_of(int i)
{
    return i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

/*
 * Alerts that are not encrypted
 */

/* What is only a warning, or not even an alert, may have no effect. */
static const struct forged {
    const char *name;
    unsigned char bytes[16];
    size_t len;
    int may_pass;
} forgeries[] = {
    { "close_notify", { 21, 3, 3, 0, 2, 1, 0 }, 7, 0 },
    { "close_notify, TLS 1.0", { 21, 3, 1, 0, 2, 1, 0 }, 7, 0 },
    { "close_notify, fatal", { 21, 3, 3, 0, 2, 2, 0 }, 7, 0 },
    { "handshake_failure", { 21, 3, 3, 0, 2, 2, 40 }, 7, 0 },
    { "unknown alert, fatal", { 21, 3, 3, 0, 2, 2, 255 }, 7, 0 },
    { "two of close_notify", { 21, 3, 3, 0, 2, 1, 0, 21, 3, 3, 0, 2, 1, 0 },
      14, 0 },
    { "half an alert", { 21, 3, 3, 0, 1, 1 }, 6, 0 },
    { "user_canceled", { 21, 3, 3, 0, 2, 1, 90 }, 7, 1 },
    { "no_renegotiation", { 21, 3, 3, 0, 2, 1, 100 }, 7, 1 },
};

#define FORGERIES (sizeof(forgeries) / sizeof(forgeries[0]))

static void slip_in(size_t n, size_t place, const struct forged *f,
                    struct fault_tally *tally)
{
    struct edit edit = { .kind = EDIT_INSERT, .at = place, .data = f->bytes,
                         .len = f->len };
    int stream = fault_stream_of(&edit.at);

    fault_must_fail(f->name, n, stream, edit, f->may_pass, tally);
}

START_TEST(an_alert_in_the_clear_at_any_byte_ends_no_layer)
{
    struct fault_tally tally = { 0 };
    struct sweep s;

    fault_prepare(_i);
    sweep_start(&s, fault_bytes() * FORGERIES, 200);
    while (sweep_next(&s))
        slip_in(s.at, s.at / FORGERIES, &forgeries[s.at % FORGERIES], &tally);
    fault_report(&s, "alert in the clear at any byte", &tally);
    fault_forget();
}
END_TEST

/* The place in all streams of the n-th record of all. */
static size_t nth_boundary(size_t n)
{
    size_t before = 0;
    int i = 0;

    while (n >= fault_records_in(fault_stream(i))) {
        n -= fault_records_in(fault_stream(i));
        before += fault_stream(i++)->len;
    }
    return before + fault_nth_record(fault_stream(i), n);
}

START_TEST(an_alert_in_the_clear_between_any_records_ends_no_layer)
{
    struct fault_tally tally = { 0 };
    struct sweep s;
    size_t records = 0;
    int i;

    fault_prepare(_i);
    for (i = 0; i < FAULT_STREAMS; i++)
        records += fault_records_in(fault_stream(i));
    sweep_start(&s, records * FORGERIES, 150);
    while (sweep_next(&s))
        slip_in(s.at, nth_boundary(s.at / FORGERIES),
                &forgeries[s.at % FORGERIES], &tally);
    fault_report(&s, "alert in the clear between records", &tally);
    fault_forget();
}
END_TEST

/*
 * Injection around the start and the stop of a layer
 */

static const size_t sizes[] = { 0, 1, 11, 4096 };
static char injected[4096 + 1];

static void make_injection(void)
{
    size_t i;

    for (i = 0; i < 4096; i++)
        injected[i] = "INJECTED\n"[i % 9];
}

/* A place in a stream of a conversation, by its record. */
struct opening {
    const char *name;
    int layer;              /* which stream: from the transport, or inner */
    int record;             /* before that; -1: the last */
    int text;               /* a sentence in the clear precedes the records */
};

/* Where STARTTLS has been said and the handshake is to come; and where the
   close_notify is to come. */
static const struct opening openings[] = {
    { "behind STARTTLS, in the clear", 1, 0, 1 },
    { "behind STARTTLS, in layer 1", 2, 0, 0 },
    { "before close_notify, of layer 2", 2, -1, 0 },
    { "before close_notify, of layer 1", 1, -1, 1 },
};

static const char starttls_a[] = "s0h0+1s1h1+2s2h2-1b2s1h1-0b1";
static const char starttls_b[] = "h0s0+1h1s1+2h2s2b2-1h1s1b1-0";

#define CLEAR_TEXT strlen("CLEAR0 of a, number 00\n")

static size_t place_of(struct talk_side *s, const struct opening *o)
{
    struct tap_side *in = &tap_of(s->tap[o->layer])->in;
    size_t at = o->text ? CLEAR_TEXT : 0, next;

    if (o->record == 0)
        return at;
    for (;;) {
        next = at + 5 + (size_t)in->data[at + 3] * 256 + in->data[at + 4];
        if (next >= in->len)
            return at;
        at = next;
    }
}

static size_t find_place(int i, int to_b, const struct opening *o)
{
    struct talk t;
    size_t at;

    talk_new(&t, version_of(i), i / 2, starttls_a, starttls_b);
    ck_assert(talk_run(&t));
    at = place_of(to_b ? &t.b : &t.a, o);
    talk_free(&t);
    return at;
}

/* 1: the conversation went well. If it failed, then in the layer at hand. */
static int inject(int i, int to_b, const struct opening *o, size_t len)
{
    struct edit edit = { .kind = EDIT_INSERT, .data = injected, .len = len };
    struct talk_side *s;
    struct talk t;
    int passed;

    edit.at = find_place(i, to_b, o);
    talk_new(&t, version_of(i), i / 2, starttls_a, starttls_b);
    s = to_b ? &t.b : &t.a;
    snprintf(talk_what, sizeof(talk_what), "%zu bytes %s, to %c, case %d", len,
             o->name, s->name, i);
    t.end_at = o->layer;
    talk_edit(s, o->layer, edit);
    passed = talk_run(&t);
    if (!talk_edited(s, o->layer))
        talk_broken("the place was not reached", s);
    if (!passed && (!s->failed || s->layer != o->layer))
        talk_broken("another layer failed", s);
    talk_free(&t);
    return passed;
}

/* _i: version x who is the client */
START_TEST(bytes_injected_at_a_start_or_stop_are_never_read)
{
    int to_b, n = 0;
    size_t o, k;

    make_injection();
    talk_prepare(version_of(_i));
    for (to_b = 0; to_b < 2; to_b++)
        for (o = 0; o < sizeof(openings) / sizeof(openings[0]); o++)
            for (k = 0; k < 4; k++, n++)
                ck_assert_msg(inject(_i, to_b, &openings[o], sizes[k])
                              == (sizes[k] == 0), "%s: not as it should be",
                              talk_what);
    test_figure("injection: %d places and sizes, case %d: none was read", n,
                _i);
}
END_TEST

static struct stock s;
static BIO *stack, *tap;

/* The stock peer is the server where i / 2 is odd. */
static void stock_up(int i, int depth)
{
    stack = stock_pair(&s, 70000, &tap);
    while (depth-- > 0)
        stock_dive(&s, stack, version_of(i), i / 2 % 2);
}

static void stock_down(void)
{
    BIO_free_all(stack);
    test_no_error();
    stock_free(&s);
}

static void no_secret_below(void)
{
    ck_assert(!tap_saw(&tap_of(tap)->out, "SECRET"));
    ck_assert(!tap_saw(&tap_of(tap)->in, "SECRET"));
}

/* The handshake fails, and nothing of what it met is text. */
static void handshake_fails(int layer)
{
    char in[100];
    int i, ret;

    ret = (int)BIO_do_handshake(stack);
    test_failed_at(stack, ret == 1, 0, layer);
    for (i = 0; i < 3; i++)
        test_failed_at(stack, BIO_read(stack, in, sizeof(in)), 0, layer);
    test_failed_at(stack, BIO_write(stack, "SECRET", 6), 0, layer);
    no_secret_below();
}

/* What is too short for the head of a record fails when no more comes. */
static void end_of_stream(int depth)
{
    struct tap_side *in = &tap_of(tap)->in;

    test_retried(stack, (int)BIO_do_handshake(stack));
    if (depth > 0) {
        SSL_shutdown(s.ssl[depth]);
        return;
    }
    in->limit = in->len;
    in->end = TAP_EOF;
}

/*
 * _i: version x role x layer 1, 2 x size. The line and what is behind it come
 * in one segment or record; BIO_gets() leaves that, and it is not text.
 */
START_TEST(what_is_behind_a_line_is_for_the_handshake)
{
    int depth = _i / 4 % 2;
    size_t len = sizes[1 + _i / 8];
    char line[4200] = "STARTTLS\n", in[20];

    make_injection();
    memcpy(line + 9, injected, len);
    stock_up(_i, depth);
    stock_write(&s, depth, line, 9 + len);
    ck_assert_int_eq(BIO_gets(stack, in, sizeof(in)), 9);
    ck_assert_int_eq(BIO_onion_start_tls(stack,
                         test_ssl(_i / 2 % 2, version_of(_i), depth + 1),
                         NULL, 0), 1);
    if (len < 5)
        end_of_stream(depth);
    handshake_fails(depth + 1);
    stock_down();
}
END_TEST

/* The same bytes, which the application has read over, given as unread. */
START_TEST(what_was_read_over_is_for_the_handshake)
{
    int depth = _i / 4 % 2;
    size_t len = sizes[1 + _i / 8];

    make_injection();
    stock_up(_i, depth);
    ck_assert_int_eq(BIO_onion_start_tls(stack,
                         test_ssl(_i / 2 % 2, version_of(_i), depth + 1),
                         injected, len), 1);
    if (len < 5)
        end_of_stream(depth);
    handshake_fails(depth + 1);
    stock_down();
}
END_TEST

/* _i: version x role x layer 1, 2. They belong to the layer below, after the
   boundary, and are not opened any more. */
START_TEST(bytes_after_close_notify_are_of_the_layer_below)
{
    int depth = 1 + _i / 4, got = 0, ret, i;
    char in[500];

    stock_up(_i, depth);
    stock_write(&s, depth, "SECRET last", 11);
    ck_assert_int_eq(SSL_shutdown(s.ssl[depth]), 0);
    SSL_set_shutdown(s.ssl[depth], 0);
    for (i = 0; i < 3; i++)
        stock_write(&s, depth, "SECRET late", 11);
    ck_assert_int_eq(BIO_read(stack, in, sizeof(in)), 11);
    ck_assert_int_eq(BIO_read(stack, in, sizeof(in)), 0);
    test_depths(stack, depth - 1, depth);
    while ((ret = BIO_read(stack, in + got, (int)sizeof(in) - got)) > 0)
        got += ret;
    test_retried(stack, ret);
    ck_assert_int_gt(got, 3 * 11);
    ck_assert_int_eq(in[0], SSL3_RT_APPLICATION_DATA);
    in[got] = '\0';
    for (i = 0; i < got; i++)
        ck_assert_int_ne(strncmp(in + i, "SECRET", 6), 0);
    /* And what we say is still said inside. */
    ck_assert_int_eq(BIO_write(stack, "SECRET", 6), 6);
    no_secret_below();
    stock_down();
}
END_TEST

/* Without a stack nothing lies below for the application: it is the end. */
START_TEST(a_layer_alone_reads_nothing_after_close_notify)
{
    BIO *half, *layer = BIO_new(BIO_f_onion());
    char in[20];
    int i;

    memset(&s, 0, sizeof(s));
    ck_assert(BIO_new_bio_pair(&half, 70000, &s.io, 70000));
    BIO_push(layer, half);
    BIO_set_ssl(layer, test_ssl(_i / 2, version_of(_i), 1), BIO_CLOSE);
    stock_start(&s, test_ssl(!(_i / 2), version_of(_i), 1));
    for (i = 0; i < 10; i++) {
        BIO_do_handshake(layer);
        SSL_do_handshake(s.ssl[1]);
    }
    ERR_clear_error();
    SSL_shutdown(s.ssl[1]);
    SSL_set_shutdown(s.ssl[1], 0);
    stock_write(&s, 1, "late", 4);
    stock_write(&s, 0, "later", 5);
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(BIO_read(layer, in, sizeof(in)), 0);
        ck_assert(!BIO_should_retry(layer));
        ck_assert_int_eq(BIO_eof(layer), 1);
    }
    BIO_free_all(layer);
    test_no_error();
    stock_free(&s);
}
END_TEST

/*
 * Alerts that are encrypted
 */

/* _i: version x role */
static void stock_watched(int i)
{
    record_watch(test_server_ctx(version_of(i), test_name(1), 0));
    record_watch(test_client_ctx(version_of(i), 1));
    stock_up(i, 1);
}

static void stock_send(struct record_maker *m, int type, const char *content,
                       size_t len)
{
    unsigned char out[500];

    stock_write(&s, 0, out, record_make(m, type, content, len, out));
}

static void one_alert(int i, const char alert[2])
{
    struct record_maker m;
    char in[20];
    int ret;

    stock_watched(i);
    record_maker(&m, s.ssl[1], 0);
    stock_send(&m, SSL3_RT_APPLICATION_DATA, "first", 5);
    stock_send(&m, SSL3_RT_ALERT, alert, 2);
    stock_write(&s, 0, "clear", 5);
    ck_assert_int_eq(BIO_read(stack, in, sizeof(in)), 5);
    ret = BIO_read(stack, in, sizeof(in));
    if (alert[0] == 1 && alert[1] == 0) {
        ck_assert_int_eq(ret, 0);
        test_depths(stack, 0, 1);
    } else {
        /* What is behind a warning is no record, and fails too. */
        test_failed_at(stack, ret, ONION_R_LAYER_FAILED, 1);
        test_failed_at(stack, BIO_read(stack, in, 20), ONION_R_LAYER_FAILED,
                       1);
        test_depths(stack, 1, 1);
    }
    stock_down();
}

/* Each number, as a warning and as fatal; close_notify is the first of them. */
START_TEST(only_close_notify_among_the_alerts_is_a_boundary)
{
    struct sweep sweep;
    char alert[2];

    sweep_start(&sweep, 2 * 256, 60);
    while (sweep_next(&sweep)) {
        alert[0] = sweep.at < 256 ? 1 : 2;
        alert[1] = (char)sweep.at;
        one_alert(_i, alert);
    }
    sweep_report(&sweep, "encrypted alerts", "case %d", _i);
}
END_TEST

/* RFC 8446 section 6.1: the one that gives up says so, and closes then. */
START_TEST(user_canceled_is_followed_by_a_close)
{
    char in[20];
    struct record_maker m;

    stock_watched(_i);
    record_maker(&m, s.ssl[1], 0);
    stock_send(&m, SSL3_RT_ALERT, "\x01\x5a", 2);
    test_retried(stack, BIO_read(stack, in, sizeof(in)));
    test_depths(stack, 1, 1);
    stock_send(&m, SSL3_RT_ALERT, "\x01\x00", 2);
    ck_assert_int_eq(BIO_read(stack, in, sizeof(in)), 0);
    test_depths(stack, 0, 1);
    stock_down();
}
END_TEST

/*
 * An outer close under a live inner layer
 */

/* _i: version x role x layer 1, 2 of three x moment */
START_TEST(a_close_of_an_outer_layer_is_a_truncation_of_the_inner)
{
    int layer = 1 + _i / 4 % 2, moment = _i / 8, depth = 3;
    char in[20];

    stock_up(_i, 3);
    ck_assert_int_eq(BIO_write(stack, "SECRET", 6), 6);
    if (moment == 1) {
        ck_assert_int_eq(BIO_onion_stop_tls(stack, 2), 0);
    } else if (moment == 2) {
        BIO_onion_set_flags(stack, ONION_FOLLOW);
    } else if (moment == 3) {
        stock_write(&s, layer, "\x17\x03\x03", 3);
    } else if (moment == 4) {
        BIO_onion_start_tls(stack, test_ssl(_i / 2 % 2, version_of(_i), 4),
                            NULL, 0);
        depth = 4;
        test_retried(stack, BIO_read(stack, in, sizeof(in)));
    }
    SSL_shutdown(s.ssl[layer]);
    test_failed_at(stack, BIO_read(stack, in, sizeof(in)), ONION_R_TRUNCATED,
                   layer + 1);
    test_depths(stack, depth, moment == 1 ? 2 : depth);
    test_failed_at(stack, BIO_write(stack, "SECRET", 6), ONION_R_TRUNCATED,
                   layer + 1);
    no_secret_below();
    stock_down();
}
END_TEST

/*
 * Sessions of another layer or name
 */

static SSL_SESSION *session_of_layer_1(struct peers *p, SSL_CTX *server,
                                       SSL_CTX *client)
{
    BIO_onion_start_tls(p->a.bio, test_ssl_of(client, 1, "layer1.test"), NULL,
                        0);
    BIO_onion_start_server(p->b.bio, server);
    peers_handshake(p);
    peers_talk(p);
    return SSL_get1_session(BIO_onion_get0_ssl(p->a.bio, 1));
}

/* 1: layer 2 has shaken hands, having offered that session. */
static int second_layer(struct peers *p, SSL_CTX *server, SSL_SESSION *session,
                        const char *host)
{
    SSL *ssl = test_ssl_of(test_client_ctx(p->version, 1), 1, NULL);
    int rounds = 0, ret;

    if (strcmp(host, "127.0.0.1") == 0)
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    else
        X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), host, 0);
    SSL_set_session(ssl, session);
    BIO_onion_start_tls(p->a.bio, ssl, NULL, 0);
    BIO_onion_start_server(p->b.bio, server);
    do {
        ret = (int)BIO_do_handshake(p->a.bio);
        if (BIO_should_retry(p->a.bio))
            BIO_do_handshake(p->b.bio);
        ck_assert_msg(rounds++ < 100, "no progress");
    } while (BIO_should_retry(p->a.bio));
    return ret == 1;
}

/*
 * _i: version x what is wrong: nothing, the name, an address for a name, a
 * session that was made without a look at the certificate, a server that has
 * another place for the sessions of that layer.
 */
START_TEST(a_session_of_another_layer_or_name_is_not_taken_for_this)
{
    static const char *const hosts[] = { "layer1.test", "layer2.test",
                                         "127.0.0.1", "layer1.test",
                                         "layer2.test" };
    int wrong = _i / 2, version = version_of(_i), done;
    SSL_CTX *server = test_server_ctx(version, "layer1.test",
                                      wrong == 3 ? TEST_UNTRUSTED : 0);
    SSL_CTX *other = test_server_ctx(version, "layer2.test", 0);
    SSL_SESSION *session;
    struct peers p;

    SSL_CTX_set_session_id_context(other, (unsigned char *)"layer 2", 7);
    peers_new(&p, 70000, version);
    session = session_of_layer_1(&p, server,
                                 test_client_ctx(version, wrong != 3));
    done = second_layer(&p, wrong == 4 ? other : server, session,
                        hosts[wrong]);
    SSL_SESSION_free(session);
    if (wrong == 0 || wrong == 4) {
        /* The same layer's, or a new session after a full handshake. */
        ck_assert_int_eq(done, 1);
        ck_assert_int_eq(SSL_session_reused(BIO_onion_get0_ssl(p.a.bio, 2)),
                         wrong == 0);
    } else {
        ck_assert_int_eq(done, 0);
        test_failed_at(p.a.bio, BIO_write(p.a.bio, "SECRET", 6),
                       ONION_R_SESSION_MISMATCH, 2);
        ck_assert(!tap_saw(&tap_of(p.a.tap)->out, "SECRET"));
    }
    ERR_clear_error();
    peers_free(&p);
}
END_TEST

/*
 * What lies below claims to do TLS itself
 */

static const char three_a[] =
    "s0h0+1s1h1+2s2h2+3s3h3-1b3b2s1h1+2s2h2-0b2b1s0h0";
static const char three_b[] =
    "h0s0+1h1s1+2h2s2+3h3s3b3b2-1h1s1+2h2s2b2b1-0h0s0";

static void claim_ktls(struct talk_side *side)
{
    int i;

    for (i = 1; i <= TALK_LAYERS; i++)
        tap_of(side->tap[i])->ktls = 1;
}

/* Each transport and each layer below says yes to what OpenSSL asks. */
START_TEST(a_claim_of_ktls_from_below_is_not_believed)
{
    int version = version_of(_i), i;
    struct talk t;

    snprintf(talk_what, sizeof(talk_what), "kTLS, case %d", _i);
    talk_prepare(version);
    for (i = 1; i <= TALK_LAYERS; i++)
        SSL_CTX_set_options(test_server_ctx(version, test_name(i), 0),
                            SSL_OP_ENABLE_KTLS);
    SSL_CTX_set_options(test_client_ctx(version, 1), SSL_OP_ENABLE_KTLS);
    talk_new(&t, version, _i / 2, three_a, three_b);
    claim_ktls(&t.a);
    claim_ktls(&t.b);
    ck_assert_msg(talk_run(&t), "%s%s", t.a.error, t.b.error);
    talk_free(&t);
}
END_TEST

/* The taps under each layer, in a conversation where nothing is wrong. */
START_TEST(nothing_said_inside_a_layer_is_seen_below_it)
{
    struct talk t;
    size_t seen = 0;
    int i;

    snprintf(talk_what, sizeof(talk_what), "taps, case %d", _i);
    talk_prepare(version_of(_i));
    talk_new(&t, version_of(_i), _i / 2, three_a, three_b);
    ck_assert_msg(talk_run(&t), "%s%s", t.a.error, t.b.error);
    for (i = 1; i <= TALK_LAYERS; i++) {
        ck_assert_uint_gt(tap_of(t.a.tap[i])->in.len, 1000 - 500 * _i / 2);
        seen += tap_of(t.a.tap[i])->in.len + tap_of(t.a.tap[i])->out.len;
    }
    /* The taps do see what passes: in the clear it is there. */
    ck_assert(tap_saw(&tap_of(t.a.tap[1])->out, "CLEAR0 of a"));
    ck_assert(tap_saw(&tap_of(t.a.tap[1])->in, "CLEAR0 of b"));
    test_figure("taps: %zu bytes below three layers, no secret", seen);
    talk_free(&t);
}
END_TEST

static void forgery(Suite *suite)
{
    TCase *tc = test_case(suite, "alert");

    sweep_timeout(tc);
    tcase_add_loop_test(tc, an_alert_in_the_clear_at_any_byte_ends_no_layer,
                        0, 4);
    tcase_add_loop_test(tc,
                        an_alert_in_the_clear_between_any_records_ends_no_layer,
                        0, 4);
    tcase_add_loop_test(tc, only_close_notify_among_the_alerts_is_a_boundary,
                        0, 4);
    test_loop(tc, user_canceled_is_followed_by_a_close, 0, 4);
}

static void injection(Suite *suite)
{
    TCase *tc = test_case(suite, "injection");

    tcase_add_loop_test(tc, bytes_injected_at_a_start_or_stop_are_never_read,
                        0, 4);
    test_loop(tc, what_is_behind_a_line_is_for_the_handshake, 0, 24);
    test_loop(tc, what_was_read_over_is_for_the_handshake, 0, 24);
    test_loop(tc, bytes_after_close_notify_are_of_the_layer_below, 0, 8);
    test_loop(tc, a_layer_alone_reads_nothing_after_close_notify, 0, 4);
}

static void others(Suite *suite)
{
    TCase *tc = test_case(suite, "other");

    test_loop(tc, a_close_of_an_outer_layer_is_a_truncation_of_the_inner, 0,
              40);
    test_loop(tc, a_session_of_another_layer_or_name_is_not_taken_for_this,
              0, 10);
    test_loop(tc, a_claim_of_ktls_from_below_is_not_believed, 0, 4);
    test_loop(tc, nothing_said_inside_a_layer_is_seen_below_it, 0, 4);
}

int main(void)
{
    Suite *suite = suite_create("forgery");

    forgery(suite);
    injection(suite);
    others(suite);
    return test_main(suite);
}
