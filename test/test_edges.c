/*
 * test_edges.c - the edges of the calls: no room, no memory, nothing below.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "util.h"
#include "../bio_onion/onion_openssl.h"

/*
 * Memory: this program's own allocator can fail, once.
 */

static int fail_at;             /* 0: never; else the n-th from now on */
static const char *fail_in = "";        /* of the files with this in the name */
static int living;              /* blocks that were not freed */

static int fails(const char *file)
{
    return fail_at > 0 && file != NULL && strstr(file, fail_in) != NULL
        && --fail_at == 0;
}

static void *living_too(void *block)
{
    living += block != NULL;
    return block;
}

static void *allocate(size_t len, const char *file, int line)
{
    (void)line;
    return fails(file) ? NULL : living_too(malloc(len));
}

static void *reallocate(void *old, size_t len, const char *file, int line)
{
    if (old == NULL)
        return allocate(len, file, line);
    return fails(file) ? NULL : realloc(old, len);
}

static void release(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    living -= old != NULL;
    free(old);
}

/* The n-th allocation of these calls fails. */
static void calls_without_memory(int n)
{
    SSL_CTX *ctx = test_client_ctx(0, 1);
    BIO *half, *other, *stack, *layer, *buffered;
    int started = 0;

    /* SSL_set_connect_state() may lack it since then, and cannot say so. */
    if (OpenSSL_version_num() >= 0x30200000L)
        return;
    BIO_new_bio_pair(&half, 100, &other, 100);
    fail_at = n;
    stack = BIO_new_onion_stack(half);
    layer = BIO_new_onion(ctx, 1);
    buffered = BIO_new_buffer_onion_connect(ctx);
    if (stack != NULL)
        started = BIO_onion_start_client(stack, ctx, "layer1.test");
    fail_at = 0;
    if (started)
        ck_assert_int_eq(BIO_onion_write_depth(stack), 1);
    ck_assert_int_eq(BIO_onion_shutdown(NULL), 1);
    BIO_free_all(stack != NULL ? stack : half);
    BIO_free_all(layer);
    BIO_free_all(buffered);
    BIO_free(other);
    ERR_clear_error();
}

/* Each turn is a process of its own, where nothing was called before. */
START_TEST(the_first_calls_may_lack_memory)
{
    calls_without_memory(_i + 1);
}
END_TEST

START_TEST(a_call_that_lacked_memory_keeps_none)
{
    int round, n, before = 0;

    for (round = 0; round < 3; round++) {
        before = living;
        for (n = 0; n < 150; n++)
            calls_without_memory(n);
    }
    ck_assert_int_eq(living, before);
}
END_TEST

/*
 * A stack with nothing in it
 */

START_TEST(a_stack_without_a_chain_answers_and_does_nothing)
{
    BIO *stack = BIO_new(BIO_f_onion_stack());
    BIO *out = BIO_new(BIO_s_mem());
    char byte;

    ck_assert_int_eq(BIO_pending(stack), 0);
    ck_assert_int_eq(BIO_wpending(stack), 0);
    ck_assert_int_eq(BIO_eof(stack), 1);
    ck_assert_int_eq((int)BIO_get_fd(stack, NULL), -1);
    ck_assert_int_eq((int)BIO_set_nbio(stack, 1), 0);
    ck_assert_int_eq((int)BIO_set_info_callback(stack, NULL), 0);
    ck_assert_int_eq(BIO_onion_print(out, stack), 1);
    test_failed(stack, BIO_read(stack, &byte, 1), ONION_R_NO_TRANSPORT);
    test_failed(stack, BIO_gets(stack, &byte, 1), ONION_R_NO_TRANSPORT);
    test_failed(stack, (int)BIO_flush(stack), ONION_R_NO_TRANSPORT);
    test_failed(stack, (int)BIO_do_handshake(stack), ONION_R_NO_TRANSPORT);
    ck_assert_int_eq(BIO_write(stack, &byte, 1), -1);
    test_failed(stack, -1, ONION_R_NO_TRANSPORT);
    BIO_free(out);
    BIO_free(stack);
}
END_TEST

START_TEST(a_stack_over_nothing_is_not_made)
{
    ck_assert_ptr_null(BIO_new_onion_stack(NULL));
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()),
                     ONION_R_NO_TRANSPORT);
    ERR_clear_error();
}
END_TEST

START_TEST(a_stack_keeps_its_close_flag)
{
    BIO *a, *b;

    test_pair(&a, &b, 100, 100);
    ck_assert_int_eq((int)BIO_get_close(a), BIO_CLOSE);
    ck_assert_int_eq((int)BIO_set_close(a, BIO_NOCLOSE), 1);
    ck_assert_int_eq((int)BIO_get_close(a), BIO_NOCLOSE);
    (void)BIO_set_close(a, BIO_CLOSE);
    BIO_free_all(a);
    BIO_free_all(b);
}
END_TEST

/*
 * Lengths
 */

/* i: depth */
START_TEST(no_length_is_read_and_written)
{
    struct peers p;
    char byte = 'x';
    size_t n;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, _i);
    peer_send(&p, &p.b, "abc\n", 4);
    ck_assert_int_le(BIO_read(p.a.bio, &byte, 0), 0);
    ck_assert_int_le(BIO_write(p.a.bio, &byte, 0), 0);
    ck_assert_int_le(BIO_gets(p.a.bio, &byte, 1), 0);
    ck_assert_int_le(BIO_puts(p.a.bio, ""), 0);
    ck_assert_int_le(BIO_read(BIO_next(p.a.bio), &byte, 0), 0);
    ck_assert_int_eq(BIO_pending(BIO_next(p.a.bio)), 4);
    ck_assert_int_le(BIO_write(BIO_next(p.a.bio), &byte, 0), 0);
    ck_assert_int_eq(BIO_read_ex(p.a.bio, &byte, 0, &n), 0);
    ck_assert_int_eq(byte, 'x');
    test_no_error();
    peer_expect(&p, &p.a, "abc\n", 4, _i);
    peers_talk(&p);
    peers_free(&p);
}
END_TEST

/* i: depth. What is asked for is more than an int; what there is, is not. */
START_TEST(more_than_an_int_may_be_asked_for)
{
    size_t got = 0, len = (size_t)INT_MAX + 1;
    char text[100] = "";
    struct peers p;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, _i);
    ck_assert_int_eq(BIO_write(p.b.bio, "some text", 9), 9);
    ck_assert_int_eq(BIO_read_ex(p.a.bio, text, len, &got), 1);
    ck_assert_uint_eq(got, 9);
    ck_assert_str_eq(text, "some text");
    ck_assert_int_eq(BIO_write(p.b.bio, "some more", 9), 9);
    ck_assert_int_eq(BIO_read_ex(BIO_next(p.a.bio), text, len, &got), 1);
    ck_assert_str_eq(text, "some more");
    peers_free(&p);
}
END_TEST

/*
 * Nothing below
 */

