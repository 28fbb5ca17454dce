/*
 * onion_config_local.h - what the files of the configuration share.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * onion_config.c has the public calls, and reads the section of the stack;
 * onion_config_layer.c makes a layer of a section; both ask
 * onion_config_file.c, which has the file.
 */

#ifndef ONION_CONFIG_LOCAL_H
# define ONION_CONFIG_LOCAL_H

# include <openssl/conf.h>
# include "onion_local.h"

/*
 * onion_config_file.c
 */
typedef struct onion_config_file_st {
    char *name;
    char *text;             /* all of it, with a NUL behind it */
    size_t len;
    CONF *conf;
    BIO_onion_config_cb *cb;    /* of the application; may be NULL */
    void *cb_arg;
} ONION_CONFIG_FILE;

/* name NULL: that of OpenSSL. 1, or 0, raised. To be freed in both cases. */
int onion_config_file_read(ONION_CONFIG_FILE *f, const char *name);
void onion_config_file_free(ONION_CONFIG_FILE *f);

/* Raises, "file:line: [section] key: why"; key may be NULL. Returns 0. */
int onion_config_refuse(const ONION_CONFIG_FILE *f, const char *section,
                        const char *key, int reason, const char *why);
/* The same with a reason of OpenSSL in the queue, or else with why. */
int onion_config_refuse_for(const ONION_CONFIG_FILE *f, const char *section,
                            const char *key, const char *why);
/* The same for a key that nobody knows, unless the application does: 1. */
int onion_config_offer(const ONION_CONFIG_FILE *f, int layer,
                       const CONF_VALUE *v);
/* The keys of a section that must be there: NULL, raised, if it is not. */
STACK_OF(CONF_VALUE) *onion_config_section(const ONION_CONFIG_FILE *f,
                                           const char *section,
                                           const char *from, const char *key);
/* Without what tells it from others, as RSA.Certificate; not for our own. */
const char *onion_config_key(const CONF_VALUE *v);
/* NULL if the section has no such key. */
const char *onion_config_value(const STACK_OF(CONF_VALUE) *section,
                               const char *key);

/*
 * onion_config_layer.c
 */
typedef struct onion_config_layer_st {
    SSL_CTX *ctx;
    int client;
    char *host;             /* that is expected; NULL: of each connection */
    char *servername;       /* NULL: host; "": none is asked for */
} ONION_CONFIG_LAYER;

/* role: of all layers, may be NULL. 1, or 0, raised; to be freed in both. */
int onion_config_layer_read(ONION_CONFIG_LAYER *l, const ONION_CONFIG_FILE *f,
                            int number, const char *section, const char *role);
void onion_config_layer_free(ONION_CONFIG_LAYER *l);
/* NULL without memory, or for a host that cannot be. host may be NULL. */
SSL *onion_config_layer_ssl(const ONION_CONFIG_LAYER *l, const char *host);

#endif
