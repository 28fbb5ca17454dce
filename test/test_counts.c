/*
 * test_counts.c - records, bytes, calls, round trips and memory, exactly.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * What N layers may cost beside what their ciphers do. The counts are the same
 * on every machine, so they are tested, where times can only be measured. The
 * same bytes go through a chain of BIO_f_ssl(), which no count may exceed.
 */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>
#include "util.h"

#define KIB 1024
#define PAIR (1024 * KIB)
#define LARGEST (300 * 1000)

static const int depths[] = { 1, 2, 3, 4, 8 };

#define DEPTHS ((int)(sizeof(depths) / sizeof(depths[0])))

/* What version and cipher add to a record. */
struct suite {
    int version;
    const char *cipher;         /* NULL: what is negotiated */
    size_t adds;
};

static const struct suite suites[] = {
    { TLS1_3_VERSION, NULL, 5 + 1 + 16 },
    { TLS1_2_VERSION, NULL, 5 + 8 + 16 },
    { TLS1_2_VERSION, "CHACHA20", 5 + 16 }
};

#define SUITES ((int)(sizeof(suites) / sizeof(suites[0])))

/*
 * Ends: depth layers of both kinds, over taps that count
 */

struct end {
    BIO *bio;
    BIO *tap;
    int records[9];             /* sealed, by layer from 1 */
};

struct ends {
    struct end a, b;
    int stock;                  /* BIO_f_ssl(), else a stack */
};

/* Counts the records that an SSL seals. */
static void on_message(int write, int version, int type, const void *data,
                       size_t len, SSL *ssl, void *arg)
{
    (void)version;
    (void)data;
    (void)len;
    (void)ssl;
    if (write && type == SSL3_RT_HEADER)
        ++*(int *)arg;
}

static void add_layer(struct end *e, int stock, SSL *ssl, int layer)
{
    BIO *b;

    SSL_set_msg_callback(ssl, on_message);
    SSL_set_msg_callback_arg(ssl, &e->records[layer]);
    if (!stock) {
        ck_assert_int_eq(BIO_onion_start_tls(e->bio, ssl, NULL, 0), 1);
        return;
    }
    b = BIO_new(BIO_f_ssl());
    BIO_set_ssl(b, ssl, BIO_CLOSE);
    e->bio = BIO_push(b, e->bio);
}

static void shake(struct ends *e)
{
    int a = 0, b = 0, rounds = 0;

    while (!a || !b) {
        a = a || BIO_do_handshake(e->a.bio) == 1;
        b = b || BIO_do_handshake(e->b.bio) == 1;
        ck_assert_msg(rounds++ < 1000, "no progress");
    }
    ERR_clear_error();
}

static void end_new(struct end *e, BIO *transport, int stock)
{
    memset(e, 0, sizeof(*e));
    e->tap = tap_new();
    BIO_push(e->tap, transport);
    e->bio = stock ? e->tap : BIO_new_onion_stack(e->tap);
    ck_assert_ptr_nonnull(e->bio);
}

static void transport_new(BIO *half[2], int sockets)
{
    int fd[2], i, size = PAIR;

    if (!sockets) {
        ck_assert(BIO_new_bio_pair(&half[0], PAIR, &half[1], PAIR));
        return;
    }
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    for (i = 0; i < 2; i++) {
        setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        ck_assert(BIO_socket_nbio(fd[i], 1));
        half[i] = BIO_new_socket(fd[i], BIO_CLOSE);
    }
}

/* Writes at one end and reads at the other; the pair takes it all. */
static void pass(struct end *from, struct end *to, const void *data, int len,
                 int ask)
{
    static unsigned char in[LARGEST];
    int got, n;

    ck_assert_int_eq(BIO_write(from->bio, data, len), len);
    for (got = 0; got < len; got += n) {
        n = BIO_read(to->bio, in + got, len - got < ask ? len - got : ask);
        ck_assert_msg(n > 0, "%d of %d bytes came", got, len);
    }
    ck_assert(memcmp(in, data, (size_t)len) == 0);
}

