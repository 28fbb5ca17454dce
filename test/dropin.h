/*
 * dropin.h - the table of test_dropin.c, and what its rows share.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TEST_DROPIN_H
# define TEST_DROPIN_H

# include "util.h"

/* A row in the making. */
struct scene {
    const BIO_METHOD *method;   /* BIO_f_ssl() or BIO_f_onion() */
    int onion;
    int version;
    const char *arg;            /* of the row */
    BIO *c, *s;                 /* the tops; freed after the row */
    BIO *half_c, *half_s;       /* the transports */
    BIO *tap;                   /* below c, if the row has asked for one */
    char said[1500];            /* what was seen */
};

struct row {
    const char *name;
    void (*run)(struct scene *x);
    const char *arg;
    int only;                   /* 0 for each version */
    const char *ssl;            /* seen with BIO_f_ssl() */
    const char *onion;          /* with BIO_f_onion(); NULL for the same */
    const char *why;            /* they differ */
};

# define ONLY_1_2 1
# define ONLY_1_3 2
# define ONCE 3                 /* the version makes no difference */

/* A column for what does not survive; the row runs in its own process. */
# define CRASH "crashes"

/* The sections of the table, each up to a row without a name. */
extern const struct row life_rows[], ctrl_rows[], io_rows[], end_rows[],
    chain_rows[], dgram_rows[];

/*
 * Seeing
 */

void say(struct scene *x, const char *fmt, ...);
/* What a call has returned, and the retry that b asks for. */
void tell(struct scene *x, const char *what, BIO *b, long ret);
void note(struct scene *x, const char *what, long value);
/* The newest error; empties the queue. */
void tell_error(struct scene *x);
void read_one(struct scene *x, const char *what, BIO *b);
/* Whether data passes each way. */
void tell_passes(struct scene *x);
int passes(BIO *from, BIO *to, int len);

/*
 * Ends
 */

BIO *layer_over(struct scene *x, SSL *ssl, BIO *below);
void open_ends(struct scene *x, int depth, int with_tap);
void shake(struct scene *x, BIO *c, BIO *s);
void shaken(struct scene *x, int depth, int with_tap);
SSL *ssl_in(BIO *b);
/* SSL_shutdown() by the program itself, past the BIO. */
void close_by_hand(BIO *b);

/* Their frees are counted. dropin_setup() comes before all else. */
void dropin_setup(void);
SSL *counted_ssl(struct scene *x, int client, int *frees);
BIO *counted_bio(BIO *b, int *frees);
void count_ssl(SSL *ssl, int *frees);

/* While it is set no memory can be had, and each free is remembered. */
extern int fail_memory;
int was_freed(const void *p);

#endif
