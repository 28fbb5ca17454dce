/*
 * talk.c - a conversation of two stacks by a script, in which all may fail.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/x509v3.h>
#include "talk.h"

char talk_what[200];

void talk_broken(const char *law, const struct talk_side *s)
{
    const char *data = "";
    char text[256];
    int flags;

    ERR_error_string_n(ERR_peek_last_error_data(&data, &flags), text,
                       sizeof(text));
    ck_abort_msg("%s: %s: %c before '%.2s', depths %d/%d (%s: %s)", talk_what,
                 law, s->name, s->script, BIO_onion_read_depth(s->bio),
                 BIO_onion_write_depth(s->bio), text,
                 data == NULL ? "" : data);
}

/*
 * The edit, a filter
 */

struct editor {
    struct edit edit;
    size_t seen;            /* bytes that came from below */
    int done;               /* it has begun */
    unsigned char *held;    /* of those that are being edited */
    size_t held_len;
    unsigned char *out;     /* to be read */
    size_t out_len, out_off;
};

static void put(unsigned char **to, size_t *len, const void *data, size_t n)
{
    *to = realloc(*to, *len + n + 1);
    memcpy(*to + *len, data, n);
    *len += n;
}

static void emit(struct editor *e, const void *data, size_t n)
{
    put(&e->out, &e->out_len, data, n);
}

/* The bytes of the edit are all there. */
static void edit_held(struct editor *e)
{
    size_t first = e->edit.mid - e->edit.at;

    if (e->edit.kind == EDIT_DOUBLE) {
        emit(e, e->held, e->held_len);
        emit(e, e->held, e->held_len);
    } else if (e->edit.kind == EDIT_SWAP) {
        emit(e, e->held + first, e->held_len - first);
        emit(e, e->held, first);
    }
}

static void edit_byte(struct editor *e, unsigned char c)
{
    size_t at = e->seen++;

    if (e->edit.kind == EDIT_FLIP && at == e->edit.at) {
        e->done = 1;
        c ^= e->edit.mask;
    }
    if (e->edit.kind < EDIT_DROP || e->edit.kind > EDIT_SWAP
        || at < e->edit.at || at >= e->edit.end) {
        emit(e, &c, 1);
        return;
    }
    e->done = 1;
    put(&e->held, &e->held_len, &c, 1);
    if (at + 1 == e->edit.end)
        edit_held(e);
}

/* How much may come up at once. */
static int edit_allow(const struct editor *e, int len)
{
    size_t to = e->seen < e->edit.at ? e->edit.at : e->seen + 1;

    if (e->edit.kind < EDIT_INSERT || e->seen > e->edit.at)
        return len;
    return (size_t)len < to - e->seen ? len : (int)(to - e->seen);
}

/* What comes before the byte at `at': 1 if it is the result of the call. */
static int edit_comes(BIO *b, struct editor *e)
{
    if (e->seen != e->edit.at || e->edit.kind < EDIT_INSERT)
        return 0;
    switch (e->edit.kind) {
    case EDIT_END:
    case EDIT_RESET:
        e->done = 1;
        return 1;
    case EDIT_WAIT:
        if (e->done++)
            return 0;
        BIO_set_retry_read(b);
        return 1;
    case EDIT_INSERT:
        if (!e->done++)
            emit(e, e->edit.data, e->edit.len);
        return 0;
    default:
        e->done = 1;
        return 0;
    }
}

static int edit_give(struct editor *e, char *out, int len)
{
    size_t n = e->out_len - e->out_off;

    if (n > (size_t)len)
        n = (size_t)len;
    memcpy(out, e->out + e->out_off, n);
    e->out_off += n;
    if (e->out_off == e->out_len)
        e->out_off = e->out_len = 0;
    return (int)n;
}