START_TEST(a_wire_whose_transport_was_popped_says_so)
{
    BIO *a, *b, *wire, *transport;
    char byte;

    test_pair(&a, &b, 100, 100);
    wire = BIO_next(a);
    ck_assert_int_eq(BIO_wpending(wire), 0);
    ck_assert_int_eq((int)BIO_do_handshake(wire), 1);
    ck_assert_int_eq((int)BIO_flush(wire), 1);
    ck_assert_int_eq((int)BIO_ctrl(wire, 9999, 0, NULL), 0);
    ck_assert_int_eq(BIO_read(wire, &byte, 0), 0);
    transport = BIO_next(wire);
    BIO_pop(transport);
    ck_assert_int_eq(BIO_pending(wire), 0);
    ck_assert_int_eq((int)BIO_do_handshake(wire), 0);
    ck_assert_int_eq((int)BIO_get_fd(wire, NULL), -1);
    ck_assert_int_eq((int)BIO_set_nbio(wire, 1), 0);
    ck_assert_int_eq((int)BIO_set_info_callback(wire, NULL), 0);
    ck_assert_int_le(BIO_read(wire, &byte, 1), 0);
    ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()),
                     ONION_R_NO_TRANSPORT);
    test_failed(a, BIO_read(a, &byte, 1), ONION_R_NO_TRANSPORT);
    test_failed(a, BIO_write(a, "x", 1), ONION_R_NO_TRANSPORT);
    BIO_free_all(a);
    BIO_free_all(transport);
    BIO_free_all(b);
}
END_TEST

/* A program calls the SSL by hand, where its layer would not. */
START_TEST(an_ssl_over_nothing_fails_and_does_not_wait)
{
    BIO *layer = BIO_new_onion(test_client_ctx(0, 0), 1), *port;
    char byte;
    SSL *ssl;

    BIO_get_ssl(layer, &ssl);
    port = SSL_get_rbio(ssl);
    ck_assert_int_le(SSL_do_handshake(ssl), 0);
    BIO_set_retry_read(port);
    ck_assert_int_eq(BIO_read(port, &byte, 1), -1);
    ck_assert(!BIO_should_retry(port));
    ck_assert_int_eq(BIO_write(port, "x", 1), -1);
    ck_assert_int_eq((int)BIO_flush(port), 0);
    ck_assert_int_eq(BIO_eof(port), 1);
    ck_assert_int_eq(BIO_pending(port), 0);
    ck_assert_int_eq(BIO_wpending(port), 0);
    ck_assert_int_eq((int)BIO_get_fd(port, NULL), -1);
    ck_assert_int_eq((int)BIO_ctrl(port, BIO_CTRL_DGRAM_QUERY_MTU, 0, NULL),
                     0);
    ERR_clear_error();
    (void)BIO_set_close(layer, BIO_NOCLOSE);
    BIO_free(layer);
    ck_assert_int_eq(BIO_eof(port), 1);
    ck_assert_int_eq(BIO_read(port, &byte, 1), -1);
    SSL_free(ssl);
}
END_TEST

START_TEST(a_port_answers_for_what_lies_below_its_layer)
{
    int fds[2], fd = -1;
    BIO *layer = BIO_new_onion(test_client_ctx(0, 0), 1), *port;
    SSL *ssl;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    BIO_push(layer, BIO_new_socket(fds[0], BIO_CLOSE));
    BIO_get_ssl(layer, &ssl);
    port = SSL_get_rbio(ssl);
    ck_assert_int_eq(SSL_get_fd(ssl), fds[0]);
    ck_assert_int_eq((int)BIO_get_fd(port, &fd), fds[0]);
    ck_assert_int_eq((int)BIO_ctrl(port, BIO_CTRL_DGRAM_QUERY_MTU, 0, NULL),
                     0);
    ck_assert_int_eq(BIO_eof(port), 0);
    ck_assert_int_eq(shutdown(fds[1], SHUT_WR), 0);
    ck_assert_int_le(BIO_do_handshake(layer), 0);
    ck_assert_int_eq(BIO_eof(port), 1);
    ERR_clear_error();
    BIO_free_all(layer);
    close(fds[1]);
}
END_TEST

/* What concerns a chain is not for what lies below, not even for DTLS. */
START_TEST(a_port_of_dtls_passes_on_what_concerns_datagrams)
{
    SSL_CTX *ctx = SSL_CTX_new(DTLS_client_method());
    BIO *layer = BIO_new_onion(ctx, 1), *tap = tap_new(), *port;
    static const int kept[] = {
        BIO_CTRL_PUSH, BIO_CTRL_POP, BIO_CTRL_DUP, BIO_CTRL_RESET
    };
    int before, i;
    SSL *ssl;

    BIO_push(layer, tap);
    BIO_get_ssl(layer, &ssl);
    port = SSL_get_rbio(ssl);
    for (i = 0; i < 4; i++) {
        before = tap_of(tap)->ctrls[kept[i]];
        ck_assert_int_eq((int)BIO_ctrl(port, kept[i], 0, NULL), 0);
        ck_assert_int_eq(tap_of(tap)->ctrls[kept[i]], before);
    }
    before = tap_of(tap)->ctrls[BIO_CTRL_DGRAM_QUERY_MTU];
    BIO_ctrl(port, BIO_CTRL_DGRAM_QUERY_MTU, 0, NULL);
    ck_assert_int_eq(tap_of(tap)->ctrls[BIO_CTRL_DGRAM_QUERY_MTU], before + 1);
    BIO_free_all(layer);
    SSL_CTX_free(ctx);
}
END_TEST

static long reset_by_peer(BIO *b, int oper, const char *argp, size_t len,
                          int argi, long argl, int ret, size_t *processed)
{
    (void)b;
    (void)argp;
    (void)len;
    (void)argi;
    (void)argl;
    (void)processed;
    if (oper != (BIO_CB_WRITE | BIO_CB_RETURN))
        return ret;
    errno = ECONNRESET;
    return -1;
}

START_TEST(a_layer_alone_says_why_its_transport_failed)
{
    BIO *layer = BIO_new_onion(test_client_ctx(0, 0), 1), *half, *other;
    const char *text;
    int flags;

    ck_assert(BIO_new_bio_pair(&half, 0, &other, 0));
    BIO_set_callback_ex(half, reset_by_peer);
    BIO_push(layer, half);
    ck_assert_int_eq((int)BIO_do_handshake(layer), -1);
    ERR_peek_last_error_data(&text, &flags);
    ck_assert_ptr_nonnull(strstr(text, strerror(ECONNRESET)));
    test_failed(layer, -1, ONION_R_TRANSPORT_FAILED);
    BIO_free_all(layer);
    BIO_free(other);
}
END_TEST

/* i: 0 layer alone, 1 in a stack */
START_TEST(a_layer_without_an_ssl_has_nothing_to_close_or_read)
{
    BIO *layer = BIO_new(BIO_f_onion()), *half, *other, *stack;

    ck_assert_int_eq((int)BIO_set_info_callback(layer, NULL), 0);
    if (_i == 0) {
        ck_assert_int_eq(BIO_onion_shutdown(layer), -1);
        ck_assert_int_eq(ERR_GET_REASON(ERR_peek_last_error()),
                         ONION_R_NO_SSL);
        ERR_clear_error();
        BIO_free(layer);
        return;
    }
    BIO_new_bio_pair(&half, 100, &other, 100);
    BIO_push(layer, half);
    stack = BIO_new_onion_stack(layer);
    ck_assert_ptr_nonnull(stack);
    ck_assert_int_eq(BIO_pending(stack), 0);
    BIO_free_all(stack);
    BIO_free(other);
}
END_TEST

/*
 * An SSL with BIOs of its own
 */

static BIO *layer_of_own(BIO *bio, SSL **ssl)
{
    BIO *layer = BIO_new(BIO_f_onion());

    *ssl = SSL_new(test_client_ctx(0, 0));
    SSL_set_connect_state(*ssl);
    SSL_set_bio(*ssl, bio, bio);
    ck_assert_int_eq((int)BIO_set_ssl(layer, *ssl, BIO_CLOSE), 1);
    return layer;
}

