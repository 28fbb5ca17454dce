/*
 * dropin_life.c - from BIO_new() to a layer that has its SSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "dropin.h"

/*
 * Method, and life before BIO_set_ssl()
 */

static void row_name(struct scene *x)
{
    BIO *b = BIO_new(x->method);

    say(x, "%s%s%s", BIO_method_name(b),
        BIO_method_type(b) & BIO_TYPE_FILTER ? ", a filter" : "",
        BIO_find_type(b, BIO_TYPE_SSL) == b ? ", BIO_TYPE_SSL" : "");
    BIO_free(b);
}

static void row_new(struct scene *x)
{
    BIO *b = BIO_new(x->method);

    note(x, "init", BIO_get_init(b));
    note(x, "close", BIO_get_shutdown(b));
    note(x, "flags", BIO_test_flags(b, ~0));
    note(x, "free", BIO_free(b));
    tell_error(x);
}

static void row_io_without_ssl(struct scene *x)
{
    BIO *b = BIO_new(x->method);
    char byte;
    size_t n;

    tell(x, "read", b, BIO_read(b, &byte, 1));
    tell(x, "write", b, BIO_write(b, "x", 1));
    tell(x, "puts", b, BIO_puts(b, "x"));
    tell(x, "gets", b, BIO_gets(b, &byte, 1));
    tell(x, "read_ex", b, BIO_read_ex(b, &byte, 1, &n));
    tell(x, "write_ex", b, BIO_write_ex(b, "x", 1, &n));
    BIO_free(b);
}

static void row_ctrl_without_ssl(struct scene *x)
{
    BIO *b = BIO_new(x->method);
    int cmd, odd = 0;

    for (cmd = 1; cmd < 160; cmd++)
        odd += cmd != BIO_C_SET_SSL && BIO_ctrl(b, cmd, 0, NULL) != 0;
    note(x, "controls that answer", odd);
    BIO_free(b);
}

static void row_callback_ctrl_without_ssl(struct scene *x)
{
    BIO *b = BIO_new(x->method);

    note(x, "answer", BIO_callback_ctrl(b, BIO_CTRL_SET_CALLBACK, NULL));
    BIO_free(b);
}

static void row_push_without_ssl(struct scene *x)
{
    BIO *b = BIO_new(x->method), *mem = BIO_new(BIO_s_mem());

    BIO_push(b, mem);
    note(x, "linked", BIO_next(b) == mem);
    BIO_pop(b);
    note(x, "linked", BIO_next(b) == mem);
    BIO_free(b);
    BIO_free(mem);
    tell_error(x);
}

/*
 * BIO_set_ssl(), BIO_get_ssl()
 */

static void row_set_ssl(struct scene *x)
{
    BIO *b = BIO_new(x->method);
    SSL *ssl = test_ssl(1, x->version, 1);

    note(x, "set", BIO_set_ssl(b, ssl, BIO_NOCLOSE));
    note(x, "init", BIO_get_init(b));
    note(x, "close", BIO_get_shutdown(b));
    note(x, "same", ssl_in(b) == ssl);
    note(x, "into nothing", BIO_get_ssl(b, NULL));
    BIO_free(b);
    SSL_free(ssl);
}

static void row_set_ssl_null(struct scene *x)
{
    BIO *b = BIO_new(x->method);

    note(x, "set", BIO_set_ssl(b, NULL, BIO_CLOSE));
    BIO_free(b);
}

static void row_set_ssl_adopts(struct scene *x)
{
    BIO *b = BIO_new(x->method), *own = BIO_new(BIO_s_mem());
    SSL *ssl = test_ssl(1, x->version, 1);

    SSL_set_bio(ssl, own, own);
    BIO_set_ssl(b, ssl, BIO_CLOSE);
    note(x, "next is its BIO", BIO_next(b) == own);
    note(x, "kept", SSL_get_rbio(ssl) == own && SSL_get_wbio(ssl) == own);
    BIO_free_all(b);
    tell_error(x);
}

