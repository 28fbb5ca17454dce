/*
 * test_cleanse.c - no memory that is freed holds what was said in the clear.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each block of OpenSSL's and ours is searched for the words that were sent
 * when it is freed, or moved by a growing allocation.
 */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "util.h"

#define PAIR_SIZE 70000
#define SECRET "the words that no freed memory may hold"

struct block {
    size_t size;
    max_align_t data[];
};

static int found;               /* blocks that held it */

/* What a transport holds is the transport's: here in a BIO pair. */
static void search(const struct block *b)
{
    if (b->size == PAIR_SIZE)
        return;
    found += memmem(b->data, b->size, SECRET, strlen(SECRET)) != NULL;
}

/* What get() returns lies in its block, which the analyser loses sight of. */
#if defined __GNUC__ && !defined __clang__ && __GNUC__ >= 10
# pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static void *get(size_t size, const char *file, int line)
{
    struct block *b = malloc(sizeof(*b) + size);

    (void)file;
    (void)line;
    if (b == NULL)
        return NULL;
    b->size = size;
    /* cppcheck-suppress memleak; put() frees it */
    return b->data;
}

static void put(void *p, const char *file, int line)
{
    struct block *b;

    (void)file;
    (void)line;
    if (p == NULL)
        return;
    b = (void *)((char *)p - sizeof(*b));
    search(b);
    free(b);
}

static void *move(void *p, size_t size, const char *file, int line)
{
    struct block *b;
    void *to = get(size, file, line);

    if (p == NULL || to == NULL)
        return to;
    b = (void *)((char *)p - sizeof(*b));
    memcpy(to, p, b->size < size ? b->size : size);
    put(p, file, line);
    return to;
}

static struct peers p;

/* The words, len bytes of them. */
static const char *words(int len)
{
    static char text[100000];
    int i, n = (int)strlen(SECRET);

    for (i = 0; i < len; i++)
        text[i] = SECRET[i % n];
    return text;
}

static void say(int len)
{
    static char in[100000];
    int put_all = 0, got = 0, n;

    while (!put_all || got < len) {
        if (!put_all)
            put_all = BIO_write(p.a.bio, words(len), len) == len;
        if ((n = BIO_read(p.b.bio, in, sizeof(in))) > 0)
            got += n;
    }
    ck_assert_int_eq(got, len);
    BIO_read(p.b.bio, in, sizeof(in));
    OPENSSL_cleanse(in, sizeof(in));
}

static void done(void)
{
    peers_free(&p);
    ck_assert_int_eq(found, 0);
}

/* What there is to be found, if nobody cleanses it. */
START_TEST(a_block_that_holds_it_is_found)
{
    char *block = OPENSSL_malloc(1000);

    memcpy(block + 500, SECRET, strlen(SECRET));
    OPENSSL_free(block);
    ck_assert_int_eq(found, 1);
}
END_TEST

/* _i: depth x once, or so often that the connection is busy x length */
START_TEST(what_was_said_is_cleansed)
{
    static const int lens[] = { 60, 20000, 90000 };
    int i, times = _i / 3 % 2 ? 70 : 1;

    peers_new(&p, PAIR_SIZE, TLS1_3_VERSION);
    peers_dive(&p, _i / 6);
    for (i = 0; i < times; i++)
        say(lens[_i % 3]);
    if (_i / 6 > 0)
        peers_rise(&p, &p.a, 0);
    done();
}
END_TEST

/* Bytes that were read too early, and lines that were peeked at. */
START_TEST(what_was_read_ahead_is_cleansed)
{
    char in[60];

    peers_new(&p, PAIR_SIZE, TLS1_3_VERSION);
    peers_dive(&p, _i);
    ck_assert_int_eq(BIO_write(p.a.bio, words(3000), 3000), 3000);
    ck_assert_int_eq(BIO_gets(p.b.bio, in, sizeof(in)), sizeof(in) - 1);
    done();
}
END_TEST

static void forget(void)
{
    found = 0;
}

int main(void)
{
    Suite *suite;
    TCase *tc;

    CRYPTO_set_mem_functions(get, move, put);
    suite = suite_create("cleanse");
    tc = test_case(suite, "freed memory");
    tcase_add_checked_fixture(tc, forget, NULL);
    tcase_add_test(tc, a_block_that_holds_it_is_found);
    test_loop(tc, what_was_said_is_cleansed, 0, 18);
    test_loop(tc, what_was_read_ahead_is_cleansed, 0, 3);
    return test_main(suite);
}
