/*
 * test_bytes.c - every byte and every record of a session of two layers, cut,
 * changed, or out of its place.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All certificates are Ed25519, so the streams have the same length in each
 * run, and a case is a place in them: of what a or b reads from the transport
 * or, between the layers, of what the inner layer reads. See sweep.h for how
 * many of them are run; a failure says the case to be run alone.
 *
 * The expectation is that of talk.h, and that a session whose bytes were
 * changed fails, in the layer they belong to. OpenSSL lets pass what TLS does
 * not protect: the version number in the head of a record in the clear, and
 * the change_cipher_spec of TLS 1.3, which means nothing (RFC 8446, appendix
 * D.4). A session that completes in spite of such a change is what it was.
 */

#include <stdio.h>
#include <string.h>
#include "sweep.h"
#include "talk.h"

static const char script_a[] = "+1s1h1+2s2h2-1b2s1h1-0b1";
static const char script_b[] = "+1h1s1+2h2s2b2-1h1s1b1-0";

/* The streams: of a and b, from the transport and to the inner layer. */
#define STREAMS 4

struct stream {
    unsigned char *data;
    size_t len;
};

static struct talk clean;
static struct stream streams[STREAMS];
static int version, flip;

static int layer_of(int stream)
{
    return 1 + stream / 2;
}

static struct talk_side *side_of(struct talk *t, int stream)
{
    return stream % 2 == 0 ? &t->a : &t->b;
}

static void keep_stream(struct talk *t, int i)
{
    struct tap_side *in = &tap_of(side_of(t, i)->tap[layer_of(i)])->in;

    if (streams[i].data != NULL && streams[i].len != in->len)
        ck_abort_msg("stream %d has %zu bytes, and had %zu", i, in->len,
                     streams[i].len);
    streams[i].data = realloc(streams[i].data, in->len);
    memcpy(streams[i].data, in->data, in->len);
    streams[i].len = in->len;
}

/* Without a fault, and thrice, to see that the lengths are stable. */
static void run_clean(int i)
{
    int n, k;

    version = i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    flip = i / 2;
    snprintf(talk_what, sizeof(talk_what), "clean, %s, %s is the client",
             i % 2 == 0 ? "TLS 1.3" : "TLS 1.2", flip ? "b" : "a");
    talk_prepare(version);
    for (n = 0; n < 3; n++) {
        talk_new(&clean, version, flip, script_a, script_b);
        if (!talk_run(&clean))
            ck_abort_msg("%s: %s%s", talk_what, clean.a.error, clean.b.error);
        for (k = 0; k < STREAMS; k++)
            keep_stream(&clean, k);
        talk_free(&clean);
    }
}

static void forget(void)
{
    int i;

    for (i = 0; i < STREAMS; i++)
        free(streams[i].data);
    memset(streams, 0, sizeof(streams));
}

static size_t all_bytes(void)
{
    size_t sum = 0;
    int i;

    for (i = 0; i < STREAMS; i++)
        sum += streams[i].len;
    return sum;
}

/* The stream of the n-th byte of all; *n is its place there then. */
static int stream_of(size_t *n)
{
    int i = 0;

    while (*n >= streams[i].len)
        *n -= streams[i++].len;
    return i;
}

static size_t record_end(const struct stream *s, size_t at)
{
    return at + 5 + (size_t)s->data[at + 3] * 256 + s->data[at + 4];
}

static size_t records_in(const struct stream *s)
{
    size_t at, n = 0;

    for (at = 0; at < s->len; at = record_end(s, at))
        n++;
    ck_assert_uint_eq(at, s->len);
    return n;
}

static size_t nth_record(const struct stream *s, size_t n)
{
    size_t at = 0;

    while (n-- > 0)
        at = record_end(s, at);
    return at;
}

/* The record that has this byte. */
static size_t record_at(const struct stream *s, size_t byte)
{
    size_t at = 0;

    while (record_end(s, at) <= byte)
        at = record_end(s, at);
    return at;
}

/* A change of this byte, or of the order of this record, may do no harm. */
static int is_unprotected(const struct stream *s, size_t byte)
{
    size_t record = record_at(s, byte), in = byte - record;
    int type = s->data[record];

    if (type == SSL3_RT_CHANGE_CIPHER_SPEC && version == TLS1_3_VERSION)
        return 1;
    return type != SSL3_RT_APPLICATION_DATA && (in == 1 || in == 2);
}