static void row_set_ssl_adopts_over_next(struct scene *x)
{
    BIO *b = BIO_new(x->method), *own = BIO_new(BIO_f_buffer());
    BIO *old = BIO_new(BIO_s_mem());
    SSL *ssl = test_ssl(1, x->version, 1);

    BIO_push(b, old);
    SSL_set_bio(ssl, own, own);
    BIO_set_ssl(b, ssl, BIO_CLOSE);
    note(x, "next is its BIO", BIO_next(b) == own);
    note(x, "the old one is behind", BIO_next(own) == old);
    BIO_free_all(b);
}

/* s_server: the SSL brings a BIO to read and another to write. */
static void row_set_ssl_two_bios(struct scene *x)
{
    BIO *c_in = BIO_new(BIO_s_mem()), *c_out = BIO_new(BIO_s_mem());
    SSL *c = test_ssl(1, x->version, 1), *s = test_ssl(0, x->version, 1);

    BIO_set_mem_eof_return(c_in, -1);
    BIO_set_mem_eof_return(c_out, -1);
    BIO_up_ref(c_in);
    BIO_up_ref(c_out);
    SSL_set_bio(c, c_in, c_out);
    SSL_set_bio(s, c_out, c_in);
    x->c = BIO_new(x->method);
    x->s = BIO_new(x->method);
    BIO_set_ssl(x->c, c, BIO_CLOSE);
    BIO_set_ssl(x->s, s, BIO_CLOSE);
    note(x, "kept", SSL_get_rbio(c) == c_in && SSL_get_wbio(c) == c_out);
    read_one(x, "read", x->c);
    shake(x, x->c, x->s);
    tell_passes(x);
    read_one(x, "read", x->c);
    note(x, "wpending", BIO_wpending(x->c));
}

/* The BIO that is written holds back what it gets until it is flushed. */
static void row_flush_two_bios(struct scene *x)
{
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL *ssl = test_ssl(1, x->version, 1);

    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(ssl, in, BIO_push(BIO_new(BIO_f_buffer()), out));
    x->c = BIO_new(x->method);
    BIO_set_ssl(x->c, ssl, BIO_CLOSE);
    SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    BIO_do_handshake(x->c);
    BIO_write(SSL_get_wbio(ssl), "x", 1);
    note(x, "held", BIO_wpending(x->c) > 0);
    note(x, "flush", BIO_flush(x->c));
    note(x, "held", BIO_wpending(x->c) > 0);
    SSL_set0_wbio(ssl, NULL);
    ERR_clear_error();
}

static void row_set_ssl_after_push(struct scene *x)
{
    BIO *b = BIO_new(x->method);

    open_ends(x, 1, 0);
    BIO_pop(x->c);
    BIO_free(x->c);
    x->c = BIO_push(b, x->half_c);
    BIO_set_ssl(b, test_ssl(1, x->version, 1), BIO_CLOSE);
    tell(x, "handshake", b, BIO_do_handshake(b));
}

