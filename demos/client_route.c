/*
 * client_route.c - the way that the options describe, and whether it is one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "client_route.h"
#include "hop_starttls.h"
#include "tool_report.h"

static int mistake(const HOP *h, const GROUPS *groups, const char *text)
{
    const GROUP *g = options_group(groups, h->group);
    char shown[REPORT_URL_SIZE] = "";

    if (g->argument != NULL)
        report_url(shown, g->argument);
    return report(TOOL_USAGE, NULL, "-%s%s%s: %s; try -help", g->opener->name,
                  g->argument != NULL ? " " : "", shown, text) == TOOL_OK;
}

static int wrong(const char *text)
{
    return report(TOOL_USAGE, NULL, "%s; try -help", text) == TOOL_OK;
}

static int names_place(const HOP *h)
{
    return h->kind == HOP_VIA || h->kind == HOP_DEST;
}

/* One hop
 * -------
 */

static int make_url(HOP *h, const GROUP *g, int allowed)
{
    if (!url_parse(&h->url, g->opener->name, g->argument, allowed))
        return 0;
    h->tls = h->url.scheme == URL_HTTPS;
    return 1;
}

static int make_hop(HOP *h, const GROUPS *groups, int group)
{
    const GROUP *g = options_group(groups, group);

    h->kind = (HOP_KIND)g->opener->min;
    h->group = group;
    h->tls = 1;
    switch (h->kind) {
    case HOP_VIA:
        return make_url(h, g, URL_OF_VIA);
    case HOP_DEST:
        return make_url(h, g, URL_OF_DEST);
    case HOP_STARTTLS:
        h->protocol = g->argument;
        return hop_starttls_known(h->protocol)
            || mistake(h, groups, "is no protocol with a STARTTLS that is "
                                  "known here");
    default:
        return 1;
    }
}

static int make_hops(ROUTE *r, const GROUPS *groups)
{
    int i;

    for (i = 0; i < groups->n; i++) {
        if (groups->group[i].opener->min == HOP_LAYER)
            continue;
        if (!make_hop(&r->hop[r->n], groups, i))
            return 0;
        r->n++;
    }
    return 1;
}

/* -layers: their options are those of the -layer groups, or the defaults. */
static int add_layers(ROUTE *r, const GROUPS *groups, int layers)
{
    int i, group = -1, next = 0;

    if (layers > 0 && r->n > 0)
        return wrong("-layers contradicts the hops; use -push");
    for (i = 0; i < layers; i++) {
        if (next < groups->n)
            group = next++;
        r->hop[r->n].kind = HOP_PUSH;
        r->hop[r->n].tls = 1;
        r->hop[r->n++].group = group;
    }
    return 1;
}

/* The order of the hops
 * ---------------------
 */

static int check_first(const ROUTE *r, const GROUPS *groups, int has_place)
{
    if (has_place || (r->n > 0 && names_place(&r->hop[0])))
        return 1;
    if (r->n > 0)
        return mistake(&r->hop[0], groups, "leads nowhere as the first hop "
                       "without -connect or -unix");
    return wrong("-connect, -unix, -via or -dest is needed");
}

static int check_next(const ROUTE *r, const GROUPS *groups, int i)
{
    const HOP *h = &r->hop[i], *before = i > 0 ? h - 1 : NULL;

    if (before != NULL && before->kind == HOP_VIA && !names_place(h))
        return mistake(before, groups, "-via or -dest must follow, which says "
                       "where the proxy is to connect to");
    if (h->kind == HOP_DEST && before != NULL && before->kind != HOP_VIA)
        return mistake(h, groups, before->kind == HOP_DEST
                       ? "follows a -dest, which is the end of the way"
                       : "nothing leads there; put a -via before it, or use "
                         "-push");
    return 1;
}

static int check_order(const ROUTE *r, const GROUPS *groups)
{
    int i, dest = -1;

    for (i = 0; i < r->n; i++) {
        if (!check_next(r, groups, i))
            return 0;
        if (dest != -1 && names_place(&r->hop[i]))
            return mistake(&r->hop[i], groups, "follows a -dest, which is "
                           "the end of the way");
        if (r->hop[i].kind == HOP_DEST)
            dest = i;
    }
    if (r->n > 0 && r->hop[r->n - 1].kind == HOP_VIA)
        return mistake(&r->hop[r->n - 1], groups, "-via or -dest must follow, "
                       "which says where the proxy is to connect to");
    return 1;
}

