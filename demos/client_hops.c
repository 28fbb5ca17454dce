/*
 * client_hops.c - the walk over the hops, from the socket to the destination.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each hop begins in what the one before it has left: the clear, a layer, or a
 * tunnel through a proxy, inside that layer.
 */

#include <string.h>
#include "bio_onion.h"
#include "client_hops.h"
#include "hop_connect.h"
#include "hop_starttls.h"
#include "hop_talk.h"
#include "tool_pass.h"
#include "tool_report.h"

/* What a hop says
 * ---------------
 */

static const LAYER_OPTIONS *options_of(const CLIENT *c, const HOP *h)
{
    return &options_group(&c->groups, h->group)->tls;
}

/* What a -via is to ask its proxy for. 0: it has no password, reported. */
static int what_to_ask(const CLIENT *c, const HOP *via, HOP_CONNECT *ask)
{
    const LAYER_OPTIONS *l = options_of(c, via);
    const NET_PLACE *to = &via[1].url.place;

    memset(ask, 0, sizeof(*ask));
    ask->host = to->host;
    ask->port = to->port;
    ask->user = via->url.has_user ? via->url.user : l->proxy_user;
    ask->header = l->proxy_header.s;
    ask->headers = l->proxy_header.n;
    if (via->url.password[0] != '\0')
        ask->password = via->url.password;
    else if (l->proxy_pass != NULL)
        ask->password = pass_of(l->proxy_pass, "proxy_pass", NULL);
    return ask->password != NULL || l->proxy_pass == NULL;
}

/* As whom a -starttls speaks, or to whom; NULL if nobody said. */
static const char *name_to_say(const CLIENT *c, const HOP *h)
{
    const char *name = options_of(c, h)->name;

    if (name == NULL && hop_starttls_needs_name(h->protocol)
        && h->at->host[0] != '\0')
        name = h->at->host;
    return name;
}

static int check_starttls(const CLIENT *c, const HOP *h)
{
    const char *name = name_to_say(c, h);

    if (name != NULL || !hop_starttls_needs_name(h->protocol))
        return hop_starttls_check(h->protocol, name);
    report(TOOL_USAGE, NULL, "-starttls %s needs -name", h->protocol);
    return 0;
}

static int check_via(const CLIENT *c, const HOP *h)
{
    HOP_CONNECT ask;

    return what_to_ask(c, h, &ask) && hop_connect_check(&ask);
}

int hops_check(const CLIENT *c)
{
    const HOP *h = c->route.hop, *end = h + c->route.n;

    for (; h < end; h++)
        if ((h->kind == HOP_VIA && !check_via(c, h))
            || (h->kind == HOP_STARTTLS && !check_starttls(c, h)))
            return 0;
    return 1;
}

int hops_have_line(const CLIENT *c)
{
    int i;

    for (i = 0; i < c->route.n; i++)
        if (c->route.hop[i].kind == HOP_LINE)
            return 1;
    return 0;
}

/* The walk
 * --------
 */

/*
 * Bytes that came behind the OK would be taken for the new layer's. An OK from
 * outside the layer that we have asked in is none.
 */
static int ask_by_line(CLIENT *c)
{
    const char *what = "the reply to STARTTLS";

    if (!hop_say(c, "STARTTLS\n") || !hop_line(c, LINE_MAX_LENGTH, what))
        return 0;
    if (strcmp(c->line.data, "OK") == 0)
        return 1;
    if (!line_is_refusal(c->line.data, c->line.len))
        return hop_unlike(c, what);
    return hop_refused(c, "the peer refused STARTTLS", c->line.data,
                       c->line.len);
}

static int ask_by_protocol(CLIENT *c, const HOP *h)
{
    return hop_starttls(c, h->protocol, name_to_say(c, h));
}

static int go_through(CLIENT *c, const HOP *via)
{
    HOP_CONNECT ask;

    return what_to_ask(c, via, &ask) ? hop_connect(c, &ask)
                                     : client_fail(c, TOOL_USAGE);
}

/* The innermost that the hops open. */
static int is_last_layer(const CLIENT *c, const HOP *h)
{
    const HOP *end = c->route.hop + c->route.n;

    while (++h < end && !h->tls)
        ;
    return h == end;
}

/* With -early it need not be waited for before the next layer, if nothing is
   said between the two. */
static int goes_on_at_once(const CLIENT *c, const HOP *h)
{
    return c->early.on && h->kind != HOP_VIA
        && h + 1 < c->route.hop + c->route.n && h[1].kind == HOP_PUSH;
}

static int open_layer(CLIENT *c, const HOP *h)
{
    int last = is_last_layer(c, h);

    early_begin(c, last);
    if (!client_open(c, h->group, 1))
        return 0;
    if (goes_on_at_once(c, h))
        return 1;
    return (!last || early_send(c)) && client_shake(c);
}

static int walk_hop(CLIENT *c, const HOP *h)
{
    c->at = h->at;
    if ((h->kind == HOP_STARTTLS && !ask_by_protocol(c, h))
        || (h->kind == HOP_LINE && !ask_by_line(c)))
        return 0;
    if (h->tls && !open_layer(c, h))
        return 0;
    return h->kind != HOP_VIA || go_through(c, h);
}

int hops_walk(CLIENT *c)
{
    int i;

    c->at = &c->route.first;
    if (!client_connect(c))
        return 0;
    for (i = 0; i < c->route.n; i++)
        if (!walk_hop(c, &c->route.hop[i]))
            return 0;
    return 1;
}