static void talk(struct ends *e)
{
    pass(&e->a, &e->b, "from a to b", 11, 11);
    pass(&e->b, &e->a, "from b to a", 11, 11);
    pass(&e->a, &e->b, "from a to b", 11, 11);
}

static SSL *ssl_of(const struct suite *s, int client, int layer)
{
    SSL *ssl = test_ssl(client, s->version, layer);

    if (s->cipher != NULL)
        ck_assert(SSL_set_cipher_list(ssl, s->cipher));
    return ssl;
}

static void ends_shaken(struct ends *e, const struct suite *s, int depth,
                        int stock, int sockets)
{
    BIO *half[2];
    int i;

    transport_new(half, sockets);
    e->stock = stock;
    end_new(&e->a, half[0], stock);
    end_new(&e->b, half[1], stock);
    for (i = 1; i <= depth; i++) {
        add_layer(&e->a, stock, ssl_of(s, 1, i), i);
        add_layer(&e->b, stock, ssl_of(s, 0, i), i);
        shake(e);
    }
}

static void ends_new(struct ends *e, const struct suite *s, int depth,
                     int stock, int sockets)
{
    ends_shaken(e, s, depth, stock, sockets);
    talk(e);
}

static void ends_free(struct ends *e)
{
    BIO_free_all(e->a.bio);
    BIO_free_all(e->b.bio);
    ERR_clear_error();
}

/*
 * Counts
 */

struct counts {
    int records[9];             /* by layer, [0] in all */
    int writes, reads;          /* calls of the transport */
    size_t wire;                /* bytes */
};

static void counts_begin(struct ends *e)
{
    struct tap_side *out = &tap_of(e->a.tap)->out;
    struct tap_side *in = &tap_of(e->b.tap)->in;

    memset(e->a.records, 0, sizeof(e->a.records));
    out->calls = in->calls = 0;
    out->len = in->len = 0;
}

static struct counts counts_end(struct ends *e)
{
    struct counts c;
    int i;

    memcpy(c.records, e->a.records, sizeof(c.records));
    for (c.records[0] = 0, i = 1; i < 9; i++)
        c.records[0] += c.records[i];
    c.writes = tap_of(e->a.tap)->out.calls;
    c.reads = tap_of(e->b.tap)->in.calls;
    c.wire = tap_of(e->a.tap)->out.len;
    return c;
}

static const unsigned char *bytes(void)
{
    static unsigned char data[LARGEST];
    size_t i;

    if (data[1] == 0)
        for (i = 0; i < LARGEST; i++)
            data[i] = (unsigned char)(i * 7 + i / 251);
    return data;
}

/* One write of a, read by b. */
static struct counts count(struct ends *e, int len, int ask)
{
    counts_begin(e);
    pass(&e->a, &e->b, bytes(), len, ask);
    return counts_end(e);
}

/* The least that depth layers can do: each fills its records. */
static struct counts least(const struct suite *s, int depth, int len)
{
    struct counts c;

    memset(&c, 0, sizeof(c));
    c.wire = (size_t)len;
    for (; depth > 0; depth--) {
        c.records[depth] = (int)((c.wire + 16383) / 16384);
        c.records[0] += c.records[depth];
        c.wire += (size_t)c.records[depth] * s->adds;
    }
    return c;
}

/* _i: suite x depth */
START_TEST(a_stream_of_large_writes_takes_one_record_more_at_most)
{
    const struct suite *s = &suites[_i % SUITES];
    int depth = depths[_i / SUITES], i, j;
    struct counts c, l = least(s, depth, 64 * KIB);
    struct ends e;

    ends_new(&e, s, depth, 0, 0);
    for (i = 0; i < 4; i++) {
        c = count(&e, 64 * KIB, 64 * KIB);
        for (j = 1; j <= depth; j++) {
            ck_assert_int_ge(c.records[j], l.records[j]);
            ck_assert_int_le(c.records[j], l.records[j] + 1);
        }
        ck_assert_int_eq(tap_records(&tap_of(e.a.tap)->out, 0), c.records[1]);
    }
    ends_free(&e);
}
END_TEST