static int edit_read(BIO *b, char *out, int len)
{
    struct editor *e = BIO_get_data(b);
    int n, i;

    BIO_clear_retry_flags(b);
    if (e->out_len == 0 && edit_comes(b, e))
        return e->edit.kind == EDIT_END ? 0 : -1;
    if (e->out_len > 0)
        return edit_give(e, out, len);
    do {
        n = BIO_read(BIO_next(b), out, edit_allow(e, len));
        if (n <= 0) {
            BIO_copy_next_retry(b);
            return n;
        }
        for (i = 0; i < n; i++)
            edit_byte(e, (unsigned char)out[i]);
    } while (e->out_len == 0);
    return edit_give(e, out, len);
}

static int edit_write(BIO *b, const char *in, int len)
{
    int ret = BIO_write(BIO_next(b), in, len);

    BIO_clear_retry_flags(b);
    BIO_copy_next_retry(b);
    return ret;
}

static long edit_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct editor *e = BIO_get_data(b);
    long ret;

    if (cmd == BIO_CTRL_PUSH || cmd == BIO_CTRL_POP || cmd == BIO_CTRL_DUP
        || BIO_next(b) == NULL)
        return 0;
    if (cmd == BIO_CTRL_PENDING && e->out_len > 0)
        return (long)(e->out_len - e->out_off);
    if (cmd == BIO_CTRL_EOF && e->edit.kind == EDIT_END && e->done)
        return 1;
    ret = BIO_ctrl(BIO_next(b), cmd, num, ptr);
    if (cmd == BIO_CTRL_FLUSH) {
        BIO_clear_retry_flags(b);
        BIO_copy_next_retry(b);
    }
    return ret;
}

static int edit_create(BIO *b)
{
    BIO_set_data(b, calloc(1, sizeof(struct editor)));
    BIO_set_init(b, 1);
    return 1;
}

static int edit_destroy(BIO *b)
{
    struct editor *e = BIO_get_data(b);

    free(e->held);
    free(e->out);
    free(e);
    return 1;
}

static BIO *edit_new(void)
{
    static BIO_METHOD *method;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "edit");
        BIO_meth_set_read(method, edit_read);
        BIO_meth_set_write(method, edit_write);
        BIO_meth_set_ctrl(method, edit_ctrl);
        BIO_meth_set_create(method, edit_create);
        BIO_meth_set_destroy(method, edit_destroy);
    }
    return BIO_new(method);
}

void talk_edit(struct talk_side *s, int layer, struct edit edit)
{
    struct editor *e = BIO_get_data(s->edit[layer]);

    e->edit = edit;
}

int talk_edited(const struct talk_side *s, int layer)
{
    struct editor *e = BIO_get_data(s->edit[layer]);

    return e->done;
}

/*
 * Setting up
 */

/* Ed25519 in every layer: what it signs has always the same length. */
static SSL_CTX *server_ctx(int version, int layer)
{
    return test_server_ctx(version, test_name(layer), 0);
}

void talk_prepare(int version)
{
    int i;

    for (i = 1; i <= TALK_LAYERS; i++)
        server_ctx(version, i);
    test_client_ctx(version, 1);
    BIO_free_all(BIO_push(tap_new(), edit_new()));
    BIO_free(BIO_new(BIO_f_onion()));
}

/* The taps are made before, so that a talk makes nothing but its layers. */
static void side_new(struct talk_side *s, char name, const char *script,
                     BIO *half, struct talk_side *other)
{
    int i;

    memset(s, 0, sizeof(*s));
    s->name = name;
    s->script = script;
    s->other = other;
    for (i = 1; i <= TALK_LAYERS; i++) {
        s->tap[i] = tap_new();
        s->edit[i] = edit_new();
        BIO_push(s->tap[i], s->edit[i]);
        BIO_up_ref(s->tap[i]);      /* it is looked at when all is freed */
    }
    BIO_push(s->edit[1], half);
    s->placed = 1;
    s->bio = BIO_new_onion_stack(s->tap[1]);
    s->failed = s->bio == NULL;
}

void talk_new(struct talk *t, int version, int flip, const char *script_a,
              const char *script_b)
{
    BIO *half_a, *half_b;

    memset(t, 0, sizeof(*t));
    t->version = version;
    t->flip = flip;
    t->end_at = 1;
    ck_assert(BIO_new_bio_pair(&half_a, 70000, &half_b, 70000));
    side_new(&t->a, 'a', script_a, half_a, &t->b);
    side_new(&t->b, 'b', script_b, half_b, &t->a);
}

