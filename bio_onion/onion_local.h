/*
 * onion_local.h - what the files of the library share.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Who calls whom, from the top: start, stop, write, rest, print and settings
 * are parts of the stack, and use the chain; it asks layers and the wire; a
 * layer has a session, which judges each call of its SSL by verdict; the SSL
 * calls the port, and the port the BIO below the layer, and only that. The
 * wire knows of no layer. early is what a session does before its handshake is
 * done. err, buf, pass and peer serve all.
 */

#ifndef ONION_LOCAL_H
# define ONION_LOCAL_H

# include <limits.h>
# include <openssl/err.h>
# include "bio_onion.h"

/*
 * onion_err.c: errors.
 */

/* Raises an ONION_R_* (or ERR_R_*) reason; the text is printf's. */
# define ONION_raise(...) \
    onion_err_raise(OPENSSL_FILE, OPENSSL_LINE, OPENSSL_FUNC, __VA_ARGS__)

void onion_err_raise(const char *file, int line, const char *func,
                     int reason, const char *fmt, ...);
/* Empties the queue. */
void onion_err_clear(void);
/* What is raised between the two is taken out again; mark is from the first. */
int onion_err_mark(void);
void onion_err_pop(int mark);
/* In words; never NULL, good until the next call. */
const char *onion_err_reason(unsigned long error);
/* Why a transport failed: errno, or 0 for what it raised first. */
const char *onion_err_transport(int sys);

/*
 * onion_buf.c: a queue of bytes.
 */
typedef struct onion_buf_st {
    unsigned char *data;    /* NULL iff cap == 0 */
    size_t off;             /* of the first byte held */
    size_t len;             /* bytes held */
    size_t cap;
    size_t used;            /* of cap, ever: what is to be cleansed */
} ONION_BUF;

int onion_buf_append(ONION_BUF *q, const void *in, size_t len);
int onion_buf_prepend(ONION_BUF *q, const void *in, size_t len);
/* Room for len more bytes behind those held; NULL if there is no memory. */
unsigned char *onion_buf_reserve(ONION_BUF *q, size_t len);
/* So many of them are held now. */
void onion_buf_filled(ONION_BUF *q, size_t len);
size_t onion_buf_copy(const ONION_BUF *q, void *out, size_t len);
void onion_buf_drop(ONION_BUF *q, size_t len);
/* Cleanses what it frees; the queue is empty and usable after it. */
void onion_buf_free(ONION_BUF *q);

/*
 * onion_pass.c: what passes through a BIO of ours.
 */
/* A control is for the BIO that reaches the network. */
int onion_pass_control(int cmd);

/*
 * If anything below answered these, an SSL would take it that its records are
 * made there, and write its data as plain text. They are BIO_CTRL_SET_KTLS and
 * its kind, which bio.h names only with kTLS.
 */
# define ONION_KTLS_FROM        72
# define ONION_KTLS_TO          76

static inline int onion_pass_is_ktls(int cmd)
{
    return cmd >= ONION_KTLS_FROM && cmd <= ONION_KTLS_TO;
}

/* NULL if there is no memory for it; *type, one of BIO_TYPE_*, stays then. */
BIO_METHOD *onion_pass_method(int kind, const char *name, int *type);
/* BIO_read_ex() and its kind may be asked for more than an SSL is. */
static inline int onion_pass_length(size_t len)
{
    return len > INT_MAX ? INT_MAX : (int)len;
}

int onion_pass_never(int cmd);
/* What from, a BIO further down, has asked for. */
void onion_pass_retry(BIO *to, BIO *from);

/*
 * onion_layer.c: the BIO of a layer; onion_session.c: its TLS session.
 */
