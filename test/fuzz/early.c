/*
 * early.c - a fuzz target: layers that resume, and send early data.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The input chooses the flags of two stacks, how each layer is started at
 * either end, what the two do and how much of it passes between them when, and
 * what is changed, lost or slipped in on the way. What must hold:
 *
 *   data      what is read is what the other has said at that depth, in order
 *             and once, however much of it went early or again
 *   early     only a TLS server reads data of the application before its
 *             handshake is done, with ONION_EARLY_DATA at both ends, and where
 *             the layer resumes a session that allows it
 *   boundary  a layer ends where the other has stopped it, behind all it said
 *   queue     empty after success and retry; else its newest entry is ours
 *   failure   none where nothing was changed; it stays, and writes no more; an
 *             end of the transport under a layer is one
 *   agree     what is done with its handshake has the same keys at both ends,
 *             and the same idea of the early data
 *   progress  where nothing was changed, all that was said is heard
 *   secret    what is said in a layer is nowhere on the wire
 */

#include <string.h>
#include "fuzz_tls.h"
#include "relay.h"
#include "util.h"

#define LAYERS          3
#define SAID_MAX        60000
#define ROUNDS          4000

/* How both ends start a layer; all but FULL offer a session. */
enum kind { RESUME, FULL, REJECT, FORGET, RETRY, OLD, STRANGER };

static const int limits[] = { 16384, 400, 1, 70000 };

#define LIMITS          (sizeof(limits) / sizeof(limits[0]))

static SSL_SESSION *sessions[LIMITS][LAYERS + 1];

static struct world {
    struct end {
        BIO *bio;
        unsigned long flags;
        size_t said[LAYERS + 1];        /* at each depth, all in all */
        size_t heard[LAYERS + 1];       /* of what the other has said there */
        int closed[LAYERS + 1];         /* stopped by this end */
        int pending;                    /* a write to be repeated, or 0 */
        int failed;
        struct relay *out;
    } end[2];                           /* end 0 is the client unless swapped */
    struct relay way[2];
    unsigned limit;
    enum kind kind[LAYERS + 1];
    int client[LAYERS + 1];             /* which end is */
    int covered[LAYERS + 1];            /* another was started inside it */
    int hostile;                        /* something was changed, or is over */
    int strict[2];                      /* ... after the handshake, and to it */
} w;

/*
 * What is said: each byte tells who says it, where and when
 */

static unsigned char letter(const struct end *e, int depth, size_t at)
{
    static const char *words[] = { "CLEAR ", "SECRET" };
    size_t unit = at / 12;

    switch (at % 12) {
    case 6:
        return e == &w.end[0] ? 'a' : 'b';
    case 7:
        return (unsigned char)('0' + depth);
    case 8: case 9: case 10: case 11:
        return (unsigned char)('0' + (unit >> 4 * (at % 12 - 8)) % 16);
    default:
        return (unsigned char)words[depth > 0][at % 12];
    }
}

static struct end *other(const struct end *e)
{
    return &w.end[e == &w.end[0]];
}

static int reads_at(const struct end *e)
{
    return BIO_onion_read_depth(e->bio);
}

static int writes_at(const struct end *e)
{
    return BIO_onion_write_depth(e->bio);
}

/*
 * Results
 */

static void check_depths(const struct end *e, int reads, int writes)
{
    FUZZ_MUST(reads_at(e) == reads && writes_at(e) == writes, "the depths");
}

/* A stranger is refused, and what is changed may be. */
static int may_fail(void)
{
    int i;

    for (i = 1; i <= LAYERS; i++)
        if (w.kind[i] == STRANGER)
            return 1;
    return w.hostile;
}

