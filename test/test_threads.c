/*
 * test_threads.c - threads that share an SSL_CTX, each with stacks of its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * make check-tsan runs it with ThreadSanitizer. A thread notes what failed, and
 * Check hears of it when all are back: it knows of no threads.
 */

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include "util.h"

#define THREADS     8
#define LAYERS      3
#define ROUNDS      4
/* Both ends wait for each other, and neither gets on. */
#define TURNS_MAX   100000

/* What the threads share. */
static SSL_CTX *ctx;
static char host[32];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static SSL_SESSION *sessions[2][LAYERS];    /* by version and layer */
static pthread_barrier_t barrier;

struct talker {
    pthread_t thread;
    int version;                /* 0: TLS 1.2, 1: TLS 1.3 */
    BIO *client, *server;
    int events;                 /* told by the callback */
    int resumed;                /* layers that were */
    char why[128];              /* what failed, or empty */
};

static int failed(struct talker *t, const char *what)
{
    if (t->why[0] == '\0')
        snprintf(t->why, sizeof(t->why), "%s: %s", what,
                 ERR_reason_error_string(ERR_peek_last_error()));
    return 0;
}

/* For both, one kind of key and of name: layer 2 has P-256. */
static SSL_CTX *shared_ctx(void)
{
    SSL_CTX *server = test_server_ctx(0, test_name(2), TEST_P256);
    SSL_CTX *client = test_client_ctx(0, 1);
    SSL_CTX *both = SSL_CTX_new(TLS_method());

    ck_assert_ptr_nonnull(both);
    ck_assert(SSL_CTX_use_certificate(both, SSL_CTX_get0_certificate(server)));
    ck_assert(SSL_CTX_use_PrivateKey(both, SSL_CTX_get0_privatekey(server)));
    SSL_CTX_set1_cert_store(both, SSL_CTX_get_cert_store(client));
    /* A client's cache would take a session away from the other threads. */
    SSL_CTX_set_session_cache_mode(both, SSL_SESS_CACHE_SERVER);
    return both;
}

/* The session that any thread had in such a layer last. */
static void offer_session(struct talker *t, SSL *ssl, int layer)
{
    pthread_mutex_lock(&lock);
    if (sessions[t->version][layer] != NULL)
        SSL_set_session(ssl, sessions[t->version][layer]);
    pthread_mutex_unlock(&lock);
}

static void keep_session(struct talker *t, SSL *ssl, int layer)
{
    SSL_SESSION *session = SSL_get1_session(ssl);

    pthread_mutex_lock(&lock);
    SSL_SESSION_free(sessions[t->version][layer]);
    sessions[t->version][layer] = session;
    pthread_mutex_unlock(&lock);
    t->resumed += SSL_session_reused(ssl);
}

static void on_event(BIO *stack, int event, int layer, SSL *ssl, void *arg)
{
    struct talker *t = arg;

    (void)stack;
    (void)event;
    (void)layer;
    (void)ssl;
    t->events++;
}

/* 1: done; 0: to be repeated; -1: failed. */
static int done(BIO *bio, int ret)
{
    return ret > 0 ? 1 : BIO_should_retry(bio) ? 0 : -1;
}

static int shake_hands(struct talker *t)
{
    int client = 0, server = 0, turns;

    for (turns = 0; turns < TURNS_MAX && !(client && server); turns++) {
        if (!client)
            client = done(t->client, (int)BIO_do_handshake(t->client));
        if (!server)
            server = done(t->server, (int)BIO_do_handshake(t->server));
        if (client < 0 || server < 0)
            return failed(t, "handshake");
    }
    return client && server ? 1 : failed(t, "handshake without end");
}

static int start(struct talker *t, int layer)
{
    SSL *ssl;

    if (BIO_onion_start_client(t->client, ctx, host) <= 0
        || BIO_onion_start_server(t->server, ctx) <= 0)
        return failed(t, "start");
    ssl = BIO_onion_get0_ssl(t->client, layer + 1);
    SSL_set_max_proto_version(ssl, t->version ? TLS1_3_VERSION
                                              : TLS1_2_VERSION);
    offer_session(t, ssl, layer);
    return shake_hands(t);
}

