/*
 * fuzz.c - what the fuzz targets share: their input, and a world that repeats.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/err.h>
#include "fuzz.h"
#include "fuzz_random.h"

#define THEN 1700000000

/* In the place of those of the C library, for all of this process. */
time_t time(time_t *t)
{
    if (t != NULL)
        *t = THEN;
    return THEN;
}

int timespec_get(struct timespec *t, int base)
{
    t->tv_sec = THEN;
    t->tv_nsec = 0;
    return base;
}

void fuzz_start(void)
{
    random_install();
    random_restart();
}

void fuzz_begin(void)
{
    random_restart();
    ERR_clear_error();
}

void fuzz_turn(int whose)
{
    random_stream(whose);
}

/*
 * Input
 */

unsigned fuzz_byte(struct fuzz_input *in)
{
    if (in->len == 0)
        return 0;
    in->len--;
    return *in->data++;
}

unsigned fuzz_choice(struct fuzz_input *in, unsigned n)
{
    unsigned v = fuzz_byte(in);

    if (n > 256)
        v = v << 8 | fuzz_byte(in);
    return v % n;
}

const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t len, size_t *got)
{
    const uint8_t *p = in->data;

    *got = len < in->len ? len : in->len;
    in->data += *got;
    in->len -= *got;
    return p;
}

char *fuzz_text(struct fuzz_input *in)
{
    size_t len = 0, got;
    char *text;

    while (len < in->len && in->data[len] != '\0')
        len++;
    text = malloc(len + 1);
    if (text == NULL)
        abort();
    if (len > 0)
        memcpy(text, in->data, len);
    text[len] = '\0';
    fuzz_bytes(in, len + 1, &got);
    return text;
}

/*
 * Oracles
 */

int fuzz_has(const uint8_t *data, size_t size, const char *text)
{
    size_t i, n = strlen(text);

    for (i = 0; i + n <= size; i++)
        if (memcmp(data + i, text, n) == 0)
            return 1;
    return 0;
}

/* Called by the assertions of Check, too, with a format and its arguments. */
void fuzz_broken(const char *file, int line, const char *expr,
                 const char *law, ...)
{
    va_list args;

    va_start(args, law);
    fprintf(stderr, "%s:%d: %s: ", file, line, expr);
    if (law != NULL)
        vfprintf(stderr, law, args);
    va_end(args);
    fprintf(stderr, "\n");
    ERR_print_errors_fp(stderr);
    abort();
}

void fuzz_passed(const char *file, int line)
{
    (void)file;
    (void)line;
}