START_TEST(an_ssl_of_its_own_bio_ends_with_it)
{
    BIO *mem = BIO_new(BIO_s_mem()), *layer;
    SSL *ssl;

    BIO_set_mem_eof_return(mem, 0);
    layer = layer_of_own(mem, &ssl);
    ck_assert_int_eq(BIO_eof(layer), 1);
    ck_assert_int_eq(BIO_pending(layer), 0);
    BIO_write(mem, "x", 1);
    ck_assert_int_eq(BIO_eof(layer), 0);
    ck_assert_int_eq(BIO_pending(layer), 1);
    BIO_free_all(layer);
}
END_TEST

START_TEST(a_bio_that_is_there_already_is_not_pushed_again)
{
    BIO *mem = BIO_new(BIO_s_mem()), *layer = BIO_new(BIO_f_onion());
    SSL *ssl = SSL_new(test_client_ctx(0, 0));

    BIO_push(layer, mem);
    BIO_up_ref(mem);
    SSL_set_bio(ssl, mem, mem);
    ck_assert_int_eq((int)BIO_set_ssl(layer, ssl, BIO_CLOSE), 1);
    ck_assert_ptr_eq(BIO_next(layer), mem);
    ck_assert_ptr_null(BIO_next(mem));
    BIO_free_all(layer);
}
END_TEST

START_TEST(what_is_pushed_in_its_place_is_read)
{
    BIO *mem = BIO_new(BIO_s_mem()), *other = BIO_new(BIO_s_mem()), *layer;
    SSL *ssl;

    layer = layer_of_own(mem, &ssl);
    BIO_free(BIO_pop(mem) == NULL ? mem : NULL);
    BIO_push(layer, other);
    ck_assert_ptr_ne(SSL_get_rbio(ssl), mem);
    ck_assert_int_le(BIO_do_handshake(layer), 0);
    ck_assert_int_gt(BIO_pending(other), 0);
    ERR_clear_error();
    BIO_free_all(layer);
}
END_TEST

START_TEST(a_layer_that_is_popped_takes_the_bios_from_its_ssl)
{
    BIO *mem = BIO_new(BIO_s_mem()), *layer;
    SSL *ssl;

    layer = layer_of_own(mem, &ssl);
    BIO_pop(layer);
    ck_assert_ptr_null(SSL_get_rbio(ssl));
    BIO_free(layer);
    BIO_free(mem);
}
END_TEST

/*
 * Starts that are refused
 */

START_TEST(start_is_refused_for_an_ssl_that_has_a_way_out)
{
    BIO *a, *b;
    SSL *ssl = test_ssl(1, 0, 1);

    test_pair(&a, &b, 100, 100);
    SSL_set0_wbio(ssl, BIO_new(BIO_s_mem()));
    test_refused(BIO_onion_start_tls(a, ssl, NULL, 0), ONION_R_SSL_IN_USE);
    SSL_set0_wbio(ssl, NULL);
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);
    test_refused(BIO_onion_start_tls(a, ssl, NULL, 0), ONION_R_SSL_IN_USE);
    SSL_set_shutdown(ssl, 0);
    test_refused(BIO_onion_start_tls(a, ssl, NULL, 1),
                 ERR_R_PASSED_NULL_PARAMETER);
    ck_assert_int_eq(BIO_onion_start_tls(a, ssl, NULL, 0), 1);
    BIO_free_all(a);
    BIO_free_all(b);
}
END_TEST

/* Bytes that are given back count as bytes of the layer that they were in. */
START_TEST(a_layer_that_has_bytes_given_back_is_not_at_its_end)
{
    struct peers p;
    SSL *ssl = test_ssl(1, 0, 2);
    BIO *layer;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 1);
    layer = BIO_next(p.a.bio);
    ck_assert_int_eq(BIO_onion_start_tls(p.a.bio, ssl, "early", 5), 1);
    ck_assert_int_eq(BIO_eof(layer), 0);
    ck_assert_int_eq(BIO_pending(layer), 5);
    peers_free(&p);
}
END_TEST

static void leave_error(BIO *stack, int event, int layer, SSL *ssl, void *arg)
{
    (void)stack;
    (void)layer;
    (void)ssl;
    *(int *)arg |= 1 << event;
    test_stale_error();
}

/* What a layer said before it was reset is not for its next session. */
START_TEST(reset_drops_what_was_given_back_and_tells_of_the_layer_anew)
{
    struct peers p;
    int events = 0;
    BIO *layer;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 1);
    BIO_onion_set_callback(p.a.bio, leave_error, &events);
    ck_assert_int_eq(BIO_onion_start_tls(p.a.bio, test_ssl(1, 0, 2), "early",
                                         5), 1);
    layer = BIO_next(BIO_next(p.a.bio));
    ck_assert_int_eq(BIO_pending(layer), 5);
    (void)BIO_reset(layer);
    ck_assert_int_eq(BIO_pending(layer), BIO_pending(BIO_next(layer)));
    events = 0;
    BIO_do_handshake(p.a.bio);
    ck_assert_int_ne(events & 1 << ONION_EVENT_STARTED, 0);
    ERR_clear_error();
    peers_free(&p);
}
END_TEST

/*
 * A transport that takes nothing more
 */

static void break_output(struct peers *p)
{
    tap_of(p->a.tap)->out.limit = tap_of(p->a.tap)->out.len;
    tap_of(p->a.tap)->out.end = TAP_ERROR;
}

static void can_write(BIO *bio)
{
    test_failed(bio, BIO_write(bio, "x", 1), ONION_R_TRANSPORT_FAILED);
}

/* i: depth */
START_TEST(nothing_is_written_flushed_or_stopped_over_a_dead_transport)
{
    struct peers p;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, _i);
    break_output(&p);
    can_write(p.a.bio);
    can_write(p.a.bio);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), -1);
    test_failed(p.a.bio, -1, ONION_R_TRANSPORT_FAILED);
    test_failed(p.a.bio, (int)BIO_do_handshake(p.a.bio),
                ONION_R_TRANSPORT_FAILED);
    test_depths(p.a.bio, _i, _i);
    peers_free(&p);
}
END_TEST

/* i: depth. A read sends what was gathered, and finds the transport dead. */
START_TEST(what_was_gathered_is_not_flushed_over_a_dead_transport)
{
    struct peers p;
    char byte;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, _i);
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, ONION_GATHER), 1);
    ck_assert_int_eq(BIO_write(p.a.bio, "x", 1), 1);
    break_output(&p);
    test_failed(p.a.bio, (int)BIO_flush(p.a.bio), ONION_R_TRANSPORT_FAILED);
    BIO_read(p.a.bio, &byte, 1);
    ERR_clear_error();
    ck_assert_int_le(BIO_write(p.a.bio, "y", 1), 0);
    ERR_clear_error();
    ck_assert_int_le((int)BIO_flush(p.a.bio), 0);
    ERR_clear_error();
    peers_free(&p);
}
END_TEST

/* i: depth. There was more to send than the wire keeps for a peer. */
START_TEST(a_full_wire_over_a_dead_transport_asks_for_no_retry)
{
    static const char data[400000];
    struct peers p;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, _i);
    tap_hold(&tap_of(p.a.tap)->out);
    test_retried(p.a.bio, BIO_write(p.a.bio, data, sizeof(data)));
    break_output(&p);
    ck_assert_int_eq(BIO_write(p.a.bio, data, sizeof(data)), -1);
    test_failed(p.a.bio, -1, ONION_R_TRANSPORT_FAILED);
    peers_free(&p);
}
END_TEST

