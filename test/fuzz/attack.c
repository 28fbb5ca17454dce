/*
 * attack.c - a stack, and a peer of it that does what the input says.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include "attack.h"
#include "fuzz_tls.h"
#include "record.h"
#include "util.h"

#define LAYERS          2
#define SAID            32768   /* bytes that the peer says at a depth */
#define RAW             100000  /* and all in all on the wire */
#define RECORD          16700

struct said {
    unsigned char data[SAID];
    size_t len, at;             /* at: the next to be read */
};

static struct attack {
    const struct attack_kind *kind;
    struct fuzz_input *in;
    int version[LAYERS + 1];
    int follow;

    BIO *stack, *tap;
    int failed;
    char text[32];              /* a write that is to be repeated, */
    int text_len;               /* or 0 */
    int tampered;               /* the peer has left the protocol */

    struct stock peer;
    struct said said[LAYERS + 1];       /* [d]: at depth d */
    int closed[LAYERS + 1];             /* its close_notify is sent */
    int broken[LAYERS + 1];             /* its SSL is of no use any more */
    int made[LAYERS + 1];               /* records are made by hand */
    unsigned written[LAYERS + 1];       /* records that its SSL has sent */
    struct record_maker maker[LAYERS + 1];
    size_t raw;
} x;

/*
 * The stack
 */

static int read_depth(void)
{
    return BIO_onion_read_depth(x.stack);
}

static int write_depth(void)
{
    return BIO_onion_write_depth(x.stack);
}

static void check_error(void)
{
    unsigned long e = ERR_peek_last_error();

    FUZZ_MUST(e != 0 && ERR_GET_LIB(e) == BIO_onion_error_library(),
              "queue: the newest entry is ours");
    ERR_clear_error();
}

/* A call that did not do what it should: 1 if it failed. */
static int not_done(int ret)
{
    if (BIO_should_retry(x.stack)) {
        FUZZ_MUST(ret == -1 && ERR_peek_error() == 0,
                  "queue: empty after a retry");
        return 0;
    }
    FUZZ_MUST(x.tampered, "failure: of a peer that kept to the protocol");
    check_error();
    x.failed = BIO_onion_failed_layer(x.stack, NULL) > 0;
    return 1;
}

static void check_depths(int reads, int writes)
{
    FUZZ_MUST(read_depth() == reads, "depth: of reads");
    FUZZ_MUST(write_depth() == writes
              || (x.follow && write_depth() == reads && reads < writes),
              "depth: of writes");
}

static void check_data(const unsigned char *data, int len, int depth)
{
    struct said *s = &x.said[depth];

    FUZZ_MUST((size_t)len <= s->len - s->at
              && memcmp(data, s->data + s->at, (size_t)len) == 0,
              "data: what the peer has said at this depth");
    s->at += (size_t)len;
}

static void check_boundary(int depth)
{
    FUZZ_MUST(x.closed[depth],
              "boundary: by a close_notify that is protected");
    FUZZ_MUST(x.said[depth].at == x.said[depth].len,
              "boundary: behind all that was said");
}

static void stale(unsigned op)
{
    ERR_clear_error();
    if (op & 0x80)
        test_stale_error();
}

static void read_some(unsigned op, int gets)
{
    static unsigned char data[20000];
    int reads = read_depth(), writes = write_depth(), n;
    int len = 2 + (int)fuzz_choice(x.in, 300);

    if (len > 250)
        len = (int)sizeof(data);
    stale(op);
    n = gets ? BIO_gets(x.stack, (char *)data, len)
             : BIO_read(x.stack, data, len);
    if (n < 0) {
        not_done(n);
        check_depths(reads, writes);
        return;
    }
    FUZZ_MUST(!BIO_should_retry(x.stack), "a result or a retry");
    FUZZ_MUST(ERR_peek_error() == 0, "queue: empty after success");
    FUZZ_MUST(!x.failed, "failure: it stays");
    if (n > 0) {
        check_data(data, n, reads);
        check_depths(reads, writes);
    } else if (BIO_eof(x.stack)) {
        FUZZ_MUST(reads == 0, "an end is one in the clear");
    } else {
        check_boundary(reads);
        check_depths(reads - 1, writes);
    }
}

