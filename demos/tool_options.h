/*
 * tool_options.h - the command line, with its groups of options for layers.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Options before the first -layer hold for all layers; those behind the n-th
 * -layer for the n-th layer, and behind the last -layer for all deeper ones.
 */

#ifndef TOOL_OPTIONS_H
# define TOOL_OPTIONS_H

# include <stddef.h>
# include "bio_onion.h"

/* The options of a layer. A pointer is NULL, a number 0 where it is not set. */
typedef struct layer_options_st {
    const char *cert;
    const char *key;
    const char *cafile;
    const char *capath;
    const char *servername;
    const char *verify_hostname;
    const char *cipher;
    const char *ciphersuites;
    int version;            /* TLS1_2_VERSION, TLS1_3_VERSION; 0 for both */
    int insecure;
    int verify;             /* of a client: VERIFY_ASKED, VERIFY_REQUIRED */
    int verify_depth;
} LAYER_OPTIONS;

# define VERIFY_ASKED       1
# define VERIFY_REQUIRED    2

/* layer[n] is for layer n + 1; the last of them for all deeper ones. */
typedef struct layer_groups_st {
    LAYER_OPTIONS all;
    LAYER_OPTIONS layer[ONION_MAX_DEPTH];
    int groups;             /* times that -layer was given */
} LAYER_GROUPS;

/* An option of a program, stored at offset in a struct of the program. */
typedef enum {
    OPTION_STRING,          /* const char * */
    OPTION_NUMBER,          /* int, from min to max */
    OPTION_SET,             /* int, becomes max; no argument */
    OPTION_NUMBER_OR_SET    /* int, becomes max; a number is for the next int */
} OPTION_KIND;

typedef struct option_st {
    const char *name;       /* without -; NULL ends the table */
    OPTION_KIND kind;
    size_t offset;
    int min, max;
    const char *argument;   /* what -help calls it; NULL if there is none */
    const char *help;
} OPTION;

/*
 * Fills in program, by its table, and groups. 1 done; 0 for -help, which has
 * been printed; -1 for a mistake, which has been reported.
 */
int options_parse(int argc, char **argv, const char *usage,
                  const OPTION *table, void *program, LAYER_GROUPS *groups);

/* The options that hold for layer n, 1 being the outermost. */
const LAYER_OPTIONS *options_of_layer(const LAYER_GROUPS *groups, int n);

#endif
