/*
 * tool_lines.c - lines on stderr about a layer, with its label before each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include "tool_lines.h"
#include "tool_report.h"

/* A filter that lets no peer move the terminal
 * --------------------------------------------
 */

static int escape_write(BIO *bio, const char *in, int len)
{
    BIO *next = BIO_next(bio);
    const char *end;
    int done = 0, n;

    while (done < len) {
        end = memchr(in + done, '\n', (size_t)(len - done));
        n = end != NULL ? (int)(end - in) - done : len - done;
        report_escape(next, in + done, (size_t)n);
        done += n;
        if (end != NULL) {
            BIO_write(next, "\n", 1);
            done++;
        }
    }
    return len;
}

static long escape_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    return BIO_next(bio) != NULL ? BIO_ctrl(BIO_next(bio), cmd, num, ptr) : 0;
}

static int escape_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "escape");
    if (method == NULL)
        return;
    BIO_meth_set_write(method, escape_write);
    BIO_meth_set_ctrl(method, escape_ctrl);
    BIO_meth_set_create(method, escape_create);
}

/* Lines
 * -----
 */

BIO *lines_new(int layer, const char *peer)
{
    char label[REPORT_LABEL_SIZE];
    BIO *prefix = BIO_new(BIO_f_prefix());
    BIO *escape = CRYPTO_THREAD_run_once(&once, make_method) && method != NULL
        ? BIO_new(method) : NULL;
    BIO *out = BIO_new_fp(stderr, BIO_NOCLOSE);

    if (prefix != NULL && escape != NULL && out != NULL
        && BIO_set_prefix(prefix, report_label(label, layer, peer)) == 1)
        return BIO_push(prefix, BIO_push(escape, out));
    BIO_free(prefix);
    BIO_free(escape);
    BIO_free(out);
    return NULL;
}
