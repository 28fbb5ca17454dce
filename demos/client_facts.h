/*
 * client_facts.h - what there is to say of each layer, also when it is gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef CLIENT_FACTS_H
# define CLIENT_FACTS_H

# include <openssl/ssl.h>
# include "bio_onion.h"

# define FACT_TEXT_SIZE     256

/* The bytes are those of what is inside the layer. */
typedef struct traffic_st {
    unsigned long long bytes_read, bytes_written;
    unsigned long long records_read, records_written;
} TRAFFIC;

typedef struct fact_st {
    int known;              /* the handshake is done; else only the traffic */
    int is_server;
    int resumed;
    int checked;            /* the peer had to be verified */
    long verify_result;     /* an X509_V_ of its chain and name */
    int early;              /* SSL_EARLY_DATA_ACCEPTED and so on */
    int bits;               /* of the cipher */
    char version[16];
    char cipher[64];
    char group[32];         /* of the key exchange; empty if not known */
    char asked[FACT_TEXT_SIZE];     /* the name in the ClientHello */
    char matched[FACT_TEXT_SIZE];   /* the name in the certificate */
    char alpn[FACT_TEXT_SIZE];
    int has_certificate;
    char subject[FACT_TEXT_SIZE];   /* of the peer, and valid iff it has one */
    char issuer[FACT_TEXT_SIZE];
    char not_after[32];
    char sha256[2 * 32 + 1];
    TRAFFIC traffic;
    int reads_open, writes_open;
} FACT;

typedef struct facts_st {
    FACT of[ONION_MAX_DEPTH + 1];   /* 0: the connection, traffic only */
    int n;                  /* layers of which something is known */
} FACTS;

struct client_st;

/* Forgets all: a connection begins. */
void facts_begin(struct client_st *c);

/* A layer is about to start with ssl, whose records are counted from now on. */
void facts_of_new(struct client_st *c, int layer, SSL *ssl);

/* Takes what is true now, of the layers that are there. */
void facts_take(struct client_st *c);

#endif
