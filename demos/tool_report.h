/*
 * tool_report.h - what the tools say when something fails, and exit with.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_REPORT_H
# define TOOL_REPORT_H

# include <stddef.h>
# include <openssl/bio.h>

/* Exit codes. */
# define TOOL_OK            0
# define TOOL_USAGE         1   /* options, certificates, keys, files */
# define TOOL_NETWORK       2   /* refused, reset, timed out */
# define TOOL_TLS           3   /* handshake, verification, pin, alert */
# define TOOL_TRUNCATED     4   /* ended without a close_notify */
# define TOOL_PROTOCOL      5   /* a reply that was not what it must be */
# define TOOL_REFUSED       6   /* ERR, or a proxy that will not */
# define TOOL_CLOSED        7   /* by the peer, below -require_depth */

# define REPORT_EXIT_CODES \
    "Exit codes:\n" \
    "  0  all went well\n" \
    "  1  usage: an option, a certificate, a key, a file\n" \
    "  2  network: not reached, refused, reset, timed out\n" \
    "  3  TLS: handshake, verification, alert, bad record\n" \
    "  4  truncated: a layer ended without a close_notify\n" \
    "  5  the peer broke the protocol that it had to speak\n" \
    "  6  the peer refused (ERR, or the answer of a proxy)\n" \
    "  7  the peer closed a layer that had to stay (-require_depth)\n"

# if defined(__GNUC__)
#  define REPORT_FORMAT(f, a) __attribute__((format(printf, f, a)))
# else
#  define REPORT_FORMAT(f, a)
# endif

/* The name that each line begins with. */
void report_program(const char *name);

/* From now on a line that stderr has no room for is dropped. */
void report_without_waiting(void);

/* 1 if a line can be written to fd without waiting, as far as can be told. */
int report_has_room(int fd);

/* The mistakes that follow are in this line of a file, until it is NULL. */
void report_place(const char *where);

/*
 * Writes one line to stderr: the program, who unless it is NULL, and the text,
 * with everything escaped that is not printable. Returns code.
 */
int report(int code, const char *who, const char *fmt, ...)
    REPORT_FORMAT(3, 4);

/* The text of the last such line, without the program; "" if there was none. */
const char *report_last(void);

/*
 * The label of a layer, "[2 p2:443] ", into out: its number, 0 for the clear,
 * and who is at its other end, if that is known. Returns out.
 */
# define REPORT_LABEL_SIZE  320
const char *report_label(char out[REPORT_LABEL_SIZE], int layer,
                         const char *peer);

/* The same as report(), of a layer: the text follows its label. */
int report_layer(int code, int layer, const char *peer, const char *fmt, ...)
    REPORT_FORMAT(4, 5);

/*
 * Reports why the last call on stack failed, from the error queue, which is
 * empty after it. The line has the label of the layer, whose other end is
 * peer(arg, layer), or NULL if that is not known; and it says what to do about
 * it. Returns the exit code.
 */
typedef const char *REPORT_PEER(void *arg, int layer);
int report_stack_of(BIO *stack, REPORT_PEER *peer, void *arg);

/* The text of a URL into shown, without what may be a password in it. */
# define REPORT_URL_SIZE    512
const char *report_url(char shown[REPORT_URL_SIZE], const char *text);

/* The oldest entry of OpenSSL's error queue in words; empties the queue. */
const char *report_openssl(void);

/* Writes text of the peer to out, printable: \n, \xNN and so on. */
void report_escape(BIO *out, const char *text, size_t len);

#endif