static void row_set_ssl_then_fd(struct scene *x)
{
    int fd[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    BIO_socket_nbio(fd[0], 1);
    BIO_socket_nbio(fd[1], 1);
    x->c = layer_over(x, test_ssl(1, x->version, 1), NULL);
    x->s = layer_over(x, test_ssl(0, x->version, 1), NULL);
    SSL_set_fd(ssl_in(x->c), fd[0]);
    SSL_set_fd(ssl_in(x->s), fd[1]);
    tell(x, "handshake", x->c, BIO_do_handshake(x->c));
    shake(x, x->c, x->s);
    note(x, "fd", BIO_get_fd(x->c, NULL) == fd[0]);
    note(x, "write", BIO_write(x->c, "x", 1));
    read_one(x, "read", x->s);
    read_one(x, "read", x->c);
    BIO_free(x->c);
    x->c = NULL;
    read_one(x, "freed", x->s);
    close(fd[0]);
    close(fd[1]);
}

/* BIO_flush() with nothing in the chain: SSL_set_fd() again. */
static void row_flush_without_next(struct scene *x)
{
    x->c = layer_over(x, test_ssl(1, x->version, 1), NULL);
    note(x, "flush", BIO_flush(x->c));
}

static void row_second_ssl(struct scene *x)
{
    int old, new;

    open_ends(x, 1, 0);
    count_ssl(ssl_in(x->c), &old);
    note(x, "set", BIO_set_ssl(x->c, counted_ssl(x, 1, &new), BIO_CLOSE));
    note(x, "old freed", old);
    tell(x, "handshake", x->c, BIO_do_handshake(x->c));
    BIO_free_all(x->c);
    x->c = NULL;
    note(x, "new freed", new);
}

static void row_second_ssl_after_noclose(struct scene *x)
{
    int frees[2];
    BIO *b = BIO_new(x->method);
    SSL *first = counted_ssl(x, 1, &frees[0]);

    BIO_set_ssl(b, first, BIO_NOCLOSE);
    BIO_set_ssl(b, counted_ssl(x, 1, &frees[1]), BIO_CLOSE);
    note(x, "first freed", frees[0]);
    BIO_free(b);
    note(x, "second freed", frees[1]);
    SSL_free(first);
}

/* The same SSL, to change who frees it. */
static void row_same_ssl_again(struct scene *x)
{
    int frees;
    BIO *b = BIO_new(x->method);
    SSL *ssl = counted_ssl(x, 1, &frees);

    BIO_set_ssl(b, ssl, BIO_NOCLOSE);
    note(x, "set", BIO_set_ssl(b, ssl, BIO_CLOSE));
    BIO_free(b);
    note(x, "freed", frees);
    if (frees == 0)
        SSL_free(ssl);
}

/* With BIO_CLOSE each time; a reference of ours keeps it for us to see. */
static void row_same_ssl_twice_owned(struct scene *x)
{
    int frees;
    BIO *b = BIO_new(x->method);
    SSL *ssl = counted_ssl(x, 1, &frees);

    SSL_up_ref(ssl);
    BIO_set_ssl(b, ssl, BIO_CLOSE);
    BIO_set_ssl(b, ssl, BIO_CLOSE);
    BIO_free(b);
    note(x, "our reference was freed too", frees);
    if (frees == 0)
        SSL_free(ssl);
}

static void row_set_ssl_without_memory(struct scene *x)
{
    SSL *ssl = test_ssl(1, x->version, 1);
    BIO *b = layer_over(x, test_ssl(1, x->version, 1), NULL);

    fail_memory = 1;
    note(x, "set", BIO_set_ssl(b, ssl, BIO_CLOSE));
    fail_memory = 0;
    if (was_freed(BIO_get_data(b))) {
        say(x, "; points at what was freed");
        BIO_set_data(b, NULL);
        BIO_set_shutdown(b, 0);
    } else {
        note(x, "init", BIO_get_init(b));
        note(x, "set", BIO_set_ssl(b, ssl, BIO_NOCLOSE));
    }
    BIO_free(b);
    SSL_free(ssl);
}

static void row_get_ssl_through_buffer(struct scene *x)
{
    SSL *top;

    open_ends(x, 2, 0);
    top = ssl_in(x->c);
    x->c = BIO_push(BIO_new(BIO_f_buffer()), x->c);
    note(x, "the top one", ssl_in(x->c) == top);
}

static void row_settings(struct scene *x)
{
    SSL *ssl = test_ssl(1, x->version, 1);

    SSL_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
    SSL_set_quiet_shutdown(ssl, 1);
    SSL_set_read_ahead(ssl, 1);
    x->c = layer_over(x, ssl, NULL);
    note(x, "ignore EOF", (SSL_get_options(ssl)
                           & SSL_OP_IGNORE_UNEXPECTED_EOF) != 0);
    note(x, "kTLS", (SSL_get_options(ssl) & SSL_OP_ENABLE_KTLS) != 0);
    note(x, "quiet", SSL_get_quiet_shutdown(ssl));
    note(x, "read-ahead", SSL_get_read_ahead(ssl));
    note(x, "auto retry", (SSL_get_mode(ssl) & SSL_MODE_AUTO_RETRY) != 0);
}

static void row_ssl_mode(struct scene *x)
{
    SSL *ssl = test_ssl(1, 0, 1);

    SSL_free(ssl);
    ssl = SSL_new(test_server_ctx(x->version, test_name(1), 0));
    x->c = layer_over(x, ssl, NULL);
    note(x, "accept", BIO_set_ssl_mode(x->c, 0));
    note(x, "server", SSL_is_server(ssl));
}

static void row_close_flag(struct scene *x)
{
    SSL *ssl = test_ssl(1, x->version, 1);

    x->c = layer_over(x, ssl, NULL);
    note(x, "get", BIO_get_close(x->c));
    note(x, "set", BIO_set_close(x->c, BIO_NOCLOSE));
    note(x, "get", BIO_get_close(x->c));
    BIO_free(x->c);
    x->c = NULL;
    SSL_free(ssl);
}

static void row_rbio(struct scene *x)
{
    SSL *ssl;

    open_ends(x, 1, 0);
    ssl = ssl_in(x->c);
    note(x, "the BIO below", SSL_get_rbio(ssl) == x->half_c
         && SSL_get_wbio(ssl) == x->half_c);
    note(x, "one BIO", SSL_get_rbio(ssl) == SSL_get_wbio(ssl));
    BIO_pop(x->c);
    note(x, "none after pop", SSL_get_rbio(ssl) == NULL);
    BIO_free(x->half_c);
}

static void row_get_fd(struct scene *x)
{
    int fd[2], out = -1;
    BIO *sock;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    sock = BIO_new_socket(fd[0], BIO_CLOSE);
    x->c = layer_over(x, test_ssl(1, x->version, 1), sock);
    x->c = layer_over(x, test_ssl(1, x->version, 2), x->c);
    note(x, "layer", BIO_get_fd(x->c, &out) == fd[0] && out == fd[0]);
    note(x, "outer SSL", SSL_get_fd(ssl_in(BIO_next(x->c))) == fd[0]);
    note(x, "inner SSL", SSL_get_fd(ssl_in(x->c)) == fd[0]);
    note(x, "rfd, wfd", SSL_get_rfd(ssl_in(BIO_next(x->c))) == fd[0]
         && SSL_get_wfd(ssl_in(BIO_next(x->c))) == fd[0]);
    close(fd[1]);
}

static void row_set_fd(struct scene *x)
{
    int fd[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    x->c = layer_over(x, test_ssl(1, x->version, 1), BIO_new(BIO_s_socket()));
    note(x, "none", BIO_get_fd(x->c, NULL));
    note(x, "set", BIO_set_fd(x->c, fd[0], BIO_CLOSE));
    note(x, "get", BIO_get_fd(x->c, NULL) == fd[0]);
    close(fd[1]);
}

/*
 * The helpers
 */

static BIO *new_layer(struct scene *x, SSL_CTX *ctx, int client)
{
    return x->onion ? BIO_new_onion(ctx, client) : BIO_new_ssl(ctx, client);
}

static void row_helper_new(struct scene *x)
{
    x->c = new_layer(x, test_client_ctx(x->version, 1), 1);
    x->s = new_layer(x, test_server_ctx(x->version, test_name(1), 0), 0);
    note(x, "client", !SSL_is_server(ssl_in(x->c)));
    note(x, "server", SSL_is_server(ssl_in(x->s)));
    note(x, "close", BIO_get_close(x->c));
    note(x, "init", BIO_get_init(x->c));
    note(x, "none without a context", new_layer(x, NULL, 1) == NULL);
    ERR_clear_error();
}

static void row_helper_connect(struct scene *x)
{
    SSL_CTX *ctx = test_client_ctx(x->version, 1);

    x->c = x->onion ? BIO_new_onion_connect(ctx) : BIO_new_ssl_connect(ctx);
    note(x, "name", BIO_set_conn_hostname(x->c, "127.0.0.1:1"));
    note(x, "connect below", BIO_find_type(x->c, BIO_TYPE_CONNECT)
         == BIO_next(x->c));
    note(x, "SSL", ssl_in(x->c) != NULL);
}

static void row_helper_buffer_connect(struct scene *x)
{
    SSL_CTX *ctx = test_client_ctx(x->version, 1);

    x->c = x->onion ? BIO_new_buffer_onion_connect(ctx)
                    : BIO_new_buffer_ssl_connect(ctx);
    note(x, "buffer", BIO_method_type(x->c) == BIO_TYPE_BUFFER);
    note(x, "name", BIO_set_conn_hostname(x->c, "127.0.0.1:1"));
    note(x, "SSL", ssl_in(x->c) != NULL);
    note(x, "connect below", BIO_find_type(x->c, BIO_TYPE_CONNECT) != NULL);
}

static int copy_session(struct scene *x, BIO *to, BIO *from)
{
    return x->onion ? BIO_onion_copy_session_id(to, from)
                    : BIO_ssl_copy_session_id(to, from);
}

static void row_helper_copy_session(struct scene *x)
{
    BIO *old_c, *old_s, *mem = BIO_new(BIO_s_mem());

    shaken(x, 1, 0);
    passes(x->s, x->c, 10);
    old_c = x->c;
    old_s = x->s;
    open_ends(x, 1, 0);
    note(x, "copy", copy_session(x, x->c, old_c));
    shake(x, x->c, x->s);
    note(x, "reused", SSL_session_reused(ssl_in(x->c)));
    note(x, "without a layer", copy_session(x, x->c, mem));
    BIO_free(mem);
    BIO_free_all(old_c);
    BIO_free_all(old_s);
    ERR_clear_error();
}

const struct row life_rows[] = {
    { "a method", row_name, NULL, ONCE,
      "ssl, a filter, BIO_TYPE_SSL", "onion, a filter",
      "only OpenSSL has types of its own; look for BIO_f_onion()'s type" },
    { "a new BIO", row_new, NULL, ONCE,
      "init 0; close 1; flags 0; free 1; no error", NULL, NULL },
    { "I/O without an SSL", row_io_without_ssl, NULL, ONCE,
      "read -1; write -1; puts -1; gets -2; read_ex 0; write_ex 0", NULL,
      NULL },
    { "controls without an SSL", row_ctrl_without_ssl, NULL, ONCE,
      "controls that answer 0", NULL, NULL },
    { "BIO_callback_ctrl() without an SSL", row_callback_ctrl_without_ssl,
      NULL, ONCE, CRASH, "answer 0", "BIO_f_ssl() follows a null pointer" },
    { "push and pop without an SSL", row_push_without_ssl, NULL, ONCE,
      "linked 1; linked 0; no error", NULL, NULL },
    { "BIO_set_ssl()", row_set_ssl, NULL, 0,
      "set 1; init 1; close 0; same 1; into nothing 0", NULL, NULL },
    { "BIO_set_ssl() with NULL", row_set_ssl_null, NULL, ONCE,
      CRASH, "set 0", "BIO_f_ssl() follows a null pointer" },
    { "an SSL that has a BIO", row_set_ssl_adopts, NULL, 0,
      "next is its BIO 1; kept 1; no error", NULL, NULL },
    { "an SSL that has a BIO, with another below",
      row_set_ssl_adopts_over_next, NULL, 0,
      "next is its BIO 1; the old one is behind 1", NULL, NULL },
    { "an SSL that has two BIOs", row_set_ssl_two_bios, NULL, 0,
      "kept 1; read -1 retry read; data passes; read -1 retry read; "
      "wpending 0", NULL, NULL },
    { "a flush goes to the BIO that is written", row_flush_two_bios, NULL, 0,
      "held 1; flush 1; held 0", NULL, NULL },
    { "BIO_set_ssl() after BIO_push()", row_set_ssl_after_push, NULL, 0,
      "handshake -1", "handshake -1 retry read",
      "BIO_f_ssl() leaves the SSL without a BIO" },
    { "SSL_set_fd() after BIO_set_ssl()", row_set_ssl_then_fd, NULL, 0,
      "handshake -1 retry read; fd 1; write 1; read 1; read -1 retry read; "
      "freed 0", NULL, NULL },
    { "BIO_flush() with nothing below", row_flush_without_next, NULL, ONCE,
      CRASH, "flush 1", "BIO_f_ssl() follows a null pointer" },
    { "a second SSL", row_second_ssl, NULL, 0,
      "set 1; old freed 1; handshake -1; new freed 1",
      "set 1; old freed 1; handshake -1 retry read; new freed 1",
      "BIO_f_ssl() leaves the second SSL without a BIO" },
    { "a second SSL after one of the caller", row_second_ssl_after_noclose,
      NULL, 0, "first freed 0; second freed 1", NULL, NULL },
    { "the same SSL again", row_same_ssl_again, NULL, 0,
      "set 1; freed 1", NULL, NULL },
    { "the same SSL again, owned", row_same_ssl_twice_owned, NULL, 0,
      "our reference was freed too 1", "our reference was freed too 0",
      "BIO_f_ssl() frees it and goes on with it" },
    { "a second SSL without memory", row_set_ssl_without_memory, NULL, ONCE,
      "set 0; points at what was freed", "set 0; init 0; set 1",
      "openssl issue 31388" },
    { "BIO_get_ssl() through BIO_f_buffer()", row_get_ssl_through_buffer,
      NULL, 0, "the top one 1", NULL, NULL },
    { "settings of an SSL", row_settings, NULL, 0,
      "ignore EOF 1; kTLS 1; quiet 1; read-ahead 1; auto retry 1",
      "ignore EOF 0; kTLS 0; quiet 0; read-ahead 0; auto retry 0",
      "the first four make the end of a layer unsafe, the fifth lets a peer "
      "keep one call busy" },
    { "BIO_set_ssl_mode()", row_ssl_mode, NULL, 0,
      "accept 1; server 1", NULL, NULL },
    { "the close flag", row_close_flag, NULL, 0,
      "get 1; set 1; get 0", NULL, NULL },
    { "SSL_get_rbio()", row_rbio, NULL, 0,
      "the BIO below 1; one BIO 1; none after pop 1",
      "the BIO below 0; one BIO 1; none after pop 0",
      "the SSL has a BIO of the layer, which finds what is below at each "
      "call" },
    { "BIO_get_fd(), SSL_get_fd()", row_get_fd, NULL, 0,
      "layer 1; outer SSL 1; inner SSL 1; rfd, wfd 1", NULL, NULL },
    { "BIO_set_fd()", row_set_fd, NULL, 0,
      "none -1; set 1; get 1", NULL, NULL },
    { "BIO_new_ssl()", row_helper_new, NULL, 0,
      "client 1; server 1; close 1; init 1; none without a context 1", NULL,
      NULL },
    { "BIO_new_ssl_connect()", row_helper_connect, NULL, 0,
      "name 1; connect below 1; SSL 1", NULL, NULL },
    { "BIO_new_buffer_ssl_connect()", row_helper_buffer_connect, NULL, 0,
      "buffer 1; name 1; SSL 1; connect below 1", NULL, NULL },
    { "BIO_ssl_copy_session_id()", row_helper_copy_session, NULL, 0,
      "copy 1; reused 1; without a layer 0", NULL, NULL },
    { NULL, NULL, NULL, 0, NULL, NULL, NULL }
};
