/*
 * tool_file.h - files that options name, and what is wrong with them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_FILE_H
# define TOOL_FILE_H

# include <stddef.h>

/*
 * NULL if name is a file that can be read and is not empty; else what is wrong
 * with it, in words.
 */
const char *file_trouble(const char *name);

/* The same for a directory. */
const char *file_directory_trouble(const char *name);

/*
 * The content of a file of at most max bytes, to be freed with
 * OPENSSL_clear_free(); NULL with what is wrong in *trouble.
 */
unsigned char *file_read(const char *name, size_t max, size_t *len,
                         const char **trouble);

/* NULL if name can be written to; it is not changed. Else what is wrong. */
const char *file_write_trouble(const char *name);

/* Writes a file that only its owner may read. NULL; or what is wrong. */
const char *file_write(const char *name, const void *data, size_t len);

#endif
