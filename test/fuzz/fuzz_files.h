/*
 * fuzz_files.h - a directory with files that options can name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TEST_FUZZ_FILES_H
# define TEST_FUZZ_FILES_H

# include "fuzz.h"

/*
 * Makes the directory, which becomes the present one, and is removed at the
 * end. In it: ca.pem, cert.pem, key.pem, locked.key (for "word"), pass, psk,
 * tickets, session.pem, empty.
 */
void files_start(void);
/* Removes all that has come since. */
void files_clean(void);

# define WORDS_MAX      40
struct words {
    int argc;
    char *argv[WORDS_MAX + 2];
};

/*
 * A command line of the words in the input, with a 0 behind each, but for what
 * would lead out of the directory or to a terminal.
 */
void words_read(struct words *w, struct fuzz_input *in);
void words_free(struct words *w);

#endif