/* What was not done: a retry, or a failure. */
static void not_done(struct end *e, int ret)
{
    unsigned long newest = ERR_peek_last_error();

    if (BIO_should_retry(e->bio)) {
        FUZZ_MUST(ret == -1 && newest == 0, "queue: empty after a retry");
        FUZZ_MUST(!e->failed, "failure: it stays");
        return;
    }
    FUZZ_MUST(newest != 0 && ERR_GET_LIB(newest) == BIO_onion_error_library(),
              "queue: the newest entry is ours");
    FUZZ_MUST(may_fail(), "failure: and nothing was changed");
    e->failed = 1;
    ERR_clear_error();
}

static void succeeded(const struct end *e)
{
    FUZZ_MUST(ERR_peek_error() == 0, "queue: empty after success");
    FUZZ_MUST(!e->failed, "failure: it stays");
}

static SSL *innermost(const struct end *e)
{
    return BIO_onion_get0_ssl(e->bio, reads_at(e));
}

/* Nothing is done, or comes in, inside a layer of another host. */
static void check_host(int depth)
{
    for (; depth > 0; depth--)
        FUZZ_MUST(w.kind[depth] != STRANGER, "failure: another host");
}

/* Data that came in before the handshake of its layer was done. */
static void check_early(const struct end *e, int depth)
{
    SSL *ssl = innermost(e);

    /* Not SSL_is_init_finished(), which half of a ticket takes back. */
    if (depth == 0 || SSL_get_peer_finished(ssl, NULL, 0) > 0)
        return;
    FUZZ_MUST(SSL_is_server(ssl), "early: read by a server");
    FUZZ_MUST((e->flags & other(e)->flags & ONION_EARLY_DATA) != 0,
              "early: with the second flag");
    FUZZ_MUST(w.kind[depth] == RESUME, "early: where it is accepted");
}

/* A client sends no data of its application but with its word. */
static void check_sent(const struct end *e)
{
    int depth = reads_at(e), status;
    SSL *ssl = innermost(e);

    if (ssl == NULL || SSL_is_server(ssl))
        return;
    status = SSL_get_early_data_status(ssl);
    if (w.kind[depth] == FULL || w.kind[depth] == OLD
        || w.kind[depth] == STRANGER
        || (!w.covered[depth] && (e->flags & ONION_EARLY_DATA) == 0))
        FUZZ_MUST(status == SSL_EARLY_DATA_NOT_SENT, "early: not sent");
    if (w.kind[depth] != RESUME)
        FUZZ_MUST(status != SSL_EARLY_DATA_ACCEPTED, "early: not accepted");
}

/*
 * What the ends do
 */

/* A write that is not yet done may be heard in part. */
static size_t most_said(const struct end *e, int depth)
{
    return e->said[depth]
        + (depth == writes_at(e) ? (size_t)e->pending : 0);
}

static void hear(struct end *e, int gets, int len)
{
    static unsigned char data[20000];
    int reads = reads_at(e), writes = writes_at(e), n, i;

    ERR_clear_error();
    n = gets ? BIO_gets(e->bio, (char *)data, len)
             : BIO_read(e->bio, data, len);
    if (n < 0) {
        not_done(e, n);
        check_depths(e, reads, writes);
        return;
    }
    succeeded(e);
    if (n == 0 && reads > 0) {
        FUZZ_MUST(other(e)->closed[reads], "boundary: of a stop");
        FUZZ_MUST(e->heard[reads] == other(e)->said[reads],
                  "boundary: behind all that was said");
        FUZZ_MUST(!w.strict[e == &w.end[1]], "boundary: nothing was changed");
        return;
    }
    FUZZ_MUST(n > 0 || w.hostile, "an end: of the transport only");
    FUZZ_MUST(e->heard[reads] + (size_t)n <= most_said(other(e), reads),
              "data: not more than was said");
    for (i = 0; i < n; i++)
        FUZZ_MUST(data[i] == letter(other(e), reads, e->heard[reads]++)
                  || (reads == 0 && w.hostile), "data: as it was said");
    check_depths(e, reads, writes);
    check_host(n > 0 ? reads : 0);
    check_early(e, n > 0 ? reads : 0);
}

