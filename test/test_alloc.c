/*
 * test_alloc.c - a session in which one allocation fails, or all from there on.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Three layers are started, two stopped, one started again and all stopped; a
 * case is the number of the allocation that fails, at either end. See sweep.h
 * for how many are run. What must hold beside the expectations of talk.h:
 *
 *   leak      what is allocated then is as much as before
 *   weaker    a session that completes has the version, the cipher, the
 *             verify result and the names of the undisturbed one
 *   alone     the next session is not disturbed
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include "sweep.h"
#include "talk.h"

static const char script_a[] =
    "s0h0+1s1h1+2s2h2+3s3h3-1b3b2s1h1+2s2h2-0b2b1s0h0";
static const char script_b[] =
    "h0s0+1h1s1+2h2s2+3h3s3b3b2-1h1s1+2h2s2b2b1-0h0s0";

/*
 * The allocator of OpenSSL: it counts, fails, and knows what is not freed.
 */

static size_t count, fail_at, live;
static int armed, sticky;

/* Those that this library makes, or asks for: of an SSL, a BIO. By number. */
#define MAX_OURS 5000
static size_t ours[MAX_OURS];
static int n_ours;

struct head {
    struct head *next, **prev;
    const char *file;
    int line;
    size_t size;
};

static union {
    struct head head;
    max_align_t align;
} size_of_head;

#define HEAD sizeof(size_of_head)

static struct head *blocks;

static void link_block(struct head *h)
{
    h->next = blocks;
    h->prev = &blocks;
    if (blocks != NULL)
        blocks->prev = &h->next;
    blocks = h;
    live++;
}

static void unlink_block(struct head *h)
{
    *h->prev = h->next;
    if (h->next != NULL)
        h->next->prev = h->prev;
    live--;
}

static int is_ours(const char *file)
{
    return file != NULL             /* OpenSSL 4.0 does not always say */
        && (strstr(file, "onion_") != NULL || strstr(file, "ssl_lib.c") != NULL
            || strstr(file, "bio_lib.c") != NULL);
}

static int fails(const char *file)
{
    if (!armed)
        return 0;
    count++;
    if (fail_at == 0 && is_ours(file) && n_ours < MAX_OURS)
        ours[n_ours++] = count;
    return fail_at > 0 && (sticky ? count >= fail_at : count == fail_at);
}

static void *allocate(size_t size, const char *file, int line)
{
    struct head *h;

    if (fails(file) || (h = malloc(HEAD + size)) == NULL)
        return NULL;
    h->file = file;
    h->line = line;
    h->size = size;
    link_block(h);
    return (char *)h + HEAD;
}

static void release(void *p, const char *file, int line)
{
    struct head *h = p == NULL ? NULL : (void *)((char *)p - HEAD);

    (void)file;
    (void)line;
    if (h == NULL)
        return;
    unlink_block(h);
    free(h);
}

static void *reallocate(void *p, size_t size, const char *file, int line)
{
    struct head *h = p == NULL ? NULL : (void *)((char *)p - HEAD);
    void *q;

    q = allocate(size, file, line);
    if (q == NULL || h == NULL)
        return q;
    memcpy(q, p, h->size < size ? h->size : size);
    release(p, file, line);
    return q;
}

/*
 * Sessions
 */

static struct talk clean;
static size_t allocations;
static int version, flip;

/* What OpenSSL keeps for a thread is made anew each time. */
static void settle(void)
{
    ERR_clear_error();
    OPENSSL_thread_stop();
}

static int run(struct talk *t, size_t n, int all)
{
    int passed;

    talk_new(t, version, flip, script_a, script_b);
    count = 0;
    n_ours = n == 0 ? 0 : n_ours;
    fail_at = n;
    sticky = all;
    ERR_clear_error();      /* without a queue none could be told of */
    armed = 1;
    passed = talk_run(t);
    armed = 0;
    talk_free(t);
    settle();
    return passed;
}

