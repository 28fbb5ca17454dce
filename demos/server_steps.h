/*
 * server_steps.h - what a connection has still to do, in order.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A reply, a start and a stop each wait for what is before them: a reply goes
 * out in the layer in which it was given. A server that reads its next line
 * only when there are no steps left holds little for a peer that does not read.
 */

#ifndef SERVER_STEPS_H
# define SERVER_STEPS_H

# include <stddef.h>
# include <openssl/ssl.h>

typedef enum {
    STEP_SEND,          /* text */
    STEP_BULK,          /* count times x */
    STEP_MULTI,         /* count lines */
    STEP_START,         /* a layer with ssl */
    STEP_HANDSHAKE,     /* of all layers started */
    STEP_STOP,          /* down to depth */
    STEP_DROP,          /* down to depth */
    STEP_CLOSE_OUTER,   /* close_notify in the outermost layer only */
    STEP_GATHER,        /* until STEP_RELEASE, segments may wait */
    STEP_RELEASE,
    STEP_END,           /* of the connection */
    STEP_CUT            /* the same, and nothing more is written */
} STEP_KIND;

typedef struct step_st {
    STEP_KIND kind;
    char *text;             /* NULL if there is none (yet) */
    size_t len;             /* of text */
    SSL *ssl;               /* NULL but for STEP_START */
    int depth;
    unsigned long count;    /* still to do */
    unsigned long done;
} STEP;

# define STEPS_MAX 8

typedef struct steps_st {
    STEP step[STEPS_MAX];
    int first;              /* the one under way, valid iff first < n */
    int n;
    unsigned long progress; /* grows whenever something was done */
} STEPS;

/* Each adds a step: 1, or 0 without memory. ssl is taken in any case. */
int steps_add(STEPS *s, STEP_KIND kind, int depth);
int steps_add_text(STEPS *s, const char *text, size_t len);
int steps_add_count(STEPS *s, STEP_KIND kind, unsigned long count);
int steps_add_start(STEPS *s, SSL *ssl);

/* What the present step is, in words; NULL if there is none. */
const char *steps_what(const STEPS *s);

typedef enum {
    STEPS_DONE,         /* none left */
    STEPS_MORE,         /* enough for one turn: call again */
    STEPS_WAIT,         /* BIO_should_read(), BIO_should_write() say for what */
    STEPS_END,
    STEPS_CUT,
    STEPS_FAILED        /* the error queue says why */
} STEPS_RESULT;

STEPS_RESULT steps_run(STEPS *s, BIO *stack);
void steps_free(STEPS *s);

#endif
