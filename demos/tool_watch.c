/*
 * tool_watch.c - shows what happens in each layer, and writes a key log.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include "bio_onion.h"
#include "tool_lines.h"
#include "tool_report.h"
#include "tool_watch.h"

/* One layer that is watched; belongs to its SSL. */
typedef struct view_st {
    const WATCH *watch;
    BIO *out;               /* stderr, with a label before each line */
    int shown;              /* -showcerts has been done */
    int layer;
    int lost;               /* a line of the key log, which was reported */
} VIEW;

/* Opening and closing
 * -------------------
 */

/* For the owner alone: whoever has the secrets reads all. */
static BIO *open_keylog(const char *name)
{
    int fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    FILE *file = fd != -1 ? fdopen(fd, "a") : NULL;
    BIO *bio = file != NULL ? BIO_new_fp(file, BIO_CLOSE) : NULL;

    if (file == NULL && fd != -1)
        close(fd);
    if (bio == NULL && file != NULL)
        fclose(file);
    return bio;
}

int watch_open(WATCH *w)
{
    if (w->keylogfile == NULL)
        return 1;
    w->keylog = open_keylog(w->keylogfile);
    if (w->keylog != NULL)
        return 1;
    report(TOOL_USAGE, NULL, "cannot write to -keylogfile %s: %s",
           w->keylogfile, strerror(errno));
    return 0;
}

void watch_close(WATCH *w)
{
    BIO_free(w->keylog);
    w->keylog = NULL;
}

/* What happens to a layer
 * -----------------------
 */

static const char *how_removed(const SSL *ssl)
{
    return SSL_get_shutdown(ssl) == (SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        ? "stopped, the exchange of close_notify is complete"
        : "dropped, with no close_notify";
}

const char *watch_event(int event, const SSL *ssl)
{
    switch (event) {
    case ONION_EVENT_STARTED:
        return "started";
    case ONION_EVENT_HANDSHAKE:
        return "handshake done";
    case ONION_EVENT_PEER_CLOSED:
        return "the peer's close_notify has come, reads go on outside";
    case ONION_EVENT_CLOSED:
        return "our close_notify is sent, writes go on outside";
    case ONION_EVENT_REMOVED:
        return how_removed(ssl);
    case ONION_EVENT_FAILED:
        return "failed";
    default:
        return "changed";
    }
}

/* The view of an SSL
 * ------------------
 */

static void free_view(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx,
                      long argl, void *argp)
{
    VIEW *v = ptr;

    (void)parent;
    (void)ad;
    (void)idx;
    (void)argl;
    (void)argp;
    if (v == NULL)
        return;
    BIO_free_all(v->out);
    OPENSSL_free(v);
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int view_index = -1;

static void make_index(void)
{
    view_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_view);
}

static VIEW *view_of(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, view_index);
}

static VIEW *new_view(const WATCH *w, int layer, const char *peer)
{
    VIEW *v = OPENSSL_zalloc(sizeof(*v));

    if (v == NULL)
        return NULL;
    v->watch = w;
    v->layer = layer;
    v->out = lines_new(layer, peer);
    if (v->out != NULL)
        return v;
    OPENSSL_free(v);
    return NULL;
}

/* -keylogfile
 * -----------
 */

/* A line leaves in one write, so that processes can share a file. */
static void log_key(const SSL *ssl, const char *line)
{
    VIEW *v = view_of(ssl);

    if (v == NULL || v->watch->keylog == NULL)
        return;
    BIO_printf(v->watch->keylog, "%s\n", line);
    if (BIO_flush(v->watch->keylog) > 0 || v->lost)
        return;
    v->lost = 1;
    report_layer(TOOL_USAGE, v->layer, NULL, "cannot write to -keylogfile %s: "
                 "%s", v->watch->keylogfile, strerror(errno));
}

/* -msg and -trace
 * ---------------
 */

static const char *message_name(int type, const unsigned char *data, size_t len)
{
    switch (type) {
    case SSL3_RT_CHANGE_CIPHER_SPEC:
        return "ChangeCipherSpec";
    case SSL3_RT_ALERT:
        return len >= 2 ? SSL_alert_desc_string_long(data[1]) : "alert";
    case SSL3_RT_APPLICATION_DATA:
        return "data";
    case SSL3_RT_HEADER:
        return "record header";
    case SSL3_RT_INNER_CONTENT_TYPE:
        return "inner content type";
    default:
        return "";
    }
}

static const char *handshake_name(unsigned char type)
{
    static const char *const names[] = {
        [SSL3_MT_HELLO_REQUEST] = "HelloRequest",
        [SSL3_MT_CLIENT_HELLO] = "ClientHello",
        [SSL3_MT_SERVER_HELLO] = "ServerHello",
        [SSL3_MT_NEWSESSION_TICKET] = "NewSessionTicket",
        [SSL3_MT_END_OF_EARLY_DATA] = "EndOfEarlyData",
        [SSL3_MT_ENCRYPTED_EXTENSIONS] = "EncryptedExtensions",
        [SSL3_MT_CERTIFICATE] = "Certificate",
        [SSL3_MT_SERVER_KEY_EXCHANGE] = "ServerKeyExchange",
        [SSL3_MT_CERTIFICATE_REQUEST] = "CertificateRequest",
        [SSL3_MT_SERVER_DONE] = "ServerHelloDone",
        [SSL3_MT_CERTIFICATE_VERIFY] = "CertificateVerify",
        [SSL3_MT_CLIENT_KEY_EXCHANGE] = "ClientKeyExchange",
        [SSL3_MT_FINISHED] = "Finished",
        [SSL3_MT_CERTIFICATE_STATUS] = "CertificateStatus",
        [SSL3_MT_KEY_UPDATE] = "KeyUpdate",
    };
    size_t n = sizeof(names) / sizeof(names[0]);

    return type < n && names[type] != NULL ? names[type] : "unknown message";
}

