/*
 * util.c - what the tests share: credentials, peers, taps and stock peers.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/x509v3.h>
#include "util.h"

const unsigned char test_forged_close[7] = { 21, 3, 3, 0, 2, 1, 0 };
const unsigned char test_forged_fatal[7] = { 21, 3, 3, 0, 2, 2, 40 };

/* Fails with the newest error, so that a red test says what happened. */
#define need(x) do { if (!(x)) give_up(#x, __FILE__, __LINE__); } while (0)

static void give_up(const char *what, const char *file, int line)
{
    const char *data = "";
    char text[256];
    int flags;

    ERR_error_string_n(ERR_peek_last_error_data(&data, &flags), text,
                       sizeof(text));
    ck_abort_msg("%s:%d: not so: %s (%s: %s)", file, line, what, text,
                 data == NULL ? "" : data);
}

/*
 * Credentials
 */

struct leaf {
    char name[64];
    int flags;
    EVP_PKEY *key;
    X509 *cert;
};

struct context {
    char name[64];              /* of the server; for clients, empty */
    int version, flags, verify;
    SSL_CTX *ctx;
};

static struct leaf leaves[200];
static struct context contexts[200];
static int n_leaves, n_contexts;

static const struct leaf *leaf_of(const char *name, int flags);

static EVP_PKEY *key_new(int flags)
{
    EVP_PKEY *key = (flags & TEST_P256) != 0
        ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
        : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    need(key != NULL);
    return key;
}

static void cert_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    need(extension != NULL && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static void cert_alt_name(X509 *cert, X509 *issuer, const char *name)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    char value[80];

    ERR_clear_error();
    snprintf(value, sizeof(value), "%s:%s", ip == NULL ? "DNS" : "IP", name);
    ASN1_OCTET_STRING_free(ip);
    cert_extend(cert, issuer, NID_subject_alt_name, value);
}

static void cert_subject(X509 *cert, const char *name)
{
    X509_NAME *subject = X509_NAME_new();

    need(subject != NULL
         && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                       (const unsigned char *)name, -1, -1, 0)
         && X509_set_subject_name(cert, subject));
    X509_NAME_free(subject);
}

static X509 *cert_new(const char *name, int flags, EVP_PKEY *key)
{
    static long serial = 1;
    X509 *cert = X509_new();
    long day = 24 * 60 * 60;
    int old = (flags & TEST_EXPIRED) != 0;

    need(cert != NULL && X509_set_version(cert, 2));
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), old ? -3 * day : -day);
    X509_gmtime_adj(X509_getm_notAfter(cert), old ? -2 * day : day);
    cert_subject(cert, name);
    need(X509_set_pubkey(cert, key));
    return cert;
}

/* The CA is a leaf by the name of "CA", signed with its own key. */
static void cert_sign(struct leaf *leaf)
{
    int self = strncmp(leaf->name, "CA", 2) == 0;
    const struct leaf *ca = self ? leaf
        : leaf_of(leaf->flags & TEST_UNTRUSTED ? "CA untrusted" : "CA", 0);

    X509_set_issuer_name(leaf->cert, X509_get_subject_name(ca->cert));
    if (self)
        cert_extend(leaf->cert, ca->cert, NID_basic_constraints,
                    "critical,CA:TRUE");
    else
        cert_alt_name(leaf->cert, ca->cert, leaf->name);
    need(X509_sign(leaf->cert, ca->key, NULL) > 0);
}

static const struct leaf *leaf_of(const char *name, int flags)
{
    struct leaf *leaf;
    int i;

    for (i = 0; i < n_leaves; i++)
        if (leaves[i].flags == flags && strcmp(leaves[i].name, name) == 0)
            return &leaves[i];
    need(n_leaves < 200);
    leaf = &leaves[n_leaves++];
    snprintf(leaf->name, sizeof(leaf->name), "%s", name);
    leaf->flags = flags;
    leaf->key = key_new(flags);
    leaf->cert = cert_new(name, flags, leaf->key);
    cert_sign(leaf);
    return leaf;
}

static SSL_CTX *context_new(int client, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(client ? TLS_client_method()
                                      : TLS_server_method());
    X509 *ca = leaf_of("CA", 0)->cert;

    need(ctx != NULL);
    need(SSL_CTX_set_min_proto_version(ctx, version));
    need(SSL_CTX_set_max_proto_version(ctx, version));
    need(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca));
    return ctx;
}

