/*
 * test_schedules.c - every schedule of up to five actions of two stacks.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two stacks with no layer, one or two, and room for two. An action is of one
 * of them: it starts a layer as client or as server, writes a message, reads,
 * stops one layer or all, or drops one. All rows of one to five actions are
 * cases; sweep.h says how many are run. What must hold, whatever the row:
 *
 *   depth     a message is read at the depth it was written at
 *   order     messages are read in order
 *   boundary  the read depth falls by one, in a read of 0, and only after the
 *             peer has closed that layer
 *   own       all else that changes a depth is our own start, stop or drop
 *   failure   is told by an error of ours, and every call after it fails
 *   queue     is empty after what was done or is to be repeated
 *
 * A row is agreed where each start finds nothing under way, and the next action
 * is the start of the other, in the other role; and where nothing is dropped.
 * Then nothing fails, nothing but messages is read, and none is lost; and in
 * the end both can stop and talk in the clear.
 */

#include <stdio.h>
#include <string.h>
#include "psk.h"
#include "sweep.h"
#include "util.h"

#define MOST_ACTIONS 5
#define MOST_LAYERS 2
#define MESSAGE 8
#define ROUNDS 100

enum op { CLIENT, SERVER, WRITE, READ, STOP, STOP_ALL, DROP, OPS };

struct side {
    char name;
    BIO *bio;
    int failed;
    unsigned char message[MESSAGE];
    int writing;                /* it is to be repeated */
    unsigned char sent, seen;   /* numbers of messages */
    unsigned char window[MESSAGE];
    int in_window;              /* bytes, of which the last are valid */
    int garbage;                /* bytes read that were of no message */
    int closed[MOST_LAYERS + 1];    /* by us, of each layer */
    int heard[MOST_LAYERS + 1];     /* boundaries */
    struct side *other;
};

static struct {
    size_t number;
    const char *row;
    struct side a, b;
    int agreed;
    int awaited;                /* 1 + the op of a start that has to follow */
    const struct side *by;      /* whose it is */
} w;

static size_t agreed_rows, failures, boundaries;

