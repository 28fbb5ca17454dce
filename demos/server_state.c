/*
 * server_state.c - draws the layers of a connection when they have changed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include "bio_onion.h"
#include "server_state.h"
#include "tool_lines.h"

void state_event(CONN *c, int event, int layer, const SSL *ssl)
{
    char label[REPORT_LABEL_SIZE];

    if (!c->server->state)
        return;
    if (c->captions == NULL)
        c->captions = BIO_new(BIO_s_mem());
    if (c->captions != NULL)
        BIO_printf(c->captions, "%s-- layer %d: %s\n",
                   report_label(label, layer, c->name), layer,
                   watch_event(event, ssl));
}

/* A line of the chain has the depth in its label. */
void state_report(CONN *c)
{
    char *text;
    long len = c->captions != NULL ? BIO_get_mem_data(c->captions, &text) : 0;
    BIO *out = len > 0 ? lines_new(BIO_onion_write_depth(c->stack), c->name)
                       : NULL;

    if (out == NULL)
        return;
    fwrite(text, 1, (size_t)len, stderr);
    BIO_onion_print(out, c->stack);
    BIO_free_all(out);
    (void)BIO_reset(c->captions);
}

void state_free(CONN *c)
{
    BIO_free(c->captions);
    c->captions = NULL;
}