static void do_read(unsigned op)
{
    read_some(op, 0);
}

static void do_gets(unsigned op)
{
    read_some(op, 1);
}

static void do_write(unsigned op)
{
    int reads = read_depth(), writes = write_depth(), n;

    if (x.text_len == 0)
        x.text_len = snprintf(x.text, sizeof(x.text), "%s%d.%u\n",
                              writes > 0 ? "SECRET" : "CLEAR", writes,
                              fuzz_byte(x.in));
    stale(op);
    n = BIO_write(x.stack, x.text, x.text_len);
    if (n <= 0) {
        not_done(n);
        check_depths(reads, writes);
        return;
    }
    FUZZ_MUST(n == x.text_len, "all or nothing");
    FUZZ_MUST(ERR_peek_error() == 0, "queue: empty after success");
    FUZZ_MUST(!x.failed, "failure: it stays");
    x.text_len = 0;
    check_depths(reads, writes);
}

static void do_stop(unsigned op)
{
    int reads = read_depth(), writes = write_depth(), r;
    int to = (int)fuzz_choice(x.in, (unsigned)writes + 1);

    if (x.text_len > 0)
        return;
    stale(op);
    r = BIO_onion_stop_tls(x.stack, to);
    FUZZ_MUST(read_depth() == reads, "depth: of reads");
    if (r < 0) {
        not_done(r);
        FUZZ_MUST(write_depth() >= to && write_depth() <= writes,
                  "depth: of writes");
        return;
    }
    FUZZ_MUST(ERR_peek_error() == 0, "queue: empty after success");
    FUZZ_MUST(!x.failed, "failure: it stays");
    FUZZ_MUST(write_depth() == to && r == (reads <= to), "depth: as asked");
}

static void do_handshake(unsigned op)
{
    int reads = read_depth(), writes = write_depth(), r;

    stale(op);
    r = (int)BIO_do_handshake(x.stack);
    if (r <= 0)
        not_done(r);
    else
        FUZZ_MUST(ERR_peek_error() == 0, "queue: empty after success");
    check_depths(reads, writes);
}

/* Questions, whose answer changes nothing. */
static void do_ask(unsigned op)
{
    int reads = read_depth(), writes = write_depth();
    BIO *out = BIO_new(BIO_s_mem());

    stale(op);
    FUZZ_MUST((int)BIO_pending(x.stack) >= 0, "a number");
    FUZZ_MUST((int)BIO_wpending(x.stack) >= 0, "a number");
    (void)BIO_eof(x.stack);
    if (BIO_flush(x.stack) <= 0)
        not_done(-1);
    BIO_onion_print(out, x.stack);
    BIO_free(out);
    check_depths(reads, writes);
    ERR_clear_error();
}

/*
 * The peer
 */

/* Of what is sent at a depth, that which is no record of a layer inside. */
static int is_text(int depth)
{
    return depth == x.peer.depth || x.closed[depth + 1];
}

static void note_said(int depth, const unsigned char *data, size_t len)
{
    struct said *s = &x.said[depth];

    if (!is_text(depth) || (depth > 0 && x.closed[depth]))
        return;
    memcpy(s->data + s->len, data, len);
    s->len += len;
}

static int may_say(int depth, size_t len)
{
    return x.said[depth].len + len <= SAID && x.raw + len + 2000 <= RAW;
}

/* The SSL of that layer can say something that our side will understand. */
static int can_write(int layer)
{
    int i;

    for (i = 1; i <= layer; i++)
        if (x.closed[i] || x.broken[i] || (i < layer && x.made[i])
            || !SSL_is_init_finished(x.peer.ssl[i]))
            return 0;
    return 1;
}

/* What an SSL of the peer says: 1 if it goes on. */
static int goes_on(int layer, int ret)
{
    int why = SSL_get_error(x.peer.ssl[layer], ret);

    ERR_clear_error();
    if (ret <= 0 && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE
        && why != SSL_ERROR_ZERO_RETURN)
        x.broken[layer] = 1;
    return ret > 0;
}

static int send_at(int depth, const unsigned char *data, size_t len);

