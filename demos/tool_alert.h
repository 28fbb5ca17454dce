/*
 * tool_alert.h - why a peer that takes no more has gone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_ALERT_H
# define TOOL_ALERT_H

# include <openssl/bio.h>

/*
 * After a call on stack that has failed: if it could not write, and the peer
 * has said why in an alert, the error queue says that from now on. A TLS 1.3
 * server tells so what it thinks of its client's certificate, when the client
 * takes the handshake for done: RFC 8446, section 4.4.2.4.
 */
void alert_hear(BIO *stack);

#endif
