/*
 * hop_protocols.h - one function for each protocol with a STARTTLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each speaks its protocol until the peer has agreed to TLS, and reads nothing
 * behind that. 1; or 0, reported, with the exit code in c->code. Only some say
 * the name, which is printable and not empty.
 */

#ifndef HOP_PROTOCOLS_H
# define HOP_PROTOCOLS_H

# include "client_talk.h"

typedef int HOP_PROTOCOL(CLIENT *c, const char *name);

/* hop_codes.c: replies begin with a code, 220. */
HOP_PROTOCOL hop_smtp, hop_lmtp, hop_ftp, hop_nntp, hop_irc;

/* hop_words.c: replies begin with a word, OK. */
HOP_PROTOCOL hop_imap, hop_pop3, hop_sieve;

/* hop_xmpp.c: the name is the domain. */
HOP_PROTOCOL hop_xmpp, hop_xmpp_server;

/* hop_ldap.c */
HOP_PROTOCOL hop_ldap;

/* hop_packets.c: a few bytes each way. */
HOP_PROTOCOL hop_postgres, hop_mysql, hop_telnet;

/* Lines of text that are no longer than they ever need be. */
# define HOP_LINE_MAX       8192

/* 1 if word is one of the words of text, in upper or lower case. */
int hop_has_word(const char *text, const char *word);

/* 1 if it is the first. */
int hop_first_is(const char *text, const char *word);

/*
 * The lines of a list, up to a dot: one of them must begin with the word. Else
 * the peer will not, which is reported as `lacks'.
 */
int hop_offers(CLIENT *c, const char *word, const char *lacks);

#endif
