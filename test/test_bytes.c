/*
 * test_bytes.c - every byte and every record of a session of two layers, cut,
 * changed, or out of its place.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The expectation is that of talk.h, and that a session whose bytes were
 * changed fails, in the layer they belong to: see fault.h. How many of the
 * cases are run is said by sweep.h; a failure tells the one to be run alone.
 */

#include "fault.h"

/*
 * Cuts
 */

static void cut_everywhere(const char *kind, enum edit_kind edit, int i,
                           size_t usual)
{
    struct fault_tally tally = { 0 };
    struct sweep s;
    size_t at;
    int stream;

    fault_prepare(i);
    sweep_start(&s, fault_bytes(), usual);
    while (sweep_next(&s)) {
        at = s.at;
        stream = fault_stream_of(&at);
        fault_must_fail(kind, s.at, stream,
                        (struct edit) { .kind = edit, .at = at }, 0, &tally);
    }
    fault_report(&s, kind, &tally);
    ck_assert_uint_eq(tally.completed, 0);
    fault_forget();
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
    struct fault_tally tally = { 0 };
    struct sweep s;
    size_t at;
    int stream;

    fault_prepare(i);
    sweep_start(&s, fault_bytes(), usual);
    while (sweep_next(&s)) {
        at = s.at;
        stream = fault_stream_of(&at);
        fault_must_pass(kind, s.at, stream,
                        (struct edit) { .kind = edit, .at = at }, &tally);
    }
    fault_report(&s, kind, &tally);
    fault_forget();
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
    struct fault_tally tally = { 0 };
    struct sweep s;
    struct edit edit = { .kind = EDIT_FLIP };
    int stream;

    fault_prepare(_i);
    sweep_start(&s, fault_bytes(), 130);
    while (sweep_next(&s)) {
        edit.at = s.at;
        stream = fault_stream_of(&edit.at);
        edit.mask = (unsigned char)(1 << s.at % 8);
        fault_must_fail("flip", s.at, stream, edit,
                        fault_is_unprotected(fault_stream(stream), edit.at),
                        &tally);
    }
    fault_report(&s, "flip", &tally);
    fault_forget();
}
END_TEST

static size_t all_records(void)
{
    size_t sum = 0;
    int i;

    for (i = 0; i < FAULT_STREAMS; i++)
        sum += fault_records_in(fault_stream(i));
    return sum;
}

/* The stream of the n-th record of all; *at is where that begins. */
static int stream_of_record(size_t n, size_t *at)
{
    int i = 0;

    while (n >= fault_records_in(fault_stream(i)))
        n -= fault_records_in(fault_stream(i++));
    *at = fault_nth_record(fault_stream(i), n);
    return i;
}

/* 0: there is no such change here. */
static int edit_record(struct edit *edit, const struct stream *s)
{
    edit->mid = fault_record_end(s, edit->at);
    edit->end = edit->mid;
    /* What comes behind the last record of a layer is not the layer's. */
    if (edit->kind != EDIT_DROP && edit->mid == s->len)
        return 0;
    if (edit->kind == EDIT_SWAP)
        edit->end = fault_record_end(s, edit->mid);
    return 1;
}

static void records_everywhere(const char *kind, enum edit_kind what, int i)
{
    struct edit edit = { .kind = what };
    struct fault_tally tally = { 0 };
    struct sweep s;
    const struct stream *stream;
    int k;

    fault_prepare(i);
    sweep_start(&s, all_records(), 40);
    while (sweep_next(&s)) {
        k = stream_of_record(s.at, &edit.at);
        stream = fault_stream(k);
        if (edit_record(&edit, stream))
            fault_must_fail(kind, s.at, k, edit,
                            fault_is_unprotected(stream, edit.at)
                            || (what == EDIT_SWAP
                                && fault_is_unprotected(stream, edit.mid)),
                            &tally);
    }
    fault_report(&s, kind, &tally);
    fault_forget();
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
