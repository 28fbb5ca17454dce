/*
 * test_chains.c - layers in chains as other people's programs build them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/pem.h>
#include "util.h"

#define MUCH 200000

static int version_of(int i)
{
    return i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

static BIO *layer_new(SSL *ssl)
{
    BIO *b = BIO_new(BIO_f_onion());

    ck_assert_int_eq((int)BIO_set_ssl(b, ssl, BIO_CLOSE), 1);
    return b;
}

static SSL *ssl_in(BIO *b)
{
    SSL *ssl = NULL;

    BIO_get_ssl(b, &ssl);
    return ssl;
}

static void check_retry(BIO *b, int ret)
{
    ck_assert_int_eq(ret, -1);
    ck_assert_msg(BIO_should_retry(b), "a failure, not a retry");
}

static void shake(BIO *c, BIO *s)
{
    int done = 0, rounds = 0, ret;
    char byte;

    while (done != 3) {
        if ((done & 1) == 0) {
            ret = (int)BIO_do_handshake(c);
            done |= ret == 1;
        } else {
            ret = BIO_read(c, &byte, 1);
        }
        if (ret != 1)
            check_retry(c, ret);
        if ((done & 2) == 0) {
            ret = (int)BIO_do_handshake(s);
            done |= (ret == 1) << 1;
            if (ret != 1)
                check_retry(s, ret);
        }
        ck_assert_msg(rounds++ < 200000, "no handshake");
    }
}

static int write_once(BIO *b, const void *data, int len)
{
    int ret = BIO_write(b, data, len);

    if (ret <= 0)
        check_retry(b, ret);
    return ret > 0 ? ret : 0;
}

static int flush_once(BIO *b)
{
    int ret = (int)BIO_flush(b);

    ck_assert_msg(ret > 0 || BIO_should_retry(b), "cannot flush");
    return ret > 0;
}

/* len bytes from one to the other, whatever is between. */
static void relay(BIO *from, BIO *to, int len)
{
    const unsigned char *data = test_bytes((size_t)len);
    int sent = 0, got = 0, flushed = 0, rounds = 0, ret;
    unsigned char in[16384];

    while (!flushed || got < len) {
        if (sent < len)
            sent += write_once(from, data + sent, len - sent);
        else if (!flushed)
            flushed = flush_once(from);
        ret = BIO_read(to, in, sizeof(in));
        if (ret > 0) {
            ck_assert_int_le(got + ret, len);
            ck_assert_mem_eq(in, data + got, (size_t)ret);
            got += ret;
        } else {
            check_retry(to, ret);
        }
        ck_assert_msg(rounds++ < 500000, "no progress");
    }
}

struct ends {
    BIO *c, *s;
    BIO *half_c, *half_s;
};

static void ends_new(struct ends *e, int version, int depth, size_t size)
{
    int i;

    ck_assert(BIO_new_bio_pair(&e->half_c, size, &e->half_s, size));
    e->c = e->half_c;
    e->s = e->half_s;
    for (i = 1; i <= depth; i++) {
        e->c = BIO_push(layer_new(test_ssl(1, version, i)), e->c);
        e->s = BIO_push(layer_new(test_ssl(0, version, i)), e->s);
    }
}

static void ends_free(struct ends *e)
{
    BIO_free_all(e->c);
    BIO_free_all(e->s);
    test_no_error();
}

/* The BIO that is n below b. */
static BIO *below(BIO *b, int n)
{
    while (n-- > 0)
        b = BIO_next(b);
    return b;
}

/* Puts filter over what is n below top; returns the top. */
static BIO *insert(BIO *top, int n, BIO *filter)
{
    BIO *above, *under;

    if (n == 0)
        return BIO_push(filter, top);
    above = below(top, n - 1);
    under = BIO_next(above);
    BIO_set_next(above, NULL);
    BIO_push(filter, under);
    BIO_push(above, filter);
    return top;
}

/*
 * Order of building
 */

