/*
 * tool_config.c - layers and options that a file describes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "tool_config.h"
#include "tool_report.h"

/*
 * What SSL_CONF and the library do not know of a layer. All else, whom to
 * believe above all, is said in one way only: theirs.
 */
static const char *const layer_words[] = {
    "max_early_data", "max_send_frag", "name", "pin", "proxy_header",
    "proxy_pass", "proxy_user", "sess_in", "sess_out", "status",
    "status_file", "ticket_keys", NULL
};

static int is_opener(const OPTION *o)
{
    return o->kind == OPTION_GROUP || o->kind == OPTION_GROUP_WITH;
}

static const OPTION *find_of_layer(const CONFIG *c, const char *key)
{
    const OPTION *o = table_find(c->table, key);
    int i;

    if (o != NULL && is_opener(o))
        return o;
    for (i = 0; layer_words[i] != NULL; i++)
        if (strcmp(layer_words[i], key) == 0)
            return table_find(layer_table, key);
    return NULL;
}

static const OPTION *find_of_program(const CONFIG *c, const char *key)
{
    const OPTION *o = table_find(c->table, key);

    return o != NULL && is_opener(o) ? NULL : o;
}

/* Reading
 * -------
 */

static void free_word(CONFIG_WORD *w)
{
    OPENSSL_clear_free(w->value, w->value != NULL ? strlen(w->value) : 0);
    OPENSSL_free(w->where);
    OPENSSL_free(w);
}

static int take_word(int layer, const char *key, const char *value,
                     const char *where, void *arg)
{
    CONFIG *c = arg;
    const OPTION *o = layer == 0 ? find_of_program(c, key)
                                 : find_of_layer(c, key);
    CONFIG_WORD *w;

    if (o == NULL)
        return 0;
    w = OPENSSL_zalloc(sizeof(*w));
    if (w == NULL)
        return -1;
    w->layer = layer;
    w->option = o;
    w->value = OPENSSL_strdup(value);
    w->where = OPENSSL_strdup(where);
    if (w->value == NULL || w->where == NULL) {
        free_word(w);
        return -1;
    }
    *c->end = w;
    c->end = &w->next;
    return 1;
}

/* The newest entry is of the library, and its text says it all. */
static int cannot_load(void)
{
    const char *text = "";
    unsigned long error = ERR_peek_last_error_all(NULL, NULL, NULL, &text,
                                                  NULL);

    if (text[0] == '\0')
        text = ERR_reason_error_string(error);
    report(TOOL_USAGE, NULL, "%s", text != NULL ? text : "no memory");
    ERR_clear_error();
    return -1;
}

int config_load(CONFIG *c, const OPTION *table)
{
    c->table = table;
    c->end = &c->words;
    c->layers = BIO_onion_config_load(c->file, c->section, take_word, c);
    return c->layers != NULL ? 1 : cannot_load();
}

void config_free(CONFIG *c)
{
    CONFIG_WORD *w = c->words, *next;

    for (; w != NULL; w = next) {
        next = w->next;
        free_word(w);
    }
    c->words = NULL;
    BIO_onion_config_free(c->layers);
    c->layers = NULL;
}

/* Using
 * -----
 */

static int is_flag(const OPTION *o)
{
    return !table_needs_argument(o);
}

const OPTION *config_opener(const CONFIG *c, int layer, const char **value)
{
    const OPTION *found = NULL;
    const CONFIG_WORD *w;

    *value = NULL;
    for (w = c->words; w != NULL; w = w->next) {
        if (w->layer != layer || !is_opener(w->option)
            || (is_flag(w->option) && strcmp(w->value, "no") == 0))
            continue;
        if (found != NULL) {
            report(TOOL_USAGE, w->where, "%s: the layer is opened by %s",
                   w->option->name, found->name);
            return NULL;
        }
        found = w->option;
        *value = is_flag(found) ? NULL : w->value;
    }
    if (found == NULL)
        found = table_find(c->table, "push");
    return found != NULL ? found : table_find(c->table, "layer");
}

int config_set(const CONFIG_WORD *w, void *base)
{
    int used, result;

    report_place(w->where);
    if (is_flag(w->option) && strcmp(w->value, "no") == 0)
        result = 1;
    else if (is_flag(w->option) && strcmp(w->value, "yes") != 0)
        result = table_mistake(w->option->name, "must be yes or no");
    else
        result = is_opener(w->option)
            || table_set(w->option, base,
                         is_flag(w->option) ? NULL : w->value, &used) == 1
            ? 1 : -1;
    report_place(NULL);
    return result;
}