/* Over a blocking transport a read would wait. */
START_TEST(a_question_reads_nothing_and_counts_what_waits)
{
    struct peers p;
    int calls;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 1);
    ck_assert_int_eq(BIO_pending(p.a.bio), 0);      /* there are tickets */
    calls = tap_of(p.a.tap)->in.calls;
    ck_assert_int_eq(BIO_pending(p.a.bio), 0);
    ck_assert_int_eq(tap_of(p.a.tap)->in.calls, calls);
    tap_hold(&tap_of(p.a.tap)->out);
    test_retried(p.a.bio, BIO_write(p.a.bio, "x", 1));
    ck_assert_int_gt(BIO_wpending(p.a.bio), 1);
    ck_assert_int_eq(BIO_wpending(BIO_next(p.a.bio)), BIO_wpending(p.a.bio));
    peers_free(&p);
}
END_TEST

/* i: 0 at the end, 1 nothing and no retry, which is an end too */
START_TEST(a_transport_that_has_ended_is_not_read_again)
{
    struct peers p;
    int i, calls;
    char byte;

    peers_new(&p, 17408, TLS1_3_VERSION);
    tap_of(p.a.tap)->in.limit = 0;
    tap_of(p.a.tap)->in.end = _i == 0 ? TAP_EOF : TAP_ZERO;
    ck_assert_int_eq(BIO_read(p.a.bio, &byte, 1), 0);
    calls = tap_of(p.a.tap)->in.calls;
    for (i = 0; i < 3; i++) {
        ck_assert_int_eq(BIO_read(p.a.bio, &byte, 1), 0);
        ck_assert(!BIO_should_retry(p.a.bio));
        ck_assert_int_eq(BIO_eof(p.a.bio), 1);
        ck_assert_int_eq(BIO_gets(p.a.bio, &byte, 2), 0);
    }
    ck_assert_int_eq(tap_of(p.a.tap)->in.calls, calls);
    peers_free(&p);
}
END_TEST

/* Until a transport is connected, a read waits for it: as a write does. */
START_TEST(a_transport_that_connects_is_waited_for)
{
    struct peers p;
    char byte;

    peers_new(&p, 17408, TLS1_3_VERSION);
    tap_of(p.a.tap)->special = BIO_RR_CONNECT;
    test_retried(p.a.bio, BIO_write(p.a.bio, "x", 1));
    test_retried(p.a.bio, BIO_read(p.a.bio, &byte, 1));
    ck_assert(BIO_should_io_special(p.a.bio));
    ck_assert_int_eq(BIO_get_retry_reason(p.a.bio), BIO_RR_CONNECT);
    ck_assert_int_eq(tap_of(p.a.tap)->in.calls, 0);
    test_retried(p.a.bio, BIO_gets(p.a.bio, &byte, 2) > 0 ? 1 : -1);
    peers_free(&p);
}
END_TEST

/* More is gathered than a dead transport can be told of. i: depth */
START_TEST(what_could_not_go_into_a_full_wire_is_not_flushed_either)
{
    static const char data[300000];
    struct peers p;
    char byte;
    int i;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, _i);
    tap_hold(&tap_of(p.a.tap)->out);
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, ONION_GATHER), 1);
    for (i = 0; i < 30; i++) {
        if (BIO_write(p.a.bio, data, 10000) < 0)
            break;
        (void)BIO_flush(p.a.bio);
    }
    break_output(&p);
    (void)BIO_read(p.a.bio, &byte, 1);
    test_failed(p.a.bio, (int)BIO_flush(p.a.bio), ONION_R_TRANSPORT_FAILED);
    peers_free(&p);
}
END_TEST

/* The wire says why: errno is of another call. */
static long leave_errno(BIO *b, int oper, const char *argp, size_t len,
                        int argi, long argl, int ret, size_t *processed)
{
    if ((oper & BIO_CB_RETURN) != 0)
        errno = ENOSPC;
    return test_no_flush(b, oper, argp, len, argi, argl, ret, processed);
}

START_TEST(a_flush_that_fails_is_not_blamed_on_an_older_error)
{
    struct peers p;
    const char *text;
    int flags;

    peers_new(&p, 17408, TLS1_3_VERSION);
    BIO_set_callback_ex(p.a.tap, leave_errno);
    ck_assert_int_eq(BIO_write(p.a.bio, "x", 1), -1);
    ERR_peek_last_error_data(&text, &flags);
    ck_assert_ptr_null(strstr(text, strerror(ENOSPC)));
    test_failed(p.a.bio, -1, ONION_R_TRANSPORT_FAILED);
    peers_free(&p);
}
END_TEST

/*
 * What a write has given, to the byte
 */

/* ONION_GATHER comes while a write waits to be repeated. i: its length */
START_TEST(a_write_that_is_repeated_is_not_gathered)
{
    struct peers p;

    peers_new(&p, 17408, TLS1_3_VERSION);
    tap_hold(&tap_of(p.a.tap)->out);
    test_retried(p.a.bio, BIO_write(p.a.bio, "xy", _i));
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, ONION_GATHER), 1);
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq(BIO_write(p.a.bio, "xy", _i), _i);
    ck_assert_int_eq((int)BIO_flush(p.a.bio), 1);
    peer_expect(&p, &p.b, "xy", (size_t)_i, 0);
    peer_expect_retry(&p.b);
    peers_free(&p);
}
END_TEST

/* All but one of the bytes that the wire takes are there already. */
START_TEST(a_write_of_which_a_byte_is_taken_is_to_be_finished)
{
    struct peers p;
    int left = 288 * 1024 - 1, n;

    peers_new(&p, 400000, TLS1_3_VERSION);
    tap_hold(&tap_of(p.a.tap)->out);
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, ONION_GATHER), 1);
    for (; left > 0; left -= n) {
        n = left < 16000 ? left : 16000;
        ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(16000), n), n);
        test_retried(p.a.bio, (int)BIO_flush(p.a.bio));
    }
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, 0), 1);
    test_retried(p.a.bio, BIO_write(p.a.bio, "xy", 2));
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), -1);
    test_failed(p.a.bio, -1, ONION_R_WRITE_UNFINISHED);
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq(BIO_write(p.a.bio, "xy", 2), 2);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), 1);
    peers_free(&p);
}
END_TEST

/* i: depth. Each byte is in a record of its own. */
START_TEST(a_line_of_many_records_is_read_whole)
{
    struct peers p;
    char line[10];

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, _i);
    peer_send(&p, &p.b, "a", 1);
    peer_send(&p, &p.b, "b", 1);
    peer_send(&p, &p.b, "\n", 1);
    ck_assert_int_eq(BIO_gets(p.a.bio, line, sizeof(line)), 3);
    ck_assert_str_eq(line, "ab\n");
    peers_free(&p);
}
END_TEST

/*
 * What is left behind
 */

START_TEST(errors_of_a_callback_do_not_stay)
{
    struct peers p;
    int events = 0;

    peers_new(&p, 17408, TLS1_3_VERSION);
    BIO_onion_set_callback(p.a.bio, leave_error, &events);
    peers_start(&p);
    test_no_error();
    peers_handshake(&p);
    test_no_error();
    ck_assert_int_eq(events, 1 << ONION_EVENT_STARTED
                             | 1 << ONION_EVENT_HANDSHAKE);
    ck_assert_int_eq(BIO_onion_drop_tls(p.a.bio, 0), 1);
    test_no_error();
    /* Nobody has closed it. */
    ck_assert_int_eq(events, 1 << ONION_EVENT_STARTED
                             | 1 << ONION_EVENT_HANDSHAKE
                             | 1 << ONION_EVENT_REMOVED);
    peers_free(&p);
}
END_TEST

