/*
 * tool_pass.h - where pass phrases come from.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A source is pass:WORD, env:NAME, file:NAME, fd:N or stdin, as OpenSSL's
 * programs have it: see openssl-passphrase-options(1).
 */

#ifndef TOOL_PASS_H
# define TOOL_PASS_H

/*
 * The pass phrase of a source; NULL if there is none, which has been reported
 * as of option and who. A source that is asked again gives the same: a file, a
 * descriptor or standard input is read once, up to the end of its line.
 */
const char *pass_of(const char *source, const char *option, const char *who);

/* At the end: leaves none of them in memory. */
void pass_forget(void);

#endif
