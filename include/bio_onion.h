/*
 * bio_onion.h - TLS inside TLS over one connection, with OpenSSL BIOs.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two filter BIOs. A layer, BIO_f_onion(), wraps one SSL and can stand where
 * BIO_f_ssl() stood. A stack, BIO_f_onion_stack(), is the one handle of an
 * application that starts and stops layers while the connection lives:
 *
 *     application
 *        |
 *     stack       the handle, always on top
 *     layer 2     the innermost TLS session
 *     layer 1     the outermost TLS session
 *     wire        private: read-ahead and write batching
 *     transport   a socket, a connect BIO, a BIO pair: any BIO
 *
 * WORDS
 *
 * A layer is one TLS session; layer 1 is the outermost, nearest the transport.
 * The depth is the number of layers that a byte passes; 0 is the clear. Each
 * direction has a depth of its own: a close_notify closes one direction
 * (RFC 8446, section 6.1). A boundary is the point in the stream where the
 * peer's close_notify ends a layer and the layer below goes on.
 *
 * RESULTS
 *
 * Unless a function says otherwise: 1 is done. 0 or less with
 * BIO_should_retry(stack): nothing is lost, call again with the same arguments
 * once the transport can do what BIO_should_read(stack) and
 * BIO_should_write(stack) ask for; both may be set, poll for either then.
 * 0 or less without BIO_should_retry(): the newest entry of the error queue is
 * an ONION_R_* reason in the library number BIO_onion_error_library(), and its
 * text names the layer and the cause. A call that succeeds or asks for a retry
 * leaves nothing in the queue; of a stack it also drops what was there before.
 *
 * A failure of a layer is final. It is remembered, every later call reports it
 * again, and nothing is ever read or written at a lower depth because of it.
 * What is left to do is BIO_free_all().
 *
 * OWNERSHIP
 *
 * As everywhere in OpenSSL, a 0 in a name means that no reference is taken for
 * the caller. All memory is the library's; nothing here is to be freed but the
 * BIOs. A function that takes a `BIO *stack' also takes a chain that has a
 * stack in it. A stack is used by one thread at a time.
 */

#ifndef BIO_ONION_H
# define BIO_ONION_H

# include <stddef.h>
# include <openssl/bio.h>
# include <openssl/ssl.h>