START_TEST(its_bytes_on_the_wire_are_the_least_possible_to_a_thousandth)
{
    const struct suite *s = &suites[_i % SUITES];
    int depth = depths[_i / SUITES];
    struct counts c, l = least(s, depth, 64 * KIB);
    struct ends e;

    ends_new(&e, s, depth, 0, 0);
    c = count(&e, 64 * KIB, 64 * KIB);
    ck_assert_uint_ge(c.wire, l.wire);
    ck_assert_uint_le(c.wire, l.wire + l.wire / 1000);
    ends_free(&e);
}
END_TEST

START_TEST(sixteen_kilobytes_are_two_records_at_most_in_each_layer)
{
    const struct suite *s = &suites[_i % SUITES];
    int depth = depths[_i / SUITES], j;
    struct counts c;
    struct ends e;

    ends_new(&e, s, depth, 0, 0);
    c = count(&e, 16 * KIB, 16 * KIB);
    for (j = 1; j <= depth; j++)
        ck_assert_int_le(c.records[j], 2);
    ends_free(&e);
}
END_TEST

/* _i: suite x depth x transport */
START_TEST(a_write_is_one_call_of_the_transport)
{
    static const int sizes[] = { 1, 100, 16 * KIB, 64 * KIB, 100000,
                                 256 * KIB };
    int sockets = _i / (SUITES * DEPTHS), i;
    struct ends e;

    ends_new(&e, &suites[_i % SUITES], depths[_i / SUITES % DEPTHS], 0,
             sockets);
    for (i = 0; i < 6 - 2 * sockets; i++)
        ck_assert_int_eq(count(&e, sizes[i], 64 * KIB).writes, 1);
    ends_free(&e);
}
END_TEST

START_TEST(what_is_there_is_read_in_pieces_of_64_kilobytes)
{
    int sockets = _i / (SUITES * DEPTHS), i;
    int size = sockets ? 64 * KIB : 256 * KIB;
    struct counts c;
    struct ends e;

    ends_new(&e, &suites[_i % SUITES], depths[_i / SUITES % DEPTHS], 0,
             sockets);
    for (i = 0; i < 3; i++) {
        c = count(&e, size, 16 * KIB);
        ck_assert_int_le(c.reads, (int)(c.wire / (64 * KIB)) + 1);
    }
    ends_free(&e);
}
END_TEST

/*
 * BIO_f_ssl()
 */

/* Sizes at which something changes, and others between. */
static int size_of(int i)
{
    static const int edges[] = {
        1, 2, 100, 1000, 1460, 4096, 8192, 16000, 16180, 16181, 16229, 16230,
        16231, 16296, 16297, 16318, 16319, 16340, 16341, 16361, 16362, 16363,
        16383, 16384, 16385, 16406, 32459, 32460, 32461, 32724, 32725, 32768,
        32769, 48690, 48691, 49152, 49153, 64920, 64921, 65536, 65537, 98304,
        131072, 131073, 196608, 262144, 262145, 299999, 300000
    };
    int n = (int)(sizeof(edges) / sizeof(edges[0]));

    if (i < n)
        return edges[i];
    i = 7 + (i - n) * 4999;
    return i < LARGEST ? i : 0;
}

static void compare(const struct counts *ours, const struct counts *theirs,
                    int size)
{
    if (ours->records[0] > theirs->records[0] || ours->writes > theirs->writes
        || ours->reads > theirs->reads)
        ck_abort_msg("%d bytes: %d records, %d writes, %d reads; BIO_f_ssl "
                     "has %d, %d, %d", size, ours->records[0], ours->writes,
                     ours->reads, theirs->records[0], theirs->writes,
                     theirs->reads);
}

/* _i: suite x depth */
START_TEST(no_size_takes_more_records_or_calls_than_in_BIO_f_ssl)
{
    const struct suite *s = &suites[_i % SUITES];
    struct counts a, b;
    struct ends ours, theirs;
    int i, size, stride = test_times(1, 5);

    ends_new(&ours, s, depths[_i / SUITES], 0, 0);
    ends_new(&theirs, s, depths[_i / SUITES], 1, 0);
    for (i = 0; (size = size_of(i)) > 0; i += stride) {
        a = count(&ours, size, 16 * KIB);
        b = count(&theirs, size, 16 * KIB);
        compare(&a, &b, size);
    }
    ends_free(&ours);
    ends_free(&theirs);
}
END_TEST

