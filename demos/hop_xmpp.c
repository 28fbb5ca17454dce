/*
 * hop_xmpp.c - STARTTLS of XMPP, RFC 6120 section 5.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * No XML parser reads just one element and leaves what is behind it, so here
 * are read single tags, byte by byte up to the >. That is enough: before TLS a
 * stream has no comments, no CDATA and no DTD (section 11.1).
 */

#include <stdio.h>
#include <string.h>
#include "hop_protocols.h"
#include "hop_talk.h"

#define TAG_MAX         4096
#define TAGS_MAX        200
/* Text between tags, all together. */
#define TEXT_MAX        16384
#define NAMESPACE       "urn:ietf:params:xml:ns:xmpp-tls"

typedef struct tag_st {
    char text[TAG_MAX + 1]; /* between < and > */
    size_t len;
    int end;                /* </name> */
    int empty;              /* <name/> */
    char name[64];          /* without prefix */
} TAG;

typedef struct xmpp_st {
    CLIENT *c;
    TAG tag;                /* the last one read */
    size_t text;            /* bytes outside tags so far */
    int tags;               /* so far */
} XMPP;

/* Tags
 * ----
 */

/* Goes to behind the next <. Between elements of the stream is no text. */
static int skip_text(XMPP *x, const char *what, int blank)
{
    char byte;

    do {
        if (x->text++ == TEXT_MAX)
            return hop_blame(x->c, "more than 16 KiB of text", NULL, 0);
        if (!hop_bytes(x->c, &byte, 1, what))
            return 0;
        if (byte == '\0' || (blank && strchr("< \t\r\n", byte) == NULL))
            return hop_blame(x->c, "this is no element of a stream", &byte, 1);
    } while (byte != '<');
    return 1;
}

/* Up to the > that no quotes hold. */
static int read_text(XMPP *x, const char *what)
{
    TAG *t = &x->tag;
    char byte, quote = '\0';

    for (t->len = 0; t->len < TAG_MAX; t->len++) {
        if (!hop_bytes(x->c, &byte, 1, what))
            return 0;
        if (byte == '>' && quote == '\0')
            break;
        if (byte == '\0' || byte == '<')
            return hop_blame(x->c, "this is not XML", t->text, t->len);
        if (quote == '\0' && (byte == '"' || byte == '\''))
            quote = byte;
        else if (byte == quote)
            quote = '\0';
        t->text[t->len] = byte;
    }
    t->text[t->len] = '\0';
    return t->len < TAG_MAX
        || hop_blame(x->c, "a tag of more than 4 KiB", t->text, t->len);
}

static void parse_tag(TAG *t)
{
    const char *name = t->text, *colon;
    size_t len;

    t->end = name[0] == '/';
    t->empty = t->len > 0 && t->text[t->len - 1] == '/';
    name += t->end;
    len = strcspn(name, " \t\r\n/");
    colon = memchr(name, ':', len);
    if (colon != NULL) {
        len -= (size_t)(colon + 1 - name);
        name = colon + 1;
    }
    snprintf(t->name, sizeof(t->name), "%.*s", (int)len, name);
}

/* The next tag. What is due is what; nothing but space before it if blank. */
static int next_tag(XMPP *x, const char *what, int blank)
{
    do {
        if (x->tags == TAGS_MAX)
            return hop_blame(x->c, "more than 200 tags", NULL, 0);
        client_begin(x->c);
        if (!skip_text(x, what, blank) || !read_text(x, what))
            return 0;
        x->tags++;
        if (x->tag.text[0] == '!')
            return hop_blame(x->c, "this must not be in a stream",
                             x->tag.text, x->tag.len);
    } while (x->tag.text[0] == '?');
    parse_tag(&x->tag);
    return 1;
}

static int is(const TAG *t, int end, const char *name)
{
    return t->end == end && strcmp(t->name, name) == 0;
}

static int unlike(XMPP *x, const char *what)
{
    char line[64];

    snprintf(line, sizeof(line), "this is not %s", what);
    return hop_blame(x->c, line, x->tag.text, x->tag.len);
}

/* An <error> or <failure>: its first element says why. */
static int refused(XMPP *x, const char *what)
{
    if (!x->tag.empty && !next_tag(x, "the reason of a failure", 1))
        return 0;
    return hop_refused(x->c, what, x->tag.name, strlen(x->tag.name));
}

/* The tag, or else a failure that stands in its place. */
static int need_tag(XMPP *x, const char *name, const char *what)
{
    if (!next_tag(x, what, 1))
        return 0;
    if (is(&x->tag, 0, name))
        return 1;
    if (is(&x->tag, 0, "error"))
        return refused(x, "the XMPP server does not serve");
    if (is(&x->tag, 0, "failure"))
        return refused(x, "the XMPP server refused STARTTLS");
    return unlike(x, what);
}

/* The stream
 * ----------
 */

static int say_hello(XMPP *x, const char *ns, const char *name)
{
    char text[512];

    snprintf(text, sizeof(text), "<?xml version='1.0'?><stream:stream xmlns='"
             "%s' xmlns:stream='http://etherx.jabber.org/streams' to='%s' "
             "version='1.0'>", ns, name);
    return hop_say(x->c, text);
}

/* Up to </features>. */
static int read_features(XMPP *x)
{
    int offered = 0;

    if (!need_tag(x, "features", "the features of a stream"))
        return 0;
    while (!x->tag.empty && !is(&x->tag, 1, "features")) {
        if (!next_tag(x, "the end of the features", 0))
            return 0;
        if (is(&x->tag, 0, "starttls")
            && strstr(x->tag.text, NAMESPACE) != NULL)
            offered = 1;
        /* Only that of <features> itself is of interest. */
        if (strcmp(x->tag.name, "features") != 0)
            x->tag.empty = 0;
    }
    return offered || hop_refused(x->c, "the XMPP server offers no STARTTLS",
                                  "", 0);
}

static int read_go_ahead(XMPP *x)
{
    if (!need_tag(x, "proceed", "the reply to STARTTLS"))
        return 0;
    if (strstr(x->tag.text, NAMESPACE) == NULL)
        return unlike(x, "the reply to STARTTLS");
    if (x->tag.empty)
        return 1;
    return next_tag(x, "the end of the reply to STARTTLS", 1)
        && (is(&x->tag, 1, "proceed")
            || unlike(x, "the end of the reply to STARTTLS"));
}

static int talk(CLIENT *c, const char *ns, const char *name)
{
    XMPP x = { .c = c };

    return say_hello(&x, ns, name)
        && need_tag(&x, "stream", "the start of an XMPP stream")
        && read_features(&x)
        && hop_say(c, "<starttls xmlns='" NAMESPACE "'/>")
        && read_go_ahead(&x);
}

int hop_xmpp(CLIENT *c, const char *name)
{
    return talk(c, "jabber:client", name);
}

int hop_xmpp_server(CLIENT *c, const char *name)
{
    return talk(c, "jabber:server", name);
}