typedef struct onion_layer_st {
    BIO *bio;               /* the layer itself */
    SSL *ssl;               /* NULL until BIO_set_ssl() */
    BIO *port;              /* one reference; what ssl reads and writes */
    unsigned auto_retry : 1;    /* ssl had that mode when it got the port */
    unsigned stacked : 1;   /* of a stack, which empties the error queue */
    unsigned rests : 1;     /* SSL_MODE_RELEASE_BUFFERS is the stack's to set */
    int overhead;           /* of a record; 0 before the handshake is done */
    size_t room_below;      /* fits into a record below; 0 if not known */
    ONION_BUF back;         /* bytes given back, read before those of ssl */
    struct onion_early_st *early;   /* NULL: nothing goes early, or any more */

    /* What has happened. Set once, never cleared while ssl stays. */
    unsigned handshaken : 1;    /* the handshake is done, the peer accepted */
    unsigned heard_close : 1;   /* the peer's close_notify has come up */
    unsigned left : 1;          /* the stack has told of it: reads go below */
    unsigned sent_close : 1;    /* our close_notify has gone down */
    int failure;                /* ONION_R_*, 0 while the layer is sound */
    char why[96];               /* text, valid iff failure != 0 */
    unsigned told;              /* bits of ONION_EVENT_*, for the callback */

    unsigned half_written : 1;  /* ssl holds a record that is not yet below */
    const void *half_in;        /* valid iff half_written: what to repeat, */
    int half_len;               /* at least so much of it */
    unsigned told_end : 1;      /* a read has told of the end or failure */

    /* The last call of ssl below, by way of the port. */
    unsigned blocked : 1;       /* it asked for a retry: flags and reason */
    unsigned ended : 1;         /* it met the end of what is below */
    unsigned broken : 1;        /* it failed */
    unsigned fed : 1;           /* it read something */
    char broken_why[96];        /* text, valid iff broken */
    int retry_flags;            /* valid iff blocked */
    int retry_reason;           /* valid iff blocked */

    unsigned holds_more : 1;    /* ssl may go on without reading below */
    unsigned flush_owed : 1;    /* a flush below asked for a retry */
    unsigned quiet : 1;         /* read below only what is there already */

    /* BIO_set_ssl_renegotiate_bytes() and _timeout() */
    long renegotiate_bytes;     /* 0 for never */
    long renegotiate_seconds;   /* 0 for never */
    long bytes;                 /* since the last renegotiation */
    long renegotiated_at;       /* seconds, of time() */
    int renegotiations;
} ONION_LAYER;

ONION_LAYER *onion_layer_of(BIO *layer);
extern int onion_layer_type;        /* set by BIO_f_onion() */

static inline int onion_layer_is(const BIO *bio)
{
    return BIO_method_type(bio) == onion_layer_type;
}

/* The next layer at or below bio, but above a wire; NULL if there is none. */
BIO *onion_layer_find(BIO *bio);
/* 1 for the outermost. */
int onion_layer_number(BIO *layer);
/* ssl reads and writes our port, not BIOs that the application has set. */
int onion_layer_has_port(const ONION_LAYER *l);

/*
 * Each returns 1 (or a count) when done, else 0 or -1, with the retry flags of
 * the BIO set or an error raised. 0 from onion_session_get(): the peer closed.
 */
int onion_session_handshake(BIO *layer);
int onion_session_get(BIO *layer, void *out, int len, int peek);
int onion_session_put(BIO *layer, const void *in, int len);
/* Sends our close_notify, if it was not sent. */
int onion_session_close(BIO *layer);
/* As onion_session_close(), for the last moment: no wait, no error left. */
void onion_session_farewell(BIO *layer);
/* What can be read without waiting; 1 for an end or failure. */
int onion_session_pending(BIO *layer);
/* Takes the settings from ssl that make the end of a layer unsafe. */
void onion_session_harden(SSL *ssl);

/*
 * onion_verdict.c: what a call of an SSL means for its layer.
 */
typedef enum {
    ONION_DONE,     /* it did what it should */
    ONION_AGAIN,    /* it handled a record without data: call again */
    ONION_RETRY,    /* the retry flags of the layer are set */
    ONION_CLOSED,   /* it read the peer's close_notify */
    ONION_FAILED    /* the layer has failed, or cannot write; raised */
} ONION_VERDICT;

