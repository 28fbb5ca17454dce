/*
 * test_model.c - random schedules of two stacks, held against the laws.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two stacks talk over a BIO pair. At random, each writes messages, asks the
 * other to start layers (in either role) or to drop one, stops layers at any
 * moment, reads by BIO_read() or BIO_gets(), and does what changes nothing.
 * Every message carries its writer's depth and its number. What must hold:
 *
 *   order     every number is seen, in order, and every byte is as written
 *   depth     a byte is read at the depth it was written at
 *   boundary  the read depth changes only in a read that returns 0, by one,
 *             and between two messages
 *   own       the write depth changes only by our own stop, drop or start
 *             (or, with ONION_FOLLOW, in the read or write that follows)
 *   queue     the error queue is empty after each call, whatever was in it
 *   pending   a read delivers iff BIO_pending() says so
 *   line      BIO_gets() takes nothing from behind a newline
 *   sent      a write or stop that is done is with the transport
 *   handshake what BIO_do_handshake() calls done is so in each layer
 *   progress  with both sides served in turn, all comes to an end
 *   clear     both ends come back to the clear, and talk there
 *
 * In one schedule of eight the layers have certificates, in the others a key
 * that both ends know, which is cheaper by far.
 *
 * ONION_SCHEDULES: how many, or ONION_BUDGET, see sweep.h (3000 of a million).
 * ONION_SEED: of all, printed. ONION_CASE: run that schedule alone.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "psk.h"
#include "sweep.h"
#include "util.h"

#define MAX_DEPTH 8
#define MAX_BODY 70000
#define HEADER 12
#define MAGIC 0x6f6eU
#define FULL 250000     /* bytes that wait: more may have to wait above them */

/* What a message is about. */
enum kind { DATA, START, DROP, YES, NO, FINAL };

struct message {
    unsigned char bytes[HEADER + MAX_BODY];
    int len;                /* 0: none under way */
    int off;                /* handed to BIO_write() with success */
    int piece;              /* length of the BIO_write() to repeat, or 0 */
};

/* What a START is about. */
struct plan {
    int layers;
    unsigned clients;       /* bit i: the asker is the client of layer i */
    unsigned versions;      /* bit i: layer i is TLS 1.2 */
};

struct side {
    const char *name;
    BIO *bio;
    int wins;               /* if both ask at once */
    int follow;             /* ONION_FOLLOW is set */
    int gather;             /* ONION_GATHER is */
    struct message out;
    unsigned sent;          /* numbers of messages */
    int asked;              /* START or DROP, until it is answered; or 0 */
    struct plan plan;       /* of that START */
    int reply;              /* YES or NO, to be sent next; or 0 */
    int reply_to;           /* START or DROP */
    struct plan agreed;     /* of the START that is replied to */
    int stop_to;            /* a stop to be repeated, or -1 */
    int final_sent;
    /* what is read */
    unsigned char in[HEADER + MAX_BODY];
    int got;                /* bytes of the present message */
    int at;                 /* the depth it is read at */
    unsigned seen;
    int final_seen;
};

struct world {
    size_t seed;
    int number;
    unsigned long long rng;
    struct side a, b;
    int max_body;
    int certificates;       /* of the layers, else a key that both know */
    int actions;
    unsigned long moved;    /* grows with each thing done */
};

static struct world w;

static unsigned (*choose)(unsigned n);  /* in the place of chance, or NULL */

static unsigned rnd(unsigned n)
{
    if (choose != NULL)
        return choose(n);
    w.rng ^= w.rng << 13;
    w.rng ^= w.rng >> 7;
    w.rng ^= w.rng << 17;
    return (unsigned)((w.rng >> 11) % n);
}

