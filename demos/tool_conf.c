/*
 * tool_conf.c - the options of a layer that SSL_CONF_cmd() knows.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/err.h>
#include "tool_conf.h"
#include "tool_report.h"

#define FLAGS (SSL_CONF_FLAG_CMDLINE | SSL_CONF_FLAG_CLIENT \
               | SSL_CONF_FLAG_SERVER | SSL_CONF_FLAG_CERTIFICATE)

static SSL_CONF_CTX *new_conf(void)
{
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();

    if (conf != NULL)
        SSL_CONF_CTX_set_flags(conf, FLAGS);
    return conf;
}

int conf_knows(const char *word, int *argument)
{
    SSL_CONF_CTX *conf = new_conf();
    int type = conf != NULL ? SSL_CONF_cmd_value_type(conf, word)
                            : SSL_CONF_TYPE_UNKNOWN;

    SSL_CONF_CTX_free(conf);
    *argument = type != SSL_CONF_TYPE_NONE && type != SSL_CONF_TYPE_UNKNOWN;
    return type != SSL_CONF_TYPE_UNKNOWN;
}

/* The first error tells more than "bad value", if there is one. */
static int apply(SSL_CONF_CTX *conf, const char *name, const char *value,
                 const char *who)
{
    ERR_clear_error();
    if (SSL_CONF_cmd(conf, name, value) > 0)
        return 1;
    report(TOOL_USAGE, who, "%s%s%s: %s", name, value != NULL ? " " : "",
           value != NULL ? value : "", report_openssl());
    return 0;
}

int conf_apply(SSL_CTX *ctx, const LAYER_OPTIONS *l, const char *who)
{
    SSL_CONF_CTX *conf = new_conf();
    int i, ok = conf != NULL;

    if (ok)
        SSL_CONF_CTX_set_ssl_ctx(conf, ctx);
    for (i = 0; ok && i < l->confs; i++)
        ok = apply(conf, l->conf[i].name, l->conf[i].value, who);
    if (ok && SSL_CONF_CTX_finish(conf) != 1) {
        report(TOOL_USAGE, who, "%s", report_openssl());
        ok = 0;
    }
    SSL_CONF_CTX_free(conf);
    return ok;
}

static const struct {
    const char *name, *argument, *help;
} words[] = {
    { "cipher", "list", "ciphers of TLS 1.2" },
    { "ciphersuites", "list", "ciphers of TLS 1.3" },
};

void conf_help(void)
{
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        table_help_line(words[i].name, words[i].argument, words[i].help);
}
