/*
 * client_progress.c - tells somebody at a terminal what is waited for.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "bio_onion.h"
#include "client_progress.h"

#define STEP    1000    /* milliseconds */

int progress_wait(const CLIENT *c, long long left)
{
    if (c->progress && left > STEP)
        return STEP;
    return left < INT_MAX ? (int)left : INT_MAX;
}

void progress_show(CLIENT *c, const char *what)
{
    long long waited = 1000LL * c->timeout - (c->deadline - net_now());
    char label[REPORT_LABEL_SIZE];
    int depth = BIO_onion_write_depth(c->stack);

    if (!c->progress || waited < STEP)
        return;
    progress_clear(c);
    c->shown = fprintf(stderr, "%s%s ... %lld s", report_label(label, depth,
                       c->peer[depth]), what, waited / 1000);
    fflush(stderr);
}

void progress_clear(CLIENT *c)
{
    if (c->shown <= 0)
        return;
    fprintf(stderr, "\r%*s\r", c->shown, "");
    fflush(stderr);
    c->shown = 0;
}
