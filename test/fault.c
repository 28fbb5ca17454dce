/*
 * fault.c - a session of two layers with one fault at one place.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fault.h"

static const char script_a[] = "+1s1h1+2s2h2-1b2s1h1-0b1";
static const char script_b[] = "+1h1s1+2h2s2b2-1h1s1b1-0";

static struct talk clean;
static struct stream streams[FAULT_STREAMS];
static int version, flip;

int fault_layer(int stream)
{
    return 1 + stream / 2;
}

struct talk_side *fault_side(struct talk *t, int stream)
{
    return stream % 2 == 0 ? &t->a : &t->b;
}

static void keep_stream(struct talk *t, int i)
{
    struct tap_side *in = &tap_of(fault_side(t, i)->tap[fault_layer(i)])->in;

    if (streams[i].data != NULL && streams[i].len != in->len)
        ck_abort_msg("stream %d has %zu bytes, and had %zu", i, in->len,
                     streams[i].len);
    streams[i].data = realloc(streams[i].data, in->len);
    ck_assert_ptr_nonnull(streams[i].data);
    memcpy(streams[i].data, in->data, in->len);
    streams[i].len = in->len;
}

/* Without a fault, and thrice, to see that the lengths are stable. */
void fault_prepare(int i)
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
        for (k = 0; k < FAULT_STREAMS; k++)
            keep_stream(&clean, k);
        talk_free(&clean);
    }
}

void fault_forget(void)
{
    int i;

    for (i = 0; i < FAULT_STREAMS; i++)
        free(streams[i].data);
    memset(streams, 0, sizeof(streams));
}

size_t fault_bytes(void)
{
    size_t sum = 0;
    int i;

    for (i = 0; i < FAULT_STREAMS; i++)
        sum += streams[i].len;
    return sum;
}

/* The stream of the n-th byte of all; *n is its place there then. */
int fault_stream_of(size_t *n)
{
    int i = 0;

    while (*n >= streams[i].len)
        *n -= streams[i++].len;
    return i;
}

size_t fault_record_end(const struct stream *s, size_t at)
{
    return at + 5 + (size_t)s->data[at + 3] * 256 + s->data[at + 4];
}

size_t fault_records_in(const struct stream *s)
{
    size_t at, n = 0;

    for (at = 0; at < s->len; at = fault_record_end(s, at))
        n++;
    ck_assert_uint_eq(at, s->len);
    return n;
}

size_t fault_nth_record(const struct stream *s, size_t n)
{
    size_t at = 0;

    while (n-- > 0)
        at = fault_record_end(s, at);
    return at;
}

/* The record that has this byte. */
static size_t record_at(const struct stream *s, size_t byte)
{
    size_t at = 0;

    while (fault_record_end(s, at) <= byte)
        at = fault_record_end(s, at);
    return at;
}

/* A change of this byte, or of the order of this record, may do no harm. */
int fault_is_unprotected(const struct stream *s, size_t byte)
{
    size_t record = record_at(s, byte), in = byte - record;
    int type = s->data[record];

    if (type == SSL3_RT_CHANGE_CIPHER_SPEC && version == TLS1_3_VERSION)
        return 1;
    return type != SSL3_RT_APPLICATION_DATA && (in == 1 || in == 2);
}

static void one_by_fault(int i, struct edit edit, struct talk *t)
{
    talk_new(t, version, flip, script_a, script_b);
    t->end_at = fault_layer(i);
    talk_edit(fault_side(t, i), fault_layer(i), edit);
}

static void name_case(const char *kind, size_t n, int i, size_t at)
{
    snprintf(talk_what, sizeof(talk_what),
             "ONION_CASE=%zu, %s of stream %d (to layer %d of %c), byte %zu,"
             " TLS 1.%d, %s is the client", n, kind, i, fault_layer(i),
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
void fault_must_fail(const char *kind, size_t n, int i, struct edit edit,
                      int may_pass, struct fault_tally *tally)
{
    struct talk_side *s;
    struct talk t;
    int passed;

    name_case(kind, n, i, edit.at);
    one_by_fault(i, edit, &t);
    passed = talk_run(&t);
    s = fault_side(&t, i);
    if (!talk_edited(s, fault_layer(i)))
        talk_broken("the fault was never reached", s);
    if (passed && !may_pass)
        talk_broken("it was a success", s);
    if (passed)
        talk_same_facts(&t, &clean);
    if (!passed && (!s->failed || s->layer != fault_layer(i)))
        talk_broken(s->failed ? s->error : "it did not fail there", s);
    if (edit.kind == EDIT_END || edit.kind == EDIT_RESET)
        is_cut(s, edit.kind);
    tally->completed += (size_t)passed;
    tally->failed += !passed;
    tally->layer[passed ? 0 : s->layer]++;
    talk_free(&t);
}

void fault_report(const struct sweep *s, const char *kind,
                   const struct fault_tally *t)
{
    sweep_report(s, kind, "TLS 1.%d, %s the client, streams of %zu + %zu and"
                 " %zu + %zu bytes: %zu failed (layer 1: %zu, layer 2: %zu),"
                 " %zu completed", version == TLS1_3_VERSION ? 3 : 2,
                 flip ? "b" : "a", streams[0].len, streams[1].len,
                 streams[2].len, streams[3].len, t->failed, t->layer[1],
                 t->layer[2], t->completed);
}

/* It completes, as if there had been no fault. */
void fault_must_pass(const char *kind, size_t n, int i, struct edit edit,
                     struct fault_tally *tally)
{
    struct talk t;

    name_case(kind, n, i, edit.at);
    one_by_fault(i, edit, &t);
    if (!talk_run(&t))
        ck_abort_msg("%s: %s%s", talk_what, t.a.error, t.b.error);
    if (!talk_edited(fault_side(&t, i), fault_layer(i)))
        talk_broken("the place was never reached", &t.a);
    talk_same_facts(&t, &clean);
    talk_free(&t);
    tally->completed++;
}

const struct stream *fault_stream(int i)
{
    return &streams[i];
}
