/*
 * dropin_ctrl.c - what a layer answers, and what it leaves to others.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include "dropin.h"

/*
 * Controls for a connect or an accept BIO below
 */

static int no_info(BIO *b, int oper, int ret)
{
    (void)b, (void)oper;
    return ret;
}

static void row_connect_ctrls(struct scene *x)
{
    BIO *b = layer_over(x, test_ssl(1, x->version, 1),
                        BIO_new(BIO_s_connect()));

    x->c = b;
    note(x, "name", BIO_set_conn_hostname(b, "localhost:99"));
    say(x, " %s:%s", BIO_get_conn_hostname(b), BIO_get_conn_port(b));
    note(x, "port", BIO_set_conn_port(b, "98"));
    say(x, " %s", BIO_get_conn_port(b));
    note(x, "nbio", BIO_set_nbio(b, 1));
    note(x, "family", BIO_set_conn_ip_family(b, BIO_FAMILY_IPV4));
    note(x, "", BIO_get_conn_ip_family(b));
    note(x, "mode", BIO_set_conn_mode(b, BIO_SOCK_NODELAY));
    note(x, "address", BIO_get_conn_address(b) != NULL);
}

static void row_accept_ctrls(struct scene *x)
{
    BIO *b = layer_over(x, test_ssl(0, x->version, 1),
                        BIO_new(BIO_s_accept()));
    const char *name;

    x->c = b;
    note(x, "name", BIO_set_accept_name(b, "127.0.0.1:0"));
    name = BIO_get_accept_name(b);
    say(x, " %s", name == NULL ? "none" : name);
    note(x, "bind mode", BIO_set_bind_mode(b, BIO_BIND_REUSEADDR));
    note(x, "", (long)BIO_get_bind_mode(b));
    note(x, "nbio accept", BIO_set_nbio_accept(b, 1));
    note(x, "family", BIO_set_accept_ip_family(b, BIO_FAMILY_IPV4));
}

static void row_callback_ctrl(struct scene *x)
{
    BIO *b = layer_over(x, test_ssl(1, x->version, 1),
                        BIO_new(BIO_s_connect()));
    BIO_info_cb *cb = NULL;

    x->c = b;
    note(x, "set", BIO_set_info_callback(b, no_info));
    note(x, "get", BIO_ctrl(b, BIO_CTRL_GET_CALLBACK, 0, &cb));
    note(x, "same", cb == no_info);
    note(x, "set by BIO_ctrl", BIO_ctrl(b, BIO_CTRL_SET_CALLBACK, 0, NULL));
    note(x, "another", BIO_callback_ctrl(b, BIO_CTRL_INFO, no_info));
}

static void row_callback_ctrl_without_next(struct scene *x)
{
    x->c = layer_over(x, test_ssl(1, x->version, 1), NULL);
    note(x, "set", BIO_set_info_callback(x->c, no_info));
}

/* All that a tap below is asked, by number. */
static void row_unknown_ctrls(struct scene *x)
{
    int cmd, n = 0;

    open_ends(x, 1, 1);
    memset(tap_of(x->tap)->ctrls, 0, sizeof(tap_of(x->tap)->ctrls));
    for (cmd = 200; cmd < 256; cmd++)
        BIO_ctrl(x->c, cmd, 0, NULL);
    for (cmd = 200; cmd < 256; cmd++)
        n += tap_of(x->tap)->ctrls[cmd];
    note(x, "come through, of 56,", n);
}

static void row_set_get_info(struct scene *x)
{
    open_ends(x, 1, 1);
    note(x, "info", BIO_ctrl(x->c, BIO_CTRL_INFO, 0, NULL));
    note(x, "set", BIO_ctrl(x->c, BIO_CTRL_SET, 0, NULL));
    note(x, "get", BIO_ctrl(x->c, BIO_CTRL_GET, 0, NULL));
    note(x, "set below", tap_of(x->tap)->ctrls[BIO_CTRL_SET]);
    note(x, "get below", tap_of(x->tap)->ctrls[BIO_CTRL_GET]);
}

/* Questions to a BIO pair or memory below, which are about ciphertext. */
static void row_ciphertext_ctrls(struct scene *x)
{
    open_ends(x, 1, 0);
    note(x, "write guarantee", BIO_ctrl(x->c, BIO_C_GET_WRITE_GUARANTEE, 0,
                                        NULL));
    note(x, "buffer size", BIO_ctrl(x->c, BIO_C_GET_WRITE_BUF_SIZE, 0, NULL));
    note(x, "partner", BIO_ctrl(x->c, BIO_C_DESTROY_BIO_PAIR, 0, NULL));
}

static void row_ctrls_without_next(struct scene *x)
{
    BIO *b = x->c = layer_over(x, test_ssl(1, x->version, 1), NULL);

    note(x, "fd", BIO_get_fd(b, NULL));
    note(x, "nbio", BIO_set_nbio(b, 1));
    note(x, "reset", BIO_reset(b));
    tell(x, "handshake", b, BIO_do_handshake(b));
    read_one(x, "read", b);
    tell(x, "write", b, BIO_write(b, "x", 1));
    ERR_clear_error();
}

static void row_counts_without_next(struct scene *x)
{
    BIO *b = x->c = layer_over(x, test_ssl(1, x->version, 1), NULL);

    note(x, "pending", BIO_pending(b));
    note(x, "wpending", BIO_wpending(b));
    note(x, "eof", BIO_eof(b));
}

