/*
 * tool_layer.h - the options of a layer, under the names of s_client.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_LAYER_H
# define TOOL_LAYER_H

# include "tool_table.h"

# define LAYER_OPTIONS_MAX  64      /* rows of layer_table */
# define LAYER_CONF_MAX     48

/*
 * A pointer is NULL, a number 0 and a list empty where it is not given; a
 * number for which 0 means something has its row in given[].
 */
typedef struct layer_options_st {
    unsigned char given[LAYER_OPTIONS_MAX];     /* rows of layer_table */

    /* What is shown to the peer. */
    STRINGS cert;
    STRINGS key;            /* empty, or one for each cert */

    /* Whom to believe. */
    const char *cafile;
    const char *capath;
    int verify;             /* of a client: VERIFY_ASKED, VERIFY_REQUIRED */
    int verify_depth;

    /* What the peer must be; of a server. */
    const char *servername;
    const char *verify_hostname;
    int insecure;

    int version;            /* TLS1_2_VERSION, TLS1_3_VERSION; 0 for both */

    /* What SSL_CONF_cmd() knows, in the order in which it was given. */
    struct {
        const char *name;   /* with - */
        const char *value;  /* NULL if it takes none */
    } conf[LAYER_CONF_MAX];
    int confs;
} LAYER_OPTIONS;

# define VERIFY_ASKED       1
# define VERIFY_REQUIRED    2

extern const OPTION layer_table[];

/*
 * Sets the option that word, with its -, calls by name, if it is one of a
 * layer; *used becomes 1 if value was its argument. 1; 0 if it is none; -1 for
 * a mistake, which has been reported.
 */
int layer_set(LAYER_OPTIONS *l, const char *word, const char *value,
              int *used);

/* Looks for what no single option can see: 1; or -1, reported. */
int layer_check(const LAYER_OPTIONS *l);

/* What l does not say itself it takes from all. */
void layer_complete(LAYER_OPTIONS *l, const LAYER_OPTIONS *all);

/* Prints the options of a layer for -help. */
void layer_help(void);

#endif
