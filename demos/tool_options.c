/*
 * tool_options.c - the command line, with its groups of options.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include "tool_options.h"
#include "tool_report.h"

#define TABLE_MAX   128     /* rows of a program's table */

/* The command line under way. */
typedef struct parser_st {
    const OPTION *table;
    void *program;
    unsigned char given[TABLE_MAX];     /* rows of table */
    GROUPS *groups;
} PARSER;

/* A hop is a group with a place to go to. */
static int has_hops(const OPTION *table)
{
    while (table->name != NULL && table->kind != OPTION_GROUP_WITH)
        table++;
    return table->name != NULL;
}

static void help(const char *usage, const OPTION *table)
{
    printf("%s\nOptions:\n", usage);
    table_help(table, NULL);
    table_help_line("config", "file", "layers and options that a file "
                    "describes,\nonion_config(5)");
    table_help_line("section", "name", "its section that does (default: "
                    "onion)");
    table_help_line("help", NULL, "this text");
    layer_help(has_hops(table));
    printf("\n%s", REPORT_EXIT_CODES);
}

/* Groups
 * ------
 */

const GROUP *options_group(const GROUPS *groups, int group)
{
    return group < 0 ? &groups->all : &groups->group[group];
}

int options_count(const GROUPS *groups, int n, const char *opener)
{
    int i, count = 0;

    for (i = 0; i < n; i++)
        count += strcmp(groups->group[i].opener->name, opener) == 0;
    return count;
}

static GROUP *present_group(GROUPS *groups)
{
    return groups->n == 0 ? &groups->all : &groups->group[groups->n - 1];
}

static int open_group(GROUPS *groups, const OPTION *o, const char *argument)
{
    GROUP *g;

    if (layer_check(&present_group(groups)->tls) < 0)
        return -1;
    if (groups->n == GROUPS_MAX)
        return table_mistake(o->name, "is given too often");
    g = &groups->group[groups->n++];
    g->opener = o;
    g->argument = argument;
    return 1;
}

/* Each layer has a session of its own. */
static int check_files(const GROUPS *groups)
{
    static const char *const names[] = { "sess_in", "sess_out" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (groups->n > 1 && layer_is_given(&groups->all.tls, names[i]))
            return table_mistake(names[i], "is for one layer: it must stand "
                                 "behind the option that opens it");
    return 1;
}

static void complete_groups(GROUPS *groups)
{
    int i;

    for (i = 0; i < groups->n; i++)
        layer_complete(&groups->group[i].tls, &groups->all.tls);
}

/* The command line
 * ----------------
 */

static int set_own(PARSER *p, const OPTION *o, const char *value, int *used)
{
    unsigned char *given = &p->given[o - p->table];

    if (*given && o->kind != OPTION_LIST)
        return table_mistake(o->name, "is given twice");
    *given = 1;
    return table_set(o, p->program, value, used);
}

static int set_opener(PARSER *p, const OPTION *o, const char *value, int *used)
{
    *used = table_needs_argument(o);
    if (*used && value == NULL)
        return table_mistake(o->name, "needs an argument");
    return open_group(p->groups, o, *used ? value : NULL);
}

static int set_text(const char **field, const char *word, const char *value,
                    int *used)
{
    *used = 1;
    if (value == NULL)
        return table_mistake(word + 1, "needs an argument");
    if (*field != NULL)
        return table_mistake(word + 1, "is given twice");
    *field = value;
    return 1;
}

static int set_named(PARSER *p, const char *word, const char *value, int *used)
{
    const OPTION *o = table_find(p->table, word + 1);
    int result;

    *used = 0;
    if (strcmp(word, "-config") == 0)
        return set_text(&p->groups->config.file, word, value, used);
    if (strcmp(word, "-section") == 0)
        return set_text(&p->groups->config.section, word, value, used);
    if (o == NULL) {
        result = layer_set(&present_group(p->groups)->tls, has_hops(p->table),
                           word, value, used);
        return result != 0 ? result : table_mistake(word + 1,
                                                    "is not an option");
    }
    if (o->kind == OPTION_GROUP || o->kind == OPTION_GROUP_WITH)
        return set_opener(p, o, value, used);
    return set_own(p, o, value, used);
}

static int parse(PARSER *p, int argc, char **argv, const char *usage)
{
    int i, used;

    for (i = 1; i < argc; i += 1 + used) {
        const char *word = argv[i];
        char shown[REPORT_URL_SIZE];

        if (word[0] != '-' || word[1] == '\0') {
            report(TOOL_USAGE, NULL, "%s is not an option; try -help",
                   report_url(shown, word));
            return -1;
        }
        word += word[1] == '-';
        if (strcmp(word, "-help") == 0 || strcmp(word, "-h") == 0) {
            help(usage, p->table);
            return 0;
        }
        if (set_named(p, word, argv[i + 1], &used) < 0)
            return -1;
    }
    return layer_check(&present_group(p->groups)->tls);
}

/* A file
 * ------
 */

/* In front, for the command line may go on where the file ends. */
static int open_described(GROUPS *groups, int layer)
{
    const char *argument;
    const OPTION *o = config_opener(&groups->config, layer, &argument);
    GROUP *g = &groups->group[layer - 1];

    if (o == NULL)
        return -1;
    if (groups->n == GROUPS_MAX)
        return table_mistake(o->name, "is given too often");
    memmove(g + 1, g, (size_t)(groups->n - layer + 1) * sizeof(*g));
    memset(g, 0, sizeof(*g));
    g->opener = o;
    g->argument = argument;
    g->described = layer;
    groups->n++;
    return 1;
}

/* What the command line says of the program goes before. */
static int set_described(PARSER *p, const CONFIG_WORD *w)
{
    const OPTION *o = w->option;
    LAYER_OPTIONS *l;

    if (w->layer == 0)
        return p->given[o - p->table] ? 1 : config_set(w, p->program);
    l = &p->groups->group[w->layer - 1].tls;
    if (o >= layer_table && o < layer_table + LAYER_OPTIONS_MAX)
        l->given[o - layer_table] = 1;
    return config_set(w, l);
}

static int read_config(PARSER *p)
{
    CONFIG *c = &p->groups->config;
    const CONFIG_WORD *w;
    int i;

    if (c->file == NULL)
        return c->section == NULL
            ? 1 : table_mistake("section", "is useless without -config");
    if (layer_is_any_given(&p->groups->all.tls))
        return table_mistake("config", "has the options of its layers: those "
                             "of others stand behind what opens them");
    if (config_load(c, p->table) < 0)
        return -1;
    for (i = 1; i <= BIO_onion_config_layers(c->layers); i++)
        if (open_described(p->groups, i) < 0)
            return -1;
    for (w = c->words; w != NULL; w = w->next)
        if (set_described(p, w) < 0)
            return -1;
    return 1;
}

int options_parse(int argc, char **argv, const char *usage,
                  const OPTION *table, void *program, GROUPS *groups)
{
    PARSER p = { .table = table, .program = program, .groups = groups };
    int result = parse(&p, argc, argv, usage);

    if (result == 1 && (read_config(&p) < 0 || check_files(groups) < 0))
        return -1;
    if (result == 1)
        complete_groups(groups);
    return result;
}