static int send_record(int layer, int type, const unsigned char *data,
                       size_t len)
{
    unsigned char record[RECORD + RECORD_ROOM];

    return send_at(layer - 1, record,
                   record_make(&x.maker[layer], type, data, len, record));
}

static int send_by_ssl(int layer, const unsigned char *data, size_t len)
{
    if (!can_write(layer)
        || !goes_on(layer, SSL_write(x.peer.ssl[layer], data, (int)len)))
        return 0;
    x.written[layer]++;
    return 1;
}

static int send_on_wire(const unsigned char *data, size_t len)
{
    FUZZ_MUST(BIO_write(x.peer.io, data, (int)len) == (int)len, "room");
    x.raw += len;
    return 1;
}

/* Bytes inside a layer, or on the wire: 1 if they are sent. */
static int send_at(int depth, const unsigned char *data, size_t len)
{
    int sent;

    if (len == 0 || !may_say(depth, len))
        return 0;
    if (depth == 0)
        sent = send_on_wire(data, len);
    else if (x.made[depth])
        sent = send_record(depth, SSL3_RT_APPLICATION_DATA, data, len);
    else
        sent = send_by_ssl(depth, data, len);
    if (sent)
        note_said(depth, data, len);
    return sent;
}

/* From now on the records of that layer are made by hand. */
static int can_make(int layer)
{
    if (!x.made[layer] && !can_write(layer))
        return 0;
    if (!x.made[layer])
        record_maker(&x.maker[layer], x.peer.ssl[layer], x.written[layer]);
    x.made[layer] = 1;
    return 1;
}

static int is_close(int layer, int type, const unsigned char *data, size_t len)
{
    return type == SSL3_RT_ALERT && len == 2 && data[1] == 0
        && (data[0] == 1 || x.version[layer] == TLS1_3_VERSION);
}

/* Layers inside that one were not closed before it. */
static int is_early(int layer)
{
    while (++layer <= x.peer.depth)
        if (!x.closed[layer])
            return 1;
    return 0;
}

static void seal(int layer, int type, const unsigned char *data, size_t len)
{
    int closes = is_close(layer, type, data, len);

    if (x.raw + len + 2000 > RAW || !may_say(layer, len) || !can_make(layer))
        return;
    if ((!closes || data[0] != 1 || is_early(layer))
        && (type != SSL3_RT_APPLICATION_DATA || len == 0
            || len > SSL3_RT_MAX_PLAIN_LENGTH || x.closed[layer]))
        x.tampered = 1;
    if (!send_record(layer, type, data, len))
        return;
    if (type == SSL3_RT_APPLICATION_DATA)
        note_said(layer, data, len);
    if (closes)
        x.closed[layer] = 1;
}

/* The layers in which the peer does not keep to the protocol: one of them. */
static int choose_layer(void)
{
    int honest = x.kind->honest;

    return honest + 1 + (int)fuzz_choice(x.in, (unsigned)(x.kind->layers
                                                          - honest));
}

/* Records of a size at the limits. */
static void seal_large(int layer)
{
    static const size_t sizes[] = { 16383, 16384, 16385, 16640 };

    seal(layer, SSL3_RT_APPLICATION_DATA, test_bytes(RECORD),
         sizes[fuzz_choice(x.in, 4)]);
}

static void seal_small(int layer)
{
    unsigned type = fuzz_byte(x.in);
    size_t len = fuzz_byte(x.in), got;
    const uint8_t *data = fuzz_bytes(x.in, len, &got);

    if (type < 100)
        type = SSL3_RT_CHANGE_CIPHER_SPEC + type % 5;
    seal(layer, (int)type, data, got);
}

static void do_seal(unsigned op)
{
    int layer = choose_layer();

    if (op & 0x40)
        seal_large(layer);
    else
        seal_small(layer);
}

static void do_raw(unsigned op)
{
    int depth = choose_layer() - 1;
    size_t len = fuzz_choice(x.in, 1000), got;
    const uint8_t *data = fuzz_bytes(x.in, len, &got);

    (void)op;
    if (send_at(depth, data, got) && !is_text(depth))
        x.tampered = 1;
}

