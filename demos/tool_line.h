/*
 * tool_line.h - the line protocol: lines, verbs, and what replies look like.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_LINE_H
# define TOOL_LINE_H

# include <stddef.h>
# include <openssl/bio.h>

/* The server takes no longer line; the client takes what it asked for. */
# define LINE_MAX_LENGTH    65536UL
/* The server's limit for BULK and MULTI. */
# define LINE_MAX_COUNT     1000000000UL

/* A line that is being read. It belongs to the layer that it began in. */
typedef struct line_st {
    char *data;         /* NULL iff size == 0 */
    size_t len;         /* bytes read so far; without the newline if complete */
    size_t size;
    size_t max;         /* a longer line is refused */
} LINE;

enum {
    LINE_DONE,          /* complete: data and len, without CR and LF */
    LINE_WAIT,          /* BIO_should_read(), BIO_should_write() say for what */
    LINE_BOUNDARY,      /* the peer has closed a layer; len > 0: in mid-line */
    LINE_END,           /* the connection ended in the clear; the same */
    LINE_TOO_LONG,
    LINE_FAILED         /* the error queue says why */
};

/* Goes on reading the line; line_clear() before the next. */
int line_read(LINE *l, BIO *stack);
void line_clear(LINE *l);
void line_free(LINE *l);

typedef enum {
    VERB_CAPA,
    VERB_STARTTLS,
    VERB_RSTARTTLS,
    VERB_STOPTLS,
    VERB_STOPTLS_TRAILING,      /* STOPTLS+ */
    VERB_STOPTLS_DROP,          /* STOPTLS! */
    VERB_BULK,
    VERB_MULTI,
    VERB_INFO,
    VERB_QUIT,
    VERB_DROP,
    VERB_DROPOUTER,
    VERB_TEXT,                  /* any other line */
    VERB_BAD_COUNT              /* BULK or MULTI with no number */
} VERB;

/* The count of BULK and MULTI is in *count. */
VERB line_verb(const char *text, size_t len, unsigned long *count);

/* The reply to CAPA, before the number. */
# define LINE_CAPA          "OK STARTTLS RSTARTTLS STOPTLS max-depth="

/* 1 if text is a reply to CAPA, whose number is in *max_depth then. */
int line_is_capa(const char *text, size_t len, unsigned long *max_depth);

/* 1 if the len bytes at text are an ERR reply. */
int line_is_refusal(const char *text, size_t len);

/*
 * The reply to INFO, without LF; with opposite, as the peer must give it. NULL
 * if there is no memory. To be freed with BIO_free().
 */
BIO *line_info(BIO *stack, int opposite);

/* The name a peer asked for, or "-", with nothing in it that ends a word. */
void line_name(char *out, size_t size, const char *name);

#endif