static void show_message(BIO *out, int written, int type,
                         const unsigned char *data, size_t len)
{
    const char *name = type == SSL3_RT_HANDSHAKE && len > 0
        ? handshake_name(data[0]) : message_name(type, data, len);

    BIO_printf(out, "%s %s, %lu bytes\n", written ? ">>>" : "<<<", name,
               (unsigned long)len);
    BIO_dump_indent(out, (const char *)data, (int)len, 2);
}

static void on_message(int written, int version, int type, const void *data,
                       size_t len, SSL *ssl, void *arg)
{
    VIEW *v = arg;

    if (v->watch->msg)
        show_message(v->out, written, type, data, len);
#ifndef OPENSSL_NO_SSL_TRACE
    if (v->watch->trace)
        SSL_trace(written, version, type, data, len, ssl, v->out);
#else
    (void)version;
    (void)ssl;
#endif
}

void watch_message(int written, int version, int type, const void *data,
                   size_t len, SSL *ssl)
{
    VIEW *v = view_index != -1 ? view_of(ssl) : NULL;

    if (v != NULL)
        on_message(written, version, type, data, len, ssl, v);
}

/* -debug
 * ------
 */

static long on_bytes(BIO *bio, int oper, const char *data, size_t len,
                     int argi, long argl, int ret, size_t *processed)
{
    VIEW *v = (VIEW *)(void *)BIO_get_callback_arg(bio);
    size_t n = processed != NULL ? *processed : 0;

    (void)argi;
    (void)argl;
    (void)len;
    if (ret <= 0 || n == 0)
        return ret;
    if (oper == (BIO_CB_READ | BIO_CB_RETURN)) {
        BIO_printf(v->out, "read %lu bytes\n", (unsigned long)n);
        BIO_dump_indent(v->out, data, (int)n, 2);
    } else if (oper == (BIO_CB_WRITE | BIO_CB_RETURN)) {
        BIO_printf(v->out, "wrote %lu bytes\n", (unsigned long)n);
        BIO_dump_indent(v->out, data, (int)n, 2);
    }
    return ret;
}

static void tap(BIO *bio, VIEW *v)
{
    if (bio == NULL)
        return;
    BIO_set_callback_ex(bio, on_bytes);
    BIO_set_callback_arg(bio, (char *)v);
}

/* -showcerts
 * ----------
 */

static void show_name(BIO *out, const char *what, const X509_NAME *name)
{
    BIO_printf(out, "  %s ", what);
    X509_NAME_print_ex(out, name, 0, XN_FLAG_ONELINE);
    BIO_puts(out, "\n");
}

static void show_certificate(BIO *out, int i, X509 *cert)
{
    BIO_printf(out, "certificate %d\n", i);
    show_name(out, "subject", X509_get_subject_name(cert));
    show_name(out, "issuer", X509_get_issuer_name(cert));
    PEM_write_bio_X509(BIO_next(out), cert);
}

/* A server's list of its peer's certificates lacks the first. */
static void show_certificates(BIO *out, const SSL *ssl)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    X509 *first = SSL_get0_peer_certificate(ssl);
    int i, n = 0;

    if (first == NULL)
        BIO_puts(out, "no certificate\n");
    if (first != NULL && SSL_is_server((SSL *)ssl))
        show_certificate(out, n++, first);
    for (i = 0; i < sk_X509_num(chain); i++)
        show_certificate(out, n++, sk_X509_value(chain, i));
    (void)BIO_flush(out);
}

/* Watching
 * --------
 */

/* The SSL has its BIOs from when it shakes hands. */
static void on_info(const SSL *ssl, int where, int ret)
{
    VIEW *v = view_of(ssl);

    (void)ret;
    if (where == SSL_CB_HANDSHAKE_START && v->watch->debug) {
        tap(SSL_get_rbio(ssl), v);
        tap(SSL_get_wbio(ssl), v);
    }
    if (where == SSL_CB_HANDSHAKE_DONE && v->watch->showcerts && !v->shown) {
        v->shown = 1;
        show_certificates(v->out, ssl);
    }
}

int watch_layer(const WATCH *w, SSL *ssl, int layer, const char *peer)
{
    VIEW *v;

    if (!w->msg && !w->trace && !w->debug && !w->showcerts
        && w->keylog == NULL)
        return 1;
    v = CRYPTO_THREAD_run_once(&once, make_index) ? new_view(w, layer, peer)
                                                  : NULL;
    if (v == NULL || SSL_set_ex_data(ssl, view_index, v) != 1) {
        free_view(NULL, v, NULL, 0, 0, NULL);
        return 0;
    }
    if (w->msg || w->trace) {
        SSL_set_msg_callback(ssl, on_message);
        SSL_set_msg_callback_arg(ssl, v);
    }
    SSL_set_info_callback(ssl, on_info);
    if (w->keylog != NULL)
        SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), log_key);
    return 1;
}