/* A place for a new context, or the one that is there already. */
static struct context *context_at(const char *name, int version, int flags,
                                  int verify)
{
    struct context *c;
    int i;

    for (i = 0; i < n_contexts; i++) {
        c = &contexts[i];
        if (c->version == version && c->flags == flags
            && c->verify == verify && strcmp(c->name, name) == 0)
            return c;
    }
    need(n_contexts < 200);
    c = &contexts[n_contexts++];
    snprintf(c->name, sizeof(c->name), "%s", name);
    c->version = version;
    c->flags = flags;
    c->verify = verify;
    return c;
}

SSL_CTX *test_server_ctx(int version, const char *name, int flags)
{
    struct context *c = context_at(name, version, flags, 0);
    const struct leaf *leaf;

    if (c->ctx != NULL)
        return c->ctx;
    c->ctx = context_new(0, version);
    leaf = leaf_of(name, flags);
    need(SSL_CTX_use_certificate(c->ctx, leaf->cert));
    need(SSL_CTX_use_PrivateKey(c->ctx, leaf->key));
    need(SSL_CTX_set_session_id_context(c->ctx, (unsigned char *)"test", 4));
    return c->ctx;
}

SSL_CTX *test_client_ctx(int version, int verify)
{
    struct context *c = context_at("", version, 0, verify);

    if (c->ctx != NULL)
        return c->ctx;
    c->ctx = context_new(1, version);
    SSL_CTX_set_verify(c->ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                       NULL);
    return c->ctx;
}

static void credentials_free(void)
{
    while (n_contexts > 0)
        SSL_CTX_free(contexts[--n_contexts].ctx);
    while (n_leaves > 0) {
        n_leaves--;
        X509_free(leaves[n_leaves].cert);
        EVP_PKEY_free(leaves[n_leaves].key);
    }
}

const char *test_name(int layer)
{
    static char name[32];

    snprintf(name, sizeof(name), "layer%d.test", layer);
    return name;
}

SSL *test_ssl_of(SSL_CTX *ctx, int client, const char *host)
{
    SSL *ssl = SSL_new(ctx);

    need(ssl != NULL);
    if (client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    if (client && host != NULL)
        need(X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl), host, 0)
             && SSL_set_tlsext_host_name(ssl, host));
    return ssl;
}

SSL *test_ssl(int client, int version, int layer)
{
    int flags = layer % 2 == 0 ? TEST_P256 : 0;

    if (client)
        return test_ssl_of(test_client_ctx(version, 1), 1, test_name(layer));
    return test_ssl_of(test_server_ctx(version, test_name(layer), flags), 0,
                       NULL);
}

void test_ask_client(SSL *server)
{
    SSL_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                   NULL);
}

void test_give_client(SSL *client, int flags)
{
    const struct leaf *leaf = leaf_of("client.test", flags);

    need(SSL_use_certificate(client, leaf->cert));
    need(SSL_use_PrivateKey(client, leaf->key));
}

/*
 * Running
 */

static void warm_up_with(int version, int layer)
{
    SSL *c = test_ssl(1, version, layer), *s = test_ssl(0, version, layer);
    BIO *half_c, *half_s;
    int i;

    need(BIO_new_bio_pair(&half_c, 0, &half_s, 0));
    SSL_set_bio(c, half_c, half_c);
    SSL_set_bio(s, half_s, half_s);
    for (i = 0; i < 4; i++) {
        SSL_do_handshake(c);
        SSL_do_handshake(s);
    }
    need(SSL_is_init_finished(c) && SSL_is_init_finished(s));
    SSL_free(c);
    SSL_free(s);
    ERR_clear_error();
}

/*
 * Each case is a process of its own: what OpenSSL does once only, and what the
 * cases have in common, is done before, and took longer than most of them.
 */
static void warm_up(void)
{
    int layer;

    for (layer = 1; layer <= 3; layer++) {
        warm_up_with(TLS1_2_VERSION, layer);
        warm_up_with(TLS1_3_VERSION, layer);
    }
}

