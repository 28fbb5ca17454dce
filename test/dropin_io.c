/*
 * dropin_io.c - handshakes, reads, writes, and each kind of retry.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>
#include <string.h>
#include <openssl/async.h>
#include "dropin.h"

/*
 * Handshake, read, write
 */

static void row_handshake(struct scene *x)
{
    open_ends(x, 1, 0);
    tell(x, "client", x->c, BIO_do_handshake(x->c));
    tell(x, "again", x->c, BIO_do_handshake(x->c));
    tell_error(x);
    shake(x, x->c, x->s);
    tell(x, "done", x->c, BIO_do_handshake(x->c));
    tell(x, "done", x->s, BIO_do_handshake(x->s));
    tell_error(x);
}

static void row_handshake_refused(struct scene *x)
{
    int ret = 0, rounds = 0;

    open_ends(x, 1, 0);
    X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl_in(x->c)),
                                "another.test", 0);
    do {
        ERR_clear_error();
        BIO_do_handshake(x->s);
        ERR_clear_error();
        ret = (int)BIO_do_handshake(x->c);
    } while (ret < 0 && BIO_should_retry(x->c) && rounds++ < 100);
    tell(x, "client", x->c, ret);
    tell_error(x);
    ret = (int)BIO_do_handshake(x->c);
    tell(x, "again", x->c, ret);
    note(x, "error again", ERR_peek_error() != 0);
    ERR_clear_error();
    read_one(x, "peer", x->s);
}

static void row_read(struct scene *x)
{
    char in[100];
    size_t n = 77;

    shaken(x, 1, 0);
    read_one(x, "idle", x->c);
    tell_error(x);
    note(x, "ex", BIO_read_ex(x->c, in, 10, &n));
    note(x, "count", (long)n);
    BIO_write(x->s, "0123456789", 10);
    tell(x, "read 0", x->c, BIO_read(x->c, in, 0));
    tell(x, "read 4", x->c, BIO_read(x->c, in, 4));
    note(x, "ex", BIO_read_ex(x->c, in, sizeof(in), &n));
    note(x, "count", (long)n);
    note(x, "number read", (long)BIO_number_read(x->c));
}

static void row_write(struct scene *x)
{
    size_t n = 77;

    shaken(x, 1, 0);
    tell(x, "write", x->c, BIO_write(x->c, test_bytes(40000), 40000));
    tell(x, "write 0", x->c, BIO_write(x->c, "", 0));
    note(x, "ex", BIO_write_ex(x->c, "abc", 3, &n));
    note(x, "count", (long)n);
    note(x, "ex 0", BIO_write_ex(x->c, "", 0, &n));
    note(x, "count", (long)n);
    note(x, "number written", (long)BIO_number_written(x->c));
}

static void row_write_full(struct scene *x)
{
    const unsigned char *data = test_bytes(200000);
    char copy[20000];

    shaken(x, 1, 1);
    tap_hold(&tap_of(x->tap)->out);
    memcpy(copy, data, sizeof(copy));
    tell(x, "write", x->c, BIO_write(x->c, data, 20000));
    tell_error(x);
    tell(x, "moved", x->c, BIO_write(x->c, copy, 20000));
    note(x, "an error", ERR_peek_error() != 0);
    ERR_clear_error();
    tap_release(&tap_of(x->tap)->out);
    tell(x, "right", x->c, BIO_write(x->c, data, 20000));
}

static void row_write_shorter(struct scene *x)
{
    const unsigned char *data = test_bytes(200000);

    shaken(x, 1, 1);
    tap_hold(&tap_of(x->tap)->out);
    BIO_write(x->c, data, 20000);
    tell(x, "shorter", x->c, BIO_write(x->c, data, 200));
    note(x, "an error", ERR_peek_error() != 0);
    ERR_clear_error();
    tap_release(&tap_of(x->tap)->out);
    tell(x, "right", x->c, BIO_write(x->c, data, 20000));
}