/* Calls of both ends, for a message each way; read to where nothing is. */
static int ping_pong(const struct suite *s, int depth, int stock, int sockets)
{
    struct ends e;
    int i, calls;
    char c;

    ends_new(&e, s, depth, stock, sockets);
    BIO_read(e.a.bio, &c, 1);
    counts_begin(&e);
    tap_of(e.a.tap)->in.calls = tap_of(e.b.tap)->out.calls = 0;
    for (i = 0; i < 10; i++) {
        pass(&e.a, &e.b, bytes(), 100, 4096);
        ck_assert_int_le(BIO_read(e.b.bio, &c, 1), 0);
        pass(&e.b, &e.a, bytes(), 100, 4096);
        ck_assert_int_le(BIO_read(e.a.bio, &c, 1), 0);
    }
    calls = tap_of(e.a.tap)->in.calls + tap_of(e.a.tap)->out.calls
            + tap_of(e.b.tap)->in.calls + tap_of(e.b.tap)->out.calls;
    ends_free(&e);
    return calls;
}

START_TEST(a_small_message_takes_no_more_calls_than_at_depth_one)
{
    const struct suite *s = &suites[_i % SUITES];
    int depth = depths[_i / SUITES % DEPTHS], sockets = _i / (SUITES * DEPTHS);
    int calls = ping_pong(s, depth, 0, sockets);

    ck_assert_int_le(calls, 10 * 6);
    ck_assert_int_le(calls, ping_pong(s, 1, 0, sockets));
    ck_assert_int_lt(calls, ping_pong(s, 1, 1, sockets));
}
END_TEST

/*
 * Round trips: a transport that delays delivers what one end has written in
 * all its calls so far, and that is a flight.
 */

struct trips {
    struct ends e;
    int flights[2];             /* of a, the client, and of b */
    int writes[2];              /* calls of the transport */
    int asked, replied;
};

static void trips_new(struct trips *t, int version, int depth,
                      SSL_SESSION *sessions[])
{
    struct suite s = { 0, NULL, 0 };
    BIO *half[2];
    SSL *ssl;
    int i;

    memset(t, 0, sizeof(*t));
    s.version = version;
    transport_new(half, 0);
    end_new(&t->e.a, half[0], 0);
    end_new(&t->e.b, half[1], 0);
    for (i = 1; i <= depth; i++) {
        ssl = ssl_of(&s, 1, i);
        if (sessions != NULL && sessions[i] != NULL)
            ck_assert(SSL_set_session(ssl, sessions[i]));
        add_layer(&t->e.a, 0, ssl, i);
        add_layer(&t->e.b, 0, ssl_of(&s, 0, i), i);
    }
}

static void client_turn(struct trips *t)
{
    char c[8];

    if (t->asked)
        t->replied = BIO_read(t->e.a.bio, c, 8) == 5;
    else
        t->asked = BIO_write(t->e.a.bio, "request", 7) == 7;
}

static void server_turn(struct trips *t)
{
    char c[8];

    if (BIO_read(t->e.b.bio, c, 8) > 0)
        ck_assert_int_eq(BIO_write(t->e.b.bio, "reply", 5), 5);
}

/* All that an end can do before something comes. */
static void trips_turn(struct trips *t, int b)
{
    struct tap_side *out = &tap_of(b ? t->e.b.tap : t->e.a.tap)->out;
    int calls = out->calls;

    if (b)
        server_turn(t);
    else
        client_turn(t);
    ERR_clear_error();
    t->writes[b] += out->calls - calls;
    t->flights[b] += out->calls > calls;
}

static void trips_run(struct trips *t)
{
    int rounds = 0;

    while (!t->replied) {
        trips_turn(t, 0);
        trips_turn(t, 1);
        ck_assert_msg(rounds++ < 100, "no progress");
    }
}

