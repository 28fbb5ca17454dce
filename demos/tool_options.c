/*
 * tool_options.c - the command line, with its groups of options for layers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/ssl.h>
#include "tool_options.h"
#include "tool_report.h"

#define OF_LAYER(field) offsetof(LAYER_OPTIONS, field)

static const OPTION layer_table[] = {
    { "cert", OPTION_STRING, OF_LAYER(cert), 0, 0, "file",
      "PEM certificate and chain, to show to the peer" },
    { "key", OPTION_STRING, OF_LAYER(key), 0, 0, "file",
      "its PEM private key (default: in the file of -cert)" },
    { "CAfile", OPTION_STRING, OF_LAYER(cafile), 0, 0, "file",
      "PEM certificates to trust (default: the system's)" },
    { "CApath", OPTION_STRING, OF_LAYER(capath), 0, 0, "dir",
      "the same, in a directory with hashed names" },
    { "servername", OPTION_STRING, OF_LAYER(servername), 0, 0, "name",
      "as TLS client: the name to ask for" },
    { "verify_hostname", OPTION_STRING, OF_LAYER(verify_hostname), 0, 0,
      "name", "as TLS client: the name or address that the\n"
      "certificate must be for" },
    { "insecure", OPTION_SET, OF_LAYER(insecure), 0, 1, NULL,
      "as TLS client: do not verify the peer" },
    { "verify", OPTION_NUMBER_OR_SET, OF_LAYER(verify), 0, VERIFY_ASKED,
      "[depth]", "as TLS server: ask for a certificate; one that is\n"
      "shown must verify" },
    { "Verify", OPTION_NUMBER_OR_SET, OF_LAYER(verify), 0, VERIFY_REQUIRED,
      "[depth]", "the same, and one must be shown" },
    { "cipher", OPTION_STRING, OF_LAYER(cipher), 0, 0, "list",
      "ciphers of TLS 1.2" },
    { "ciphersuites", OPTION_STRING, OF_LAYER(ciphersuites), 0, 0, "list",
      "ciphers of TLS 1.3" },
    { "tls1_2", OPTION_SET, OF_LAYER(version), 0, TLS1_2_VERSION, NULL,
      "TLS 1.2 only" },
    { "tls1_3", OPTION_SET, OF_LAYER(version), 0, TLS1_3_VERSION, NULL,
      "TLS 1.3 only" },
    { NULL, OPTION_SET, 0, 0, 0, NULL, NULL }
};

static const OPTION *find(const OPTION *table, const char *name)
{
    for (; table->name != NULL; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

/* -help
 * -----
 */

static void help_table(const OPTION *table)
{
    const char *text, *end;
    int used;

    for (; table->name != NULL; table++) {
        used = printf("  -%s%s%s", table->name,
                      table->argument != NULL ? " " : "",
                      table->argument != NULL ? table->argument : "");
        for (text = table->help; text != NULL; text = end) {
            end = strchr(text, '\n');
            printf("%*s%.*s\n", used < 26 ? 26 - used : 1, "",
                   end != NULL ? (int)(end - text) : (int)strlen(text), text);
            end = end != NULL ? end + 1 : NULL;
            used = 0;
        }
    }
}

static void help(const char *usage, const OPTION *table)
{
    printf("%s\nOptions:\n", usage);
    help_table(table);
    printf("  %-24s%s\n", "-help", "this text");
    printf("\nOptions of a layer; before the first -layer they hold for all "
           "layers, after the\nn-th -layer for the n-th layer, and after the "
           "last one for all deeper ones too:\n");
    printf("  %-24s%s\n", "-layer", "the options of the next layer follow");
    help_table(layer_table);
    printf("\n%s", REPORT_EXIT_CODES);
}

/* Setting a value
 * ---------------
 */

static int mistake(const char *what, const char *name)
{
    report(TOOL_USAGE, NULL, "-%s %s; try -help", name, what);
    return -1;
}

static int set_string(const OPTION *o, const char **field, const char *value)
{
    if (value == NULL)
        return mistake("needs an argument", o->name);
    if (*field != NULL)
        return mistake("is given twice", o->name);
    *field = value;
    return 1;
}

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
        return mistake("contradicts an option before it", o->name);
    *field = o->max;
    return 1;
}