/*
 * Failing
 */

int talk_without_text;

static void is_named(struct talk_side *s, const char *data)
{
    char name[32];
    const char *found;

    if (talk_without_text && (data == NULL || data[0] == '\0'))
        return;
    snprintf(name, sizeof(name), "layer %d", s->layer);
    found = data == NULL ? NULL : strstr(data, name);
    if (found == NULL || (found[strlen(name)] >= '0'
                          && found[strlen(name)] <= '9'))
        talk_broken("the error does not name the layer that failed", s);
}

/* Reads and writes fail like this for ever, and nothing more is sent. */
static void stays_failed(struct talk_side *s)
{
    int r = BIO_onion_read_depth(s->bio), w = BIO_onion_write_depth(s->bio);
    size_t out = tap_of(s->tap[1])->out.len;
    char c;
    int i;

    for (i = 0; i < 2; i++) {
        if (BIO_write(s->bio, "SECRET", 6) > 0)
            talk_broken("a write after a failure", s);
        if (BIO_read(s->bio, &c, 1) >= 0 || BIO_should_retry(s->bio))
            talk_broken("a read after a failure", s);
        if (BIO_onion_stop_tls(s->bio, 0) >= 0
            || BIO_onion_drop_tls(s->bio, 0) > 0)
            talk_broken("a way down after a failure", s);
    }
    if (BIO_onion_read_depth(s->bio) != r || BIO_onion_write_depth(s->bio) != w)
        talk_broken("a depth changed after a failure", s);
    if (tap_of(s->tap[1])->out.len != out)
        talk_broken("bytes were sent after a failure", s);
    ERR_clear_error();
}

static int side_failed(struct talk_side *s)
{
    unsigned long e = ERR_peek_last_error();
    const char *data = NULL;
    int flags;

    ERR_peek_last_error_data(&data, &flags);
    if (e == 0 || ERR_GET_LIB(e) != BIO_onion_error_library())
        talk_broken("the newest error is not ours", s);
    s->failed = 1;
    s->layer = BIO_onion_failed_layer(s->bio, &s->reason);
    if (s->layer > 0)
        is_named(s, data);
    snprintf(s->error, sizeof(s->error), "%s: %s", ERR_reason_error_string(e),
             data == NULL ? "" : data);
    if (s->layer > 0)
        stays_failed(s);
    ERR_clear_error();
    return 1;
}

/* A call was not done: 1 if that is a failure, 0 if it wants a retry. */
static int not_done(struct talk_side *s, int ret)
{
    if (!BIO_should_retry(s->bio))
        return side_failed(s);
    if (ret != -1 || ERR_peek_error() != 0)
        talk_broken("a retry that is not -1 with an empty queue", s);
    return 0;
}

static int next_step(struct talk_side *s)
{
    if (ERR_peek_error() != 0)
        talk_broken("an error is left after success", s);
    s->script += 2;
    return 1;
}

/*
 * The steps
 */

/* A tap is put under what was just started, over the layer below it. */
static void place_tap(struct talk_side *s, int depth)
{
    BIO *layer = BIO_next(s->bio), *below = BIO_next(layer);

    if (depth <= s->placed)
        return;
    BIO_set_next(layer, NULL);
    BIO_push(s->edit[depth], below);
    BIO_push(layer, s->tap[depth]);
    s->placed = depth;
}

/* A tap that was there already is below its layer no more. */
static int do_start(struct talk *t, struct talk_side *s, int depth)
{
    int client = (s == &t->a) != t->flip, ret;

    ret = client
        ? BIO_onion_start_client(s->bio, test_client_ctx(t->version, 1),
                                 test_name(depth))
        : BIO_onion_start_server(s->bio, server_ctx(t->version, depth));
    if (ret != 1)
        return side_failed(s);
    place_tap(s, depth);
    s->starts++;
    return next_step(s);
}

