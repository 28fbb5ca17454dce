/*
 * tool_lines.h - lines on stderr about a layer, with its label before each.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_LINES_H
# define TOOL_LINES_H

# include <openssl/bio.h>

/*
 * What is written to it appears on stderr, escaped where it is not printable:
 * peers have a hand in it. What is written to the BIO behind it has no label.
 * NULL without memory; to be freed with BIO_free_all().
 */
BIO *lines_new(int layer, const char *peer);

#endif
