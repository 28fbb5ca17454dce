/*
 * onion_config_file.c - a file of configuration, and which line of it it was.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * NCONF reads it. It keeps no line numbers, so when something is wrong with a
 * key, it reads the text once more, through a BIO that looks after each line
 * whether the key is there now. The file itself is read once: it may be a
 * pipe, and it may change.
 */

#include <string.h>
#include <openssl/crypto.h>
#include "onion_config_local.h"

#define FILE_MAX_SIZE   (256 * 1024)
#define WHERE_SIZE      400

/*
 * Which line it was
 */
typedef struct finder_st {
    CONF *conf;             /* that is being filled */
    BIO *text;
    const char *section, *key;
    const char *value;      /* that the key has now; NULL if it has none */
    long line;              /* that was read last */
    long first;             /* the first of those that were joined by \ */
    long found;             /* where the key got its value */
    int open;               /* the next line is joined, too */
} FINDER;

/* What a key of that name in [default] may be is overtaken by its own. */
static void look(FINDER *f)
{
    int mark = onion_err_mark();
    const char *value = NCONF_get_string(f->conf, f->section, f->key);

    onion_err_pop(mark);
    if (value == f->value)
        return;
    f->value = value;
    f->found = f->first;
}

/* len is not 0 */
static int ends_open(const char *line, int len)
{
    if (line[len - 1] != '\n')
        return 1;
    len -= len > 1 && line[len - 2] == '\r' ? 2 : 1;
    return len > 0 && line[len - 1] == '\\';
}

static int finder_gets(BIO *bio, char *out, int size)
{
    FINDER *f = BIO_get_data(bio);
    int len;

    if (f->line > 0)
        look(f);
    if (!f->open)
        f->first = f->line + 1;
    len = BIO_gets(f->text, out, size);
    if (len > 0 && out[len - 1] == '\n')
        f->line++;
    f->open = len > 0 && ends_open(out, len);
    return len;
}

static int finder_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                          "onion config");
    if (method == NULL)
        return;
    BIO_meth_set_gets(method, finder_gets);
    BIO_meth_set_create(method, finder_create);
}

/* 0 if it cannot be told. */
static long find_line(const ONION_CONFIG_FILE *f, const char *section,
                      const char *key)
{
    FINDER finder = { .section = section, .key = key };
    int mark = onion_err_mark();
    BIO *bio = CRYPTO_THREAD_run_once(&once, make_method) && method != NULL
        ? BIO_new(method) : NULL;
    long line;

    finder.text = BIO_new_mem_buf(f->text, (int)f->len);
    finder.conf = NCONF_new(NULL);
    if (bio != NULL && finder.text != NULL && finder.conf != NULL) {
        BIO_set_data(bio, &finder);
        NCONF_load_bio(finder.conf, bio, &line);
    }
    BIO_free(bio);
    BIO_free(finder.text);
    NCONF_free(finder.conf);
    onion_err_pop(mark);
    return finder.found;
}

/* "file:line", into where. Returns where. */
static const char *tell_where(const ONION_CONFIG_FILE *f, const char *section,
                              const char *key, char where[WHERE_SIZE])
{
    long line = key != NULL ? find_line(f, section, key) : 0;

    if (line > 0)
        BIO_snprintf(where, WHERE_SIZE, "%.360s:%ld", f->name, line);
    else
        BIO_snprintf(where, WHERE_SIZE, "%.360s", f->name);
    return where;
}

/*
 * What is wrong
 */
int onion_config_refuse(const ONION_CONFIG_FILE *f, const char *section,
                        const char *key, int reason, const char *why)
{
    char where[WHERE_SIZE];

    tell_where(f, section, key, where);
    ONION_raise(reason, "%s: [%s]%s%s: %s", where, section,
                key != NULL ? " " : "", key != NULL ? key : "", why);
    return 0;
}

/* The oldest tells more than what was made of it. */
int onion_config_refuse_for(const ONION_CONFIG_FILE *f, const char *section,
                            const char *key, const char *why)
{
    unsigned long error = ERR_peek_error();
    char text[200];

    OPENSSL_strlcpy(text, error != 0 ? onion_err_reason(error) : why,
                    sizeof(text));
    return onion_config_refuse(f, section, key, ONION_R_BAD_CONFIG, text);
}

