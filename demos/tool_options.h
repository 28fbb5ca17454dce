/*
 * tool_options.h - the command line, with its groups of options.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A group is a set of options of one layer or hop. An opener (OPTION_GROUP,
 * OPTION_GROUP_WITH) in the program's table opens it, and it holds until the
 * next opener. What stands before the first opener are the defaults of all.
 * The layers of -config are groups too, before all others.
 */

#ifndef TOOL_OPTIONS_H
# define TOOL_OPTIONS_H

# include "bio_onion.h"
# include "tool_config.h"
# include "tool_layer.h"
# include "tool_table.h"

typedef struct group_st {
    const OPTION *opener;   /* NULL for the defaults */
    const char *argument;   /* of the opener; NULL if it has none */
    int described;          /* the number of its layer in -config, or 0 */
    LAYER_OPTIONS tls;      /* completed from the defaults after parsing */
} GROUP;

# define GROUPS_MAX         (2 * ONION_MAX_DEPTH)

typedef struct groups_st {
    GROUP all;
    GROUP group[GROUPS_MAX];
    int n;
    CONFIG config;          /* to be freed */
} GROUPS;

/*
 * Fills in program, by its table, and groups. 1 done; 0 for -help, which has
 * been printed; -1 for a mistake, which has been reported.
 */
int options_parse(int argc, char **argv, const char *usage,
                  const OPTION *table, void *program, GROUPS *groups);

/* A group by its number, -1 for the defaults. */
const GROUP *options_group(const GROUPS *groups, int group);

/* How many groups before number n have this opener; all with n = groups->n. */
int options_count(const GROUPS *groups, int n, const char *opener);

#endif