int test_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    signal(SIGPIPE, SIG_IGN);
    /* To free all that at the end of each would copy all its pages first. */
    if (srunner_fork_status(runner) == CK_FORK)
        OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    warm_up();
    srunner_run_all(runner, getenv("CK_TAP_LOG_FILE_NAME") != NULL
                                ? CK_SILENT : CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    credentials_free();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

TCase *test_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return tc;
}

int test_times(int usual, int quick)
{
    return getenv("ONION_QUICK") != NULL ? quick : usual;
}

void test_loop(TCase *tcase, const TTest *test, int from, int to)
{
    int i, stride = to - from > 8 ? test_times(1, 7) : 1;

    if (stride == 1)
        tcase_add_loop_test(tcase, test, from, to);
    else
        for (i = from; i < to; i += stride)
            tcase_add_loop_test(tcase, test, i, i + 1);
}

struct shape test_shape(int i)
{
    static const size_t sizes[] = { 1, 7, 512, 17408, 70000 };
    struct shape s;

    s.version = i % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    s.flip = i / 2 % 2;
    s.size = sizes[i / 4 % 5];
    s.depth = 1 + i / 20;
    return s;
}

const unsigned char *test_bytes(size_t len)
{
    static unsigned char bytes[200000];
    size_t i;

    need(len <= sizeof(bytes));
    if (bytes[1] == 0)
        for (i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)(i * 7 + i / 251);
    return bytes;
}

/*
 * Taps
 */

struct tap *tap_of(BIO *tap)
{
    return BIO_get_data(tap);
}

static void side_record(BIO *b, struct tap_side *side, const void *data,
                        size_t len)
{
    if (tap_of(b)->litter)
        test_stale_error();
    side->data = realloc(side->data, side->len + len);
    memcpy(side->data + side->len, data, len);
    side->len += len;
    side->moved++;
}

static int side_wait(BIO *b, int flag)
{
    BIO_set_flags(b, flag | BIO_FLAGS_SHOULD_RETRY);
    return -1;
}

/* How much may pass now: 0 or less is the result of the call. */
static int side_allow(BIO *b, struct tap_side *side, int len, int flag)
{
    BIO_clear_retry_flags(b);
    side->calls++;
    if (tap_of(b)->special != 0) {
        BIO_set_retry_special(b);
        BIO_set_retry_reason(b, tap_of(b)->special);
        return -1;
    }
    if (side->len >= side->limit) {
        side->after_end++;
        if (side->end == TAP_RETRY)
            return side_wait(b, flag);
        return side->end == TAP_ERROR ? -1 : 0;
    }
    if (side->stutter && (side->stuttered = !side->stuttered))
        return side_wait(b, flag);
    if (side->max != 0 && (size_t)len > side->max)
        len = (int)side->max;
    if ((size_t)len > side->limit - side->len)
        len = (int)(side->limit - side->len);
    return len;
}

static int tap_take_slip(struct tap *t, char *data, int len)
{
    size_t n = (size_t)len < t->slip_len ? (size_t)len : t->slip_len;

    if (t->in.max != 0 && n > t->in.max)
        n = t->in.max;
    memcpy(data, t->slip, n);
    t->slip_len -= n;
    memmove(t->slip, t->slip + n, t->slip_len);
    return (int)n;
}

static int tap_read(BIO *b, char *data, int len)
{
    struct tap *t = tap_of(b);
    int allowed, ret;

    BIO_clear_retry_flags(b);
    if (t->slip_len > 0)
        return tap_take_slip(t, data, len);
    allowed = side_allow(b, &t->in, len, BIO_FLAGS_READ);
    if (allowed <= 0)
        return allowed;
    ret = BIO_read(BIO_next(b), data, allowed);
    if (ret > 0)
        side_record(b, &t->in, data, (size_t)ret);
    else
        BIO_copy_next_retry(b);
    return ret;
}

static int tap_write(BIO *b, const char *data, int len)
{
    struct tap *t = tap_of(b);
    int allowed = side_allow(b, &t->out, len, BIO_FLAGS_WRITE);
    int ret;

    if (allowed <= 0)
        return allowed;
    ret = BIO_write(BIO_next(b), data, allowed);
    if (ret > 0)
        side_record(b, &t->out, data, (size_t)ret);
    else
        BIO_copy_next_retry(b);
    return ret;
}

