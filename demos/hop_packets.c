/*
 * hop_packets.c - STARTTLS where it is a matter of a few bytes each way.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include "hop_protocols.h"
#include "hop_talk.h"

/* PostgreSQL
 * ----------
 * The request is a packet, its answer a byte: S or N. One of E is the start of
 * an error, by a server that is older than all that, or by somebody between.
 */

int hop_postgres(CLIENT *c, const char *name)
{
    /* The length, and 1234.5679. */
    static const unsigned char request[8] = {
        0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f
    };
    char reply;

    (void)name;
    if (!hop_send(c, request, sizeof(request))
        || !hop_bytes(c, &reply, 1, "the reply to an SSLRequest"))
        return 0;
    if (reply == 'N')
        return hop_refused(c, "the PostgreSQL server has no TLS", "", 0);
    if (reply == 'E')
        return hop_refused(c, "the PostgreSQL server answered an error to the "
                           "SSLRequest", "", 0);
    return reply == 'S'
        || hop_blame(c, "this is not the reply to an SSLRequest", &reply, 1);
}

/* MySQL
 * -----
 * A packet is a length of three bytes, a number, and the payload.
 */

#define MYSQL_HEAD          4
/* The greeting has some 80 bytes, an error up to 512. */
#define MYSQL_PACKET_MAX    4096

/* Flags of both sides. */
#define FLAG_LONG_PASSWORD        0x00000001UL
#define FLAG_PROTOCOL_41          0x00000200UL
#define FLAG_SSL                  0x00000800UL
#define FLAG_SECURE_CONNECTION    0x00008000UL
#define FLAG_PLUGIN_AUTH          0x00080000UL

typedef struct packet_st {
    unsigned char data[MYSQL_PACKET_MAX];
    size_t len;
} PACKET;

static int mysql_read(CLIENT *c, PACKET *p)
{
    unsigned char head[MYSQL_HEAD];

    if (!hop_bytes(c, head, sizeof(head), "the greeting of a MySQL server"))
        return 0;
    p->len = head[0] + 256UL * head[1] + 65536UL * head[2];
    if (head[3] > 1 || p->len == 0 || p->len > sizeof(p->data))
        return hop_blame(c, "this is not the greeting of a MySQL server",
                         (char *)head, sizeof(head));
    return hop_bytes(c, p->data, p->len, "the greeting of a MySQL server");
}

/* Error number and text; a state of # and five bytes may be between them. */
static int mysql_error(CLIENT *c, const PACKET *p)
{
    size_t skip = p->len > 9 && p->data[3] == '#' ? 9 : 3;

    if (p->len < skip)
        skip = p->len;
    return hop_refused(c, "the MySQL server does not serve",
                       (const char *)p->data + skip, p->len - skip);
}

/* The lower 16 flags stand behind the version's NUL, a number and a salt. */
static int mysql_offers(CLIENT *c, const PACKET *p)
{
    const unsigned char *nul = memchr(p->data + 1, 0, p->len - 1);
    size_t at = nul == NULL ? p->len : (size_t)(nul - p->data) + 1 + 4 + 8 + 1;

    if (p->data[0] != 10 || at + 2 > p->len)
        return hop_blame(c, "this is not the greeting of a MySQL server",
                         (const char *)p->data, p->len);
    return ((p->data[at] + 256UL * p->data[at + 1]) & FLAG_SSL) != 0
        || hop_refused(c, "the MySQL server has no TLS", "", 0);
}

/* The beginning of a login, which goes on inside: flags, limit, charset. */
static int mysql_request(CLIENT *c)
{
    unsigned char request[MYSQL_HEAD + 32] = { 32, 0, 0, 1 };
    unsigned long flags = FLAG_LONG_PASSWORD | FLAG_PROTOCOL_41
                          | FLAG_SSL | FLAG_SECURE_CONNECTION
                          | FLAG_PLUGIN_AUTH;
    int i;

    for (i = 0; i < 4; i++)
        request[MYSQL_HEAD + i] = (unsigned char)(flags >> (8 * i));
    request[MYSQL_HEAD + 7] = 1;    /* 16 MiB */
    request[MYSQL_HEAD + 8] = 33;   /* utf8 */
    return hop_send(c, request, sizeof(request));
}