static void say_what_leaks(size_t before)
{
    const struct head *h = blocks;
    char text[300] = "";
    size_t n, len = 0;

    for (n = live - before; n > 0 && h != NULL; n--, h = h->next)
        if (len < 200)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s:%d ",
                                    h->file, h->line);
    ck_abort_msg("%s: %zu blocks are not freed: %s", talk_what, live - before,
                 text);
}

/*
 * The first sessions fill what OpenSSL keeps for the process, those that fail
 * too. What it loads once should not meet a failure: it does not try again.
 */
static void run_clean(void)
{
    size_t before = 0;
    int i;

    snprintf(talk_what, sizeof(talk_what), "clean");
    talk_prepare(version);
    talk_without_text = 1;
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL);
    run(&clean, 0, 0);
    for (i = 1; i < 10; i++)
        run(&clean, (size_t)i * 1000, 1);
    for (i = 0; i < 4; i++) {
        before = live;
        if (!run(&clean, 0, 0))
            ck_abort_msg("not clean: %s%s", clean.a.error, clean.b.error);
    }
    allocations = count;
    if (live != before)
        say_what_leaks(before);
}

static void set_up(int i)
{
    version = i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    flip = i / 2;
    run_clean();
}

/* The n-th allocation fails: 1 if the session completes. */
static int one_failure(const struct sweep *s, size_t n, int all)
{
    size_t before = live;
    struct talk t;
    int passed;

    snprintf(talk_what, sizeof(talk_what), "ONION_CASE=%zu, allocation %zu"
             " fails%s, TLS 1.%d, %s is the client", s->at, n, all
             ? " with all that follow" : "",
             version == TLS1_3_VERSION ? 3 : 2, flip ? "b" : "a");
    passed = run(&t, n, all);
    if (passed)
        talk_same_facts(&t, &clean);
    if (live != before)
        say_what_leaks(before);
    return passed;
}

static void report(const struct sweep *s, const char *what, size_t completed)
{
    struct talk t;

    if (!run(&t, 0, 0))
        ck_abort_msg("disturbed: %s%s", t.a.error, t.b.error);
    talk_same_facts(&t, &clean);
    sweep_report(s, what, "TLS 1.%d, %s the client: %zu sessions failed, %zu"
                 " completed", version == TLS1_3_VERSION ? 3 : 2,
                 flip ? "b" : "a", s->done - completed, completed);
}

static void sweep_allocations(int i, int all, size_t usual)
{
    size_t completed = 0;
    struct sweep s;

    set_up(i);
    sweep_start(&s, allocations, usual);
    while (sweep_next(&s))
        completed += (size_t)one_failure(&s, s.at + 1, all);
    report(&s, all ? "allocations fail from one on"
                   : "one allocation fails", completed);
    if (all)
        ck_assert_uint_eq(completed, 0);
}

/* Twice each: alone, and with all that follow. */
START_TEST(any_allocation_of_the_library_may_fail)
{
    size_t completed = 0, half;
    struct sweep s;

    set_up(_i);
    half = (size_t)n_ours;
    ck_assert_uint_gt(half, 20);
    ck_assert_uint_lt(half, MAX_OURS);
    sweep_start(&s, 2 * half, 2 * half);
    while (sweep_next(&s))
        completed += (size_t)one_failure(&s, ours[s.at % half], s.at >= half);
    report(&s, "one of ours fails", completed);
}
END_TEST

START_TEST(any_allocation_may_fail_once)
{
    sweep_allocations(_i, 0, 200);
}
END_TEST

START_TEST(all_allocations_may_fail_from_anywhere)
{
    sweep_allocations(_i, 1, 200);
}
END_TEST