/*
 * The request leaves with the last flight of the innermost handshake, after a
 * round trip for each layer, and the reply comes with the next. It follows the
 * tickets of a TLS 1.3 server, which the read of the request has sent.
 */
static void trips_check(const struct trips *t, int version, int trips)
{
    ck_assert_int_eq(t->flights[0], trips + 1);
    ck_assert_int_eq(t->flights[1], trips + 1);
    ck_assert_int_eq(t->writes[0], trips + 1);
    ck_assert_int_eq(t->writes[1], trips + 1 + (version == TLS1_3_VERSION));
}

/* _i: version x depth */
START_TEST(layers_started_together_take_a_round_trip_each)
{
    int depth = depths[_i / 2], version = suites[_i % 2].version;
    struct trips t;

    trips_new(&t, version, depth, NULL);
    trips_run(&t);
    trips_check(&t, version, version == TLS1_3_VERSION ? depth : 2 * depth);
    ends_free(&t.e);
}
END_TEST

START_TEST(layers_that_resume_take_a_round_trip_each)
{
    SSL_SESSION *sessions[9] = { NULL };
    int depth = depths[_i / 2], version = suites[_i % 2].version, i;
    struct trips t;

    trips_new(&t, version, depth, NULL);
    trips_run(&t);
    for (i = 1; i <= depth; i++)
        sessions[i] = SSL_get1_session(BIO_onion_get0_ssl(t.e.a.bio, i));
    ends_free(&t.e);
    trips_new(&t, version, depth, sessions);
    trips_run(&t);
    trips_check(&t, version, depth);
    for (i = 1; i <= depth; i++) {
        ck_assert(SSL_session_reused(BIO_onion_get0_ssl(t.e.a.bio, i)));
        SSL_SESSION_free(sessions[i]);
    }
    ends_free(&t.e);
}
END_TEST

/*
 * Memory: each block begins with its length
 */

static size_t live;             /* bytes in all */
static int allocations;         /* of all */
static int own;                 /* of files of bio_onion */

#define HEAD 16

static void allocated(size_t len, const char *file)
{
    live += len;
    allocations++;
    own += file != NULL && strstr(file, "onion_") != NULL;
}

static void *count_malloc(size_t len, const char *file, int line)
{
    char *p = malloc(HEAD + len);

    (void)line;
    if (p == NULL)
        return NULL;
    memcpy(p, &len, sizeof(len));
    allocated(len, file);
    return p + HEAD;
}

static void count_free(void *at, const char *file, int line)
{
    size_t len;

    (void)file;
    (void)line;
    if (at == NULL)
        return;
    memcpy(&len, (char *)at - HEAD, sizeof(len));
    live -= len;
    free((char *)at - HEAD);
}

static void *count_realloc(void *at, size_t len, const char *file, int line)
{
    size_t old;
    char *p;

    if (at == NULL)
        return count_malloc(len, file, line);
    memcpy(&old, (char *)at - HEAD, sizeof(old));
    p = realloc((char *)at - HEAD, HEAD + len);
    if (p == NULL)
        return NULL;
    memcpy(p, &len, sizeof(len));
    live -= old;
    allocated(len, file);
    return p + HEAD;
}

/* Both ways, with reads that find nothing. */
static void exchange(struct ends *e, int len)
{
    char c;

    pass(&e->a, &e->b, bytes(), len, 16 * KIB);
    ck_assert_int_le(BIO_read(e->b.bio, &c, 1), 0);
    pass(&e->b, &e->a, bytes(), len, 16 * KIB);
    ck_assert_int_le(BIO_read(e->a.bio, &c, 1), 0);
}

/* After so many reads and writes in a second a connection is busy. */
#define BUSY 64

/* The time of day goes on when a test says so: see onion_rest.c. */
static time_t now;

time_t time(time_t *t)
{
    if (t != NULL)
        *t = now;
    return now;
}

static void set_time(void)
{
    struct timespec t;

    if (timespec_get(&t, TIME_UTC) == TIME_UTC)
        now = t.tv_sec;
}

