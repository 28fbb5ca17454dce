/*
 * server_conn.c - one connection of the server.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A connection either has steps to do or reads a line, never both: what a peer
 * makes the server hold is one line and its answer.
 */

#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "server_conn.h"
#include "tool_net.h"
#include "tool_report.h"

/* Lines or turns of steps before the next connection has its turn. */
#define TURNS       16
/* How long what a peer still sends is read and thrown away after the end. */
#define LINGER_MS   2000

struct conn_st {
    const SERVER *server;
    int fd;
    BIO *stack;                 /* NULL once the end was sent */
    STEPS steps;
    LINE line;
    short events;
    unsigned over : 1;
    unsigned again : 1;         /* there is more to do, without poll() */
    unsigned long progress;     /* of steps, when deadline was set */
    long long deadline;         /* -1 if there is none */
    char name[NET_NAME_SIZE];   /* of the peer */
};

int conn_fd(const CONN *c)
{
    return c->fd;
}

short conn_events(const CONN *c)
{
    return c->events;
}

long long conn_deadline(const CONN *c)
{
    return c->again ? 0 : c->deadline;
}

int conn_is_over(const CONN *c)
{
    return c->over;
}

void conn_free(CONN *c)
{
    if (c == NULL)
        return;
    BIO_free_all(c->stack);
    steps_free(&c->steps);
    line_free(&c->line);
    close(c->fd);
    OPENSSL_free(c);
}

/* Starting
 * --------
 */

static int start_layers(CONN *c)
{
    int i;

    BIO_onion_set_max_depth(c->stack, c->server->max_depth);
    for (i = 1; i <= c->server->layers; i++) {
        const TLS_LAYERS *tls = &c->server->tls;
        SSL *ssl = tls_new_server(tls, tls_group_of_layer(tls, i), i);

        if (ssl == NULL)
            return 0;
        if (BIO_onion_start_tls(c->stack, ssl, NULL, 0) != 1) {
            SSL_free(ssl);
            return 0;
        }
    }
    return i == 1 || steps_add(&c->steps, STEP_HANDSHAKE, 0);
}

static BIO *new_stack(int fd)
{
    BIO *transport = BIO_new_socket(fd, BIO_NOCLOSE);
    BIO *stack = transport != NULL ? BIO_new_onion_stack(transport) : NULL;

    if (stack == NULL)
        BIO_free(transport);
    return stack;
}

CONN *conn_new(int fd, const SERVER *server)
{
    CONN *c = OPENSSL_zalloc(sizeof(*c));

    if (c == NULL) {
        close(fd);
        return NULL;
    }
    c->server = server;
    c->fd = fd;
    c->events = POLLIN;
    c->deadline = -1;
    c->line.max = LINE_MAX_LENGTH;
    net_name(fd, 1, c->name);
    c->stack = new_stack(fd);
    if (c->stack != NULL && start_layers(c))
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

/* With cut, the layers inside have no chance to say goodbye. */
static void end(CONN *c, int cut)
{
    if (cut)
        shutdown(c->fd, SHUT_WR);
    BIO_free_all(c->stack);
    c->stack = NULL;
    ERR_clear_error();
    steps_free(&c->steps);
    shutdown(c->fd, SHUT_WR);
    c->events = POLLIN;
    c->deadline = net_now() + LINGER_MS;
}

void conn_end(CONN *c)
{
    if (c->stack != NULL)
        end(c, 0);
}

static void fail(CONN *c)
{
    report_stack(c->name, c->stack);
    end(c, 0);
}

static void linger(CONN *c, long long now)
{
    char waste[4096];
    ssize_t n = 0;
    int i;

    for (i = 0; i < TURNS; i++) {
        n = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);
        if (n <= 0)
            break;
    }
    if (n == 0 || now >= c->deadline)
        c->over = 1;
    else if (n < 0)
        c->over = !BIO_sock_should_retry(-1);
}

/* Waiting
 * -------
 */

static void wait_for(CONN *c)
{
    c->events = 0;
    if (BIO_should_read(c->stack))
        c->events |= POLLIN;
    if (BIO_should_write(c->stack))
        c->events |= POLLOUT;
}

/* A step that makes no progress has -timeout seconds. */
static void wait_for_step(CONN *c, long long now)
{
    wait_for(c);
    if (c->deadline == -1 || c->progress != c->steps.progress) {
        c->progress = c->steps.progress;
        c->deadline = now + 1000LL * c->server->timeout;
    } else if (now >= c->deadline) {
        report_at(TOOL_NETWORK, c->name, BIO_onion_write_depth(c->stack),
                  "the peer stalled for %d s %s", c->server->timeout,
                  steps_what(&c->steps));
        end(c, 0);
    }
}

/* What is decrypted already wakes no poll(). Returns 1 to read again. */
static int wait_for_line(CONN *c)
{
    wait_for(c);
    return BIO_pending(c->stack) > 0;
}

/* Lines
 * -----
 */

/* The steps could not be planned. */
static int no_memory(CONN *c)
{
    report(TOOL_NETWORK, c->name, "out of memory");
    end(c, 0);
    return 0;
}

static int refuse(CONN *c, const char *why)
{
    report_at(TOOL_PROTOCOL, c->name, BIO_onion_write_depth(c->stack), "%s",
              why);
    line_clear(&c->line);
    return verbs_refuse(&c->steps, why) || no_memory(c);
}

/* The peer has closed a layer: so do we, before anything else is said. */
static int follow(CONN *c)
{
    if (!steps_add(&c->steps, STEP_STOP, BIO_onion_read_depth(c->stack)))
        return no_memory(c);
    return c->line.len == 0
        || refuse(c, "the line was not finished in its layer");
}

static int hear_end(CONN *c)
{
    if (c->line.len > 0)
        report_at(TOOL_PROTOCOL, c->name, 0, "the peer ended in mid-line");
    end(c, 0);
    return 0;
}

static int answer(CONN *c)
{
    int ok = verbs_answer(&c->steps, c->stack, c->server, &c->line);

    line_clear(&c->line);
    return ok || no_memory(c);
}

/* 1 if there is more to do now. */
static int read_line(CONN *c)
{
    c->deadline = -1;
    switch (line_read(&c->line, c->stack)) {
    case LINE_DONE:
        return answer(c);
    case LINE_WAIT:
        return wait_for_line(c);
    case LINE_BOUNDARY:
        return follow(c);
    case LINE_END:
        return hear_end(c);
    case LINE_TOO_LONG:
        return refuse(c, "line too long");
    default:
        fail(c);
        return 0;
    }
}

/* 1 if there is more to do now. */
static int turn(CONN *c, long long now)
{
    switch (steps_run(&c->steps, c->stack)) {
    case STEPS_DONE:
        return read_line(c);
    case STEPS_MORE:
        return 1;
    case STEPS_WAIT:
        wait_for_step(c, now);
        return 0;
    case STEPS_END:
        end(c, 0);
        return 0;
    case STEPS_CUT:
        end(c, 1);
        return 0;
    default:
        fail(c);
        return 0;
    }
}

void conn_run(CONN *c, long long now)
{
    int i;

    c->again = 0;
    if (c->stack == NULL) {
        linger(c, now);
        return;
    }
    for (i = 0; i < TURNS; i++)
        if (!turn(c, now))
            return;
    /* The others first; then on at once. */
    c->again = 1;
}