void onion_verdict_begin(ONION_LAYER *l);
/* ret is what the SSL function has returned. */
ONION_VERDICT onion_verdict(BIO *layer, int ret);
ONION_VERDICT onion_verdict_of_write(BIO *layer, int ret);
ONION_VERDICT onion_verdict_retry(BIO *layer, int flags, int reason);
/* Raises reason with a text that names the layer. */
void onion_verdict_raise(BIO *layer, int reason, const char *why);
/* Fails the layer for reason, if it is sound, and raises it. Returns -1. */
int onion_verdict_fail(BIO *layer, int reason, const char *why);
/* Raises the failure of the layer again. Returns -1. */
int onion_verdict_fail_again(BIO *layer);

/*
 * onion_peer.c: who is at the other end.
 */
/* The name of the peer, fit to be printed, into out. Returns out. */
# define ONION_NAME_SIZE        256
const char *onion_peer_name(const SSL *ssl, char out[ONION_NAME_SIZE]);
/* A client asks for host, and accepts nobody else. 1; 0: it is no host. */
int onion_peer_expect(SSL *ssl, const char *host);
/* 0: a client has resumed a session that is not with the peer it expects. */
int onion_peer_resumed_as_expected(SSL *ssl);
/* 0: the certificate was verified, but not for the name that is expected. */
int onion_peer_name_was_checked(SSL *ssl);
/* The same of the session that it is about to offer. */
int onion_peer_session_as_expected(SSL *ssl);

/*
 * onion_early.c: what goes before the handshake of a layer is done. All but
 * the first three are for layers with early != NULL.
 */
/* The layer is new; data: that of the application may go early. */
int onion_early_start(BIO *layer, int data);
/* It is no more the innermost. May be NULL. */
void onion_early_cover(BIO *layer);
void onion_early_free(ONION_LAYER *l);
/* A write would go early, at least in part. */
int onion_early_takes(ONION_LAYER *l);
/* As onion_session_put() and _get(); 0: not early. */
int onion_early_put(BIO *layer, const void *in, int len);
int onion_early_get(BIO *layer, void *out, int len, int peek);
/* Sends what it and those below took. 1, or -1 with retry or failure. */
int onion_early_push(BIO *layer);
/* The handshake proper begins, and is done. 1, or -1 with retry or failure. */
int onion_early_end(BIO *layer);
int onion_early_finish(BIO *layer);

/*
 * onion_port.c: the BIO that a layer gives to its SSL.
 */
BIO *onion_port_new(ONION_LAYER *l);
void onion_port_detach(BIO *port);      /* the layer is going */
int onion_port_settle(BIO *layer);      /* finishes a flush that is owed */

/*
 * onion_wire.c: read-ahead and write batching at the bottom of a stack.
 */
BIO *onion_wire_new(void);
/* Called once, before there is a BIO of ours that looks for a wire. */
void onion_wire_make_method(void);
extern int onion_wire_type;         /* set by BIO_f_onion() */

static inline int onion_wire_is(const BIO *bio)
{
    return BIO_method_type(bio) == onion_wire_type;
}

BIO *onion_wire_find(BIO *bio);
/* 1: all is with the transport. 0: retry. -1: the transport failed. */
int onion_wire_flush(BIO *wire);
/* Raises the failure of the transport's write side, if any: 0, else 1. */
int onion_wire_writable(BIO *wire);
/* What is written next is all that there is: it need not wait for more. */
void onion_wire_go_straight(BIO *wire, int straight);
/* Keeps its buffers when they are empty, or gives them back. */
void onion_wire_keep(BIO *wire, int keep);
/* While held, the wire reads only what it has read ahead. Returns the old. */
int onion_wire_hold(BIO *wire, int hold);
int onion_wire_peek(BIO *wire, void *out, int len);
/* A read of the application, when there are no layers. */
int onion_wire_read_clear(BIO *wire, char *out, int len);
size_t onion_wire_unsent(BIO *wire);
size_t onion_wire_ahead(BIO *wire);
int onion_wire_give_back(BIO *wire, const void *in, size_t len);
/*
 * Above this many unsent bytes a stack takes no more from its writer: 256 KiB,
 * and what the records of 64 layers add to them.
 */
# define ONION_WIRE_HIGH        (288 * 1024)