/* _i: version x depth 1 to 4 */
START_TEST(a_chain_is_built_from_the_bottom_up)
{
    struct ends e;

    ends_new(&e, version_of(_i), 1 + _i / 2, 70000);
    shake(e.c, e.s);
    relay(e.c, e.s, MUCH);
    relay(e.s, e.c, MUCH);
    ends_free(&e);
}
END_TEST

static BIO *from_the_top(int client, int version, int depth, BIO *bottom)
{
    BIO *top = NULL, *b;
    int i;

    for (i = depth; i > 0; i--) {
        b = layer_new(test_ssl(client, version, i));
        if (top == NULL)
            top = b;
        else
            BIO_push(top, b);
    }
    return BIO_push(top, bottom);
}

START_TEST(a_chain_is_built_from_the_top_down)
{
    struct ends e;
    int depth = 1 + _i / 2;

    ends_new(&e, TLS1_3_VERSION, 0, 70000);
    e.c = from_the_top(1, version_of(_i), depth, e.half_c);
    e.s = from_the_top(0, version_of(_i), depth, e.half_s);
    shake(below(e.c, depth - 1), below(e.s, depth - 1));
    shake(e.c, e.s);
    relay(e.c, e.s, MUCH);
    relay(e.s, e.c, MUCH);
    ends_free(&e);
}
END_TEST

/* The other end is of stock layers: the bytes are the same. */
START_TEST(a_chain_talks_to_stock_layers)
{
    int depth = 1 + _i / 4, version = version_of(_i), client = _i / 2 % 2, i;
    struct ends e;
    BIO *b;

    ends_new(&e, version, 0, 70000);
    e.c = from_the_top(client, version, depth, e.half_c);
    for (i = 1; i <= depth; i++) {
        b = BIO_new(BIO_f_ssl());
        BIO_set_ssl(b, test_ssl(!client, version, i), BIO_CLOSE);
        e.s = BIO_push(b, e.s);
    }
    if (client)
        shake(e.c, e.s);
    else
        shake(e.s, e.c);
    relay(e.c, e.s, MUCH);
    relay(e.s, e.c, MUCH);
    BIO_free_all(e.c);
    test_no_error();
    BIO_free_all(e.s);
    ERR_clear_error();
}
END_TEST

START_TEST(a_chain_grows_while_it_talks)
{
    struct ends e;
    int i;

    ends_new(&e, TLS1_3_VERSION, 0, 70000);
    for (i = 1; i <= 4; i++) {
        e.c = BIO_push(layer_new(test_ssl(1, version_of(_i), i)), e.c);
        e.s = BIO_push(layer_new(test_ssl(0, version_of(_i), i)), e.s);
        shake(e.c, e.s);
        relay(e.s, e.c, 1000);
        relay(e.c, e.s, 1000);
    }
    ends_free(&e);
}
END_TEST

/* And gets smaller again, by closing the top one on both sides. */
START_TEST(a_chain_shrinks_while_it_talks)
{
    struct ends e;
    BIO *c, *s;
    char byte;
    int i;

    ends_new(&e, version_of(_i), 4, 70000);
    shake(e.c, e.s);
    for (i = 4; i > 0; i--) {
        relay(e.s, e.c, 1000);
        relay(e.c, e.s, 1000);
        c = e.c;
        s = e.s;
        SSL_shutdown(ssl_in(c));
        ck_assert_int_eq(BIO_read(s, &byte, 1), 0);
        SSL_shutdown(ssl_in(s));
        ck_assert_int_eq(BIO_read(c, &byte, 1), 0);
        e.c = BIO_pop(c);
        e.s = BIO_pop(s);
        BIO_free(c);
        BIO_free(s);
        test_no_error();
    }
    relay(e.c, e.s, 1000);
    ends_free(&e);
}
END_TEST

