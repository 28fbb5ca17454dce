/*
 * test_accept.c - BIO_set_accept_bios() gives each connection its own onion.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A template says from the top down what is to be above each connection that
 * is accepted: b a BIO_f_buffer(), s a stack, 1 to 4 the layers. Where there
 * are only layers and buffers, BIO_f_ssl() has to do the same.
 */

#include <stdio.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "util.h"

#define CONNECTIONS 3

struct shop {
    const BIO_METHOD *method;
    int version;
    const char *template;
    BIO *model;                 /* the template; of the accept BIO */
    BIO *accept;
    char address[64];
    BIO *c[CONNECTIONS], *s[CONNECTIONS];
};

static int depth_of(const char *template)
{
    int depth = 0;

    for (; *template != '\0'; template++)
        if (*template >= '1' && *template <= '9' && *template - '0' > depth)
            depth = *template - '0';
    return depth;
}

static BIO *layer_new(const struct shop *shop, SSL *ssl)
{
    BIO *b = BIO_new(shop->method);

    ck_assert_int_eq((int)BIO_set_ssl(b, ssl, BIO_CLOSE), 1);
    return b;
}

static BIO *template_new(const struct shop *shop)
{
    const char *p = shop->template;
    BIO *chain = NULL, *b;

    for (; *p != '\0'; p++) {
        if (*p == 'b')
            b = BIO_new(BIO_f_buffer());
        else if (*p == 's')
            b = BIO_new(BIO_f_onion_stack());
        else
            b = layer_new(shop, test_ssl(0, shop->version, *p - '0'));
        chain = BIO_push(chain, b);
        if (chain == NULL)
            chain = b;
    }
    return chain;
}

static void shop_open(struct shop *shop, const BIO_METHOD *method,
                      int version, const char *template)
{
    memset(shop, 0, sizeof(*shop));
    shop->method = method;
    shop->version = version;
    shop->template = template;
    shop->accept = BIO_new(BIO_s_accept());
    BIO_set_accept_name(shop->accept, "127.0.0.1:0");
    BIO_set_nbio(shop->accept, 1);
    BIO_set_nbio_accept(shop->accept, 1);
    shop->model = template_new(shop);
    ck_assert_int_eq((int)BIO_set_accept_bios(shop->accept, shop->model), 1);
    ck_assert_int_eq((int)BIO_do_accept(shop->accept), 1);
    snprintf(shop->address, sizeof(shop->address), "127.0.0.1:%s",
             BIO_get_accept_port(shop->accept));
}

/* An accept BIO of OpenSSL 3.0 frees only the first BIO of its template. */
static void accept_free(struct shop *shop)
{
    BIO *rest;

    if (shop->accept == NULL)
        return;
    rest = BIO_pop(shop->model);
    BIO_free_all(shop->accept);
    BIO_free_all(rest);
    shop->accept = NULL;
}

static void shop_close(struct shop *shop)
{
    int i;

    for (i = 0; i < CONNECTIONS; i++) {
        BIO_free_all(shop->c[i]);
        BIO_free_all(shop->s[i]);
    }
    accept_free(shop);
    ERR_clear_error();
}

/* Each layer flushes its own flight, which Nagle's algorithm would hold. */
static void no_delay(BIO *b)
{
    BIO *bottom = BIO_find_type(b, BIO_TYPE_DESCRIPTOR);
    int fd = (int)BIO_get_fd(bottom, NULL), on = 1;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                                sizeof(on)), 0);
}

static BIO *client_new(const struct shop *shop)
{
    BIO *b = BIO_new_connect(shop->address);
    int i;

    ck_assert_int_eq((int)BIO_do_connect(b), 1);
    BIO_socket_nbio((int)BIO_get_fd(b, NULL), 1);
    no_delay(b);
    for (i = 1; i <= depth_of(shop->template); i++)
        b = BIO_push(layer_new(shop, test_ssl(1, shop->version, i)), b);
    return b;
}

static void shop_serve(struct shop *shop, int i)
{
    int rounds = 0;

    shop->c[i] = client_new(shop);
    while (BIO_do_accept(shop->accept) <= 0)
        ck_assert_msg(rounds++ < 10000, "no connection");
    shop->s[i] = BIO_pop(shop->accept);
    ck_assert_ptr_nonnull(shop->s[i]);
    no_delay(shop->s[i]);
    ERR_clear_error();
}

