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

/* Where OpenSSL takes any word for 0. */
static int is_bad_number(const char *name, const char *value)
{
    return (strcmp(name, "-record_padding") == 0
            || strcmp(name, "-num_tickets") == 0)
        && (value[0] == '\0' || strspn(value, "0123456789") != strlen(value));
}

/* The first error tells more than "bad value", if there is one. */
static int apply(SSL_CONF_CTX *conf, const char *name, const char *value,
                 const char *who)
{
    int bad = is_bad_number(name, value);

    ERR_clear_error();
    if (!bad && SSL_CONF_cmd(conf, name, value) > 0)
        return 1;
    report(TOOL_USAGE, who, "%s%s%s: %s", name, value != NULL ? " " : "",
           value != NULL ? value : "",
           bad ? "it must be a number" : report_openssl());
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

/* -help
 * -----
 */

/* Those that it knows today, by subject; a newer OpenSSL may know more. */
static const OPTION words[] = {
#define FLAG(name, help) { name, OPTION_SET, 0, 0, 0, NULL, help }
#define WITH(name, argument, help) \
    { name, OPTION_STRING, 0, 0, 0, argument, help }
    OPTION_TITLE("Versions, ciphers and keys, as of SSL_CONF_cmd(3):"),
    WITH("min_protocol", "version", "the lowest, as TLSv1.2 (which is the "
         "default)"),
    WITH("max_protocol", "version", "the highest"),
    FLAG("no_tls1_3", "not this version"),
    FLAG("no_tls1_2", "not this version"),
    FLAG("no_tls1_1", "not this version"),
    FLAG("no_tls1", "not this version"),
    FLAG("no_ssl3", "not this version"),
    WITH("cipher", "list", "ciphers of TLS 1.2"),
    WITH("ciphersuites", "list", "ciphers of TLS 1.3"),
    FLAG("serverpref", "as TLS server: choose by its own order"),
    FLAG("prioritize_chacha", "as TLS server: ChaCha20 first, for a client\n"
         "that has it first"),
    WITH("groups", "list", "groups for the key exchange, as X25519:P-256"),
    WITH("curves", "list", "the same"),
    WITH("named_curve", "group", "as TLS server: one group"),
    FLAG("ecdh_single", "accepted, without effect"),
    WITH("sigalgs", "list", "signature algorithms, as RSA-PSS+SHA256"),
    WITH("client_sigalgs", "list", "those to take from a client"),
    WITH("dhparam", "file", "as TLS server: parameters for DHE"),

    OPTION_TITLE("More certificates, as of SSL_CONF_cmd(3):"),
    WITH("chainCAfile", "file", "to make the chain of -cert of"),
    WITH("chainCApath", "dir", "the same"),
    WITH("chainCAstore", "URI", "the same"),
    WITH("verifyCAfile", "file", "to verify the peer with, and for nothing "
         "else"),
    WITH("verifyCApath", "dir", "the same"),
    WITH("verifyCAstore", "URI", "the same"),

    OPTION_TITLE("Records and tickets, as of SSL_CONF_cmd(3):"),
    WITH("record_padding", "n", "pad records of TLS 1.3 to a multiple of n"),
    WITH("num_tickets", "n", "as TLS server: so many tickets, in TLS 1.3"),
    FLAG("no_ticket", "no session tickets"),
    FLAG("allow_no_dhe_kex", "resume without a new key exchange"),
    FLAG("anti_replay", "refuse early data that was sent before"),
    FLAG("no_anti_replay", "do not"),
    FLAG("no_middlebox", "do not look like TLS 1.2"),
    FLAG("no_etm", "no encrypt-then-MAC"),
    FLAG("no_ems", "no extended master secret"),
    FLAG("comp", "compress, if it can be"),
    FLAG("no_comp", "do not"),
    FLAG("strict", "be strict with certificates"),
    FLAG("bugs", "work around the bugs of others"),

    OPTION_TITLE("Renegotiation, which no layer takes part in, as of "
                 "SSL_CONF_cmd(3):"),
    FLAG("no_renegotiation", "always so"),
    FLAG("client_renegotiation", "accepted, without effect"),
    FLAG("legacy_renegotiation", "accepted, without effect"),
    FLAG("no_resumption_on_reneg", "accepted, without effect"),
    FLAG("legacy_server_connect", "talk to a server that could be attacked "
         "by it"),
    FLAG("no_legacy_server_connect", "do not (the default)"),
    OPTION_END
#undef FLAG
#undef WITH
};

void conf_help(void)
{
    const OPTION *o;
    char word[64];
    int argument;

    for (o = words; o->name != NULL; o++) {
        snprintf(word, sizeof(word), "-%s", o->name);
        if (o->kind == OPTION_HEADING || conf_knows(word, &argument))
            table_help(o, o + 1);
    }
}