static void row_write_moving(struct scene *x)
{
    static char copy[20000];

    shaken(x, 1, 1);
    SSL_set_mode(ssl_in(x->c), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    tap_hold(&tap_of(x->tap)->out);
    memcpy(copy, test_bytes(20000), 20000);
    BIO_write(x->c, test_bytes(20000), 20000);
    tap_release(&tap_of(x->tap)->out);
    tell(x, "moved", x->c, BIO_write(x->c, copy, 20000));
    tell_error(x);
}

static void row_write_partial(struct scene *x)
{
    shaken(x, 1, 0);
    SSL_set_mode(ssl_in(x->c), SSL_MODE_ENABLE_PARTIAL_WRITE);
    tell(x, "of 40000", x->c, BIO_write(x->c, test_bytes(40000), 40000));
}

static void row_puts(struct scene *x)
{
    shaken(x, 1, 0);
    tell(x, "puts", x->c, BIO_puts(x->c, "12345"));
    note(x, "number written", (long)BIO_number_written(x->c));
    tell(x, "empty", x->c, BIO_puts(x->c, ""));
    tell_error(x);
}

static void row_gets(struct scene *x)
{
    char line[10];

    shaken(x, 1, 0);
    BIO_puts(x->s, "one\ntwo\n");
    tell(x, "gets", x->c, BIO_gets(x->c, line, sizeof(line)));
    ERR_clear_error();
    tell(x, "get_line", x->c, BIO_get_line(x->c, line, sizeof(line)));
}

static void row_io_shakes_hands(struct scene *x)
{
    char byte;
    int i;

    open_ends(x, 1, 0);
    tell(x, "write", x->c, BIO_write(x->c, "x", 1));
    for (i = 0; i < 10; i++) {
        BIO_read(x->s, &byte, 1);
        if (BIO_write(x->c, "x", 1) == 1)
            break;
    }
    tell(x, "read", x->s, BIO_read(x->s, &byte, 1));
}

static void row_blocked_write_in_handshake(struct scene *x)
{
    open_ends(x, 1, 1);
    tap_hold(&tap_of(x->tap)->out);
    tell(x, "handshake", x->c, BIO_do_handshake(x->c));
    tell_error(x);
    tap_release(&tap_of(x->tap)->out);
    shake(x, x->c, x->s);
    tell_passes(x);
}

static void row_ssl_get_error(struct scene *x)
{
    char byte;
    int ret;

    shaken(x, 1, 0);
    ret = BIO_read(x->c, &byte, 1);
    note(x, "wants", SSL_get_error(ssl_in(x->c), ret));
    BIO_write(x->s, "x", 1);
    ret = BIO_read(x->c, &byte, 1);
    note(x, "has", SSL_get_error(ssl_in(x->c), ret));
    close_by_hand(x->s);
    ret = BIO_read(x->c, &byte, 1);
    note(x, "end", SSL_get_error(ssl_in(x->c), ret));
}

/* A program that uses the SSL itself, beside the BIO. */
static void row_ssl_by_hand(struct scene *x)
{
    char in[4] = "";
    int i, n;

    open_ends(x, 1, 0);
    for (i = 0; i < 10; i++) {
        ERR_clear_error();
        SSL_do_handshake(ssl_in(x->c));
        SSL_do_handshake(ssl_in(x->s));
    }
    ERR_clear_error();
    note(x, "write", SSL_write(ssl_in(x->c), "abc", 3));
    tell(x, "read", x->s, BIO_read(x->s, in, 3));
    tell(x, "write", x->s, BIO_write(x->s, "def", 3));
    n = SSL_read(ssl_in(x->c), in, 3);
    note(x, "read", n);
    for (i = 0; n < 0 && i < 5; i++)
        n = SSL_read(ssl_in(x->c), in, 3);
    tell_passes(x);
}

/*
 * Retry
 */

static void row_special(struct scene *x)
{
    char byte;
    int n = atoi(x->arg);

    open_ends(x, 1, 1);
    tap_of(x->tap)->special = n;
    tell(x, "handshake", x->c, BIO_do_handshake(x->c));
    tap_of(x->tap)->special = 0;
    shake(x, x->c, x->s);
    tap_of(x->tap)->special = n;
    tell(x, "read", x->c, BIO_read(x->c, &byte, 1));
    tell(x, "write", x->c, BIO_write(x->c, "x", 1));
    tap_of(x->tap)->special = 0;
    ERR_clear_error();
}

static int suspends;

static int cert_suspends(SSL *ssl, void *arg)
{
    (void)ssl, (void)arg;
    return suspends-- > 0 ? -1 : 1;
}

static int verify_suspends(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx,
                                          SSL_get_ex_data_X509_STORE_CTX_idx());

    if (ok && suspends-- > 0)
        return SSL_set_retry_verify(ssl);
    return ok;
}