START_TEST(a_boundary_is_told_of_by_the_read_that_returns_it)
{
    struct peers p;
    int events = 0;
    char byte;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 1);
    BIO_onion_set_callback(p.a.bio, leave_error, &events);
    ck_assert_int_eq(BIO_onion_stop_tls(p.b.bio, 0), 0);
    ck_assert_int_eq(BIO_read(p.a.bio, &byte, 1), 0);
    test_no_error();
    ck_assert_int_eq(events, 1 << ONION_EVENT_PEER_CLOSED);
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), 1);
    ck_assert_int_eq(events, 1 << ONION_EVENT_PEER_CLOSED
                             | 1 << ONION_EVENT_CLOSED
                             | 1 << ONION_EVENT_REMOVED);
    peers_free(&p);
}
END_TEST

/* As BIO_f_ssl() does, though BIO_push() and BIO_pop() do not look. */
START_TEST(pushes_and_pops_are_answered)
{
    struct peers p;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 1);
    ck_assert_int_eq((int)BIO_ctrl(p.a.bio, BIO_CTRL_PUSH, 0, p.a.bio), 1);
    ck_assert_int_eq((int)BIO_ctrl(BIO_next(p.a.bio), BIO_CTRL_PUSH, 0, NULL),
                     1);
    ck_assert_int_eq((int)BIO_ctrl(BIO_next(p.a.bio), BIO_CTRL_POP, 0, NULL),
                     1);
    peers_talk(&p);
    peers_free(&p);
}
END_TEST

/* i: depth */
START_TEST(the_end_of_a_stack_leaves_the_error_queue_as_it_was)
{
    BIO *a, *b;

    test_pair(&a, &b, 17408, 17408);
    if (_i > 0)
        ck_assert_int_eq(BIO_onion_start_tls(a, test_ssl(1, 0, 1), NULL, 0),
                         1);
    test_stale_error();
    BIO_free_all(a);
    ck_assert(ERR_get_error() != 0);
    test_no_error();
    BIO_free_all(b);
}
END_TEST

/* The transport outlives the stack, so that it can be looked at. */
START_TEST(the_end_of_a_stack_that_was_stopped_reads_nothing)
{
    struct peers p;
    BIO *tap;
    int calls, moved;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 1);
    tap = p.a.tap;
    ck_assert_int_eq(BIO_onion_stop_tls(p.a.bio, 0), 0);
    ck_assert_int_eq(BIO_write(p.b.bio, "x", 1), 1);
    calls = tap_of(tap)->in.calls;
    moved = tap_of(tap)->out.moved;
    BIO_up_ref(tap);
    BIO_free_all(p.a.bio);
    ck_assert_int_eq(tap_of(tap)->in.calls, calls);
    ck_assert_int_eq(tap_of(tap)->out.moved, moved);
    BIO_free_all(tap);
    p.a.bio = NULL;
    peers_free(&p);
}
END_TEST

/* What a stack was busy with is no concern of its copy. */
START_TEST(a_copy_of_a_stack_is_idle)
{
    BIO *model = BIO_new(BIO_f_onion_stack()), *copy = BIO_dup_chain(model);
    SSL *ssl = test_ssl(1, 0, 1);
    BIO *half, *other;

    ck_assert_ptr_nonnull(copy);
    ck_assert(BIO_new_bio_pair(&half, 0, &other, 0));
    BIO_push(copy, half);
    ck_assert_int_eq(BIO_onion_start_tls(copy, ssl, NULL, 0), 1);
    ck_assert((SSL_get_mode(ssl) & SSL_MODE_RELEASE_BUFFERS) != 0);
    BIO_free_all(copy);
    BIO_free(other);
    BIO_free(model);
}
END_TEST

START_TEST(errors_have_a_library_of_their_own)
{
    ck_assert_int_gt(BIO_onion_error_library(), ERR_LIB_USER);
}
END_TEST

/* What it has to say last must be with the transport. */
START_TEST(a_clients_handshake_is_done_when_its_last_words_are_sent)
{
    struct peers p;
    int i;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_start(&p);
    test_retried(p.a.bio, (int)BIO_do_handshake(p.a.bio));
    BIO_do_handshake(p.b.bio);
    tap_hold(&tap_of(p.a.tap)->out);
    for (i = 0; i < 3; i++) {
        test_retried(p.a.bio, (int)BIO_do_handshake(p.a.bio));
        ck_assert(BIO_should_write(p.a.bio));
    }
    tap_release(&tap_of(p.a.tap)->out);
    ck_assert_int_eq((int)BIO_do_handshake(p.a.bio), 1);
    ck_assert_int_eq(BIO_wpending(p.a.bio), 0);
    ck_assert_int_eq((int)BIO_do_handshake(p.b.bio), 1);
    peers_free(&p);
}
END_TEST

/* i: 0 nobody listens, 1 somebody does */
START_TEST(a_handshake_in_the_clear_connects)
{
    char name[32];
    int listener = test_listen(name);
    BIO *stack = BIO_new_onion_stack(BIO_new_connect(name));
    char byte;
    int fd;

    ck_assert_int_eq((int)BIO_set_info_callback(stack, NULL), 1);
    if (_i == 0) {
        close(listener);
        test_failed(stack, (int)BIO_do_handshake(stack),
                    ONION_R_TRANSPORT_FAILED);
    } else {
        ck_assert_int_eq((int)BIO_do_handshake(stack), 1);
        fd = test_accept(listener);
        ck_assert_int_eq(BIO_write(stack, "x", 1), 1);
        ck_assert_int_eq((int)read(fd, &byte, 1), 1);
        close(fd);
    }
    BIO_free_all(stack);
}
END_TEST

/*
 * Print
 */

static int writes_left;
static int refusal;             /* 0 or -1 */

static long count_writes(BIO *b, int oper, const char *argp, size_t len,
                         int argi, long argl, int ret, size_t *processed)
{
    (void)b;
    (void)argp;
    (void)len;
    (void)argi;
    (void)argl;
    (void)processed;
    if (oper == BIO_CB_WRITE || oper == BIO_CB_PUTS)
        return writes_left-- != 0 ? 1 : refusal;
    return ret;
}

/* It succeeds if each write does, and not if any is refused. */
static void print_in_parts(BIO *out, BIO *stack)
{
    int n, all = 0;

    writes_left = 100;
    ck_assert_int_eq(BIO_onion_print(out, stack), 1);
    all = 100 - writes_left;
    ck_assert_int_gt(all, 6);
    for (n = 0; n <= all; n++) {
        writes_left = n;
        ck_assert_int_eq(BIO_onion_print(out, stack), n == all);
    }
}

/* Each write that out does not take is told. i: how */
START_TEST(print_says_when_out_took_no_more)
{
    BIO *out = BIO_new(BIO_s_mem());
    struct peers p;
    int fds[2];
    BIO *stack;

    refusal = -_i;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    stack = BIO_new_onion_stack(BIO_new_socket(fds[0], BIO_CLOSE));
    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 2);
    BIO_set_callback_ex(out, count_writes);
    print_in_parts(out, p.a.bio);
    print_in_parts(out, stack);
    BIO_free(out);
    BIO_free_all(stack);
    close(fds[1]);
    peers_free(&p);
}
END_TEST