# ifdef __cplusplus
extern "C" {
# endif

/*
 * A layer
 * -------
 */

/*
 * The method of a layer. It answers what BIO_f_ssl() answers: BIO_set_ssl(),
 * BIO_get_ssl(), BIO_do_handshake(), BIO_set_ssl_mode(), BIO_set_close(),
 * BIO_pending(), BIO_flush(), BIO_reset() and so on; see BIO_f_ssl(3).
 * Used without a stack it never falls through: after the peer's close_notify
 * BIO_read() returns 0 and BIO_eof() 1, for good.
 *
 * What lies below must live as long as the layer uses it: a layer holds no
 * reference to it, and says goodbye through it when it is freed.
 *
 * Layers nested without a stack have no buffer between them. Over a transport
 * that holds less than a flight, the tickets of a TLS 1.3 server can then make
 * both ends wait for each other: see SSL_CTX_set_num_tickets(3).
 *
 * On each SSL that it is given it turns off SSL_OP_IGNORE_UNEXPECTED_EOF,
 * SSL_OP_ENABLE_KTLS, quiet shutdown and read-ahead: each of them makes the
 * end of a layer unsafe.
 */
const BIO_METHOD *BIO_f_onion(void);

/*
 * A layer with a new SSL of ctx, in connect state if client is not 0, else in
 * accept state. NULL on failure.
 */
BIO *BIO_new_onion(SSL_CTX *ctx, int client);

/* BIO_new_onion(ctx, 1) over BIO_s_connect(). NULL on failure. */
BIO *BIO_new_onion_connect(SSL_CTX *ctx);

/* BIO_f_buffer() over BIO_new_onion_connect(ctx). NULL on failure. */
BIO *BIO_new_buffer_onion_connect(SSL_CTX *ctx);

/*
 * Closes our side of every layer of a chain that has no stack, innermost
 * first. 1: the peer has closed each of them too, or there is none. 0: all our
 * close_notify are sent, the peer's are still to come or there is data to read
 * before them; read, then call again. The call that sends does not wait for
 * the peer, later ones look for its close_notify. -1: retry, or failure. What
 * was in the error queue before stays there.
 */
int BIO_onion_shutdown(BIO *chain);

/*
 * Lets the first layer of `to' offer the session of the first layer of `from'.
 * 1 done, 0 if either chain has no layer or no SSL: ONION_R_NO_SSL.
 */
int BIO_onion_copy_session_id(BIO *to, BIO *from);

/*
 * The stack
 * ---------
 */

/*
 * The method of a stack. BIO_read(), BIO_write(), BIO_puts() and BIO_gets()
 * work at the present depth; BIO_do_handshake() shakes hands in the innermost
 * layer, and so in all that are below it; BIO_flush() sends what the wire
 * holds; BIO_wpending() is what it holds.
 *
 * BIO_read(): more than 0, so many bytes, all written at the read depth. 0
 * without retry and BIO_eof() 0: a boundary; the read depth is one less from
 * now on, the next read delivers the first byte of the layer below. 0 without
 * retry and BIO_eof() 1: the transport ended, in the clear. -1: retry, or
 * failure; the end of the transport inside a layer is a failure.
 *
 * BIO_write(): the length that was given, once the transport has taken
 * everything; or -1, retry or failure. A retried write repeats the same bytes
 * from the same address. BIO_write() lowers no depth, whatever the peer does.
 *
 * BIO_gets(): up to a newline, which it leaves in, or what fits. It never
 * takes a byte from behind the newline. Where the line is not complete, but
 * nothing more can be read now, or a boundary or the end follows, it returns
 * what there is.
 *
 * BIO_pending(): the number of bytes that BIO_read() can deliver without
 * waiting; 1 where that read would report a boundary, an end or a failure; in
 * a handshake, what it can go on with. A program that waits in poll() does so
 * only when this is 0, since bytes that are decrypted in any layer cannot wake
 * it.
 */
const BIO_METHOD *BIO_f_onion_stack(void);

/*
 * A stack over transport, which may itself be a chain. Layers at the top of it
 * become the first layers of the stack; from the first BIO of another kind on,
 * all is transport. Owns transport: it is freed by BIO_free_all(stack). NULL on
 * failure; transport is the caller's then.
 *
 * BIO_free_all() closes each sound layer, innermost first, as well as it can
 * without waiting for the peer.
 */
BIO *BIO_new_onion_stack(BIO *transport);

/*
 * Starts a layer inside the present one. ssl is fresh: set to connect or
 * accept state, with its own certificate, name and verification, without BIOs.
 * unread are unread_len bytes that the application has read from the stack but
 * that belong to the new session; they are the first that its handshake reads,
 * and the application never sees them again. Nothing is sent before the first
 * BIO_do_handshake(), BIO_read() or BIO_write(). The layer below need not have
 * finished its own handshake. Between the write that agrees to a layer and its
 * start, do not read, or hand what was read over as unread.
 *
 * 1: started, the stack owns ssl. 0: refused, nothing changed, ssl is still
 * the caller's: ONION_R_MAX_DEPTH, ONION_R_DEPTHS_DIFFER,
 * ONION_R_WRITE_UNFINISHED, ONION_R_SSL_IN_USE, ONION_R_SSL_UNSUPPORTED, out
 * of memory, or the stack has failed.
 */
int BIO_onion_start_tls(BIO *stack, SSL *ssl,
                        const void *unread, size_t unread_len);

/*
 * Starts a layer as TLS client, with an SSL of ctx that asks for host by name
 * (SNI, RFC 6066 section 3; not for an IP address) and accepts only a
 * certificate that verifies for host, even if ctx does not verify. Results as
 * above; a NULL or empty host is refused.
 */
int BIO_onion_start_client(BIO *stack, SSL_CTX *ctx, const char *host);

/* Starts a layer as TLS server, with an SSL of ctx. Results as above. */
int BIO_onion_start_server(BIO *stack, SSL_CTX *ctx);

/*
 * Stops the layers inside depth, by an exchange of close_notify in each,
 * innermost first (RFC 8446 section 6.1, RFC 4511 section 4.14.3).
 *
 * 1: both directions are at depth or less, and the layers are gone. 0: ours
 * is, so writes go to depth from now on; the peer's close_notify is still to
 * come: BIO_read() delivers what it still says inside, then the boundary. -1:
 * retry, or failure, or refused with nothing changed (ONION_R_MIN_DEPTH;
 * ONION_R_WRITE_UNFINISHED while bytes of a BIO_write() are still to go in). It
 * may be called again at any time and names where to stop, so it never closes a
 * layer too many. A layer that still shakes hands finishes that first.
 */
int BIO_onion_stop_tls(BIO *stack, int depth);

/*
 * Goes down to depth without a close_notify in whatever direction is still
 * open, for protocols that end TLS so. Nothing tells the application where the
 * peer's last byte inside was: use it only where the protocol does, right
 * after that byte was read, before any other question to the stack. 1 done.
 * 0: refused, nothing changed: ONION_R_UNREAD_DATA if a layer holds bytes
 * that were not read, ONION_R_IN_HANDSHAKE, ONION_R_WRITE_UNFINISHED,
 * ONION_R_MIN_DEPTH, or the stack has failed.
 */
int BIO_onion_drop_tls(BIO *stack, int depth);

/* The depth of the next byte read or written; -1 if there is no stack. */
int BIO_onion_read_depth(BIO *stack);
int BIO_onion_write_depth(BIO *stack);

/*
 * The SSL of a layer, 1 being the outermost; NULL if there is no such layer.
 * It is the stack's. Ask it, set what may be set at any time, but do not read,
 * write or shut it down.
 */
SSL *BIO_onion_get0_ssl(BIO *stack, int layer);

/*
 * The limits: a start that would go past max (16 unless set; at most
 * ONION_MAX_DEPTH) is refused; a stop or drop below min (0 unless set) is
 * refused, and a boundary below it is a failure. 1 done, 0 if depth is out of
 * range.
 */
# define ONION_MAX_DEPTH        64
int BIO_onion_set_max_depth(BIO *stack, int depth);
int BIO_onion_set_min_depth(BIO *stack, int depth);

/*
 * Sets the flags to exactly these. 1 done, 0 for a flag that is not known.
 *
 * ONION_FOLLOW: when the peer has closed a layer, close our side of it too, in
 * the same BIO_read() that returns the boundary; where a write is half done,
 * in the BIO_write() that completes it; where what ONION_GATHER has gathered
 * could not go into the layer yet, in the call that sends it.
 *
 * ONION_GATHER: BIO_write() gathers what is small, until it makes a record of
 * the largest size that is one record in each layer, and has then only taken
 * it. What is gathered is sent by BIO_flush(), BIO_read() and BIO_gets(), and
 * goes out before a layer is started, stopped or dropped and before the stack
 * is freed; BIO_wpending() counts it. It always goes to the depth at which it
 * was written.
 *
 * ONION_EARLY: in layers that are started after it was set, the handshake of
 * the layer inside goes as early data (RFC 8446 section 2.3), where the layer
 * is TLS 1.3 and, at a client, offers a session that allows it. Layers that
 * are started together and all resume then take one round trip instead of one
 * each. A server reads early data where SSL_get_max_early_data() is not 0.
 * What a peer rejects, or what exceeds the limit of the session (64 KiB at
 * most), goes again or goes on when the handshake is done, by itself; a copy
 * of it is kept until then. Nothing goes early with a session whose server is
 * not the one that is expected now. The session's ALPN protocol must be among
 * those offered.
 *
 * Whoever records early data can send it once more to the same server, which
 * may not notice. Here that is a ClientHello, and a replayed ClientHello does
 * no harm by itself: the server answers with fresh keys that only the first
 * sender can derive, so that the handshake never ends, and nothing comes up to
 * the application and nothing of it goes down before one has. It costs the
 * server as much as any ClientHello does, which everybody may send anyway. The
 * innermost layer does not take early data.
 *
 * ONION_EARLY_DATA, with ONION_EARLY only: the innermost layer takes it too,
 * so data of the application goes before its handshake, and is delivered by
 * BIO_read() before that. All that a client writes so, up to the limit, may
 * be replayed: the server may read it again on another connection, as often as
 * its contexts let it (see SSL_read_early_data(3) on replay protection), and it
 * lacks forward secrecy. So the client sets it only where a request may be
 * carried out twice, and a server only where it stands that. A client's
 * BIO_write() is then done when it is sent early; a rejection is made good by
 * the next BIO_read(), BIO_write(), BIO_do_handshake() or stop. At either end
 * SSL_is_init_finished() of the innermost layer tells early from late.
 */
# define ONION_FOLLOW           0x1UL
# define ONION_GATHER           0x2UL
# define ONION_EARLY            0x4UL
# define ONION_EARLY_DATA       0x8UL
int BIO_onion_set_flags(BIO *stack, unsigned long flags);

/*
 * The layer that failed first, by its number, with the ONION_R_* reason in
 * *reason unless that is NULL. 0: no layer has failed (the transport may have).
 */
int BIO_onion_failed_layer(BIO *stack, int *reason);

/*
 * Calls cb after each of these, with the number of the layer, counted before a
 * removal, and its SSL. It is called at the end of the stack's function in
 * which the thing happened; it may ask the stack anything, but must not change
 * or free it. NULL for no callback.
 */
typedef void BIO_onion_cb(BIO *stack, int event, int layer, SSL *ssl,
                          void *arg);
# define ONION_EVENT_STARTED    1   /* the layer is in the chain */
# define ONION_EVENT_HANDSHAKE  2   /* its handshake is done */
# define ONION_EVENT_PEER_CLOSED 3  /* its boundary was returned */
# define ONION_EVENT_CLOSED     4   /* our close_notify was sent */
# define ONION_EVENT_REMOVED    5   /* both have; its SSL is freed after this */
# define ONION_EVENT_FAILED     6   /* see BIO_onion_failed_layer() */
void BIO_onion_set_callback(BIO *stack, BIO_onion_cb *cb, void *arg);

/*
 * Draws the chain on out, from the application down to the transport, a line
 * each: role, name, version, cipher, verified or not. The arrows on the left
 * show which directions pass there: v what is written, ^ what is read. 1 done,
 * 0 if out took less.
 */
int BIO_onion_print(BIO *out, BIO *stack);

/*
 * Configuration
 * -------------
 *
 * Layers that are described by a file in the manner of openssl.cnf, see
 * onion_config(5). It is loaded once, and used for any number of connections,
 * in any thread.
 */
typedef struct onion_config_st ONION_CONFIG;

/*
 * Asked of each key that neither this library nor SSL_CONF_cmd() knows: of a
 * section of a layer, 1 being the outermost, or of the stack with layer 0.
 * where is "file:line". 1: it is the application's, and taken. 0: it is not
 * known, which is an error. -1: it is, but its value is wrong.
 */
typedef int BIO_onion_config_cb(int layer, const char *key, const char *value,
                                const char *where, void *arg);

/*
 * Reads the stack that the section describes, with all that it names, and
 * checks it; no file is read after that. file NULL is the configuration of
 * OpenSSL, section NULL is "onion"; cb may be NULL. NULL on failure:
 * ONION_R_UNKNOWN_KEY, ONION_R_BAD_CONFIG, or out of memory; the text of the
 * error has the file, the line, the section and the key. What was in the error
 * queue before is dropped.
 */
ONION_CONFIG *BIO_onion_config_load(const char *file, const char *section,
                                    BIO_onion_config_cb *cb, void *arg);

/* Layers that were started stay as they are. config may be NULL. */
void BIO_onion_config_free(ONION_CONFIG *config);

/* How many layers it describes. */
int BIO_onion_config_layers(const ONION_CONFIG *config);

/* For what a file cannot say, before the first use. NULL: no such layer. */
SSL_CTX *BIO_onion_config_get0_ctx(const ONION_CONFIG *config, int layer);

/*
 * Starts its layers from the depth of the stack on, so that there are depth of
 * them; all with -1. Layer n of the stack is the one that is described as its
 * n-th. Where there are as many already, nothing is done. Results as of
 * BIO_onion_start_tls(), but that with a failure for want of memory some of
 * them may be started; the depth tells.
 */
int BIO_onion_start_config(BIO *stack, const ONION_CONFIG *config, int depth);

/*
 * The same for one layer, for BIO_onion_start_tls(), where host is known only
 * now, or the layer is not started as the next: a fresh SSL, set to connect or
 * accept state. host is used if the section has none; a client without any is
 * refused. NULL on failure.
 */
SSL *BIO_onion_config_new_ssl(const ONION_CONFIG *config, int layer,
                              const char *host);

/*
 * Errors
 * ------
 */

/* The number of this library in ERR_GET_LIB(), taken at run time. */
int BIO_onion_error_library(void);

# define ONION_R_NO_STACK               100 /* the chain has no stack */
# define ONION_R_NO_TRANSPORT           101 /* the stack has nothing below it */
# define ONION_R_NO_SSL                 102 /* a layer without BIO_set_ssl() */
# define ONION_R_MAX_DEPTH              103 /* start: too many layers */
# define ONION_R_MIN_DEPTH              104 /* below the minimum depth */
# define ONION_R_DEPTHS_DIFFER          105 /* start: a stop is under way */
# define ONION_R_SSL_IN_USE             106 /* start: the SSL is not fresh */
# define ONION_R_SSL_UNSUPPORTED        107 /* start: a datagram SSL */
# define ONION_R_WRITE_UNFINISHED       108 /* repeat the BIO_write() first */
# define ONION_R_BAD_WRITE_RETRY        109 /* it was not repeated alike */
# define ONION_R_UNREAD_DATA            110 /* drop: read it first */
# define ONION_R_IN_HANDSHAKE           111 /* drop: finish it first */
# define ONION_R_WRITE_CLOSED           112 /* write after our close_notify */
# define ONION_R_HANDSHAKE_FAILED       113
# define ONION_R_CERTIFICATE_REFUSED    114 /* chain or name of the peer */
# define ONION_R_SESSION_MISMATCH       115 /* resumed, but for another name */
# define ONION_R_TRUNCATED              116 /* ended without a close_notify */
# define ONION_R_LAYER_FAILED           117 /* alert, bad record, ... */
# define ONION_R_BELOW_FAILED           118 /* what lies below it failed */
# define ONION_R_TRANSPORT_FAILED       119 /* read or write of the transport */
# define ONION_R_TOO_MUCH_UNSENT        120 /* the peer does not read */
# define ONION_R_BAD_CONFIG             121 /* a file, section or value */
# define ONION_R_UNKNOWN_KEY            122 /* in a section of a file */

# ifdef __cplusplus
}
# endif

/*
 * A program that was written for BIO_f_ssl() is compiled with
 *
 *     -DBIO_ONION_COMPAT -include bio_onion.h
 *
 * which `pkg-config --variable=compat_cflags bio_onion' prints.
 */
# ifdef BIO_ONION_COMPAT
#  define BIO_f_ssl                     BIO_f_onion
#  define BIO_new_ssl                   BIO_new_onion
#  define BIO_new_ssl_connect           BIO_new_onion_connect
#  define BIO_new_buffer_ssl_connect    BIO_new_buffer_onion_connect
#  define BIO_ssl_copy_session_id       BIO_onion_copy_session_id
#  define BIO_ssl_shutdown              BIO_onion_shutdown
# endif

#endif
