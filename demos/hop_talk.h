/*
 * hop_talk.h - what all hops do: say something, and read just the answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each takes from the stack the bytes that it returns, and none behind them.
 * 1 done; 0, reported, with the exit code in c->code. -timeout begins anew when
 * something is sent and with each line, but not with each byte: a peer that
 * dribbles runs out of time. `what' is what is waited for, as it is called in a
 * report: "the reply to AUTH TLS".
 */

#ifndef HOP_TALK_H
# define HOP_TALK_H

# include "client_talk.h"
# include "tool_report.h"

/* Room for text of the peer in a report. */
# define HOP_SHOWN_SIZE     320
/* Lines of one reply. */
# define HOP_LINES_MAX      100

int hop_send(CLIENT *c, const void *data, size_t len);
int hop_say(CLIENT *c, const char *text);

/* A line of at most max bytes, into c->line, with a NUL behind it. */
int hop_line(CLIENT *c, size_t max, const char *what);

/*
 * The same of a line that must begin so. It is refused as soon as it differs,
 * since what speaks another protocol may wait for us.
 */
int hop_line_like(CLIENT *c, size_t max, const char *begin, const char *what);

/* Exactly len bytes. -timeout goes on from where it was. */
int hop_bytes(CLIENT *c, void *data, size_t len, const char *what);

/*
 * After the last word of the peer before a layer: it must not have said more.
 * What came in the clear would else be taken for what came inside.
 */
int hop_nothing_more(CLIENT *c);

/* The peer breaks the protocol, with the text. Returns 0. */
int hop_blame(CLIENT *c, const char *what, const char *text, size_t len);

/* The same: the line that was received is not what it must be. Returns 0. */
int hop_unlike(CLIENT *c, const char *what);

/* The peer will not, and says so with the text. Returns 0. */
int hop_refused(CLIENT *c, const char *what, const char *text, size_t len);

#endif
