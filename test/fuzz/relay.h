/*
 * relay.h - what lies between two transports, and may change what passes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TEST_FUZZ_RELAY_H
# define TEST_FUZZ_RELAY_H

# include <stddef.h>
# include <openssl/bio.h>

/* One way of it; what is below comes with the next bytes, and once. */
struct relay {
    BIO *from, *to;
    size_t flip_at;             /* bytes from now; its mask 0: none */
    unsigned char flip_mask;
    size_t drop;                /* so many bytes are lost */
    int changed;                /* a byte was flipped or lost, or slipped in */
    int ended;
    unsigned char seen[6];      /* the last that came, for relay_saw */
    int saw;                    /* "SECRET" came by */
};

/* Both ways between *a and *b, which are transports of that size. */
void relay_new(struct relay way[2], BIO **a, BIO **b, size_t size);
void relay_free(struct relay way[2]);
/* At most len bytes go on: 1 if there were any. */
int relay_carry(struct relay *r, size_t len);
/* Bytes of the relay's own, if there is room. */
void relay_slip(struct relay *r, const void *data, size_t len);
/* Nothing more comes out of it. */
void relay_end(struct relay *r);

#endif
