/*
 * dropin_chain.c - push, pop, free, reset and duplicate.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "dropin.h"

/*
 * Push and pop
 */

/* On both sides, so that the session goes on. */
static void row_push_again(struct scene *x)
{
    BIO *a, *b;

    shaken(x, 1, 0);
    BIO_pop(x->c);
    BIO_pop(x->s);
    BIO_free(x->half_c);
    BIO_free(x->half_s);
    BIO_new_bio_pair(&a, 70000, &b, 70000);
    BIO_push(x->c, a);
    BIO_push(x->s, b);
    say(x, "over another pair");
    tell_passes(x);
}

/* What was popped is still linked: without this it is used after free. */
static void mend(BIO *above, BIO *popped, BIO *under)
{
    if (BIO_next(above) != popped)
        return;
    BIO_set_next(above, NULL);
    BIO_push(above, under);
}

static void row_pop_below(struct scene *x)
{
    shaken(x, 1, 1);
    note(x, "next", BIO_pop(x->tap) == x->half_c);
    note(x, "still linked", BIO_next(x->c) == x->tap);
    mend(x->c, x->tap, x->half_c);
    BIO_free(x->tap);
    tell_passes(x);
}

static void row_top_down(struct scene *x)
{
    BIO *c = BIO_new(x->method), *s = BIO_new(x->method);

    open_ends(x, 0, 0);
    BIO_set_ssl(c, test_ssl(1, x->version, 1), BIO_CLOSE);
    BIO_set_ssl(s, test_ssl(0, x->version, 1), BIO_CLOSE);
    x->c = layer_over(x, test_ssl(1, x->version, 2), c);
    x->s = layer_over(x, test_ssl(0, x->version, 2), s);
    BIO_push(x->c, x->half_c);
    BIO_push(x->s, x->half_s);
    tell(x, "lower handshake", c, BIO_do_handshake(c));
    note(x, "wpending", BIO_wpending(x->c) > 0);
    ERR_clear_error();
}

static void row_set_next(struct scene *x)
{
    BIO *a, *b;

    shaken(x, 1, 0);
    BIO_new_bio_pair(&a, 70000, &b, 70000);
    BIO_set_next(x->c, a);
    BIO_write(x->c, "x", 1);
    note(x, "goes to the new BIO", BIO_pending(b) > 0);
    BIO_set_next(x->c, NULL);
    BIO_push(x->c, x->half_c);
    BIO_free(a);
    BIO_free(b);
}

/*
 * The order of push, pop and free: S set_ssl, P push, H handshake, o pop the
 * layer, O pop the transport, l t free one of them, a free all, u one more
 * reference.
 */
static void row_order(struct scene *x)
{
    int ssl_frees, layer_frees, frees;
    SSL *ssl = counted_ssl(x, 1, &ssl_frees);
    BIO *l = counted_bio(BIO_new(x->method), &layer_frees);
    BIO *t = NULL;
    const char *p;

    open_ends(x, 1, 0);
    BIO_pop(x->c);
    BIO_free(x->c);
    x->c = NULL;
    t = counted_bio(x->half_c, &frees);
    for (p = x->arg; *p != '\0'; p++)
        switch (*p) {
        case 'S': BIO_set_ssl(l, ssl, BIO_CLOSE); break;
        case 'P': BIO_push(l, t); break;
        case 'H': shake(x, l, x->s); break;
        case 'o': BIO_pop(l); break;
        case 'O': BIO_pop(t); break;
        case 'l': BIO_free(l); break;
        case 't': BIO_free(t); break;
        case 'a': BIO_free_all(l); break;
        case 'u': BIO_up_ref(l); break;
        }
    say(x, "freed: SSL %d, layer %d, transport %d", ssl_frees, layer_frees,
        frees);
    ERR_clear_error();
}

static void row_middle_pop(struct scene *x)
{
    BIO *c, *s, *under_c, *under_s;

    shaken(x, 3, 0);
    c = BIO_next(x->c);
    s = BIO_next(x->s);
    under_c = BIO_pop(c);
    under_s = BIO_pop(s);
    note(x, "still linked", BIO_next(x->c) == c);
    mend(x->c, c, under_c);
    mend(x->s, s, under_s);
    BIO_free(c);
    BIO_free(s);
    tell_passes(x);
}

/*
 * Reset, dup
 */

static void row_reset(struct scene *x)
{
    shaken(x, 1, 0);
    note(x, "client", BIO_reset(x->c));
    note(x, "server", BIO_reset(x->s));
    (void)BIO_reset(x->half_c);
    (void)BIO_reset(x->half_s);
    shake(x, x->c, x->s);
    tell_passes(x);
}

static void row_reset_memory(struct scene *x)
{
    BIO *mem = BIO_new(BIO_s_mem());

    x->c = layer_over(x, test_ssl(1, x->version, 1), mem);
    BIO_do_handshake(x->c);
    note(x, "reset", BIO_reset(x->c));
    note(x, "client", !SSL_is_server(ssl_in(x->c)));
    note(x, "left", BIO_pending(mem));
}

