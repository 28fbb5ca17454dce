/*
 * onion_buf.c - a queue of bytes that can also be put back at its head.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/crypto.h>
#include "onion_local.h"

/*
 * Copies of more than 2 KiB by memcpy() are twenty times slower on some
 * processors where the two addresses differ by 1 to 31 in their last 12 bits.
 */
#define SLOW_FROM   2048

static void copy(unsigned char *to, const unsigned char *from, size_t len)
{
    size_t apart = (size_t)(to - from) & 4095;

    while (apart - 1 < 31 && len > SLOW_FROM) {
        memcpy(to, from, SLOW_FROM);
        to += SLOW_FROM;
        from += SLOW_FROM;
        len -= SLOW_FROM;
    }
    memcpy(to, from, len);
}

/* Moves what is held so that it starts at off, with room for cap in all. */
static int rearrange(ONION_BUF *q, size_t off, size_t cap)
{
    unsigned char *data;

    if (cap <= q->cap) {
        if (q->len > 0)
            memmove(q->data + off, q->data + q->off, q->len);
        q->off = off;
        return 1;
    }
    data = OPENSSL_malloc(cap);
    if (data == NULL) {
        ONION_raise(ERR_R_MALLOC_FAILURE, "no memory for %zu bytes", cap);
        return 0;
    }
    if (q->len > 0)
        memcpy(data + off, q->data + q->off, q->len);
    OPENSSL_cleanse(q->data, q->used);
    OPENSSL_free(q->data);
    q->data = data;
    q->off = off;
    q->cap = cap;
    q->used = off + q->len;
    return 1;
}

unsigned char *onion_buf_reserve(ONION_BUF *q, size_t len)
{
    size_t need = q->len + len;

    /* untested: no queue is so long */
    if (need < len)
        return NULL;
    if (q->off + need > q->cap) {
        /* Twice as much, so that a queue that grows is not copied each time. */
        size_t cap = need <= q->cap ? q->cap : need + q->len;
        if (!rearrange(q, 0, cap))
            return NULL;
    }
    return q->data + q->off + q->len;
}

void onion_buf_filled(ONION_BUF *q, size_t len)
{
    q->len += len;
    if (q->off + q->len > q->used)
        q->used = q->off + q->len;
}

int onion_buf_append(ONION_BUF *q, const void *in, size_t len)
{
    unsigned char *end;

    if (len == 0)
        return 1;
    end = onion_buf_reserve(q, len);
    if (end == NULL)
        return 0;
    copy(end, in, len);
    onion_buf_filled(q, len);
    return 1;
}

int onion_buf_prepend(ONION_BUF *q, const void *in, size_t len)
{
    if (len == 0)
        return 1;
    if (q->off < len) {
        size_t need = q->len + len;

        if (need < len || !rearrange(q, len, need > q->cap ? need : q->cap))
            return 0;
    }
    q->off -= len;
    memcpy(q->data + q->off, in, len);
    onion_buf_filled(q, len);
    return 1;
}

size_t onion_buf_copy(const ONION_BUF *q, void *out, size_t len)
{
    if (len > q->len)
        len = q->len;
    if (len > 0)
        copy(out, q->data + q->off, len);
    return len;
}

void onion_buf_drop(ONION_BUF *q, size_t len)
{
    q->off += len;
    q->len -= len;
    if (q->len == 0)
        q->off = 0;
}

void onion_buf_free(ONION_BUF *q)
{
    OPENSSL_cleanse(q->data, q->used);
    OPENSSL_free(q->data);
    memset(q, 0, sizeof(*q));
}
