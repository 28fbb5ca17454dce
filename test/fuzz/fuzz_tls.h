/*
 * fuzz_tls.h - the credentials of the targets that speak TLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TEST_FUZZ_TLS_H
# define TEST_FUZZ_TLS_H

# include <openssl/ssl.h>
# include "fuzz.h"

/* fuzz_start(), and all contexts of test_ssl() for layers 1 to 8. */
void fuzz_start_tls(void);

/* One of TLS 1.3. */
const SSL_CIPHER *fuzz_cipher(void);

#endif
