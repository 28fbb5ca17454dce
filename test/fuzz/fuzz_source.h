/*
 * fuzz_source.h - a transport that delivers an input, and swallows all.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TEST_FUZZ_SOURCE_H
# define TEST_FUZZ_SOURCE_H

# include <openssl/bio.h>
# include "fuzz.h"

/*
 * It delivers what is left of in, which must live as long, in pieces and with
 * retries that depend on cut; then the end or retries for ever, before which
 * it calls empty, unless that is NULL.
 */
typedef void source_cb(void *arg);
BIO *source_new(struct fuzz_input *in, unsigned cut, source_cb *empty,
                void *arg);

/* With this cut it asks for a retry though there is more. */
int source_waits(unsigned cut);

/* Bytes that were not yet read. */
size_t source_left(BIO *source);

#endif
