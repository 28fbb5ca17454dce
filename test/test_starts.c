/*
 * test_starts.c - layers start and stop for ever on one connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A layer is started inside those that stand, spoken in and stopped again, by
 * either end, in either version, resumed or not. When it is gone the memory
 * must be what it was the time before, to the byte. In make check this happens
 * 1,000 times on a connection, with ONION_BUDGET so often, with "all" 100,000
 * times.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include "sweep.h"
#include "util.h"

#define PAIR        100000
/* Of each kind, before which something may still be made that stays. */
#define WARM_UP     20
#define KINDS       8
/* A handshake without a session is dear, and has no other memory than this. */
#define FULL_EVERY  (10 * KINDS)

/* The memory of OpenSSL, and so of the library; a block tells its length. */
static size_t live, blocks;

#define HEAD 16

static void *count_malloc(size_t len, const char *file, int line)
{
    char *p = malloc(HEAD + len);

    (void)file;
    (void)line;
    if (p == NULL)
        return NULL;
    memcpy(p, &len, sizeof(len));
    live += len;
    blocks++;
    return p + HEAD;
}

static void count_free(void *at, const char *file, int line)
{
    size_t len;

    (void)file;
    (void)line;
    if (at == NULL)
        return;
    memcpy(&len, (char *)at - HEAD, sizeof(len));
    live -= len;
    blocks--;
    free((char *)at - HEAD);
}

static void *count_realloc(void *at, size_t len, const char *file, int line)
{
    size_t old;
    void *p = count_malloc(len, file, line);

    if (at == NULL || p == NULL)
        return p;
    memcpy(&old, (char *)at - HEAD, sizeof(old));
    memcpy(p, at, old < len ? old : len);
    count_free(at, file, line);
    return p;
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

/* Over which it happens. */
static BIO *end[2];
static int below;               /* layers that stay */
static SSL_SESSION *sessions[2];        /* by version */

struct kind {
    int version;
    int client;                 /* the end that is TLS client */
    int stops;                  /* the end that stops first */
    int resumes;
};

static struct kind kind_of(size_t turn)
{
    struct kind k = { turn % 2 != 0 ? TLS1_2_VERSION : TLS1_3_VERSION,
                      turn / 2 % 2 != 0, turn / 4 % 2 != 0,
                      turn >= KINDS && turn % FULL_EVERY >= KINDS };

    return k;
}

static SSL_SESSION **session_of(const struct kind *k)
{
    return &sessions[k->version == TLS1_2_VERSION];
}

static void shake(void)
{
    int rounds = 0, done[2] = { 0, 0 }, i;

    while (!done[0] || !done[1])
        for (i = 0; i < 2; i++) {
            done[i] = done[i] || BIO_do_handshake(end[i]) == 1;
            ck_assert_msg(rounds++ < 1000, "no progress");
        }
}

static void start(const struct kind *k)
{
    SSL *ssl;
    int i;

    for (i = 0; i < 2; i++) {
        ssl = test_ssl(i == k->client, k->version, below + 1);
        if (i == k->client && k->resumes)
            ck_assert(SSL_set_session(ssl, *session_of(k)));
        ck_assert_int_eq(BIO_onion_start_tls(end[i], ssl, NULL, 0), 1);
    }
    shake();
}

static void pass(int from, const char *text)
{
    int len = (int)strlen(text);
    char in[64];

    ck_assert_int_eq(BIO_write(end[from], text, len), len);
    ck_assert_int_eq(BIO_read(end[!from], in, sizeof(in)), len);
    ck_assert(memcmp(in, text, (size_t)len) == 0);
}

static void talk(void)
{
    pass(0, "from the one to the other");
    pass(1, "and back");
    pass(0, "again");
}

/* The first session of a version is that of all that resume. */
static void keep_session(const struct kind *k)
{
    SSL *ssl = BIO_onion_get0_ssl(end[k->client], below + 1);

    ck_assert_int_eq(SSL_session_reused(ssl), k->resumes);
    if (*session_of(k) == NULL)
        *session_of(k) = SSL_get1_session(ssl);
}

static void rise(const struct kind *k)
{
    BIO *first = end[k->stops], *second = end[!k->stops];
    char c;

    ck_assert_int_eq(BIO_onion_stop_tls(first, below), 0);
    ck_assert_int_eq(BIO_read(second, &c, 1), 0);
    ck_assert_int_eq(BIO_onion_stop_tls(second, below), 1);
    ck_assert_int_eq(BIO_read(first, &c, 1), 0);
    test_depths(first, below, below);
    test_depths(second, below, below);
}

static void start_and_stop(size_t turn)
{
    struct kind k = kind_of(turn);

    start(&k);
    talk();
    keep_session(&k);
    rise(&k);
    talk();
}

static void dive(int depth)
{
    static const struct kind staying = { TLS1_3_VERSION, 0, 0, 0 };

    test_pair(&end[0], &end[1], PAIR, PAIR);
    for (below = 0; below < depth; below++)
        start(&staying);
    talk();
}

static void tear_down(void)
{
    int i;

    for (i = 0; i < 2; i++) {
        BIO_free_all(end[i]);
        SSL_SESSION_free(sessions[i]);
        sessions[i] = NULL;
    }
    ERR_clear_error();
}

/* _i: inside no layer, or inside two */
START_TEST(starts_and_stops_leave_no_byte)
{
    size_t turns = sweep_count(1000, 100000), before = 0, n = 0, turn;

    dive(_i * 2);
    for (turn = 0; turn < turns + WARM_UP * KINDS; turn++) {
        if (turn == WARM_UP * KINDS) {
            before = live;
            n = blocks;
        }
        start_and_stop(turn);
        ck_assert_msg(before == 0 || (live == before && blocks == n),
                      "after %zu starts and stops %zu bytes in %zu blocks, "
                      "not %zu in %zu", turn + 1, live, blocks, before, n);
    }
    test_figure("%zu starts and stops inside %d layers: %zu bytes in %zu "
                "blocks after each of them", turns, below, live, blocks);
    tear_down();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("starts");
    TCase *tc;

    if (!CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
        return 99;
    tc = test_case(s, "for ever");
    sweep_timeout(tc);
    tcase_add_loop_test(tc, starts_and_stops_leave_no_byte, 0, 2);
    return test_main(s);
}
