/*
 * tool_config.h - layers and options that a file describes: -config, -section.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The layers are those of BIO_onion_config_load(). What that does not know are
 * options of the program, in the section of the stack, and what opens a layer
 * and a few options of one, in the section of a layer.
 */

#ifndef TOOL_CONFIG_H
# define TOOL_CONFIG_H

# include "bio_onion.h"
# include "tool_layer.h"

typedef struct config_word_st {
    struct config_word_st *next;
    int layer;              /* 0: of the stack */
    const OPTION *option;
    char *value;
    char *where;            /* file:line */
} CONFIG_WORD;

typedef struct config_st {
    const char *file;       /* NULL without -config */
    const char *section;    /* NULL without -section */
    const OPTION *table;    /* of the program */
    ONION_CONFIG *layers;   /* NULL before config_load() */
    CONFIG_WORD *words;     /* in their order */
    CONFIG_WORD **end;
} CONFIG;

/* By the options of the program: 1; or -1, which has been reported. */
int config_load(CONFIG *c, const OPTION *table);
void config_free(CONFIG *c);

/* What opens that layer, and in *value its argument, NULL if it has none. */
const OPTION *config_opener(const CONFIG *c, int layer, const char **value);

/* Sets the option in base: 1; or -1, reported. No value of a flag is "no". */
int config_set(const CONFIG_WORD *w, void *base);

#endif
