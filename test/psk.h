/*
 * psk.h - layers whose handshakes cost little, for tests that make millions.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Both ends know a key: no certificate, no signature, and no key is exchanged.
 */

#ifndef TEST_PSK_H
# define TEST_PSK_H

# include <openssl/ssl.h>

/* A fresh SSL for BIO_onion_start_tls(), of TLS 1.2 or 1.3. */
SSL *psk_ssl(int client, int version);

#endif
