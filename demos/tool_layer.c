/*
 * tool_layer.c - the options of a layer, under the names of s_client.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/ssl.h>
#include "tool_conf.h"
#include "tool_layer.h"

#define OF(field) offsetof(LAYER_OPTIONS, field)

const OPTION layer_table[] = {
    OPTION_TITLE("What a layer shows to its peer:"),
    { "cert", OPTION_LIST, OF(cert), 0, 0, "file",
      "PEM certificate and chain; several for keys of\n"
      "several kinds" },
    { "key", OPTION_LIST, OF(key), 0, 0, "file",
      "its PEM private key (default: in the file of -cert);\n"
      "the n-th is for the n-th -cert" },
    OPTION_TITLE("Whom it believes:"),
    { "CAfile", OPTION_STRING, OF(cafile), 0, 0, "file",
      "PEM certificates to trust (default: the system's)" },
    { "CApath", OPTION_STRING, OF(capath), 0, 0, "dir",
      "the same, in a directory with hashed names" },
    { "verify", OPTION_NUMBER_OR_SET, OF(verify), 0, VERIFY_ASKED,
      "[depth]", "as TLS server: ask for a certificate; one that is\n"
      "shown must verify" },
    { "Verify", OPTION_NUMBER_OR_SET, OF(verify), 0, VERIFY_REQUIRED,
      "[depth]", "the same, and one must be shown" },
    OPTION_TITLE("As TLS client, who must be there:"),
    { "servername", OPTION_STRING, OF(servername), 0, 0, "name",
      "the name to ask for" },
    { "verify_hostname", OPTION_STRING, OF(verify_hostname), 0, 0, "name",
      "the name or address that the certificate must be for" },
    { "insecure", OPTION_SET, OF(insecure), 0, 1, NULL,
      "do not verify the peer" },
    OPTION_TITLE("How it talks:"),
    { "tls1_2", OPTION_SET, OF(version), 0, TLS1_2_VERSION, NULL,
      "TLS 1.2 only" },
    { "tls1_3", OPTION_SET, OF(version), 0, TLS1_3_VERSION, NULL,
      "TLS 1.3 only" },
    OPTION_END
};

/*
 * Options that mean something only together, or not at all together: a group
 * that has one of them takes none of the others from the defaults.
 */
#define FAMILY_MAX  8
static const char *const families[][FAMILY_MAX] = {
    { "cert", "key" },
    { "CAfile", "CApath" },
    { "verify", "Verify" },
    { "verify_hostname", "insecure" },
    { "tls1_2", "tls1_3" },
};

void layer_help(void)
{
    printf("\nOptions of a layer. Those before the first group hold for all "
           "layers.\n");
    table_help(layer_table);
    conf_help();
}

/* Setting
 * -------
 */

static int is_given(const LAYER_OPTIONS *l, const char *name)
{
    return l->given[table_find(layer_table, name) - layer_table];
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

int layer_set(LAYER_OPTIONS *l, const char *word, const char *value, int *used)
{
    const OPTION *o = table_find(layer_table, word + 1);

    return o != NULL ? set_own(l, o, value, used)
                     : set_conf(l, word, value, used);
}

int layer_check(const LAYER_OPTIONS *l)
{
    if (l->insecure && l->verify_hostname != NULL)
        return table_mistake("insecure", "contradicts -verify_hostname");
    if (l->key.n > 0 && l->cert.n == 0)
        return table_mistake("key", "is useless without -cert");
    if (l->key.n > 0 && l->key.n != l->cert.n)
        return table_mistake("key", "must be given for each -cert, or none");
    return 1;
}

/* Inheriting
 * ----------
 */

/* The family of an option; NULL if it has none. */
static const char *const *family_of(const char *name)
{
    size_t i;
    int j;

    for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        for (j = 0; j < FAMILY_MAX && families[i][j] != NULL; j++)
            if (strcmp(families[i][j], name) == 0)
                return families[i];
    return NULL;
}

/* 1 if l has said something of the subject of this option. */
static int has_own(const LAYER_OPTIONS *l, const OPTION *o)
{
    const char *const *family = family_of(o->name);
    int j;

    if (family == NULL)
        return is_given(l, o->name);
    for (j = 0; j < FAMILY_MAX && family[j] != NULL; j++)
        if (is_given(l, family[j]))
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

        if (!all->given[row] || has_own(&own, o))
            continue;
        l->given[row] = 1;
        table_copy(o, l, all);
    }
    inherit_conf(l, all);
}
