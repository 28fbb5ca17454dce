/*
 * dropin_end.c - what is pending, and every kind of end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dropin.h"

/*
 * Pending, end of file
 */

static void row_pending(struct scene *x)
{
    char in[4];

    shaken(x, 1, 0);
    note(x, "idle", BIO_pending(x->c));
    BIO_write(x->s, "0123456789", 10);
    note(x, "unread", BIO_pending(x->c) > 0);
    BIO_read(x->c, in, 4);
    note(x, "of a record", BIO_pending(x->c));
    note(x, "as size_t", (long)BIO_ctrl_pending(x->c));
}

static void row_pending_ciphertext(struct scene *x)
{
    char in[10];

    shaken(x, 2, 0);
    BIO_write(x->s, "12345", 5);
    BIO_write(x->s, "12345", 5);
    BIO_read(x->c, in, 5);
    note(x, "of 5", BIO_pending(x->c) > 5);
}

static void row_pending_in_handshake(struct scene *x)
{
    open_ends(x, 1, 0);
    BIO_do_handshake(x->c);
    note(x, "a ClientHello is there", BIO_pending(x->s) > 0);
}

static void row_pending_half_record(struct scene *x)
{
    shaken(x, 1, 1);
    BIO_write(x->s, "0123456789", 10);
    tap_of(x->tap)->in.limit = tap_of(x->tap)->in.len + 8;
    read_one(x, "half", x->c);
    note(x, "pending", BIO_pending(x->c) > 0);
    tap_release(&tap_of(x->tap)->in);
    read_one(x, "whole", x->c);
}

static void row_pending_at_the_end(struct scene *x)
{
    shaken(x, 1, 0);
    close_by_hand(x->s);
    read_one(x, "read", x->c);
    note(x, "pending", BIO_pending(x->c));
}

static void row_wpending(struct scene *x)
{
    shaken(x, 1, 0);
    note(x, "nothing", BIO_wpending(x->c));
    BIO_write(x->c, "x", 1);
    note(x, "as below", BIO_wpending(x->c) > 0
         && BIO_wpending(x->c) == BIO_wpending(x->half_c));
    note(x, "as size_t", BIO_ctrl_wpending(x->c)
         == BIO_ctrl_wpending(x->half_c));
}

static void row_eof_after_close(struct scene *x)
{
    shaken(x, 1, 0);
    note(x, "open", BIO_eof(x->c));
    close_by_hand(x->s);
    read_one(x, "read", x->c);
    tell_error(x);
    note(x, "eof", BIO_eof(x->c));
    read_one(x, "again", x->c);
    tell_error(x);
}

static void row_eof_of_transport(struct scene *x)
{
    shaken(x, 1, 0);
    (void)BIO_shutdown_wr(x->half_s);
    read_one(x, "read", x->c);
    tell_error(x);
    note(x, "eof", BIO_eof(x->c));
    read_one(x, "again", x->c);
    tell_error(x);
}

static void row_eof_unread(struct scene *x)
{
    char in[4];

    shaken(x, 1, 0);
    BIO_write(x->s, "01234567", 8);
    (void)BIO_shutdown_wr(x->half_s);
    BIO_read(x->c, in, 4);
    note(x, "eof with data unread", BIO_eof(x->c));
    tell(x, "read", x->c, BIO_read(x->c, in, 4));
}

static void row_eof_in_handshake(struct scene *x)
{
    open_ends(x, 1, 0);
    BIO_do_handshake(x->c);
    (void)BIO_shutdown_wr(x->half_s);
    tell(x, "handshake", x->c, BIO_do_handshake(x->c));
    tell_error(x);
}

static void row_last_line(struct scene *x)
{
    char line[10];

    shaken(x, 1, 0);
    BIO_puts(x->s, "one\ntwo");
    close_by_hand(x->s);
    tell(x, "line", x->c, BIO_get_line(x->c, line, sizeof(line)));
    tell(x, "line", x->c, BIO_get_line(x->c, line, sizeof(line)));
}

static void row_read_error(struct scene *x)
{
    shaken(x, 1, 1);
    tap_of(x->tap)->in.limit = tap_of(x->tap)->in.len;
    tap_of(x->tap)->in.end = TAP_ERROR;
    read_one(x, "read", x->c);
    note(x, "an error", ERR_peek_error() != 0);
    ERR_clear_error();
}

static void row_write_error(struct scene *x)
{
    shaken(x, 1, 1);
    tap_of(x->tap)->out.limit = tap_of(x->tap)->out.len;
    tap_of(x->tap)->out.end = TAP_ERROR;
    tell(x, "write", x->c, BIO_write(x->c, "x", 1));
    note(x, "an error", ERR_peek_error() != 0);
    ERR_clear_error();
}

