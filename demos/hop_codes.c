/*
 * hop_codes.c - STARTTLS where a reply begins with a code of three digits.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * RFC 3207 (SMTP, and LMTP by RFC 2033), RFC 4217 (FTP), RFC 4642 (NNTP), and
 * the tls extension of IRCv3.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hop_protocols.h"
#include "hop_talk.h"

typedef struct reply_st {
    int code;
    int has_word;           /* one of its lines has the word */
    char text[HOP_SHOWN_SIZE];  /* its last line */
} REPLY;

/* What is asked, and how the answer is read. */
typedef struct question_st {
    const char *text;       /* NULL to say nothing, and wait for a greeting */
    const char *what;       /* the reply, as it is called in a report */
    const char *word;       /* to look for; NULL for none */
    int any_line;           /* FTP: no code in the middle of a reply */
} QUESTION;

/* "220 text", "220-text" or "220"; 0 if it is none of them. */
static int code_of(const char *line)
{
    if (strspn(line, "0123456789") != 3 || line[0] < '1' || line[0] > '5'
        || (line[3] != '\0' && line[3] != ' ' && line[3] != '-'))
        return 0;
    return atoi(line);
}

static void note_line(REPLY *r, const char *line, const char *word)
{
    snprintf(r->text, sizeof(r->text), "%s", line);
    if (word != NULL && strlen(line) > 4 && hop_has_word(line + 4, word))
        r->has_word = 1;
}

/* A line of a reply: 1 more to come, 2 the last one. */
static int read_line(CLIENT *c, REPLY *r, const QUESTION *q)
{
    const char *line;
    int code;

    if (!hop_line(c, HOP_LINE_MAX, q->what))
        return 0;
    line = c->line.data;
    code = code_of(line);
    if (r->code != 0 && code != r->code && q->any_line)
        return 1;
    if (code == 0 || (r->code != 0 && code != r->code))
        return hop_unlike(c, q->what);
    r->code = code;
    note_line(r, line, q->word);
    return line[3] == '-' ? 1 : 2;
}

static int ask(CLIENT *c, REPLY *r, const QUESTION *q)
{
    int result = 1, lines = 0;

    memset(r, 0, sizeof(*r));
    if (q->text != NULL && !hop_say(c, q->text))
        return 0;
    while (result == 1) {
        if (lines++ == HOP_LINES_MAX)
            return hop_blame(c, "a reply of more than 100 lines", NULL, 0);
        result = read_line(c, r, q);
    }
    return result == 2;
}

static int refused(CLIENT *c, const char *what, const REPLY *r)
{
    return hop_refused(c, what, r->text, strlen(r->text));
}

/* SMTP and LMTP
 * -------------
 */

static int mail(CLIENT *c, const char *hello, const char *name)
{
    char text[320];
    QUESTION greeting = { NULL, "the greeting of a mail server", NULL, 0 };
    QUESTION extensions = { text, "the reply to EHLO", "STARTTLS", 0 };
    QUESTION start = { "STARTTLS\r\n", "the reply to STARTTLS", NULL, 0 };
    REPLY r;

    snprintf(text, sizeof(text), "%s %s\r\n", hello, name);
    if (!ask(c, &r, &greeting))
        return 0;
    if (r.code != 220)
        return refused(c, "the mail server does not serve", &r);
    if (!ask(c, &r, &extensions))
        return 0;
    if (r.code != 250)
        return refused(c, "the mail server refused EHLO", &r);
    if (!r.has_word)
        return hop_refused(c, "the mail server offers no STARTTLS", "", 0);
    if (!ask(c, &r, &start))
        return 0;
    return r.code == 220 || refused(c, "the mail server refused STARTTLS", &r);
}

int hop_smtp(CLIENT *c, const char *name)
{
    return mail(c, "EHLO", name);
}

int hop_lmtp(CLIENT *c, const char *name)
{
    return mail(c, "LHLO", name);
}

/* FTP
 * ---
 */

int hop_ftp(CLIENT *c, const char *name)
{
    QUESTION greeting = { NULL, "the greeting of an FTP server", NULL, 1 };
    QUESTION start = { "AUTH TLS\r\n", "the reply to AUTH TLS", NULL, 1 };
    REPLY r;
    int soon = 0;

    (void)name;
    do {
        if (!ask(c, &r, &greeting))
            return 0;
    } while (r.code == 120 && soon++ == 0);
    if (r.code != 220)
        return refused(c, "the FTP server does not serve", &r);
    if (!ask(c, &r, &start))
        return 0;
    return r.code == 234 || refused(c, "the FTP server refused AUTH TLS", &r);
}

/* NNTP
 * ----
 */

int hop_nntp(CLIENT *c, const char *name)
{
    QUESTION greeting = { NULL, "the greeting of a news server", NULL, 0 };
    QUESTION list = { "CAPABILITIES\r\n", "the reply to CAPABILITIES", NULL,
                      0 };
    QUESTION start = { "STARTTLS\r\n", "the reply to STARTTLS", NULL, 0 };
    REPLY r;

    (void)name;
    if (!ask(c, &r, &greeting))
        return 0;
    if (r.code != 200 && r.code != 201)
        return refused(c, "the news server does not serve", &r);
    if (!ask(c, &r, &list)
        || (r.code == 101
            && !hop_offers(c, "STARTTLS",
                           "the news server offers no STARTTLS")))
        return 0;
    /* A server from before RFC 3977 has no list, but may have STARTTLS. */
    if (!ask(c, &r, &start))
        return 0;
    return r.code == 382 || refused(c, "the news server refused STARTTLS", &r);
}

/* IRC
 * ---
 */

/* The code or word of ":server 670 you :text". */
static const char *irc_command(const char *line)
{
    if (line[0] == ':') {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    return line;
}

static int is_command(const char *command, const char *name)
{
    size_t n = strlen(name);

    return strncmp(command, name, n) == 0
        && (command[n] == ' ' || command[n] == '\0');
}

/* 1 to go on, 2 agreed. Notices may come before anything else does. */
static int irc_reply(CLIENT *c)
{
    static const char *const no[] = { "691", "421", "451", "461", "ERROR" };
    const char *command;
    size_t i;

    if (!hop_line(c, HOP_LINE_MAX, "the reply to STARTTLS"))
        return 0;
    command = irc_command(c->line.data);
    for (i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (is_command(command, no[i]))
            return hop_refused(c, "the IRC server refused STARTTLS",
                               c->line.data, c->line.len);
    if (is_command(command, "670"))
        return 2;
    if (code_of(command) != 0 || is_command(command, "NOTICE"))
        return 1;
    return hop_unlike(c, "the reply to STARTTLS");
}

int hop_irc(CLIENT *c, const char *name)
{
    int result = 1, lines = 0;

    (void)name;
    if (!hop_say(c, "STARTTLS\r\n"))
        return 0;
    while (result == 1 && lines++ < HOP_LINES_MAX)
        result = irc_reply(c);
    if (result == 1)
        return hop_blame(c, "more than 100 lines, but no reply to STARTTLS",
                         NULL, 0);
    return result == 2;
}
