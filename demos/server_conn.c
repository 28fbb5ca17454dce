/*
 * server_conn.c - one connection of the server.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "server_conn.h"
#include "server_state.h"
#include "tool_alert.h"

/* Turns before the next connection has its turn. */
#define TURNS       16
#define WHY_SIZE    512

/* What is said of it
 * ------------------
 */

static void blame(CONN *c, int code, int depth, const char *text)
{
    if (c->how != NULL)
        return;
    c->how = log_sentence(depth, text);
    /* Who keeps a log has it there, with the rest of the connection. */
    if (log_is_kept(&c->server->log))
        return;
    if (depth < 0)
        report(code, c->name, "%s", text);
    else
        report_layer(code, depth, c->name, "%s", text);
}

void conn_blame(CONN *c, int code, int depth, const char *fmt, ...)
{
    char text[WHY_SIZE];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    blame(c, code, depth, text);
}

static const char *peer_of(void *arg, int layer)
{
    const CONN *c = arg;

    (void)layer;
    return c->name;
}

static void blame_stack(CONN *c)
{
    if (c->how != NULL)
        return;
    alert_hear(c->stack);
    if (log_is_kept(&c->server->log))
        c->how = log_stack_sentence();
    else
        report_stack_of(c->stack, peer_of, c);
    ERR_clear_error();
}

static void on_event(BIO *stack, int event, int layer, SSL *ssl, void *arg)
{
    CONN *c = arg;
    const TLS_LAYERS *t = &c->server->tls;
    int reason = 0;

    state_event(c, event, layer, ssl);
    if (event == ONION_EVENT_STARTED
        && !watch_layer(&c->server->watch, ssl, layer, c->name))
        ERR_clear_error();
    if (event == ONION_EVENT_FAILED)
        BIO_onion_failed_layer(stack, &reason);
    if (event == ONION_EVENT_HANDSHAKE
        && !tls_greet(t, tls_group_of_layer(t, layer), ssl, layer, c->name))
        c->distrusted = 1;
    stats_layer(&c->server->stats, event, reason, ssl);
    if (event == ONION_EVENT_REMOVED)
        log_layer(c, layer, ssl);
}

static void count_bytes(CONN *c)
{
    uint64_t in = BIO_number_read(c->transport);
    uint64_t out = BIO_number_written(c->transport);

    if (c->counted)
        stats_bytes(&c->server->stats, in - c->in, out - c->out);
    c->in = in;
    c->out = out;
}

/* Starting
 * --------
 */

static int set_up_layer(CONN *c, SSL *ssl)
{
    /* An idle layer holds no buffers. */
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    return BIO_onion_start_tls(c->stack, ssl, NULL, 0) == 1;
}

int conn_start_layer(CONN *c, int n)
{
    const TLS_LAYERS *t = &c->server->tls;
    SSL *ssl = tls_new_server(t, tls_group_of_layer(t, n), n);

    if (ssl == NULL)
        return 0;
    if (set_up_layer(c, ssl))
        return 1;
    SSL_free(ssl);
    return 0;
}

static int start_layers(CONN *c)
{
    int i;

    BIO_onion_set_max_depth(c->stack, c->server->max_depth);
    BIO_onion_set_flags(c->stack, c->server->flags);
    for (i = 1; i <= c->depth; i++)
        if (!conn_start_layer(c, i))
            return 0;
    return 1;
}

static int make_stack(CONN *c)
{
    c->transport = BIO_new_socket(c->near.fd, BIO_NOCLOSE);
    c->stack = c->transport != NULL ? BIO_new_onion_stack(c->transport) : NULL;
    if (c->stack == NULL) {
        BIO_free(c->transport);
        return 0;
    }
    BIO_onion_set_callback(c->stack, on_event, c);
    return 1;
}

static void enlist(CONN *c, CONN **list)
{
    c->next = *list;
    c->link = list;
    if (c->next != NULL)
        c->next->link = &c->next;
    *list = c;
}