/* What a side says, the n-th time. */
static void sentence(char out[TALK_SENTENCE], char who, int n, int depth)
{
    snprintf(out, TALK_SENTENCE, "%s%d of %c, number %02d\n",
             depth > 0 ? "SECRET" : "CLEAR", depth, who, n);
}

static int do_say(struct talk_side *s, int depth)
{
    int ret;

    if (BIO_onion_write_depth(s->bio) != depth)
        talk_broken("not at the depth to say it", s);
    sentence(s->sentence, s->name, s->said, depth);
    ret = BIO_write(s->bio, s->sentence, (int)strlen(s->sentence));
    if (ret <= 0)
        return not_done(s, ret);
    if (ret != (int)strlen(s->sentence))
        talk_broken("a short write", s);
    s->said++;
    return next_step(s);
}

/* Of the layer that reads enter, when its first sentence has come. */
static void note_facts(struct talk_side *s, int depth)
{
    SSL *ssl = BIO_onion_get0_ssl(s->bio, depth);
    X509 *peer = SSL_get0_peer_certificate(ssl);
    const char *asked;
    char *facts;

    if (depth == 0 || s->facts[s->starts - 1][0] != '\0')
        return;
    facts = s->facts[s->starts - 1];
    asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    /*
     * SSL_get0_peername() has none if there was no memory to note it. A stack
     * that is busy sets aside SSL_OP_CLEANSE_PLAINTEXT until it rests.
     */
    ERR_set_mark();
    snprintf(facts, 200, "%s %s verify=%ld peer=%d name=%s mode=%d options=%lx",
             SSL_get_version(ssl), SSL_get_cipher_name(ssl),
             SSL_get_verify_result(ssl), peer == NULL || asked == NULL ? -1
                 : X509_check_host(peer, asked, 0, 0, NULL),
             asked == NULL ? "-" : asked, SSL_get_verify_mode(ssl),
             (unsigned long)(SSL_get_options(ssl) & ~SSL_OP_CLEANSE_PLAINTEXT));
    ERR_pop_to_mark();
}

/* A read gave 0: an end in the clear, where the transport has ended. */
static int end_in_the_clear(struct talk_side *s, int depth)
{
    if (depth != 0 || BIO_eof(s->bio) != 1)
        return 0;
    s->failed = 1;
    s->layer = 0;
    return 1;
}

static int do_hear(struct talk_side *s, int depth)
{
    char expected[TALK_SENTENCE], in[TALK_SENTENCE];
    int at = BIO_onion_read_depth(s->bio), len, ret;

    sentence(expected, s->other->name, s->heard, depth);
    len = (int)strlen(expected) - s->off;
    ret = BIO_read(s->bio, in, len);
    if (ret == 0 && end_in_the_clear(s, at))
        return 1;
    if (ret < 0)
        return not_done(s, ret);
    if (ret == 0)
        talk_broken("a boundary where none was sent", s);
    if (at != depth || BIO_onion_read_depth(s->bio) != depth)
        talk_broken("data at another depth", s);
    if (memcmp(in, expected + s->off, (size_t)ret) != 0)
        talk_broken("wrong data", s);
    note_facts(s, depth);
    s->off += ret;
    if (ret < len)
        return 1;
    s->off = 0;
    s->heard++;
    return next_step(s);
}

static int do_stop(struct talk_side *s, int depth)
{
    int ret;

    if (s->stopping != s->script)
        s->closed += BIO_onion_write_depth(s->bio) - depth;
    s->stopping = s->script;
    ret = BIO_onion_stop_tls(s->bio, depth);
    if (ret < 0)
        return not_done(s, ret);
    if (BIO_onion_write_depth(s->bio) != depth)
        talk_broken("a stop that is not where it should be", s);
    return next_step(s);
}

static int do_boundary(struct talk_side *s, int depth)
{
    int at = BIO_onion_read_depth(s->bio), ret;
    char c;

    ret = BIO_read(s->bio, &c, 1);
    if (ret < 0)
        return not_done(s, ret);
    if (ret > 0)
        talk_broken("data where a boundary should be", s);
    if (end_in_the_clear(s, at))
        return 1;
    if (at != depth || BIO_onion_read_depth(s->bio) != depth - 1
        || BIO_eof(s->bio))
        talk_broken("a boundary of another layer", s);
    if (++s->boundaries > s->other->closed)
        talk_broken("a boundary that the peer has not sent", s);
    return next_step(s);
}

