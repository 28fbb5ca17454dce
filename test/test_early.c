/*
 * test_early.c - early data: inner handshakes that do not wait for outer ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A client writes a request, a server reads it and replies. What an end writes
 * before it has to wait is a flight. The server has as many as there are round
 * trips until the reply, one more than there are before the request.
 */

#include <string.h>
#include "record.h"
#include "sweep.h"
#include "util.h"
#include "../bio_onion/onion_openssl.h"

#define PAIR (1024 * 1024)
#define MOST 8

static const int depths[] = { 1, 2, 3, 4, MOST };

#define DEPTHS ((int)(sizeof(depths) / sizeof(depths[0])))

/* How a layer is started, at either end. */
enum kind { RESUME, FULL, REJECT, FORGET, RETRY, NO_LIMIT };

struct run {
    int depth;
    size_t size;                    /* of the transport */
    enum kind kind[MOST + 1];
    unsigned long flags[2];         /* of a, the client, and b */
    unsigned swapped;               /* bit i: b is the client of layer i + 1 */
    const char *sni[MOST + 1];      /* asked for by the client; NULL: right */
    const char *alpn[MOST + 1];     /* offered by it, in the form of the wire */
    int age[MOST + 1];              /* seconds that are added to a session's */
    size_t piece;                   /* of the request; 0: it is one write */
    int replayable;                 /* the servers remember no session */
    int limit;                      /* of early data, for each session */
    int max_version[MOST + 1];
    const char *name[MOST + 1];     /* expected by the client; NULL: right */
    SSL_SESSION *session[MOST + 1];
    const char *request;
    size_t len;

    struct { BIO *bio, *tap; int flights; } a, b;
    int asked, heard, answered, replied;
    int early;                      /* heard in the handshake */
    size_t put, got;
};

static void run_new(struct run *r, int depth, unsigned long flags)
{
    memset(r, 0, sizeof(*r));
    r->depth = depth;
    r->size = PAIR;
    r->flags[0] = r->flags[1] = flags;
    r->limit = 16384;
    r->request = "request";
    r->len = 7;
}

static void open_ends(struct run *r)
{
    BIO *half[2];

    ck_assert(BIO_new_bio_pair(&half[0], r->size, &half[1], r->size));
    r->a.tap = BIO_push(tap_new(), half[0]);
    r->b.tap = BIO_push(tap_new(), half[1]);
    r->a.bio = BIO_new_onion_stack(r->a.tap);
    r->b.bio = BIO_new_onion_stack(r->b.tap);
    ck_assert_int_eq(BIO_onion_set_flags(r->a.bio, r->flags[0]), 1);
    ck_assert_int_eq(BIO_onion_set_flags(r->b.bio, r->flags[1]), 1);
    r->asked = r->heard = r->answered = r->replied = r->early = 0;
    r->a.flights = r->b.flights = 0;
    r->put = r->got = 0;
}

static SSL *client_ssl(struct run *r, int layer)
{
    int version = r->max_version[layer] != 0 ? r->max_version[layer]
                                             : TLS1_3_VERSION;
    SSL *ssl = r->name[layer] == NULL ? test_ssl(1, version, layer)
        : test_ssl_of(test_client_ctx(version, 1), 1, r->name[layer]);

    if (r->sni[layer] != NULL)
        ck_assert(SSL_set_tlsext_host_name(ssl, r->sni[layer]));
    if (r->alpn[layer] != NULL)
        ck_assert_int_eq(SSL_set_alpn_protos(ssl, (const unsigned char *)
                                             r->alpn[layer],
                                             (unsigned)strlen(r->alpn[layer])),
                         0);
    if (r->session[layer] != NULL && r->kind[layer] != FULL)
        ck_assert(SSL_set_session(ssl, r->session[layer]));
    return ssl;
}

/* So the session has the name that was asked for. */
static int accept_name(SSL *ssl, int *alert, void *arg)
{
    (void)ssl;
    (void)alert;
    (void)arg;
    return SSL_TLSEXT_ERR_OK;
}

/* The first that the client offers. */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    ck_assert_uint_gt(in_len, in[0]);
    *out = in + 1;
    *len = in[0];
    return SSL_TLSEXT_ERR_OK;
}

static SSL *server_ssl(struct run *r, int layer)
{
    int version = r->max_version[layer] != 0 ? r->max_version[layer]
                                             : TLS1_3_VERSION;
    SSL *ssl = test_ssl(0, version, layer);
    enum kind kind = r->kind[layer];

    SSL_CTX_set_session_cache_mode(SSL_get_SSL_CTX(ssl), SSL_SESS_CACHE_SERVER);
    SSL_CTX_set_tlsext_servername_callback(SSL_get_SSL_CTX(ssl), accept_name);
    SSL_CTX_set_alpn_select_cb(SSL_get_SSL_CTX(ssl), select_alpn, NULL);
    SSL_set_max_early_data(ssl, kind == REJECT || kind == NO_LIMIT
                           ? 0 : (uint32_t)r->limit);
    if (r->replayable)
        SSL_set_options(ssl, SSL_OP_NO_ANTI_REPLAY);
    if (kind == FORGET)
        SSL_CTX_flush_sessions_ex(SSL_get_SSL_CTX(ssl), 0x7fffffff);
    if (kind == RETRY)
        ck_assert(SSL_set1_groups_list(ssl, "P-384"));
    return ssl;
}

static int is_swapped(const struct run *r, int layer)
{
    return (r->swapped >> (layer - 1) & 1) != 0;
}

static void start(struct run *r)
{
    int i, swapped;

    for (i = 1; i <= r->depth; i++) {
        swapped = is_swapped(r, i);
        ck_assert_int_eq(BIO_onion_start_tls(swapped ? r->b.bio : r->a.bio,
                                             client_ssl(r, i), NULL, 0), 1);
        ck_assert_int_eq(BIO_onion_start_tls(swapped ? r->a.bio : r->b.bio,
                                             server_ssl(r, i), NULL, 0), 1);
    }
}

/* 1: done. A failure, where none is expected, ends the test. */
static int done(BIO *bio, int ret)
{
    const char *data = "";
    int flags;

    if (ret <= 0 && !BIO_should_retry(bio)) {
        ERR_peek_last_error_data(&data, &flags);
        ck_abort_msg("failed: %s", data);
    }
    test_no_error();
    return ret > 0;
}