static void say(struct end *e, int len)
{
    static unsigned char data[20000];
    int writes = writes_at(e), reads = reads_at(e), n, i;

    if (e->pending == 0)
        e->pending = len;
    if (e->said[writes] + (size_t)e->pending > SAID_MAX) {
        e->pending = 0;
        return;
    }
    for (i = 0; i < e->pending; i++)
        data[i] = letter(e, writes, e->said[writes] + (size_t)i);
    ERR_clear_error();
    n = BIO_write(e->bio, data, e->pending);
    check_depths(e, reads, writes);
    if (n <= 0) {
        not_done(e, n);
        return;
    }
    succeeded(e);
    FUZZ_MUST(n == e->pending, "all or nothing");
    e->said[writes] += (size_t)n;
    e->pending = 0;
    check_sent(e);
}

static void flush(struct end *e)
{
    ERR_clear_error();
    if (BIO_flush(e->bio) <= 0)
        not_done(e, -1);
    else
        succeeded(e);
}

static void shake(struct end *e)
{
    int reads = reads_at(e), writes = writes_at(e);
    int ret;

    ERR_clear_error();
    ret = (int)BIO_do_handshake(e->bio);
    if (ret <= 0) {
        not_done(e, ret);
    } else {
        succeeded(e);
        check_host(w.client[writes] == (e == &w.end[1]) ? writes : 0);
    }
    check_depths(e, reads, writes);
    check_sent(e);
}

static void stop(struct end *e, int to)
{
    int reads = reads_at(e), writes = writes_at(e), ret, i;

    if (e->pending > 0 || to > writes)
        return;
    for (i = to + 1; i <= writes; i++)
        e->closed[i] = 1;
    ERR_clear_error();
    ret = BIO_onion_stop_tls(e->bio, to);
    FUZZ_MUST(reads_at(e) == reads, "a stop reads nothing");
    if (ret < 0) {
        not_done(e, ret);
        return;
    }
    succeeded(e);
    FUZZ_MUST(writes_at(e) == to && ret == (reads <= to), "as asked");
}

/*
 * Layers
 */

static SSL *client_ssl(int layer)
{
    enum kind kind = w.kind[layer];
    SSL_SESSION *copy;
    SSL *ssl;

    ssl = kind == STRANGER
        ? test_ssl_of(test_client_ctx(TLS1_3_VERSION, 1), 1, "elsewhere.test")
        : test_ssl(1, kind == OLD ? TLS1_2_VERSION : TLS1_3_VERSION, layer);
    if (kind == FULL || sessions[w.limit][layer] == NULL)
        return ssl;
    /* One that fails is not resumable any more. */
    copy = SSL_SESSION_dup(sessions[w.limit][layer]);
    FUZZ_MUST(copy != NULL && SSL_set_session(ssl, copy), "a session");
    SSL_SESSION_free(copy);
    return ssl;
}

static int flags_of(int layer, enum kind kind)
{
    return (layer % 2 == 0) != (kind == FORGET) ? TEST_P256 : 0;
}

static SSL *server_ssl(int layer)
{
    enum kind kind = w.kind[layer];
    SSL *ssl = test_ssl_of(test_server_ctx(kind == OLD ? TLS1_2_VERSION
                                                       : TLS1_3_VERSION,
                                           test_name(layer),
                                           flags_of(layer, kind)), 0, NULL);

    SSL_set_options(ssl, SSL_OP_NO_ANTI_REPLAY);
    SSL_set_max_early_data(ssl, kind == REJECT ? 0
                                               : (uint32_t)limits[w.limit]);
    /* As a server has to that allows none any more, and did. */
    if (kind == REJECT)
        SSL_set_recv_max_early_data(ssl, (uint32_t)limits[w.limit]);
    if (kind == RETRY)
        FUZZ_MUST(SSL_set1_groups_list(ssl, "P-384"), "a group");
    return ssl;
}

