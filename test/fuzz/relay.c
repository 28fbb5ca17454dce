/*
 * relay.c - what lies between two transports, and may change what passes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include "fuzz.h"
#include "relay.h"

void relay_new(struct relay way[2], BIO **a, BIO **b, size_t size)
{
    BIO *near, *far;

    memset(way, 0, 2 * sizeof(*way));
    FUZZ_MUST(BIO_new_bio_pair(a, size, &near, size)
              && BIO_new_bio_pair(b, size, &far, size), "memory");
    way[0].from = way[1].to = near;
    way[0].to = way[1].from = far;
}

void relay_free(struct relay way[2])
{
    BIO_free(way[0].from);
    BIO_free(way[0].to);
}

static void watch(struct relay *r, const unsigned char *data, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        memmove(r->seen, r->seen + 1, sizeof(r->seen) - 1);
        r->seen[sizeof(r->seen) - 1] = data[i];
        r->saw |= memcmp(r->seen, "SECRET", sizeof(r->seen)) == 0;
    }
}

static void flip(struct relay *r, unsigned char *data, size_t len)
{
    if (r->flip_mask == 0)
        return;
    if (r->flip_at >= len) {
        r->flip_at -= len;
        return;
    }
    data[r->flip_at] ^= r->flip_mask;
    r->flip_mask = 0;
    r->changed = 1;
}

/* How many of the first of them are lost. */
static size_t lose(struct relay *r, size_t len)
{
    size_t n = r->drop < len ? r->drop : len;

    r->drop -= n;
    r->changed |= n > 0;
    return n;
}

int relay_carry(struct relay *r, size_t len)
{
    static unsigned char data[20000];
    size_t room = BIO_ctrl_get_write_guarantee(r->to), lost;
    int n;

    if (len > room)
        len = room;
    if (len > sizeof(data))
        len = sizeof(data);
    if (r->ended || len == 0
        || (n = BIO_read(r->from, data, (int)len)) <= 0)
        return 0;
    watch(r, data, (size_t)n);
    lost = lose(r, (size_t)n);
    flip(r, data + lost, (size_t)n - lost);
    if ((size_t)n > lost)
        BIO_write(r->to, data + lost, n - (int)lost);
    return 1;
}

void relay_slip(struct relay *r, const void *data, size_t len)
{
    if (r->ended || len > BIO_ctrl_get_write_guarantee(r->to))
        return;
    BIO_write(r->to, data, (int)len);
    r->changed = 1;
}

void relay_end(struct relay *r)
{
    (void)BIO_shutdown_wr(r->to);
    r->ended = 1;
}
