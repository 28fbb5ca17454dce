/*
 * fuzz_source.c - a transport that delivers an input, and swallows all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdlib.h>
#include <string.h>
#include "fuzz_source.h"

struct source {
    struct fuzz_input *in;
    size_t piece;           /* bytes per read; 0: as many as are asked for */
    int stutters;           /* a retry before each read */
    int stuttered;
    int ends;               /* it ends, or else it asks for a retry */
    source_cb *empty;
    void *arg;
};

static int source_read(BIO *b, char *out, int len)
{
    struct source *s = BIO_get_data(b);
    const uint8_t *p;
    size_t got;

    BIO_clear_retry_flags(b);
    if (s->in->len == 0 && s->empty != NULL)
        s->empty(s->arg);
    if (s->in->len == 0 && s->ends)
        return 0;
    if (s->in->len == 0
        || (s->stutters && (s->stuttered = !s->stuttered))) {
        BIO_set_retry_read(b);
        return -1;
    }
    if (s->piece > 0 && (size_t)len > s->piece)
        len = (int)s->piece;
    p = fuzz_bytes(s->in, (size_t)len, &got);
    memcpy(out, p, got);
    return (int)got;
}

static int source_write(BIO *b, const char *in, int len)
{
    (void)in;
    BIO_clear_retry_flags(b);
    return len;
}

static long source_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct source *s = BIO_get_data(b);

    (void)num;
    (void)ptr;
    if (cmd == BIO_CTRL_EOF)
        return s->in->len == 0 && s->ends;
    return cmd == BIO_CTRL_FLUSH;
}

static int source_create(BIO *b)
{
    struct source *s = calloc(1, sizeof(*s));

    BIO_set_data(b, s);
    BIO_set_init(b, 1);
    return s != NULL;
}

static int source_destroy(BIO *b)
{
    free(BIO_get_data(b));
    return 1;
}

int source_waits(unsigned cut)
{
    return cut / 8 % 2;
}

BIO *source_new(struct fuzz_input *in, unsigned cut, source_cb *empty,
                void *arg)
{
    static const size_t pieces[] = { 0, 1, 2, 3, 7, 16, 100, 1000 };
    static BIO_METHOD *method;
    struct source *s;
    BIO *b;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                              "source");
        BIO_meth_set_read(method, source_read);
        BIO_meth_set_write(method, source_write);
        BIO_meth_set_ctrl(method, source_ctrl);
        BIO_meth_set_create(method, source_create);
        BIO_meth_set_destroy(method, source_destroy);
    }
    b = BIO_new(method);
    FUZZ_MUST(b != NULL, "memory");
    s = BIO_get_data(b);
    s->in = in;
    s->piece = pieces[cut % 8];
    s->stutters = source_waits(cut);
    s->ends = cut / 16 % 2;
    s->empty = empty;
    s->arg = arg;
    return b;
}

size_t source_left(BIO *source)
{
    struct source *s = BIO_get_data(source);

    return s->in->len;
}
