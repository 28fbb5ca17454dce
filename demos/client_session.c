/*
 * client_session.c - what is typed goes out, what comes in is shown.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A loop around poll(), with a slot for each direction. Nothing of it waits
 * elsewhere, but for the commands. What has an effect on the layers, a command
 * or a close, does so when all that was typed before it has been sent.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "client_commands.h"
#include "client_session.h"
#include "client_state.h"
#include "client_terminal.h"
#include "client_typed.h"

/* Milliseconds for the peer to see our close before the connection is gone. */
#define LINGER  1000

typedef struct talk_st {
    CLIENT *c;
    const SESSION_OPTIONS *o;
    SLOT input;             /* as it was typed */
    SLOT to_peer;
    SLOT from_peer;
    TYPED typed;
    TERMINAL terminal;
    int writing;            /* length of the BIO_write() to be repeated, or 0 */
    char command;           /* to be done once to_peer is empty, or 0 */
    int follow;             /* the same: the peer has closed a layer */
    int close_to;           /* our side is being closed to that depth, or -1 */
    int closed;             /* our side is */
    int input_ended;
    int silent;             /* with -ign_eof: there is no more to send */
    int heard_end;          /* of the connection, in the clear */
    int deaf;               /* the peer takes no more */
    int want;               /* what the last calls asked poll() for */
    int moved;              /* something has, so the others may too */
    int over;
} TALK;

/* Ends and failures
 * -----------------
 */

static void over(TALK *s, int code)
{
    s->c->code = code;
    s->over = 1;
}

static void over_failed(TALK *s)
{
    state_show(s->c);
    client_report_stack(s->c);
    s->over = 1;
}

static void over_well(TALK *s, int layer, const char *how)
{
    if (s->deaf)
        over(s, client_report_layer(s->c, TOOL_NETWORK, layer, "the peer took "
                                    "no more, and has not read all that was "
                                    "sent"));
    else if (s->c->quiet)
        over(s, TOOL_OK);
    else
        over(s, client_report_layer(s->c, TOOL_OK, layer, "%s", how));
}

/* After a call that did not succeed: 1 if it is to be repeated. */
static int again(TALK *s)
{
    if (!BIO_should_retry(s->c->stack))
        return 0;
    if (BIO_should_read(s->c->stack))
        s->want |= POLLIN;
    if (BIO_should_write(s->c->stack))
        s->want |= POLLOUT;
    return 1;
}

/* To the peer
 * -----------
 */

/* The rest of -early_data comes before all that is typed. */
static int take_early(TALK *s)
{
    EARLY *e = &s->c->early;

    if (early_left(e) > 0)
        e->sent += slot_add(&s->to_peer, e->data + e->sent, early_left(e));
    return early_left(e) > 0;
}

static void take_typed(TALK *s)
{
    if (s->writing == 0 && s->command == 0 && !s->follow && !take_early(s))
        s->command = typed_move(&s->typed, &s->input, &s->to_peer,
                                s->input_ended);
}

/* Reads go on: they tell why, or still have something to deliver. */
static void send_failed(TALK *s)
{
    if (BIO_onion_failed_layer(s->c->stack, NULL) > 0) {
        over_failed(s);
        return;
    }
    ERR_clear_error();
    s->deaf = s->closed = s->input_ended = 1;
    s->writing = 0;
    s->command = 0;
    slot_drop(&s->input, s->input.len);
    slot_drop(&s->to_peer, s->to_peer.len);
    s->c->early.sent = s->c->early.len;
    client_begin(s->c);
}

static void send_typed(TALK *s)
{
    if (s->to_peer.len == 0)
        return;
    if (s->writing == 0)
        s->writing = (int)s->to_peer.len;
    if (BIO_write(s->c->stack, s->to_peer.data + s->to_peer.start,
                  s->writing) > 0) {
        slot_drop(&s->to_peer, (size_t)s->writing);
        s->writing = 0;
        s->moved = 1;
    } else if (!again(s)) {
        send_failed(s);
    }
}

static void do_command(TALK *s)
{
    char letter = s->command;

    s->command = 0;
    s->moved = 1;
    if (!command_do(s->c, letter))
        s->over = 1;
}

