/*
 * client_json.c - what has become of each layer, as one JSON object.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/x509.h>
#include "bio_onion.h"
#include "client_json.h"

/* Writing
 * -------
 */

/* Bytes that are no ASCII become the character of that number. */
static void put_string(BIO *out, const char *text)
{
    BIO_puts(out, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c >= 0x7f)
            BIO_printf(out, "\\u%04x", c);
        else
            BIO_printf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    BIO_puts(out, "\"");
}

/* Members that are not the first of their object. */
static void put_name(BIO *out, const char *name)
{
    BIO_printf(out, ", \"%s\": ", name);
}

/* A text that is empty is one that there is not. */
static void put_text(BIO *out, const char *name, const char *text)
{
    put_name(out, name);
    if (text == NULL || text[0] == '\0')
        BIO_puts(out, "null");
    else
        put_string(out, text);
}

static void put_bool(BIO *out, const char *name, int value)
{
    put_name(out, name);
    BIO_puts(out, value ? "true" : "false");
}

static void put_number(BIO *out, const char *name, unsigned long long n)
{
    put_name(out, name);
    BIO_printf(out, "%llu", n);
}

/* A layer
 * -------
 */

static void put_certificate(BIO *out, const FACT *f)
{
    put_name(out, "certificate");
    if (!f->has_certificate) {
        BIO_puts(out, "null");
        return;
    }
    BIO_puts(out, "{\"subject\": ");
    put_string(out, f->subject);
    put_text(out, "issuer", f->issuer);
    put_text(out, "not_after", f->not_after);
    put_text(out, "sha256", f->sha256);
    BIO_puts(out, "}");
}

static void put_session(BIO *out, const FACT *f)
{
    int good = f->checked && f->verify_result == X509_V_OK;

    put_text(out, "role", f->is_server ? "server" : "client");
    put_text(out, "version", f->version);
    put_text(out, "cipher", f->cipher);
    put_number(out, "bits", (unsigned long long)f->bits);
    put_text(out, "group", f->group);
    put_text(out, "servername", f->asked);
    put_text(out, "alpn", f->alpn);
    put_bool(out, "resumed", f->resumed);
    put_text(out, "early_data", early_words(f->early));
    put_bool(out, "verified", good && f->has_certificate);
    put_text(out, "verified_name", f->matched);
    put_text(out, "verify_error", f->verify_result == X509_V_OK ? NULL
             : X509_verify_cert_error_string(f->verify_result));
    put_certificate(out, f);
}

static void put_traffic(BIO *out, const TRAFFIC *t)
{
    put_number(out, "bytes_read", t->bytes_read);
    put_number(out, "bytes_written", t->bytes_written);
}

static void put_layer(CLIENT *c, BIO *out, int layer)
{
    const FACT *f = &c->facts.of[layer];

    BIO_printf(out, "%s\n  {\"layer\": %d", layer > 1 ? "," : "", layer);
    put_text(out, "peer", c->peer[layer]);
    put_bool(out, "handshake", f->known);
    if (f->known)
        put_session(out, f);
    put_traffic(out, &f->traffic);
    put_number(out, "records_read", f->traffic.records_read);
    put_number(out, "records_written", f->traffic.records_written);
    BIO_puts(out, "}");
}

/* The whole
 * ---------
 */

static int depth_reached(const CLIENT *c)
{
    int n = c->facts.n;

    while (n > 0 && !c->facts.of[n].known)
        n--;
    return n;
}

static void put_all(CLIENT *c, BIO *out)
{
    int i;

    BIO_printf(out, "{\"exit\": %d", c->code);
    put_text(out, "error", c->code != TOOL_OK ? report_last() : NULL);
    put_name(out, "failed_layer");
    if (c->failed_layer > 0)
        BIO_printf(out, "%d", c->failed_layer);
    else
        BIO_puts(out, "null");
    put_number(out, "depth", (unsigned long long)depth_reached(c));
    put_number(out, "required_depth", (unsigned long long)c->required);
    put_text(out, "connected_to", c->peer[0]);
    put_text(out, "address", c->address);
    put_traffic(out, &c->facts.of[0].traffic);
    put_name(out, "layers");
    BIO_puts(out, "[");
    for (i = 1; i <= c->facts.n; i++)
        put_layer(c, out, i);
    BIO_puts(out, "]}\n");
}

int json_write(CLIENT *c, BIO *out)
{
    BIO *mem = BIO_new(BIO_s_mem());
    char *text;
    long len;
    int ok;

    if (mem == NULL)
        return 0;
    put_all(c, mem);
    len = BIO_get_mem_data(mem, &text);
    ok = BIO_write(out, text, (int)len) == len && BIO_flush(out) == 1;
    BIO_free(mem);
    return ok;
}