static void shake(BIO *c, BIO *s)
{
    int done = 0, rounds = 0;
    char byte;

    while (done != 3) {
        if ((done & 1) == 0)
            done |= BIO_do_handshake(c) == 1;
        else
            ck_assert_int_eq(BIO_read(c, &byte, 1), -1);
        if ((done & 2) == 0)
            done |= (BIO_do_handshake(s) == 1) << 1;
        ERR_clear_error();
        ck_assert_msg(rounds++ < 100000, "no handshake");
    }
}

static void talk(BIO *from, BIO *to, const char *text)
{
    int len = (int)strlen(text), got = 0, n, rounds = 0;
    char in[100];

    while (BIO_write(from, text, len) != len)
        ck_assert_msg(rounds++ < 1000, "cannot write");
    while (BIO_flush(from) != 1)
        ck_assert_msg(rounds++ < 1000, "cannot flush");
    while (got < len) {
        n = BIO_read(to, in + got, len - got);
        if (n > 0)
            got += n;
        else
            ck_assert(BIO_should_retry(to));
        ck_assert_msg(rounds++ < 100000, "nothing comes");
    }
    ck_assert_mem_eq(in, text, (size_t)len);
}

/* Each connection at once, and each with its own words. */
static void shop_talk(struct shop *shop)
{
    char text[50];
    int i;

    for (i = 0; i < CONNECTIONS; i++) {
        snprintf(text, sizeof(text), "to connection %d", i);
        talk(shop->c[i], shop->s[i], text);
    }
    for (i = CONNECTIONS - 1; i >= 0; i--) {
        snprintf(text, sizeof(text), "from connection %d", i);
        talk(shop->s[i], shop->c[i], text);
    }
}

static SSL *ssl_in(BIO *b)
{
    SSL *ssl = NULL;

    BIO_get_ssl(b, &ssl);
    return ssl;
}

static void check_each_its_own(const struct shop *shop)
{
    int i, j;

    for (i = 0; i < CONNECTIONS; i++)
        for (j = 0; j < i; j++)
            ck_assert_ptr_ne(ssl_in(shop->s[i]), ssl_in(shop->s[j]));
}

/* Of two versions in turn. */
static int version_of(int i)
{
    return i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

static const char *const templates[] = {
    "1", "21", "321", "4321", "b1", "b21", "2b1", "b2b1", "1b", "2b1b",
    "s1", "s21", "s321", "bs1", "bs21", "s1b", "s2b1"
};

#define PLAIN 10                /* of them need no stack */
#define TEMPLATES ((int)(sizeof(templates) / sizeof(templates[0])))

static void serve_all(const BIO_METHOD *method, int version,
                      const char *template)
{
    struct shop shop;
    int i;

    shop_open(&shop, method, version, template);
    for (i = 0; i < CONNECTIONS; i++) {
        shop_serve(&shop, i);
        shake(shop.c[i], shop.s[i]);
    }
    check_each_its_own(&shop);
    shop_talk(&shop);
    shop_close(&shop);
}

/* _i: template x version */
START_TEST(each_connection_has_its_own_layers)
{
    serve_all(BIO_f_onion(), version_of(_i), templates[_i / 2]);
}
END_TEST

START_TEST(stock_layers_do_the_same)
{
    serve_all(BIO_f_ssl(), version_of(_i), templates[_i / 2]);
}
END_TEST

START_TEST(connections_shake_hands_side_by_side)
{
    struct shop shop;
    int i;

    shop_open(&shop, BIO_f_onion(), version_of(_i), templates[_i]);
    for (i = 0; i < CONNECTIONS; i++)
        shop_serve(&shop, i);
    for (i = CONNECTIONS - 1; i >= 0; i--) {
        BIO_do_handshake(shop.c[i]);
        BIO_do_handshake(shop.s[i]);
    }
    for (i = 0; i < CONNECTIONS; i++)
        shake(shop.c[i], shop.s[i]);
    shop_talk(&shop);
    shop_close(&shop);
}
END_TEST

START_TEST(a_connection_that_ends_leaves_the_others_alone)
{
    struct shop shop;
    int i;

    shop_open(&shop, BIO_f_onion(), version_of(_i), templates[_i]);
    for (i = 0; i < CONNECTIONS; i++) {
        shop_serve(&shop, i);
        shake(shop.c[i], shop.s[i]);
    }
    BIO_free_all(shop.s[1]);
    BIO_free_all(shop.c[1]);
    shop_serve(&shop, 1);
    shake(shop.c[1], shop.s[1]);
    shop_talk(&shop);
    shop_close(&shop);
}
END_TEST

START_TEST(a_connection_outlives_its_template)
{
    struct shop shop;
    int i;

    shop_open(&shop, BIO_f_onion(), version_of(_i), templates[_i]);
    for (i = 0; i < CONNECTIONS; i++)
        shop_serve(&shop, i);
    accept_free(&shop);
    for (i = 0; i < CONNECTIONS; i++)
        shake(shop.c[i], shop.s[i]);
    shop_talk(&shop);
    shop_close(&shop);
}
END_TEST

START_TEST(a_template_is_freed_though_nobody_came)
{
    struct shop shop;

    shop_open(&shop, BIO_f_onion(), TLS1_3_VERSION, templates[_i]);
    shop_close(&shop);
    test_no_error();
}
END_TEST

START_TEST(a_connection_is_refused_by_its_own_layer)
{
    struct shop shop;
    int i, ret = -1;

    shop_open(&shop, BIO_f_onion(), TLS1_3_VERSION, "1");
    for (i = 0; i < CONNECTIONS; i++)
        shop_serve(&shop, i);
    X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl_in(shop.c[1])),
                                "another.test", 0);
    for (i = 0; i < 10000; i++) {
        BIO_do_handshake(shop.s[1]);
        ret = (int)BIO_do_handshake(shop.c[1]);
        if (!BIO_should_retry(shop.c[1]))
            break;
    }
    test_failed(shop.c[1], ret, ONION_R_CERTIFICATE_REFUSED);
    shake(shop.c[0], shop.s[0]);
    shake(shop.c[2], shop.s[2]);
    talk(shop.c[0], shop.s[0], "sound");
    talk(shop.s[2], shop.c[2], "sound too");
    shop_close(&shop);
}
END_TEST