/* _i: version x which of 4, from the top */
START_TEST(any_layer_may_be_popped)
{
    struct ends e;
    int which = _i / 2;
    BIO *c, *s, *under_c, *under_s;

    ends_new(&e, version_of(_i), 4, 70000);
    shake(e.c, e.s);
    relay(e.s, e.c, 10);        /* no ticket is on the way */
    c = below(e.c, which);
    s = below(e.s, which);
    under_c = BIO_pop(c);
    under_s = BIO_pop(s);
    if (which == 0) {
        e.c = under_c;
        e.s = under_s;
    }
    BIO_free(c);
    BIO_free(s);
    test_no_error();
    ck_assert_ptr_eq(below(e.c, which), under_c);
    relay(e.c, e.s, MUCH);
    relay(e.s, e.c, MUCH);
    ends_free(&e);
}
END_TEST

/*
 * Filters of OpenSSL's among the layers. _i: version x place 0 (on top) to 3
 * (over the transport).
 */

START_TEST(a_buffer_may_be_anywhere)
{
    struct ends e;
    int place = _i / 2;

    ends_new(&e, version_of(_i), 3, MUCH * 2);
    e.c = insert(e.c, place, BIO_new(BIO_f_buffer()));
    e.s = insert(e.s, place, BIO_new(BIO_f_buffer()));
    shake(e.c, e.s);
    relay(e.c, e.s, MUCH);
    relay(e.s, e.c, MUCH);
    ends_free(&e);
}
END_TEST

START_TEST(a_buffer_may_be_everywhere)
{
    struct ends e;
    int i;

    ends_new(&e, version_of(_i), 3, MUCH * 2);
    for (i = 3; i >= 0; i--) {
        e.c = insert(e.c, i, BIO_new(BIO_f_buffer()));
        e.s = insert(e.s, i, BIO_new(BIO_f_buffer()));
    }
    shake(e.c, e.s);
    relay(e.c, e.s, MUCH);
    relay(e.s, e.c, MUCH);
    ends_free(&e);
}
END_TEST

/* It asks for a retry now and then, and takes less than it is given. */
START_TEST(a_filter_that_stutters_may_be_anywhere)
{
    struct ends e;
    int place = _i / 2;

    ends_new(&e, version_of(_i), 3, 70000);
    e.c = insert(e.c, place, BIO_new(BIO_f_nbio_test()));
    e.s = insert(e.s, place, BIO_new(BIO_f_nbio_test()));
    shake(e.c, e.s);
    relay(e.c, e.s, 5000);
    relay(e.s, e.c, 5000);
    ends_free(&e);
}
END_TEST

START_TEST(a_filter_that_stutters_may_be_everywhere)
{
    struct ends e;
    int i;

    ends_new(&e, version_of(_i), 2, 3000);
    for (i = 2; i >= 0; i--) {
        e.c = insert(e.c, i, BIO_new(BIO_f_nbio_test()));
        e.s = insert(e.s, i, BIO_new(BIO_f_nbio_test()));
    }
    shake(e.c, e.s);
    relay(e.c, e.s, test_times(2000, 200));
    relay(e.s, e.c, test_times(2000, 200));
    ends_free(&e);
}
END_TEST

/* BIO_f_base64() gives the last of it only at the end: so once, and on top. */
START_TEST(base64_may_be_on_top)
{
    const unsigned char *data = test_bytes(30000);
    static unsigned char in[30001];
    struct ends e;
    int got = 0, ret;

    ends_new(&e, version_of(_i), 3, MUCH);
    shake(e.c, e.s);
    e.c = BIO_push(BIO_new(BIO_f_base64()), e.c);
    e.s = BIO_push(BIO_new(BIO_f_base64()), e.s);
    ck_assert_int_eq(BIO_write(e.c, data, 30000), 30000);
    ck_assert_int_eq((int)BIO_flush(e.c), 1);
    ck_assert_int_eq(BIO_onion_shutdown(e.c), 0);
    while ((ret = BIO_read(e.s, in + got, (int)sizeof(in) - got)) > 0)
        got += ret;
    ck_assert_int_eq(ret, 0);
    ck_assert_int_eq(got, 30000);
    ck_assert_mem_eq(in, data, 30000);
    ends_free(&e);
}
END_TEST

