/*
 * bench_stats.c - the figures of a cell, and where they are written.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>
#include "bench.h"

void bench_stats_add(BENCH_STATS *s, double v)
{
    if (s->n < (int)(sizeof(s->v) / sizeof(s->v[0])))
        s->v[s->n++] = v;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_stats_at(BENCH_STATS *s, double part)
{
    if (s->n == 0)
        return 0;
    qsort(s->v, (size_t)s->n, sizeof(s->v[0]), compare);
    return s->v[(int)(part * (s->n - 1) + 0.5)];
}

void bench_stats_print(BENCH_STATS *s, int decimals)
{
    if (s->n == 0) {
        printf("  %16s", "-");
        return;
    }
    printf("  %5.*f %5.*f %4.*f", decimals, bench_stats_at(s, 0.5), decimals,
           bench_stats_at(s, 0), decimals, bench_stats_at(s, 1));
    fflush(stdout);
}

void bench_stats_save(BENCH_STATS *s, const char *what, const char *peer,
                      int depth)
{
    const char *name = getenv("BENCH_RESULTS");
    FILE *f;

    if (name == NULL || s->n == 0 || (f = fopen(name, "a")) == NULL)
        return;
    fprintf(f, "%s\t%s\t%d\t%.4f\t%.4f\t%.4f\n", what, peer, depth,
            bench_stats_at(s, 0.25), bench_stats_at(s, 0.5),
            bench_stats_at(s, 0.75));
    fclose(f);
}