/* A text from one to the other. */
static int say(struct talker *t, BIO *from, BIO *to, const char *text)
{
    int len = (int)strlen(text), sent = 0, got = 0, n, turns;
    char heard[64];

    for (turns = 0; turns < TURNS_MAX && (!sent || got < len); turns++) {
        if (!sent && (sent = done(from, BIO_write(from, text, len))) < 0)
            return failed(t, "write");
        n = BIO_read(to, heard + got, len - got);
        if (n <= 0 && !BIO_should_retry(to))
            return failed(t, "read");
        got += n > 0 ? n : 0;
    }
    return got == len && memcmp(heard, text, (size_t)len) == 0
        ? 1 : failed(t, "another text");
}

static int talk(struct talker *t)
{
    return say(t, t->server, t->client, "said by the server")
        && say(t, t->client, t->server, "said by the client");
}

/* Down to depth at both ends: 1 from each. A boundary is a read of 0. */
static int stop(struct talker *t, int depth)
{
    int client = 0, server = 0, turns;
    char byte;

    for (turns = 0; turns < TURNS_MAX && !(client && server); turns++) {
        client = BIO_onion_stop_tls(t->client, depth) == 1;
        server = BIO_onion_stop_tls(t->server, depth) == 1;
        if (!client && BIO_read(t->client, &byte, 1) > 0)
            return failed(t, "a byte in a stop");
        if (!server && BIO_read(t->server, &byte, 1) > 0)
            return failed(t, "a byte in a stop");
    }
    return client && server ? 1 : failed(t, "stop without end");
}

/* Three layers in, two out, one in, all out. */
static int one_round(struct talker *t)
{
    int i;

    for (i = 0; i < LAYERS; i++)
        if (!start(t, i) || !talk(t))
            return 0;
    for (i = 0; i < LAYERS; i++)
        keep_session(t, BIO_onion_get0_ssl(t->client, i + 1), i);
    return stop(t, 1) && talk(t) && start(t, 1) && talk(t) && stop(t, 0)
        && talk(t);
}

static void *run(void *arg)
{
    struct talker *t = arg;
    int i, good = 1;

    pthread_barrier_wait(&barrier);
    for (i = 0; i < ROUNDS && good; i++) {
        test_pair(&t->client, &t->server, i % 2 == 0 ? 17408 : 512, 17408);
        BIO_onion_set_callback(t->client, on_event, t);
        good = one_round(t);
        BIO_free_all(t->client);
        BIO_free_all(t->server);
    }
    return NULL;
}

static void free_shared(void)
{
    int i;

    for (i = 0; i < 2 * LAYERS; i++)
        SSL_SESSION_free(sessions[i / LAYERS][i % LAYERS]);
    memset(sessions, 0, sizeof(sessions));
    SSL_CTX_free(ctx);
    pthread_barrier_destroy(&barrier);
}

/* The first calls of the library are made by all of them at once. */
START_TEST(threads_that_share_a_context_do_not_meet)
{
    struct talker talkers[THREADS] = { 0 };
    int i, resumed = 0;

    ctx = shared_ctx();
    OPENSSL_strlcpy(host, test_name(2), sizeof(host));
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    for (i = 0; i < THREADS; i++) {
        talkers[i].version = i % 2;
        ck_assert_int_eq(pthread_create(&talkers[i].thread, NULL, run,
                                        &talkers[i]), 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(talkers[i].thread, NULL);
        ck_assert_str_eq(talkers[i].why, "");
        ck_assert_int_gt(talkers[i].events, ROUNDS * LAYERS);
        resumed += talkers[i].resumed;
    }
    ck_assert_int_ge(resumed, THREADS * (ROUNDS - 1) * LAYERS);
    free_shared();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("threads");

    tcase_add_test(test_case(s, "threads"),
                   threads_that_share_a_context_do_not_meet);
    return test_main(s);
}