static int tap_puts(BIO *b, const char *text)
{
    return tap_write(b, text, (int)strlen(text));
}

static long tap_flush(BIO *b)
{
    struct tap *t = tap_of(b);
    long ret;

    BIO_clear_retry_flags(b);
    t->flushes++;
    if (t->flush_retry > 0) {
        t->flush_retry--;
        return side_wait(b, BIO_FLAGS_WRITE);
    }
    ret = BIO_flush(BIO_next(b));
    BIO_copy_next_retry(b);
    return ret;
}

static long tap_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    struct tap *t = tap_of(b);

    if (cmd >= 0 && cmd < 256)
        t->ctrls[cmd]++;
    switch (cmd) {
    case BIO_CTRL_FLUSH:
        return BIO_next(b) == NULL ? 0 : tap_flush(b);
    case BIO_CTRL_PUSH:
    case BIO_CTRL_POP:
    case BIO_CTRL_DUP:
        return 0;
    case BIO_CTRL_EOF:
        if (t->in.end == TAP_EOF && t->in.len >= t->in.limit)
            return 1;
        break;
    case 72: case 73: case 74: case 75: case 76:
        return t->ktls;
    }
    return BIO_next(b) == NULL ? 0 : BIO_ctrl(BIO_next(b), cmd, num, ptr);
}

static int tap_create(BIO *b)
{
    struct tap *t = calloc(1, sizeof(*t));

    t->in.limit = t->out.limit = SIZE_MAX;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    return 1;
}

static int tap_destroy(BIO *b)
{
    struct tap *t = tap_of(b);

    free(t->in.data);
    free(t->out.data);
    free(t->slip);
    free(t);
    return 1;
}

BIO *tap_new(void)
{
    static BIO_METHOD *method;

    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "tap");
        BIO_meth_set_read(method, tap_read);
        BIO_meth_set_write(method, tap_write);
        BIO_meth_set_puts(method, tap_puts);
        BIO_meth_set_ctrl(method, tap_ctrl);
        BIO_meth_set_create(method, tap_create);
        BIO_meth_set_destroy(method, tap_destroy);
    }
    return BIO_new(method);
}

void tap_slip(BIO *tap, const void *data, size_t len)
{
    struct tap *t = tap_of(tap);

    t->slip = realloc(t->slip, t->slip_len + len);
    memcpy(t->slip + t->slip_len, data, len);
    t->slip_len += len;
}

int tap_records(const struct tap_side *side, size_t from)
{
    const unsigned char *p = side->data;
    int n = 0;

    while (from + 5 <= side->len) {
        ck_assert_msg(p[from] >= 20 && p[from] <= 24, "not a record");
        from += 5 + (size_t)p[from + 3] * 256 + p[from + 4];
        n++;
    }
    return n;
}

int tap_saw(const struct tap_side *side, const char *text)
{
    size_t len = strlen(text), i;

    for (i = 0; i + len <= side->len; i++)
        if (memcmp(side->data + i, text, len) == 0)
            return 1;
    return 0;
}

void tap_hold(struct tap_side *side)
{
    side->limit = side->len;
    side->end = TAP_RETRY;
}

void tap_release(struct tap_side *side)
{
    side->limit = SIZE_MAX;
}

/*
 * Peers
 */

void test_pair(BIO **a, BIO **b, size_t a_size, size_t b_size)
{
    BIO *half_a, *half_b;

    need(BIO_new_bio_pair(&half_a, a_size, &half_b, b_size));
    need((*a = BIO_new_onion_stack(half_a)) != NULL);
    need((*b = BIO_new_onion_stack(half_b)) != NULL);
}

int test_listen(char name[32])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(name, 32, "127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

int test_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);

    ck_assert_int_ge(fd, 0);
    close(listener);
    return fd;
}

uint64_t test_moved(BIO *chain)
{
    while (BIO_next(chain) != NULL)
        chain = BIO_next(chain);
    return BIO_number_written(chain) + BIO_number_read(chain);
}

static void peer_new(struct peer *p, BIO *transport, struct peer *other)
{
    memset(p, 0, sizeof(*p));
    p->tap = tap_new();
    BIO_push(p->tap, transport);
    need((p->bio = BIO_new_onion_stack(p->tap)) != NULL);
    p->ask = 4096;
    p->other = other;
}

