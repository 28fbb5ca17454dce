/*
 * inner.c - a fuzz target: what an honest outer layer brings to an inner one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include "attack.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    attack_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attack_kind kind = { .layers = 2, .honest = 1 };
    struct fuzz_input in = { data, size };

    fuzz_begin();
    kind.client = (int)fuzz_choice(&in, 2);
    attack_run(&kind, &in);
    return 0;
}
