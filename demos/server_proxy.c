/*
 * server_proxy.c - an HTTPS proxy: CONNECT within the layers.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * With an origin, no target is called: the server itself answers for it, in a
 * layer of its own.
 */

#include <string.h>
#include <openssl/crypto.h>
#include "bio_onion.h"
#include "server_dial.h"
#include "server_http.h"
#include "server_relay.h"

static const char granted[] = "HTTP/1.1 200 Connection established\r\n\r\n";

typedef enum { READING, CALLING, GRANTING, RELAYING, REFUSING } STAGE;

typedef struct proxy_st {
    STAGE stage;
    HTTP *http;             /* NULL once the answer was sent */
    DIAL dial;
    RELAY relay;
} PROXY;

static int begin(CONN *c)
{
    PROXY *p = OPENSSL_zalloc(sizeof(*p));

    c->state = p;
    if (p == NULL)
        return 0;
    p->http = OPENSSL_zalloc(sizeof(*p->http));
    return p->http != NULL;
}

static void end(CONN *c)
{
    PROXY *p = c->state;

    if (p->http != NULL)
        http_free(p->http);
    relay_end(&p->relay, c);
    dial_free(&p->dial);
    OPENSSL_free(p);
}

/* What is asked for
 * -----------------
 */

static MODE_RESULT refuse(CONN *c, PROXY *p, int status, const char *more,
                          const char *why)
{
    conn_blame(c, TOOL_REFUSED, BIO_onion_write_depth(c->stack),
               "CONNECT %s was refused with %d: %s",
               c->target != NULL ? c->target : "?", status, why);
    p->stage = REFUSING;
    return http_refuse(p->http, status, more) ? MODE_MORE : MODE_CUT;
}

/* The bytes that it should lead to may follow the head already. */
static MODE_RESULT grant(CONN *c, PROXY *p)
{
    p->http->out = OPENSSL_strdup(granted);
    p->http->len = (int)strlen(granted);
    p->stage = GRANTING;
    c->progress++;
    return p->http->out != NULL ? MODE_MORE : MODE_CUT;
}

static MODE_RESULT call(CONN *c, PROXY *p, const NET_PLACE *place)
{
    if (c->server->origin != NULL)
        return grant(c, p);
    if (!dial_name(&p->dial, c, place))
        return refuse(c, p, 502, "", "out of memory");
    p->stage = CALLING;
    return MODE_MORE;
}

static MODE_RESULT judge(CONN *c, PROXY *p)
{
    const ACCESS *a = &c->server->access;
    const REQUEST *r = &p->http->request;
    NET_PLACE place;
    const char *mistake;

    c->progress++;
    if (!access_knows(a, r->authorization))
        return refuse(c, p, 407,
                      "Proxy-Authenticate: Basic realm=\"onion\"\r\n",
                      r->authorization == NULL ? "no user was named"
                                               : "user or password are wrong");
    if (strcmp(r->method, "CONNECT") != 0)
        return refuse(c, p, 405, "Allow: CONNECT\r\n", "it is no CONNECT");
    c->target = OPENSSL_strdup(r->target);
    mistake = net_take_apart(&place, r->target, 1);
    if (mistake != NULL || r->has_body)
        return refuse(c, p, 400, "", mistake != NULL ? mistake
                                                     : "it has a body");
    if (!access_allows(a, &place))
        return refuse(c, p, 403, "", "it is not in -proxy_allow");
    return call(c, p, &place);
}

/* A server that goes does not wait for a request that has not begun. */
static MODE_RESULT wait_for_request(CONN *c, const PROXY *p)
{
    conn_want(c);
    return c->server->draining && request_is_new(&p->http->request)
        ? MODE_CLOSE : MODE_WAIT;
}

static MODE_RESULT read_request(CONN *c, PROXY *p)
{
    switch (request_read(&p->http->request, c->stack)) {
    case REQUEST_DONE:
        return judge(c, p);
    case REQUEST_WAIT:
        return wait_for_request(c, p);
    case REQUEST_END:
        return MODE_CLOSE;
    case REQUEST_BAD:
        return refuse(c, p, p->http->request.status, "", "it is malformed");
    default:
        return MODE_FAILED;
    }
}

/* How it is answered
 * ------------------
 */

static MODE_RESULT call_failed(CONN *c, PROXY *p)
{
    return refuse(c, p, p->dial.late ? 504 : 502, "", p->dial.why);
}

static MODE_RESULT go_on_calling(CONN *c, PROXY *p)
{
    switch (dial_run(&p->dial, c)) {
    case DIAL_DONE:
        return grant(c, p);
    case DIAL_WAIT:
        return MODE_WAIT;
    default:
        return call_failed(c, p);
    }
}

/* From now on the connection is the origin's, one layer further in. */
static MODE_RESULT become_origin(CONN *c)
{
    if (!conn_start_layer(c, BIO_onion_write_depth(c->stack) + 1))
        return MODE_FAILED;
    end(c);
    c->state = NULL;
    c->mode = c->server->origin;
    return MODE_CHANGED;
}

static MODE_RESULT answer(CONN *c, PROXY *p)
{
    if (!http_send(p->http, c->stack)) {
        if (!BIO_should_retry(c->stack))
            return MODE_FAILED;
        conn_want(c);
        return MODE_WAIT;
    }
    c->progress++;
    if (p->stage == REFUSING)
        return MODE_CLOSE;
    if (c->server->origin != NULL)
        return become_origin(c);
    http_free(p->http);
    p->http = NULL;
    p->stage = RELAYING;
    return MODE_MORE;
}

static MODE_RESULT run(CONN *c)
{
    PROXY *p = c->state;

    switch (p->stage) {
    case READING:
        return read_request(c, p);
    case CALLING:
        return go_on_calling(c, p);
    case RELAYING:
        return relay_run(&p->relay, c);
    default:
        return answer(c, p);
    }
}

static MODE_RESULT late(CONN *c)
{
    PROXY *p = c->state;

    switch (p->stage) {
    case READING:
        return request_is_new(&p->http->request)
            ? MODE_CLOSE : refuse(c, p, 408, "", "it took too long");
    case CALLING:
        return dial_give_up(&p->dial, c) ? MODE_MORE : call_failed(c, p);
    case RELAYING:
        return relay_late(&p->relay, c);
    default:
        conn_blame(c, TOOL_NETWORK, BIO_onion_write_depth(c->stack),
                   "the peer does not take the answer");
        return MODE_CUT;
    }
}

const MODE mode_proxy = { "proxy", begin, run, late, NULL, end };