static char *printed(BIO *stack, BIO *out)
{
    char *text;

    ck_assert_int_eq(BIO_reset(out), 1);
    ck_assert_int_eq(BIO_onion_print(out, stack), 1);
    BIO_write(out, "", 1);
    BIO_get_mem_data(out, &text);
    return text;
}

/* The boundary was read, and a layer is started at neither end. */
START_TEST(print_draws_a_stack_in_the_clear)
{
    int fds[2];
    BIO *out = BIO_new(BIO_s_mem()), *stack;
    char expected[300];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    stack = BIO_new_onion_stack(BIO_new_socket(fds[0], BIO_CLOSE));
    snprintf(expected, sizeof(expected), "%s, fd %d\n",
             "       application\n"
             "  v ^  stack     writes at depth 0, reads at depth 0\n"
             "  v ^  wire      0 bytes read ahead, 0 unsent\n"
             "  v ^  transport socket", fds[0]);
    ck_assert_str_eq(printed(stack, out), expected);
    BIO_free(out);
    BIO_free_all(stack);
    close(fds[1]);
}
END_TEST

/* A BIO pair answers 0 when it is asked for its socket. */
START_TEST(print_names_no_socket_where_there_is_none)
{
    BIO *out = BIO_new(BIO_s_mem()), *a, *b;

    test_pair(&a, &b, 0, 0);
    ck_assert_ptr_null(strstr(printed(a, out), "fd"));
    BIO_free(out);
    BIO_free_all(a);
    BIO_free_all(b);
}
END_TEST

/* Its close_notify was seen, and no read has told of it yet. */
START_TEST(print_tells_that_the_peer_has_closed)
{
    BIO *out = BIO_new(BIO_s_mem());
    struct peers p;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 1);
    ck_assert_int_eq(BIO_onion_stop_tls(p.b.bio, 0), 0);
    ck_assert_ptr_nonnull(strstr(printed(p.b.bio, out), ", we closed\n"));
    ck_assert_int_eq(BIO_pending(p.a.bio), 1);
    ck_assert_ptr_nonnull(strstr(printed(p.a.bio, out), ", peer closed\n"));
    BIO_free(out);
    peers_free(&p);
}
END_TEST

START_TEST(print_tells_how_a_layer_failed)
{
    BIO *out = BIO_new(BIO_s_mem());
    struct peers p;
    char byte;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_start(&p);
    ck_assert_ptr_nonnull(strstr(printed(p.a.bio, out), "in the handshake"));
    peers_handshake(&p);
    ck_assert_ptr_nonnull(strstr(printed(p.a.bio, out), ", open"));
    tap_of(p.a.tap)->in.limit = tap_of(p.a.tap)->in.len;
    tap_of(p.a.tap)->in.end = TAP_EOF;
    test_failed_at(p.a.bio, BIO_read(p.a.bio, &byte, 1), ONION_R_TRUNCATED,
                   1);
    ck_assert_ptr_nonnull(strstr(printed(p.a.bio, out), ", FAILED\n"));
    ck_assert_int_eq(BIO_pending(p.a.bio), 1);
    BIO_free(out);
    peers_free(&p);
}
END_TEST

/*
 * Records
 */

/* Starts a layer at both ends with this cipher of TLS 1.2. */
static void dive_with(struct peers *p, const char *cipher, int layer)
{
    SSL *client = test_ssl(1, TLS1_2_VERSION, layer);
    SSL *server = test_ssl(0, TLS1_2_VERSION, layer);

    ck_assert(SSL_set_cipher_list(client, cipher));
    ck_assert(SSL_set_cipher_list(server, cipher));
    ck_assert_int_eq(BIO_onion_start_tls(p->a.bio, client, NULL, 0), 1);
    ck_assert_int_eq(BIO_onion_start_tls(p->b.bio, server, NULL, 0), 1);
    peers_handshake(p);
}

/* Of 64 KiB in two layers, 5 outer records; 8 if the inner ones do not fit. */
START_TEST(records_of_every_kind_of_cipher_fit_into_each_other)
{
    static const char *const ciphers[] = {
        "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"
    };
    struct tap_side *out;
    struct peers p;
    size_t from;

    peers_new(&p, 200000, TLS1_2_VERSION);
    dive_with(&p, ciphers[_i], 1);
    dive_with(&p, ciphers[_i], 2);
    out = &tap_of(p.a.tap)->out;
    from = out->len;
    ck_assert_int_eq(BIO_write(p.a.bio, test_bytes(65536), 65536), 65536);
    ck_assert_int_eq(tap_records(out, from), 5);
    peer_expect(&p, &p.b, test_bytes(65536), 65536, 2);
    peers_free(&p);
}
END_TEST

/*
 * Sessions, and what an application has set
 */

/* Starts layer 1 at both ends; the client is ready. */
static void start_with(struct peers *p, SSL *client)
{
    SSL *server = test_ssl(0, TLS1_3_VERSION, 1);

    SSL_CTX_set_session_cache_mode(SSL_get_SSL_CTX(server),
                                   SSL_SESS_CACHE_SERVER);
    SSL_set_max_early_data(server, 16384);
    peers_new(p, 100000, TLS1_3_VERSION);
    ck_assert(BIO_onion_set_flags(p->a.bio, ONION_EARLY | ONION_EARLY_DATA));
    ck_assert(BIO_onion_set_flags(p->b.bio, ONION_EARLY | ONION_EARLY_DATA));
    ck_assert_int_eq(BIO_onion_start_tls(p->a.bio, client, NULL, 0), 1);
    ck_assert_int_eq(BIO_onion_start_tls(p->b.bio, server, NULL, 0), 1);
}

/* That of a connection that has ended well. */
static SSL_SESSION *session_of(SSL *client)
{
    SSL_SESSION *session;
    struct peers p;

    start_with(&p, client);
    peers_handshake(&p);
    peers_talk(&p);
    session = SSL_get1_session(client);
    ck_assert_ptr_nonnull(session);
    peers_free(&p);
    return session;
}

#define LIFETIME LONG_MAX       /* that of its ticket */

static const struct {
    long age;               /* of the session */
    uint64_t option;
    int max_version;
    const char *made_for;   /* the name in the session */
    const char *asked;      /* that of the client; NULL: none */
    int sent;
} offers[] = {
    { 0, 0, TLS1_3_VERSION, NULL, "layer1.test", 1 },
    { 0, 0, 0, NULL, "layer1.test", 1 },
    { 0, 0, TLS1_2_VERSION, NULL, "layer1.test", 0 },
    { 0, SSL_OP_NO_TLSv1_3, TLS1_3_VERSION, NULL, "layer1.test", 0 },
    { 100000000, 0, TLS1_3_VERSION, NULL, "layer1.test", 0 },
    { LIFETIME, 0, TLS1_3_VERSION, NULL, "layer1.test", 0 },
    { -1000, 0, TLS1_3_VERSION, NULL, "layer1.test", 0 },
    { 0, 0, TLS1_3_VERSION, "layer1.test", "layer1.test", 1 },
    { 0, 0, TLS1_3_VERSION, "layer1.test", "layer2.test", 0 },
    { 0, 0, TLS1_3_VERSION, "layer1.test", NULL, 0 },
};