struct tally {
    size_t failed, completed;
    size_t layer[3];            /* failures by the layer that is named */
};

static void one_by_fault(int i, struct edit edit, struct talk *t)
{
    talk_new(t, version, flip, script_a, script_b);
    t->end_at = layer_of(i);
    talk_edit(side_of(t, i), layer_of(i), edit);
}

static void name_case(const char *kind, size_t n, int i, size_t at)
{
    snprintf(talk_what, sizeof(talk_what),
             "ONION_CASE=%zu, %s of stream %d (to layer %d of %c), byte %zu,"
             " TLS 1.%d, %s is the client", n, kind, i, layer_of(i),
             i % 2 == 0 ? 'a' : 'b', at, version == TLS1_3_VERSION ? 3 : 2,
             flip ? "b" : "a");
}

/* A cut is told as what it was, and at once, not when the transport ends. */
static void is_cut(const struct talk_side *s, enum edit_kind kind)
{
    int reason = kind == EDIT_END ? ONION_R_TRUNCATED
        : s->layer == 1 ? ONION_R_TRANSPORT_FAILED : ONION_R_BELOW_FAILED;

    if (s->reason != reason)
        talk_broken(s->error, s);
}

/* The fault fails the side it was done to, in the layer it was done to. */
static void must_fail(const char *kind, size_t n, int i, struct edit edit,
                      int may_pass, struct tally *tally)
{
    struct talk_side *s;
    struct talk t;
    int passed;

    name_case(kind, n, i, edit.at);
    one_by_fault(i, edit, &t);
    passed = talk_run(&t);
    s = side_of(&t, i);
    if (!talk_edited(s, layer_of(i)))
        talk_broken("the fault was never reached", s);
    if (passed && !may_pass)
        talk_broken("it was a success", s);
    if (passed)
        talk_same_facts(&t, &clean);
    if (!passed && (!s->failed || s->layer != layer_of(i)))
        talk_broken(s->failed ? s->error : "it did not fail there", s);
    if (edit.kind == EDIT_END || edit.kind == EDIT_RESET)
        is_cut(s, edit.kind);
    tally->completed += (size_t)passed;
    tally->failed += !passed;
    tally->layer[passed ? 0 : s->layer]++;
    talk_free(&t);
}

static void report(const struct sweep *s, const char *kind,
                   const struct tally *t)
{
    sweep_report(s, kind, "TLS 1.%d, %s the client, streams of %zu + %zu and"
                 " %zu + %zu bytes: %zu failed (layer 1: %zu, layer 2: %zu),"
                 " %zu completed", version == TLS1_3_VERSION ? 3 : 2,
                 flip ? "b" : "a", streams[0].len, streams[1].len,
                 streams[2].len, streams[3].len, t->failed, t->layer[1],
                 t->layer[2], t->completed);
}

/*
 * Cuts
 */

static void cut_everywhere(const char *kind, enum edit_kind edit, int i,
                           size_t usual)
{
    struct tally tally = { 0 };
    struct sweep s;
    size_t at;
    int stream;

    run_clean(i);
    sweep_start(&s, all_bytes(), usual);
    while (sweep_next(&s)) {
        at = s.at;
        stream = stream_of(&at);
        must_fail(kind, s.at, stream, (struct edit) { .kind = edit, .at = at },
                  0, &tally);
    }
    report(&s, kind, &tally);
    ck_assert_uint_eq(tally.completed, 0);
    forget();
}

START_TEST(an_end_at_any_byte_is_a_truncation)
{
    cut_everywhere("end", EDIT_END, _i, 130);
}
END_TEST

START_TEST(a_reset_at_any_byte_is_a_failure)
{
    cut_everywhere("reset", EDIT_RESET, _i, 130);
}
END_TEST

/* Delivery in other pieces changes nothing at all. */
static void deliver_everywhere(const char *kind, enum edit_kind edit, int i,
                               size_t usual)
{
    struct tally tally = { 0 };
    struct sweep s;
    struct talk t;
    size_t at;
    int stream;

    run_clean(i);
    sweep_start(&s, all_bytes(), usual);
    while (sweep_next(&s)) {
        at = s.at;
        stream = stream_of(&at);
        name_case(kind, s.at, stream, at);
        one_by_fault(stream, (struct edit) { .kind = edit, .at = at }, &t);
        if (!talk_run(&t))
            ck_abort_msg("%s: %s%s", talk_what, t.a.error, t.b.error);
        if (!talk_edited(side_of(&t, stream), layer_of(stream)))
            talk_broken("the place was never reached", &t.a);
        talk_same_facts(&t, &clean);
        talk_free(&t);
        tally.completed++;
    }
    report(&s, kind, &tally);
    forget();
}