START_TEST(a_digest_and_a_cipher_may_be_between)
{
    static const unsigned char key[32], iv[16];
    struct ends e;
    BIO *md, *cipher;

    ends_new(&e, version_of(_i), 2, 70000);
    md = BIO_new(BIO_f_md());
    BIO_set_md(md, EVP_sha256());
    e.c = insert(e.c, 1, md);
    shake(e.c, e.s);
    cipher = BIO_new(BIO_f_cipher());
    BIO_set_cipher(cipher, EVP_aes_256_ctr(), key, iv, 1);
    e.c = insert(e.c, 0, cipher);
    cipher = BIO_new(BIO_f_cipher());
    BIO_set_cipher(cipher, EVP_aes_256_ctr(), key, iv, 0);
    e.s = insert(e.s, 0, cipher);
    ck_assert_int_eq(BIO_write(e.c, test_bytes(5000), 5000), 5000);
    relay(BIO_next(e.s), BIO_next(e.c), 1000);
    ends_free(&e);
}
END_TEST

/*
 * Connect
 */

struct remote {
    int listener;
    char name[32];
    BIO *c, *s;
};

static void no_delay(int fd)
{
    int on = 1;

    BIO_socket_nbio(fd, 1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Once c has said where to; the connection is made by its handshake. */
static void remote_shake(struct remote *r, int version, int depth)
{
    int fd, i;

    for (i = 0; i < 1000 && BIO_get_fd(r->c, NULL) < 0; i++)
        check_retry(r->c, (int)BIO_do_handshake(r->c));
    fd = test_accept(r->listener);
    no_delay(fd);
    no_delay((int)BIO_get_fd(r->c, NULL));
    r->s = BIO_new_socket(fd, BIO_CLOSE);
    for (i = 1; i <= depth; i++)
        r->s = BIO_push(layer_new(test_ssl(0, version, i)), r->s);
    shake(r->c, r->s);
}

static void remote_free(struct remote *r)
{
    BIO_free_all(r->c);
    BIO_free_all(r->s);
    ERR_clear_error();
}

/* _i: version x depth 1 to 4. The address is set through all the layers. */
START_TEST(a_connect_bio_is_reached_through_any_number_of_layers)
{
    struct remote r;
    int depth = 1 + _i / 2;

    r.listener = test_listen(r.name);
    r.c = from_the_top(1, version_of(_i), depth, BIO_new(BIO_s_connect()));
    ck_assert_int_eq((int)BIO_set_conn_hostname(r.c, r.name), 1);
    ck_assert_int_eq((int)BIO_set_nbio(r.c, 1), 1);
    remote_shake(&r, version_of(_i), depth);
    relay(r.c, r.s, MUCH);
    relay(r.s, r.c, MUCH);
    remote_free(&r);
}
END_TEST

START_TEST(a_buffer_and_a_connect_bio_enclose_the_layers)
{
    struct remote r;

    r.listener = test_listen(r.name);
    r.c = BIO_new_buffer_onion_connect(test_client_ctx(version_of(_i), 1));
    X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl_in(r.c)), test_name(1), 0);
    SSL_set_tlsext_host_name(ssl_in(r.c), test_name(1));
    BIO_set_conn_hostname(r.c, r.name);
    BIO_set_nbio(r.c, 1);
    remote_shake(&r, version_of(_i), 1);
    relay(r.c, r.s, MUCH);
    relay(r.s, r.c, MUCH);
    remote_free(&r);
}
END_TEST

START_TEST(a_connection_that_is_refused_is_a_failure_in_each_layer)
{
    BIO *b = from_the_top(1, TLS1_3_VERSION, 3, BIO_new(BIO_s_connect()));
    char name[32];
    int i, ret = -1;

    close(test_listen(name));
    BIO_set_conn_hostname(b, name);
    BIO_set_nbio(b, 1);
    for (i = 0; i < 100000; i++) {
        ret = (int)BIO_do_handshake(b);
        if (!BIO_should_retry(b))
            break;
    }
    test_failed(b, ret, 0);
    BIO_free_all(b);
    test_no_error();
}
END_TEST

/*
 * One layer as the BIO of another SSL: the way of fluent-bit.
 */

struct pipe_ends {
    SSL *outer_c, *outer_s, *inner_c, *inner_s;
    BIO *c, *s;                 /* the layers; the inner SSLs own them */
};