/* _i: suite x depth */
START_TEST(a_stream_allocates_nothing)
{
    static const int sizes[] = { 100, 16 * KIB, 64 * KIB, 256 * KIB };
    struct ends e;
    int i, j;

    ends_new(&e, &suites[_i % SUITES], depths[_i / SUITES], 0, 0);
    for (i = 0; i < 4; i++) {
        for (j = 0; j < BUSY; j++)
            pass(&e.a, &e.b, bytes(), sizes[i], 16 * KIB);
        own = 0;
        for (j = 0; j < 20; j++)
            pass(&e.a, &e.b, bytes(), sizes[i], 16 * KIB);
        ck_assert_msg(own == 0, "%d for 20 writes of %d bytes", own, sizes[i]);
    }
    ends_free(&e);
}
END_TEST

START_TEST(questions_and_answers_allocate_nothing)
{
    static const int sizes[] = { 100, 16 * KIB, 64 * KIB };
    struct ends e;
    int i, j;

    ends_new(&e, &suites[_i % SUITES], depths[_i / SUITES], 0, 0);
    for (i = 0; i < 3; i++) {
        for (j = 0; j < BUSY; j++)
            exchange(&e, sizes[i]);
        own = 0;
        for (j = 0; j < 20; j++)
            exchange(&e, sizes[i]);
        ck_assert_msg(own == 0, "%d for 20 turns of %d bytes", own, sizes[i]);
    }
    ends_free(&e);
}
END_TEST

/* What each end holds when it is idle after a message of so many bytes. */
static void memory_of(const struct suite *s, int depth, int used,
                      size_t held[2])
{
    struct ends e;

    ends_new(&e, s, depth, 0, 0);
    exchange(&e, used);
    held[0] = live;
    BIO_free_all(e.a.bio);
    held[0] -= live;
    held[1] = live;
    BIO_free_all(e.b.bio);
    held[1] -= live;
    ERR_clear_error();
}

/*
 * The SSL, its session and ciphers and the peer's certificate take 18 KiB of
 * it, from OpenSSL 3.2 on 24, and 33 in TLS 1.3, which are not the library's.
 * _i: version x what has passed before it is idle: a little, much
 */
START_TEST(an_idle_layer_holds_19_kilobytes_at_most)
{
    int used = _i / 2 ? 256 * KIB : 100, i;
    size_t most = OpenSSL_version_num() < 0x30200000L ? 19 * KIB
        : suites[_i % 2].version == TLS1_3_VERSION ? 35 * KIB : 26 * KIB;
    size_t none[2], eight[2];

    memory_of(&suites[_i % 2], 8, used, eight);     /* what is made once */
    memory_of(&suites[_i % 2], 0, used, none);
    memory_of(&suites[_i % 2], 8, used, eight);
    for (i = 0; i < 2; i++)
        ck_assert_uint_le((eight[i] - none[i]) / 8, most);
}
END_TEST

/* _i: suite */
START_TEST(what_was_busy_gives_its_buffers_back_when_it_rests)
{
    struct ends e;
    size_t idle;
    int i;

    ends_new(&e, &suites[_i], 3, 0, 0);
    exchange(&e, 100);
    idle = live;
    for (i = 0; i < BUSY; i++)
        exchange(&e, 16 * KIB);
    ck_assert_uint_gt(live, idle + 2 * 3 * 32 * KIB);
    now += 1;                   /* busy in the second before */
    exchange(&e, 100);
    ck_assert_uint_gt(live, idle + 2 * 3 * 32 * KIB);
    now += 2;
    exchange(&e, 100);
    ck_assert_uint_le(live, idle + KIB);
    ends_free(&e);
}
END_TEST

static void read_nothing(BIO *bio)
{
    char byte;

    ck_assert_int_eq(BIO_read(bio, &byte, 1), -1);
    ck_assert(BIO_should_read(bio));
}

/*
 * A program that asks poll() first never has a read that finds nothing, and
 * connections may be made long before they are needed. _i: suite x depth
 */
START_TEST(no_read_is_needed_for_buffers_to_be_given_back)
{
    struct ends e;
    size_t made, used;

    ends_shaken(&e, &suites[_i % SUITES], depths[_i / SUITES], 0, 0);
    made = live;
    exchange(&e, 100);
    used = live;
    read_nothing(e.a.bio);
    read_nothing(e.b.bio);
    ck_assert_uint_le(made, live + KIB);
    ck_assert_uint_le(used, live);
    ends_free(&e);
}
END_TEST