void peers_new(struct peers *p, size_t size, int version)
{
    BIO *a, *b;

    need(BIO_new_bio_pair(&a, size, &b, size));
    memset(p, 0, sizeof(*p));
    peer_new(&p->a, a, &p->b);
    peer_new(&p->b, b, &p->a);
    p->version = version;
}

void peers_free(struct peers *p)
{
    BIO_free_all(p->a.bio);
    BIO_free_all(p->b.bio);
    free(p->a.box);
    free(p->b.box);
    test_no_error();
}

void peers_round(struct peers *p)
{
    uint64_t moved = test_moved(p->a.bio) + test_moved(p->b.bio)
        + p->a.tail + p->b.tail;

    p->idle = moved == p->moved ? p->idle + 1 : 0;
    p->moved = moved;
    if (p->idle >= 100)
        ck_abort_msg("no progress");
}

int peer_done(struct peer *p, int ret)
{
    if (ret <= 0 && BIO_should_retry(p->bio)) {
        test_retried(p->bio, ret);
        need(BIO_should_read(p->bio) || BIO_should_write(p->bio)
             || BIO_should_io_special(p->bio));
        return 0;
    }
    need(ret > 0);
    test_no_error();
    return 1;
}

/* A box is its peer's until peers_free(): the analyser loses sight of that. */
#if defined __GNUC__ && !defined __clang__ && __GNUC__ >= 10
# pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

static void box_put(struct peer *p, int what, int depth)
{
    if (p->tail == p->room) {
        uint16_t *more = realloc(p->box, (p->room * 2 + 1024)
                                         * sizeof(*p->box));

        ck_assert_ptr_nonnull(more);
        p->room = p->room * 2 + 1024;
        p->box = more;
    }
    p->box[p->tail++] = (uint16_t)(what | depth << 9);
}

int peer_pump(struct peer *p)
{
    unsigned char data[4096];
    int depth = BIO_onion_read_depth(p->bio);
    int ret = BIO_read(p->bio, data, (int)p->ask), i;

    if (ret < 0) {
        test_retried(p->bio, ret);
        test_depths(p->bio, depth, -1);
        return 0;
    }
    test_no_error();
    for (i = 0; i < ret; i++)
        box_put(p, data[i], depth);
    if (ret == 0) {
        ck_assert_msg(!BIO_should_retry(p->bio), "0 with retry");
        ck_assert_msg(!BIO_eof(p->bio), "an unexpected end");
        ck_assert_int_gt(depth, 0);
        box_put(p, 0x100, depth);
    }
    test_depths(p->bio, ret == 0 ? depth - 1 : depth, -1);
    return 1;
}

void peers_start(struct peers *p)
{
    int layer = BIO_onion_read_depth(p->a.bio) + 1;

    need(BIO_onion_start_tls(p->a.bio, test_ssl(!p->flip, p->version, layer),
                             NULL, 0) == 1);
    need(BIO_onion_start_tls(p->b.bio, test_ssl(p->flip, p->version, layer),
                             NULL, 0) == 1);
}

static void peer_shake(struct peer *p, int *done)
{
    if (*done)
        peer_pump(p);
    else
        *done = peer_done(p, BIO_do_handshake(p->bio) > 0 ? 1 : -1);
}

void peers_handshake(struct peers *p)
{
    int a = 0, b = 0;

    while (!a || !b) {
        peer_shake(&p->a, &a);
        peer_shake(&p->b, &b);
        peers_round(p);
    }
}

void peers_dive(struct peers *p, int depth)
{
    while (depth-- > 0) {
        peers_start(p);
        peers_handshake(p);
    }
}

void peer_send(struct peers *p, struct peer *from, const void *data,
               size_t len)
{
    int ret;

    while (!peer_done(from, ret = BIO_write(from->bio, data, (int)len))) {
        peer_pump(from->other);
        peers_round(p);
    }
    ck_assert_int_eq(ret, (int)len);
}

/* Waits until the inbox has something. */
static uint16_t box_get(struct peers *p, struct peer *to)
{
    while (to->head == to->tail) {
        if (!peer_pump(to))
            peer_pump(to->other);
        peers_round(p);
    }
    return to->box[to->head++];
}

