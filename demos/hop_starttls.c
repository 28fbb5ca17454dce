/*
 * hop_starttls.c - what is said before TLS, in protocols with a STARTTLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <strings.h>
#include "hop_protocols.h"
#include "hop_starttls.h"
#include "hop_talk.h"

typedef enum {
    SAYS_NO_NAME,
    SAYS_OUR_NAME,
    SAYS_THEIR_NAME
} NAME_USE;

static const struct protocol_st {
    const char *name;
    HOP_PROTOCOL *talk;
    NAME_USE use;
} protocols[] = {
    { "smtp", hop_smtp, SAYS_OUR_NAME },
    { "lmtp", hop_lmtp, SAYS_OUR_NAME },
    { "imap", hop_imap, SAYS_NO_NAME },
    { "pop3", hop_pop3, SAYS_NO_NAME },
    { "ftp", hop_ftp, SAYS_NO_NAME },
    { "ldap", hop_ldap, SAYS_NO_NAME },
    { "xmpp", hop_xmpp, SAYS_THEIR_NAME },
    { "xmpp-server", hop_xmpp_server, SAYS_THEIR_NAME },
    { "nntp", hop_nntp, SAYS_NO_NAME },
    { "sieve", hop_sieve, SAYS_NO_NAME },
    { "postgres", hop_postgres, SAYS_NO_NAME },
    { "mysql", hop_mysql, SAYS_NO_NAME },
    { "telnet", hop_telnet, SAYS_NO_NAME },
    { "irc", hop_irc, SAYS_NO_NAME }
};

static const struct protocol_st *find(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
        if (strcmp(protocols[i].name, name) == 0)
            return &protocols[i];
    return NULL;
}

int hop_has_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    while (*text != '\0') {
        size_t len = strcspn(text, " \t");

        if (len == n && strncasecmp(text, word, n) == 0)
            return 1;
        text += len;
        text += strspn(text, " \t");
    }
    return 0;
}

int hop_first_is(const char *text, const char *word)
{
    size_t n = strcspn(text, " ");
    char first[16] = "";

    if (n >= sizeof(first))
        return 0;
    memcpy(first, text, n);
    return hop_has_word(first, word);
}

int hop_offers(CLIENT *c, const char *word, const char *lacks)
{
    int lines = 0, offered = 0;

    for (;;) {
        if (lines++ == HOP_LINES_MAX)
            return hop_blame(c, "more than 100 capabilities", NULL, 0);
        if (!hop_line(c, HOP_LINE_MAX, "the list of capabilities"))
            return 0;
        if (strcmp(c->line.data, ".") == 0)
            break;
        if (hop_first_is(c->line.data, word))
            offered = 1;
    }
    return offered || hop_refused(c, lacks, "", 0);
}

int hop_starttls_known(const char *protocol)
{
    return find(protocol) != NULL;
}

int hop_starttls_needs_name(const char *protocol)
{
    const struct protocol_st *p = find(protocol);

    return p != NULL && p->use == SAYS_THEIR_NAME;
}

/* What can be said in a line, and between the quotes of XML. */
static int is_sayable(const char *name)
{
    size_t n = strlen(name);

    while (n > 0 && name[n - 1] > ' ' && name[n - 1] < 0x7f
           && strchr("<>&'\"", name[n - 1]) == NULL)
        n--;
    return n == 0 && name[0] != '\0' && strlen(name) <= 255;
}

int hop_starttls_check(const char *protocol, const char *name)
{
    const struct protocol_st *p = find(protocol);

    if (p == NULL)
        report(TOOL_USAGE, NULL, "-starttls %s: there is no such protocol; try "
               "-help", protocol);
    else if (name == NULL && p->use == SAYS_THEIR_NAME)
        report(TOOL_USAGE, NULL, "-starttls %s: it needs the domain as -name",
               protocol);
    else if (name != NULL && p->use != SAYS_NO_NAME && !is_sayable(name))
        report(TOOL_USAGE, NULL, "-starttls %s: '%s' is no name of a host",
               protocol, name);
    else
        return 1;
    return 0;
}

int hop_starttls(CLIENT *c, const char *protocol, const char *name)
{
    const struct protocol_st *p = find(protocol);

    if (!hop_starttls_check(protocol, name) || p == NULL)
        return client_fail(c, TOOL_USAGE);
    return p->talk(c, name != NULL ? name : "localhost")
        && hop_nothing_more(c);
}