static void row_bad_record(struct scene *x)
{
    shaken(x, 1, 1);
    tap_slip(x->tap, "GET / HTTP/1.0\r\n\r\n", 18);
    read_one(x, "read", x->c);
    note(x, "an error", ERR_peek_error() != 0);
    ERR_clear_error();
    read_one(x, "again", x->c);
    note(x, "an error", ERR_peek_error() != 0);
    ERR_clear_error();
}

/*
 * Closing
 */

static void row_outer_close(struct scene *x)
{
    shaken(x, 2, 0);
    close_by_hand(BIO_next(x->s));
    read_one(x, "read", x->c);
    tell_error(x);
    note(x, "eof", BIO_eof(x->c));
}

static void row_half_closed(struct scene *x)
{
    shaken(x, 1, 0);
    close_by_hand(x->s);
    read_one(x, "client reads", x->c);
    tell(x, "and writes", x->c, BIO_write(x->c, "abc", 3));
    read_one(x, "server reads", x->s);
    tell(x, "and writes", x->s, BIO_write(x->s, "abc", 3));
    note(x, "an error", ERR_peek_error() != 0);
    ERR_clear_error();
    read_one(x, "and reads on", x->s);
}

/* BIO_ssl_shutdown() or BIO_onion_shutdown(), each for its own. */
static void close_chain(struct scene *x, BIO *chain)
{
    if (x->onion) {
        tell(x, "shutdown", chain, BIO_onion_shutdown(chain));
    } else {
        BIO_ssl_shutdown(chain);
        say(x, "%sshutdown, no result", x->said[0] == '\0' ? "" : "; ");
    }
}

static void row_shutdown(struct scene *x)
{
    shaken(x, 2, 0);
    close_chain(x, x->c);
    note(x, "inner", SSL_get_shutdown(ssl_in(x->c)));
    note(x, "outer", SSL_get_shutdown(ssl_in(BIO_next(x->c))));
    read_one(x, "peer", x->s);
    tell_error(x);
}

static void row_shutdown_blocked(struct scene *x)
{
    shaken(x, 1, 1);
    tap_hold(&tap_of(x->tap)->out);
    close_chain(x, x->c);
    tap_release(&tap_of(x->tap)->out);
    close_chain(x, x->c);
    read_one(x, "peer", x->s);
    close_chain(x, x->s);
    close_chain(x, x->c);
    note(x, "both", SSL_get_shutdown(ssl_in(x->c)));
}

static void row_shutdown_in_handshake(struct scene *x)
{
    open_ends(x, 1, 0);
    BIO_do_handshake(x->c);
    close_chain(x, x->c);
    tell_error(x);
}

static void row_shutdown_by_hand(struct scene *x)
{
    shaken(x, 1, 0);
    close_by_hand(x->c);
    close_by_hand(x->s);
    close_by_hand(x->c);
    close_by_hand(x->s);
    note(x, "state", SSL_get_shutdown(ssl_in(x->c)));
    read_one(x, "read", x->c);
    tell_error(x);
}

static void row_free_tells_peer(struct scene *x)
{
    shaken(x, 1, 0);
    BIO_free(x->c);             /* what is below stays */
    x->c = x->half_c;
    read_one(x, "peer", x->s);
    tell_error(x);
}

static void row_free_noclose(struct scene *x)
{
    SSL *ssl;

    shaken(x, 1, 0);
    ssl = ssl_in(x->c);
    (void)BIO_set_close(x->c, BIO_NOCLOSE);
    BIO_pop(x->c);
    BIO_free(x->c);
    x->c = x->half_c;
    read_one(x, "peer", x->s);
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);
    SSL_free(ssl);
    tell_error(x);
}

static void row_free_in_handshake(struct scene *x)
{
    open_ends(x, 1, 1);
    BIO_do_handshake(x->c);
    note(x, "free", BIO_free(x->c));
    x->c = x->tap;
    tell_error(x);
}

