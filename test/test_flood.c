/*
 * test_flood.c - a peer that sends without end what is no data.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A stock peer floods a stack: one BIO_read() must come back after a bounded
 * number of records, the memory of the stack must stay what it was, and where
 * the peer goes too far it is cut off. Floods are of 100,000 records, with
 * ONION_QUICK of a tenth, with ONION_BUDGET of so many.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "record.h"
#include "sweep.h"
#include <time.h>
#include "util.h"

/* Records that one call may handle: what 64 KiB of read-ahead have, and 32. */
#define SMALLEST_RECORD 22
#define BOUND (65536 / SMALLEST_RECORD + 32)
/* What a stack may take beside, while it floats on a flood. */
#define SPARE (400 * 1024)
/* After so many reads in a second a connection is busy. */
#define BUSY 64

/*
 * The allocator of OpenSSL, which knows how much there is. All blocks are in a
 * list, so that a tool which looks for leaks finds those that are kept.
 */

static size_t live, most;

static struct head {
    struct head *next, **prev;
    size_t size, fill;
} *blocks;

static void *allocate(size_t size, const char *file, int line)
{
    struct head *h = malloc(sizeof(*h) + size);

    (void)file;
    (void)line;
    if (h == NULL)
        return NULL;
    h->size = size;
    h->next = blocks;
    h->prev = &blocks;
    if (blocks != NULL)
        blocks->prev = &h->next;
    blocks = h;
    live += size;
    most = live > most ? live : most;
    return h + 1;
}

static void release(void *p, const char *file, int line)
{
    struct head *h = p == NULL ? NULL : (struct head *)p - 1;

    (void)file;
    (void)line;
    if (h == NULL)
        return;
    *h->prev = h->next;
    if (h->next != NULL)
        h->next->prev = h->prev;
    live -= h->size;
    free(h);
}

static void *reallocate(void *p, size_t size, const char *file, int line)
{
    struct head *h = p == NULL ? NULL : (struct head *)p - 1;
    void *q = allocate(size, file, line);

    if (h == NULL || q == NULL)
        return q;
    memcpy(q, p, h->size < size ? h->size : size);
    release(p, file, line);
    return q;
}

/*
 * A flood comes in lots of a size that fits the pair; the stack reads in
 * between, as a program does that polls.
 */

static struct stock s;
static BIO *stack, *tap;
static size_t sent, in_call, most_in_call, data;

/* A record that has come up: not what is made of it. */
static void on_record(int write_p, int version, int type, const void *buf,
                      size_t len, SSL *ssl, void *arg)
{
    (void)version;
    (void)buf;
    (void)len;
    (void)ssl;
    (void)arg;
    in_call += !write_p && type == SSL3_RT_HEADER;
}

static void set_up(int i, int version)
{
    record_watch(test_server_ctx(version, test_name(1), 0));
    record_watch(test_client_ctx(version, 1));
    stack = stock_pair(&s, 1000000, &tap);
    stock_dive(&s, stack, version, i % 2);
    SSL_set_msg_callback(BIO_onion_get0_ssl(stack, 1), on_record);
    sent = most_in_call = data = 0;
}

static void tear_down(void)
{
    ERR_clear_error();
    BIO_free_all(stack);
    stock_free(&s);
}

/* The tap keeps all that passes, which is not ours to count. */
static void forget_tap(void)
{
    tap_of(tap)->in.len = tap_of(tap)->out.len = 0;
}

static int read_once(char *in, size_t len)
{
    int ret;

    in_call = 0;
    ret = BIO_read(stack, in, (int)len);
    most_in_call = in_call > most_in_call ? in_call : most_in_call;
    forget_tap();
    return ret;
}

/*
 * Reads until nothing is there: 0, or -1 if the stack has failed. A loop that
 * waits in poll() goes on while the transport or BIO_pending() has something.
 */
static int drain(void)
{
    char in[20000];
    int ret;

    for (;;) {
        ret = read_once(in, sizeof(in));
        if (ret > 0) {
            data += (size_t)ret;
            continue;
        }
        if (!BIO_should_retry(stack))
            return -1;
        if (BIO_pending(stack) == 0 && BIO_pending(BIO_next(tap)) == 0)
            return 0;
    }
}

typedef void send_one(void *arg);