#define MUST(cond, s, law) \
    ck_assert_msg(cond, "%s broken at %c: %s; ONION_CASE=%zu: %s", law, \
                  (s)->name, #cond, w.number, w.row)

static int read_depth(const struct side *s)
{
    return BIO_onion_read_depth(s->bio);
}

static int write_depth(const struct side *s)
{
    return BIO_onion_write_depth(s->bio);
}

/* The last call has failed, or was refused. */
static void check_error(struct side *s)
{
    MUST(ERR_GET_LIB(ERR_peek_last_error()) == BIO_onion_error_library(), s,
         "failure");
    ERR_clear_error();
    if (BIO_onion_failed_layer(s->bio, NULL) == 0)
        return;
    failures += !s->failed;
    s->failed = 1;
    MUST(!w.agreed, s, "failure");
}

/* 1: done; 0: to be repeated, or failed. The depths are as they must be. */
static int after(struct side *s, int done, int reads, int writes)
{
    MUST(!done || !s->failed, s, "failure");
    if (!done && !BIO_should_retry(s->bio))
        check_error(s);
    MUST(ERR_peek_error() == 0, s, "queue");
    MUST(read_depth(s) == reads, s, "boundary");
    MUST(write_depth(s) == writes, s, "own");
    MUST(reads <= MOST_LAYERS && writes <= MOST_LAYERS, s, "own");
    return done;
}

/*
 * Messages
 */

static void compose(struct side *s)
{
    unsigned char *m = s->message;

    s->sent++;
    m[0] = 0xfe;
    m[1] = (unsigned char)s->name;
    m[2] = (unsigned char)write_depth(s);
    m[3] = s->sent;
    m[4] = 0xed;
    m[5] = (unsigned char)~s->sent;
    m[6] = 0xef;
    m[7] = '\n';
    s->writing = 1;
}

static int is_message(const struct side *s)
{
    const unsigned char *m = s->window;

    return s->in_window >= MESSAGE && m[0] == 0xfe && m[4] == 0xed
        && m[6] == 0xef && m[7] == '\n' && (m[3] ^ m[5]) == 0xff;
}

static void take_byte(struct side *s, unsigned char byte)
{
    memmove(s->window, s->window + 1, MESSAGE - 1);
    s->window[MESSAGE - 1] = byte;
    s->in_window++;
    s->garbage++;
    if (!is_message(s))
        return;
    MUST(s->window[1] == (unsigned char)s->other->name, s, "depth");
    MUST(s->window[2] == read_depth(s), s, "depth");
    MUST(s->window[3] > s->seen, s, "order");
    MUST(!w.agreed || s->window[3] == s->seen + 1, s, "order");
    s->seen = s->window[3];
    s->in_window = 0;
    s->garbage -= MESSAGE;
}

/*
 * Actions
 */

/* Nothing is on its way, and both are at the same depth. */
static int is_quiet(void)
{
    return !w.a.writing && !w.b.writing && w.a.sent == w.b.seen
        && w.b.sent == w.a.seen && read_depth(&w.a) == read_depth(&w.b);
}

/* A layer was started: the other has to do so next. */
static void agree(struct side *s, enum op op, int quiet)
{
    if (w.awaited != 0) {       /* act() has seen that this is the answer */
        w.awaited = 0;
        return;
    }
    if (!quiet)
        w.agreed = 0;
    w.awaited = 1 + (int)(op == CLIENT ? SERVER : CLIENT);
    w.by = s->other;
}

static void start(struct side *s, enum op op)
{
    int reads = read_depth(s), writes = write_depth(s), ok, quiet = is_quiet();
    SSL *ssl = psk_ssl(op == CLIENT, TLS1_3_VERSION);

    ok = BIO_onion_start_tls(s->bio, ssl, NULL, 0);
    if (!after(s, ok, reads + ok, writes + ok)) {
        SSL_free(ssl);
        if (w.awaited != 0)
            w.agreed = w.awaited = 0;
        return;
    }
    s->in_window = 0;
    agree(s, op, quiet);
}

static void write_message(struct side *s)
{
    int reads = read_depth(s), writes = write_depth(s), n;

    if (!s->writing)
        compose(s);
    if (s->message[2] != writes)
        w.agreed = 0;           /* an earlier write that was never repeated */
    s->message[2] = (unsigned char)writes;
    n = BIO_write(s->bio, s->message, MESSAGE);
    MUST(n <= 0 || n == MESSAGE, s, "order");
    if (after(s, n > 0, reads, writes))
        s->writing = 0;
}

static void read_some(struct side *s)
{
    int reads = read_depth(s), writes = write_depth(s), n, i, boundary;
    unsigned char in[64];

    n = BIO_read(s->bio, in, sizeof(in));
    boundary = n == 0 && !BIO_should_retry(s->bio);
    MUST(!boundary || BIO_eof(s->bio) == 0, s, "boundary");
    if (!after(s, n > 0 || boundary, reads - boundary, writes))
        return;
    if (boundary) {
        s->in_window = 0;
        boundaries++;
        s->heard[reads]++;
        MUST(s->heard[reads] <= s->other->closed[reads], s, "boundary");
    }
    for (i = 0; i < n; i++)
        take_byte(s, in[i]);
    MUST(!w.agreed || s->garbage == 0, s, "depth");
}

static void stop(struct side *s, int depth)
{
    int reads = read_depth(s), writes = write_depth(s), ret, now;

    ret = BIO_onion_stop_tls(s->bio, depth);
    now = write_depth(s);
    MUST(now <= writes && (now >= depth || now == writes), s, "own");
    MUST(ret < 0 || now <= depth, s, "own");
    MUST(ret < 0 || ret == (reads <= depth), s, "own");
    after(s, ret >= 0, reads, now);
    for (; writes > now; writes--)
        s->closed[writes]++;
}

static int less(int depth)
{
    return depth > 0 ? depth - 1 : 0;
}

static void drop(struct side *s)
{
    int reads = read_depth(s), writes = write_depth(s), ok;
    int to = less(reads > writes ? reads : writes);

    ok = BIO_onion_drop_tls(s->bio, to);
    if (ok && to < (reads > writes ? reads : writes)) {
        w.agreed = 0;
        s->in_window = 0;
    }
    after(s, ok, ok && reads > to ? to : reads,
          ok && writes > to ? to : writes);
}

static void act(struct side *s, enum op op)
{
    if (w.awaited != 0 && (w.by != s || w.awaited != 1 + (int)op))
        w.agreed = w.awaited = 0;
    switch (op) {
    case CLIENT:
    case SERVER:
        start(s, op);
        break;
    case WRITE:
        write_message(s);
        break;
    case READ:
        read_some(s);
        break;
    case STOP:
        stop(s, less(write_depth(s)));
        break;
    case STOP_ALL:
        stop(s, 0);
        break;
    default:
        drop(s);
    }
}

/*
 * Rows
 */

static void open_side(struct side *s, char name, BIO *bio, struct side *other)
{
    memset(s, 0, sizeof(*s));
    s->name = name;
    s->bio = bio;
    s->other = other;
    ck_assert_int_eq(BIO_onion_set_max_depth(bio, MOST_LAYERS), 1);
}

/* Layer 1 is started by a as client, layer 2 by b, if they are there. */
static void open_world(int depth)
{
    BIO *a, *b;
    int i;

    test_pair(&a, &b, 20000, 20000);
    open_side(&w.a, 'a', a, &w.b);
    open_side(&w.b, 'b', b, &w.a);
    w.agreed = 1;
    w.awaited = 0;
    for (i = 0; i < depth; i++) {
        act(&w.a, i == 0 ? CLIENT : SERVER);
        act(&w.b, i == 0 ? SERVER : CLIENT);
    }
    for (i = 0; depth > 0 && i < 10; i++) {
        BIO_do_handshake(a);
        BIO_do_handshake(b);
    }
}

static void finish(struct side *s)
{
    if (s->writing)
        write_message(s);
    else if (write_depth(s) > 0)
        stop(s, 0);
    read_some(s);
}

/* Both come to the clear, and talk there. */
static void end_well(void)
{
    int i, in_the_clear = 0;

    for (i = 0; i < ROUNDS && !in_the_clear; i++) {
        finish(&w.a);
        finish(&w.b);
        in_the_clear = is_quiet() && read_depth(&w.a) + write_depth(&w.a)
            + read_depth(&w.b) + write_depth(&w.b) == 0;
    }
    MUST(in_the_clear, &w.a, "progress");
    write_message(&w.a);
    write_message(&w.b);
    read_some(&w.a);
    read_some(&w.b);
    MUST(is_quiet(), &w.a, "order");
}

/* A case is a length of the row, the row, and a depth. */
static size_t rows_of(int len)
{
    size_t n = 1;

    while (len-- > 0)
        n *= 2 * OPS;
    return n;
}

static size_t rows(void)
{
    size_t n = 0;
    int len;

    for (len = 1; len <= MOST_ACTIONS; len++)
        n += rows_of(len);
    return n;
}

static void run_row(size_t number)
{
    static const char letters[] = "csWR-0d";
    static char text[2 * MOST_ACTIONS + 10];
    size_t at = number / (MOST_LAYERS + 1);
    int i, len = 1, depth = (int)(number % (MOST_LAYERS + 1));
    int ops[MOST_ACTIONS];

    for (; at >= rows_of(len); len++)
        at -= rows_of(len);
    for (i = 0; i < len; i++, at /= 2 * OPS)
        ops[i] = (int)(at % (2 * OPS));
    snprintf(text, sizeof(text), "%d:", depth);
    for (i = 0; i < len; i++)
        snprintf(text + 2 + 2 * i, 3, "%c%c", ops[i] < OPS ? 'a' : 'b',
                 letters[ops[i] % OPS]);
    w.number = number;
    w.row = text;
    open_world(depth);
    for (i = 0; i < len; i++)
        act(ops[i] < OPS ? &w.a : &w.b, (enum op)(ops[i] % OPS));
    if (w.awaited != 0)
        w.agreed = 0;
    agreed_rows += (size_t)w.agreed;
    if (w.agreed)
        end_well();
    BIO_free_all(w.a.bio);
    BIO_free_all(w.b.bio);
    ERR_clear_error();
}

START_TEST(every_schedule_of_five_actions_keeps_the_laws)
{
    struct sweep s;

    sweep_start(&s, rows() * (MOST_LAYERS + 1), 3000);
    while (sweep_next(&s))
        run_row(s.at);
    sweep_report(&s, "schedules of up to five actions", "%zu were agreed on,"
                 " %zu stacks failed, %zu boundaries", agreed_rows, failures,
                 boundaries);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedules");
    TCase *tc = test_case(suite, "two stacks");

    sweep_timeout(tc);
    tcase_add_test(tc, every_schedule_of_five_actions_keeps_the_laws);
    return test_main(suite);
}
