/*
 * tool_alpn.c - the protocols to talk inside a layer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include "tool_alpn.h"
#include "tool_report.h"

static int add(ALPN *alpn, const char *name, size_t len)
{
    if (len == 0 || len > 255 || alpn->len + 1 + len > ALPN_SIZE)
        return 0;
    alpn->list[alpn->len++] = (unsigned char)len;
    memcpy(alpn->list + alpn->len, name, len);
    alpn->len += (unsigned int)len;
    return 1;
}

static int parse(ALPN *alpn, const char *text)
{
    size_t len = strcspn(text, ",");

    while (add(alpn, text, len)) {
        if (text[len] == '\0')
            return 1;
        text += len + 1;
        len = strcspn(text, ",");
    }
    return 0;
}

/* A client that offers nothing of ours must not talk on: RFC 7301, 3.2. */
static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                  const unsigned char *in, unsigned int in_len, void *arg)
{
    const ALPN *alpn = arg;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, alpn->list, alpn->len, in,
                              in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

int alpn_load(ALPN *alpn, SSL_CTX *ctx, const LAYER_OPTIONS *l,
              const char *who)
{
    if (l->alpn == NULL)
        return 1;
    if (!parse(alpn, l->alpn)) {
        report(TOOL_USAGE, who, "-alpn %s: it must be names of 1 to 255 "
               "characters with commas between", l->alpn);
        return 0;
    }
    SSL_CTX_set_alpn_select_cb(ctx, choose, alpn);
    return SSL_CTX_set_alpn_protos(ctx, alpn->list, alpn->len) == 0;
}
