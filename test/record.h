/*
 * record.h - records of TLS made by hand, for what no SSL would send.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * They are protected with the keys of an SSL that has shaken hands with
 * AES-256-GCM, the cipher the tests agree on. What that SSL writes after this
 * is lost for its peer, since the numbers of the records have gone on.
 */

#ifndef TEST_RECORD_H
# define TEST_RECORD_H

# include <stddef.h>
# include <openssl/ssl.h>

struct record_maker {
    int version;
    unsigned char key[32];
    unsigned char iv[12];           /* TLS 1.2: the first four */
    unsigned long long number;      /* of the next record */
};

# define RECORD_ROOM            64  /* what a record has beside its content */

/* Before the handshake: what TLS 1.3 needs of it is kept. */
void record_watch(SSL_CTX *ctx);
/* Of an SSL that has written so many records of data. */
void record_maker(struct record_maker *m, SSL *ssl, unsigned written);
/* The same for early data of a client, of which it has written so many. */
void record_maker_early(struct record_maker *m, SSL *ssl, unsigned written);
/* The length of the record that is put into out. */
size_t record_make(struct record_maker *m, int type, const void *content,
                   size_t len, unsigned char *out);

#endif
