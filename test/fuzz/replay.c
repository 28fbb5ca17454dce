/*
 * replay.c - runs a fuzz target on files, without a fuzzer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>
#include "fuzz.h"

#define SIZE_MAX_OF_CASE 65536

static int replay(const char *name)
{
    uint8_t *data = malloc(SIZE_MAX_OF_CASE), *exact;
    FILE *file = fopen(name, "rb");
    size_t len;

    if (file == NULL || data == NULL) {
        fprintf(stderr, "%s: cannot be read\n", name);
        return 0;
    }
    len = fread(data, 1, SIZE_MAX_OF_CASE, file);
    fclose(file);
    /* Of its own size, so that whoever looks behind it is seen. */
    exact = realloc(data, len > 0 ? len : 1);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return 1;
}

int main(int argc, char **argv)
{
    int i;

    LLVMFuzzerInitialize(&argc, &argv);
    for (i = 1; i < argc; i++) {
        if (getenv("FUZZ_NAMES") != NULL)
            fprintf(stderr, "%s\n", argv[i]);
        if (!replay(argv[i]))
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