START_TEST(a_stack_that_is_freed_leaves_nothing)
{
    size_t before, held[2];
    int i;

    memory_of(&suites[_i], 3, 100, held);
    before = live;
    for (i = 0; i < 10; i++)
        memory_of(&suites[_i], 3, 100, held);
    ck_assert_uint_eq(live, before);
}
END_TEST

/* Starts and stops a layer; returns the allocations that it took. */
static int start_and_stop(struct ends *e, const struct suite *s)
{
    int before = allocations;
    int depth = BIO_onion_write_depth(e->a.bio);
    char c;

    add_layer(&e->a, 0, ssl_of(s, 1, depth + 1), depth + 1);
    add_layer(&e->b, 0, ssl_of(s, 0, depth + 1), depth + 1);
    shake(e);
    talk(e);
    ck_assert_int_eq(BIO_onion_stop_tls(e->a.bio, depth), 0);
    ck_assert_int_eq(BIO_read(e->b.bio, &c, 1), 0);
    ck_assert_int_eq(BIO_onion_stop_tls(e->b.bio, depth), 1);
    ck_assert_int_eq(BIO_read(e->a.bio, &c, 1), 0);
    test_depths(e->a.bio, depth, depth);
    talk(e);
    return allocations - before;
}

/* _i: version x above how many layers: 0 or 2 */
START_TEST(memory_does_not_grow_with_starts_and_stops)
{
    const struct suite *s = &suites[_i % 2];
    int i, first = 0, last = 0;
    int turns = test_times(220, 40);
    size_t before = 0;
    struct ends e;

    ends_new(&e, s, _i / 2 * 2, 0, 0);
    for (i = 0; i < turns; i++) {
        if (i == 20)
            before = live;
        last = start_and_stop(&e, s);
        if (i == 20)
            first = last;
    }
    ck_assert_uint_eq(live, before);
    ck_assert_int_le(last, first + first / 50);
    ends_free(&e);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("counts");
    int all = SUITES * DEPTHS;
    TCase *tc;

    set_time();
    CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free);
    tc = test_case(s, "large");
    test_loop(tc, a_stream_of_large_writes_takes_one_record_more_at_most,
              0, all);
    test_loop(tc,
              its_bytes_on_the_wire_are_the_least_possible_to_a_thousandth,
              0, all);
    test_loop(tc, sixteen_kilobytes_are_two_records_at_most_in_each_layer,
              0, all);
    test_loop(tc, a_write_is_one_call_of_the_transport, 0, 2 * all);
    test_loop(tc, what_is_there_is_read_in_pieces_of_64_kilobytes, 0, 2 * all);
    tc = test_case(s, "beside BIO_f_ssl");
    test_loop(tc, no_size_takes_more_records_or_calls_than_in_BIO_f_ssl,
              0, all);
    test_loop(tc, a_small_message_takes_no_more_calls_than_at_depth_one,
              0, 2 * all);
    tc = test_case(s, "round trips");
    test_loop(tc, layers_started_together_take_a_round_trip_each,
              0, 2 * DEPTHS);
    test_loop(tc, layers_that_resume_take_a_round_trip_each, 0, 2 * DEPTHS);
    tc = test_case(s, "memory");
    test_loop(tc, a_stream_allocates_nothing, 0, all);
    test_loop(tc, questions_and_answers_allocate_nothing, 0, all);
    test_loop(tc, an_idle_layer_holds_19_kilobytes_at_most, 0, 4);
    test_loop(tc, no_read_is_needed_for_buffers_to_be_given_back, 0, all);
    test_loop(tc, what_was_busy_gives_its_buffers_back_when_it_rests, 0,
              SUITES);
    test_loop(tc, a_stack_that_is_freed_leaves_nothing, 0, 2);
    test_loop(tc, memory_does_not_grow_with_starts_and_stops, 0, 4);
    return test_main(s);
}