static int async_suspends(SSL *ssl, void *arg)
{
    (void)ssl, (void)arg;
    if (suspends-- > 0)
        ASYNC_pause_job();
    return 1;
}

/* Drives both until `who' stops without wanting to read; tells how. */
static void tell_suspended(struct scene *x, BIO *who, BIO *other)
{
    int i, ret = 0;

    for (i = 0; i < 20; i++) {
        ERR_clear_error();
        ret = (int)BIO_do_handshake(who);
        if (ret == 1 || !BIO_should_read(who))
            break;
        BIO_do_handshake(other);
    }
    tell(x, "suspended", who, ret);
    tell_error(x);
}

static void row_x509_lookup(struct scene *x)
{
    open_ends(x, 1, 0);
    suspends = 1;
    SSL_set_cert_cb(ssl_in(x->s), cert_suspends, NULL);
    tell_suspended(x, x->s, x->c);
    shake(x, x->c, x->s);
    tell_passes(x);
}

static void row_x509_lookup_below(struct scene *x)
{
    open_ends(x, 2, 0);
    suspends = 1;
    SSL_set_cert_cb(ssl_in(BIO_next(x->s)), cert_suspends, NULL);
    tell_suspended(x, x->s, x->c);
}

static void row_x509_lookup_in_read(struct scene *x)
{
    char byte;
    int i, ret = 0;

    open_ends(x, 1, 0);
    suspends = 1;
    SSL_set_cert_cb(ssl_in(x->s), cert_suspends, NULL);
    for (i = 0; i < 20; i++) {
        BIO_do_handshake(x->c);
        ret = BIO_read(x->s, &byte, 1);
        if (!BIO_should_read(x->s))
            break;
    }
    tell(x, "suspended", x->s, ret);
    tell_error(x);
}

static void row_retry_verify(struct scene *x)
{
    open_ends(x, 1, 0);
    suspends = 1;
    SSL_set_verify(ssl_in(x->c), SSL_VERIFY_PEER, verify_suspends);
    tell_suspended(x, x->c, x->s);
    shake(x, x->c, x->s);
    tell_passes(x);
}

static void row_async(struct scene *x)
{
    if (!ASYNC_is_capable())
        return;
    open_ends(x, 1, 0);
    suspends = 1;
    SSL_set_mode(ssl_in(x->s), SSL_MODE_ASYNC);
    SSL_set_cert_cb(ssl_in(x->s), async_suspends, NULL);
    tell_suspended(x, x->s, x->c);
    shake(x, x->c, x->s);
    tell_passes(x);
    ASYNC_cleanup_thread();
}

static int hello_suspends(SSL *ssl, int *alert, void *arg)
{
    (void)ssl, (void)alert, (void)arg;
    return suspends-- > 0 ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
}

static void row_client_hello(struct scene *x)
{
    SSL_CTX *ctx = test_server_ctx(x->version, test_name(1), 0);

    suspends = 1;
    SSL_CTX_set_client_hello_cb(ctx, hello_suspends, NULL);
    open_ends(x, 1, 0);
    tell_suspended(x, x->s, x->c);
    shake(x, x->c, x->s);
    tell_passes(x);
    SSL_CTX_set_client_hello_cb(ctx, NULL, NULL);
}

static void row_retry_bio(struct scene *x)
{
    int reason = -1;
    BIO *b;
    char byte;

    shaken(x, 3, 0);
    BIO_read(x->c, &byte, 1);
    note(x, "the transport", BIO_get_retry_BIO(x->c, &reason) == x->half_c);
    note(x, "reason", reason);
    for (b = x->c; b != NULL; b = BIO_next(b))
        tell(x, "", b, 0);
}

