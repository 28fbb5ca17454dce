/*
 * options_server.c - a fuzz target: the command line of onion_server.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input is a row of words with a 0 behind each. What they mean is checked,
 * and what they name is loaded, as before the server listens.
 */

#define main onion_server_main
#include "../../demos/onion_server.c"
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

/* As it will for each connection. */
static void make_layers(const SERVER *s)
{
    int i;

    for (i = 1; i <= s->layers; i++) {
        SSL *ssl = tls_new_server(&s->tls, tls_group_of_layer(&s->tls, i), i);

        FUZZ_MUST(ssl != NULL || ERR_peek_error() != 0,
                  "a layer, or the reason why not");
        SSL_free(ssl);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static SERVER server;
    struct fuzz_input in = { data, size };
    ARGUMENTS arguments = {
        .layers = -1, .max_depth = 16, .max_conns = 1000, .timeout = 30,
        .idle_timeout = 3600, .close_timeout = 2, .drain = 10
    };
    NET_PLACE place, stats;
    struct words words;

    fuzz_begin();
    memset(&server, 0, sizeof(server));
    server.log.fd = -1;
    words_read(&words, &in);
    if (options_parse(words.argc, words.argv, usage, table, &arguments,
                      &server.groups) > 0
        && check(&arguments, &server, &place, &stats))
        make_layers(&server);
    pass_forget();
    tls_free(&server.tls);
    log_close(&server.log);
    words_free(&words);
    files_clean();
    ERR_clear_error();
    return 0;
}