/* A piece of the request, or all. */
static void ask(struct run *r)
{
    size_t n = r->len - r->put;

    if (r->piece != 0 && n > r->piece)
        n = r->piece;
    if (done(r->a.bio, BIO_write(r->a.bio, r->request + r->put, (int)n)))
        r->put += n;
    r->asked = r->put == r->len;
}

static void client_turn(struct run *r)
{
    char c[16];
    size_t before;

    if (!r->asked) {
        do {
            before = r->put;
            ask(r);
        } while (!r->asked && r->put > before);
    } else if (!r->replied)
        r->replied = done(r->a.bio, BIO_read(r->a.bio, c, 16));
}

static int handshaken(BIO *stack, int depth)
{
    int i;

    for (i = 1; i <= depth; i++)
        if (!SSL_is_init_finished(BIO_onion_get0_ssl(stack, i)))
            return 0;
    return 1;
}

static void server_hear(struct run *r)
{
    static unsigned char in[200000];
    int n = BIO_read(r->b.bio, in, sizeof(in));

    if (!done(r->b.bio, n))
        return;
    ck_assert_uint_le(r->got + (size_t)n, r->len);
    ck_assert(memcmp(in, r->request + r->got, (size_t)n) == 0);
    r->got += (size_t)n;
    r->early |= !handshaken(r->b.bio, r->depth);
    r->heard = r->got == r->len;
}

static void server_turn(struct run *r)
{
    while (!r->heard) {
        size_t before = r->got;

        server_hear(r);
        if (r->got == before)
            return;
    }
    if (!r->answered)
        r->answered = done(r->b.bio, BIO_write(r->b.bio, "reply", 5));
    if (r->answered)                /* it may have been gathered */
        done(r->b.bio, (int)BIO_flush(r->b.bio));
}

static void turn(struct run *r, int b)
{
    struct tap_side *out = &tap_of(b ? r->b.tap : r->a.tap)->out;
    int moved = out->moved;

    if (b)
        server_turn(r);
    else
        client_turn(r);
    if (b)
        r->b.flights += out->moved > moved;
    else
        r->a.flights += out->moved > moved;
}

/* Until the reply is there. */
static void go_on(struct run *r)
{
    int rounds = 0;

    while (!r->replied) {
        turn(r, 0);
        turn(r, 1);
        ck_assert_msg(rounds++ < 200000, "no progress");
    }
    ck_assert(handshaken(r->a.bio, r->depth));
}

static void converse(struct run *r)
{
    open_ends(r);
    start(r);
    go_on(r);
}

static void close_ends(struct run *r)
{
    BIO_free_all(r->a.bio);
    BIO_free_all(r->b.bio);
    ERR_clear_error();
}

static void sessions_free(struct run *r)
{
    int i;

    for (i = 1; i <= MOST; i++) {
        SSL_SESSION_free(r->session[i]);
        r->session[i] = NULL;
    }
}

static SSL *ssl_of_client(const struct run *r, int layer)
{
    return BIO_onion_get0_ssl(is_swapped(r, layer) ? r->b.bio : r->a.bio,
                              layer);
}

/* A conversation before, from which each layer has a session. */
static void learn(struct run *r)
{
    struct run first;
    int i;

    run_new(&first, r->depth, 0);
    first.limit = r->limit;
    first.replayable = r->replayable;
    first.swapped = r->swapped;
    for (i = 1; i <= r->depth; i++) {
        first.max_version[i] = r->max_version[i];
        first.alpn[i] = r->alpn[i];
        if (r->kind[i] == NO_LIMIT)
            first.kind[i] = NO_LIMIT;
    }
    converse(&first);
    for (i = 1; i <= r->depth; i++) {
        r->session[i] = SSL_get1_session(ssl_of_client(&first, i));
        ck_assert(SSL_SESSION_is_resumable(r->session[i]));
        SSL_SESSION_set_time_ex(r->session[i],
                                SSL_SESSION_get_time_ex(r->session[i])
                                - r->age[i]);
    }
    close_ends(&first);
}

/* Flights of the server, of which the last is the reply. */
static int trips(struct run *r)
{
    /* The end of the handshake may follow a request that went early. */
    ck_assert_int_ge(r->a.flights, r->b.flights);
    ck_assert_int_le(r->a.flights, r->b.flights + 1);
    return r->b.flights;
}

static int status(const struct run *r, int layer)
{
    return SSL_get_early_data_status(ssl_of_client(r, layer));
}

static void run_over(struct run *r)
{
    close_ends(r);
    sessions_free(r);
}

/*
 * Round trips before the request leaves: one less than until the reply
 */

START_TEST(full_layers_take_a_round_trip_each)
{
    struct run r;

    run_new(&r, depths[_i % DEPTHS], _i < DEPTHS ? 0 : ONION_EARLY);
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, r.depth);
    run_over(&r);
}
END_TEST

START_TEST(layers_that_resume_without_the_flag_send_nothing_early)
{
    struct run r;
    int i;

    run_new(&r, depths[_i % DEPTHS], 0);
    r.flags[_i / DEPTHS] = ONION_EARLY;
    learn(&r);
    if (_i < DEPTHS)
        r.flags[0] = 0, r.flags[1] = ONION_EARLY;
    else
        r.flags[1] = 0, r.flags[0] = 0;
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, r.depth);
    for (i = 1; i <= r.depth; i++)
        ck_assert_int_eq(status(&r, i), SSL_EARLY_DATA_NOT_SENT);
    run_over(&r);
}
END_TEST

START_TEST(layers_that_resume_take_one_in_all)
{
    struct run r;
    int i;

    run_new(&r, depths[_i], ONION_EARLY);
    learn(&r);
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, 1);
    ck_assert(!r.early);
    for (i = 1; i <= r.depth; i++) {
        ck_assert(SSL_session_reused(BIO_onion_get0_ssl(r.a.bio, i)));
        ck_assert_int_eq(status(&r, i), i < r.depth
                         ? SSL_EARLY_DATA_ACCEPTED : SSL_EARLY_DATA_NOT_SENT);
    }
    run_over(&r);
}
END_TEST

/* _i: depth x layer x how it is refused */
static const enum kind refusals[] = { REJECT, FORGET, RETRY };

