/*
 * sweep.c - many cases of one kind, of which a budget says how many are run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sweep.h"

static size_t divisor(size_t a, size_t b)
{
    while (b != 0) {
        size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Near the golden section, which spreads the first few well too. */
static size_t stride_of(size_t total)
{
    size_t stride = total * 618 / 1000;

    while (divisor(total, stride == 0 ? total : stride) != 1 && total > 1)
        stride++;
    return stride == 0 ? 1 : stride;
}

/* Reads ONION_BUDGET: a limit, and a time if it is one. */
static size_t budget(size_t usual, size_t all, time_t *seconds)
{
    const char *text = getenv("ONION_BUDGET");
    char *end;
    unsigned long n;

    *seconds = 0;
    if (text == NULL || text[0] == '\0')
        return getenv("ONION_QUICK") != NULL ? usual / 10 + 1 : usual;
    if (strcmp(text, "all") == 0)
        return all;
    n = strtoul(text, &end, 10);
    if (strcmp(end, "s") == 0) {
        *seconds = (time_t)n;
        return all;
    }
    if (n == 0 || *end != '\0') {
        fprintf(stderr, "ONION_BUDGET is not a number, seconds or all: %s\n",
                text);
        exit(99);
    }
    return n;
}

void sweep_start(struct sweep *s, size_t total, size_t usual)
{
    const char *only = getenv("ONION_CASE");
    time_t seconds;

    memset(s, 0, sizeof(*s));
    s->total = total;
    s->stride = stride_of(total);
    s->limit = budget(usual, total, &seconds);
    if (s->limit > total)
        s->limit = total;
    if (seconds > 0)
        s->until = time(NULL) + seconds;
    if (only != NULL && total > 0) {
        s->at = strtoul(only, NULL, 10) % total;
        s->stride = 0;
        s->limit = 1;
    }
}

int sweep_next(struct sweep *s)
{
    if (s->done >= s->limit || (s->until != 0 && time(NULL) >= s->until))
        return 0;
    if (s->done > 0)
        s->at = (s->at + s->stride) % s->total;
    s->done++;
    return 1;
}

void sweep_timeout(TCase *tc)
{
    if (getenv("ONION_BUDGET") != NULL)
        tcase_set_timeout(tc, 24 * 60 * 60);
}

size_t sweep_count(size_t usual, size_t all)
{
    time_t seconds;
    size_t n = budget(usual, all, &seconds);

    return n < all ? n : all;
}

/* At once, since the buffer of stdout may be that of the parent too. */
static void put_line(const char *text)
{
    char line[1024];
    int len = snprintf(line, sizeof(line), "# %s\n", text);

    if (len < (int)sizeof(line) && write(STDOUT_FILENO, line, (size_t)len) < 0)
        abort();
}

void test_figure(const char *fmt, ...)
{
    char text[900];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    put_line(text);
}

void sweep_report(const struct sweep *s, const char *name, const char *fmt,
                  ...)
{
    char text[600];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    test_figure("%s: %zu of %zu cases, stride %zu; %s", name, s->done,
                s->total, s->stride, text);
}