static void row_reset_after_failure(struct scene *x)
{
    shaken(x, 1, 1);
    tap_slip(x->tap, "GET / HTTP/1.0\r\n\r\n", 18);
    read_one(x, "read", x->c);
    ERR_clear_error();
    tap_of(x->tap)->slip_len = 0;
    (void)BIO_reset(x->c);
    (void)BIO_reset(x->s);
    (void)BIO_reset(x->half_c);
    (void)BIO_reset(x->half_s);
    ERR_clear_error();
    shake(x, x->c, x->s);
    tell_passes(x);
}

static void row_dup(struct scene *x)
{
    BIO *copy, *model = layer_over(x, test_ssl(0, x->version, 1), NULL);

    BIO_set_ssl_renegotiate_bytes(model, 1000);
    BIO_set_ssl_renegotiate_timeout(model, 100);
    copy = BIO_dup_chain(model);
    note(x, "init", BIO_get_init(copy));
    note(x, "close", BIO_get_close(copy));
    note(x, "its own SSL", ssl_in(copy) != ssl_in(model));
    note(x, "server", SSL_is_server(ssl_in(copy)));
    note(x, "bytes", BIO_set_ssl_renegotiate_bytes(copy, 0));
    note(x, "timeout", BIO_set_ssl_renegotiate_timeout(copy, 100));
    BIO_free(model);
    open_ends(x, 1, 0);
    BIO_pop(x->s);
    BIO_free(x->s);
    x->s = BIO_push(copy, x->half_s);
    shake(x, x->c, x->s);
    tell_passes(x);
}

static void row_dup_without_ssl(struct scene *x)
{
    BIO *b = BIO_new(x->method);

    note(x, "none", BIO_dup_chain(b) == NULL);
    BIO_free(b);
}

static void row_dup_noclose(struct scene *x)
{
    int frees;
    SSL *ssl = counted_ssl(x, 0, &frees), *copied;
    BIO *b = BIO_new(x->method), *copy;

    BIO_set_ssl(b, ssl, BIO_NOCLOSE);
    copy = BIO_dup_chain(b);
    copied = ssl_in(copy);
    note(x, "close", BIO_get_close(copy));
    frees = 0;
    if (BIO_get_close(copy) == BIO_NOCLOSE)
        SSL_free(copied);       /* nobody else would */
    BIO_free(copy);
    BIO_free(b);
    SSL_free(ssl);
}

static void row_dup_connected(struct scene *x)
{
    BIO *copy;

    shaken(x, 1, 0);
    copy = BIO_dup_chain(x->c);
    note(x, "a copy", copy != NULL);
    note(x, "of the same SSL", copy != NULL && ssl_in(copy) == ssl_in(x->c));
    BIO_free_all(copy);
    ERR_clear_error();
    tell_passes(x);
}

#define FREED "freed: SSL 1, layer 1, transport 1"

const struct row chain_rows[] = {
    { "a layer over another transport", row_push_again, NULL, 0,
      "over another pair; data passes", NULL, NULL },
    { "what is below is popped", row_pop_below, NULL, 0,
      "next 1; still linked 1; data passes",
      "next 1; still linked 0; data passes",
      "OpenSSL's handshake cuts the link upwards: what comes is a use after "
      "free" },
    { "the middle one of three layers is popped", row_middle_pop, NULL, 0,
      "still linked 1; data passes", "still linked 0; data passes",
      "as above" },
    { "a chain built from the top down", row_top_down, NULL, 0,
      "lower handshake -1; wpending 0",
      "lower handshake -1 retry read; wpending 1",
      "BIO_f_ssl() is told only of what is pushed under itself" },
    { "BIO_set_next()", row_set_next, NULL, 0,
      "goes to the new BIO 0", "goes to the new BIO 1",
      "the layer asks the chain at each call" },
    { "in the order", row_order, "SPa", 0, FREED, NULL, NULL },
    { "in the order", row_order, "PSa", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPolt", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPotl", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPOlt", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPOtl", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPlt", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPtl", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPuaa", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPHa", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPHolt", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPHotl", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPHOlt", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPHOtl", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPHlt", 0, FREED, NULL, NULL },
    { "in the order", row_order, "SPHoPa", 0, FREED, NULL, NULL },
    { "BIO_reset()", row_reset, NULL, 0,
      "client 0; server 0; data passes", NULL, NULL },
    { "BIO_reset() over memory", row_reset_memory, NULL, 0,
      "reset 1; client 1; left 0", NULL, NULL },
    { "BIO_reset() after a failure", row_reset_after_failure, NULL, 0,
      "read -1; data passes", NULL, NULL },
    { "BIO_dup_chain()", row_dup, NULL, 0,
      "init 1; close 1; its own SSL 1; server 1; bytes 1000; timeout 100; "
      "data passes", NULL, NULL },
    { "BIO_dup_chain() without an SSL", row_dup_without_ssl, NULL, ONCE,
      "none 1", NULL, NULL },
    { "BIO_dup_chain() with BIO_NOCLOSE", row_dup_noclose, NULL, 0,
      "close 0", "close 1", "nobody else has the copy of the SSL to free" },
    { "BIO_dup_chain() of a chain in use", row_dup_connected, NULL, 0,
      CRASH, "a copy 0; of the same SSL 0; data passes",
      "an SSL in use cannot be copied" },
    { NULL, NULL, NULL, 0, NULL, NULL, NULL }
};