int onion_config_offer(const ONION_CONFIG_FILE *f, int layer,
                       const CONF_VALUE *v)
{
    char where[WHERE_SIZE];
    int taken = 0;

    if (f->cb != NULL)
        taken = f->cb(layer, onion_config_key(v), v->value,
                      tell_where(f, v->section, v->name, where), f->cb_arg);
    if (taken > 0)
        return 1;
    if (taken == 0)
        return onion_config_refuse(f, v->section, v->name, ONION_R_UNKNOWN_KEY,
                                   "there is no such key");
    return onion_config_refuse(f, v->section, v->name, ONION_R_BAD_CONFIG,
                               "the application refuses it");
}

/*
 * Sections
 */
STACK_OF(CONF_VALUE) *onion_config_section(const ONION_CONFIG_FILE *f,
                                           const char *section,
                                           const char *from, const char *key)
{
    STACK_OF(CONF_VALUE) *values = NCONF_get_section(f->conf, section);
    char why[120];

    if (values != NULL)
        return values;
    onion_err_clear();
    BIO_snprintf(why, sizeof(why), "there is no section [%.80s]", section);
    if (from != NULL)
        onion_config_refuse(f, from, key, ONION_R_BAD_CONFIG, why);
    else
        ONION_raise(ONION_R_BAD_CONFIG, "%s: %s", f->name, why);
    return NULL;
}

/* As in sections of OpenSSL: 1.name and 2.name are two of the same name. */
const char *onion_config_key(const CONF_VALUE *v)
{
    const char *dot = strchr(v->name, '.');

    return dot != NULL ? dot + 1 : v->name;
}

const char *onion_config_value(const STACK_OF(CONF_VALUE) *section,
                               const char *key)
{
    int i;

    for (i = 0; i < sk_CONF_VALUE_num(section); i++) {
        const CONF_VALUE *v = sk_CONF_VALUE_value(section, i);

        if (strcmp(v->name, key) == 0)
            return v->value;
    }
    return NULL;
}

/*
 * Reading
 */
static int cannot_read(const ONION_CONFIG_FILE *f, const char *why)
{
    unsigned long error = ERR_peek_error();
    char text[200];

    OPENSSL_strlcpy(text, why != NULL ? why : onion_err_reason(error),
                    sizeof(text));
    ONION_raise(ONION_R_BAD_CONFIG, "%s: %s", f->name, text);
    return 0;
}

static int read_text(ONION_CONFIG_FILE *f)
{
    BIO *in = BIO_new_file(f->name, "r");
    int n = 1;

    f->text = in != NULL ? OPENSSL_malloc(FILE_MAX_SIZE + 2) : NULL;
    if (f->text == NULL) {
        BIO_free(in);
        return cannot_read(f, NULL);
    }
    while (n > 0 && f->len <= FILE_MAX_SIZE) {
        n = BIO_read(in, f->text + f->len, FILE_MAX_SIZE + 1 - (int)f->len);
        f->len += n > 0 ? (size_t)n : 0;
    }
    f->text[f->len] = '\0';
    BIO_free(in);
    if (n < 0)
        return cannot_read(f, NULL);
    if (f->len > FILE_MAX_SIZE)
        return cannot_read(f, "it is too long");
    /* NCONF would take it for the end, and all that follows be left out. */
    if (strlen(f->text) != f->len)
        return cannot_read(f, "it has a NUL in it");
    return 1;
}

/* A file that is to be included and cannot be is no error for NCONF. */
static int parse_text(ONION_CONFIG_FILE *f)
{
    BIO *in = BIO_new_mem_buf(f->text, (int)f->len);
    long line = -1;
    int ok;

    f->conf = NCONF_new(NULL);
    ok = in != NULL && f->conf != NULL
        && NCONF_load_bio(f->conf, in, &line) > 0;
    BIO_free(in);
    if (ok && ERR_peek_error() == 0)
        return 1;
    if (ok || line <= 0)
        return cannot_read(f, NULL);
    ONION_raise(ONION_R_BAD_CONFIG, "%s:%ld: %s", f->name, line,
                onion_err_reason(ERR_peek_last_error()));
    return 0;
}

int onion_config_file_read(ONION_CONFIG_FILE *f, const char *name)
{
    f->name = name != NULL ? OPENSSL_strdup(name)
                           : CONF_get1_default_config_file();
    if (f->name == NULL) {
        ONION_raise(ERR_R_MALLOC_FAILURE, "configuration");
        return 0;
    }
    return read_text(f) && parse_text(f);
}

void onion_config_file_free(ONION_CONFIG_FILE *f)
{
    NCONF_free(f->conf);
    OPENSSL_clear_free(f->text, f->text != NULL ? FILE_MAX_SIZE + 2 : 0);
    OPENSSL_free(f->name);
}
