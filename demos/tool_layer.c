/*
 * tool_layer.c - the options of a layer, under the names of s_client.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include "tool_conf.h"
#include "tool_layer.h"
#include "tool_report.h"

/* The title of the options of hops, which come last. */
static const OPTION *hop_title(void)
{
    const OPTION *o = layer_table;

    while (!layer_is_of_hop(o))
        o++;
    return o - 1;
}

void layer_help(int hops)
{
    printf("\nWhat follows are options of a layer; before the first group, of "
           "all layers.\n");
    table_help(layer_table, hop_title());
    conf_help();
    if (hops)
        table_help(hop_title(), NULL);
}

/* Setting
 * -------
 */

int layer_is_given(const LAYER_OPTIONS *l, const char *name)
{
    return l->given[table_find(layer_table, name) - layer_table];
}

int layer_is_any_given(const LAYER_OPTIONS *l)
{
    size_t i;

    for (i = 0; i < LAYER_OPTIONS_MAX; i++)
        if (l->given[i])
            return 1;
    return l->confs > 0;
}

static int set_own(LAYER_OPTIONS *l, const OPTION *o, const char *value,
                   int *used)
{
    unsigned char *given = &l->given[o - layer_table];

    if (*given && o->kind != OPTION_LIST)
        return table_mistake(o->name, "is given twice");
    *given = 1;
    return table_set(o, l, value, used);
}

static int set_conf(LAYER_OPTIONS *l, const char *word, const char *value,
                    int *used)
{
    int i;

    if (!conf_knows(word, used))
        return 0;
    if (*used && value == NULL)
        return table_mistake(word + 1, "needs an argument");
    for (i = 0; i < l->confs; i++)
        if (strcmp(l->conf[i].name, word) == 0)
            return table_mistake(word + 1, "is given twice");
    if (l->confs == LAYER_CONF_MAX)
        return table_mistake(word + 1, "is one option too many");
    l->conf[l->confs].name = word;
    l->conf[l->confs++].value = *used ? value : NULL;
    return 1;
}

int layer_set(LAYER_OPTIONS *l, int hops, const char *word, const char *value,
              int *used)
{
    const OPTION *o = table_find(layer_table, word + 1);

    if (o == NULL)
        return set_conf(l, word, value, used);
    return layer_is_of_hop(o) && !hops ? 0 : set_own(l, o, value, used);
}

/* Checking
 * --------
 */

static int check_contradictions(const LAYER_OPTIONS *l)
{
    const LAYER_PAIR *p;
    char what[80];

    for (p = layer_contradictions; p->name != NULL; p++)
        if (layer_is_given(l, p->name) && layer_is_given(l, p->other)) {
            snprintf(what, sizeof(what), "contradicts -%s", p->other);
            return table_mistake(p->name, what);
        }
    return 1;
}

static int check_needs(const LAYER_OPTIONS *l)
{
    const LAYER_PAIR *p;
    char what[80];

    for (p = layer_needs; p->name != NULL; p++)
        if (layer_is_given(l, p->name) && !layer_is_given(l, p->other)) {
            snprintf(what, sizeof(what), "is useless without -%s", p->other);
            return table_mistake(p->name, what);
        }
    return 1;
}

static int check_count(const LAYER_OPTIONS *l, const char *name, int n)
{
    if (n == 0 || n == l->cert.n)
        return 1;
    return table_mistake(name, "must be given for each -cert, or for none");
}

int layer_check(const LAYER_OPTIONS *l)
{
    if (check_contradictions(l) < 0 || check_needs(l) < 0
        || check_count(l, "key", l->key.n) < 0)
        return -1;
    return check_count(l, "cert_chain", l->cert_chain.n);
}

int layer_verify_depth(const LAYER_OPTIONS *l)
{
    return layer_is_given(l, "verify_depth") ? l->verify_depth
                                             : l->verify_argument - 1;
}

/* Inheriting
 * ----------
 */

/* 1 if l has said something of the subject of this option. */
static int has_own(const LAYER_OPTIONS *l, const char *name)
{
    const char *const *family = layer_family(name);

    if (family == NULL)
        return layer_is_given(l, name);
    for (; *family != NULL; family++)
        if (layer_is_given(l, *family))
            return 1;
    return 0;
}

/* Those of all come first, so that a later one of l overrides them. */
static void inherit_conf(LAYER_OPTIONS *l, const LAYER_OPTIONS *all)
{
    int room = LAYER_CONF_MAX - l->confs;
    int n = all->confs < room ? all->confs : room;

    memmove(&l->conf[n], &l->conf[0], (size_t)l->confs * sizeof(l->conf[0]));
    memcpy(&l->conf[0], &all->conf[0], (size_t)n * sizeof(l->conf[0]));
    l->confs += n;
}

void layer_complete(LAYER_OPTIONS *l, const LAYER_OPTIONS *all)
{
    LAYER_OPTIONS own = *l;
    const OPTION *o;

    for (o = layer_table; o->name != NULL; o++) {
        size_t row = (size_t)(o - layer_table);

        if (!all->given[row] || has_own(&own, o->name))
            continue;
        l->given[row] = 1;
        table_copy(o, l, all);
    }
    inherit_conf(l, all);
}
