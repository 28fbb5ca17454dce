/*
 * tool_table.c - options in a table: what each is, its value, its help.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tool_report.h"
#include "tool_table.h"

/* The column in which the help of an option begins. */
#define HELP_COLUMN     26

int table_mistake(const char *name, const char *what)
{
    report(TOOL_USAGE, NULL, "-%s %s; try -help", name, what);
    return -1;
}

const OPTION *table_find(const OPTION *table, const char *name)
{
    for (; table->name != NULL; table++)
        if (table->kind != OPTION_HEADING && strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

int table_needs_argument(const OPTION *o)
{
    return o->kind == OPTION_STRING || o->kind == OPTION_NUMBER
        || o->kind == OPTION_LIST || o->kind == OPTION_GROUP_WITH;
}

/* Values
 * ------
 */

/* 1 if the whole of value is a number from min to max. */
static int to_number(const char *value, int min, int max, int *number)
{
    char *end;
    long n;

    if (value == NULL || value[0] < '0' || value[0] > '9')
        return 0;
    n = strtol(value, &end, 10);
    if (*end != '\0' || n < min || n > max)
        return 0;
    *number = (int)n;
    return 1;
}

static int set_number(const OPTION *o, int *field, const char *value)
{
    if (to_number(value, o->min, o->max, field))
        return 1;
    report(TOOL_USAGE, NULL, "-%s needs a number from %d to %d; try -help",
           o->name, o->min, o->max);
    return -1;
}

static int set_choice(const OPTION *o, int *field)
{
    if (*field != 0 && *field != o->max)
        return table_mistake(o->name, "contradicts an option before it");
    *field = o->max;
    return 1;
}

static int set_with_number(const OPTION *o, int *field, const char *value,
                           int *used)
{
    int n;

    *used = to_number(value, 0, INT_MAX - 1, &n);
    if (*used)
        field[1] = n + 1;
    return set_choice(o, field);
}

static int add_string(const OPTION *o, STRINGS *list, const char *value)
{
    if (list->n == STRINGS_MAX)
        return table_mistake(o->name, "is given too often");
    list->s[list->n++] = value;
    return 1;
}

int table_set(const OPTION *o, void *base, const char *value, int *used)
{
    void *field = (char *)base + o->offset;

    *used = table_needs_argument(o);
    if (*used && value == NULL)
        return table_mistake(o->name, "needs an argument");
    switch (o->kind) {
    case OPTION_STRING:
        *(const char **)field = value;
        return 1;
    case OPTION_NUMBER:
        return set_number(o, field, value);
    case OPTION_LIST:
        return add_string(o, field, value);
    case OPTION_NUMBER_OR_SET:
        return set_with_number(o, field, value, used);
    default:
        return set_choice(o, field);
    }
}

static size_t size_of(const OPTION *o)
{
    switch (o->kind) {
    case OPTION_STRING:
        return sizeof(const char *);
    case OPTION_LIST:
        return sizeof(STRINGS);
    case OPTION_NUMBER_OR_SET:
        return 2 * sizeof(int);
    default:
        return sizeof(int);
    }
}

void table_copy(const OPTION *o, void *to, const void *from)
{
    memcpy((char *)to + o->offset, (const char *)from + o->offset, size_of(o));
}

/* -help
 * -----
 */

void table_help_line(const char *name, const char *argument, const char *help)
{
    const char *text, *end;
    int used = printf("  -%s%s%s", name, argument != NULL ? " " : "",
                      argument != NULL ? argument : "");

    if (used >= HELP_COLUMN) {
        printf("\n");
        used = 0;
    }
    for (text = help; text != NULL; text = end) {
        end = strchr(text, '\n');
        printf("%*s%.*s\n", HELP_COLUMN - used, "",
               end != NULL ? (int)(end - text) : (int)strlen(text), text);
        end = end != NULL ? end + 1 : NULL;
        used = 0;
    }
}

void table_help(const OPTION *table, const OPTION *end)
{
    for (; table != end && table->name != NULL; table++) {
        if (table->kind == OPTION_HEADING)
            printf("\n%s\n", table->help);
        else
            table_help_line(table->name, table->argument, table->help);
    }
}
