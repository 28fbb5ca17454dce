/*
 * controls.c - a fuzz target: controls of every BIO of a chain, at any time.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two stacks talk. In between, the stack of one, its layers, its wire and the
 * ports of its SSLs get controls: those that are known with an argument of the
 * kind they take, all others with none. What a control must not do is
 * listed with it; nothing else may stop the conversation.
 */

#include <stdio.h>
#include <string.h>
#include "fuzz_tls.h"
#include "util.h"

enum argument { NOTHING, NUMBER, POINTER, WORD };

static const struct control {
    int cmd;
    enum argument argument;
    int disturbs;           /* the conversation may not go on as it was */
} controls[] = {
    { BIO_CTRL_RESET, NOTHING, 1 },
    { BIO_CTRL_EOF, NOTHING, 0 },
    { BIO_CTRL_INFO, NOTHING, 0 },
    { BIO_CTRL_SET, NOTHING, 0 },
    { BIO_CTRL_GET, NOTHING, 0 },
    { BIO_CTRL_PUSH, NOTHING, 0 },
    { BIO_CTRL_POP, NOTHING, 0 },
    { BIO_CTRL_GET_CLOSE, NOTHING, 0 },
    { BIO_CTRL_SET_CLOSE, NOTHING, 0 },
    { BIO_CTRL_PENDING, NOTHING, 0 },
    { BIO_CTRL_FLUSH, NOTHING, 0 },
    { BIO_CTRL_WPENDING, NOTHING, 0 },
    { BIO_CTRL_SET_CALLBACK, NOTHING, 0 },
    { BIO_CTRL_GET_CALLBACK, POINTER, 0 },
    { BIO_CTRL_PEEK, NUMBER, 0 },
    { BIO_C_SET_CONNECT, WORD, 0 },
    { BIO_C_DO_STATE_MACHINE, NOTHING, 0 },
    { BIO_C_SET_NBIO, NOTHING, 0 },
    { BIO_C_SET_FD, NUMBER, 0 },
    { BIO_C_GET_FD, NUMBER, 0 },
    { BIO_C_GET_SSL, POINTER, 0 },
    { BIO_C_SSL_MODE, NOTHING, 1 },
    { BIO_C_SET_ACCEPT, WORD, 0 },
    { BIO_C_GET_CONNECT, POINTER, 0 },
    { BIO_C_GET_ACCEPT, POINTER, 0 },
    { BIO_C_SET_SSL_RENEGOTIATE_BYTES, NOTHING, 1 },
    { BIO_C_GET_SSL_NUM_RENEGOTIATES, NOTHING, 0 },
    { BIO_C_SET_SSL_RENEGOTIATE_TIMEOUT, NOTHING, 1 },
    { BIO_C_SET_BIND_MODE, NOTHING, 0 },
    { BIO_C_GET_BIND_MODE, NOTHING, 0 },
    { BIO_C_SHUTDOWN_WR, NOTHING, 0 },
    { BIO_C_SET_MD, NOTHING, 0 },
    { BIO_C_FILE_SEEK, NOTHING, 0 }
};

#define CONTROLS (sizeof(controls) / sizeof(controls[0]))

static struct peers p;
static struct fuzz_input in;
static int disturbed;
static unsigned said[2];        /* sentences of a, and of b */

/*
 * The BIOs of a: all but the tap and what is below it
 */

static BIO *choose_bio(void)
{
    unsigned which = fuzz_byte(&in);
    BIO *found = NULL, *b;
    int i = 0, n = (int)(which % 8);
    SSL *ssl = NULL;

    for (b = p.a.bio; b != p.a.tap && i <= n; b = BIO_next(b), i++)
        found = b;
    if ((which & 0x80) && BIO_method_type(found) != BIO_method_type(p.a.bio)
        && BIO_get_ssl(found, &ssl) > 0 && ssl != NULL)
        return SSL_get_rbio(ssl);
    return found;
}

/* Those that are not listed, but would be dangerous with no argument. */
static int is_dangerous(int cmd)
{
    return cmd == BIO_C_SET_SSL || cmd == BIO_CTRL_DUP;
}

static void undo(BIO *b, int cmd)
{
    if (cmd == BIO_CTRL_SET_CLOSE)
        (void)BIO_set_close(b, BIO_CLOSE);
    ERR_clear_error();
}

/* What a sound stack answers, of which all was read. */
static void check_answer(BIO *b, int cmd, long answer)
{
    if (b != p.a.bio || disturbed)
        return;
    if (cmd == BIO_CTRL_EOF || cmd == BIO_CTRL_PENDING)
        FUZZ_MUST(answer == 0, "a stack that has nothing to tell");
    if (cmd == BIO_CTRL_GET_CLOSE)
        FUZZ_MUST(answer == BIO_CLOSE, "a stack frees what is below");
    if (cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_SET_CLOSE)
        FUZZ_MUST(answer == 1 || BIO_should_retry(b), "a stack that is sound");
}

