/*
 * client.c - a fuzz target: what comes to a layer that is the TLS client.
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
    static const struct attack_kind kind = { .client = 1, .layers = 1 };
    struct fuzz_input in = { data, size };

    fuzz_begin();
    attack_run(&kind, &in);
    return 0;
}