static void row_ktls(struct scene *x)
{
    SSL *ssl;

    open_ends(x, 1, 1);
    ssl = ssl_in(x->c);
    SSL_set_options(ssl, SSL_OP_ENABLE_KTLS);
    tap_of(x->tap)->ktls = 1;
    note(x, "answer 73", BIO_ctrl(x->c, 73, 0, NULL));
    BIO_do_handshake(x->c);
    BIO_write(x->c, "in the clear", 12);
    note(x, "asked below", tap_of(x->tap)->ctrls[73] > 0);
    ERR_clear_error();
}

/*
 * Renegotiation
 */

static void row_renegotiate_settings(struct scene *x)
{
    BIO *b = x->c = layer_over(x, test_ssl(1, x->version, 1), NULL);

    note(x, "bytes", BIO_set_ssl_renegotiate_bytes(b, 1000));
    note(x, "less than 512", BIO_set_ssl_renegotiate_bytes(b, 100));
    note(x, "old", BIO_set_ssl_renegotiate_bytes(b, 2000));
    note(x, "seconds", BIO_set_ssl_renegotiate_timeout(b, 70));
    note(x, "old", BIO_set_ssl_renegotiate_timeout(b, 80));
    note(x, "count", BIO_get_num_renegotiates(b));
}

static void row_renegotiate_short_timeout(struct scene *x)
{
    BIO *b = x->c = layer_over(x, test_ssl(1, x->version, 1), NULL);

    BIO_set_ssl_renegotiate_timeout(b, 10);
    note(x, "less than 60 is", BIO_set_ssl_renegotiate_timeout(b, 70));
}

/* By the server: a client may not, unless the server allows it. */
static void row_renegotiate(struct scene *x)
{
    int i, n = 0;

    shaken(x, 1, 0);
    BIO_set_ssl_renegotiate_bytes(x->s, 512);
    for (i = 0; i < 5; i++) {
        n += passes(x->s, x->c, 300);
        n += passes(x->c, x->s, 300);
    }
    note(x, "texts", n);
    note(x, "counted", BIO_get_num_renegotiates(x->s) > 0);
    note(x, "done", SSL_num_renegotiations(ssl_in(x->s)) > 0);
}

static void row_renegotiate_error(struct scene *x)
{
    shaken(x, 1, 0);
    BIO_set_ssl_renegotiate_bytes(x->c, 512);
    tell(x, "write", x->c, BIO_write(x->c, test_bytes(600), 600));
    note(x, "error left behind", ERR_peek_error() != 0);
    ERR_clear_error();
    note(x, "count", BIO_get_num_renegotiates(x->c));
}

const struct row ctrl_rows[] = {
    { "for a connect BIO", row_connect_ctrls, NULL, ONCE,
      "name 1 localhost:99; port 1 98; nbio 1; family 1;  0; mode 1; "
      "address 0", NULL, NULL },
    { "for an accept BIO", row_accept_ctrls, NULL, ONCE,
      "name 1 none; bind mode 1;  1; nbio accept 1; family 1", NULL, NULL },
    { "the info callback", row_callback_ctrl, NULL, ONCE,
      "set 1; get 1; same 1; set by BIO_ctrl 0; another -2", NULL, NULL },
    { "the info callback with nothing below", row_callback_ctrl_without_next,
      NULL, ONCE, "set -2", NULL, NULL },
    { "unknown controls", row_unknown_ctrls, NULL, ONCE,
      "come through, of 56, 56", "come through, of 56, 0",
      "what is below must not answer for a layer: only what is on a list goes "
      "down" },
    { "BIO_CTRL_INFO, SET, GET", row_set_get_info, NULL, ONCE,
      "info 0; set 0; get 0; set below 1; get below 1",
      "info 0; set 0; get 0; set below 0; get below 0",
      "as unknown controls" },
    { "questions about ciphertext", row_ciphertext_ctrls, NULL, ONCE,
      "write guarantee 70000; buffer size 70000; partner 1",
      "write guarantee 0; buffer size 0; partner 0",
      "as unknown controls: what is below is not what the layer takes" },
    { "with nothing below", row_ctrls_without_next, NULL, 0,
      "fd -1; nbio -1; reset 1; handshake -1; read -1; write -1", NULL,
      NULL },
    { "counts with nothing below", row_counts_without_next, NULL, ONCE,
      "pending -1; wpending -1; eof -1", "pending 0; wpending 0; eof 0",
      "there is nothing, and no number of bytes is negative" },
    { "kTLS", row_ktls, NULL, ONCE,
      "answer 73 1; asked below 1", "answer 73 0; asked below 0",
      "if what is below says yes, the SSL writes its data in the clear" },
    { "renegotiation settings", row_renegotiate_settings, NULL, 0,
      "bytes 0; less than 512 1000; old 1000; seconds 0; old 70; count 0",
      NULL, NULL },
    { "a short renegotiation time", row_renegotiate_short_timeout, NULL, ONCE,
      "less than 60 is 5", NULL, NULL },
    { "renegotiation", row_renegotiate, NULL, ONLY_1_2,
      "texts 10; counted 1; done 1", NULL, NULL },
    { "renegotiation with TLS 1.3", row_renegotiate, NULL, ONLY_1_3,
      "texts 10; counted 1; done 0", "texts 10; counted 0; done 0",
      "TLS 1.3 has none, so none is counted" },
    { "renegotiation settings on a client", row_renegotiate_error, NULL,
      ONLY_1_2, "write 600; error left behind 0; count 1", NULL, NULL },
    { "the same with TLS 1.3", row_renegotiate_error, NULL, ONLY_1_3,
      "write 600; error left behind 1; count 1",
      "write 600; error left behind 0; count 0",
      "TLS 1.3 has none, and the error would make the next read fatal" },
    { NULL, NULL, NULL, 0, NULL, NULL, NULL }
};
