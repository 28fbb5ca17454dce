/*
 * onion_start.c - puts a new layer inside the present one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "onion_local.h"

static int refuse_ssl(BIO *stack, SSL *ssl)
{
    if (ssl == NULL)
        return onion_stack_refuse(stack, ERR_R_PASSED_NULL_PARAMETER,
                                  "start: no SSL");
    if (SSL_is_dtls(ssl))
        return onion_stack_refuse(stack, ONION_R_SSL_UNSUPPORTED,
                                  "start: an SSL for datagrams");
    if (SSL_get_rbio(ssl) != NULL || SSL_get_wbio(ssl) != NULL)
        return onion_stack_refuse(stack, ONION_R_SSL_IN_USE,
                                  "start: the SSL has BIOs already");
    if (!SSL_in_before(ssl) || SSL_get_shutdown(ssl) != 0)
        return onion_stack_refuse(stack, ONION_R_SSL_IN_USE,
                                  "start: the SSL was used already");
    return 1;
}

static int refuse(BIO *stack, SSL *ssl, const void *unread, size_t unread_len)
{
    ONION_STACK *s = onion_stack_of(stack);

    if (!refuse_ssl(stack, ssl))
        return 0;
    if (unread == NULL && unread_len > 0)
        return onion_stack_refuse(stack, ERR_R_PASSED_NULL_PARAMETER,
                                  "start: a length without unread bytes");
    if (onion_chain_read_depth(stack) != onion_chain_write_depth(stack))
        return onion_stack_refuse(stack, ONION_R_DEPTHS_DIFFER,
                                  "start: finish the stop first");
    if (onion_chain_layers(stack) >= s->max_depth)
        return onion_stack_refuse(stack, ONION_R_MAX_DEPTH, "start");
    return onion_write_settle(stack, "start");
}

/*
 * In a stack no layer renegotiates: a renegotiation would make a write wait
 * for a read, and TLS 1.3 has none. A server reads the early data that its
 * tickets have promised to read; without ONION_EARLY it skips that.
 */
static void prepare(SSL *ssl)
{
    SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_clear_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE
                        | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_get_recv_max_early_data(ssl) < SSL_get_max_early_data(ssl))
        SSL_set_recv_max_early_data(ssl, SSL_get_max_early_data(ssl));
}

static int set_early(BIO *stack, BIO *layer)
{
    unsigned long flags = onion_stack_of(stack)->flags;

    return (flags & ONION_EARLY) == 0
        || onion_early_start(layer, (flags & ONION_EARLY_DATA) != 0);
}

/* BIO_push() would put it at the far end of the chain. */
static void insert(BIO *stack, BIO *layer)
{
    BIO_push(layer, BIO_next(stack));
    BIO_set_next(stack, NULL);
    BIO_push(stack, layer);
}

int BIO_onion_start_tls(BIO *stack, SSL *ssl,
                        const void *unread, size_t unread_len)
{
    BIO *b = onion_stack_find(stack);
    BIO *layer;

    if (b == NULL || !onion_stack_enter(b)
        || !refuse(b, ssl, unread, unread_len))
        return 0;
    layer = BIO_new(BIO_f_onion());
    if (layer == NULL || BIO_set_ssl(layer, ssl, BIO_NOCLOSE) <= 0
        || !set_early(b, layer)
        || !onion_chain_give_back(onion_chain_read_top(b), unread,
                                  unread_len)) {
        BIO_free(layer);
        SSL_set_bio(ssl, NULL, NULL);
        return onion_stack_refuse(b, ERR_R_MALLOC_FAILURE, "start");
    }
    (void)BIO_set_close(layer, BIO_CLOSE);  /* from here on it is ours */
    onion_layer_of(layer)->stacked = 1;
    prepare(ssl);
    onion_rest_begin(b, layer);
    insert(b, layer);
    onion_early_cover(onion_layer_find(BIO_next(layer)));
    onion_event_tell(b);
    onion_err_clear();
    return 1;
}

static int start(BIO *stack, SSL_CTX *ctx, const char *host)
{
    BIO *b = onion_stack_find(stack);
    SSL *ssl;

    if (b == NULL)
        return 0;
    onion_err_clear();
    ssl = ctx == NULL ? NULL : SSL_new(ctx);
    if (ssl == NULL)
        return onion_stack_refuse(b, ERR_R_PASSED_NULL_PARAMETER,
                                  "start: no SSL from this SSL_CTX");
    if (host == NULL) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
        if (!onion_peer_expect(ssl, host)) {
            SSL_free(ssl);
            return onion_stack_refuse(b, ERR_R_PASSED_INVALID_ARGUMENT,
                                      "start: not a host name");
        }
    }
    if (BIO_onion_start_tls(b, ssl, NULL, 0))
        return 1;
    SSL_free(ssl);
    return 0;
}

int BIO_onion_start_client(BIO *stack, SSL_CTX *ctx, const char *host)
{
    BIO *b = onion_stack_find(stack);

    if (b == NULL)
        return 0;
    if (host == NULL || host[0] == '\0') {
        onion_err_clear();
        return onion_stack_refuse(b, ERR_R_PASSED_NULL_PARAMETER,
                                  "start: a client needs the host's name");
    }
    return start(b, ctx, host);
}

int BIO_onion_start_server(BIO *stack, SSL_CTX *ctx)
{
    return start(stack, ctx, NULL);
}