/*
 * Stacks
 */

/* What is below a filter of somebody else's belongs to the transport. */
static int depth_of_stack(const char *template)
{
    const char *p = strchr(template, 's') + 1;
    int depth = 0;

    for (; *p >= '1' && *p <= '9'; p++)
        depth++;
    return depth;
}

START_TEST(a_stack_of_a_template_knows_its_layers)
{
    struct shop shop;
    int depth;

    shop_open(&shop, BIO_f_onion(), version_of(_i), templates[PLAIN + _i / 2]);
    depth = depth_of_stack(shop.template);
    shop_serve(&shop, 0);
    test_depths(shop.s[0], depth, depth);
    shake(shop.c[0], shop.s[0]);
    talk(shop.c[0], shop.s[0], "text");
    test_depths(shop.s[0], depth, depth);
    ck_assert_ptr_nonnull(BIO_onion_get0_ssl(shop.s[0], depth));
    shop_close(&shop);
}
END_TEST

/* Down to the clear and up again, on a connection from the template. */
START_TEST(a_stack_of_a_template_stops_and_starts_layers)
{
    struct shop shop;
    BIO *client;
    int i, ret, rounds = 0;
    char byte;

    shop_open(&shop, BIO_f_onion(), version_of(_i), _i / 2 ? "s21" : "s1");
    shop_serve(&shop, 0);
    client = shop.c[0];
    shake(client, shop.s[0]);
    talk(shop.s[0], client, "inside");
    while (BIO_onion_shutdown(client) < 0)
        ck_assert_msg(rounds++ < 1000, "no shutdown");
    for (i = depth_of(shop.template); i > 0; i--) {
        while ((ret = BIO_read(shop.s[0], &byte, 1)) < 0)
            ck_assert_msg(rounds++ < 100000, "no boundary");
        ck_assert_int_eq(ret, 0);
        test_depths(shop.s[0], i - 1, -1);
    }
    ck_assert_int_eq(BIO_onion_stop_tls(shop.s[0], 0), 1);
    shop.c[0] = BIO_find_type(client, BIO_TYPE_CONNECT);
    while (client != shop.c[0]) {
        BIO *layer = client;

        ck_assert_int_eq(BIO_read(layer, &byte, 1), 0);
        client = BIO_pop(layer);
        BIO_free(layer);
    }
    talk(shop.c[0], shop.s[0], "in the clear");
    ck_assert_int_eq(BIO_onion_start_tls(shop.s[0],
                                         test_ssl(0, shop.version, 1), NULL,
                                         0), 1);
    shop.c[0] = BIO_push(layer_new(&shop, test_ssl(1, shop.version, 1)),
                         shop.c[0]);
    shake(shop.c[0], shop.s[0]);
    talk(shop.c[0], shop.s[0], "inside again");
    shop_close(&shop);
}
END_TEST