int talk_step(struct talk *t, struct talk_side *s)
{
    int depth;

    if (s->failed || s->script[0] == '\0')
        return 0;
    depth = s->script[1] - '0';
    switch (s->script[0]) {
    case '+':
        return do_start(t, s, depth);
    case 's':
        return do_say(s, depth);
    case 'h':
        return do_hear(s, depth);
    case '-':
        return do_stop(s, depth);
    case 'b':
        return do_boundary(s, depth);
    default:
        talk_broken("no such step", s);
        return 0;
    }
}

static int is_over(const struct talk *t)
{
    return (t->a.failed || t->a.script[0] == '\0')
        && (t->b.failed || t->b.script[0] == '\0');
}

static uint64_t moved(const struct talk_side *s)
{
    const struct tap *t = tap_of(s->tap[1]);

    return t->in.len + t->out.len;
}

/* Until nothing moves: a hundred rounds, since some ask to come again. */
static void run_out(struct talk *t)
{
    uint64_t before;
    int idle = 0;

    while (!is_over(t) && idle < 50) {
        before = moved(&t->a) + moved(&t->b);
        if (talk_step(t, &t->a) + talk_step(t, &t->b) > 0
            || moved(&t->a) + moved(&t->b) != before)
            idle = 0;
        else
            idle++;
    }
}

static void end_side(struct talk_side *s, int at)
{
    struct tap_side *in = &tap_of(s->tap[at])->in;

    if (at > s->placed)
        return;
    in->limit = in->len;
    in->end = TAP_EOF;
}

int talk_run(struct talk *t)
{
    run_out(t);
    if (!is_over(t)) {
        t->ended = 1;
        end_side(&t->a, t->end_at);
        end_side(&t->b, t->end_at);
        run_out(t);
    }
    if (!is_over(t)) {
        end_side(&t->a, 1);
        end_side(&t->b, 1);
        run_out(t);
    }
    if (!is_over(t))
        talk_broken("it hangs", t->a.failed || t->a.script[0] == '\0'
                    ? &t->b : &t->a);
    return !t->a.failed && !t->b.failed;
}

static void look_through(struct talk_side *s)
{
    int i;

    for (i = 1; i <= TALK_LAYERS; i++)
        if (tap_saw(&tap_of(s->tap[i])->out, "SECRET")
            || tap_saw(&tap_of(s->tap[i])->in, "SECRET"))
            talk_broken("a secret in the clear", s);
}

/*
 * BIO_free_all() ends at each tap, since that has a reference more; what was
 * not placed in a chain has one that is not the chain's.
 */
static void side_free(struct talk_side *s)
{
    int i;

    if (s->bio != NULL)
        BIO_free_all(s->bio);
    else
        BIO_free(s->tap[1]);
    s->bio = NULL;
    look_through(s);
    for (i = TALK_LAYERS; i > 0; i--) {
        if (i > s->placed)
            BIO_free(s->tap[i]);
        BIO_free_all(s->tap[i]);
    }
}

void talk_free(struct talk *t)
{
    side_free(&t->a);
    side_free(&t->b);
    if (ERR_peek_error() != 0)
        talk_broken("an error is left after freeing", &t->a);
}

void talk_same_facts(const struct talk *t, const struct talk *clean)
{
    int i;

    for (i = 0; i < TALK_STARTS; i++)
        if (strcmp(t->a.facts[i], clean->a.facts[i]) != 0
            || strcmp(t->b.facts[i], clean->b.facts[i]) != 0)
            ck_abort_msg("%s: a layer is not what it was: a '%s' not '%s',"
                         " b '%s' not '%s'", talk_what, t->a.facts[i],
                         clean->a.facts[i], t->b.facts[i], clean->b.facts[i]);
}