#define MUST(cond, ...) \
    do { if (!(cond)) broken(#cond, __LINE__, __VA_ARGS__); } while (0)

static void broken(const char *what, int line, const struct side *s,
                   const char *law)
{
    char text[512];

    snprintf(text, sizeof(text), "%s broken at %s, line %d: %s; replay: "
             "ONION_SEED=%zu ONION_CASE=%d; depths a %d/%d b %d/%d",
             law, s->name, line, what, w.seed, w.number,
             BIO_onion_read_depth(w.a.bio), BIO_onion_write_depth(w.a.bio),
             BIO_onion_read_depth(w.b.bio), BIO_onion_write_depth(w.b.bio));
    ERR_print_errors_fp(stderr);
    ck_abort_msg("%s", text);
}

static struct side *other(struct side *s)
{
    return s == &w.a ? &w.b : &w.a;
}

static int read_depth(struct side *s)
{
    return BIO_onion_read_depth(s->bio);
}

static int write_depth(struct side *s)
{
    return BIO_onion_write_depth(s->bio);
}

/*
 * The sequence that a number stands for; it has newlines and zeros in it.
 */
static unsigned char body_byte(unsigned number, int i)
{
    return (unsigned char)((number * 31U + (unsigned)i * 7U) >> 1);
}

static void put32(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)(v >> 24);
    p[1] = (unsigned char)(v >> 16);
    p[2] = (unsigned char)(v >> 8);
    p[3] = (unsigned char)v;
}

static unsigned get32(const unsigned char *p)
{
    return (unsigned)p[0] << 24 | (unsigned)p[1] << 16 | (unsigned)p[2] << 8
        | p[3];
}

/* Header: magic, kind, depth; number; length of the body. */
static void compose(struct side *s, enum kind kind, int body)
{
    unsigned char *p = s->out.bytes;
    int i;

    put32(p, MAGIC << 16 | (unsigned)kind << 8 | (unsigned)write_depth(s));
    put32(p + 4, s->sent);
    put32(p + 8, (unsigned)body);
    for (i = 0; i < body; i++)
        p[HEADER + i] = body_byte(s->sent, i);
    s->sent++;
    s->out.len = HEADER + body;
    s->out.off = s->out.piece = 0;
}

/* Before each call: sometimes somebody else's error is in the queue. */
static void before_call(void)
{
    ERR_clear_error();
    if (rnd(4) == 0)
        ERR_raise(ERR_LIB_USER, 1);
}

/*
 * After each call: the queue is clean, and no depth has changed but as it may:
 * the read depth to `reads', the write depth to `writes'.
 */
static void after_call(struct side *s, int reads, int writes)
{
    MUST(ERR_peek_error() == 0, s, "queue");
    MUST(read_depth(s) == reads, s, "boundary");
    MUST(write_depth(s) == writes, s, "own");
}

/*
 * Where our writes must be after a call in which they may follow the peer. A
 * wire that is full takes no more of what is gathered, which has to go first.
 */
static int followed(struct side *s, int writes)
{
    int reads = read_depth(s);

    if (s->gather && BIO_wpending(s->bio) > FULL)
        return write_depth(s);
    return s->follow && s->out.piece == 0 && writes > reads ? reads : writes;
}

static void begin_tls(struct side *s, const struct plan *plan, int asks,
                      const void *unread, int len)
{
    int i, client, version, depth = read_depth(s), ok;
    SSL *ssl;

    for (i = 0; i < plan->layers; i++) {
        client = (int)(plan->clients >> i & 1) ^ !asks;
        version = (plan->versions >> i & 1) ? TLS1_2_VERSION : TLS1_3_VERSION;
        ssl = w.certificates ? test_ssl(client, version, depth + i + 1)
                             : psk_ssl(client, version);
        before_call();
        ok = BIO_onion_start_tls(s->bio, ssl, i == 0 ? unread : NULL,
                                 i == 0 ? (size_t)len : 0);
        MUST(ok == 1, s, "start");
        after_call(s, depth + i + 1, depth + i + 1);
    }
}

static void drop_one(struct side *s)
{
    int depth = read_depth(s);

    before_call();
    MUST(BIO_onion_drop_tls(s->bio, depth - 1) == 1, s, "drop");
    after_call(s, depth - 1, depth - 1);
}

/* The other asks. Where both do, the winner does not answer. */
static void was_asked(struct side *s, int what)
{
    int depth = read_depth(s), more;

    if (s->asked != 0 && s->wins)
        return;
    s->asked = 0;
    s->agreed = other(s)->plan;
    more = what == START ? s->agreed.layers : -1;
    s->reply_to = what;
    s->reply = depth == write_depth(s) && depth + more <= MAX_DEPTH
        && depth + more >= 0 && s->stop_to < 0 && !s->final_sent ? YES : NO;
}

static void do_write(struct side *s);

/*
 * The other has had what is still to be repeated here: it is sent, though
 * nobody has told the writer.
 */
static int is_answered(const struct side *s, int kind)
{
    int out = s->out.bytes[2];

    if (s->out.len == 0)
        return 0;
    return kind == YES || ((kind == START || kind == DROP) && out == NO);
}

static void take_message(struct side *s, const unsigned char *rest, int len)
{
    int kind = s->in[2], asked = s->asked;

    MUST(get32(s->in + 4) == s->seen, s, "order");
    s->seen++;
    w.moved++;
    s->got = 0;
    if (is_answered(s, kind)) {
        do_write(s);
        MUST(s->out.len == 0, s, "sent");
    }
    if (kind == START || kind == DROP)
        was_asked(s, kind);
    if (kind == FINAL) {
        MUST(read_depth(s) == 0, s, "clear");
        s->final_seen = 1;
    }
    if (kind == YES || kind == NO) {
        MUST(asked != 0, s, "order");
        s->asked = 0;
    }
    if (kind == YES && asked == START) {
        begin_tls(s, &s->plan, 1, rest, len);
    } else if (kind == YES) {
        MUST(len == 0, s, "depth");
        drop_one(s);
    }
}

/* One byte of the stream. 1 when it completes a message. */
static int take_byte(struct side *s, unsigned char byte)
{
    int n = s->got;

    if (n == 0)
        s->at = read_depth(s);
    MUST(s->at == read_depth(s), s, "depth");
    s->in[s->got++] = byte;
    if (n == 3) {
        MUST(get32(s->in) >> 16 == MAGIC, s, "order");
        MUST(s->in[3] == s->at, s, "depth");
    }
    if (n >= HEADER)
        MUST(byte == body_byte(s->seen, n - HEADER), s, "order");
    return s->got >= HEADER
        && (unsigned)s->got == HEADER + get32(s->in + 8);
}

static void take(struct side *s, const unsigned char *p, int len)
{
    while (len > 0) {
        len--;
        if (take_byte(s, *p++)) {
            int granted = s->in[2] == YES;

            take_message(s, p, len);
            if (granted)
                return;     /* the rest went to the handshake */
        }
    }
}

/* No handshake is under way, of which BIO_pending() knows nothing. */
static int is_settled(struct side *s)
{
    int depth = read_depth(s);

    return depth == 0
        || SSL_is_init_finished(BIO_onion_get0_ssl(s->bio, depth));
}

/* One read, of a size that is random, by one of the two functions. */
static void do_read(struct side *s)
{
    static unsigned char buf[80000];
    int reads = read_depth(s), writes = write_depth(s), n, asked, pending;
    /* Without a close_notify, BIO_gets() would look behind the last byte. */
    int gets = s->asked != DROP && rnd(3) == 0;
    int size = 2 + (int)rnd(rnd(3) == 0 ? 79000 : 40);

    asked = rnd(4) == 0 && is_settled(s);
    pending = asked ? (int)BIO_pending(s->bio) : 0;
    before_call();
    n = gets ? BIO_gets(s->bio, (char *)buf, size)
             : BIO_read(s->bio, buf, size);
    MUST(n >= 0 || BIO_should_retry(s->bio), s, "failure");
    MUST(!asked || (n >= 0) == (pending > 0), s, "pending");
    MUST(n <= 1 || !gets || memchr(buf, '\n', (size_t)n - 1) == NULL, s,
         "line");
    MUST(n < 0 || !BIO_should_retry(s->bio), s, "retry");
    if (n < 0) {
        after_call(s, reads, followed(s, writes));
        MUST(BIO_pending(s->bio) == 0, s, "pending");
        return;
    }
    w.moved++;
    if (n == 0) {
        MUST(s->got == 0, s, "boundary");
        MUST(BIO_eof(s->bio) == 0, s, "boundary");
        after_call(s, reads - 1, followed(s, writes));
        return;
    }
    after_call(s, reads, followed(s, writes));
    take(s, buf, n);
}

/* What a write that is complete means to who wrote it. */
static void sent(struct side *s)
{
    int reply = s->reply, kind = s->out.bytes[2];

    s->out.len = 0;
    if (kind != YES && kind != NO)
        return;
    s->reply = 0;
    if (reply == YES && s->reply_to == START)
        begin_tls(s, &s->agreed, 0, NULL, 0);
    else if (reply == YES)
        drop_one(s);
}

static void do_write(struct side *s)
{
    struct message *m = &s->out;
    int reads = read_depth(s), writes = write_depth(s), n;

    if (m->off == 0 && m->piece == 0)
        m->bytes[3] = (unsigned char)writes;    /* it may have followed */
    if (m->piece == 0) {
        m->piece = m->len - m->off;
        /* Who follows the peer may do so between two pieces. */
        if (!s->follow && rnd(2) == 0)
            m->piece = 1 + (int)rnd((unsigned)m->piece);
    }
    before_call();
    n = BIO_write(s->bio, m->bytes + m->off, m->piece);
    MUST(n == m->piece || (n < 0 && BIO_should_retry(s->bio)), s, "failure");
    if (n > 0) {
        m->off += n;
        m->piece = 0;
        w.moved++;
        MUST(s->follow || s->gather || BIO_wpending(s->bio) == 0, s, "sent");
    }
    after_call(s, reads, followed(s, writes));
    if (m->off == m->len)
        sent(s);
}

static void do_stop(struct side *s)
{
    int reads = read_depth(s), writes = write_depth(s), r;

    before_call();
    r = BIO_onion_stop_tls(s->bio, s->stop_to);
    MUST(r >= 0 || BIO_should_retry(s->bio), s, "failure");
    if (r < 0) {
        MUST(write_depth(s) == writes || write_depth(s) >= s->stop_to, s,
             "own");
        after_call(s, reads, write_depth(s));
        return;
    }
    after_call(s, reads, writes < s->stop_to ? writes : s->stop_to);
    MUST(r == (reads <= s->stop_to), s, "own");
    MUST(BIO_wpending(s->bio) == 0, s, "sent");
    w.moved++;
    s->stop_to = -1;
}

/* It is done when it is in each layer, those below being done first. */
static void shake_hands(struct side *s)
{
    int done = (int)BIO_do_handshake(s->bio), n;
    SSL *ssl;

    MUST(done == 1 || BIO_should_retry(s->bio), s, "failure");
    for (n = 1; done == 1 && (ssl = BIO_onion_get0_ssl(s->bio, n)) != NULL;
         n++)
        MUST(SSL_is_init_finished(ssl), s, "handshake");
}

/* What changes nothing, whenever it comes. */
static void do_nothing(struct side *s)
{
    int reads = read_depth(s), writes = write_depth(s);

    before_call();
    switch (rnd(5)) {
    case 0:
        (void)BIO_flush(s->bio);
        break;
    case 1:
        shake_hands(s);
        break;
    case 2:
        ERR_clear_error();
        (void)BIO_pending(s->bio);
        break;
    case 3:
        ERR_clear_error();
        MUST(BIO_eof(s->bio) == 0, s, "failure");
        break;
    default:
        BIO_onion_stop_tls(s->bio, writes > reads ? writes : reads);
    }
    after_call(s, reads, writes);
}

/* A message can begin: nothing is under way that it would fall into. */
static int may_compose(struct side *s)
{
    return s->out.len == 0 && s->asked == 0 && s->stop_to < 0;
}

static void do_ask(struct side *s)
{
    int depth = write_depth(s), room = MAX_DEPTH - depth;

    if (read_depth(s) != depth)
        return;
    if (rnd(5) == 0 && depth > 0) {
        compose(s, DROP, 0);
        s->asked = DROP;
        return;
    }
    if (room == 0)
        return;
    s->plan.layers = 1 + (rnd(4) == 0 && room > 1);
    s->plan.clients = rnd(4);
    s->plan.versions = rnd(4);
    s->asked = START;
    compose(s, START, 0);
}

/* A length that is often at an edge of a record. */
static int random_length(void)
{
    static const int edges[] = { 0, 1, 2, 255, 16362, 16383, 16384, 16385,
                                 65536, MAX_BODY };
    int n = rnd(3) == 0 ? edges[rnd(sizeof(edges) / sizeof(edges[0]))]
                        : (int)rnd(rnd(12) == 0 ? MAX_BODY + 1 : 300);

    return n > w.max_body ? w.max_body : n;
}

/* Begins something new, if it may. */
static void begin_something(struct side *s)
{
    int writes = write_depth(s);

    if (!may_compose(s))
        return;
    if (s->reply != 0) {
        /* What was granted must still be possible when it is sent. */
        if (read_depth(s) != writes)
            s->reply = NO;
        compose(s, (enum kind)s->reply, 0);
        return;
    }
    if (w.actions <= 0)
        return;
    w.actions--;
    switch (rnd(6)) {
    case 0:
        do_ask(s);
        break;
    case 1:
        if (writes > 0)
            s->stop_to = writes - 1 - (int)rnd(rnd(3) == 0
                                               ? (unsigned)writes : 1);
        break;
    case 2:
        if (read_depth(s) < writes)
            s->stop_to = read_depth(s);
        break;
    default:
        compose(s, DATA, random_length());
    }
}

/*
 * A YES is on its way, and what is read now may already be meant for the layer
 * that is started when its write has returned.
 */
static int is_agreeing(const struct side *s)
{
    return s->out.len > 0 && s->out.bytes[2] == YES;
}

static void step(struct side *s)
{
    unsigned what = rnd(16);

    if (what < 2)
        do_nothing(s);
    else if (what < 8 && !is_agreeing(s))
        do_read(s);
    else if (s->stop_to >= 0 && s->out.len == 0)
        do_stop(s);
    else if (s->out.len > 0)
        do_write(s);
    else
        begin_something(s);
}

/* The end: all that is under way is completed, then all is stopped. */
static void finish(struct side *s)
{
    if (s->out.len > 0)
        do_write(s);
    else if (s->stop_to >= 0)
        do_stop(s);
    else if (s->reply != 0)
        begin_something(s);
    else if (s->asked == 0 && write_depth(s) > 0)
        s->stop_to = 0;
    else if (s->asked == 0 && write_depth(s) == 0 && read_depth(s) == 0
             && !s->final_sent) {
        compose(s, FINAL, 0);
        s->final_sent = 1;
    }
    if (!is_agreeing(s))
        do_read(s);
}

static int is_finished(const struct side *s)
{
    return s->final_sent && s->final_seen && s->out.len == 0;
}

static size_t random_size(void)
{
    static const size_t sizes[] = { 1, 2, 7, 100, 512, 1400, 4096, 17408,
                                    65536, 70000 };
    size_t size = sizes[rnd(sizeof(sizes) / sizeof(sizes[0]))];

    if (size < 100 && rnd(4) != 0)      /* those take most of the time */
        size = 1400;
    return rnd(2) == 0 ? size : 1 + rnd((unsigned)size);
}

static void open_side(struct side *s, const char *name, BIO *bio, int wins)
{
    memset(s, 0, sizeof(*s));
    s->name = name;
    s->bio = bio;
    s->wins = wins;
    s->stop_to = -1;
    s->follow = rnd(4) == 0;
    s->gather = rnd(4) == 0;
    BIO_onion_set_flags(bio, (s->follow ? ONION_FOLLOW : 0)
                             | (s->gather ? ONION_GATHER : 0));
}

static void open_world(int number)
{
    BIO *a, *b;
    size_t to_a, to_b, least;

    w.number = number;
    w.rng = (unsigned long long)w.seed * 0x9e3779b97f4a7c15ULL
        + (unsigned)number * 2654435761U;
    w.rng ^= w.rng >> 29;
    w.rng |= 1;
    rnd(1);
    rnd(1);
    to_a = random_size();
    to_b = random_size();
    least = to_a < to_b ? to_a : to_b;
    w.max_body = rnd(64) == 0 || least > 5000 ? MAX_BODY
        : (int)least * 16 + 100;
    w.actions = 4 + (int)rnd(24);
    w.certificates = rnd(8) == 0;
    test_pair(&a, &b, to_a, to_b);
    open_side(&w.a, "a", a, 1);
    open_side(&w.b, "b", b, 0);
}

/* A transport that ends in the clear is an end, and no failure. */
static void check_end(void)
{
    BIO *transport = w.a.bio;
    char byte;

    while (BIO_next(transport) != NULL)
        transport = BIO_next(transport);
    (void)BIO_shutdown_wr(transport);
    before_call();
    ck_assert_int_eq(BIO_read(w.b.bio, &byte, 1), 0);
    ck_assert_int_eq(BIO_eof(w.b.bio), 1);
    BIO_free_all(w.a.bio);
    BIO_free_all(w.b.bio);
    ERR_clear_error();
}

static void run_schedule(int number)
{
    unsigned long last = 0;
    int idle = 0, patience = 400000;

    open_world(number);
    while (w.actions > 0 && patience-- > 0)
        step(rnd(2) == 0 ? &w.a : &w.b);
    w.actions = 0;
    while (!is_finished(&w.a) || !is_finished(&w.b)) {
        finish(&w.a);
        finish(&w.b);
        idle = w.moved == last ? idle + 1 : 0;
        last = w.moved;
        MUST(idle < 200000, &w.a, "progress");
    }
    MUST(w.a.seen == w.b.sent && w.b.seen == w.a.sent, &w.a, "order");
    check_end();
}

static size_t number_of(const char *name, size_t or)
{
    const char *text = getenv(name);

    return text == NULL || text[0] == '\0' ? or : strtoul(text, NULL, 10);
}

START_TEST(random_schedules_keep_every_law)
{
    size_t count = number_of("ONION_SCHEDULES", 0);
    struct sweep s;

    w.seed = number_of("ONION_SEED", 1);
    sweep_start(&s, 1000000, 3000);
    if (count > 0 && getenv("ONION_CASE") == NULL)
        s.limit = count;
    while (sweep_next(&s))
        run_schedule((int)s.at);
    sweep_report(&s, "random schedules", "ONION_SEED=%zu, %lu things done, no"
                 " law broken", w.seed, w.moved);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tc = tcase_create("two stacks");

    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, random_schedules_keep_every_law);
    suite_add_tcase(suite, tc);
    return test_main(suite);
}
