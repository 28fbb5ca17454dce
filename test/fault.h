/*
 * fault.h - a session of two layers with one fault at one place.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * All certificates are Ed25519, so the streams have the same length in each
 * run, and a place in them means the same. There are four: what a or b reads
 * from the transport (0, 1), and what the inner layer of a or b reads from the
 * outer one (2, 3). a is the one that stops first.
 *
 * OpenSSL lets pass what TLS does not protect: the version number in the head
 * of a record in the clear, and the change_cipher_spec of TLS 1.3, which means
 * nothing (RFC 8446, appendix D.4).
 */

#ifndef TEST_FAULT_H
# define TEST_FAULT_H

# include "sweep.h"
# include "talk.h"

# define FAULT_STREAMS          4

struct stream {
    unsigned char *data;
    size_t len;
};

struct fault_tally {
    size_t failed, completed;
    size_t layer[3];            /* failures by the layer that is named */
};

/* i: version, TLS 1.3 if even, x who is the client. Runs it without a fault. */
void fault_prepare(int i);
void fault_forget(void);

const struct stream *fault_stream(int i);
int fault_layer(int stream);
struct talk_side *fault_side(struct talk *t, int stream);

/* The bytes of all streams; the stream of the n-th, *n its place there then. */
size_t fault_bytes(void);
int fault_stream_of(size_t *n);

size_t fault_record_end(const struct stream *s, size_t at);
size_t fault_records_in(const struct stream *s);
size_t fault_nth_record(const struct stream *s, size_t n);
/* A change of this byte, or of the order of this record, may do no harm. */
int fault_is_unprotected(const struct stream *s, size_t byte);

/*
 * The n-th case of a kind: an edit of a stream. It fails the side that reads
 * it, in the layer that reads it; or, if it may pass, it completes as what it
 * was.
 */
void fault_must_fail(const char *kind, size_t n, int stream, struct edit edit,
                     int may_pass, struct fault_tally *tally);
void fault_must_pass(const char *kind, size_t n, int stream, struct edit edit,
                     struct fault_tally *tally);
void fault_report(const struct sweep *s, const char *kind,
                  const struct fault_tally *tally);

#endif
