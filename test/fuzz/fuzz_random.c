/*
 * fuzz_random.c - random numbers that are the same each time, as a provider.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include "fuzz_random.h"

static uint64_t at[2];
static int current;

void random_restart(void)
{
    at[0] = 1;
    at[1] = UINT64_C(1) << 40;
    current = 0;
}

void random_stream(int stream)
{
    current = stream;
}

/* A counter, mixed until each bit depends on each (splitmix64). */
static uint64_t next(void)
{
    uint64_t z = at[current]++ * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/*
 * The provider
 */

static void *rand_newctx(void *provctx, void *parent,
                         const OSSL_DISPATCH *parent_calls)
{
    (void)provctx;
    (void)parent;
    (void)parent_calls;
    return OPENSSL_zalloc(1);
}

static void rand_freectx(void *ctx)
{
    OPENSSL_free(ctx);
}

static int rand_instantiate(void *ctx, unsigned strength, int resistance,
                            const unsigned char *text, size_t text_len,
                            const OSSL_PARAM params[])
{
    (void)ctx;
    (void)strength;
    (void)resistance;
    (void)text;
    (void)text_len;
    (void)params;
    return 1;
}

static int rand_uninstantiate(void *ctx)
{
    (void)ctx;
    return 1;
}

static int rand_generate(void *ctx, unsigned char *out, size_t len,
                         unsigned strength, int resistance,
                         const unsigned char *more, size_t more_len)
{
    (void)ctx;
    (void)strength;
    (void)resistance;
    (void)more;
    (void)more_len;
    while (len-- > 0)
        *out++ = (unsigned char)(next() >> 13);
    return 1;
}

static int rand_enable_locking(void *ctx)
{
    (void)ctx;
    return 1;
}

static int rand_get_params(void *ctx, OSSL_PARAM params[])
{
    OSSL_PARAM *p;

    (void)ctx;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STATE);
    if (p != NULL && !OSSL_PARAM_set_int(p, EVP_RAND_STATE_READY))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_STRENGTH);
    if (p != NULL && !OSSL_PARAM_set_uint(p, 256))
        return 0;
    p = OSSL_PARAM_locate(params, OSSL_RAND_PARAM_MAX_REQUEST);
    return p == NULL || OSSL_PARAM_set_size_t(p, 1 << 20);
}

static const OSSL_PARAM *rand_gettable(void *ctx, void *provctx)
{
    static const OSSL_PARAM known[] = {
        OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
        OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
        OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL),
        OSSL_PARAM_END
    };

    (void)ctx;
    (void)provctx;
    return known;
}

#define CALL(id, function) { id, (void (*)(void))(function) }

static const OSSL_DISPATCH rand_calls[] = {
    CALL(OSSL_FUNC_RAND_NEWCTX, rand_newctx),
    CALL(OSSL_FUNC_RAND_FREECTX, rand_freectx),
    CALL(OSSL_FUNC_RAND_INSTANTIATE, rand_instantiate),
    CALL(OSSL_FUNC_RAND_UNINSTANTIATE, rand_uninstantiate),
    CALL(OSSL_FUNC_RAND_GENERATE, rand_generate),
    CALL(OSSL_FUNC_RAND_ENABLE_LOCKING, rand_enable_locking),
    CALL(OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, rand_gettable),
    CALL(OSSL_FUNC_RAND_GET_CTX_PARAMS, rand_get_params),
    { 0, NULL }
};

static const OSSL_ALGORITHM *provider_query(void *provctx, int operation,
                                            int *no_cache)
{
    static const OSSL_ALGORITHM algorithms[] = {
        { "COUNTER", "provider=counter", rand_calls, "a counter" },
        { NULL, NULL, NULL, NULL }
    };

    (void)provctx;
    *no_cache = 0;
    return operation == OSSL_OP_RAND ? algorithms : NULL;
}

static int provider_init(const OSSL_CORE_HANDLE *handle,
                         const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                         void **provctx)
{
    static const OSSL_DISPATCH calls[] = {
        CALL(OSSL_FUNC_PROVIDER_QUERY_OPERATION, provider_query),
        { 0, NULL }
    };

    (void)in;
    *out = calls;
    *provctx = (void *)handle;
    return 1;
}

static OSSL_PROVIDER *used[2];

static void unload(void)
{
    OSSL_PROVIDER_unload(used[0]);
    OSSL_PROVIDER_unload(used[1]);
}

void random_install(void)
{
    OSSL_PROVIDER *usual, *counter;
    unsigned char probe[8];

    if (!OSSL_PROVIDER_add_builtin(NULL, "counter", provider_init)
        || (usual = OSSL_PROVIDER_load(NULL, "default")) == NULL
        || (counter = OSSL_PROVIDER_load(NULL, "counter")) == NULL
        || !RAND_set_DRBG_type(NULL, "COUNTER", "provider=counter", NULL, NULL)
        || RAND_bytes(probe, sizeof(probe)) != 1) {
        fprintf(stderr, "no random numbers that repeat\n");
        abort();
    }
    used[0] = usual;
    used[1] = counter;
    atexit(unload);
}
