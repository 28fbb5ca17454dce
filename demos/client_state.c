/*
 * client_state.c - draws the chain of layers when it has changed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library tells of each change as it happens; the chain is drawn once the
 * step is done that made them.
 */

#include <stdio.h>
#include "bio_onion.h"
#include "client_state.h"

void state_event(CLIENT *c, int event, int layer, const SSL *ssl)
{
    if (c->captions != NULL)
        BIO_printf(c->captions, "-- layer %d: %s\n", layer,
                   watch_event(event, ssl));
}

void state_early(CLIENT *c, int layer)
{
    if (c->captions != NULL)
        BIO_printf(c->captions, "-- layer %d: Early data was %s\n", layer,
                   early_words(c->facts.of[layer].early));
}

void state_note(CLIENT *c, const char *text)
{
    if (c->captions != NULL)
        BIO_printf(c->captions, "-- %s\n", text);
}

int state_begin(CLIENT *c, FILE *to)
{
    c->captions = BIO_new(BIO_s_mem());
    c->drawing = BIO_new_fp(to, BIO_NOCLOSE);
    return c->captions != NULL && c->drawing != NULL;
}

void state_show(CLIENT *c)
{
    char *text;
    long len;

    if (c->captions == NULL)
        return;
    len = BIO_get_mem_data(c->captions, &text);
    if (len <= 0)
        return;
    BIO_write(c->drawing, text, (int)len);
    (void)BIO_reset(c->captions);
    BIO_onion_print(c->drawing, c->stack);
    BIO_puts(c->drawing, "\n");
    (void)BIO_flush(c->drawing);
}
