/*
 * onion_helper.c - what BIO_f_ssl() has beside it, for layers without a stack.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "onion_local.h"

BIO *BIO_new_onion(SSL_CTX *ctx, int client)
{
    BIO *b = BIO_f_onion() == NULL ? NULL : BIO_new(BIO_f_onion());
    SSL *ssl = b == NULL ? NULL : SSL_new(ctx);

    if (ssl == NULL) {
        BIO_free(b);
        ONION_raise(ctx == NULL ? ERR_R_PASSED_NULL_PARAMETER
                                : ERR_R_MALLOC_FAILURE,
                    "a layer: no SSL from this SSL_CTX");
        return NULL;
    }
    if (client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    if (BIO_set_ssl(b, ssl, BIO_CLOSE) > 0)
        return b;
    SSL_free(ssl);
    BIO_free(b);
    return NULL;
}

/* top over bottom; owns both, and needs both. */
static BIO *join(BIO *top, BIO *bottom)
{
    if (top != NULL && bottom != NULL)
        return BIO_push(top, bottom);
    BIO_free_all(top);
    BIO_free_all(bottom);
    return NULL;
}

BIO *BIO_new_onion_connect(SSL_CTX *ctx)
{
    return join(BIO_new_onion(ctx, 1), BIO_new(BIO_s_connect()));
}

BIO *BIO_new_buffer_onion_connect(SSL_CTX *ctx)
{
    return join(BIO_new(BIO_f_buffer()), BIO_new_onion_connect(ctx));
}

/* Sends each close_notify not yet sent. How many, or -1. */
static int close_all(BIO *chain)
{
    int sent = 0, ret;
    BIO *b;

    for (b = onion_layer_find(chain); b != NULL;
         b = onion_layer_find(BIO_next(b))) {
        sent += !onion_layer_of(b)->sent_close;
        ret = onion_session_close(b);
        if (ret <= 0) {
            onion_pass_retry(chain, b);
            return -1;
        }
    }
    return sent;
}

/*
 * 1 if the peer has closed the layer. A look is enough to find its
 * close_notify, and takes nothing from what is to be read before it.
 */
static int peer_closed(BIO *layer, int look)
{
    ONION_LAYER *l = onion_layer_of(layer);
    unsigned char byte;

    if (l->heard_close || !look)
        return l->heard_close;
    return onion_session_get(layer, &byte, 1, 1) == 0;
}

/*
 * As SSL_shutdown(), the call that sends does not wait for the peer. It is what
 * a program calls when something has failed, so what is in the error queue,
 * and was not printed yet, stays there.
 */
int BIO_onion_shutdown(BIO *chain)
{
    BIO *b;
    int sent;

    if (BIO_f_onion() == NULL || onion_layer_find(chain) == NULL)
        return 1;
    BIO_clear_retry_flags(chain);
    sent = close_all(chain);
    if (sent < 0)
        return -1;
    for (b = onion_layer_find(chain); b != NULL;
         b = onion_layer_find(BIO_next(b)))
        if (!peer_closed(b, sent == 0)) {
            if (sent == 0)
                onion_pass_retry(chain, b);
            return onion_layer_of(b)->failure != 0 ? -1 : 0;
        }
    return 1;
}

static SSL *ssl_of(BIO *chain)
{
    BIO *layer = BIO_f_onion() == NULL ? NULL : onion_layer_find(chain);

    return layer == NULL ? NULL : onion_layer_of(layer)->ssl;
}

int BIO_onion_copy_session_id(BIO *to, BIO *from)
{
    SSL *to_ssl = ssl_of(to);
    SSL *from_ssl = ssl_of(from);

    if (to_ssl == NULL || from_ssl == NULL) {
        ONION_raise(ONION_R_NO_SSL, "copy of a session: no layer with an SSL"
                    " in the chain %s", to_ssl == NULL ? "to" : "from");
        return 0;
    }
    if (SSL_copy_session_id(to_ssl, from_ssl) > 0)
        return 1;
    /* untested: OpenSSL cannot make it an SSL of the other's method */
    ONION_raise(ERR_R_SSL_LIB, "copy of a session");
    return 0;
}
