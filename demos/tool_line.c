/*
 * tool_line.c - the line protocol: lines, verbs, and what replies look like.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <limits.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include "bio_onion.h"
#include "tool_line.h"

/* How much is asked of BIO_gets() at once. */
#define LINE_PIECE 16384

void line_clear(LINE *l)
{
    l->len = 0;
}

void line_free(LINE *l)
{
    OPENSSL_free(l->data);
    l->data = NULL;
    l->len = l->size = 0;
}

/* Room for one more piece. */
static int line_grow(LINE *l)
{
    size_t size = l->len + LINE_PIECE;
    char *data;

    if (size <= l->size)
        return 1;
    size += l->len;
    data = OPENSSL_realloc(l->data, size);
    if (data == NULL)
        return 0;
    l->data = data;
    l->size = size;
    return 1;
}

/* Takes the newline off. 0 if there is none yet. */
static int line_complete(LINE *l)
{
    if (l->len == 0 || l->data[l->len - 1] != '\n')
        return 0;
    l->len--;
    if (l->len > 0 && l->data[l->len - 1] == '\r')
        l->len--;
    return 1;
}

int line_read(LINE *l, BIO *stack)
{
    int n;

    for (;;) {
        if (!line_grow(l))
            return LINE_TOO_LONG;
        n = BIO_gets(stack, l->data + l->len, LINE_PIECE);
        if (n <= 0)
            break;
        l->len += (size_t)n;
        if (line_complete(l))
            return l->len > l->max ? LINE_TOO_LONG : LINE_DONE;
        /* One more than max: the CR that may precede the LF. */
        if (l->len > l->max + 1)
            return LINE_TOO_LONG;
    }
    if (BIO_should_retry(stack))
        return LINE_WAIT;
    if (n < 0)
        return LINE_FAILED;
    return BIO_eof(stack) ? LINE_END : LINE_BOUNDARY;
}

static const struct {
    const char *word;
    VERB verb;
} words[] = {
    { "CAPA", VERB_CAPA },
    { "STARTTLS", VERB_STARTTLS },
    { "RSTARTTLS", VERB_RSTARTTLS },
    { "STOPTLS", VERB_STOPTLS },
    { "STOPTLS+", VERB_STOPTLS_TRAILING },
    { "STOPTLS!", VERB_STOPTLS_DROP },
    { "INFO", VERB_INFO },
    { "QUIT", VERB_QUIT },
    { "DROP", VERB_DROP },
    { "DROPOUTER", VERB_DROPOUTER },
};

static int begins(const char *text, size_t len, const char *with)
{
    size_t n = strlen(with);

    return len >= n && memcmp(text, with, n) == 0;
}

/* A decimal number that fits, and nothing else. */
static int line_count(const char *text, size_t len, unsigned long *count)
{
    unsigned long n = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || n > (ULONG_MAX - 9) / 10)
            return 0;
        n = n * 10 + (unsigned long)(text[i] - '0');
    }
    *count = n;
    return len > 0;
}

VERB line_verb(const char *text, size_t len, unsigned long *count)
{
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i].word) == len && begins(text, len, words[i].word))
            return words[i].verb;
    if (begins(text, len, "BULK "))
        return line_count(text + 5, len - 5, count) ? VERB_BULK
                                                    : VERB_BAD_COUNT;
    if (begins(text, len, "MULTI "))
        return line_count(text + 6, len - 6, count) ? VERB_MULTI
                                                    : VERB_BAD_COUNT;
    return VERB_TEXT;
}

int line_is_capa(const char *text, size_t len, unsigned long *max_depth)
{
    size_t n = strlen(LINE_CAPA);

    return begins(text, len, LINE_CAPA)
        && line_count(text + n, len - n, max_depth);
}

int line_is_refusal(const char *text, size_t len)
{
    return begins(text, len, "ERR") && (len == 3 || text[3] == ' ');
}

void line_name(char *out, size_t size, const char *name)
{
    size_t i = 0;

    if (name == NULL || name[0] == '\0')
        name = "-";
    for (; name[i] != '\0' && i + 1 < size; i++)
        out[i] = name[i] > ' ' && name[i] < 0x7f && name[i] != '/' ? name[i]
                                                                   : '?';
    out[i] = '\0';
}

static void info_layer(BIO *out, SSL *ssl, int opposite)
{
    char name[256];

    line_name(name, sizeof(name),
              SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    BIO_printf(out, " %s/%s/%s/%s",
               !SSL_is_server(ssl) == !opposite ? "client" : "server",
               SSL_get_version(ssl), SSL_get_cipher_name(ssl), name);
}

BIO *line_info(BIO *stack, int opposite)
{
    BIO *out = BIO_new(BIO_s_mem());
    int i, depth = BIO_onion_write_depth(stack);

    if (out == NULL)
        return NULL;
    BIO_printf(out, "depth=%d", depth);
    for (i = 1; i <= depth; i++)
        info_layer(out, BIO_onion_get0_ssl(stack, i), opposite);
    return out;
}