static void drive(SSL *c, SSL *s)
{
    int done = 0, rounds = 0;

    while (done != 3) {
        ERR_clear_error();
        done |= SSL_do_handshake(c) == 1;
        ERR_clear_error();
        done |= (SSL_do_handshake(s) == 1) << 1;
        ck_assert_msg(rounds++ < 1000, "no handshake");
    }
    ERR_clear_error();
}

static BIO *over(SSL *outer, SSL *inner)
{
    BIO *b = BIO_new(BIO_f_onion());

    ck_assert_int_eq((int)BIO_set_ssl(b, outer, BIO_NOCLOSE), 1);
    SSL_set_bio(inner, b, b);
    return b;
}

static void pipe_open(struct pipe_ends *p, int version)
{
    BIO *c, *s;

    ck_assert(BIO_new_bio_pair(&c, 70000, &s, 70000));
    p->outer_c = test_ssl(1, version, 1);
    p->outer_s = test_ssl(0, version, 1);
    SSL_set_bio(p->outer_c, c, c);
    SSL_set_bio(p->outer_s, s, s);
    drive(p->outer_c, p->outer_s);
    p->inner_c = test_ssl(1, version, 2);
    p->inner_s = test_ssl(0, version, 2);
    p->c = over(p->outer_c, p->inner_c);
    p->s = over(p->outer_s, p->inner_s);
    drive(p->inner_c, p->inner_s);
}

static void pipe_close(struct pipe_ends *p)
{
    SSL_free(p->inner_c);
    SSL_free(p->inner_s);
    SSL_free(p->outer_c);
    SSL_free(p->outer_s);
    test_no_error();
}

static void say(SSL *from, SSL *to, const char *text)
{
    int len = (int)strlen(text), n, i;
    char in[100];

    ERR_clear_error();
    ck_assert_int_eq(SSL_write(from, text, len), len);
    for (i = 0; (n = SSL_read(to, in, sizeof(in))) < 0 && i < 10; i++)
        ERR_clear_error();
    ck_assert_int_eq(n, len);
    ck_assert_mem_eq(in, text, (size_t)len);
}

START_TEST(a_layer_without_a_chain_carries_an_ssl)
{
    struct pipe_ends p;

    pipe_open(&p, version_of(_i));
    say(p.inner_c, p.inner_s, "request");
    say(p.inner_s, p.inner_c, "response");
    say(p.inner_c, p.inner_s, "request again");
    pipe_close(&p);
}
END_TEST

/* NOCLOSE: the outer session outlives the layer that borrowed it. */
START_TEST(the_borrowed_ssl_goes_on_after_its_layer)
{
    struct pipe_ends p;

    pipe_open(&p, version_of(_i));
    say(p.inner_c, p.inner_s, "inside");
    say(p.inner_s, p.inner_c, "inside");
    SSL_shutdown(p.inner_c);
    ck_assert_int_eq(SSL_read(p.inner_s, NULL, 0), 0);
    ck_assert_int_eq(SSL_shutdown(p.inner_s), 1);
    ck_assert_int_eq(SSL_shutdown(p.inner_c), 1);
    SSL_free(p.inner_c);
    SSL_free(p.inner_s);
    p.inner_c = p.inner_s = NULL;
    say(p.outer_c, p.outer_s, "outside");
    say(p.outer_s, p.outer_c, "outside");
    pipe_close(&p);
}
END_TEST

/* The same where the layer stands in a chain: the SSL keeps its transport. */
START_TEST(a_borrowed_ssl_keeps_the_transport_of_its_layer)
{
    SSL *c = test_ssl(1, version_of(_i), 1);
    SSL *s = test_ssl(0, version_of(_i), 1);
    BIO *one, *other, *layer = BIO_new(BIO_f_onion());

    ck_assert(BIO_new_bio_pair(&one, 0, &other, 0));
    BIO_push(layer, one);
    ck_assert_int_eq(BIO_set_ssl(layer, c, BIO_NOCLOSE), 1);
    SSL_set_bio(s, other, other);
    drive(c, s);
    BIO_free_all(layer);
    say(c, s, "without the layer");
    say(s, c, "without the layer");
    ck_assert_int_eq(SSL_shutdown(c), 0);
    ck_assert_int_eq(SSL_shutdown(s), 0);
    ck_assert_int_eq(SSL_shutdown(c), 1);
    SSL_free(c);
    SSL_free(s);
    test_no_error();
}
END_TEST

