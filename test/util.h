/*
 * util.h - what the tests share: credentials, peers, taps and stock peers.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Nothing here sleeps or leaves this process. Everything that can fail fails
 * the running test. All credentials are made once per process.
 */

#ifndef TEST_UTIL_H
# define TEST_UTIL_H

# include <stddef.h>
# include <stdint.h>
# include <check.h>
# include <openssl/bio.h>
# include <openssl/err.h>
# include <openssl/ssl.h>
# include <openssl/x509.h>
# include "bio_onion.h"

/*
 * Running
 */

/* Runs a suite; what main() returns. TAP if CK_TAP_LOG_FILE_NAME is set. */
int test_main(Suite *suite);

/* A new situation in suite, with a timeout that also does for valgrind. */
TCase *test_case(Suite *suite, const char *name);

/*
 * tcase_add_loop_test(); with ONION_QUICK in the environment a long loop is
 * thinned out to every seventh turn, for tools that make all slow.
 */
void test_loop(TCase *tcase, const TTest *test, int from, int to);

/* usual, or quick with ONION_QUICK: for loops within a test. */
int test_times(int usual, int quick);

/*
 * Shapes: the i-th of version x size of the transport x who is the client,
 * and then of depth 1 to max_depth. For test_loop().
 */
struct shape {
    int version;
    size_t size;
    int flip;
    int depth;
};

# define TEST_SHAPES            20
struct shape test_shape(int i);

/*
 * Credentials
 */

# define TEST_P256              0x1     /* else Ed25519 */
# define TEST_UNTRUSTED         0x2     /* not by the CA that clients trust */
# define TEST_EXPIRED           0x4

/* A context of the process: not to be freed. version 0 for any. */
SSL_CTX *test_server_ctx(int version, const char *name, int flags);
SSL_CTX *test_client_ctx(int version, int verify);

/* "layer1.test" and so on, the name of the server of a layer. */
const char *test_name(int layer);

/*
 * A fresh SSL, ready for BIO_onion_start_tls(); a client verifies for
 * test_name(layer). Odd layers have Ed25519 certificates, even ones P-256.
 */
SSL *test_ssl(int client, int version, int layer);

/* The same with a context and a name of one's own; host NULL: no check. */
SSL *test_ssl_of(SSL_CTX *ctx, int client, const char *host);

/* Lets a server ask for, and a client give, a client certificate. */
void test_ask_client(SSL *server);
void test_give_client(SSL *client, int flags);

/*
 * A tap: a filter to be pushed over a transport. It records what passes, and
 * can hold, cut, stutter, throttle, fail, and slip in bytes.
 */
enum tap_end { TAP_RETRY, TAP_EOF, TAP_ERROR, TAP_ZERO };

struct tap_side {
    unsigned char *data;        /* all that has passed */
    size_t len;
    int calls;                  /* all calls, also those without result */
    int moved;                  /* calls that moved something */
    size_t max;                 /* bytes per call, 0: as asked */
    int stutter;                /* a retry before each call that moves */
    int stuttered;
    size_t limit;               /* after so many bytes in all ... */
    enum tap_end end;           /* ... comes this */
    int after_end;              /* calls after it has come */
};

struct tap {
    struct tap_side in, out;    /* read from below, written to below */
    unsigned char *slip;        /* to be read before anything else */
    size_t slip_len;
    int flushes;
    int flush_retry;            /* so many flushes ask for a retry */
    int special;                /* not 0: all ask for a retry for this */
    int litter;                 /* what passes leaves an error behind */
    int ktls;                   /* answers 1 to the kTLS controls */
    int ctrls[256];             /* how often each control came */
};

BIO *tap_new(void);
struct tap *tap_of(BIO *tap);
/* The bytes come up from tap before those that are below it. */
void tap_slip(BIO *tap, const void *data, size_t len);
/* How many records of TLS start in what has passed since `from'. */
int tap_records(const struct tap_side *side, size_t from);
int tap_saw(const struct tap_side *side, const char *text);
void tap_hold(struct tap_side *side);           /* nothing more passes */
void tap_release(struct tap_side *side);

/*
 * Pairs
 */

/* Two stacks, one over each half of a BIO pair; sizes are of the buffers. */
void test_pair(BIO **a, BIO **b, size_t a_size, size_t b_size);

/* A listening socket of 127.0.0.1; its "address:port" in name. */
int test_listen(char name[32]);
/* Accepts one connection, and closes the listening socket. */
int test_accept(int listener);