static void delist(CONN *c)
{
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
}

static void init(CONN *c, int fd, SERVER *server, const MODE *mode)
{
    c->server = server;
    c->mode = mode;
    c->near.fd = fd;
    c->far.fd = -1;
    c->near.owner = c->far.owner = c->timer.owner = c;
    c->since = net_now();
    /* Who asks for the statistics is not in them, and speaks in the clear. */
    c->counted = mode != &mode_stats;
    c->depth = c->counted ? server->layers : 0;
    c->stage = c->depth > 0 ? CONN_SHAKING : CONN_USED;
    net_name(fd, 1, c->name);
}

CONN *conn_new(int fd, SERVER *server, const MODE *mode, CONN **list)
{
    CONN *c = OPENSSL_zalloc(sizeof(*c));

    if (c == NULL) {
        close(fd);
        return NULL;
    }
    init(c, fd, server, mode);
    enlist(c, list);
    if (c->counted)
        c->number = stats_connection(&server->stats);
    if (make_stack(c) && wait_set(server->wait, &c->near, POLLIN)
        && start_layers(c) && (c->depth > 0 || mode->begin(c)))
        return c;
    report(TOOL_NETWORK, c->name, "%s", report_openssl());
    conn_free(c);
    return NULL;
}

/* Ending
 * ------
 *
 * The socket is closed only when the peer has closed it too, or has had time
 * to: a close() with unread data would reset the connection, and the reset can
 * destroy what was sent last.
 */

void conn_set_far(CONN *c, int fd)
{
    if (c->far.fd != -1) {
        wait_remove(c->server->wait, &c->far);
        close(c->far.fd);
    }
    c->far.fd = fd;
}

static void end_mode(CONN *c)
{
    if (c->state != NULL)
        c->mode->end(c);
    c->state = NULL;
    conn_set_far(c, -1);
}

static void set_deadline(CONN *c, int waiting, long long now, int seconds)
{
    c->waiting = (unsigned)waiting & 3;
    timers_clear(&c->server->timers, &c->timer);
    c->timer.due = LLONG_MAX;
    if (seconds > 0)
        timers_set(&c->server->timers, &c->timer, now + 1000LL * seconds);
}

/* What each layer was, and what the connection. */
static void tell(CONN *c)
{
    int i;

    if (!c->counted)
        return;
    for (i = BIO_onion_write_depth(c->stack) > BIO_onion_read_depth(c->stack)
             ? BIO_onion_write_depth(c->stack)
             : BIO_onion_read_depth(c->stack); i > 0; i--)
        log_layer(c, i, BIO_onion_get0_ssl(c->stack, i));
    log_conn(c);
}

/* With cut, the layers inside have no chance to say goodbye. */
static void end(CONN *c, int cut)
{
    if (cut)
        shutdown(c->near.fd, SHUT_WR);
    end_mode(c);
    count_bytes(c);
    tell(c);
    state_report(c);
    BIO_onion_set_callback(c->stack, NULL, NULL);
    BIO_free_all(c->stack);
    c->stack = NULL;
    ERR_clear_error();
    shutdown(c->near.fd, SHUT_WR);
    c->stage = CONN_LINGERING;
    c->want = POLLIN;
    c->want_far = 0;
    wait_set(c->server->wait, &c->near, POLLIN);
    set_deadline(c, 0, net_now(), c->server->close_timeout);
}

void conn_end(CONN *c, const char *why)
{
    if (c->stack == NULL)
        return;
    if (c->how == NULL)
        c->how = OPENSSL_strdup(why);
    /* What is passed on must not seem to be all. */
    end(c, c->far.fd != -1);
}