START_TEST(a_truncation_of_the_borrowed_ssl_reaches_the_inner_one)
{
    struct pipe_ends p;
    char byte;
    int ret;

    pipe_open(&p, version_of(_i));
    say(p.inner_s, p.inner_c, "inside");
    SSL_shutdown(p.outer_s);
    ret = SSL_read(p.inner_c, &byte, 1);
    ck_assert_int_le(ret, 0);
    ck_assert_int_ne(SSL_get_error(p.inner_c, ret), SSL_ERROR_ZERO_RETURN);
    ck_assert_int_ne(SSL_get_error(p.inner_c, ret), SSL_ERROR_WANT_READ);
    ERR_clear_error();
    pipe_close(&p);
}
END_TEST

/* s_server: two BIOs are with the SSL before the layer gets it. */
static BIO *layer_of_two(SSL *ssl, BIO *in, BIO *out)
{
    BIO *b = BIO_new(BIO_f_onion());

    SSL_set_bio(ssl, in, out);
    ck_assert_int_eq((int)BIO_set_ssl(b, ssl, BIO_CLOSE), 1);
    return b;
}

/* _i: version x layers above, 0 to 2 */
START_TEST(an_ssl_with_two_bios_is_the_lowest_layer)
{
    BIO *to_s[2], *to_c[2];
    struct ends e;
    int i;

    ck_assert(BIO_new_bio_pair(&to_s[0], 70000, &to_s[1], 70000));
    ck_assert(BIO_new_bio_pair(&to_c[0], 70000, &to_c[1], 70000));
    e.c = layer_of_two(test_ssl(1, version_of(_i), 1), to_c[1], to_s[0]);
    e.s = layer_of_two(test_ssl(0, version_of(_i), 1), to_s[1], to_c[0]);
    for (i = 2; i < 2 + _i / 2; i++) {
        e.c = BIO_push(layer_new(test_ssl(1, version_of(_i), i)), e.c);
        e.s = BIO_push(layer_new(test_ssl(0, version_of(_i), i)), e.s);
    }
    shake(e.c, e.s);
    relay(e.c, e.s, MUCH);
    relay(e.s, e.c, MUCH);
    ends_free(&e);
}
END_TEST

/*
 * OpenSSL's own readers and writers, through three layers
 */

static BIO *buffered(BIO *b)
{
    return BIO_push(BIO_new(BIO_f_buffer()), b);
}

static void stacks_of_three(struct peers *p, int version)
{
    peers_new(p, 70000, version);
    peers_dive(p, 3);
}

static X509 *certificate(void)
{
    return SSL_CTX_get0_certificate(test_server_ctx(0, test_name(1), 0));
}

static void pass_certificate(BIO *from, BIO *to)
{
    X509 *got;

    ck_assert_int_eq(PEM_write_bio_X509(from, certificate()), 1);
    ck_assert_int_eq(BIO_printf(from, "%s %d\n", "and a line", 42), 14);
    ck_assert_int_eq((int)BIO_flush(from), 1);
    got = PEM_read_bio_X509(to, NULL, NULL, NULL);
    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(X509_cmp(got, certificate()), 0);
    X509_free(got);
}

static void expect_line(BIO *b, const char *line)
{
    char in[100];

    ck_assert_int_eq(BIO_gets(b, in, sizeof(in)), (int)strlen(line));
    ck_assert_str_eq(in, line);
}

START_TEST(a_certificate_passes_three_layers_and_a_buffer)
{
    struct ends e;

    ends_new(&e, version_of(_i), 3, 70000);
    shake(e.c, e.s);
    e.c = buffered(e.c);
    e.s = buffered(e.s);
    pass_certificate(e.c, e.s);
    expect_line(e.s, "and a line 42\n");
    pass_certificate(e.s, e.c);
    expect_line(e.c, "and a line 42\n");
    ends_free(&e);
}
END_TEST