/* Our side of the layers that the peer has closed. */
static void follow(TALK *s)
{
    CLIENT *c = s->c;

    if (BIO_onion_stop_tls(c->stack, BIO_onion_read_depth(c->stack)) == 1) {
        s->follow = 0;
        s->moved = 1;
        state_show(c);
    } else if (!again(s)) {
        over_failed(s);
    }
}

static int all_sent(const TALK *s)
{
    return s->to_peer.len == 0 && early_left(&s->c->early) == 0;
}

/* What is to be done when all that was typed before it is sent. */
static void act(TALK *s)
{
    if (!all_sent(s))
        return;
    if (s->follow)
        follow(s);
    else if (s->command != 0)
        do_command(s);
}

/* Closing our side
 * ----------------
 */

/* The innermost layer alone: what is around it ends with the session. */
static void begin_close(TALK *s)
{
    CLIENT *c = s->c;
    int depth = BIO_onion_write_depth(c->stack);

    s->close_to = depth > 0 ? depth - 1 : 0;
    /* From now on a close by the peer is the answer to ours. */
    BIO_onion_set_min_depth(c->stack, 0);
    if (depth == 0) {
        (void)BIO_flush(c->stack);
        shutdown(c->fd, SHUT_WR);
        s->closed = 1;
        client_begin(c);
    }
}

static void go_on_closing(TALK *s)
{
    CLIENT *c = s->c;
    int result = BIO_onion_stop_tls(c->stack, s->close_to);

    if (result >= 0) {
        s->closed = 1;
        client_begin(c);
        state_show(c);
    }
    if (result > 0)
        over_well(s, s->close_to + 1, "closed by both sides");
    else if (result < 0 && !again(s))
        over_failed(s);
}

/* The end of the input, once all of it is with the peer. */
static void end_input(TALK *s)
{
    if (s->heard_end && s->input_ended && s->input.len == 0 && all_sent(s)) {
        over_well(s, 0, "the peer has ended the connection");
        return;
    }
    if (!s->input_ended || s->closed || s->input.len > 0
        || !all_sent(s) || s->command != 0 || s->follow)
        return;
    if (s->o->ign_eof) {
        s->silent = 1;
        BIO_onion_set_min_depth(s->c->stack, 0);
        return;
    }
    if (s->close_to == -1)
        begin_close(s);
    if (!s->closed)
        go_on_closing(s);
}

/* From the peer
 * -------------
 */

/* Whoever reads a pipe learns of its end before we have ended ours. */
static void heard_end(TALK *s)
{
    if (s->closed || s->input_ended || !s->o->pipe) {
        over_well(s, 0, "the peer has ended the connection");
        return;
    }
    s->heard_end = 1;
    close(STDOUT_FILENO);
}

static void heard_boundary(TALK *s)
{
    CLIENT *c = s->c;
    int layer = BIO_onion_read_depth(c->stack) + 1;

    state_show(c);
    s->moved = 1;
    if (s->closed && layer == s->close_to + 1) {
        over_well(s, layer, "closed by both sides");
    } else if (s->silent) {
        over_well(s, layer, "closed by the peer");
    } else if (early_left(&c->early) > 0) {
        over(s, client_report_layer(c, TOOL_CLOSED, layer, "closed by the "
                                    "peer before all of -early_data was "
                                    "sent"));
    } else if (layer > BIO_onion_write_depth(c->stack)) {
        client_report_layer(c, TOOL_OK, layer, "closed by both sides; going "
                            "on outside");
    } else {
        if (!c->quiet)
            client_report_layer(c, TOOL_OK, layer, "closed by the peer; going "
                                "on outside");
        s->follow = 1;
    }
}

static void hear(TALK *s)
{
    BIO *stack = s->c->stack;
    int n;

    if (s->from_peer.len > 0 || s->heard_end)
        return;
    n = BIO_read(stack, s->from_peer.data, SLOT_SIZE);
    if (n > 0) {
        s->from_peer.start = 0;
        s->from_peer.len = s->o->mute ? 0 : (size_t)n;
        s->moved = 1;
        client_begin(s->c);
    } else if (!again(s)) {
        if (n < 0)
            over_failed(s);
        else if (BIO_eof(stack))
            heard_end(s);
        else
            heard_boundary(s);
    }
}

