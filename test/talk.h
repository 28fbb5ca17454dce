/*
 * talk.h - a conversation of two stacks by a script, in which all may fail.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What must hold, whatever is done to the bytes on their way:
 *
 *   data      each byte that is read is the next of what the peer has said
 *   depth     it is read at the depth it was said at
 *   boundary  a layer ends for the reader only after its peer has stopped it
 *   failure   is told by an error of ours that names a layer; it stays; no
 *             depth changes and nothing is written after it
 *   end       both come to the end of their script, or fail: none hangs
 *   secret    what is said inside a layer is in no tap below it
 *
 * It is held against them after each call, and breaks off with talk_what, the
 * case that is being run.
 *
 * A script is a row of pairs, a letter and a depth:
 *
 *   +2  start a layer, so that there are two
 *   s2  say a sentence at depth 2
 *   h2  hear the next sentence of the peer, at depth 2
 *   -1  stop down to depth 1
 *   b2  read the boundary of layer 2
 */

#ifndef TEST_TALK_H
# define TEST_TALK_H

# include "util.h"

# define TALK_LAYERS            3
# define TALK_STARTS            8
# define TALK_SENTENCE          64

/*
 * An edit of what comes up: of bytes by their place in the stream.
 */
enum edit_kind {
    EDIT_NONE,
    EDIT_FLIP,              /* the byte at `at' */
    EDIT_DROP,              /* from `at' up to `end' */
    EDIT_DOUBLE,            /* the same */
    EDIT_SWAP,              /* from `at' up to `mid', and from there to `end' */
    EDIT_INSERT,            /* data, before the byte at `at' */
    EDIT_WAIT,              /* a retry before the byte at `at' */
    EDIT_ALONE,             /* the byte at `at' comes in a call of its own */
    EDIT_END,               /* the end instead of the byte at `at' */
    EDIT_RESET              /* a failure instead of it */
};

struct edit {
    enum edit_kind kind;
    size_t at, mid, end;
    unsigned char mask;     /* of a flip */
    const void *data;
    size_t len;
};

struct talk_side {
    char name;
    BIO *bio;
    BIO *tap[TALK_LAYERS + 1];      /* [k]: below layer k, which is 1 up */
    BIO *edit[TALK_LAYERS + 1];     /* below that tap */
    int placed;                     /* so many taps are in the chain */
    const char *script;             /* the rest of it */
    int starts;                     /* layers started so far */
    int said, heard;                /* sentences */
    int off;                        /* of the sentence being heard */
    const char *stopping;           /* the step of the last stop */
    int closed, boundaries;         /* layers, in all: by us; by the peer */
    char sentence[TALK_SENTENCE];   /* being said */
    char facts[TALK_STARTS][200];   /* of each layer, when its data came */
    int failed;
    int layer, reason;              /* of a failure; layer 0: in the clear */
    char error[300];                /* its text */
    struct talk_side *other;
};

struct talk {
    struct talk_side a, b;
    int version;
    int flip;                       /* b is the client */
    int end_at;                     /* what ends when nothing moves: tap[] */
    int ended;                      /* that had to end */
};

/* What is being run, for whoever reads of a failure. */
extern char talk_what[200];
/* No memory may have been left for the text of an error. */
extern int talk_without_text;

/* Makes what all need, so that no talk is the first. */
void talk_prepare(int version);
void talk_new(struct talk *t, int version, int flip, const char *script_a,
              const char *script_b);
/* What comes up to that side, to its layer of that number, is edited. */
void talk_edit(struct talk_side *s, int layer, struct edit edit);
/* It has come to the place of the edit. */
int talk_edited(const struct talk_side *s, int layer);
/* Until both are at the end of their script or have failed. 1: the former. */
int talk_run(struct talk *t);
/* One step of one side: 1 if it got on. For those who drive it themselves. */
int talk_step(struct talk *t, struct talk_side *s);
/* The conversation is over; the taps are looked through. */
void talk_free(struct talk *t);

/* All facts of the layers are those of another. */
void talk_same_facts(const struct talk *t, const struct talk *clean);

void talk_broken(const char *law, const struct talk_side *s);

#endif
