/*
 * transcript.c - a fuzz target: a session whose bytes are changed on their way.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses the session: version, client, script. Then come edits
 * of what a layer of either side reads, which may be several at once: flips,
 * drops, bytes that are inserted, ends. The laws are those of talk.h; what
 * comes to its end nevertheless is the session that it is without edits.
 * Nothing is said in the clear, where an edit would change it.
 */

#include <string.h>
#include "fuzz_tls.h"
#include "talk.h"

static const struct {
    const char *a, *b;
} scripts[] = {
    { "+1s1h1+2s2h2-1b2s1h1-0b1", "+1h1s1+2h2s2b2-1h1s1b1-0" },
    { "+1s1h1-0b1", "+1h1s1b1-0" },
    { "+1+2+3s3h3-0b3b2b1", "+1+2+3h3s3b3b2b1-0" },
    { "+1s1-0b1+1s1h1-0b1", "+1h1b1-0+1h1s1b1-0" },
    { "+1s1h1+2s2h2-0b2b1", "+1h1s1+2h2s2-0b2b1" }
};

#define SCRIPTS (sizeof(scripts) / sizeof(scripts[0]))

static struct talk clean[2][2][SCRIPTS];
static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

static void make_clean(int version, int flip, size_t script)
{
    struct talk *t = &clean[version][flip][script];

    fuzz_begin();
    talk_new(t, versions[version], flip, scripts[script].a,
             scripts[script].b);
    FUZZ_MUST(talk_run(t), "the session is sound");
    talk_free(t);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int version, flip;
    size_t script;

    (void)argc;
    (void)argv;
    fuzz_start_tls();
    for (version = 0; version < 2; version++) {
        talk_prepare(versions[version]);
        for (flip = 0; flip < 2; flip++)
            for (script = 0; script < SCRIPTS; script++)
                make_clean(version, flip, script);
    }
    return 0;
}

/* Where in a stream: most of the bytes are in the first two kilobytes. */
static size_t read_place(struct fuzz_input *in)
{
    unsigned high = fuzz_byte(in);

    return (size_t)(high % 16) << 8 | fuzz_byte(in);
}

static void read_edit(struct talk *t, struct fuzz_input *in)
{
    unsigned where = fuzz_byte(in);
    struct edit edit = { .kind = EDIT_FLIP };
    size_t got;

    edit.kind += where / 8 % (EDIT_RESET - EDIT_FLIP + 1);
    edit.at = read_place(in);
    edit.mask = (unsigned char)fuzz_byte(in);
    edit.mid = edit.at + edit.mask;
    edit.end = edit.mid;
    if (edit.kind == EDIT_SWAP)
        edit.end += fuzz_byte(in);
    if (edit.kind == EDIT_INSERT) {
        edit.data = fuzz_bytes(in, edit.mask, &got);
        edit.len = got;
    }
    talk_edit(where % 2 ? &t->a : &t->b, 1 + (int)(where / 2 % 3), edit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    unsigned first = fuzz_byte(&in);
    int version = first % 2, flip = first / 2 % 2;
    size_t script = first / 4 % SCRIPTS;
    struct talk t;

    /* What is inserted would be taken for what is said. */
    if (fuzz_has(data, size, "SECRET"))
        return 0;
    fuzz_begin();
    talk_new(&t, versions[version], flip, scripts[script].a,
             scripts[script].b);
    t.end_at = 1 + (int)(first / 64 % 3);
    while (in.len > 0)
        read_edit(&t, &in);
    if (talk_run(&t))
        talk_same_facts(&t, &clean[version][flip][script]);
    talk_free(&t);
    return 0;
}
