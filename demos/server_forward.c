/*
 * server_forward.c - peels the layers, and passes the rest on to one target.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <openssl/crypto.h>
#include "server_dial.h"
#include "server_relay.h"

typedef struct forward_st {
    DIAL dial;
    RELAY relay;
    unsigned connected : 1;
} FORWARD;

static int begin(CONN *c)
{
    FORWARD *f = OPENSSL_zalloc(sizeof(*f));

    c->state = f;
    if (f == NULL)
        return 0;
    c->target = OPENSSL_strdup(c->server->target_name);
    dial_addresses(&f->dial, c->server->target);
    return c->target != NULL;
}

static MODE_RESULT fail(CONN *c, const char *why)
{
    conn_blame(c, TOOL_NETWORK, -1, "cannot connect to %s: %s", c->target, why);
    return MODE_CUT;
}

static MODE_RESULT connect_far(CONN *c, FORWARD *f)
{
    switch (dial_run(&f->dial, c)) {
    case DIAL_DONE:
        f->connected = 1;
        c->progress++;
        return MODE_MORE;
    case DIAL_WAIT:
        return MODE_WAIT;
    default:
        return fail(c, f->dial.why);
    }
}

static MODE_RESULT run(CONN *c)
{
    FORWARD *f = c->state;

    return f->connected ? relay_run(&f->relay, c) : connect_far(c, f);
}

static MODE_RESULT late(CONN *c)
{
    FORWARD *f = c->state;

    if (f->connected)
        return relay_late(&f->relay, c);
    return dial_give_up(&f->dial, c) ? MODE_MORE : fail(c, f->dial.why);
}

static void end(CONN *c)
{
    FORWARD *f = c->state;

    relay_end(&f->relay, c);
    dial_free(&f->dial);
    OPENSSL_free(f);
}

const MODE mode_forward = { "forward", begin, run, late, NULL, end };
