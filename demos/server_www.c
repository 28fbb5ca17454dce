/*
 * server_www.c - a page that shows every layer of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * It is plain text: nothing that a peer calls itself can be more than that.
 */

#include <string.h>
#include "bio_onion.h"
#include "server_http.h"
#include "server_layer.h"

static void put(BIO *out, const char *what, const char *text)
{
    BIO_printf(out, ", %s ", what);
    report_escape(out, text, strlen(text));
}

static void put_layer(BIO *out, int layer, const SSL *ssl)
{
    char text[LAYER_TEXT_SIZE];

    BIO_printf(out, "layer %d: %s %s %s", layer, layer_role(ssl),
               SSL_get_version(ssl), SSL_get_cipher_name(ssl));
    put(out, "name", layer_name(ssl, text));
    put(out, "alpn", layer_alpn(ssl, text));
    put(out, "client certificate", layer_subject(ssl, text));
    put(out, "resumed", SSL_session_reused(ssl) ? "yes" : "no");
    put(out, "early data", layer_early(ssl));
    BIO_puts(out, "\n");
}

static BIO *page(const CONN *c)
{
    BIO *out = BIO_new(BIO_s_mem());
    int i, depth = BIO_onion_write_depth(c->stack);

    if (out == NULL)
        return NULL;
    BIO_printf(out, "peer: %s\nlayers: %d\n", c->name, depth);
    for (i = 1; i <= depth; i++)
        put_layer(out, i, BIO_onion_get0_ssl(c->stack, i));
    return out;
}

/* "/", or as one asks a proxy: "http://host/". RFC 9112, section 3.2.2. */
static int is_root(const char *target)
{
    const char *host = strstr(target, "://");

    if (host != NULL && target[0] != '/') {
        target = host + 3;
        target += strcspn(target, "/?");
    }
    target += target[0] == '/';
    return target[0] == '\0' || target[0] == '?';
}

static int answer(CONN *c, HTTP *h)
{
    if (!is_root(h->request.target))
        return http_refuse(h, 404, "");
    return http_reply(h, 200, "text/plain; charset=utf-8", page(c));
}

static int begin(CONN *c)
{
    return http_begin(c, answer);
}

const MODE mode_www = {
    "www", begin, http_run, http_late, http_doing, http_end
};
