/*
 * schedule.c - a fuzz target: what two stacks do, and when.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is what chance decides in test_model.c, whose laws are the oracle:
 * a byte for each choice, or two where there are more than 256. At its end
 * nothing new is begun, and chance goes on by itself.
 */

#define main test_model_main
#include "../test_model.c"
#undef main

#include "fuzz_tls.h"

static struct fuzz_input input;

static unsigned by_input(unsigned n)
{
    /* Bodies far larger than the transport, or one of a byte, take long. */
    if (n == 64)
        return 1;
    if (n == 10)
        return 3 + fuzz_choice(&input, 7);
    if (input.len > 0)
        return fuzz_choice(&input, n);
    w.actions = 0;
    choose = NULL;
    return rnd(n);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int client;

    (void)argc;
    (void)argv;
    fuzz_start_tls();
    /* Its contexts are made by whoever is first. */
    for (client = 0; client < 2; client++) {
        SSL_free(psk_ssl(client, TLS1_3_VERSION));
        SSL_free(psk_ssl(client, TLS1_2_VERSION));
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_begin();
    input.data = data;
    input.len = size;
    choose = by_input;
    run_schedule(1);
    choose = NULL;
    return 0;
}