static void do_control(void)
{
    static unsigned char scratch[64];
    static char word[] = "localhost:99";
    BIO *b = choose_bio();
    unsigned code = fuzz_byte(&in);
    struct control c = { (int)code, NOTHING, 0 };
    long num = (long)fuzz_choice(&in, 1000) - 2;
    void *arguments[] = { NULL, scratch, scratch, word };
    int reads = BIO_onion_read_depth(p.a.bio);
    int writes = BIO_onion_write_depth(p.a.bio);
    long answer;
    size_t i;

    if (code < 2 * CONTROLS)
        c = controls[code % CONTROLS];
    else
        for (i = 0; i < CONTROLS; i++)
            if (controls[i].cmd == c.cmd)
                c = controls[i];
    if (is_dangerous(c.cmd))
        return;
    memset(scratch, 0, sizeof(scratch));
    ERR_clear_error();
    answer = BIO_ctrl(b, c.cmd, num, arguments[c.argument]);
    check_answer(b, c.cmd, answer);
    undo(b, c.cmd);
    FUZZ_MUST(BIO_onion_read_depth(p.a.bio) == reads
              && BIO_onion_write_depth(p.a.bio) == writes,
              "a control changes no depth");
    disturbed |= c.disturbs;
}

static int on_info(BIO *b, int event, int ret)
{
    (void)b;
    (void)event;
    return ret;
}

static void do_callback(void)
{
    BIO *b = choose_bio();

    (void)BIO_callback_ctrl(b, (int)fuzz_byte(&in) % 20, on_info);
    ERR_clear_error();
}

/* A copy of the chain, which is freed without having said a word. */
static void do_copy(void)
{
    BIO *copy = BIO_dup_chain(p.a.bio);

    ERR_clear_error();
    BIO_free_all(copy);
    ERR_clear_error();
}

/*
 * The conversation
 */

static int both_at(int depth)
{
    return BIO_onion_read_depth(p.a.bio) == depth
        && BIO_onion_write_depth(p.a.bio) == depth
        && BIO_onion_read_depth(p.b.bio) == depth
        && BIO_onion_write_depth(p.b.bio) == depth;
}

/* Where all is as it should be, util.h fails if it does not go on. */
static void do_talk(void)
{
    char text[32];
    int depth = BIO_onion_write_depth(p.a.bio), n;

    n = snprintf(text, sizeof(text), "SECRET of a %u\n", said[0]++);
    peer_send(&p, &p.a, text, (size_t)n);
    peer_expect(&p, &p.b, text, (size_t)n, depth);
    n = snprintf(text, sizeof(text), "SECRET of b %u\n", said[1]++);
    peer_send(&p, &p.b, text, (size_t)n);
    peer_expect(&p, &p.a, text, (size_t)n, depth);
}

/* After a disturbance nothing is promised but that it ends. */
static void do_stumble(void)
{
    char data[64];
    int i;

    for (i = 0; i < 4; i++) {
        (void)BIO_write(p.a.bio, "SECRET", 6);
        (void)BIO_read(p.a.bio, data, sizeof(data));
        (void)BIO_read(p.b.bio, data, sizeof(data));
        (void)BIO_onion_stop_tls(p.a.bio, 0);
        ERR_clear_error();
    }
}

/* A layer that is started, with controls before its handshake is done. */
static void do_start(void)
{
    if (BIO_onion_read_depth(p.a.bio) >= 3)
        return;
    peers_start(&p);
    do_control();
    if (!disturbed)
        peers_handshake(&p);
}

static void do_rise(void)
{
    int depth = BIO_onion_read_depth(p.a.bio);

    if (depth > 0)
        peers_rise(&p, fuzz_byte(&in) % 2 ? &p.a : &p.b, depth - 1);
}

static void act(void)
{
    switch (fuzz_byte(&in) % 8) {
    case 0:
        do_start();
        break;
    case 1:
        do_rise();
        break;
    case 2:
        do_talk();
        break;
    case 3:
        do_callback();
        break;
    case 4:
        do_copy();
        break;
    default:
        do_control();
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start_tls();
    return 0;
}

static void begin(void)
{
    unsigned how = fuzz_byte(&in);

    disturbed = 0;
    said[0] = said[1] = 0;
    peers_new(&p, how & 4 ? 100 : 70000,
              how & 1 ? TLS1_2_VERSION : TLS1_3_VERSION);
    p.flip = (how & 2) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_begin();
    in.data = data;
    in.len = size;
    begin();
    while (in.len > 0 && !disturbed) {
        FUZZ_MUST(both_at(BIO_onion_read_depth(p.a.bio)), "both are there");
        act();
    }
    if (disturbed)
        do_stumble();
    else
        do_talk();
    peers_free(&p);
    return 0;
}