/* The loop
 * --------
 */

static void move(TALK *s)
{
    do {
        s->moved = 0;
        s->want = 0;
        take_typed(s);
        send_typed(s);
        if (!s->over)
            act(s);
        if (!s->over)
            end_input(s);
        if (!s->over)
            hear(s);
    } while (!s->over && s->moved);
}

static void take_input(TALK *s)
{
    int n = slot_fill(&s->input, STDIN_FILENO);

    if (n == 0)
        s->input_ended = 1;
    else if (n < 0 && errno != EINTR && errno != EAGAIN)
        over(s, report(TOOL_USAGE, NULL, "cannot read the input: %s",
                       strerror(errno)));
}

static void show(TALK *s)
{
    int n = s->c->escape
        ? terminal_drain(&s->terminal, &s->from_peer, s->c->out)
        : slot_drain(&s->from_peer, STDOUT_FILENO);

    if (n < 0 && errno != EINTR && errno != EAGAIN)
        over(s, report(TOOL_USAGE, NULL, "cannot write to the output: %s",
                       strerror(errno)));
}

/* Milliseconds that poll() may wait; -1 for ever. */
static int time_left(TALK *s)
{
    CLIENT *c = s->c;
    long long left = c->deadline - net_now();

    /* What is decrypted already wakes no poll(). */
    if ((s->want & POLLIN) != 0 && BIO_pending(c->stack) > 0)
        return 0;
    if (!s->closed || s->o->patient)
        return -1;
    return left > 0 ? (int)left : 0;
}

static void check_time(TALK *s)
{
    CLIENT *c = s->c;

    if (s->closed && !s->o->patient && net_now() >= c->deadline)
        over(s, client_report(c, TOOL_NETWORK, "closed by us, and nothing "
                              "from the peer for %d s; see -timeout",
                              c->timeout));
}

static int wants_input(const TALK *s)
{
    return !s->input_ended && s->input.len == 0 && s->command == 0;
}

static void wait_for_any(TALK *s)
{
    struct pollfd p[3] = {
        { .fd = wants_input(s) ? STDIN_FILENO : -1, .events = POLLIN },
        { .fd = s->want != 0 ? s->c->fd : -1, .events = (short)s->want },
        { .fd = s->from_peer.len > 0 ? STDOUT_FILENO : -1, .events = POLLOUT }
    };

    if (poll(p, 3, time_left(s)) <= 0) {
        check_time(s);
        return;
    }
    if (p[0].revents != 0)
        take_input(s);
    if (p[2].revents != 0 && !s->over)
        show(s);
}

/* The end of the session
 * ----------------------
 */

/* What the peer may still say to our close is not waited for long. */
static void linger(CLIENT *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    long long until = net_now() + LINGER, left;
    char waste[SLOT_SIZE];
    int n;

    BIO_onion_set_min_depth(c->stack, 0);
    (void)BIO_onion_stop_tls(c->stack, 0);
    shutdown(c->fd, SHUT_WR);
    do {
        n = BIO_read(c->stack, waste, sizeof(waste));
        left = until - net_now();
        if (n <= 0 && BIO_should_retry(c->stack) && left > 0)
            (void)poll(&p, 1, (int)left);
    } while (left > 0 && (n > 0 || BIO_should_retry(c->stack)
                          || (n == 0 && !BIO_eof(c->stack))));
    ERR_clear_error();
}

void session_run(CLIENT *c, const SESSION_OPTIONS *options)
{
    static TALK talk;
    TALK *s = &talk;

    memset(s, 0, sizeof(*s));
    s->c = c;
    s->o = options;
    s->close_to = -1;
    s->typed.commands = options->commands;
    s->typed.crlf = options->crlf;
    move(s);
    while (!s->over) {
        wait_for_any(s);
        if (!s->over)
            move(s);
    }
    facts_take(c);
    if (c->code == TOOL_OK)
        linger(c);
}