START_TEST(a_stack_alone_is_a_template_in_the_clear)
{
    struct shop shop;
    int i;

    shop_open(&shop, BIO_f_onion(), TLS1_3_VERSION, "s");
    for (i = 0; i < CONNECTIONS; i++)
        shop_serve(&shop, i);
    shop_talk(&shop);
    ck_assert_int_eq(BIO_onion_start_server(shop.s[1],
                         test_server_ctx(TLS1_3_VERSION, test_name(1), 0)), 1);
    shop.c[1] = BIO_push(layer_new(&shop, test_ssl(1, TLS1_3_VERSION, 1)),
                         shop.c[1]);
    shake(shop.c[1], shop.s[1]);
    shop_talk(&shop);
    test_depths(shop.s[0], 0, 0);
    test_depths(shop.s[1], 1, 1);
    shop_close(&shop);
}
END_TEST

static int events;

static void count_event(BIO *stack, int event, int layer, SSL *ssl, void *arg)
{
    (void)stack, (void)event, (void)layer, (void)ssl;
    ck_assert_ptr_eq(arg, &events);
    events++;
}

START_TEST(the_settings_of_a_stack_are_copied)
{
    BIO *model = BIO_new(BIO_f_onion_stack()), *copy;
    SSL *ssl = test_ssl(0, TLS1_3_VERSION, 1);

    BIO_onion_set_max_depth(model, 0);
    BIO_onion_set_callback(model, count_event, &events);
    copy = BIO_dup_chain(model);
    BIO_push(copy, BIO_new(BIO_s_mem()));
    test_refused(BIO_onion_start_tls(copy, ssl, NULL, 0), ONION_R_MAX_DEPTH);
    BIO_onion_set_max_depth(copy, 1);
    ck_assert_int_eq(BIO_onion_start_tls(copy, ssl, NULL, 0), 1);
    ck_assert_int_eq(events, 1);
    BIO_free_all(copy);
    BIO_free_all(model);
}
END_TEST

/* What a template passes on must not be half of a session. */
START_TEST(a_stack_with_its_wire_gives_an_empty_copy)
{
    BIO *mem = BIO_new(BIO_s_mem()), *copy;
    BIO *stack = BIO_new_onion_stack(mem);

    BIO_puts(mem, "text");
    ck_assert_int_eq(BIO_write(stack, "x", 1), 1);
    copy = BIO_dup_chain(stack);
    ck_assert_ptr_nonnull(copy);
    ck_assert_int_eq((int)BIO_pending(copy), 0);
    ck_assert_int_eq((int)BIO_wpending(copy), 0);
    test_depths(copy, 0, 0);
    BIO_free_all(copy);
    BIO_free_all(stack);
}
END_TEST

static void add_template_tests(Suite *suite)
{
    TCase *tc = test_case(suite, "template");

    test_loop(tc, each_connection_has_its_own_layers, 0,
              2 * TEMPLATES);
    test_loop(tc, stock_layers_do_the_same, 0, 2 * PLAIN);
    test_loop(tc, connections_shake_hands_side_by_side, 0,
              TEMPLATES);
    test_loop(tc, a_connection_that_ends_leaves_the_others_alone, 0,
              TEMPLATES);
    test_loop(tc, a_connection_outlives_its_template, 0,
              TEMPLATES);
    test_loop(tc, a_template_is_freed_though_nobody_came, 0,
              TEMPLATES);
    tcase_add_test(tc, a_connection_is_refused_by_its_own_layer);
}

static void add_stack_tests(Suite *suite)
{
    TCase *tc = test_case(suite, "stack");

    test_loop(tc, a_stack_of_a_template_knows_its_layers, 0,
              2 * (TEMPLATES - PLAIN));
    test_loop(tc, a_stack_of_a_template_stops_and_starts_layers, 0,
              4);
    tcase_add_test(tc, a_stack_alone_is_a_template_in_the_clear);
    tcase_add_test(tc, the_settings_of_a_stack_are_copied);
    tcase_add_test(tc, a_stack_with_its_wire_gives_an_empty_copy);
}

int main(void)
{
    Suite *suite = suite_create("accept");

    add_template_tests(suite);
    add_stack_tests(suite);
    return test_main(suite);
}