void peer_expect(struct peers *p, struct peer *to, const void *data,
                 size_t len, int depth)
{
    const unsigned char *bytes = data;
    uint16_t got;
    size_t i;

    for (i = 0; i < len; i++) {
        got = box_get(p, to);
        if ((got & 0x1ff) != bytes[i] || got >> 9 != depth)
            ck_abort_msg("byte %zu is %x at depth %d, not %x at depth %d", i,
                         got & 0x1ff, got >> 9, bytes[i], depth);
    }
}

void peer_expect_boundary(struct peers *p, struct peer *to, int from_depth)
{
    uint16_t got = box_get(p, to);

    ck_assert_msg((got & 0x100) != 0 && got >> 9 == from_depth,
                  "%x at depth %d, not the boundary of layer %d",
                  got & 0x1ff, got >> 9, from_depth);
}

void peer_expect_retry(struct peer *p)
{
    char c;

    ck_assert_msg(p->head == p->tail, "there is something in the inbox");
    test_retried(p->bio, BIO_read(p->bio, &c, 1));
}

int peer_stop(struct peers *p, struct peer *who, int depth)
{
    int ret;

    while ((ret = BIO_onion_stop_tls(who->bio, depth)) < 0) {
        test_retried(who->bio, ret);
        peer_pump(who->other);
        peers_round(p);
    }
    test_no_error();
    ck_assert_int_eq(BIO_onion_write_depth(who->bio), depth);
    return ret;
}

void peers_talk(struct peers *p)
{
    int depth = BIO_onion_write_depth(p->a.bio);

    ck_assert_int_eq(BIO_onion_write_depth(p->b.bio), depth);
    peer_send(p, &p->a, "from a to b", 11);
    peer_send(p, &p->b, "from b to a", 11);
    peer_expect(p, &p->a, "from b to a", 11, depth);
    peer_expect(p, &p->b, "from a to b", 11, depth);
}

void peers_rise(struct peers *p, struct peer *who, int depth)
{
    int i, from = BIO_onion_read_depth(who->bio);

    peer_stop(p, who, depth);
    for (i = from; i > depth; i--)
        peer_expect_boundary(p, who->other, i);
    peer_stop(p, who->other, depth);
    for (i = from; i > depth; i--)
        peer_expect_boundary(p, who, i);
    test_depths(p->a.bio, depth, depth);
    test_depths(p->b.bio, depth, depth);
    peers_talk(p);
}

/*
 * Results. Here and above, what is asked for each byte or round is no
 * ck_assert(): each of those writes to a pipe.
 */

/* -1 for whatever it is. */
void test_depths(BIO *stack, int read_depth, int write_depth)
{
    int r = BIO_onion_read_depth(stack), w = BIO_onion_write_depth(stack);

    if ((read_depth >= 0 && r != read_depth)
        || (write_depth >= 0 && w != write_depth))
        ck_abort_msg("read depth %d, write depth %d; not %d, %d", r, w,
                     read_depth, write_depth);
}

void test_no_error(void)
{
    need(ERR_peek_error() == 0);
}

void test_failed(BIO *bio, int ret, int reason)
{
    unsigned long e = ERR_peek_last_error();

    ck_assert_msg(ret <= 0, "no failure but %d", ret);
    ck_assert_msg(!BIO_should_retry(bio), "a retry, not a failure");
    need(ERR_GET_LIB(e) == BIO_onion_error_library());
    if (reason != 0 && ERR_GET_REASON(e) != reason)
        give_up("the reason", __FILE__, reason);
    ERR_clear_error();
}

void test_failed_at(BIO *bio, int ret, int reason, int layer)
{
    const char *data = NULL, *found;
    char name[32];
    int flags;

    ERR_peek_last_error_data(&data, &flags);
    need(data != NULL);
    snprintf(name, sizeof(name), "layer %d", layer);
    /* cppcheck-suppress nullPointerRedundantCheck; need() came before */
    found = strstr(data, name);
    need(found != NULL);
    /* cppcheck-suppress nullPointerRedundantCheck */
    need(found[strlen(name)] < '0' || found[strlen(name)] > '9');
    test_failed(bio, ret, reason);
}