/* All that was said is heard, and both are at one depth. */
static int is_calm(void)
{
    int depth = reads_at(&w.end[0]), i, d;

    for (i = 0; i < 2; i++) {
        struct end *e = &w.end[i];

        if (reads_at(e) != depth || writes_at(e) != depth || e->pending > 0
            || e->failed)
            return 0;
        for (d = 0; d <= LAYERS; d++)
            if (e->said[d] != other(e)->heard[d])
                return 0;
    }
    return 1;
}

static void start(unsigned how)
{
    static const enum kind kinds[] = {
        RESUME, RESUME, RESUME, RESUME, RESUME, RESUME, RESUME, FULL, REJECT,
        REJECT, FORGET, RETRY, RETRY, OLD, RESUME, STRANGER
    };
    int layer = reads_at(&w.end[0]) + 1, i;

    if (layer > LAYERS || !is_calm())
        return;
    w.kind[layer] = kinds[how % 16];
    w.client[layer] = how / 16 % 4 == 3;
    w.covered[layer - 1] = 1;
    w.covered[layer] = 0;
    for (i = 0; i < 2; i++) {
        w.end[i].closed[layer] = 0;
        FUZZ_MUST(BIO_onion_start_tls(w.end[i].bio, i == w.client[layer]
                                      ? client_ssl(layer) : server_ssl(layer),
                                      NULL, 0) == 1, "a start");
    }
}

/* What both have of a layer that is done at both. */
static void check_same(int layer)
{
    unsigned char key[2][16];
    int early[2], reused[2], i;

    for (i = 0; i < 2; i++) {
        SSL *ssl = BIO_onion_get0_ssl(w.end[i].bio, layer);

        if (ssl == NULL || !SSL_is_init_finished(ssl))
            return;
        FUZZ_MUST(SSL_export_keying_material(ssl, key[i], sizeof(key[i]),
                                             "EXPERIMENTAL", 12, NULL, 0, 0),
                  "a key");
        early[i] = SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED;
        reused[i] = SSL_session_reused(ssl);
    }
    FUZZ_MUST(memcmp(key[0], key[1], sizeof(key[0])) == 0, "agree: keys");
    FUZZ_MUST(early[0] == early[1] && reused[0] == reused[1], "agree: early");
}

static void check_both(void)
{
    int i;

    for (i = 1; i <= LAYERS; i++)
        check_same(i);
}

/*
 * The wire
 */

/* Nothing is in the clear, where a change would not be seen. */
static int is_covered(void)
{
    int i;

    for (i = 0; i < 2; i++)
        if (w.end[i].closed[1] || reads_at(&w.end[i]) == 0
            || writes_at(&w.end[i]) == 0
            || w.end[i].said[0] != other(&w.end[i])->heard[0])
            return 0;
    return 1;
}

static int is_shaken(const struct end *e)
{
    SSL *ssl = BIO_onion_get0_ssl(e->bio, 1);

    return ssl != NULL && SSL_is_init_finished(ssl);
}

static void change(struct fuzz_input *in, unsigned how)
{
    static const unsigned char alerts[][7] = {
        { 21, 3, 3, 0, 2, 1, 0 }, { 21, 3, 3, 0, 2, 2, 40 },
        { 21, 3, 3, 0, 2, 1, 90 }, { 20, 3, 3, 0, 2, 1, 1 }
    };
    int to = how / 8 % 2 == 0;
    struct relay *r = &w.way[how / 8 % 2];

    if (!is_covered())
        return;
    w.hostile = 1;
    switch (how % 8) {
    case 0: case 1: case 2: case 3:
        r->flip_at = fuzz_choice(in, 1024);
        r->flip_mask = (unsigned char)(1 << fuzz_choice(in, 8));
        break;
    case 4: case 5:
        r->drop = 1 + fuzz_choice(in, 1024);
        break;
    case 6:
        relay_slip(r, alerts[fuzz_choice(in, 4)], 7);
        break;
    default:
        relay_end(r);
    }
    /* And no close_notify is on its way before it. */
    w.strict[to] |= is_shaken(&w.end[0]) && is_shaken(&w.end[1])
        && how % 8 == 6 && r->changed
        && writes_at(&w.end[!to]) == reads_at(&w.end[to]);
}