START_TEST(a_layer_that_refuses_costs_one_more)
{
    int depth = depths[_i / (3 * MOST)], layer = _i / 3 % MOST + 1;
    struct run r;

    if (layer > depth)
        return;
    run_new(&r, depth, ONION_EARLY);
    learn(&r);
    r.kind[layer] = refusals[_i % 3];
    converse(&r);
    /* A second ClientHello of the innermost takes a round trip of its own. */
    ck_assert_int_eq(trips(&r) - 1, 1 + (layer < depth)
                     + (r.kind[layer] == RETRY));
    if (layer < depth)
        ck_assert_int_eq(status(&r, layer), SSL_EARLY_DATA_REJECTED);
    ck_assert(!r.early);
    run_over(&r);
}
END_TEST

START_TEST(if_all_refuse_it_is_as_without)
{
    struct run r;
    int i;

    run_new(&r, depths[_i / 2], ONION_EARLY);
    learn(&r);
    for (i = 1; i <= r.depth; i++)
        r.kind[i] = refusals[_i % 2];
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, r.depth);
    run_over(&r);
}
END_TEST

/* _i: which of four layers resume, a bit each */
START_TEST(each_full_layer_outside_costs_one)
{
    struct run r;
    int i, full = 0;

    run_new(&r, 4, ONION_EARLY);
    learn(&r);
    for (i = 1; i <= 4; i++) {
        r.kind[i] = (_i & 1 << (i - 1)) != 0 ? RESUME : FULL;
        full += i < 4 && r.kind[i] == FULL;
    }
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, 1 + full);
    run_over(&r);
}
END_TEST

START_TEST(a_layer_of_tls_1_2_is_as_ever)
{
    struct run r;

    run_new(&r, 3, ONION_EARLY);
    r.max_version[_i + 1] = TLS1_2_VERSION;
    learn(&r);
    converse(&r);
    /* Resumed: one, in which what is inside it cannot yet go. */
    ck_assert_int_eq(trips(&r) - 1, 1 + (_i < 2));
    run_over(&r);
}
END_TEST

/* _i: limits that are too low for three handshakes */
START_TEST(what_exceeds_the_limit_waits)
{
    static const int limits[] = { 1, 17, 18, 100, 400, 1000 };
    struct run r;

    run_new(&r, 4, ONION_EARLY);
    r.limit = limits[_i];
    learn(&r);
    converse(&r);
    ck_assert_int_ge(trips(&r) - 1, 2);
    ck_assert_int_le(trips(&r) - 1, 4);
    run_over(&r);
}
END_TEST

START_TEST(a_session_without_a_limit_sends_nothing_early)
{
    struct run r;
    int i;

    run_new(&r, 3, ONION_EARLY | ONION_EARLY_DATA);
    for (i = 1; i <= 3; i++)
        r.kind[i] = NO_LIMIT;
    learn(&r);
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, 3);
    run_over(&r);
}
END_TEST

/*
 * Data of the application
 */

START_TEST(with_the_second_flag_the_request_goes_with_the_first_flight)
{
    struct run r;

    run_new(&r, depths[_i], ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, 0);
    ck_assert(r.early);
    ck_assert_int_eq(status(&r, r.depth), SSL_EARLY_DATA_ACCEPTED);
    run_over(&r);
}
END_TEST

/* _i: depth x who has it not */
START_TEST(without_the_second_flag_at_both_it_does_not)
{
    struct run r;

    run_new(&r, depths[_i / 3], ONION_EARLY);
    learn(&r);
    if (_i % 3 != 2)
        r.flags[_i % 3] |= ONION_EARLY_DATA;
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, 1);
    ck_assert(!r.early);
    /* Sent and refused, or not sent. */
    ck_assert_int_eq(status(&r, r.depth), _i % 3 == 0
                     ? SSL_EARLY_DATA_REJECTED : SSL_EARLY_DATA_NOT_SENT);
    run_over(&r);
}
END_TEST

/* _i: depth x layer x how it is refused */
START_TEST(a_request_that_is_refused_is_sent_again)
{
    int depth = depths[_i / (3 * MOST)], layer = _i / 3 % MOST + 1;
    struct run r;

    if (layer > depth)
        return;
    run_new(&r, depth, ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    r.kind[layer] = refusals[_i % 3];
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, 1 + (r.kind[layer] == RETRY));
    ck_assert_uint_eq(r.got, r.len);
    run_over(&r);
}
END_TEST

/* What a server reads when it gets the first flight of a client once more. */
static int replay(struct run *r)
{
    const struct tap_side *flight = &tap_of(r->a.tap)->out;
    BIO *half[2], *server;
    char c[16];
    int i, n = 0;

    ck_assert(BIO_new_bio_pair(&half[0], PAIR, &half[1], PAIR));
    server = BIO_new_onion_stack(half[1]);
    ck_assert_int_eq(BIO_onion_set_flags(server, r->flags[1]), 1);
    for (i = 1; i <= r->depth; i++)
        ck_assert_int_eq(BIO_onion_start_tls(server, server_ssl(r, i),
                                             NULL, 0), 1);
    ck_assert_int_eq(BIO_write(half[0], flight->data, (int)flight->len),
                     (int)flight->len);
    for (i = 0; i < 10 && n <= 0; i++)
        n = BIO_read(server, c, 16);
    if (n <= 0)
        test_retried(server, n);
    ck_assert(!handshaken(server, r->depth));
    BIO_free_all(server);
    BIO_free_all(half[0]);
    return n;
}

/* _i: depth x flags of the server */
START_TEST(a_replay_reaches_the_application_with_the_second_flag_only)
{
    struct run r;
    int i;

    run_new(&r, 1 + _i / 2, ONION_EARLY | ONION_EARLY_DATA);
    r.replayable = 1;
    learn(&r);
    if (_i % 2 == 0)
        r.flags[1] = ONION_EARLY;
    open_ends(&r);
    start(&r);
    client_turn(&r);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(replay(&r), _i % 2 == 0 ? -1 : (int)r.len);
    run_over(&r);
}
END_TEST

