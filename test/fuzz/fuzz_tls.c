/*
 * fuzz_tls.c - the credentials of the targets that speak TLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <signal.h>
#include "fuzz_tls.h"
#include "record.h"
#include "util.h"

/* An input leaves nothing behind for the next. */
static void prepare(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}

void fuzz_start_tls(void)
{
    static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };
    int i, layer;

    fuzz_start();
    signal(SIGPIPE, SIG_IGN);
    for (i = 0; i < 2; i++) {
        prepare(test_client_ctx(versions[i], 1));
        for (layer = 1; layer <= 8; layer++) {
            prepare(test_server_ctx(versions[i], test_name(layer),
                                    layer % 2 == 0 ? TEST_P256 : 0));
            /* That of talk.h. */
            prepare(test_server_ctx(versions[i], test_name(layer), 0));
        }
    }
}

const SSL_CIPHER *fuzz_cipher(void)
{
    SSL_CTX *ctx = test_client_ctx(TLS1_3_VERSION, 1);

    return sk_SSL_CIPHER_value(SSL_CTX_get_ciphers(ctx), 0);
}