/* How many bytes have gone through the lowest BIO of the chain. */
uint64_t test_moved(BIO *chain);

/*
 * A peer: a stack over a tap over half of a pair. What it reads goes through
 * an inbox, so that it can be read for when the other makes progress only then.
 */
struct peer {
    BIO *bio;
    BIO *tap;
    uint16_t *box;              /* byte | boundary << 8 | depth << 9 */
    size_t head, tail, room;
    size_t ask;                 /* bytes per BIO_read */
    struct peer *other;
};

struct peers {
    struct peer a, b;
    int version;
    int flip;                   /* b is the client */
    uint64_t moved;
    int idle;
};

void peers_new(struct peers *p, size_t size, int version);
void peers_free(struct peers *p);

/* A round of a loop that drives both: fails with "no progress". */
void peers_round(struct peers *p);

/* Starts a layer at both ends, without a byte; then shakes hands. */
void peers_start(struct peers *p);
void peers_handshake(struct peers *p);
/* peers_start() and peers_handshake() for each of depth layers. */
void peers_dive(struct peers *p, int depth);
/* A text each way, at the present depths. */
void peers_talk(struct peers *p);
/* who stops to depth, the other follows; both are there, and talk. */
void peers_rise(struct peers *p, struct peer *who, int depth);

/* 1: the call is done; 0: it wants a retry. All else fails the test. */
int peer_done(struct peer *p, int ret);
/* One BIO_read into the inbox: 1 if something came. */
int peer_pump(struct peer *p);
/* Writes it all; the other end is pumped meanwhile. */
void peer_send(struct peers *p, struct peer *from, const void *data,
               size_t len);
/* The next that is read, each byte of it at depth. Drives both. */
void peer_expect(struct peers *p, struct peer *to, const void *data,
                 size_t len, int depth);
/* The next is the boundary of the layer `from_depth'. Drives both. */
void peer_expect_boundary(struct peers *p, struct peer *to, int from_depth);
/* Nothing is there, and BIO_read() asks for a retry. */
void peer_expect_retry(struct peer *p);
/* Stops to depth until the call gives 0 or 1; returns it. Drives both. */
int peer_stop(struct peers *p, struct peer *who, int depth);

/*
 * Results
 */

void test_depths(BIO *stack, int read_depth, int write_depth);
/* The error queue has no entry. */
void test_no_error(void);
/*
 * bio failed: ret is not more than 0, there is no retry, the newest entry is
 * ours and is this reason (0: any). Empties the queue.
 */
void test_failed(BIO *bio, int ret, int reason);
/* The same, and the text of the entry names this layer. */
void test_failed_at(BIO *bio, int ret, int reason, int layer);
/* bio wants a retry, ret is -1 and the queue is empty. */
void test_retried(BIO *bio, int ret);
/* A call was refused with 0 and this reason. Empties the queue. */
void test_refused(int ret, int reason);
/* Puts an entry of somebody else's into the queue. */
void test_stale_error(void);
/* A callback of a BIO, each of whose flushes fails. */
long test_no_flush(BIO *b, int oper, const char *argp, size_t len, int argi,
                   long argl, int ret, size_t *processed);

/* len bytes that differ from each other, of the process. */
const unsigned char *test_bytes(size_t len);

/*
 * A stock peer: TLS in TLS with OpenSSL alone, an SSL per layer, driven by
 * hand, for all that bio_onion itself would never do. Layers from 1.
 */
struct stock {
    SSL *ssl[10];
    int depth;
    BIO *io;
};

/* A stack over a tap over one half; the other half is for the stock peer. */
BIO *stock_pair(struct stock *s, size_t size, BIO **tap);
void stock_start(struct stock *s, SSL *ssl);
void stock_free(struct stock *s);
/* Both shake hands in a new layer; the stock peer is the server, or not. */
void stock_dive(struct stock *s, BIO *stack, int version, int server);
/* Both shake hands in what is started. */
void stock_handshake(struct stock *s, BIO *stack);
/* Writes at depth; fails if it does not all go at once. */
void stock_write(struct stock *s, int depth, const void *data, size_t len);
/* Reads at depth; what SSL_read or BIO_read says, the queue emptied. */
int stock_read(struct stock *s, int depth, void *data, size_t len);
/* Reads exactly that text at depth. */
void stock_expect(struct stock *s, int depth, const char *text);

/* A close_notify in the clear, as a forger would send it. */
extern const unsigned char test_forged_close[7];
extern const unsigned char test_forged_fatal[7];

#endif