/*
 * A run
 */

static void act(struct fuzz_input *in)
{
    static const int lengths[] = { 1, 2, 30, 200, 383, 384, 1000, 16384 };
    unsigned op = fuzz_byte(in);
    struct end *e = &w.end[op / 16 % 2];

    switch (op % 16) {
    case 0: case 1: case 2:
        say(e, lengths[op / 32]);
        break;
    case 3: case 4: case 5:
        hear(e, 0, 1 + 20 * lengths[op / 32] % 19999);
        break;
    case 6:
        hear(e, 1, 2 + lengths[op / 32]);
        break;
    case 7:
        shake(e);
        break;
    case 8:
        flush(e);
        break;
    case 9:
        stop(e, (int)(op / 32 % 3));
        break;
    case 10: case 11:
        relay_carry(e->out, op / 32 > 5 ? 1 + fuzz_choice(in, 600) : 20000);
        break;
    case 12:
        relay_carry(&w.way[0], 20000);
        relay_carry(&w.way[1], 20000);
        break;
    case 13:
        start(fuzz_byte(in));
        break;
    default:
        change(in, op / 16 + (op % 16 == 15 ? 0u : 4u));
    }
}

static void begin(struct fuzz_input *in)
{
    static const size_t sizes[] = { 100000, 20000, 600, 64 };
    unsigned how = fuzz_byte(in), shape = fuzz_byte(in);
    BIO *transport[2];
    int i, depth = (int)(1 + shape / 4 % 3);

    memset(&w, 0, sizeof(w));
    w.limit = (unsigned)(shape / 16 % LIMITS);
    relay_new(w.way, &transport[0], &transport[1], sizes[shape % 4]);
    for (i = 0; i < 2; i++) {
        struct end *e = &w.end[i];

        e->bio = BIO_new_onion_stack(transport[i]);
        e->out = &w.way[i];
        e->flags = how & 1 ? 0 : ONION_EARLY;
        if (e->flags != 0 && (how & 2) == 0)
            e->flags |= ONION_EARLY_DATA;
        if (how & 4)
            e->flags |= ONION_GATHER;
        FUZZ_MUST(BIO_onion_set_flags(e->bio, e->flags) == 1, "flags");
        how /= 8;
    }
    for (i = 0; i < depth; i++)
        start(fuzz_byte(in));
}

/* Both go on with what they have begun: 1 if anything has moved. */
static int go_on(void)
{
    size_t before = 0, after = 0;
    int i, d, moved = 0;

    for (i = 0; i < 2; i++) {
        struct end *e = &w.end[i];

        for (d = 0; d <= LAYERS; d++)
            before += e->heard[d] + e->said[d];
        if (!e->failed && e->pending > 0)
            say(e, 0);
        if (!e->failed)
            flush(e);
        if (!e->failed)
            hear(e, 0, 20000);
        moved |= relay_carry(&w.way[i], 20000);
        for (d = 0; d <= LAYERS; d++)
            after += e->heard[d] + e->said[d];
    }
    return moved || after != before;
}

/* 1: all was said and heard. */
static int settle(int (*is_done)(void))
{
    int rounds, idle = 0;

    for (rounds = 0; rounds < ROUNDS && idle < 6; rounds++) {
        check_both();
        if (is_done())
            return 1;
        idle = go_on() ? 0 : idle + 1;
    }
    return 0;
}

static int all_is_heard(void)
{
    int i, d, layer;

    for (i = 0; i < 2; i++) {
        struct end *e = &w.end[i];

        if (e->pending > 0)
            return 0;
        for (d = 0; d <= LAYERS; d++)
            if (e->said[d] != other(e)->heard[d])
                return 0;
        for (layer = 1; layer <= reads_at(e); layer++)
            if (!SSL_is_init_finished(BIO_onion_get0_ssl(e->bio, layer)))
                return 0;
    }
    return 1;
}