/* 1: all were sent and read; 0: the peer was cut off before. */
static int flood(send_one *one, void *arg, size_t count, size_t lot)
{
    size_t n;

    while (sent < count) {
        for (n = 0; n < lot && sent < count; n++, sent++)
            one(arg);
        if (drain() < 0)
            return 0;
    }
    return 1;
}

static size_t many(void)
{
    return sweep_count(100000, 100000);
}

/*
 * The clock stands, so that a connection that has become busy stays so and
 * keeps its buffers: see onion_rest.c.
 */
time_t time(time_t *t)
{
    static time_t now;
    struct timespec start;

    if (now == 0 && timespec_get(&start, TIME_UTC) == TIME_UTC)
        now = start.tv_sec;
    if (t != NULL)
        *t = now;
    return now;
}

/* Two lots first, so that what is made once is made. */
static void bounded_flood(const char *name, send_one *one, void *arg,
                          size_t lot)
{
    size_t before;
    char c;
    int i;

    for (i = 0; i < BUSY; i++)
        BIO_read(stack, &c, 1);
    ck_assert_int_eq(flood(one, arg, 2 * lot, lot), 1);
    before = live;
    most = live;
    ck_assert_int_eq(flood(one, arg, many(), lot), 1);
    ck_assert_uint_le(most_in_call, BOUND);
    ck_assert_uint_le(most - before, SPARE);
    ck_assert_uint_le(live, before + 64);
    test_figure("%s: %zu records, at most %zu in one read; memory %zu before,"
                " %zu after, at most %zu in between", name, sent, most_in_call,
                before, live, most);
}

/*
 * The floods that are allowed
 */

static void send_key_update(void *arg)
{
    ck_assert_int_eq(SSL_key_update(s.ssl[1], *(int *)arg), 1);
    ck_assert_int_eq(SSL_do_handshake(s.ssl[1]), 1);
}

/* _i: role */
START_TEST(key_updates_do_not_hold_a_read)
{
    int type = SSL_KEY_UPDATE_NOT_REQUESTED;

    set_up(_i, TLS1_3_VERSION);
    bounded_flood("key updates", send_key_update, &type, 10000);
    stock_write(&s, 1, "done", 4);
    ck_assert_int_eq(drain(), 0);
    ck_assert_uint_eq(data, 4);
    tear_down();
}
END_TEST

static void send_ticket(void *arg)
{
    (void)arg;
    ck_assert_int_eq(SSL_new_session_ticket(s.ssl[1]), 1);
    ck_assert_int_eq(SSL_do_handshake(s.ssl[1]), 1);
}

START_TEST(tickets_do_not_hold_a_read)
{
    set_up(1, TLS1_3_VERSION);
    bounded_flood("tickets", send_ticket, NULL, 1000);
    stock_write(&s, 1, "done", 4);
    ck_assert_int_eq(drain(), 0);
    ck_assert_uint_eq(data, 4);
    tear_down();
}
END_TEST

static void send_byte(void *arg)
{
    (void)arg;
    stock_write(&s, 1, "x", 1);
}