START_TEST(a_session_that_is_of_no_use_sends_nothing_early)
{
    SSL_SESSION *session = session_of(test_ssl(1, TLS1_3_VERSION, 1));
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    SSL *client = test_ssl(1, TLS1_3_VERSION, 1);
    long age = offers[_i].age;
    struct peers p;

    if (age == LIFETIME)
        age = (long)SSL_SESSION_get_ticket_lifetime_hint(session);
    if (age != 0)
        SSL_SESSION_set_time_ex(copy, SSL_SESSION_get_time_ex(copy) - age);
    ck_assert(SSL_SESSION_set1_hostname(copy, offers[_i].made_for));
    SSL_set_min_proto_version(client, 0);
    SSL_set_max_proto_version(client, offers[_i].max_version);
    SSL_set_options(client, offers[_i].option);
    SSL_set_tlsext_host_name(client, offers[_i].asked);
    ck_assert(SSL_set_session(client, copy));
    start_with(&p, client);
    SSL_set_min_proto_version(BIO_onion_get0_ssl(p.b.bio, 1), 0);
    peer_send(&p, &p.a, "request", 7);
    peer_expect(&p, &p.b, "request", 7, 1);
    ck_assert_int_eq(SSL_get_early_data_status(client)
                     != SSL_EARLY_DATA_NOT_SENT, offers[_i].sent);
    peers_talk(&p);
    peers_free(&p);
    SSL_SESSION_free(session);
    SSL_SESSION_free(copy);
}
END_TEST

static int accept_all(int ok, X509_STORE_CTX *store)
{
    (void)ok;
    (void)store;
    return 1;
}

static SSL *client_without_a_name(int i)
{
    SSL *ssl = test_ssl_of(test_client_ctx(TLS1_3_VERSION, 1), 1, NULL);

    if (i != 2)
        SSL_set_verify(ssl, i == 0 ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                       i == 0 ? NULL : accept_all);
    return ssl;
}

/* i: 0 not at all, 1 by a callback, 2 any name */
START_TEST(a_client_may_verify_in_its_own_way)
{
    SSL_SESSION *session = session_of(client_without_a_name(_i));
    SSL *client = client_without_a_name(_i);
    struct peers p;

    ck_assert(SSL_set_session(client, session));
    start_with(&p, client);
    peers_handshake(&p);
    ck_assert(SSL_session_reused(client));
    peers_talk(&p);
    peers_free(&p);
    SSL_SESSION_free(session);
}
END_TEST