/* Sets the option; *used becomes 1 if value was its argument. */
static int set(const OPTION *o, void *base, const char *value, int *used)
{
    int *number = (int *)((char *)base + o->offset);

    *used = o->kind == OPTION_STRING || o->kind == OPTION_NUMBER;
    switch (o->kind) {
    case OPTION_STRING:
        return set_string(o, (const char **)((char *)base + o->offset), value);
    case OPTION_NUMBER:
        return set_number(o, number, value);
    case OPTION_NUMBER_OR_SET:
        *used = to_number(value, 0, INT_MAX, number + 1);
        return set_choice(o, number);
    default:
        return set_choice(o, number);
    }
}

/* Groups
 * ------
 */

static LAYER_OPTIONS *present_group(LAYER_GROUPS *groups)
{
    return groups->groups == 0 ? &groups->all
                               : &groups->layer[groups->groups - 1];
}

/* A contradiction that no single option can see. */
static int check_group(const LAYER_OPTIONS *l)
{
    if (l->insecure && l->verify_hostname != NULL)
        return mistake("contradicts -verify_hostname", "insecure");
    if (l->key != NULL && l->cert == NULL)
        return mistake("is useless without -cert", "key");
    return 1;
}

static int next_group(LAYER_GROUPS *groups)
{
    if (check_group(present_group(groups)) < 0)
        return -1;
    if (groups->groups == ONION_MAX_DEPTH)
        return mistake("is given too often", "layer");
    groups->groups++;
    return 1;
}

static void inherit(const char **field, const char *from)
{
    if (*field == NULL)
        *field = from;
}

/* What l does not say itself it takes from all. */
static void complete_group(LAYER_OPTIONS *l, const LAYER_OPTIONS *all)
{
    if (l->cert == NULL) {
        l->cert = all->cert;
        l->key = all->key;
    }
    inherit(&l->cafile, all->cafile);
    inherit(&l->capath, all->capath);
    inherit(&l->servername, all->servername);
    if (l->verify_hostname == NULL && !l->insecure) {
        l->verify_hostname = all->verify_hostname;
        l->insecure = all->insecure;
    }
    inherit(&l->cipher, all->cipher);
    inherit(&l->ciphersuites, all->ciphersuites);
    if (l->version == 0)
        l->version = all->version;
    if (l->verify == 0) {
        l->verify = all->verify;
        l->verify_depth = all->verify_depth;
    }
}

static void complete_groups(LAYER_GROUPS *groups)
{
    int i;

    for (i = 0; i < groups->groups; i++)
        complete_group(&groups->layer[i], &groups->all);
}

const LAYER_OPTIONS *options_of_layer(const LAYER_GROUPS *groups, int n)
{
    if (groups->groups == 0)
        return &groups->all;
    return &groups->layer[n < groups->groups ? n - 1 : groups->groups - 1];
}

/* The command line
 * ----------------
 */

static int set_named(const char *name, const char *value, const OPTION *table,
                     void *program, LAYER_GROUPS *groups, int *used)
{
    const OPTION *o = find(table, name);

    *used = 0;
    if (strcmp(name, "layer") == 0)
        return next_group(groups);
    if (o != NULL)
        return set(o, program, value, used);
    o = find(layer_table, name);
    if (o != NULL)
        return set(o, present_group(groups), value, used);
    return mistake("is not an option", name);
}

int options_parse(int argc, char **argv, const char *usage,
                  const OPTION *table, void *program, LAYER_GROUPS *groups)
{
    int i, used;

    for (i = 1; i < argc; i += 1 + used) {
        const char *name = argv[i];

        if (name[0] != '-' || name[1] == '\0') {
            report(TOOL_USAGE, NULL, "%s is not an option; try -help", name);
            return -1;
        }
        name += name[1] == '-' ? 2 : 1;
        if (strcmp(name, "help") == 0 || strcmp(name, "h") == 0) {
            help(usage, table);
            return 0;
        }
        if (set_named(name, argv[i + 1], table, program, groups, &used) < 0)
            return -1;
    }
    if (check_group(present_group(groups)) < 0)
        return -1;
    complete_groups(groups);
    return 1;
}