/* What a forger would send. */
static void do_forge(unsigned op)
{
    static const struct {
        unsigned char data[11];
        size_t len;
    } records[] = {
        { { 21, 3, 3, 0, 2, 1, 0 }, 7 },
        { { 21, 3, 3, 0, 2, 2, 0 }, 7 },
        { { 21, 3, 3, 0, 2, 2, 40 }, 7 },
        { { 21, 3, 1, 0, 2, 1, 90 }, 7 },
        { { 20, 3, 3, 0, 1, 1 }, 6 },
        { { 22, 3, 3, 0, 4, 0, 0, 0, 0 }, 9 },
        { { 23, 3, 3, 0, 1, 'x' }, 6 },
        { { 23, 3, 3, 0, 0 }, 5 }
    };
    int depth = choose_layer() - 1;
    unsigned n = fuzz_choice(x.in, 8);

    (void)op;
    if (send_at(depth, records[n].data, records[n].len) && !is_text(depth))
        x.tampered = 1;
}

/* A sentence, where it is one. */
static void do_say(unsigned op)
{
    int depth = (int)fuzz_choice(x.in, (unsigned)x.peer.depth + 1), n;
    char text[32];

    (void)op;
    n = snprintf(text, sizeof(text), "peer says %u\n", fuzz_byte(x.in));
    if (is_text(depth))
        send_at(depth, (const unsigned char *)text, (size_t)n);
}

static void do_close(unsigned op)
{
    static const unsigned char alert[] = { 1, 0 };
    int layer = 1 + (int)fuzz_choice(x.in, (unsigned)x.peer.depth);

    (void)op;
    if (x.made[layer]) {
        seal(layer, SSL3_RT_ALERT, alert, 2);
        return;
    }
    if (!can_write(layer))
        return;
    if (is_early(layer))
        x.tampered = 1;
    goes_on(layer, SSL_shutdown(x.peer.ssl[layer]));
    x.written[layer]++;
    x.closed[layer] = 1;
}

/* The peer reads what has come, and shakes hands as far as that leads. */
static void do_peer(unsigned op)
{
    unsigned char data[4096];
    int layer = 1;

    (void)op;
    while (layer <= x.peer.depth && SSL_is_init_finished(x.peer.ssl[layer]))
        layer++;
    if (layer <= x.peer.depth) {
        if (!x.broken[layer] && (layer == 1 || can_write(layer - 1))
            && !(layer > 1 && x.made[layer - 1]))
            goes_on(layer, SSL_do_handshake(x.peer.ssl[layer]));
    } else if (can_write(layer - 1) && !x.made[layer - 1]) {
        goes_on(layer - 1, SSL_read(x.peer.ssl[layer - 1], data,
                                    sizeof(data)));
    }
    ERR_clear_error();
}

static void peer_does(void (*what)(unsigned), unsigned op)
{
    fuzz_turn(FUZZ_THEIRS);
    what(op);
    ERR_clear_error();
    fuzz_turn(FUZZ_OURS);
}

/*
 * The transport
 */

static void do_cut(unsigned op)
{
    static const size_t sizes[] = { 0, 1, 2, 5, 6, 29, 100, 1000 };

    (void)op;
    tap_of(x.tap)->in.max = sizes[fuzz_choice(x.in, 8)];
    tap_of(x.tap)->in.stutter = (int)fuzz_choice(x.in, 2);
}

static void do_end(unsigned op)
{
    struct tap_side *in = &tap_of(x.tap)->in;

    in->limit = in->len;
    in->end = op & 0x40 ? TAP_ERROR : TAP_EOF;
    x.tampered = 1;
}

static void do_hold(unsigned op)
{
    struct tap_side *out = &tap_of(x.tap)->out;

    if (op & 0x40)
        tap_hold(out);
    else
        tap_release(out);
}

static void do_transport(unsigned op)
{
    if (op & 0x20)
        do_hold(op);
    else
        do_end(op);
}

/*
 * Both
 */

static int is_shaken(void)
{
    SSL *ssl = BIO_onion_get0_ssl(x.stack, x.peer.depth);

    return ssl == NULL
        || (SSL_is_init_finished(ssl)
            && SSL_is_init_finished(x.peer.ssl[x.peer.depth]));
}

