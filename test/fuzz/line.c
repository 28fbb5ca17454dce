/*
 * line.c - a fuzz target: the line protocol, as lines and as a server.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses how the input is cut into reads, the second what
 * reads it: line_read(), held against a plain search for the newline, or the
 * server's mode, whose answers must be lines of the protocol.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "fuzz.h"
#include "fuzz_source.h"
#include "server_conn.h"
#include "tool_line.h"
#include "tool_report.h"

static SERVER server;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    report_program("fuzz");
    server.max_depth = 3;
    server.log.fd = -1;
    server.groups.all.tls.psk = "00112233445566778899aabbccddeeff";
    FUZZ_MUST(tls_load(&server.tls, &server.groups), "the server's options");
    return 0;
}

/*
 * Lines
 */

/* What is asked of a line that was read, whatever it is. */
static void ask(const LINE *l)
{
    unsigned long n = 0;
    char name[32];
    VERB verb = line_verb(l->data, l->len, &n);
    int number = verb == VERB_BULK || verb == VERB_MULTI;

    FUZZ_MUST(verb <= VERB_BAD_COUNT, "a verb");
    FUZZ_MUST(!number || (l->len > 5 && l->data[l->len - 1] >= '0'
                          && l->data[l->len - 1] <= '9'), "a count");
    FUZZ_MUST(!line_is_capa(l->data, l->len, &n)
              || !line_is_refusal(l->data, l->len), "one kind of reply");
    l->data[l->len] = '\0';
    line_name(name, sizeof(name), l->data);
    FUZZ_MUST(name[0] != '\0' && strpbrk(name, " /\r\n\t") == NULL,
              "a name is a word");
}

/* The line at p: its length, and where the next begins; NULL without an end. */
static const uint8_t *line_at(const uint8_t *p, const uint8_t *end,
                              size_t *len)
{
    const uint8_t *newline = memchr(p, '\n', (size_t)(end - p));

    if (newline == NULL)
        return NULL;
    *len = (size_t)(newline - p);
    if (*len > 0 && p[*len - 1] == '\r')
        --*len;
    return newline + 1;
}

static int read_on(LINE *l, BIO *stack, BIO *source)
{
    int result;

    do
        result = line_read(l, stack);
    while (result == LINE_WAIT
           && (source_left(source) > 0 || BIO_pending(stack) > 0));
    return result;
}

static void read_lines(BIO *stack, BIO *source, const uint8_t *p,
                       const uint8_t *end, size_t max)
{
    LINE l = { .max = max };
    const uint8_t *next;
    size_t len = 0;
    int result;

    while ((next = p < end ? line_at(p, end, &len) : NULL) != NULL) {
        result = read_on(&l, stack, source);
        if (len > max || result == LINE_TOO_LONG) {
            FUZZ_MUST(len > max && result == LINE_TOO_LONG, "a long line");
            break;
        }
        FUZZ_MUST(result == LINE_DONE && l.len == len
                  && memcmp(l.data, p, len) == 0, "the line that was sent");
        ask(&l);
        line_clear(&l);
        p = next;
    }
    if (next == NULL) {
        result = read_on(&l, stack, source);
        FUZZ_MUST(result != LINE_DONE && result != LINE_FAILED
                  && result != LINE_BOUNDARY, "a line without an end");
        FUZZ_MUST(result == LINE_TOO_LONG || l.len == (size_t)(end - p),
                  "what has come of the line");
    }
    FUZZ_MUST(ERR_peek_error() == 0, "no error");
    line_free(&l);
}

/*
 * The server
 */

static BIO *tap;
static int tap_off;

static const char *const replies[] = {
    "depth=", "OK\n", "OK STARTTLS", "ERR ", "BYE depth="
};

static int is_reply(const char *line, size_t len)
{
    size_t i, n;

    for (i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        n = strlen(replies[i]);
        if (memcmp(line, replies[i], len < n ? len : n) == 0)
            return 1;
    }
    return 0;
}

/* What was said in the clear, before any layer. */
static long on_write(BIO *b, int oper, const char *data, size_t len, int argi,
                     long argl, int ret, size_t *processed)
{
    (void)argi;
    (void)argl;
    (void)processed;
    if (oper != BIO_CB_WRITE)
        return ret;
    tap_off |= BIO_onion_write_depth((BIO *)BIO_get_callback_arg(b)) > 0;
    if (!tap_off)
        BIO_write(tap, data, (int)len);
    return ret;
}

static void check_replies(void)
{
    char *p, *newline;
    long len = BIO_get_mem_data(tap, &p);

    while (len > 0) {
        FUZZ_MUST(is_reply(p, (size_t)len), "a reply of the protocol");
        newline = memchr(p, '\n', (size_t)len);
        if (newline == NULL)
            break;
        len -= newline + 1 - p;
        p = newline + 1;
    }
}

static void serve(BIO *stack, BIO *source)
{
    CONN c = { .server = &server, .stack = stack, .name = "peer" };
    MODE_RESULT result = MODE_MORE;
    int turns = 0;

    c.near.fd = c.far.fd = -1;
    BIO_set_callback_ex(source, on_write);
    BIO_set_callback_arg(source, (char *)stack);
    tap = BIO_new(BIO_s_mem());
    tap_off = 0;
    FUZZ_MUST(mode_line.begin(&c), "memory");
    /* A BULK of a gigabyte is not waited for. */
    while (turns++ < 100
           && (result == MODE_MORE
               || ((result == MODE_WAIT || result == MODE_IDLE)
                   && (source_left(source) > 0
                       || BIO_pending(stack) > 0)))) {
        result = mode_line.run(&c);
        FUZZ_MUST(result == MODE_FAILED || ERR_peek_error() == 0,
                  "an error only with a failure");
        FUZZ_MUST(BIO_onion_write_depth(stack) <= server.max_depth, "-depth");
    }
    mode_line.doing(&c);
    mode_line.end(&c);
    OPENSSL_free(c.how);
    check_replies();
    BIO_free(tap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    unsigned cut, what;
    const uint8_t *text;
    BIO *source, *stack;

    fuzz_begin();
    cut = fuzz_byte(&in);
    what = fuzz_byte(&in);
    text = in.data;
    source = source_new(&in, cut, NULL, NULL);
    stack = BIO_new_onion_stack(source);
    FUZZ_MUST(stack != NULL, "memory");
    if (what % 2 == 0)
        serve(stack, source);
    else
        read_lines(stack, source, text, text + in.len,
                   what < 128 ? 20 : LINE_MAX_LENGTH);
    /* It says goodbye, and that is no line. */
    tap_off = 1;
    ERR_clear_error();
    BIO_free_all(stack);
    ERR_clear_error();
    return 0;
}