static void row_free_after_set_shutdown(struct scene *x)
{
    shaken(x, 1, 0);
    SSL_set_shutdown(ssl_in(x->c), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    BIO_free(x->c);
    x->c = x->half_c;
    note(x, "bytes for the peer", BIO_pending(x->half_s));
}

static void row_free_after_pop(struct scene *x)
{
    shaken(x, 1, 0);
    BIO_pop(x->c);
    note(x, "free", BIO_free(x->c));
    x->c = x->half_c;
    tell_error(x);
}

#define TRUTH "an end is an end, and nothing else is"
#define WORSE "a failure has a reason in the error queue, each time"

const struct row end_rows[] = {
    { "BIO_pending()", row_pending, NULL, 0,
      "idle 0; unread 1; of a record 6; as size_t 6", NULL, NULL },
    { "pending through two layers", row_pending_ciphertext, NULL, 0,
      "of 5 1", "of 5 0", "BIO_f_ssl() counts the layer below as well" },
    { "pending in a handshake", row_pending_in_handshake, NULL, 0,
      "a ClientHello is there 1", NULL, NULL },
    { "pending with half a record", row_pending_half_record, NULL, 0,
      "half -1 retry read; pending 1; whole 1",
      "half -1 retry read; pending 0; whole 1",
      "a read cannot deliver it: who waits for 0 would never sleep" },
    { "pending at the end", row_pending_at_the_end, NULL, 0,
      "read 0; pending 0", NULL, NULL },
    { "BIO_wpending()", row_wpending, NULL, 0,
      "nothing 0; as below 1; as size_t 1", NULL, NULL },
    { "the peer's close", row_eof_after_close, NULL, 0,
      "open 0; read 0; no error; eof 0; again 0; no error",
      "open 0; read 0; no error; eof 1; again 0; no error", TRUTH },
    { "the end of the transport", row_eof_of_transport, NULL, 0,
      "read 0; unexpected eof while reading; eof 1; again -1; no error",
      "read -1; ended without a close_notify; eof 1; again -1; "
      "ended without a close_notify",
      "it is a truncation, and stays one" },
    { "the end of the transport, with data unread", row_eof_unread, NULL, 0,
      "eof with data unread 1; read 4", "eof with data unread 0; read 4",
      TRUTH },
    { "the end of the transport in a handshake", row_eof_in_handshake, NULL,
      0, "handshake -1; unexpected eof while reading",
      "handshake -1; ended without a close_notify",
      "the reason has a name of this library" },
    { "BIO_get_line() of a last line without newline", row_last_line, NULL, 0,
      "line 4; line 0", "line 4; line 3",
      "it asks BIO_eof(), which says the truth" },
    { "a transport that cannot be read", row_read_error, NULL, 0,
      "read -1; an error 0", "read -1; an error 1", WORSE },
    { "a transport that cannot be written", row_write_error, NULL, 0,
      "write -1; an error 0", "write -1; an error 1", WORSE },
    { "a bad record", row_bad_record, NULL, 0,
      "read -1; an error 1; again -1; an error 0",
      "read -1; an error 1; again -1; an error 1", WORSE },
    { "a close of the outer layer", row_outer_close, NULL, 0,
      "read 0; no error; eof 0",
      "read -1; ended without a close_notify; eof 1",
      "it is a truncation of the inner one" },
    { "half closed by hand", row_half_closed, NULL, 0,
      "client reads 0; and writes 3; server reads 1; and writes -1; "
      "an error 1; and reads on 1", NULL, NULL },
    { "BIO_ssl_shutdown()", row_shutdown, NULL, 0,
      "shutdown, no result; inner 1; outer 1; peer 0; no error",
      "shutdown 0; inner 1; outer 1; peer 0; no error",
      "BIO_onion_shutdown() has a result, as SSL_shutdown() has" },
    { "a shutdown that cannot write", row_shutdown_blocked, NULL, 0,
      "shutdown, no result; shutdown, no result; peer 0; "
      "shutdown, no result; shutdown, no result; both 3",
      "shutdown -1 retry write; shutdown 0; peer 0; shutdown 1; "
      "shutdown 1; both 3",
      "and can be called again" },
    { "a shutdown in a handshake", row_shutdown_in_handshake, NULL, 0,
      "shutdown, no result; shutdown while in init",
      "shutdown -1 retry read; no error",
      "the handshake comes first" },
    { "closed by hand both ways", row_shutdown_by_hand, NULL, 0,
      "state 3; read 0; no error", NULL, NULL },
    { "BIO_free() tells the peer", row_free_tells_peer, NULL, 0,
      "peer 0; no error", NULL, NULL },
    { "BIO_free() with BIO_NOCLOSE does not", row_free_noclose, NULL, 0,
      "peer -1 retry read; no error", NULL, NULL },
    { "BIO_free() in a handshake", row_free_in_handshake, NULL, 0,
      "free 1; no error", NULL, NULL },
    { "BIO_free() after SSL_set_shutdown()", row_free_after_set_shutdown,
      NULL, 0, "bytes for the peer 0", NULL, NULL },
    { "BIO_free() after BIO_pop()", row_free_after_pop, NULL, 0,
      "free 1; bio not set", "free 1; no error",
      "the error would make a read of the layer below fatal" },
    { NULL, NULL, NULL, 0, NULL, NULL, NULL }
};
