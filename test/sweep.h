/*
 * sweep.h - many cases of one kind, of which a budget says how many are run.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The cases are visited in steps of a stride that has no divisor in common
 * with their number: wherever the budget ends, what was visited is spread over
 * all of them, and without an end each is visited once.
 *
 * ONION_BUDGET: how far each sweep goes: a number of cases ("500"), a time in
 * seconds ("30s"), or "all". Without it, what the test takes for usual; with
 * ONION_QUICK, a tenth of that. ONION_CASE: that case alone.
 */

#ifndef TEST_SWEEP_H
# define TEST_SWEEP_H

# include <stddef.h>
# include <time.h>
# include <check.h>

struct sweep {
    size_t total;           /* the cases are 0 to total - 1 */
    size_t stride;
    size_t limit;           /* so many are run */
    time_t until;           /* 0: no limit of time */
    size_t done;
    size_t at;              /* the present case */
};

void sweep_start(struct sweep *s, size_t total, size_t usual);
/* 1: s->at is the next case. */
int sweep_next(struct sweep *s);
/* "name: 120 of 3597 cases, stride 2224; " and then what the caller says. */
void sweep_report(const struct sweep *s, const char *name, const char *fmt,
                  ...) __attribute__((format(printf, 3, 4)));

/* More time for a case of Check, where the budget asks for it. */
void sweep_timeout(TCase *tc);

/* How often a thing is done that has no cases to choose from. */
size_t sweep_count(size_t usual, size_t all);

/* A figure, as a line of diagnostics of TAP. */
void test_figure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
