/*
 * onion_print.c - draws the chain.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <openssl/x509.h>
#include "onion_local.h"

static const char *verified(SSL *ssl)
{
    int asks = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;

    if (SSL_get0_peer_certificate(ssl) == NULL)
        return SSL_is_server(ssl) ? "no client certificate" : "no certificate";
    if (!asks || SSL_get_verify_result(ssl) != X509_V_OK)
        return "NOT verified";
    return "verified";
}

static const char *directions(const ONION_LAYER *l)
{
    if (l->failure != 0)
        return l->handshaken ? "FAILED" : "FAILED in the handshake";
    if (!l->handshaken)
        return "in the handshake";
    if (l->heard_close || l->left)
        return l->sent_close ? "closed" : "peer closed";
    return l->sent_close ? "we closed" : "open";
}

/* The arrows show which of the two directions pass here: down, and up. */
static int print_row(BIO *out, int writes, int reads, const char *what)
{
    return BIO_printf(out, "  %c %c  %s", writes ? 'v' : ' ',
                      reads ? '^' : ' ', what);
}

static int print_layer(BIO *out, BIO *layer, int number)
{
    const ONION_LAYER *l = onion_layer_of(layer);
    char name[ONION_NAME_SIZE];

    if (print_row(out, !l->sent_close, !l->left, "layer ") <= 0
        || BIO_printf(out, "%-3d %s  %s", number,
                      SSL_is_server(l->ssl) ? "server" : "client",
                      onion_peer_name(l->ssl, name)) <= 0)
        return 0;
    if (l->handshaken
        && BIO_printf(out, ", %s, %s, %s", SSL_get_version(l->ssl),
                      SSL_get_cipher_name(l->ssl), verified(l->ssl)) <= 0)
        return 0;
    return BIO_printf(out, ", %s\n", directions(l)) > 0;
}

static int print_wire(BIO *out, BIO *wire)
{
    return print_row(out, 1, 1, "wire") > 0
        && BIO_printf(out, "      %zu bytes read ahead, %zu unsent\n",
                      onion_wire_ahead(wire), onion_wire_unsent(wire)) > 0;
}

static int print_transport(BIO *out, BIO *b)
{
    int fd = -1, ok = 1;

    for (; b != NULL && ok; b = BIO_next(b)) {
        ok = print_row(out, 1, 1, "transport ") > 0
            && BIO_puts(out, BIO_method_name(b)) > 0;
        if (ok && BIO_get_fd(b, &fd) >= 0 && fd >= 0)
            ok = BIO_printf(out, ", fd %d", fd) > 0;
        ok = ok && BIO_puts(out, "\n") > 0;
    }
    return ok;
}

static int print_stack(BIO *out, BIO *stack)
{
    return BIO_puts(out, "       application\n") > 0
        && print_row(out, 1, 1, "stack") > 0
        && BIO_printf(out, "     writes at depth %d, reads at depth %d\n",
                      onion_chain_write_depth(stack),
                      onion_chain_read_depth(stack)) > 0;
}

int BIO_onion_print(BIO *out, BIO *stack)
{
    BIO *b = onion_stack_find(stack);
    BIO *wire = b == NULL ? NULL : onion_wire_find(b);
    int n;

    if (b == NULL || !print_stack(out, b))
        return 0;
    for (n = onion_chain_layers(b); n > 0; n--)
        if (!print_layer(out, onion_chain_layer(b, n), n))
            return 0;
    if (wire == NULL)
        return 1;
    return print_wire(out, wire) && print_transport(out, BIO_next(wire));
}