void test_retried(BIO *bio, int ret)
{
    if (ret != -1 || !BIO_should_retry(bio))
        give_up("-1 with retry", __FILE__, ret);
    test_no_error();
}

void test_refused(int ret, int reason)
{
    unsigned long e = ERR_peek_last_error();

    ck_assert_int_eq(ret, 0);
    need(ERR_GET_LIB(e) == BIO_onion_error_library());
    if (reason != 0 && ERR_GET_REASON(e) != reason)
        give_up("the reason", __FILE__, reason);
    ERR_clear_error();
}

void test_stale_error(void)
{
    ERR_raise_data(ERR_LIB_PEM, ERR_R_INTERNAL_ERROR, "somebody else's");
}

long test_no_flush(BIO *b, int oper, const char *argp, size_t len, int argi,
                   long argl, int ret, size_t *processed)
{
    (void)b;
    (void)argp;
    (void)len;
    (void)argl;
    (void)processed;
    return oper == BIO_CB_CTRL && argi == BIO_CTRL_FLUSH ? 0 : ret;
}

/*
 * Stock peers
 */

BIO *stock_pair(struct stock *s, size_t size, BIO **tap)
{
    BIO *half, *stack;

    memset(s, 0, sizeof(*s));
    need(BIO_new_bio_pair(&half, size, &s->io, size));
    *tap = tap_new();
    BIO_push(*tap, half);
    need((stack = BIO_new_onion_stack(*tap)) != NULL);
    return stack;
}

void stock_start(struct stock *s, SSL *ssl)
{
    BIO *below = s->io;

    if (s->depth > 0) {
        below = BIO_new(BIO_f_ssl());
        BIO_set_ssl(below, s->ssl[s->depth], BIO_NOCLOSE);
    } else {
        BIO_up_ref(below);
    }
    SSL_set_bio(ssl, below, below);
    s->ssl[++s->depth] = ssl;
}

void stock_free(struct stock *s)
{
    while (s->depth > 0)
        SSL_free(s->ssl[s->depth--]);
    BIO_free(s->io);
    ERR_clear_error();
}

static int stock_shake(struct stock *s)
{
    SSL *ssl = s->ssl[s->depth];
    int ret, why;

    ERR_clear_error();
    ret = SSL_do_handshake(ssl);
    why = SSL_get_error(ssl, ret);
    if (ret == 1)
        return 1;
    need(why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE);
    ERR_clear_error();
    return 0;
}

void stock_handshake(struct stock *s, BIO *stack)
{
    int ours = 0, theirs = 0, rounds = 0;
    char c;

    while (!ours || !theirs) {
        if (ours)
            test_retried(stack, BIO_read(stack, &c, 1));
        else
            ours = BIO_do_handshake(stack) == 1;
        if (!ours)
            test_retried(stack, -1);
        theirs = theirs || stock_shake(s);
        ck_assert_msg(rounds++ < 10000, "no progress");
    }
}

void stock_dive(struct stock *s, BIO *stack, int version, int server)
{
    int layer = s->depth + 1;

    stock_start(s, test_ssl(!server, version, layer));
    need(BIO_onion_start_tls(stack, test_ssl(server, version, layer),
                             NULL, 0) == 1);
    stock_handshake(s, stack);
}

void stock_write(struct stock *s, int depth, const void *data, size_t len)
{
    int ret = depth == 0 ? BIO_write(s->io, data, (int)len)
        : SSL_write(s->ssl[depth], data, (int)len);

    need(ret == (int)len);
    ERR_clear_error();
}

int stock_read(struct stock *s, int depth, void *data, size_t len)
{
    int ret = depth == 0 ? BIO_read(s->io, data, (int)len)
        : SSL_read(s->ssl[depth], data, (int)len);

    ERR_clear_error();
    return ret;
}

void stock_expect(struct stock *s, int depth, const char *text)
{
    size_t len = strlen(text), got = 0;
    char data[256];
    int ret;

    while (got < len) {
        ret = stock_read(s, depth, data + got, len - got);
        ck_assert_msg(ret > 0, "stock peer reads %d at depth %d", ret, depth);
        got += (size_t)ret;
    }
    ck_assert_mem_eq(data, text, len);
}
