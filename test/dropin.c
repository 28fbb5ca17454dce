/*
 * dropin.c - what the rows of the table of test_dropin.c share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dropin.h"

#define SIZE 70000

void say(struct scene *x, const char *fmt, ...)
{
    size_t len = strlen(x->said);
    va_list args;

    va_start(args, fmt);
    vsnprintf(x->said + len, sizeof(x->said) - len, fmt, args);
    va_end(args);
}

/* What a call has returned, and the retry that b asks for. */
void tell(struct scene *x, const char *what, BIO *b, long ret)
{
    say(x, "%s%s %ld", x->said[0] == '\0' ? "" : "; ", what, ret);
    if (BIO_should_retry(b))
        say(x, " retry");
    if (BIO_should_read(b))
        say(x, " read");
    if (BIO_should_write(b))
        say(x, " write");
    if (BIO_should_io_special(b))
        say(x, " special %d", BIO_get_retry_reason(b));
}

void note(struct scene *x, const char *what, long value)
{
    say(x, "%s%s %ld", x->said[0] == '\0' ? "" : "; ", what, value);
}

/* The newest error, and empties the queue. */
void tell_error(struct scene *x)
{
    unsigned long e = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(e);

    say(x, "; %s", e == 0 ? "no error" : reason == NULL ? "error" : reason);
    ERR_clear_error();
}

/*
 * Ends
 */

BIO *layer_over(struct scene *x, SSL *ssl, BIO *below)
{
    BIO *b = BIO_new(x->method);

    ck_assert_ptr_nonnull(b);
    if (BIO_set_ssl(b, ssl, BIO_CLOSE) != 1)
        ck_abort_msg("BIO_set_ssl");
    return BIO_push(b, below);
}

/* Layers 1 to depth on both sides. */
void open_ends(struct scene *x, int depth, int with_tap)
{
    int i;

    if (!BIO_new_bio_pair(&x->half_c, SIZE, &x->half_s, SIZE))
        ck_abort_msg("BIO_new_bio_pair");
    x->c = x->half_c;
    x->s = x->half_s;
    if (with_tap)
        x->c = x->tap = BIO_push(tap_new(), x->c);
    for (i = 1; i <= depth; i++) {
        x->c = layer_over(x, test_ssl(1, x->version, i), x->c);
        x->s = layer_over(x, test_ssl(0, x->version, i), x->s);
    }
}

void shake(struct scene *x, BIO *c, BIO *s)
{
    int done = 0, rounds = 0;
    char byte;

    while (done != 3) {
        if ((done & 1) == 0)
            done |= BIO_do_handshake(c) == 1;
        else
            BIO_read(c, &byte, 1);      /* tickets */
        if ((done & 2) == 0)
            done |= (BIO_do_handshake(s) == 1) << 1;
        ck_assert_msg(rounds++ < 100, "no handshake: %s", x->said);
    }
    BIO_read(c, &byte, 1);
    ERR_clear_error();
}

void shaken(struct scene *x, int depth, int with_tap)
{
    open_ends(x, depth, with_tap);
    shake(x, x->c, x->s);
}

SSL *ssl_in(BIO *b)
{
    SSL *ssl = NULL;

    BIO_get_ssl(b, &ssl);
    return ssl;
}

/* What goes in at one end comes out at the other: 1. */
int passes(BIO *from, BIO *to, int len)
{
    const unsigned char *data = test_bytes(5000);
    unsigned char in[5000], byte;
    int got = 0, sent = 0, rounds = 0, n;

    while ((!sent || got < len) && rounds++ < 20) {
        ERR_clear_error();
        sent = sent || BIO_write(from, data, len) == len;
        (void)BIO_flush(from);
        while (got < len && (n = BIO_read(to, in + got, len - got)) > 0)
            got += n;
        if (got < len)
            BIO_read(from, &byte, 1);   /* it may have to answer */
    }
    ERR_clear_error();
    return got == len && memcmp(in, data, (size_t)len) == 0;
}

void tell_passes(struct scene *x)
{
    say(x, "; data %s", passes(x->c, x->s, 1000) && passes(x->s, x->c, 1000)
        ? "passes" : "does not pass");
}

void read_one(struct scene *x, const char *what, BIO *b)
{
    char byte;

    tell(x, what, b, BIO_read(b, &byte, 1));
}

/* What SSL_shutdown() by hand would do, whatever is between. */
void close_by_hand(BIO *b)
{
    SSL_shutdown(ssl_in(b));
    ERR_clear_error();
}

/*
 * Counting
 */

static int ssl_index, bio_index;

static void count_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx,
                       long argl, void *argp)
{
    (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
    if (ptr != NULL)
        ++*(int *)ptr;
}

void count_ssl(SSL *ssl, int *frees)
{
    *frees = 0;
    SSL_set_ex_data(ssl, ssl_index, frees);
}

SSL *counted_ssl(struct scene *x, int client, int *frees)
{
    SSL *ssl = test_ssl(client, x->version, 1);

    count_ssl(ssl, frees);
    return ssl;
}

BIO *counted_bio(BIO *b, int *frees)
{
    *frees = 0;
    BIO_set_ex_data(b, bio_index, frees);
    return b;
}

/*
 * Memory that fails, and knows what was freed
 */

int fail_memory;
static void *freed[256];
static int n_freed;

static void *memory_get(size_t len, const char *file, int line)
{
    (void)file, (void)line;
    return fail_memory ? NULL : malloc(len);
}

static void *memory_move(void *p, size_t len, const char *file, int line)
{
    (void)file, (void)line;
    return fail_memory ? NULL : realloc(p, len);
}

static void memory_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (fail_memory && n_freed < 256)
        freed[n_freed++] = p;
    free(p);
}

int was_freed(const void *p)
{
    int i;

    for (i = 0; i < n_freed; i++)
        if (p != NULL && freed[i] == p)
            return 1;
    return 0;
}

void dropin_setup(void)
{
    CRYPTO_set_mem_functions(memory_get, memory_move, memory_free);
    ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, count_free);
    bio_index = BIO_get_ex_new_index(0, NULL, NULL, NULL, count_free);
}