/* 1 if a client accepts the certificate of another host than it expects. */
static int wrong_name_is_accepted(int expected, size_t n)
{
    BIO *half_c, *half_s, *c, *s;
    int i, ret = 0;

    ck_assert(BIO_new_bio_pair(&half_c, 0, &half_s, 0));
    c = BIO_new_onion_stack(half_c);
    s = BIO_new_onion_stack(half_s);
    ck_assert(BIO_onion_start_client(c, test_client_ctx(expected, 1),
                                     test_name(2)));
    ck_assert(BIO_onion_start_server(s, test_server_ctx(expected, test_name(1),
                                                        0)));
    count = 0;
    fail_at = n;
    sticky = 0;
    armed = 1;
    for (i = 0; i < 20 && ret <= 0; i++) {
        ret = (int)BIO_do_handshake(c);
        BIO_do_handshake(s);
    }
    armed = 0;
    BIO_free_all(c);
    BIO_free_all(s);
    settle();
    return ret > 0;
}

/*
 * Memory failed while OpenSSL copied the names to expect, and it went on
 * without them: nothing told of it. Each case is a handshake of one layer.
 */
START_TEST(a_failure_makes_no_client_accept_a_wrong_name)
{
    int tls = _i == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    struct sweep s;
    int i;

    for (i = 0; i < 4; i++)
        ck_assert(!wrong_name_is_accepted(tls, 0));
    sweep_start(&s, count, count);
    while (sweep_next(&s))
        if (wrong_name_is_accepted(tls, s.at + 1))
            ck_abort_msg("ONION_CASE=%zu: accepted", s.at);
    sweep_report(&s, "another host's certificate", "TLS 1.%d", _i == 0 ? 3 : 2);
}
END_TEST

/*
 * Early data: two layers that resume, and a request that goes with the first
 * flight of both.
 */

static const char *const texts[2] = { "a request", "and its reply" };

struct early {
    BIO *end[2];                    /* the client, the server */
    size_t got[2];                  /* of what the other says */
    int said[2], failed;
    int shake_first;                /* the server, before it reads */
};

static SSL_SESSION *sessions[2];

/* A session that a handshake fails with is not resumed again. */
static void use_copy(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);

    ck_assert(copy != NULL && SSL_set_session(ssl, copy));
    SSL_SESSION_free(copy);
}

static SSL *early_ssl(int client, int layer)
{
    SSL *ssl = test_ssl(client, TLS1_3_VERSION, layer + 1);

    SSL_CTX_set_session_cache_mode(SSL_get_SSL_CTX(ssl), SSL_SESS_CACHE_OFF);
    if (client && sessions[layer] != NULL)
        use_copy(ssl, sessions[layer]);
    if (client)
        return ssl;
    SSL_set_options(ssl, SSL_OP_NO_ANTI_REPLAY);
    ck_assert(SSL_set_max_early_data(ssl, 4096));
    return ssl;
}

/* It is started, or something of it has failed, as it may. */
static void early_start(struct early *e, SSL *ssl[4])
{
    int i;

    for (i = 0; i < 4 && !e->failed; i++) {
        e->failed = !BIO_onion_start_tls(e->end[i % 2], ssl[i], NULL, 0);
        if (!e->failed)
            ssl[i] = NULL;
    }
}

/* 1: done. 0: to be repeated, or failed. */
static int early_done(struct early *e, int i, int ret)
{
    if (ret > 0)
        return 1;
    e->failed |= !BIO_should_retry(e->end[i]);
    return 0;
}

static void early_turn(struct early *e, int i)
{
    const char *text = texts[1 - i];
    char in[32];
    int n;

    if (i == 1 && e->shake_first)
        e->shake_first = !early_done(e, i, (int)BIO_do_handshake(e->end[i]));
    if (e->failed)
        return;
    if (!e->said[i] && (i == 0 || e->got[1] == strlen(text)))
        e->said[i] = early_done(e, i, BIO_write(e->end[i], texts[i],
                                                (int)strlen(texts[i])));
    n = BIO_read(e->end[i], in, sizeof(in));
    if (!early_done(e, i, n))
        return;
    ck_assert_uint_le(e->got[i] + (size_t)n, strlen(text));
    ck_assert(memcmp(in, text + e->got[i], (size_t)n) == 0);
    e->got[i] += (size_t)n;
}