int hop_mysql(CLIENT *c, const char *name)
{
    PACKET p = { .len = 0 };

    (void)name;
    client_begin(c);
    if (!mysql_read(c, &p))
        return 0;
    if (p.data[0] == 0xff)
        return mysql_error(c, &p);
    return mysql_offers(c, &p) && mysql_request(c);
}

/* Telnet
 * ------
 * draft-altman-telnet-starttls: the server asks for it, both say that it
 * follows. No other option is agreed to.
 */

#define IAC         255
#define DONT        254
#define DO          253
#define WONT        252
#define WILL        251
#define SB          250
#define SE          240
#define START_TLS   46
#define FOLLOWS     1

/* What a server may say before it is ready. */
#define TELNET_MAX  8192

/* A command with its option; text before it is skipped. */
static int telnet_command(CLIENT *c, unsigned char command[2], int *had)
{
    unsigned char byte = 0;
    const char *what = "START_TLS of a Telnet server";

    for (;;) {
        do {
            if ((*had)++ == TELNET_MAX)
                return hop_blame(c, "8 KiB, but no START_TLS", NULL, 0);
            if (!hop_bytes(c, &byte, 1, what))
                return 0;
        } while (byte != IAC);
        if (!hop_bytes(c, command, 1, what))
            return 0;
        if (command[0] >= SB && command[0] <= DONT)
            return hop_bytes(c, command + 1, 1, what);
    }
}

/* Refuses the option, if it was offered or asked for. */
static int telnet_decline(CLIENT *c, const unsigned char command[2])
{
    unsigned char reply[3] = { IAC, 0, command[1] };

    if (command[0] == WILL)
        reply[1] = DONT;
    else if (command[0] == DO)
        reply[1] = WONT;
    else
        return 1;
    return hop_send(c, reply, sizeof(reply));
}

/* What the server asks of us, until it is START_TLS. */
static int telnet_await(CLIENT *c, int *had)
{
    unsigned char command[2];

    for (;;) {
        client_begin(c);
        if (!telnet_command(c, command, had))
            return 0;
        if (command[0] == DO && command[1] == START_TLS)
            return 1;
        if ((command[0] == DONT || command[0] == WONT)
            && command[1] == START_TLS)
            return hop_refused(c, "the Telnet server refused START_TLS", "",
                               0);
        if (!telnet_decline(c, command))
            return 0;
    }
}

/* The same up to "START_TLS FOLLOWS"; other subnegotiations are skipped. */
static int telnet_follows(CLIENT *c, int *had)
{
    static const unsigned char rest[3] = { FOLLOWS, IAC, SE };
    unsigned char command[2], got[3];

    for (;;) {
        client_begin(c);
        if (!telnet_command(c, command, had))
            return 0;
        if (command[0] == DONT && command[1] == START_TLS)
            return hop_refused(c, "the Telnet server refused START_TLS", "",
                               0);
        if (command[0] == SB && command[1] == START_TLS)
            break;
        if (!telnet_decline(c, command))
            return 0;
    }
    client_begin(c);
    if (!hop_bytes(c, got, sizeof(got), "START_TLS FOLLOWS"))
        return 0;
    return memcmp(got, rest, sizeof(got)) == 0
        || hop_blame(c, "this is not START_TLS FOLLOWS", (char *)got,
                     sizeof(got));
}

int hop_telnet(CLIENT *c, const char *name)
{
    static const unsigned char agreed[] = {
        IAC, WILL, START_TLS, IAC, SB, START_TLS, FOLLOWS, IAC, SE
    };
    int had = 0;

    (void)name;
    return telnet_await(c, &had) && hop_send(c, agreed, sizeof(agreed))
        && telnet_follows(c, &had);
}
