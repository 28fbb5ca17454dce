/*
 * attack.h - a stack, and a peer of it that does what the input says.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The peer has an SSL for each layer, and may leave the protocol at any point:
 * it sends bytes in the place of a record of a layer, or records of any type
 * and content that are protected with the true keys. What the stack does is
 * chosen by the input, too. What must hold:
 *
 *   data      what is read is what the peer has said at that depth, in order
 *   boundary  a layer ends only by a close_notify that its peer has protected,
 *             behind all that was said before it
 *   depth     reads change the read depth by a boundary only, and nothing but
 *             our stop (or ONION_FOLLOW) the write depth
 *   queue     the error queue is empty after success and retry; after a
 *             failure its newest entry is ours
 *   failure   stays, changes no depth, and nothing is written after it; where
 *             the peer has kept to the protocol there is none
 *   secret    what we say in a layer is nowhere on the wire
 */

#ifndef TEST_FUZZ_ATTACK_H
# define TEST_FUZZ_ATTACK_H

# include "fuzz.h"

struct attack_kind {
    int client;         /* we are the TLS client of each layer */
    int layers;
    int honest;         /* layers that stand before the input begins, and */
                        /* in which the peer keeps to the protocol */
};

void attack_start(void);
void attack_run(const struct attack_kind *kind, struct fuzz_input *in);

#endif