void conn_free(CONN *c)
{
    if (c == NULL)
        return;
    if (c->stack != NULL)
        end(c, 0);
    timers_clear(&c->server->timers, &c->timer);
    wait_remove(c->server->wait, &c->near);
    close(c->near.fd);
    delist(c);
    if (c->counted)
        stats_connection_end(&c->server->stats);
    state_free(c);
    OPENSSL_free(c->target);
    OPENSSL_free(c->how);
    OPENSSL_free(c);
}

static void linger(CONN *c, long long now)
{
    char waste[4096];
    ssize_t n = 0;
    int i;

    for (i = 0; i < TURNS; i++) {
        n = recv(c->near.fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (n <= 0)
            break;
    }
    if (n == 0 || (n < 0 && !BIO_sock_should_retry(-1))
        || c->server->close_timeout == 0 || now >= c->timer.due)
        c->stage = CONN_OVER;
}

/* The stages
 * ----------
 */

void conn_want(CONN *c)
{
    if (BIO_should_read(c->stack))
        c->want |= POLLIN;
    if (BIO_should_write(c->stack))
        c->want |= POLLOUT;
}

/* What the library has not done yet, or never will. */
static MODE_RESULT not_done(CONN *c)
{
    if (!BIO_should_retry(c->stack))
        return MODE_FAILED;
    conn_want(c);
    return MODE_WAIT;
}

static MODE_RESULT begin_mode(CONN *c)
{
    c->stage = CONN_USED;
    c->waiting = 0;
    if (c->mode->begin(c))
        return MODE_MORE;
    conn_blame(c, TOOL_NETWORK, -1, "out of memory");
    return MODE_CLOSE;
}

/*
 * In the innermost layer, which can be answered already. A -pin is looked for
 * when the handshake is done.
 */
static int has_early_data(const CONN *c)
{
    const SERVER *s = c->server;
    SSL *ssl;

    if ((s->flags & ONION_EARLY_DATA) == 0 || !BIO_should_retry(c->stack)
        || tls_has_pins(&s->tls))
        return 0;
    ssl = BIO_onion_get0_ssl(c->stack, BIO_onion_write_depth(c->stack));
    return SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED
        && BIO_pending(c->stack) > 0;
}

static MODE_RESULT shake(CONN *c)
{
    return BIO_do_handshake(c->stack) > 0 || has_early_data(c)
        ? begin_mode(c) : not_done(c);
}

/* Who has gone already misses nothing. */
static MODE_RESULT say_goodbye(CONN *c)
{
    if (BIO_onion_stop_tls(c->stack, 0) >= 0 || !BIO_should_retry(c->stack))
        return MODE_CUT;
    return not_done(c);
}

/* What is decrypted already wakes nobody who waits for the socket. */
static MODE_RESULT use(CONN *c)
{
    MODE_RESULT r = c->mode->run(c);

    if ((r == MODE_WAIT || r == MODE_IDLE) && (c->want & POLLIN) != 0
        && BIO_pending(c->stack) > 0)
        return MODE_MORE;
    return r;
}

static MODE_RESULT turn(CONN *c)
{
    switch (c->stage) {
    case CONN_SHAKING:
        return shake(c);
    case CONN_USED:
        return use(c);
    default:
        return say_goodbye(c);
    }
}

static const char *doing(const CONN *c)
{
    switch (c->stage) {
    case CONN_SHAKING:
        return "in the handshake";
    case CONN_USED:
        return c->mode->doing(c);
    default:
        return "while the layers were closed";
    }
}

static MODE_RESULT stall(CONN *c)
{
    conn_blame(c, TOOL_NETWORK, BIO_onion_write_depth(c->stack),
               "the peer stalled for %d s %s", c->server->timeout, doing(c));
    return MODE_FAILED;
}

static MODE_RESULT late(CONN *c)
{
    int waiting = (int)c->waiting;

    if (c->counted)
        stats_timeout(&c->server->stats, c->stage == CONN_SHAKING
                          ? TIMEOUT_HANDSHAKE : waiting == MODE_IDLE
                          ? TIMEOUT_IDLE : TIMEOUT_STALL);
    c->waiting = 0;
    if (c->stage == CONN_USED && c->mode->late != NULL)
        return c->mode->late(c);
    if (waiting == MODE_WAIT)
        return stall(c);
    c->how = OPENSSL_strdup("it was idle");
    return MODE_CLOSE;
}

/* All that may change while it waits: the deadline is for a standstill. */
static uint64_t done_so_far(const CONN *c, MODE_RESULT r)
{
    return r == MODE_IDLE ? c->in + c->out : c->progress;
}

static int is_late(const CONN *c, MODE_RESULT r, long long now)
{
    return c->waiting == (unsigned)r && now >= c->timer.due
        && done_so_far(c, r) == c->mark;
}

/*
 * A socket of which nothing is wanted may be at its end for long: then it
 * must wake nobody.
 */
static int set_slots(CONN *c)
{
    WAIT *w = c->server->wait;

    if (c->want_far == 0)
        wait_remove(w, &c->far);
    if (c->want == 0 && (c->near.ready & POLLHUP) != 0)
        wait_remove(w, &c->near);
    else if ((c->want != 0 || c->near.added) && !wait_set(w, &c->near, c->want))
        return 0;
    return c->want_far == 0 || wait_set(w, &c->far, c->want_far);
}

/* At the end of both directions there may still be something to read. */
static int peer_is_gone(const CONN *c)
{
    return c->want == 0 && (c->near.ready & POLLERR) != 0;
}

static void wait_for(CONN *c, MODE_RESULT r, long long now)
{
    const SERVER *s = c->server;

    if (peer_is_gone(c) || !set_slots(c)) {
        conn_blame(c, TOOL_NETWORK, -1, peer_is_gone(c)
                   ? "the peer has reset the connection" : "out of memory");
        end(c, 1);
        return;
    }
    if (c->waiting == (unsigned)r && done_so_far(c, r) == c->mark)
        return;
    c->mark = done_so_far(c, r);
    set_deadline(c, r, now, r == MODE_IDLE ? s->idle_timeout : s->timeout);
}

/* Changes the stage as r says. 1 if there is more to do now. */
static int follow(CONN *c, MODE_RESULT r, long long now)
{
    switch (r) {
    case MODE_MORE:
        return 1;
    case MODE_CHANGED:
        c->stage = CONN_SHAKING;
        c->waiting = 0;
        return 1;
    case MODE_CLOSE:
        end_mode(c);
        c->stage = CONN_CLOSING;
        c->waiting = 0;
        return 1;
    case MODE_CUT:
        end(c, c->stage == CONN_USED);
        return 0;
    case MODE_FAILED:
        blame_stack(c);
        end(c, 0);
        return 0;
    default:
        wait_for(c, r, now);
        return 0;
    }
}

/* tls_greet() has reported why. */
static MODE_RESULT distrust(CONN *c)
{
    if (c->how == NULL)
        c->how = OPENSSL_strdup("the peer is not one of -pin");
    c->stage = CONN_USED;
    return MODE_CUT;
}

/* One turn, and what follows from it. 1 if there is more to do now. */
static int take_turn(CONN *c, long long now)
{
    MODE_RESULT r;

    c->want = c->want_far = 0;
    r = turn(c);
    count_bytes(c);
    state_report(c);
    if (c->distrusted)
        r = distrust(c);
    if ((r == MODE_WAIT || r == MODE_IDLE) && is_late(c, r, now))
        r = late(c);
    return follow(c, r, now);
}

void conn_run(CONN *c, long long now)
{
    int i;

    c->again = 0;
    for (i = 0; i < TURNS && c->stack != NULL; i++)
        if (!take_turn(c, now))
            break;
    if (c->stack == NULL)
        linger(c, now);
    else if (i == TURNS)
        /* The others first; then on at once. */
        c->again = 1;
    c->near.ready = c->far.ready = 0;
}
