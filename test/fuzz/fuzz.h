/*
 * fuzz.h - what the fuzz targets share: their input, and a world that repeats.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A target is a file with LLVMFuzzerInitialize() and LLVMFuzzerTestOneInput().
 * With libFuzzer it is run by "make fuzz", with replay.c by "make check", on
 * the files in corpus/. The same input always does the same: what is random
 * comes from a counter, the time stands still, and all keys are made from it.
 */

#ifndef TEST_FUZZ_H
# define TEST_FUZZ_H

# include <stddef.h>
# include <stdint.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Once, before anything else. */
void fuzz_start(void);

/* At the start of each input: chance begins anew, no error is there. */
void fuzz_begin(void);

/* Who takes from chance now: the peer's doings do not change those of ours. */
# define FUZZ_OURS      0
# define FUZZ_THEIRS    1
void fuzz_turn(int whose);

/* What is left of an input. */
struct fuzz_input {
    const uint8_t *data;
    size_t len;
};

/* 0 where nothing is left. */
unsigned fuzz_byte(struct fuzz_input *in);
/* 0 to n - 1. */
unsigned fuzz_choice(struct fuzz_input *in, unsigned n);
/* At most len bytes, which are *got; none behind them is lost. */
const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t len, size_t *got);
/* All up to a 0, which is skipped, or the end; to be freed. */
char *fuzz_text(struct fuzz_input *in);

/* The input has this text: an oracle that looks for it does not hold. */
int fuzz_has(const uint8_t *data, size_t size, const char *text);

/* An oracle: says what is not so, and aborts. */
# define FUZZ_MUST(cond, law) \
    do { if (!(cond)) \
             fuzz_broken(__FILE__, __LINE__, #cond, "%s", law); } while (0)
_Noreturn void fuzz_broken(const char *file, int line, const char *expr,
                           const char *law, ...)
    __attribute__((format(printf, 4, 5)));

/* In the place of what Check does with each assertion that holds. */
void fuzz_passed(const char *file, int line);

#endif