/* As far as it goes by itself. */
static void shake_hands(unsigned op)
{
    int i;

    (void)op;
    for (i = 0; i < 12 && !x.failed && !is_shaken(); i++) {
        do_handshake(0);
        peer_does(do_peer, 0);
    }
}

/* What there is to do: a byte chooses, whose upper bits say how. */
static void act(unsigned op)
{
    static const struct {
        void (*what)(unsigned op);
        int is_peer;
    } acts[16] = {
        { do_read, 0 }, { do_read, 0 }, { do_gets, 0 }, { do_write, 0 },
        { do_stop, 0 }, { do_handshake, 0 }, { do_ask, 0 }, { do_peer, 1 },
        { do_raw, 1 }, { do_seal, 1 }, { do_say, 1 }, { do_close, 1 },
        { do_forge, 1 }, { do_cut, 0 }, { do_transport, 0 },
        { shake_hands, 0 }
    };

    if (acts[op & 15].is_peer)
        peer_does(acts[op & 15].what, op);
    else
        acts[op & 15].what(op);
}

/*
 * A run
 */

static void start_layer(void)
{
    int layer = x.peer.depth + 1, version = x.version[layer];
    int client = x.kind->client;

    FUZZ_MUST(BIO_onion_start_tls(x.stack, test_ssl(client, version, layer),
                                  NULL, 0) == 1, "a start");
    fuzz_turn(FUZZ_THEIRS);
    stock_start(&x.peer, test_ssl(!client, version, layer));
    fuzz_turn(FUZZ_OURS);
}

static void begin(const struct attack_kind *kind, struct fuzz_input *in)
{
    unsigned how = fuzz_byte(in), flags = 0;
    int i;

    memset(&x, 0, sizeof(x));
    x.kind = kind;
    x.in = in;
    for (i = 1; i <= LAYERS; i++)
        x.version[i] = how >> i & 1 ? TLS1_2_VERSION : TLS1_3_VERSION;
    x.follow = how >> 3 & 1;
    flags = (x.follow ? ONION_FOLLOW : 0) | (how & 0x10 ? ONION_GATHER : 0);
    x.stack = stock_pair(&x.peer, 2 * RAW, &x.tap);
    BIO_onion_set_flags(x.stack, flags);
    for (i = 1; i <= kind->layers; i++) {
        start_layer();
        if (i <= kind->honest)
            shake_hands(0);
    }
    if (how & 1)
        shake_hands(0);
}

/* What has failed does nothing any more. */
static void check_failed(void)
{
    int reads = read_depth(), writes = write_depth(), i;
    size_t out = tap_of(x.tap)->out.len;
    char c;

    for (i = 0; i < 2; i++) {
        FUZZ_MUST(BIO_write(x.stack, "SECRET", 6) <= 0
                  && BIO_read(x.stack, &c, 1) < 0
                  && !BIO_should_retry(x.stack)
                  && BIO_onion_stop_tls(x.stack, 0) < 0
                  && BIO_onion_drop_tls(x.stack, 0) <= 0, "failure: it stays");
        FUZZ_MUST(read_depth() == reads && write_depth() == writes,
                  "failure: no depth changes");
    }
    FUZZ_MUST(tap_of(x.tap)->out.len == out, "failure: nothing is written");
}

void attack_run(const struct attack_kind *kind, struct fuzz_input *in)
{
    int i;

    begin(kind, in);
    while (in->len > 0)
        act(fuzz_byte(in));
    tap_release(&tap_of(x.tap)->out);
    for (i = 0; i < 4 && !x.failed; i++)
        do_read(0);
    if (x.failed)
        check_failed();
    FUZZ_MUST(!tap_saw(&tap_of(x.tap)->out, "SECRET"), "secret");
    ERR_clear_error();
    BIO_free_all(x.stack);
    FUZZ_MUST(ERR_peek_error() == 0, "queue: empty after BIO_free_all()");
    stock_free(&x.peer);
}

void attack_start(void)
{
    int layer;

    fuzz_start_tls();
    record_watch(test_client_ctx(TLS1_3_VERSION, 1));
    for (layer = 1; layer <= LAYERS; layer++)
        record_watch(test_server_ctx(TLS1_3_VERSION, test_name(layer),
                                     layer % 2 == 0 ? TEST_P256 : 0));
}
