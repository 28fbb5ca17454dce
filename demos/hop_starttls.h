/*
 * hop_starttls.h - what is said before TLS, in protocols with a STARTTLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef HOP_STARTTLS_H
# define HOP_STARTTLS_H

# include "client_talk.h"

/* The protocols, for -help. */
# define HOP_STARTTLS_NAMES \
    "smtp, lmtp, imap, pop3, ftp, ldap, xmpp, xmpp-server,\n" \
    "nntp, sieve, postgres, mysql, telnet or irc"

/* 1 if there is such a protocol. */
int hop_starttls_known(const char *protocol);

/* 1 if it asks for a domain of the peer: its name must not be NULL then. */
int hop_starttls_needs_name(const char *protocol);

/*
 * 1 if name can be said in the protocol, or is NULL; else 0, which has been
 * reported. To be called before anything is opened.
 */
int hop_starttls_check(const char *protocol, const char *name);

/*
 * Speaks the protocol in the innermost layer up to the point where a TLS
 * client begins. name is what smtp and lmtp say to be (NULL: localhost), and
 * what xmpp asks for. 1: start the layer now. 0: it has been reported, and the
 * exit code is in c->code: TOOL_REFUSED if the peer will not, TOOL_PROTOCOL if
 * it breaks the protocol or sends anything behind its agreement.
 */
int hop_starttls(CLIENT *c, const char *protocol, const char *name);

#endif