/* A stack has BIO_gets() itself. */
START_TEST(a_certificate_passes_three_layers_of_a_stack)
{
    struct peers p;

    stacks_of_three(&p, version_of(_i));
    pass_certificate(p.a.bio, p.b.bio);
    expect_line(p.b.bio, "and a line 42\n");
    pass_certificate(p.b.bio, p.a.bio);
    expect_line(p.a.bio, "and a line 42\n");
    peers_free(&p);
}
END_TEST

START_TEST(der_and_dumps_pass_three_layers)
{
    struct ends e;
    X509 *got;

    ends_new(&e, version_of(_i), 3, 70000);
    shake(e.c, e.s);
    ck_assert_int_eq(i2d_X509_bio(e.c, certificate()), 1);
    got = d2i_X509_bio(e.s, NULL);
    ck_assert_ptr_nonnull(got);
    ck_assert_int_eq(X509_cmp(got, certificate()), 0);
    X509_free(got);
    ck_assert_int_eq(X509_print(e.s, certificate()), 1);
    ck_assert_int_gt((int)BIO_pending(e.c), 0);
    ends_free(&e);
}
END_TEST

static void add_order_tests(Suite *suite)
{
    TCase *tc = test_case(suite, "order");

    test_loop(tc, a_chain_is_built_from_the_bottom_up, 0, 8);
    test_loop(tc, a_chain_is_built_from_the_top_down, 0, 8);
    test_loop(tc, a_chain_talks_to_stock_layers, 0, 16);
    test_loop(tc, a_chain_grows_while_it_talks, 0, 2);
    test_loop(tc, a_chain_shrinks_while_it_talks, 0, 2);
    test_loop(tc, any_layer_may_be_popped, 0, 8);
}

static void add_filter_tests(Suite *suite)
{
    TCase *tc = test_case(suite, "filters");

    test_loop(tc, a_buffer_may_be_anywhere, 0, 8);
    test_loop(tc, a_buffer_may_be_everywhere, 0, 2);
    test_loop(tc, a_filter_that_stutters_may_be_anywhere, 0, 8);
    test_loop(tc, a_filter_that_stutters_may_be_everywhere, 0, 2);
    test_loop(tc, base64_may_be_on_top, 0, 2);
    test_loop(tc, a_digest_and_a_cipher_may_be_between, 0, 2);
    tc = test_case(suite, "connect");
    test_loop(tc,
        a_connect_bio_is_reached_through_any_number_of_layers, 0, 8);
    test_loop(tc, a_buffer_and_a_connect_bio_enclose_the_layers, 0,
              2);
    tcase_add_test(tc,
                   a_connection_that_is_refused_is_a_failure_in_each_layer);
}

static void add_borrowed_tests(Suite *suite)
{
    TCase *tc = test_case(suite, "borrowed");

    test_loop(tc, a_layer_without_a_chain_carries_an_ssl, 0, 2);
    test_loop(tc, the_borrowed_ssl_goes_on_after_its_layer, 0, 2);
    test_loop(tc, a_borrowed_ssl_keeps_the_transport_of_its_layer, 0, 2);
    test_loop(tc,
        a_truncation_of_the_borrowed_ssl_reaches_the_inner_one, 0, 2);
    test_loop(tc, an_ssl_with_two_bios_is_the_lowest_layer, 0, 6);
    tc = test_case(suite, "readers");
    test_loop(tc, a_certificate_passes_three_layers_and_a_buffer, 0,
              2);
    test_loop(tc, a_certificate_passes_three_layers_of_a_stack, 0,
              2);
    test_loop(tc, der_and_dumps_pass_three_layers, 0, 2);
}

int main(void)
{
    Suite *suite = suite_create("chains");

    add_order_tests(suite);
    add_filter_tests(suite);
    add_borrowed_tests(suite);
    return test_main(suite);
}