static void row_stale_flags(struct scene *x)
{
    shaken(x, 1, 1);
    tap_hold(&tap_of(x->tap)->out);
    BIO_write(x->c, "x", 1);
    tap_release(&tap_of(x->tap)->out);
    tell(x, "flush", x->c, BIO_flush(x->c));
}

static void row_stale_error(struct scene *x)
{
    char byte;

    shaken(x, 1, 0);
    test_stale_error();
    tell(x, "read", x->c, BIO_read(x->c, &byte, 1));
    ERR_clear_error();
    test_stale_error();
    tell(x, "handshake", x->c, BIO_do_handshake(x->c));
    ERR_clear_error();
}

/* What ERR_print_errors() does is a write for each entry of the queue. */
static void row_print_errors(struct scene *x)
{
    char text[1000];
    int i, n, lines = 0;

    shaken(x, 1, 0);
    for (i = 0; i < 3; i++)
        test_stale_error();
    ERR_print_errors(x->c);
    while ((n = BIO_read(x->s, text, sizeof(text))) > 0)
        for (i = 0; i < n; i++)
            lines += text[i] == '\n';
    note(x, "lines", lines);
}

static void row_flush(struct scene *x)
{
    shaken(x, 1, 1);
    tell(x, "flush", x->c, BIO_flush(x->c));
    tap_of(x->tap)->flush_retry = 1;
    tell(x, "blocked", x->c, BIO_flush(x->c));
    tell(x, "again", x->c, BIO_flush(x->c));
    tell_error(x);
}

static void row_flush_retry_in_handshake(struct scene *x)
{
    int i, ret = 0;

    open_ends(x, 1, 1);
    tap_of(x->tap)->flush_retry = 2;
    for (i = 0; i < 20 && ret != 1; i++) {
        ERR_clear_error();
        BIO_do_handshake(x->s);
        ERR_clear_error();
        ret = (int)BIO_do_handshake(x->c);
        if (ret <= 0 && !BIO_should_retry(x->c))
            break;
    }
    tell(x, "handshake", x->c, ret);
    ERR_clear_error();
}

#define AS_A_RETRY \
    "nothing has failed, and called again it goes on: so it is a retry"

