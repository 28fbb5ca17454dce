/*
 * tool_layer.h - the options of a layer, under the names of s_client.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_LAYER_H
# define TOOL_LAYER_H

# include "tool_table.h"

# define LAYER_OPTIONS_MAX  64      /* rows of layer_table */
# define LAYER_CONF_MAX     48

/* A pointer is NULL, a number 0 and a list empty where it is not given. */
typedef struct layer_options_st {
    unsigned char given[LAYER_OPTIONS_MAX];     /* rows of layer_table */

    /* What is shown to the peer. */
    STRINGS cert;
    STRINGS key;            /* empty, or one for each cert */
    STRINGS cert_chain;     /* the same */
    const char *pass;

    /* Whom to believe. */
    const char *cafile;
    const char *capath;
    const char *castore;
    int no_cafile;
    int no_capath;
    int no_castore;
    int verify;             /* of a client: VERIFY_ASKED, VERIFY_REQUIRED */
    int verify_argument;    /* the depth behind it, plus 1 */
    int verify_depth;       /* see layer_verify_depth() */
    STRINGS pin;

    /* What the peer must be; of a server. */
    const char *servername;
    int noservername;
    const char *verify_hostname;
    const char *verify_ip;
    int verify_return_error;
    int insecure;

    /* How it talks. */
    int version;            /* TLS1_2_VERSION, TLS1_3_VERSION; 0 for both */
    const char *alpn;
    int max_send_frag;
    int status;
    const char *status_file;

    /* What is shared beforehand. */
    const char *psk;
    const char *psk_identity;
    const char *sess_in;
    const char *sess_out;
    STRINGS ticket_keys;
    int max_early_data;

    /* Of a hop. */
    const char *proxy_user;
    const char *proxy_pass;     /* a source, see tool_pass.h */
    STRINGS proxy_header;
    const char *name;           /* what a -starttls says */

    /* What SSL_CONF_cmd() knows, in the order in which it was given. */
    struct {
        const char *name;   /* with - */
        const char *value;  /* NULL if it takes none */
    } conf[LAYER_CONF_MAX];
    int confs;
} LAYER_OPTIONS;

# define VERIFY_ASKED       1
# define VERIFY_REQUIRED    2

/*
 * tool_layer_table.c: the options, and what they have to do with each other.
 */
extern const OPTION layer_table[];

/* 1 for an option of hops, which only some programs have. */
int layer_is_of_hop(const OPTION *o);

/* NULL, or the names of all options of the family of name, NULL behind them. */
const char *const *layer_family(const char *name);

/* Pairs of options, up to one without a name. */
typedef struct layer_pair_st {
    const char *name, *other;
} LAYER_PAIR;
extern const LAYER_PAIR layer_contradictions[];
extern const LAYER_PAIR layer_needs[];

/*
 * tool_layer.c
 *
 * Sets the option that word, with its -, calls by name, if it is one of a
 * layer, or with hops of a hop; *used becomes 1 if value was its argument. 1;
 * 0 if it is none; -1 for a mistake, which has been reported.
 */
int layer_set(LAYER_OPTIONS *l, int hops, const char *word, const char *value,
              int *used);
int layer_is_given(const LAYER_OPTIONS *l, const char *name);

int layer_is_any_given(const LAYER_OPTIONS *l);

/* Looks for what no single option can see: 1; or -1, reported. */
int layer_check(const LAYER_OPTIONS *l);

/* What l does not say itself it takes from all. */
void layer_complete(LAYER_OPTIONS *l, const LAYER_OPTIONS *all);

/* The most certificates between the peer's and one to trust; -1: not given. */
int layer_verify_depth(const LAYER_OPTIONS *l);

/* Prints the options of a layer, or of a hop too, for -help. */
void layer_help(int hops);

#endif
