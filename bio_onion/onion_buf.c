/*
 * onion_buf.c - a queue of bytes that can also be put back at its head.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/crypto.h>
#include "onion_local.h"

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
    OPENSSL_clear_free(q->data, q->cap);
    q->data = data;
    q->off = off;
    q->cap = cap;
    return 1;
}

unsigned char *onion_buf_reserve(ONION_BUF *q, size_t len)
{
    size_t need = q->len + len;

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

int onion_buf_append(ONION_BUF *q, const void *in, size_t len)
{
    unsigned char *end;

    if (len == 0)
        return 1;
    end = onion_buf_reserve(q, len);
    if (end == NULL)
        return 0;
    memcpy(end, in, len);
    q->len += len;
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
    q->len += len;
    return 1;
}

size_t onion_buf_copy(const ONION_BUF *q, void *out, size_t len)
{
    if (len > q->len)
        len = q->len;
    if (len > 0)
        memcpy(out, q->data + q->off, len);
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
    OPENSSL_clear_free(q->data, q->cap);
    memset(q, 0, sizeof(*q));
}
