/*
 * tool_pin.h - public keys of peers that are known beforehand.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_PIN_H
# define TOOL_PIN_H

# include <openssl/x509.h>
# include "tool_layer.h"

# define PIN_SIZE   32
# define PINS_MAX   32

/* SHA-256 of the SubjectPublicKeyInfo of each; n is 0 without pins. */
typedef struct pins_st {
    unsigned char pin[PINS_MAX][PIN_SIZE];
    int n;
} PINS;

/*
 * Reads "sha256//BASE64", or several of them with ; between. 1; or 0, and what
 * is wrong has been reported as of who.
 */
int pin_load(PINS *pins, const LAYER_OPTIONS *l, const char *who);

/* 1 if there are no pins, or one of them is of this certificate's key. */
int pin_matches(const PINS *pins, const X509 *cert);

#endif
