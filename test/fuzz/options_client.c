/*
 * options_client.c - a fuzz target: the command line of onion_client.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is a row of words with a 0 behind each. What they mean is checked,
 * and what they name is loaded, as before a connection.
 */

#define main onion_client_main
#include "../../demos/onion_client.c"
#undef main

#include <openssl/err.h>
#include "fuzz_files.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    files_start();
    report_program("fuzz");
    return 0;
}

/* Whatever is asked for can be made, layer by layer. */
static void make_layers(CLIENT *c)
{
    int i;

    for (i = 0; i < c->route.n; i++) {
        const HOP *h = &c->route.hop[i];
        SSL *ssl;

        if (!h->tls)
            continue;
        ssl = tls_new_client(&c->tls, h->group, 1,
                             h->at->host[0] != '\0' ? h->at->host : NULL);
        FUZZ_MUST(ssl != NULL || ERR_peek_error() != 0,
                  "a layer, or the reason why not");
        SSL_free(ssl);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static CLIENT client;
    struct fuzz_input in = { data, size };
    ARGUMENTS arguments = { .require_depth = -1 };
    struct words words;
    int ok;

    fuzz_begin();
    memset(&client, 0, sizeof(client));
    client.fd = -1;
    words_read(&words, &in);
    ok = options_parse(words.argc, words.argv, usage, table, &arguments,
                       &client.groups) > 0
        && check(&arguments, &client);
    if (ok)
        make_layers(&client);
    client_free(&client);
    watch_close(&client.watch);
    pass_forget();
    net_family(AF_UNSPEC);
    words_free(&words);
    files_clean();
    ERR_clear_error();
    return 0;
}