START_TEST(a_large_request_goes_early_up_to_the_limit)
{
    static const size_t sizes[] = { 15000, 16384, 16385, 40000, 150000 };
    struct run r;

    run_new(&r, 1 + _i % 3, ONION_EARLY | ONION_EARLY_DATA);
    r.request = (const char *)test_bytes(200000);
    r.len = sizes[_i / 3];
    learn(&r);
    converse(&r);
    ck_assert_uint_eq(r.got, r.len);
    ck_assert(r.early);
    ck_assert_int_eq(status(&r, 1), SSL_EARLY_DATA_ACCEPTED);
    run_over(&r);
}
END_TEST

/* A copy is kept, so there is a limit of ours too. */
START_TEST(a_server_that_allows_more_is_not_sent_more_than_the_copy_may_hold)
{
    struct run r;

    run_new(&r, 1 + _i, ONION_EARLY | ONION_EARLY_DATA);
    r.request = (const char *)test_bytes(200000);
    r.len = 150000;
    r.limit = 200000;
    learn(&r);
    open_ends(&r);
    start(&r);
    client_turn(&r);
    ck_assert_uint_gt(tap_of(r.a.tap)->out.len, 60 * 1024);
    ck_assert_uint_lt(tap_of(r.a.tap)->out.len, 72 * 1024);
    close_ends(&r);
    sessions_free(&r);
    learn(&r);
    converse(&r);
    ck_assert_uint_eq(r.got, r.len);
    ck_assert_int_eq(status(&r, 1), SSL_EARLY_DATA_ACCEPTED);
    run_over(&r);
}
END_TEST

/* _i: depth x whether the server shakes hands before it reads x by lines */
START_TEST(what_came_early_waits_for_its_reader)
{
    char line[20];
    struct run r;
    int n = 0, i;

    run_new(&r, 1 + _i / 4, ONION_EARLY | ONION_EARLY_DATA);
    r.request = "one\ntwo\nthree\n";
    r.len = 14;
    learn(&r);
    open_ends(&r);
    start(&r);
    client_turn(&r);
    for (i = 0; _i % 2 == 1 && i < 10; i++) {
        BIO_do_handshake(r.b.bio);
        client_turn(&r);
    }
    ck_assert_int_eq(status(&r, r.depth), _i % 2 == 1
                     ? SSL_EARLY_DATA_ACCEPTED : SSL_EARLY_DATA_REJECTED);
    if (_i / 2 % 2 == 0) {
        server_turn(&r);
        ck_assert_uint_eq(r.got, r.len);
    } else {
        for (i = 0; i < 10 && n <= 0; i++)
            n = BIO_gets(r.b.bio, line, sizeof(line));
        ck_assert_int_eq(n, 4);
        ck_assert_str_eq(line, "one\n");
        ck_assert_int_eq(BIO_gets(r.b.bio, line, 3), 2);
        ck_assert_int_eq(BIO_read(r.b.bio, line, sizeof(line)), 8);
        ck_assert(memcmp(line, "o\nthree\n", 8) == 0);
    }
    run_over(&r);
}
END_TEST