/* By the key of its certificate (DANE-EE), whatever its name: RFC 7671. */
START_TEST(a_client_may_verify_by_dane)
{
    X509 *peer = SSL_CTX_get0_certificate(
        test_server_ctx(TLS1_3_VERSION, test_name(1), 0));
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    unsigned char md[32];
    unsigned int len = sizeof(md);
    struct peers p;
    SSL *client;

    ck_assert_int_eq(SSL_CTX_dane_enable(ctx), 1);
    SSL_CTX_dane_set_flags(ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    client = SSL_new(ctx);
    SSL_set_connect_state(client);
    SSL_set_verify(client, SSL_VERIFY_PEER, NULL);
    ck_assert_int_eq(SSL_dane_enable(client, "elsewhere.test"), 1);
    ck_assert_int_eq(X509_digest(peer, EVP_sha256(), md, &len), 1);
    ck_assert_int_eq(SSL_dane_tlsa_add(client, 3, 0, 1, md, len), 1);
    start_with(&p, client);
    peers_handshake(&p);
    ck_assert_int_eq(SSL_get0_dane_authority(client, NULL, NULL), 0);
    peers_talk(&p);
    peers_free(&p);
    SSL_CTX_free(ctx);
}
END_TEST

/* i: 0 to release buffers, 1 to cleanse them. Many writes make it busy. */
START_TEST(what_an_application_has_set_for_its_buffers_stays)
{
    SSL *client = test_ssl(1, TLS1_3_VERSION, 1);
    struct peers p;
    int i;

    if (_i == 0)
        SSL_set_mode(client, SSL_MODE_RELEASE_BUFFERS);
    else
        SSL_set_options(client, SSL_OP_CLEANSE_PLAINTEXT);
    start_with(&p, client);
    peers_handshake(&p);
    for (i = 0; i < 100; i++) {
        peers_talk(&p);
        ck_assert_int_eq((SSL_get_mode(client) & SSL_MODE_RELEASE_BUFFERS) != 0,
                         _i == 0);
        ck_assert_int_eq((SSL_get_options(client) & SSL_OP_CLEANSE_PLAINTEXT)
                         != 0, _i == 1);
    }
    peers_free(&p);
}
END_TEST

/*
 * Memory that ends in the middle
 */

/* 1: an allocation has failed since fail_at was set. */
static int has_failed(void)
{
    int failed = fail_at == 0;

    fail_at = 0;
    return failed;
}

START_TEST(without_memory_for_its_session_a_layer_sends_nothing_early)
{
    SSL_SESSION *session = session_of(test_ssl(1, TLS1_3_VERSION, 1));
    SSL *client = test_ssl(1, TLS1_3_VERSION, 1);
    struct peers p;

    ck_assert(SSL_set_session(client, session));
    start_with(&p, client);
    fail_in = "ssl_sess.c";
    fail_at = 1;
    test_retried(p.a.bio, BIO_write(p.a.bio, "request", 7));
    ck_assert(has_failed());
    ck_assert_int_eq(SSL_get_early_data_status(client),
                     SSL_EARLY_DATA_NOT_SENT);
    peer_send(&p, &p.a, "request", 7);
    peer_expect(&p, &p.b, "request", 7, 1);
    peers_free(&p);
    SSL_SESSION_free(session);
}
END_TEST

/* The n-th buffer for a line that came early. 1: there was memory. */
static int early_line(SSL_SESSION *session, int n)
{
    SSL *client = test_ssl(1, TLS1_3_VERSION, 1);
    char line[10] = "";
    struct peers p;
    int ret, failed;

    ck_assert(SSL_set_session(client, session));
    start_with(&p, client);
    ck_assert_int_eq(BIO_write(p.a.bio, "early\n", 6), 6);
    fail_at = n;
    ret = BIO_gets(p.b.bio, line, sizeof(line));
    failed = has_failed();
    if (failed) {
        test_failed(p.b.bio, ret, 0);
        test_depths(p.b.bio, 1, 1);
    } else {
        ck_assert_str_eq(line, "early\n");
    }
    ERR_clear_error();
    peers_free(&p);
    return !failed;
}

START_TEST(a_line_that_came_early_fails_without_a_buffer)
{
    SSL_SESSION *session;
    int n = 1;

    SSL_CTX_set_options(test_server_ctx(TLS1_3_VERSION, test_name(1), 0),
                        SSL_OP_NO_ANTI_REPLAY);
    session = session_of(test_ssl(1, TLS1_3_VERSION, 1));
    fail_in = "onion_buf.c";
    while (!early_line(session, n))
        n++;
    ck_assert_int_gt(n, 1);
    SSL_SESSION_free(session);
}
END_TEST

/* The layer fails, and nothing goes below it. 1: there was memory. */
static int follow(int after_a_write, int n)
{
    struct peers p;
    int ret, failed;
    char byte;

    peers_new(&p, 17408, TLS1_3_VERSION);
    peers_dive(&p, 1);
    ck_assert_int_eq(BIO_onion_set_flags(p.a.bio, ONION_FOLLOW), 1);
    ck_assert_int_eq(BIO_onion_stop_tls(p.b.bio, 0), 0);
    if (after_a_write) {
        tap_hold(&tap_of(p.a.tap)->out);
        test_retried(p.a.bio, BIO_write(p.a.bio, "x", 1));
        peer_expect_boundary(&p, &p.a, 1);
        test_depths(p.a.bio, 0, 1);
        tap_release(&tap_of(p.a.tap)->out);
    }
    fail_at = n;
    ret = after_a_write ? BIO_write(p.a.bio, "x", 1)
                        : BIO_read(p.a.bio, &byte, 1);
    failed = has_failed();
    if (failed) {
        test_failed(p.a.bio, ret, 0);
        ck_assert_int_eq(BIO_onion_write_depth(p.a.bio), 1);
    } else {
        ck_assert_int_eq(ret, after_a_write);
        test_depths(p.a.bio, 0, 0);
    }
    ERR_clear_error();
    peers_free(&p);
    return !failed;
}

/* i: 0 in the read of the boundary, 1 after a write that waited */
START_TEST(a_peer_that_cannot_be_followed_is_a_failure)
{
    int n = 1;

    fail_in = "onion_buf.c";
    while (!follow(_i, n))
        n++;
    ck_assert_int_gt(n, 1);
}
END_TEST

/* There are some in the wire already. */
START_TEST(more_unread_bytes_than_there_can_be_are_refused)
{
    SSL *ssl = test_ssl(1, 0, 1);
    struct peers p;
    char byte;

    peers_new(&p, 17408, TLS1_3_VERSION);
    ck_assert_int_eq(BIO_write(p.b.bio, "abc", 3), 3);
    ck_assert_int_eq(BIO_read(p.a.bio, &byte, 1), 1);
    test_refused(BIO_onion_start_tls(p.a.bio, ssl, "x", SIZE_MAX),
                 ERR_R_MALLOC_FAILURE);
    SSL_free(ssl);
    peer_expect(&p, &p.a, "bc", 2, 0);
    peers_free(&p);
}
END_TEST

int main(void)
{
    Suite *s;
    TCase *tc;

    if (!CRYPTO_set_mem_functions(allocate, reallocate, release))
        return 99;
    s = suite_create("edges");
    tc = test_case(s, "nothing");
    tcase_add_test(tc, a_stack_without_a_chain_answers_and_does_nothing);
    tcase_add_test(tc, a_stack_over_nothing_is_not_made);
    tcase_add_test(tc, a_stack_keeps_its_close_flag);
    tcase_add_loop_test(tc, no_length_is_read_and_written, 0, 2);
    tcase_add_loop_test(tc, more_than_an_int_may_be_asked_for, 0, 2);
    tcase_add_test(tc, a_wire_whose_transport_was_popped_says_so);
    tcase_add_test(tc, an_ssl_over_nothing_fails_and_does_not_wait);
    tcase_add_test(tc, a_port_answers_for_what_lies_below_its_layer);
    tcase_add_test(tc, a_port_of_dtls_passes_on_what_concerns_datagrams);
    tcase_add_test(tc, a_layer_alone_says_why_its_transport_failed);
    tcase_add_loop_test(tc, a_layer_without_an_ssl_has_nothing_to_close_or_read,
                        0, 2);
    tc = test_case(s, "own bios");
    tcase_add_test(tc, an_ssl_of_its_own_bio_ends_with_it);
    tcase_add_test(tc, a_bio_that_is_there_already_is_not_pushed_again);
    tcase_add_test(tc, what_is_pushed_in_its_place_is_read);
    tcase_add_test(tc, a_layer_that_is_popped_takes_the_bios_from_its_ssl);
    tc = test_case(s, "start");
    tcase_add_test(tc, start_is_refused_for_an_ssl_that_has_a_way_out);
    tcase_add_test(tc, a_layer_that_has_bytes_given_back_is_not_at_its_end);
    tcase_add_test(tc,
        reset_drops_what_was_given_back_and_tells_of_the_layer_anew);
    tc = test_case(s, "transport");
    tcase_add_loop_test(tc,
        nothing_is_written_flushed_or_stopped_over_a_dead_transport, 0, 3);
    tcase_add_loop_test(tc,
        what_was_gathered_is_not_flushed_over_a_dead_transport, 0, 2);
    tcase_add_loop_test(tc, a_handshake_in_the_clear_connects, 0, 2);
    tcase_add_loop_test(tc,
        a_full_wire_over_a_dead_transport_asks_for_no_retry, 0, 2);
    tcase_add_loop_test(tc, a_transport_that_has_ended_is_not_read_again, 0, 2);
    tcase_add_test(tc, a_transport_that_connects_is_waited_for);
    tcase_add_loop_test(tc,
        what_could_not_go_into_a_full_wire_is_not_flushed_either, 0, 2);
    tcase_add_test(tc, a_question_reads_nothing_and_counts_what_waits);
    tcase_add_test(tc, a_flush_that_fails_is_not_blamed_on_an_older_error);
    tcase_add_test(tc,
                   a_clients_handshake_is_done_when_its_last_words_are_sent);
    tc = test_case(s, "writes and reads");
    tcase_add_loop_test(tc, a_write_that_is_repeated_is_not_gathered, 1, 3);
    tcase_add_test(tc, a_write_of_which_a_byte_is_taken_is_to_be_finished);
    tcase_add_loop_test(tc, a_line_of_many_records_is_read_whole, 0, 3);
    tc = test_case(s, "left behind");
    tcase_add_test(tc, errors_of_a_callback_do_not_stay);
    tcase_add_test(tc, a_boundary_is_told_of_by_the_read_that_returns_it);
    tcase_add_test(tc, pushes_and_pops_are_answered);
    tcase_add_loop_test(tc,
        the_end_of_a_stack_leaves_the_error_queue_as_it_was, 0, 2);
    tcase_add_test(tc, the_end_of_a_stack_that_was_stopped_reads_nothing);
    tcase_add_test(tc, a_copy_of_a_stack_is_idle);
    tcase_add_test(tc, errors_have_a_library_of_their_own);
    tc = test_case(s, "print");
    tcase_add_loop_test(tc, print_says_when_out_took_no_more, 0, 2);
    tcase_add_test(tc, print_draws_a_stack_in_the_clear);
    tcase_add_test(tc, print_names_no_socket_where_there_is_none);
    tcase_add_test(tc, print_tells_that_the_peer_has_closed);
    tcase_add_test(tc, print_tells_how_a_layer_failed);
    tc = test_case(s, "records");
    tcase_add_loop_test(tc, records_of_every_kind_of_cipher_fit_into_each_other,
                        0, 5);
    tc = test_case(s, "sessions");
    tcase_add_loop_test(tc, a_session_that_is_of_no_use_sends_nothing_early,
                        0, (int)(sizeof(offers) / sizeof(offers[0])));
    tcase_add_loop_test(tc, a_client_may_verify_in_its_own_way, 0, 3);
    tcase_add_test(tc, a_client_may_verify_by_dane);
    tcase_add_loop_test(tc, what_an_application_has_set_for_its_buffers_stays,
                        0, 2);
    tc = test_case(s, "memory");
    tcase_add_loop_test(tc, the_first_calls_may_lack_memory, 0, 40);
    tcase_add_test(tc, a_call_that_lacked_memory_keeps_none);
    tcase_add_test(tc,
        without_memory_for_its_session_a_layer_sends_nothing_early);
    tcase_add_test(tc, a_line_that_came_early_fails_without_a_buffer);
    tcase_add_loop_test(tc, a_peer_that_cannot_be_followed_is_a_failure, 0, 2);
    tcase_add_test(tc, more_unread_bytes_than_there_can_be_are_refused);
    return test_main(s);
}