static int both_in_the_clear(void)
{
    int i;

    for (i = 0; i < 2; i++)
        stop(&w.end[i], 0);
    return reads_at(&w.end[0]) == 0 && reads_at(&w.end[1]) == 0;
}

/* What has failed does nothing any more. */
static void check_failed(struct end *e)
{
    size_t out = BIO_ctrl_pending(e->out->from);
    int i;

    for (i = 0; e->failed && i < 2; i++) {
        e->pending = 0;
        say(e, 6);
        hear(e, 0, 1);
        stop(e, 0);
        FUZZ_MUST(BIO_ctrl_pending(e->out->from) == out,
                  "failure: nothing is written");
    }
}

/* The transport ends: that is a failure of whatever is not closed. */
static void end_all(void)
{
    int i;

    w.hostile = 1;
    settle(all_is_heard);
    for (i = 0; i < 2; i++)
        relay_end(&w.way[i]);
    for (i = 0; i < 2; i++) {
        struct end *e = &w.end[i];
        int n;

        for (n = 0; !e->failed && reads_at(e) > 0 && n < ROUNDS; n++)
            hear(e, 0, 20000);
        FUZZ_MUST(e->failed || reads_at(e) == 0, "failure: at the end");
        FUZZ_MUST(e->failed || !w.strict[i], "failure: of what is forged");
        check_failed(e);
    }
}

static void end_well(void)
{
    FUZZ_MUST(settle(all_is_heard), "progress: all is heard");
    FUZZ_MUST(settle(both_in_the_clear), "progress: all is closed");
}

static void finish(void)
{
    int i;

    for (i = 0; i < 2; i++) {
        ERR_clear_error();
        BIO_free_all(w.end[i].bio);
        FUZZ_MUST(ERR_peek_error() == 0, "queue: empty after the end");
        relay_carry(&w.way[i], 20000);
        FUZZ_MUST(!w.way[i].saw, "secret");
    }
    relay_free(w.way);
}

/*
 * Sessions, of a conversation for each limit
 */

static void learn(unsigned limit)
{
    struct fuzz_input none = { NULL, 0 };
    int i;

    fuzz_begin();
    begin(&none);
    w.limit = limit;
    /* The first layer is of another limit; it is started anew. */
    FUZZ_MUST(settle(both_in_the_clear), "a sound session");
    for (i = 0; i < LAYERS; i++)
        start(RESUME);
    FUZZ_MUST(settle(all_is_heard), "a sound session");
    go_on();
    go_on();
    for (i = 1; i <= LAYERS; i++) {
        SSL_SESSION *s = SSL_get1_session(BIO_onion_get0_ssl(w.end[0].bio, i));

        FUZZ_MUST(SSL_SESSION_is_resumable(s)
                  && SSL_SESSION_get_max_early_data(s)
                     == (uint32_t)limits[limit], "a session to resume");
        sessions[limit][i] = SSL_SESSION_dup(s);
        SSL_SESSION_free(s);
    }
    finish();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    unsigned limit;
    int layer, kind;

    (void)argc;
    (void)argv;
    fuzz_start_tls();
    for (layer = 1; layer <= LAYERS; layer++)
        for (kind = RESUME; kind <= FORGET; kind++)
            SSL_CTX_set_session_cache_mode(
                test_server_ctx(TLS1_3_VERSION, test_name(layer),
                                flags_of(layer, kind)), SSL_SESS_CACHE_OFF);
    for (limit = 0; limit < LIMITS; limit++)
        learn(limit);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    fuzz_begin();
    begin(&in);
    while (in.len > 0) {
        act(&in);
        check_both();
    }
    if (may_fail())
        end_all();
    else
        end_well();
    finish();
    return 0;
}
