/*
 * client_facts.c - what there is to say of each layer, also when it is gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include "client_facts.h"
#include "client_talk.h"

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text != NULL ? text : "");
}

/* Traffic
 * -------
 */

/* The header of each record comes by here, once. */
static void on_record(int written, int version, int type, const void *data,
                      size_t len, SSL *ssl, void *arg)
{
    TRAFFIC *t = arg;

    watch_message(written, version, type, data, len, ssl);
    if (type != SSL3_RT_HEADER)
        return;
    if (written)
        t->records_written++;
    else
        t->records_read++;
}

/* The BIO of a layer: the one that has its SSL. */
static BIO *bio_of(BIO *stack, SSL *ssl)
{
    BIO *b = BIO_next(stack);
    SSL *found = NULL;

    while (b != NULL && (BIO_get_ssl(b, &found) != 1 || found != ssl))
        b = BIO_next(b);
    return b;
}

static BIO *last_of(BIO *stack)
{
    while (BIO_next(stack) != NULL)
        stack = BIO_next(stack);
    return stack;
}

static void take_bytes(TRAFFIC *t, BIO *b)
{
    if (b == NULL)
        return;
    t->bytes_read = BIO_number_read(b);
    t->bytes_written = BIO_number_written(b);
}

/* The session
 * -----------
 */

static void take_certificate(FACT *f, X509 *cert)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int i, len = 0;
    struct tm tm;

    f->has_certificate = cert != NULL;
    if (cert == NULL)
        return;
    X509_NAME_oneline(X509_get_subject_name(cert), f->subject,
                      sizeof(f->subject));
    X509_NAME_oneline(X509_get_issuer_name(cert), f->issuer,
                      sizeof(f->issuer));
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1)
        strftime(f->not_after, sizeof(f->not_after), "%Y-%m-%dT%H:%M:%SZ",
                 &tm);
    if (X509_digest(cert, EVP_sha256(), md, &len) == 1)
        for (i = 0; i < len && 2 * i + 2 < sizeof(f->sha256); i++)
            snprintf(f->sha256 + 2 * i, 3, "%02x", md[i]);
}

static void take_alpn(FACT *f, SSL *ssl)
{
    const unsigned char *alpn;
    unsigned int len;

    SSL_get0_alpn_selected(ssl, &alpn, &len);
    snprintf(f->alpn, sizeof(f->alpn), "%.*s", (int)len,
             alpn != NULL ? (const char *)alpn : "");
}

static void take_group(FACT *f, SSL *ssl)
{
    int id = (int)SSL_get_negotiated_group(ssl);

    copy(f->group, sizeof(f->group),
         id != NID_undef && (id & TLSEXT_nid_unknown) == 0 ? OBJ_nid2sn(id)
                                                           : NULL);
}

static void take_session(FACT *f, SSL *ssl)
{
    f->known = 1;
    f->is_server = SSL_is_server(ssl);
    f->resumed = SSL_session_reused(ssl);
    f->early = SSL_get_early_data_status(ssl);
    f->checked = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0;
    f->verify_result = SSL_get_verify_result(ssl);
    f->bits = SSL_get_cipher_bits(ssl, NULL);
    copy(f->version, sizeof(f->version), SSL_get_version(ssl));
    copy(f->cipher, sizeof(f->cipher), SSL_get_cipher_name(ssl));
    copy(f->asked, sizeof(f->asked),
         SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    copy(f->matched, sizeof(f->matched), SSL_get0_peername(ssl));
    take_group(f, ssl);
    take_alpn(f, ssl);
    take_certificate(f, SSL_get0_peer_certificate(ssl));
}

/* The whole
 * ---------
 */

void facts_begin(CLIENT *c)
{
    memset(&c->facts, 0, sizeof(c->facts));
}

void facts_of_new(CLIENT *c, int layer, SSL *ssl)
{
    FACT *f = &c->facts.of[layer];

    memset(f, 0, sizeof(*f));
    c->facts.n = layer;
    if (!watch_layer(&c->watch, ssl, layer, c->peer[layer]))
        ERR_clear_error();
    SSL_set_msg_callback(ssl, on_record);
    SSL_set_msg_callback_arg(ssl, &f->traffic);
}

void facts_take(CLIENT *c)
{
    int i;

    if (c->stack == NULL)
        return;
    take_bytes(&c->facts.of[0].traffic, last_of(c->stack));
    for (i = 1; i <= c->facts.n; i++) {
        SSL *ssl = BIO_onion_get0_ssl(c->stack, i);
        FACT *f = &c->facts.of[i];

        f->reads_open = ssl != NULL && i <= BIO_onion_read_depth(c->stack);
        f->writes_open = ssl != NULL && i <= BIO_onion_write_depth(c->stack);
        if (ssl == NULL)
            continue;
        if (SSL_is_init_finished(ssl))
            take_session(f, ssl);
        take_bytes(&f->traffic, bio_of(c->stack, ssl));
    }
}