const struct row io_rows[] = {
    { "a handshake", row_handshake, NULL, 0,
      "client -1 retry read; again -1 retry read; no error; done 1; done 1; "
      "no error", NULL, NULL },
    { "a handshake that is refused", row_handshake_refused, NULL, 0,
      "client -1; certificate verify failed; again -1; error again 0; "
      "peer -1",
      "client -1; certificate refused; again -1; error again 1; peer -1",
      "a failure is remembered, and each call that meets it says so" },
    { "read", row_read, NULL, 0,
      "idle -1 retry read; no error; ex 0; count 77; read 0 0; read 4 4; "
      "ex 1; count 6; number read 10",
      "idle -1 retry read; no error; ex 0; count 0; read 0 0; read 4 4; "
      "ex 1; count 6; number read 10",
      "a count is never left undefined" },
    { "write", row_write, NULL, 0,
      "write 40000; write 0 0; ex 1; count 3; ex 0 1; count 0; "
      "number written 40003", NULL, NULL },
    { "a write repeated from another address", row_write_full, NULL, 0,
      "write -1 retry write; no error; moved -1; an error 1; right -1",
      "write -1 retry write; no error; moved -1; an error 1; right 20000",
      "a call that is refused does no harm: the right one goes on" },
    { "a write repeated shorter", row_write_shorter, NULL, 0,
      "shorter -1; an error 1; right -1",
      "shorter -1; an error 1; right 20000",
      "as above" },
    { "a write with SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER", row_write_moving,
      NULL, 0, "moved 20000; no error", NULL, NULL },
    { "a write with SSL_MODE_ENABLE_PARTIAL_WRITE", row_write_partial, NULL,
      0, "of 40000 16384", NULL, NULL },
    { "puts", row_puts, NULL, 0,
      "puts 5; number written 10; empty 0; no error",
      "puts 5; number written 5; empty 0; no error",
      "BIO_f_ssl() counts each byte twice" },
    { "gets", row_gets, NULL, 0,
      "gets -2 retry read; get_line 4", NULL, NULL },
    { "read and write shake hands", row_io_shakes_hands, NULL, 0,
      "write -1 retry read; read 1", NULL, NULL },
    { "a handshake that cannot write", row_blocked_write_in_handshake, NULL,
      0, "handshake -1 retry write; no error; data passes", NULL, NULL },
    { "SSL_get_error() after BIO_read()", row_ssl_get_error, NULL, 0,
      "wants 2; has 0; end 6", NULL, NULL },
    { "SSL_read() and SSL_write() beside the BIO", row_ssl_by_hand, NULL,
      ONLY_1_2, "write 3; read 3; write 3; read 3; data passes", NULL, NULL },
    { "the same with the tickets of TLS 1.3", row_ssl_by_hand, NULL,
      ONLY_1_3, "write 3; read 3; write 3; read 3; data passes",
      "write 3; read 3; write 3; read -1; data passes",
      "SSL_MODE_AUTO_RETRY is off: SSL_read() by hand may ask for a retry" },
    { "a retry for an X509 lookup below", row_special, "1", 0,
      "handshake -1; read -1; write -1",
      "handshake -1 retry special 1; read -1 retry special 1; "
      "write -1 retry special 1", AS_A_RETRY },
    { "a retry to connect", row_special, "2", 0,
      "handshake -1 retry special 2; read -1 retry special 2; "
      "write -1 retry special 2", NULL, NULL },
    { "a retry to accept", row_special, "3", 0,
      "handshake -1; read -1 retry special 3; write -1",
      "handshake -1 retry special 3; read -1 retry special 3; "
      "write -1 retry special 3", AS_A_RETRY },
    { "a certificate callback that suspends", row_x509_lookup, NULL, 0,
      "suspended -1 retry special 1; no error; data passes", NULL, NULL },
    { "the same in a read", row_x509_lookup_in_read, NULL, 0,
      "suspended -1 retry special 1; no error", NULL, NULL },
    { "the same in the layer below", row_x509_lookup_below, NULL, 0,
      "suspended -1; no error", "suspended -1 retry special 1; no error",
      AS_A_RETRY },
    { "a verification that suspends", row_retry_verify, NULL, 0,
      "suspended -1; no error; data passes",
      "suspended -1 retry special 1; no error; data passes", AS_A_RETRY },
    { "an asynchronous job", row_async, NULL, 0,
      "suspended -1; no error; data passes",
      "suspended -1 retry special 1; no error; data passes", AS_A_RETRY },
    { "a ClientHello callback that suspends", row_client_hello, NULL, 0,
      "suspended -1; no error; data passes",
      "suspended -1 retry special 1; no error; data passes", AS_A_RETRY },
    { "BIO_get_retry_BIO()", row_retry_bio, NULL, 0,
      "the transport 1; reason 0;  0 retry read;  0 retry read;  "
      "0 retry read;  0 retry read", NULL, NULL },
    { "old retry flags after a flush", row_stale_flags, NULL, 0,
      "flush 1 retry read", "flush 1",
      "a call that has succeeded asks for nothing" },
    { "an error that somebody else has left", row_stale_error, NULL, 0,
      "read -1; handshake 1", "read -1 retry read; handshake 1",
      "it is not the layer's" },
    { "ERR_print_errors() to it", row_print_errors, NULL, 0,
      "lines 3", NULL, NULL },
    { "flush", row_flush, NULL, 0,
      "flush 1 retry read; blocked -1 retry write; again 1 retry read; "
      "no error",
      "flush 1; blocked -1 retry write; again 1; no error",
      "a call that has succeeded asks for nothing" },
    { "a flush below that blocks in a handshake",
      row_flush_retry_in_handshake, NULL, 0, "handshake -1", "handshake 1",
      "OpenSSL 3.0 takes it for a failure" },
    { NULL, NULL, NULL, 0, NULL, NULL, NULL }
};
