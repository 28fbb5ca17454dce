/*
 * tool_cert.c - certificates and private keys to show to the peer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * They are read through OSSL_STORE, which knows PEM, DER and PKCS #12.
 */

#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include "tool_cert.h"
#include "tool_file.h"
#include "tool_pass.h"
#include "tool_report.h"

/* What one -cert and its -key are made of. */
typedef struct cert_st {
    const char *cert, *key, *chain;     /* files; chain may be NULL */
    const char *pass;                   /* NULL to ask for it */
    const char *who;
    const char *reading;                /* the file under way */
    int unasked;                        /* there was nobody to ask */
    X509 *x509;
    EVP_PKEY *pkey;
    STACK_OF(X509) *others;
} CERT;

/* Pass phrases
 * ------------
 */

static int have_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (fd != -1)
        close(fd);
    return fd != -1;
}

static int ask(const CERT *c, char *buf, int size)
{
    char prompt[400];

    snprintf(prompt, sizeof(prompt), "Pass phrase for %s:", c->reading);
    if (EVP_read_pw_string(buf, size, prompt, 0) != 0)
        return -1;
    return (int)strlen(buf);
}

static int get_pass(char *buf, int size, int rwflag, void *arg)
{
    CERT *c = arg;

    (void)rwflag;
    if (c->pass != NULL)
        return (int)OPENSSL_strlcpy(buf, c->pass, (size_t)size) < size
            ? (int)strlen(buf) : -1;
    if (have_terminal())
        return ask(c, buf, size);
    c->unasked = 1;
    return -1;
}

/* Reading
 * -------
 */

/* Takes what there is of the kind that is expected. */
static void take(CERT *c, OSSL_STORE_INFO *info)
{
    X509 *x509;

    if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY) {
        if (c->pkey == NULL)
            c->pkey = OSSL_STORE_INFO_get1_PKEY(info);
        return;
    }
    if (OSSL_STORE_INFO_get_type(info) != OSSL_STORE_INFO_CERT)
        return;
    x509 = OSSL_STORE_INFO_get1_CERT(info);
    if (c->x509 == NULL)
        c->x509 = x509;
    else if (x509 != NULL && sk_X509_push(c->others, x509) <= 0)
        X509_free(x509);
}

/* The last error is of the decoder that was tried last, and means nothing. */
static void read_objects(CERT *c, const char *file, int kind)
{
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(get_pass, 0);
    OSSL_STORE_CTX *store;
    OSSL_STORE_INFO *info;

    c->reading = file;
    store = ui != NULL ? OSSL_STORE_open(file, ui, c, NULL, NULL) : NULL;
    if (store != NULL && OSSL_STORE_expect(store, kind) == 1)
        while (!OSSL_STORE_eof(store)) {
            info = OSSL_STORE_load(store);
            if (info != NULL)
                take(c, info);
            else if (OSSL_STORE_error(store))
                break;
            OSSL_STORE_INFO_free(info);
        }
    OSSL_STORE_close(store);
    UI_destroy_method(ui);
    ERR_clear_error();
}

static int cannot(const CERT *c, const char *what, const char *file,
                  const char *trouble)
{
    report(TOOL_USAGE, c->who, "cannot load the %s %s: %s", what, file,
           trouble);
    return 0;
}

/* Why nothing was found in a file that is there. */
static const char *why_nothing(const CERT *c, const char *otherwise)
{
    if (c->unasked)
        return "it is encrypted, and there is no terminal to ask for the pass "
               "phrase; see -pass";
    return otherwise;
}

static int read_certificate(CERT *c)
{
    const char *trouble = file_trouble(c->cert);

    if (trouble == NULL)
        read_objects(c, c->cert, OSSL_STORE_INFO_CERT);
    if (trouble == NULL && c->x509 == NULL)
        trouble = why_nothing(c, "no certificate in PEM, DER or PKCS #12, or "
                              "a wrong pass phrase");
    return trouble == NULL || cannot(c, "certificate", c->cert, trouble);
}

static int read_key(CERT *c)
{
    const char *trouble = file_trouble(c->key);

    if (trouble == NULL)
        read_objects(c, c->key, OSSL_STORE_INFO_PKEY);
    if (trouble == NULL && c->pkey == NULL)
        trouble = why_nothing(c, c->key == c->cert
            ? "no private key in it; see -key"
            : "no private key in PEM, DER or PKCS #12, or a wrong pass "
              "phrase; see -pass");
    return trouble == NULL || cannot(c, "private key", c->key, trouble);
}

static int read_chain(CERT *c)
{
    const char *trouble;
    int n = sk_X509_num(c->others);

    if (c->chain == NULL)
        return 1;
    trouble = file_trouble(c->chain);
    if (trouble == NULL)
        read_objects(c, c->chain, OSSL_STORE_INFO_CERT);
    if (trouble == NULL && sk_X509_num(c->others) == n)
        trouble = why_nothing(c, "no certificate in PEM, DER or PKCS #12");
    return trouble == NULL || cannot(c, "certificate chain", c->chain, trouble);
}

/* Using
 * -----
 */

static int use(SSL_CTX *ctx, const CERT *c)
{
    if (X509_check_private_key(c->x509, c->pkey) != 1) {
        report(TOOL_USAGE, c->who, "the private key %s does not belong to the "
               "certificate %s", c->key, c->cert);
        return 0;
    }
    if (SSL_CTX_use_cert_and_key(ctx, c->x509, c->pkey, c->others, 1) == 1)
        return 1;
    return cannot(c, "certificate", c->cert, report_openssl());
}

/* The second of a kind would replace the first. */
static int is_new_kind(const CERT *c, const int *kinds, int n)
{
    int i, kind = EVP_PKEY_get_base_id(c->pkey);

    for (i = 0; i < n; i++)
        if (kinds[i] == kind) {
            report(TOOL_USAGE, c->who, "the certificate %s has the same kind "
                   "of key as one before it", c->cert);
            return 0;
        }
    return 1;
}

static int load_one(SSL_CTX *ctx, CERT *c, int *kinds, int n)
{
    c->others = sk_X509_new_null();
    if (c->others == NULL || !read_certificate(c) || !read_key(c)
        || !read_chain(c) || !is_new_kind(c, kinds, n) || !use(ctx, c))
        return 0;
    kinds[n] = EVP_PKEY_get_base_id(c->pkey);
    return 1;
}

int cert_load(SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who)
{
    const char *pass = NULL;
    int kinds[STRINGS_MAX];
    int i, ok = 1;

    if (l->pass != NULL && l->cert.n > 0) {
        pass = pass_of(l->pass, "pass", who);
        if (pass == NULL)
            return 0;
    }
    for (i = 0; ok && i < l->cert.n; i++) {
        CERT c = { .cert = l->cert.s[i], .pass = pass, .who = who };

        c.key = l->key.n > 0 ? l->key.s[i] : c.cert;
        c.chain = l->cert_chain.n > 0 ? l->cert_chain.s[i] : NULL;
        ok = load_one(ctx, &c, kinds, i);
        X509_free(c.x509);
        EVP_PKEY_free(c.pkey);
        sk_X509_pop_free(c.others, X509_free);
    }
    return ok;
}
