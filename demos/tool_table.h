/*
 * tool_table.h - options in a table: what each is, its value, its help.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_TABLE_H
# define TOOL_TABLE_H

# include <stddef.h>

/* The values of an option that may be given again and again. */
# define STRINGS_MAX        16
typedef struct strings_st {
    const char *s[STRINGS_MAX];
    int n;
} STRINGS;

/* What an option is, and how its value is stored in a struct. */
typedef enum {
    OPTION_STRING,          /* const char * */
    OPTION_NUMBER,          /* int, from min to max */
    OPTION_SET,             /* int, becomes max; no argument */
    OPTION_NUMBER_OR_SET,   /* int, becomes max; the next, the number plus 1 */
    OPTION_LIST,            /* STRINGS; may be repeated */
    OPTION_GROUP,           /* opens a group (tool_options.h), not stored */
    OPTION_GROUP_WITH,      /* the same, with an argument */
    OPTION_HEADING          /* no option, but help for those that follow */
} OPTION_KIND;

typedef struct option_st {
    const char *name;       /* without -; NULL ends the table */
    OPTION_KIND kind;
    size_t offset;          /* in the struct */
    int min, max;
    const char *argument;   /* what -help calls it; NULL if there is none */
    const char *help;       /* its lines are separated by \n */
} OPTION;

# define OPTION_END         { NULL, OPTION_SET, 0, 0, 0, NULL, NULL }
# define OPTION_TITLE(text) { "", OPTION_HEADING, 0, 0, 0, NULL, text }

/* NULL if there is no such option. */
const OPTION *table_find(const OPTION *table, const char *name);

/* 1 if the option cannot do without an argument. */
int table_needs_argument(const OPTION *o);

/*
 * Sets the option in base. value is the next word of the command line, or NULL;
 * *used becomes 1 if it is the argument. 1; or -1 for a mistake, reported.
 */
int table_set(const OPTION *o, void *base, const char *value, int *used);

/* Copies the option's value. */
void table_copy(const OPTION *o, void *to, const void *from);

/* Prints what -help says of one option, and of all in a table up to end. */
void table_help_line(const char *name, const char *argument, const char *help);
void table_help(const OPTION *table, const OPTION *end);

/* Reports "-name what; try -help". Returns -1. */
int table_mistake(const char *name, const char *what);

#endif