static int check_depth(ROUTE *r)
{
    int i;

    for (i = 0; i < r->n; i++)
        r->depth += r->hop[i].tls;
    if (r->depth <= ONION_MAX_DEPTH)
        return 1;
    return report(TOOL_USAGE, NULL, "%d layers are more than the %d that can "
                  "be", r->depth, ONION_MAX_DEPTH) == TOOL_OK;
}

/* Who is at the other end
 * -----------------------
 */

static int is_of_name(unsigned char c)
{
    return strchr("-._", c) != NULL || (c >= '0' && c <= '9')
        || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* An IPv6 address, which may have a zone, or a name. */
static int check_host(const char *connect, const char *host)
{
    const char *what = NULL;
    unsigned char digits[16];
    char address[64];
    size_t i;

    if (connect[0] == '[') {
        snprintf(address, sizeof(address), "%.*s", (int)strcspn(host, "%"),
                 host);
        if (inet_pton(AF_INET6, address, digits) != 1)
            what = "what is in the brackets is no IPv6 address";
    } else {
        for (i = 0; host[i] != '\0' && what == NULL; i++)
            if ((unsigned char)host[i] >= 0x80)
                what = "the host is not ASCII; give its xn-- form";
            else if (!is_of_name((unsigned char)host[i]))
                what = "the host has a character that no host has";
    }
    return what == NULL || report(TOOL_USAGE, NULL, "-connect %s: %s", connect,
                                  what) == TOOL_OK;
}

static int set_first(ROUTE *r, const char *connect, const char *path)
{
    if (connect != NULL && path != NULL)
        return wrong("-unix contradicts -connect");
    r->path = path;
    if (path != NULL
        && strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return wrong("-unix: the path of a socket cannot be so long");
    if (connect != NULL)
        return net_parse(&r->first, connect, 1)
            && check_host(connect, r->first.host);
    if (path == NULL)
        r->first = r->hop[0].url.place;
    return 1;
}

static void set_ends(ROUTE *r)
{
    const NET_PLACE *at = &r->first;
    int i;

    for (i = 0; i < r->n; i++) {
        if (names_place(&r->hop[i]))
            at = &r->hop[i].url.place;
        r->hop[i].at = at;
    }
}

/* A layer over a socket of the file system has no host's name to verify. */
static int check_name(const HOP *h, const GROUPS *groups)
{
    const GROUP *g = options_group(groups, h->group);
    const LAYER_OPTIONS *l = &g->tls;

    if (!h->tls || g->described > 0 || h->at->host[0] != '\0' || l->insecure
        || l->servername != NULL || l->verify_hostname != NULL
        || l->verify_ip != NULL)
        return 1;
    return report(TOOL_USAGE, NULL, "-unix: no name to verify in a layer; see "
                  "-verify_hostname") == TOOL_OK;
}

/* 1 if the group has an option, of a hop or of a layer, that not all have. */
static int has_own(const GROUPS *groups, const HOP *h, int of_hop)
{
    const LAYER_OPTIONS *l = &options_group(groups, h->group)->tls;
    const LAYER_OPTIONS *all = &groups->all.tls;
    const OPTION *o;

    for (o = layer_table; o->name != NULL; o++)
        if (o->kind != OPTION_HEADING && layer_is_of_hop(o) == of_hop
            && layer_is_given(l, o->name) && !layer_is_given(all, o->name))
            return 1;
    return !of_hop && l->confs > all->confs;
}

static int check_options(const HOP *h, const GROUPS *groups)
{
    if (!h->tls && (options_group(groups, h->group)->described > 0
                    || has_own(groups, h, 0)))
        return mistake(h, groups, "has no layer, and options of one");
    if (h->kind != HOP_VIA && h->kind != HOP_STARTTLS && has_own(groups, h, 1))
        return mistake(h, groups, "has an option that is for -via or "
                                  "-starttls");
    return 1;
}

int route_make(ROUTE *r, const GROUPS *groups, const char *connect,
               const char *path, int layers)
{
    int i;

    memset(r, 0, sizeof(*r));
    if (!make_hops(r, groups)
        || !check_first(r, groups, connect != NULL || path != NULL)
        || !add_layers(r, groups, layers) || !check_order(r, groups)
        || !check_depth(r) || !set_first(r, connect, path))
        return 0;
    set_ends(r);
    for (i = 0; i < r->n; i++)
        if (!check_name(&r->hop[i], groups)
            || !check_options(&r->hop[i], groups))
            return 0;
    return 1;
}