/* _i: depth x how the last layer takes it */
START_TEST(what_is_written_after_a_read_waits_for_the_handshake)
{
    static const enum kind kinds[] = { RESUME, REJECT, FORGET, RETRY };
    char c[16];
    struct run r;
    int rounds = 0;

    run_new(&r, 1 + _i / 4, ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    r.kind[r.depth] = kinds[_i % 4];
    open_ends(&r);
    start(&r);
    ck_assert_int_eq(BIO_write(r.a.bio, r.request, 3), 3);
    test_retried(r.a.bio, BIO_read(r.a.bio, c, sizeof(c)));
    ck_assert(!BIO_should_write(r.a.bio));
    r.put = 3;
    ask(&r);
    ck_assert(!r.asked);
    while (!r.replied) {
        turn(&r, 1);
        turn(&r, 0);
        ck_assert_msg(rounds++ < 100, "no progress");
    }
    ck_assert(r.early || _i % 4 != 0);
    ck_assert_uint_eq(r.got, r.len);
    run_over(&r);
}
END_TEST

/* Layer 1 does not resume. _i: where early data lies over it */
START_TEST(early_data_over_a_full_handshake_waits_for_a_read)
{
    struct run r;
    int rounds;

    run_new(&r, 2 + _i, ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    r.kind[1] = FULL;
    open_ends(&r);
    start(&r);
    for (rounds = 0; !r.asked; rounds++) {
        ck_assert_int_lt(rounds, 3);
        ask(&r);
        if (r.asked)
            break;
        ck_assert(BIO_should_read(r.a.bio));
        ck_assert(!BIO_should_write(r.a.bio));
        turn(&r, 1);
    }
    ck_assert_int_gt(rounds, 0);
    for (rounds = 0; !r.heard; rounds++) {      /* all of it was sent */
        ck_assert_int_lt(rounds, 10);
        turn(&r, 1);
    }
    for (rounds = 0; !r.replied; rounds++) {
        ck_assert_msg(rounds < 100, "no progress");
        turn(&r, 1);
        turn(&r, 0);
    }
    ck_assert(r.early);
    ck_assert_int_eq(status(&r, r.depth), SSL_EARLY_DATA_ACCEPTED);
    run_over(&r);
}
END_TEST

/*
 * A client that ends the handshake of layer 2 and not that of layer 1: the
 * Finished of layer 2 goes as early data, in a record made by hand.
 */
struct staller {
    SSL *outer, *inner;
    BIO *outer_in, *outer_out, *inner_in, *inner_out;
    struct record_maker early;
    BIO *half, *server;
};

static SSL *ssl_in_memory(BIO **in, BIO **out, SSL *ssl)
{
    *in = BIO_new(BIO_s_mem());
    *out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(*in, -1);
    SSL_set_bio(ssl, *in, *out);
    return ssl;
}

/* All that is there goes to the other. */
static int carry(BIO *from, BIO *to)
{
    char data[20000];
    int n = BIO_read(from, data, sizeof(data));

    ck_assert(n <= 0 || BIO_write(to, data, n) == n);
    return n;
}

static void send_early(struct staller *s, int type, const void *data,
                       size_t len)
{
    unsigned char out[2000];
    int n = (int)record_make(&s->early, type, data, len, out);

    ck_assert_int_eq(BIO_write(s->half, out, n), n);
}

static void staller_new(struct staller *s, struct run *r)
{
    char hello[4000], reply[8000];
    size_t n;
    int len;

    record_watch(test_client_ctx(TLS1_3_VERSION, 1));
    run_new(r, 2, ONION_EARLY);
    learn(r);
    open_ends(r);
    start(r);
    s->server = r->b.bio;
    s->half = BIO_next(r->a.tap);
    s->outer = ssl_in_memory(&s->outer_in, &s->outer_out, client_ssl(r, 1));
    s->inner = ssl_in_memory(&s->inner_in, &s->inner_out, client_ssl(r, 2));
    ck_assert_int_le(SSL_do_handshake(s->inner), 0);
    len = BIO_read(s->inner_out, hello, sizeof(hello));
    ck_assert_int_eq(SSL_write_early_data(s->outer, hello, (size_t)len, &n), 1);
    record_maker_early(&s->early, s->outer, 1);
    carry(s->outer_out, s->half);
    test_retried(s->server, (int)BIO_do_handshake(s->server));
    carry(s->half, s->outer_in);
    len = SSL_read(s->outer, reply, sizeof(reply));
    ck_assert_int_eq(BIO_write(s->inner_in, reply, len), len);
    ck_assert_int_eq(SSL_do_handshake(s->inner), 1);
    len = BIO_read(s->inner_out, hello, sizeof(hello));
    send_early(s, SSL3_RT_APPLICATION_DATA, hello, (size_t)len);
}

static void staller_free(struct staller *s, struct run *r)
{
    SSL_free(s->outer);
    SSL_free(s->inner);
    run_over(r);
    SSL_CTX_set_keylog_callback(test_client_ctx(TLS1_3_VERSION, 1), NULL);
}

START_TEST(a_layer_is_not_done_before_the_one_that_carries_it)
{
    static const unsigned char end[] = { 5, 0, 0, 0 };  /* EndOfEarlyData */
    char c[16], record[100];
    struct staller s;
    struct run r;
    int i;

    staller_new(&s, &r);
    for (i = 0; i < 3; i++) {
        test_retried(s.server, i == 1 ? BIO_read(s.server, c, sizeof(c))
                     : (int)BIO_do_handshake(s.server));
        ck_assert(BIO_should_read(s.server));
        ck_assert(!BIO_should_write(s.server));
        ck_assert(SSL_is_init_finished(BIO_onion_get0_ssl(s.server, 2)));
    }
    send_early(&s, SSL3_RT_HANDSHAKE, end, sizeof(end));
    /* Not its own EndOfEarlyData, which has the number of another record. */
    ck_assert_int_eq(SSL_do_handshake(s.outer), 1);
    ck_assert_int_eq(BIO_read(s.outer_out, c, 5), 5);
    ck_assert_int_eq(BIO_read(s.outer_out, record, c[4]), c[4]);
    carry(s.outer_out, s.half);
    ck_assert_int_eq((int)BIO_do_handshake(s.server), 1);
    staller_free(&s, &r);
}
END_TEST

START_TEST(a_layer_fails_with_the_one_that_carries_it)
{
    struct staller s;
    struct run r;

    staller_new(&s, &r);
    send_early(&s, SSL3_RT_ALERT, "\002\050", 2);
    test_failed_at(s.server, (int)BIO_do_handshake(s.server),
                   ONION_R_HANDSHAKE_FAILED, 1);
    staller_free(&s, &r);
}
END_TEST

/* Each record counts for more than what is in it where it is skipped. */
START_TEST(a_limit_holds_for_writes_of_a_byte_too)
{
    static const enum kind kinds[] = { RESUME, REJECT, FORGET, RETRY };
    struct run r;

    run_new(&r, 1 + _i / 4, ONION_EARLY | ONION_EARLY_DATA);
    r.request = (const char *)test_bytes(1000);
    r.len = 1000;
    r.piece = 1;
    r.limit = 4000;
    learn(&r);
    r.kind[1] = kinds[_i % 4];
    converse(&r);
    ck_assert_uint_eq(r.got, r.len);
    run_over(&r);
}
END_TEST

/* Layer 1 does not resume, and layer 2 has its early data wait for that. */
static void layer_2_waits(struct run *r, unsigned long flags, size_t len)
{
    run_new(r, 2, ONION_EARLY | ONION_EARLY_DATA | flags);
    r->request = (const char *)test_bytes(len);
    r->len = len;
    r->limit = 9000;
    learn(r);
    r->kind[1] = FULL;
    open_ends(r);
    start(r);
}

static void layer_2_goes_early(struct run *r)
{
    go_on(r);
    ck_assert_int_eq(status(r, 2), SSL_EARLY_DATA_ACCEPTED);
    ck_assert_uint_eq(r->got, r->len);
    run_over(r);
}

/* It is more than OpenSSL has a buffer for until it can be sent. */
START_TEST(a_write_that_is_repeated_counts_once_against_the_limit)
{
    struct run r;
    int i;

    layer_2_waits(&r, 0, 8900);
    for (i = 0; i < 10; i++)
        test_retried(r.a.bio, BIO_write(r.a.bio, r.request, (int)r.len));
    ck_assert_uint_eq(SSL_SESSION_get_max_early_data(
                          SSL_get0_session(ssl_of_client(&r, 2))), 9000);
    layer_2_goes_early(&r);
}
END_TEST

/*
 * _i: the first write. OpenSSL takes all that it is given when it only waits
 * for a flush as sent. Of one that it repeats it asks for the same address,
 * unless told that it may move.
 */
START_TEST(what_follows_a_flush_that_waits_is_not_lost)
{
    struct run r;

    layer_2_waits(&r, ONION_GATHER, 8000);
    r.piece = _i ? 7000 : 1;
    ask(&r);
    test_retried(r.a.bio, (int)BIO_flush(r.a.bio));
    test_retried(r.a.bio, (int)BIO_flush(r.a.bio));
    ck_assert_int_eq(SSL_get_mode(ssl_of_client(&r, 2))
                     & SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, 0);
    r.piece = 0;
    layer_2_goes_early(&r);
}
END_TEST

/* An OpenSSL server skips no record that is longer than one in the clear. */
START_TEST(a_full_record_that_a_hello_retry_request_meets_is_skipped)
{
    struct run r;

    run_new(&r, 1, ONION_EARLY | ONION_EARLY_DATA);
    r.request = (const char *)test_bytes(30000);
    r.len = 30000;
    r.limit = 40000;
    learn(&r);
    r.kind[1] = RETRY;
    converse(&r);
    ck_assert_int_eq(status(&r, 1), SSL_EARLY_DATA_REJECTED);
    ck_assert_uint_eq(r.got, r.len);
    run_over(&r);
}
END_TEST

/* Its tickets have promised more than OpenSSL skips unless it is told. */
START_TEST(a_server_without_the_flag_skips_what_its_tickets_allow)
{
    struct run r;

    run_new(&r, 1, ONION_EARLY | ONION_EARLY_DATA);
    r.request = (const char *)test_bytes(30000);
    r.len = 30000;
    r.limit = 40000;
    learn(&r);
    r.flags[1] = 0;
    converse(&r);
    ck_assert_int_eq(status(&r, 1), SSL_EARLY_DATA_REJECTED);
    ck_assert_uint_eq(r.got, r.len);
    run_over(&r);
}
END_TEST

/*
 * Sessions that are not to be used
 */

/* Layer 1 does not go early, and the others do. */
static void layer_1_is_full(struct run *r)
{
    converse(r);
    ck_assert_int_eq(status(r, 1), SSL_EARLY_DATA_NOT_SENT);
    ck_assert_int_eq(status(r, 2), SSL_EARLY_DATA_ACCEPTED);
    ck_assert_int_eq(trips(r) - 1, 1);
    ck_assert_uint_eq(r->got, r->len);
    run_over(r);
}

/* _i: older than the ticket lives, or from the future */
START_TEST(a_session_of_another_age_sends_nothing_early)
{
    struct run r;

    run_new(&r, 2, ONION_EARLY | ONION_EARLY_DATA);
    r.age[1] = _i == 0 ? 8 * 24 * 60 * 60 : -1000;
    learn(&r);
    layer_1_is_full(&r);
}
END_TEST

/* The client asks for another name than before, or for none. */
START_TEST(a_session_for_another_server_name_sends_nothing_early)
{
    struct run r;

    run_new(&r, 2, ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    r.sni[1] = "another.test";
    layer_1_is_full(&r);
}
END_TEST

/* _i: by the highest version, by an option */
START_TEST(a_session_of_a_version_that_is_off_sends_nothing_early)
{
    struct run r;
    SSL *ssl[2];
    int i;

    run_new(&r, 1, ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    open_ends(&r);
    ssl[0] = client_ssl(&r, 1);
    ssl[1] = server_ssl(&r, 1);
    for (i = 0; i < 2; i++)
        ck_assert(SSL_set_min_proto_version(ssl[i], TLS1_2_VERSION));
    if (_i == 0)
        ck_assert(SSL_set_max_proto_version(ssl[0], TLS1_2_VERSION));
    else
        SSL_set_options(ssl[0], SSL_OP_NO_TLSv1_3);
    ck_assert_int_eq(BIO_onion_start_tls(r.a.bio, ssl[0], NULL, 0), 1);
    ck_assert_int_eq(BIO_onion_start_tls(r.b.bio, ssl[1], NULL, 0), 1);
    for (i = 0; i < 20 && !r.replied; i++) {
        turn(&r, 0);
        turn(&r, 1);
    }
    ck_assert(r.replied);
    ck_assert_int_eq(status(&r, 1), SSL_EARLY_DATA_NOT_SENT);
    run_over(&r);
}
END_TEST

START_TEST(a_session_that_is_not_resumable_sends_nothing_early)
{
    struct run r;
    SSL_SESSION *old;

    run_new(&r, 2, ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    old = r.session[1];
    r.session[1] = SSL_SESSION_dup(old);
    SSL_SESSION_free(old);
    SSL_CTX_remove_session(test_client_ctx(TLS1_3_VERSION, 1), r.session[1]);
    ck_assert(!SSL_SESSION_is_resumable(r.session[1]));
    layer_1_is_full(&r);
}
END_TEST

/*
 * Protocols by ALPN: that of the session must be among those offered
 */

START_TEST(layers_that_agree_on_a_protocol_go_early)
{
    struct run r;

    run_new(&r, 2, ONION_EARLY | ONION_EARLY_DATA);
    r.alpn[1] = "\003one";
    r.alpn[2] = "\003two\005three";
    learn(&r);
    converse(&r);
    ck_assert_int_eq(trips(&r) - 1, 0);
    ck_assert(r.early);
    run_over(&r);
}
END_TEST

/* _i: layer */
START_TEST(a_protocol_that_is_not_offered_again_fails_the_layer)
{
    struct run r;

    run_new(&r, 2, ONION_EARLY | ONION_EARLY_DATA);
    r.alpn[1] = r.alpn[2] = "\003one";
    learn(&r);
    r.alpn[_i] = "\003two";
    open_ends(&r);
    start(&r);
    test_failed_at(r.a.bio, BIO_write(r.a.bio, r.request, (int)r.len),
                   ONION_R_HANDSHAKE_FAILED, _i);
    run_over(&r);
}
END_TEST

/* The server takes another than before: what went early is refused. */
START_TEST(a_server_that_takes_another_protocol_refuses)
{
    struct run r;

    run_new(&r, 2, ONION_EARLY | ONION_EARLY_DATA);
    r.alpn[_i] = "\003one";
    learn(&r);
    r.alpn[_i] = "\003two\003one";
    converse(&r);
    ck_assert_int_eq(status(&r, _i), SSL_EARLY_DATA_REJECTED);
    ck_assert_uint_eq(r.got, r.len);
    run_over(&r);
}
END_TEST

/*
 * Roles: the client of a layer may be the server of another
 */

/* _i: who is the client of each of three layers x what */
START_TEST(layers_in_mixed_roles_go_as_early_as_they_can)
{
    int what = _i / 8, i;
    struct run r;

    run_new(&r, 3, ONION_EARLY | (what % 2 ? ONION_EARLY_DATA : 0));
    r.swapped = (unsigned)_i % 8;
    learn(&r);
    if (what >= 2)
        r.kind[what / 2] = refusals[what % 3];
    converse(&r);
    ck_assert_uint_eq(r.got, r.len);
    ck_assert(what % 2 == 1 || !r.early);
    ck_assert_int_le(r.b.flights, 8);
    for (i = 1; what == 0 && i < 3; i++)
        ck_assert_int_eq(status(&r, i), is_swapped(&r, i)
                         == is_swapped(&r, i + 1) ? SSL_EARLY_DATA_ACCEPTED
                         : SSL_EARLY_DATA_NOT_SENT);
    run_over(&r);
}
END_TEST

/*
 * Names
 */

/* Goes on until an end fails; 1: the client. */
static int fails(struct run *r)
{
    int rounds = 0, ret;

    open_ends(r);
    start(r);
    for (;;) {
        ret = BIO_do_handshake(r->a.bio);
        if (ret <= 0 && !BIO_should_retry(r->a.bio))
            return 1;
        ck_assert_int_le(ret, 0);
        ret = BIO_do_handshake(r->b.bio);
        if (ret <= 0 && !BIO_should_retry(r->b.bio))
            return 0;
        ck_assert_msg(rounds++ < 1000, "no progress");
    }
}

/* _i: layer x flags */
START_TEST(a_session_with_another_peer_sends_nothing_early)
{
    int layer = _i % 3 + 1, failed = 0;
    struct run r;

    run_new(&r, 3, _i < 3 ? ONION_EARLY : ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    r.name[layer] = "elsewhere.test";
    if (_i >= 3) {
        open_ends(&r);
        start(&r);
        test_retried(r.a.bio, BIO_write(r.a.bio, r.request, (int)r.len));
        ck_assert_int_eq(SSL_get_early_data_status(BIO_onion_get0_ssl(
                             r.a.bio, layer)), SSL_EARLY_DATA_NOT_SENT);
        close_ends(&r);
        sessions_free(&r);
        r.name[layer] = NULL;
        learn(&r);
        r.name[layer] = "elsewhere.test";
    }
    failed = fails(&r);
    ck_assert(failed);
    ck_assert_int_eq(status(&r, layer), SSL_EARLY_DATA_NOT_SENT);
    test_failed_at(r.a.bio, -1, ONION_R_SESSION_MISMATCH, layer);
    run_over(&r);
}
END_TEST

/* The layer rejects, and shows a certificate for another name. */
START_TEST(what_was_refused_is_not_sent_again_to_another_peer)
{
    struct run r;
    SSL *ssl;
    int i, ret = 0, rounds = 0;

    run_new(&r, 2, ONION_EARLY | ONION_EARLY_DATA);
    learn(&r);
    open_ends(&r);
    for (i = 1; i <= 2; i++)
        ck_assert_int_eq(BIO_onion_start_tls(r.a.bio, client_ssl(&r, i),
                                             NULL, 0), 1);
    ssl = test_ssl_of(test_server_ctx(TLS1_3_VERSION, "other.test", 0), 0,
                      NULL);
    ck_assert_int_eq(BIO_onion_start_tls(r.b.bio, ssl, NULL, 0), 1);
    while (ret <= 0) {
        char c[16];

        if (!r.asked)
            r.asked = BIO_write(r.a.bio, r.request, (int)r.len) > 0;
        ret = BIO_read(r.a.bio, c, 16);
        if (ret <= 0 && !BIO_should_retry(r.a.bio))
            break;
        ck_assert_int_le(BIO_read(r.b.bio, c, 16), 0);
        ck_assert_msg(rounds++ < 100, "no progress");
    }
    test_failed_at(r.a.bio, ret, ONION_R_CERTIFICATE_REFUSED, 1);
    run_over(&r);
}
END_TEST

/*
 * Transports, starts and stops, settings
 */

/* _i: size x what */
START_TEST(small_transports_change_nothing)
{
    static const size_t sizes[] = { 1, 2, 7, 100, 512, 5000 };
    int what = _i / 6, i;
    struct run r;

    run_new(&r, 3, ONION_EARLY | (what % 2 ? ONION_EARLY_DATA : 0));
    r.limit = what >= 10 ? 400 : r.limit;
    learn(&r);
    r.size = sizes[_i % 6];
    for (i = 1; i <= 3; i++) {
        if (what / 2 == 1)
            r.kind[i] = REJECT;
        else if (what / 2 == i + 1)
            r.kind[i] = i == 1 ? FULL : i == 2 ? RETRY : FORGET;
    }
    converse(&r);
    ck_assert_uint_eq(r.got, r.len);
    ck_assert(what % 2 == 1 || !r.early);
    run_over(&r);
}
END_TEST

static void talk(struct run *r)
{
    char c[16];

    ck_assert_int_eq(BIO_write(r->a.bio, "again", 5), 5);
    ck_assert_int_eq(BIO_read(r->b.bio, c, 16), 5);
    ck_assert_int_eq(BIO_write(r->b.bio, "and back", 8), 8);
    ck_assert_int_eq(BIO_read(r->a.bio, c, 16), 8);
}

START_TEST(layers_stop_and_start_after_it)
{
    struct run r;
    char c[16];
    int i, a = 0, b = 0;

    run_new(&r, 3, ONION_EARLY | (_i ? ONION_EARLY_DATA : 0));
    learn(&r);
    converse(&r);
    talk(&r);
    for (i = 2; i >= 0; i--) {
        ck_assert_int_eq(BIO_onion_stop_tls(r.a.bio, i), 0);
        ck_assert_int_eq(BIO_read(r.b.bio, c, 16), 0);
        ck_assert_int_eq(BIO_onion_stop_tls(r.b.bio, i), 1);
        ck_assert_int_eq(BIO_read(r.a.bio, c, 16), 0);
        test_depths(r.a.bio, i, i);
        talk(&r);
    }
    sessions_free(&r);
    start(&r);
    for (i = 0; i < 20 && !(a && b); i++) {
        a = a || done(r.a.bio, BIO_do_handshake(r.a.bio));
        b = b || done(r.b.bio, BIO_do_handshake(r.b.bio));
    }
    talk(&r);
    run_over(&r);
}
END_TEST

/* What is gathered goes when the client reads: a flight as it is without. */
START_TEST(what_is_gathered_goes_early_too)
{
    int what = _i / DEPTHS;
    struct run r;

    run_new(&r, depths[_i % DEPTHS], ONION_GATHER | ONION_EARLY
            | (what > 0 ? ONION_EARLY_DATA : 0));
    r.piece = 2;
    learn(&r);
    if (what > 1)
        r.kind[r.depth] = refusals[what - 2];
    converse(&r);
    ck_assert_uint_eq(r.got, r.len);
    ck_assert_int_eq(trips(&r) - 1, (what != 1) + (what == 4));
    ck_assert_int_eq(r.early, what == 1);
    run_over(&r);
}
END_TEST

START_TEST(the_second_flag_needs_the_first)
{
    BIO *stack = BIO_new_onion_stack(BIO_new(BIO_s_mem()));

    test_refused(BIO_onion_set_flags(stack, ONION_EARLY_DATA),
                 ERR_R_PASSED_INVALID_ARGUMENT);
    ck_assert_int_eq(BIO_onion_set_flags(stack, ONION_EARLY), 1);
    BIO_free_all(stack);
}
END_TEST

/*
 * The table
 */

static int table_of(int depth, unsigned long flags, enum kind kind, int layer)
{
    struct run r;
    int i, n;

    run_new(&r, depth, flags);
    if (kind != FULL)
        learn(&r);
    for (i = 1; i <= depth; i++)
        r.kind[i] = layer == 0 || layer == i ? kind : RESUME;
    converse(&r);
    n = trips(&r) - 1;
    run_over(&r);
    return n;
}

static void table_line(const char *what, unsigned long flags, enum kind kind,
                       int layer)
{
    int n[DEPTHS], i;

    for (i = 0; i < DEPTHS; i++)
        n[i] = table_of(depths[i], flags, kind, layer);
    test_figure("round trips before the request, %-40s %d %d %d %d %d", what,
                n[0], n[1], n[2], n[3], n[4]);
}

START_TEST(the_table_of_round_trips)
{
    unsigned long early = ONION_EARLY, data = ONION_EARLY | ONION_EARLY_DATA;

    table_line("layers:", 0, FULL, 0);
    table_line("full:", early, FULL, 0);
    table_line("resumed, without early data:", 0, RESUME, 0);
    table_line("resumed, handshakes early:", early, RESUME, 0);
    table_line("the same, rejected by layer 1:", early, REJECT, 1);
    table_line("the same, rejected by all:", early, REJECT, 0);
    table_line("the same, HelloRetryRequest in layer 1:", early, RETRY, 1);
    table_line("resumed, data early too:", data, RESUME, 0);
    table_line("the same, rejected by layer 1:", data, REJECT, 1);
    table_line("the same, rejected by all:", data, REJECT, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("early");
    TCase *tc = test_case(s, "round trips");

    test_loop(tc, full_layers_take_a_round_trip_each, 0, 2 * DEPTHS);
    test_loop(tc, layers_that_resume_without_the_flag_send_nothing_early,
              0, 2 * DEPTHS);
    test_loop(tc, layers_that_resume_take_one_in_all, 0, DEPTHS);
    test_loop(tc, a_layer_that_refuses_costs_one_more, 0, 3 * MOST * DEPTHS);
    test_loop(tc, if_all_refuse_it_is_as_without, 0, 2 * DEPTHS);
    test_loop(tc, each_full_layer_outside_costs_one, 0, 16);
    test_loop(tc, a_layer_of_tls_1_2_is_as_ever, 0, 3);
    test_loop(tc, what_exceeds_the_limit_waits, 0, 6);
    tcase_add_test(tc, a_session_without_a_limit_sends_nothing_early);
    tcase_add_test(tc, the_table_of_round_trips);
    tc = test_case(s, "data");
    test_loop(tc, with_the_second_flag_the_request_goes_with_the_first_flight,
              0, DEPTHS);
    test_loop(tc, without_the_second_flag_at_both_it_does_not, 0, 3 * DEPTHS);
    test_loop(tc, a_request_that_is_refused_is_sent_again,
              0, 3 * MOST * DEPTHS);
    test_loop(tc, a_replay_reaches_the_application_with_the_second_flag_only,
              0, 6);
    test_loop(tc, a_large_request_goes_early_up_to_the_limit, 0, 15);
    test_loop(tc,
              a_server_that_allows_more_is_not_sent_more_than_the_copy_may_hold,
              0, 2);
    test_loop(tc, a_limit_holds_for_writes_of_a_byte_too, 0, 8);
    tcase_add_test(tc, a_write_that_is_repeated_counts_once_against_the_limit);
    test_loop(tc, what_follows_a_flush_that_waits_is_not_lost, 0, 2);
    tcase_add_test(tc,
                   a_full_record_that_a_hello_retry_request_meets_is_skipped);
    test_loop(tc, what_came_early_waits_for_its_reader, 0, 12);
    test_loop(tc, what_is_written_after_a_read_waits_for_the_handshake, 0, 12);
    test_loop(tc, early_data_over_a_full_handshake_waits_for_a_read, 0, 3);
    tcase_add_test(tc, a_server_without_the_flag_skips_what_its_tickets_allow);
    tcase_add_test(tc, a_layer_is_not_done_before_the_one_that_carries_it);
    tcase_add_test(tc, a_layer_fails_with_the_one_that_carries_it);
    tc = test_case(s, "sessions");
    test_loop(tc, a_session_of_another_age_sends_nothing_early, 0, 2);
    tcase_add_test(tc, a_session_for_another_server_name_sends_nothing_early);
    test_loop(tc, a_session_of_a_version_that_is_off_sends_nothing_early, 0, 2);
    tcase_add_test(tc, a_session_that_is_not_resumable_sends_nothing_early);
    tc = test_case(s, "protocols");
    tcase_add_test(tc, layers_that_agree_on_a_protocol_go_early);
    test_loop(tc, a_protocol_that_is_not_offered_again_fails_the_layer, 1, 3);
    test_loop(tc, a_server_that_takes_another_protocol_refuses, 1, 3);
    tc = test_case(s, "roles");
    test_loop(tc, layers_in_mixed_roles_go_as_early_as_they_can, 0, 8 * 8);
    tc = test_case(s, "names");
    test_loop(tc, a_session_with_another_peer_sends_nothing_early, 0, 6);
    tcase_add_test(tc, what_was_refused_is_not_sent_again_to_another_peer);
    tc = test_case(s, "transports");
    test_loop(tc, small_transports_change_nothing, 0, 6 * 12);
    test_loop(tc, layers_stop_and_start_after_it, 0, 2);
    test_loop(tc, what_is_gathered_goes_early_too, 0, 5 * DEPTHS);
    tcase_add_test(tc, the_second_flag_needs_the_first);
    return test_main(s);
}
