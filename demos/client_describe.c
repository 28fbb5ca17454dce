/*
 * client_describe.c - the layers, in words, on stderr.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/x509.h>
#include "bio_onion.h"
#include "client_describe.h"

#define TEXT_SIZE 1024

static void say(CLIENT *c, int layer, const char *fmt, ...)
    REPORT_FORMAT(3, 4);

static void say(CLIENT *c, int layer, const char *fmt, ...)
{
    char text[TEXT_SIZE], label[REPORT_LABEL_SIZE];
    BIO *out = BIO_new_fp(stderr, BIO_NOCLOSE);
    va_list args;

    if (out == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    BIO_puts(out, report_label(label, layer, c->peer[layer]));
    report_escape(out, text, strlen(text));
    BIO_puts(out, "\n");
    BIO_free(out);
}

static const char *verdict(const FACT *f)
{
    if (f->checked && f->verify_result == X509_V_OK)
        return f->has_certificate ? "verified" : "no certificate";
    if (f->verify_result == X509_V_OK)
        return "not verified";
    return X509_verify_cert_error_string(f->verify_result);
}

static const char *open_ways(const FACT *f)
{
    if (f->reads_open && f->writes_open)
        return "open both ways";
    if (f->reads_open)
        return "closed by us, reads go on";
    return f->writes_open ? "closed by the peer, writes go on" : "closed";
}

static void describe_traffic(CLIENT *c, int layer)
{
    const TRAFFIC *t = &c->facts.of[layer].traffic;

    if (layer == 0)
        say(c, 0, "read %llu bytes, wrote %llu", t->bytes_read,
            t->bytes_written);
    else
        say(c, layer, "read %llu bytes (%llu records), wrote %llu (%llu); %s",
            t->bytes_read, t->records_read, t->bytes_written,
            t->records_written, open_ways(&c->facts.of[layer]));
}

static void describe_certificate(CLIENT *c, int layer)
{
    const FACT *f = &c->facts.of[layer];

    if (f->has_certificate)
        say(c, layer, "certificate of %s, from %s, until %s, SHA-256 %s",
            f->subject, f->issuer, f->not_after, f->sha256);
    say(c, layer, "%s%s%s%s", verdict(f),
        f->matched[0] != '\0' ? " for " : "", f->matched,
        f->resumed ? ", when the session was new" : "");
}

static void describe_session(CLIENT *c, int layer)
{
    const FACT *f = &c->facts.of[layer];

    if (!f->known) {
        say(c, layer, "in its handshake");
        return;
    }
    say(c, layer, "%s, %s, %s (%d bits)%s%s", f->is_server ? "server"
        : "client", f->version, f->cipher, f->bits,
        f->group[0] != '\0' ? ", " : "", f->group);
    say(c, layer, "%s session, asked for %s, ALPN %s",
        f->resumed ? "resumed" : "new", f->asked[0] != '\0' ? f->asked
        : "no name", f->alpn[0] != '\0' ? f->alpn : "none");
    if (c->early.on)
        say(c, layer, "Early data was %s", early_words(f->early));
    describe_certificate(c, layer);
}

static int is_there(const CLIENT *c, int layer)
{
    return BIO_onion_get0_ssl(c->stack, layer) != NULL;
}

void describe_all(CLIENT *c)
{
    int i;

    facts_take(c);
    describe_traffic(c, 0);
    for (i = 1; i <= c->facts.n && is_there(c, i); i++) {
        describe_session(c, i);
        describe_traffic(c, i);
    }
}

void describe_brief(CLIENT *c)
{
    int i;

    facts_take(c);
    for (i = 1; i <= c->facts.n && is_there(c, i); i++) {
        const FACT *f = &c->facts.of[i];

        say(c, i, "%s, %s%s%s, %s session, %s%s%s", f->version, f->cipher,
            f->alpn[0] != '\0' ? ", ALPN " : "", f->alpn,
            f->resumed ? "resumed" : "new", verdict(f),
            c->early.on ? ", Early data was " : "",
            c->early.on ? early_words(f->early) : "");
    }
}