/* _i: version x role */
START_TEST(records_of_one_byte_are_read_one_by_one)
{
    set_up(_i / 2, _i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
    bounded_flood("one-byte records", send_byte, NULL, 2000);
    ck_assert_uint_eq(data, sent);
    ck_assert_uint_le(most_in_call, 1 + 32);
    tear_down();
}
END_TEST

/* Empty ones between data, fewer than what OpenSSL takes at once. */
static void send_empty_and_data(void *arg)
{
    unsigned char out[2 * RECORD_ROOM];
    struct record_maker *m = arg;
    int data_now = sent % 16 == 15;

    stock_write(&s, 0, out, record_make(m, SSL3_RT_APPLICATION_DATA, "x",
                                        data_now ? 1 : 0, out));
}

START_TEST(empty_records_between_data_do_not_hold_a_read)
{
    struct record_maker m;

    set_up(_i / 2, _i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
    record_maker(&m, s.ssl[1], 0);
    bounded_flood("empty records between data", send_empty_and_data, &m, 2000);
    ck_assert_uint_eq(data, sent / 16);
    tear_down();
}
END_TEST

/*
 * The floods that are cut off
 */

static void cut_off(const char *name, send_one *one, void *arg, size_t lot,
                    size_t after, size_t before)
{
    size_t memory = live;

    most = live;
    ck_assert_msg(!flood(one, arg, 100000, lot), "%s: not cut off", name);
    test_failed_at(stack, BIO_read(stack, &(char) { 0 }, 1), 0, 1);
    ck_assert_uint_ge(sent, after);
    ck_assert_uint_le(sent, before);
    ck_assert_uint_le(most - memory, SPARE + 3 * 1024 * 1024);
    test_figure("%s: cut off after at most %zu records, %zu bytes of memory",
                name, sent, most - memory);
}

static void send_empty(void *arg)
{
    unsigned char out[RECORD_ROOM];

    stock_write(&s, 0, out, record_make(arg, SSL3_RT_APPLICATION_DATA, "", 0,
                                        out));
}

START_TEST(a_flood_of_empty_records_is_cut_off)
{
    struct record_maker m;

    set_up(_i / 2, _i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
    record_maker(&m, s.ssl[1], 0);
    cut_off("empty records", send_empty, &m, 1, 32, 40);
    tear_down();
}
END_TEST

static void send_warning(void *arg)
{
    unsigned char out[RECORD_ROOM];

    stock_write(&s, 0, out, record_make(arg, SSL3_RT_ALERT, "\x01\x5a", 2,
                                        out));
}

START_TEST(a_flood_of_warnings_is_cut_off)
{
    struct record_maker m;

    set_up(_i / 2, _i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
    record_maker(&m, s.ssl[1], 0);
    cut_off("warnings", send_warning, &m, 1, 4, 8);
    tear_down();
}
END_TEST

/*
 * Each key update asks for one in return, which this peer does not read: what
 * waits to be sent has a bound. The transport takes nothing.
 */
START_TEST(a_peer_that_wants_answers_but_does_not_read_is_cut_off)
{
    int type = SSL_KEY_UPDATE_REQUESTED;

    set_up(_i, TLS1_3_VERSION);
    tap_hold(&tap_of(tap)->out);
    if (sweep_count(100000, 100000) < 60000) {
        test_figure("answers that are not read: left out, for want of time");
        tear_down();
        return;
    }
    cut_off("answers that are not read", send_key_update, &type, 2000, 2000,
            100000);
    tear_down();
}
END_TEST

/*
 * Renegotiation is refused, with a warning each time: a HelloRequest of a
 * server, a ClientHello of a client. The peer reads its answers, as one that
 * wants to go on for ever would.
 */
static void ask_to_renegotiate(void *arg)
{
    unsigned char out[RECORD_ROOM];
    char in[1000], message[4] = { 0, 0, 0, 0 };

    message[0] = !SSL_is_server(s.ssl[1]);
    stock_write(&s, 0, out, record_make(arg, SSL3_RT_HANDSHAKE, message, 4,
                                        out));
    while (BIO_read(s.io, in, sizeof(in)) > 0)
        ;
}

/* _i: role */
START_TEST(requests_to_renegotiate_do_not_hold_a_read)
{
    struct record_maker m;

    set_up(_i, TLS1_2_VERSION);
    record_maker(&m, s.ssl[1], 0);
    bounded_flood(_i ? "requests to renegotiate, of a server"
                     : "requests to renegotiate, of a client",
                  ask_to_renegotiate, &m, 10000);
    ck_assert_int_eq(BIO_write(stack, "still here", 10), 10);
    tear_down();
}
END_TEST

/* RFC 8446, 5.1: messages may share a record. OpenSSL hands over one a call. */
START_TEST(tickets_of_one_record_are_all_taken)
{
    static const unsigned char ticket[20] = {
        4, 0, 0, 16, 0, 0, 1, 0, 1, 2, 3, 4, 1, 'n', 0, 2, 't', 'k', 0, 0
    };
    unsigned char content[10 * sizeof(ticket)], out[2 * RECORD_ROOM + 300];
    struct record_maker m;
    char in[2];
    size_t n;

    for (n = 0; n < 10; n++)
        memcpy(content + n * sizeof(ticket), ticket, sizeof(ticket));
    set_up(1, TLS1_3_VERSION);
    record_maker(&m, s.ssl[1], 0);
    n = record_make(&m, SSL3_RT_HANDSHAKE, content, sizeof(content), out);
    n += record_make(&m, SSL3_RT_APPLICATION_DATA, "x", 1, out + n);
    stock_write(&s, 0, out, n);
    ck_assert_int_eq(read_once(in, sizeof(in)), 1);
    tear_down();
}
END_TEST

/* RFC 5246, 7.4.9: verify_data of 12 bytes. The record is its first. */
static size_t record_of_finished(const void *behind, size_t len,
                                 unsigned char *out)
{
    unsigned char content[16 + RECORD_ROOM] = { SSL3_MT_FINISHED, 0, 0, 12 };
    struct record_maker m;

    SSL_get_finished(s.ssl[1], content + 4, 12);
    memcpy(content + 16, behind, len);
    record_maker(&m, s.ssl[1], 0);
    m.number = 0;
    return record_make(&m, SSL3_RT_HANDSHAKE, content, 16 + len, out);
}

/*
 * _i: role. The layer is through its handshake and has more of the record in
 * which that ended: requests that it answers without reading.
 */
START_TEST(messages_behind_a_finished_are_taken)
{
    unsigned char flight[5000], requests[3 * 4] = { 0 };
    BIO *held = BIO_new(BIO_s_mem());
    int len, done = 0, shaken = 0, rounds = 0;
    char in[2];

    stack = stock_pair(&s, 1000000, &tap);
    stock_start(&s, test_ssl(_i, TLS1_2_VERSION, 1));
    SSL_set0_wbio(s.ssl[1], held);
    BIO_onion_start_tls(stack, test_ssl(!_i, TLS1_2_VERSION, 1), NULL, 0);
    while (!shaken) {
        ck_assert_msg(rounds++ < 10, "no progress");
        shaken = BIO_do_handshake(stack) == 1;
        SSL_do_handshake(s.ssl[1]);
        len = BIO_read(held, flight, sizeof(flight) - 2 * RECORD_ROOM);
        if (len <= 0)
            continue;
        if (!done && SSL_get_finished(s.ssl[1], in, 0) > 0) {
            /* Its record is the last there, and as long as this one. */
            len -= (int)record_of_finished("", 0, flight + len);
            requests[0] = requests[4] = requests[8] = !SSL_is_server(s.ssl[1]);
            len += (int)record_of_finished(requests, 12, flight + len);
            done = 1;
        }
        stock_write(&s, 0, flight, (size_t)len);
    }
    stock_write(&s, 1, "x", 1);
    len = BIO_read(held, flight, sizeof(flight));
    stock_write(&s, 0, flight, (size_t)len);
    ck_assert_int_eq(read_once(in, sizeof(in)), 1);
    ck_assert(done && in[0] == 'x');
    tear_down();
}
END_TEST

static void allowed(Suite *suite)
{
    TCase *tc = test_case(suite, "bounded");

    sweep_timeout(tc);
    tcase_add_loop_test(tc, key_updates_do_not_hold_a_read, 0, 2);
    tcase_add_test(tc, tickets_do_not_hold_a_read);
    tcase_add_test(tc, tickets_of_one_record_are_all_taken);
    tcase_add_loop_test(tc, messages_behind_a_finished_are_taken, 0, 2);
    tcase_add_loop_test(tc, records_of_one_byte_are_read_one_by_one, 0, 4);
    tcase_add_loop_test(tc, empty_records_between_data_do_not_hold_a_read, 0,
                        4);
    tcase_add_loop_test(tc, requests_to_renegotiate_do_not_hold_a_read, 0, 2);
}

static void refused(Suite *suite)
{
    TCase *tc = test_case(suite, "cut off");

    sweep_timeout(tc);
    tcase_add_loop_test(tc, a_flood_of_empty_records_is_cut_off, 0, 4);
    tcase_add_loop_test(tc, a_flood_of_warnings_is_cut_off, 0, 4);
    tcase_add_loop_test(tc,
                        a_peer_that_wants_answers_but_does_not_read_is_cut_off,
                        0, 2);
}

int main(void)
{
    Suite *suite;

    if (!CRYPTO_set_mem_functions(allocate, reallocate, release))
        return 99;
    suite = suite_create("flood");
    allowed(suite);
    refused(suite);
    return test_main(suite);
}
