/*
 * bench_load.c - what the bench sends, and the least that it can cost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/evp.h>
#include "bench.h"

#define RECORD 16384

static unsigned char received[BENCH_SIZE_MAX];

/* All of a write; the ends are in one thread, so it is there. */
static void receive(const BENCH_PEER *peer, void *end, int len)
{
    int got = 0, idle = 0, n;

    while (got < len) {
        n = peer->get(end, received + got, len - got);
        idle = n > 0 ? 0 : idle + 1;
        if (idle > 1000)
            bench_stop("%s: %d of %d bytes came", peer->name, got, len);
        got += n;
    }
}

static int write_size(const BENCH_LOAD *load)
{
    return load->size * (load->burst > 0 ? load->burst : 1);
}

static void put_all(const BENCH_PEER *peer, void *from, const BENCH_LOAD *load)
{
    int size = write_size(load), off;

    if (load->burst > 0 && peer->gather != NULL)
        peer->gather(from, 1);
    for (off = 0; off < size; off += load->size)
        peer->put(from, bench_data() + off, load->size);
    if (load->burst > 0 && peer->gather != NULL)
        peer->gather(from, 0);
}

static void pass(const BENCH_PEER *peer, void *from, void *to,
                 const BENCH_LOAD *load, int check)
{
    int size = write_size(load);

    if (check)
        memset(received, 0, (size_t)size);
    put_all(peer, from, load);
    receive(peer, to, size);
    if (check && memcmp(received, bench_data(), (size_t)size) != 0)
        bench_stop("%s: other bytes came", peer->name);
}

void bench_load_send(const BENCH_PEER *peer, void *const end[2],
                     const BENCH_LOAD *load, int count, int check)
{
    while (count-- > 0) {
        pass(peer, end[0], end[1], load, check);
        if (load->answered)
            pass(peer, end[1], end[0], load, check);
    }
}

/* A connection is busy after so many writes. */
#define WARM 64

static volatile int profiled;   /* keeps the next two from being folded */

void bench_profile_put(const BENCH_PEER *peer, void *end, int size)
{
    peer->put(end, bench_data(), size);
    profiled++;
}

void bench_profile_get(const BENCH_PEER *peer, void *end, int size)
{
    receive(peer, end, size);
    profiled++;
}

void bench_load_profile(const BENCH_PEER *peer, void *const end[2],
                        const BENCH_LOAD *load, int count)
{
    void (*volatile put)(const BENCH_PEER *, void *, int) = bench_profile_put;
    void (*volatile get)(const BENCH_PEER *, void *, int) = bench_profile_get;

    bench_load_send(peer, end, load, WARM, 0);
    while (count-- > 0) {
        put(peer, end[0], load->size);
        get(peer, end[1], load->size);
    }
    profiled = 0;
}

static void seal(EVP_CIPHER_CTX *c, unsigned char *out,
                 const unsigned char *in, int len, const unsigned char iv[12])
{
    int n;

    if (!EVP_EncryptInit_ex(c, NULL, NULL, NULL, iv)
        || !EVP_EncryptUpdate(c, out, &n, in, len)
        || !EVP_EncryptFinal_ex(c, out + n, &n)
        || !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + len))
        bench_stop("seal");
}

static void open_sealed(EVP_CIPHER_CTX *c, unsigned char *out,
                        unsigned char *in, int len, const unsigned char iv[12])
{
    int n;

    if (!EVP_DecryptInit_ex(c, NULL, NULL, NULL, iv)
        || !EVP_DecryptUpdate(c, out, &n, in, len)
        || !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, in + len)
        || EVP_DecryptFinal_ex(c, out + n, &n) <= 0)
        bench_stop("open");
}

static void seal_and_open(EVP_CIPHER_CTX *c[2], int size)
{
    static const unsigned char iv[12] = { 1 };
    static unsigned char sealed[RECORD + 16];
    int off, len;

    for (off = 0; off < size; off += len) {
        len = size - off < RECORD ? size - off : RECORD;
        seal(c[0], sealed, bench_data() + off, len, iv);
        open_sealed(c[1], received + off, sealed, len, iv);
    }
}

double bench_limit(const BENCH_LOAD *load, int depth, int count)
{
    static EVP_CIPHER_CTX *c[2];
    static const unsigned char key[16] = { 1 };
    double start;
    int i;

    if (c[0] == NULL) {
        c[0] = EVP_CIPHER_CTX_new();
        c[1] = EVP_CIPHER_CTX_new();
        if (!EVP_EncryptInit_ex(c[0], EVP_aes_128_gcm(), NULL, key, NULL)
            || !EVP_DecryptInit_ex(c[1], EVP_aes_128_gcm(), NULL, key, NULL))
            bench_stop("no AES-128-GCM");
    }
    start = bench_cpu();
    count *= load->answered ? 2 : 1;
    while (count-- > 0)
        for (i = 0; i < depth; i++)
            seal_and_open(c, write_size(load));
    return bench_cpu() - start;
}
