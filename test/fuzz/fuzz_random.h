/*
 * fuzz_random.h - random numbers that are the same each time.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TEST_FUZZ_RANDOM_H
# define TEST_FUZZ_RANDOM_H

/* From now on OpenSSL takes them from here. */
void random_install(void);
/* All streams begin anew; the first is the one in use. */
void random_restart(void);
/* 0 or 1. */
void random_stream(int stream);

#endif