static void early_learn(const struct early *e)
{
    int i;

    for (i = 0; i < 2; i++)
        sessions[i] = SSL_get1_session(BIO_onion_get0_ssl(e->end[0], i + 1));
}

/* 1 if the reply has come, with the n-th allocation failed. */
static int early_run(size_t n, int all, int learn)
{
    struct early e = { 0 };
    SSL *ssl[4];
    int i, rounds = 0;

    e.shake_first = !all;
    test_pair(&e.end[0], &e.end[1], 20000, 20000);
    for (i = 0; i < 4; i++)
        ssl[i] = early_ssl(i % 2 == 0, i / 2);
    for (i = 0; i < 2; i++)
        BIO_onion_set_flags(e.end[i], ONION_EARLY | ONION_EARLY_DATA);
    ERR_clear_error();
    count = 0;
    n_ours = n == 0 ? 0 : n_ours;
    fail_at = n;
    sticky = all;
    armed = 1;
    early_start(&e, ssl);
    while (!e.failed && e.got[0] < strlen(texts[1])) {
        early_turn(&e, rounds % 2);
        if (rounds++ > 400)
            ck_abort_msg("allocation %zu: no progress", n);
    }
    armed = 0;
    if (learn)
        early_learn(&e);
    else if (n == 0)
        ck_assert_int_eq(SSL_get_early_data_status(
                             BIO_onion_get0_ssl(e.end[0], 2)),
                         SSL_EARLY_DATA_ACCEPTED);
    for (i = 0; i < 4; i++)
        SSL_free(ssl[i]);
    BIO_free_all(e.end[0]);
    BIO_free_all(e.end[1]);
    settle();
    return !e.failed;
}

static void early_case(const struct sweep *s, size_t n, int all, size_t *good)
{
    size_t before = live;

    snprintf(talk_what, sizeof(talk_what), "ONION_CASE=%zu", s->at);
    *good += (size_t)early_run(n, all, 0);
    if (live != before)
        say_what_leaks(before);
}

/* _i: any of ours; any at all; each alone, and with all that follow */
START_TEST(any_allocation_may_fail_where_data_goes_early)
{
    size_t good = 0, total;
    struct sweep s;
    int i;

    ck_assert(early_run(0, 0, 1));
    for (i = 0; i < 4; i++)
        ck_assert(early_run(0, 0, 0));
    for (i = 1; i < 10; i++)
        early_run((size_t)i * 500, 1, 0);
    ck_assert(early_run(0, 0, 0));
    total = _i == 0 ? (size_t)n_ours : count;
    ck_assert_uint_gt(total, 20);
    sweep_start(&s, 2 * total, _i == 0 ? 2 * total : 300);
    while (sweep_next(&s))
        early_case(&s, _i == 0 ? ours[s.at % total] : s.at % total + 1,
                   s.at >= total, &good);
    ck_assert(early_run(0, 0, 0));
    sweep_report(&s, _i == 0 ? "early data, one of ours fails"
                             : "early data, one allocation fails",
                 "%zu sessions failed, %zu completed", s.done - good, good);
    for (i = 0; i < 2; i++) {
        SSL_SESSION_free(sessions[i]);
        sessions[i] = NULL;
    }
}
END_TEST

/* _i: version x who is the client */
int main(void)
{
    Suite *suite;
    TCase *tc;

    if (!CRYPTO_set_mem_functions(allocate, reallocate, release))
        return 99;
    suite = suite_create("alloc");
    tc = test_case(suite, "fail");
    sweep_timeout(tc);
    tcase_add_loop_test(tc, any_allocation_of_the_library_may_fail, 0, 4);
    tcase_add_loop_test(tc, any_allocation_may_fail_once, 0, 4);
    tcase_add_loop_test(tc, all_allocations_may_fail_from_anywhere, 0, 4);
    tcase_add_loop_test(tc, a_failure_makes_no_client_accept_a_wrong_name, 0,
                        2);
    tcase_add_loop_test(tc, any_allocation_may_fail_where_data_goes_early, 0,
                        2);
    return test_main(suite);
}