START_TEST(a_retry_before_any_byte_changes_nothing)
{
    deliver_everywhere("would-block", EDIT_WAIT, _i, 130);
}
END_TEST

START_TEST(any_byte_may_come_alone)
{
    deliver_everywhere("one byte", EDIT_ALONE, _i, 130);
}
END_TEST

/*
 * Changes
 */

START_TEST(any_byte_that_is_flipped_is_a_failure)
{
    struct tally tally = { 0 };
    struct sweep s;
    struct edit edit = { .kind = EDIT_FLIP };
    int stream;

    run_clean(_i);
    sweep_start(&s, all_bytes(), 130);
    while (sweep_next(&s)) {
        edit.at = s.at;
        stream = stream_of(&edit.at);
        edit.mask = (unsigned char)(1 << s.at % 8);
        must_fail("flip", s.at, stream, edit,
                  is_unprotected(&streams[stream], edit.at), &tally);
    }
    report(&s, "flip", &tally);
    forget();
}
END_TEST

static size_t all_records(void)
{
    size_t sum = 0;
    int i;

    for (i = 0; i < STREAMS; i++)
        sum += records_in(&streams[i]);
    return sum;
}

/* The stream of the n-th record of all; *at is where that begins. */
static int stream_of_record(size_t n, size_t *at)
{
    int i = 0;

    while (n >= records_in(&streams[i]))
        n -= records_in(&streams[i++]);
    *at = nth_record(&streams[i], n);
    return i;
}

/* 0: there is no such change here. */
static int edit_record(struct edit *edit, const struct stream *s)
{
    edit->mid = record_end(s, edit->at);
    edit->end = edit->mid;
    /* What comes behind the last record of a layer is not the layer's. */
    if (edit->kind != EDIT_DROP && edit->mid == s->len)
        return 0;
    if (edit->kind == EDIT_SWAP)
        edit->end = record_end(s, edit->mid);
    return 1;
}

static void records_everywhere(const char *kind, enum edit_kind what, int i)
{
    struct edit edit = { .kind = what };
    struct tally tally = { 0 };
    struct sweep s;
    const struct stream *stream;
    int k;

    run_clean(i);
    sweep_start(&s, all_records(), 40);
    while (sweep_next(&s)) {
        k = stream_of_record(s.at, &edit.at);
        stream = &streams[k];
        if (edit_record(&edit, stream))
            must_fail(kind, s.at, k, edit,
                      is_unprotected(stream, edit.at)
                      || (what == EDIT_SWAP
                          && is_unprotected(stream, edit.mid)), &tally);
    }
    report(&s, kind, &tally);
    forget();
}

START_TEST(any_record_that_is_dropped_is_a_failure)
{
    records_everywhere("dropped record", EDIT_DROP, _i);
}
END_TEST

START_TEST(any_record_that_is_doubled_is_a_failure)
{
    records_everywhere("doubled record", EDIT_DOUBLE, _i);
}
END_TEST

START_TEST(any_two_records_that_are_swapped_are_a_failure)
{
    records_everywhere("swapped records", EDIT_SWAP, _i);
}
END_TEST

/* _i: version x who is the client; a is the one that stops first. */
int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *tc = test_case(suite, "cut");

    sweep_timeout(tc);
    tcase_add_loop_test(tc, an_end_at_any_byte_is_a_truncation, 0, 4);
    tcase_add_loop_test(tc, a_reset_at_any_byte_is_a_failure, 0, 4);
    tcase_add_loop_test(tc, a_retry_before_any_byte_changes_nothing, 0, 4);
    tcase_add_loop_test(tc, any_byte_may_come_alone, 0, 4);
    tc = test_case(suite, "change");
    sweep_timeout(tc);
    tcase_add_loop_test(tc, any_byte_that_is_flipped_is_a_failure, 0, 4);
    tcase_add_loop_test(tc, any_record_that_is_dropped_is_a_failure, 0, 4);
    tcase_add_loop_test(tc, any_record_that_is_doubled_is_a_failure, 0, 4);
    tcase_add_loop_test(tc, any_two_records_that_are_swapped_are_a_failure,
                        0, 4);
    return test_main(suite);
}
