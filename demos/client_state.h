/*
 * client_state.h - draws the chain of layers when it has changed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_STATE_H
# define CLIENT_STATE_H

# include <stdio.h>
# include "client_talk.h"

/* From now on what happens to the layers is noted, to be shown there. */
int state_begin(CLIENT *c, FILE *to);

/* Notes an ONION_EVENT_. */
void state_event(CLIENT *c, int event, int layer, const SSL *ssl);

/* Shows what was noted, and the chain; nothing if nothing was. */
void state_show(CLIENT *c);

/* Notes what has become of the early data of a layer. */
void state_early(CLIENT *c, int layer);

/* Notes something that the library does not know of. */
void state_note(CLIENT *c, const char *text);

#endif