/*
 * onion_chain.c: the layers of a stack, which are the chain and nothing else.
 */
BIO *onion_chain_read_top(BIO *stack);   /* where reads enter */
BIO *onion_chain_write_top(BIO *stack);  /* where writes enter */
int onion_chain_read_depth(BIO *stack);
int onion_chain_write_depth(BIO *stack);
int onion_chain_layers(BIO *stack);
BIO *onion_chain_layer(BIO *stack, int number);
/* The outermost layer that has failed, or NULL. */
BIO *onion_chain_failed(BIO *stack);
/* The wire, or NULL; and the same in the same walk. */
BIO *onion_chain_wire(BIO *stack, BIO **failed);
/*
 * The largest write that is one record in each layer from top on; 0 if top is
 * no layer. Each of them is told how much fits into a record below it.
 */
int onion_chain_fit(BIO *top);
int onion_chain_peek(BIO *top, void *out, int len);
int onion_chain_give_back(BIO *top, const void *in, size_t len);

/*
 * onion_stack.c: the BIO of a stack.
 */
typedef struct onion_stack_st {
    BIO *wire;              /* valid from onion_stack_enter() on, in a call */
    int max_depth;
    int min_depth;
    unsigned long flags;
    BIO_onion_cb *cb;
    void *cb_arg;
    const void *out;        /* the BIO_write() to be repeated; NULL if none */
    int out_len;            /* its length, */
    int out_done;           /* and what of it has gone into the layer */
    ONION_BUF gathered;     /* ONION_GATHER: writes that wait for more */
    long second;            /* of time(), in which turns are counted */
    unsigned turns;         /* calls after which there was nothing to do */
    unsigned busy : 1;      /* there were many: buffers are kept */
    unsigned tells_boundary : 1;    /* BIO_read() will ask: see onion_stack.c */
} ONION_STACK;

BIO *onion_stack_find(BIO *chain);       /* raises if there is none */
ONION_STACK *onion_stack_of(BIO *stack);
/* Begin and end each public function: 1, or 0 with the failure raised. */
int onion_stack_enter(BIO *stack);
/* Sends what is unsent. Returns ret, or -1 with retry if it cannot yet. */
int onion_stack_leave(BIO *stack, int ret);
/* The same, but what is done is done, whether all is sent or not. */
int onion_stack_leave_anyway(BIO *stack, int ret);
int onion_stack_refuse(BIO *stack, int reason, const char *what);

/*
 * onion_write.c: BIO_write() of a stack.
 */
int onion_write(BIO *stack, const char *in, int len);
/* Bytes that wait for more; and puts them into the layer: 1, or -1. */
size_t onion_write_gathered(BIO *stack);
int onion_write_send_gathered(BIO *stack);
/* The same, and all that layers have taken to send it early. */
int onion_write_flush(BIO *stack);
/* ONION_FOLLOW: there is a layer to close, and nothing goes into it before. */
int onion_write_may_follow(BIO *stack);
/* After the last byte: ONION_FOLLOW, if it had to wait. ret, or -1. */
int onion_write_follow(BIO *stack, int ret);
/* A write is to be repeated, and some of its bytes are in a layer already. */
int onion_write_is_half_done(BIO *stack);
/* 1: none are, and none that were gathered. 0: refused, and what was tried. */
int onion_write_settle(BIO *stack, const char *what);

/*
 * onion_stop.c
 */
/* Takes out the layers that both directions have left. */
void onion_stop_remove(BIO *stack);
/* ONION_FOLLOW: our side of each layer that the peer has closed. */
int onion_stop_follow(BIO *stack);
/* The end of the stack: closes each sound layer without waiting. */
void onion_stop_farewell(BIO *stack);

/*
 * onion_rest.c: what a connection gives back while it is idle.
 */
/* A read or write begins. */
void onion_rest_turn(BIO *stack);
/* A layer is new in the stack. */
void onion_rest_begin(BIO *stack, BIO *layer);

/*
 * onion_event.c: the callback.
 */
void onion_event_tell(BIO *stack);
void onion_event_removed(BIO *stack, BIO *layer);

#endif
