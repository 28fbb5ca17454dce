/*
 * hop_ldap.c - StartTLS of LDAP, RFC 4511 section 4.14.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include "hop_protocols.h"
#include "hop_talk.h"

/* Of the message, without its head. */
#define MESSAGE_MAX         65536UL
/* The tag and five bytes of length. */
#define HEAD_MAX            6

#define EXTENDED_RESPONSE   24
#define OID                 "1.3.6.1.4.1.1466.20037"

/* What is left of a message. */
typedef struct rest_st {
    const unsigned char *at;
    long len;
} REST;

/* Reading
 * -------
 */

/* The next element, which must be of that kind, and whole. */
static int take(REST *from, REST *body, int class, int tag)
{
    long len;
    int got_tag, got_class;
    const unsigned char *start = from->at;
    int result = ASN1_get_object(&from->at, &len, &got_tag, &got_class,
                                 from->len);

    ERR_clear_error();
    /* 0x80 is an error, 1 an indefinite length, which LDAP has not. */
    if ((result & 0x81) != 0 || got_class != class || got_tag != tag)
        return 0;
    body->at = from->at;
    body->len = len;
    from->at += len;
    from->len -= from->at - start;
    return 1;
}

/* An INTEGER or ENUMERATED that is small and not negative; else -1. */
static int small_number(const REST *body)
{
    int n = 0;
    long i;

    if (body->len < 1 || body->len > 4 || body->at[0] > 0x7f)
        return -1;
    for (i = 0; i < body->len; i++)
        n = n * 256 + body->at[i];
    return n;
}

/* The bytes of the length that follow its first byte; -1 if it is no length. */
static int more_of_length(unsigned char first)
{
    if (first < 0x80)
        return 0;
    return first == 0x80 || (first & 0x7f) > HEAD_MAX - 2 ? -1 : first & 0x7f;
}

/* Reads a message, whole; *data is to be freed. */
static int read_message(CLIENT *c, unsigned char **data, size_t *len)
{
    const char *what = "the reply to StartTLS";
    unsigned char head[HEAD_MAX];
    unsigned long size;
    int i, more;

    if (!hop_bytes(c, head, 2, what))
        return 0;
    more = more_of_length(head[1]);
    if (head[0] != 0x30 || more < 0)
        return hop_blame(c, "this is no LDAP message", (char *)head, 2);
    if (more > 0 && !hop_bytes(c, head + 2, (size_t)more, what))
        return 0;
    size = more > 0 ? 0 : head[1];
    for (i = 0; i < more; i++)
        size = size * 256 + head[2 + i];
    if (size > MESSAGE_MAX)
        return hop_blame(c, "a message of more than 64 KiB", NULL, 0);
    *data = OPENSSL_malloc(size + 1);
    if (*data == NULL)
        return client_fail(c, report(TOOL_NETWORK, NULL, "out of memory"));
    *len = size;
    return hop_bytes(c, *data, size, what);
}

/* The response
 * ------------
 */

static int refused(CLIENT *c, int id, int code, const REST *why)
{
    char what[128];

    if (id == 0)
        snprintf(what, sizeof(what), "the LDAP server disconnects (result "
                 "%d)", code);
    else
        snprintf(what, sizeof(what), "the LDAP server refused StartTLS (result "
                 "%d)", code);
    return hop_refused(c, what, (const char *)why->at, (size_t)why->len);
}

/*
 * LDAPMessage: messageID, then [APPLICATION 24] with resultCode, matchedDN and
 * diagnosticMessage first. Message 0 is nobody's answer but a farewell.
 */
static int judge(CLIENT *c, const unsigned char *data, size_t len)
{
    REST message = { data, (long)len }, id, response, code, dn, why;
    int id_number, code_number;

    if (!take(&message, &id, V_ASN1_UNIVERSAL, V_ASN1_INTEGER)
        || !take(&message, &response, V_ASN1_APPLICATION, EXTENDED_RESPONSE)
        || !take(&response, &code, V_ASN1_UNIVERSAL, V_ASN1_ENUMERATED)
        || !take(&response, &dn, V_ASN1_UNIVERSAL, V_ASN1_OCTET_STRING)
        || !take(&response, &why, V_ASN1_UNIVERSAL, V_ASN1_OCTET_STRING))
        return hop_blame(c, "this is not the reply to StartTLS",
                         (const char *)data, len);
    id_number = small_number(&id);
    code_number = small_number(&code);
    if (id_number > 1 || id_number < 0 || code_number < 0)
        return hop_blame(c, "this is not the reply to StartTLS",
                         (const char *)data, len);
    return (id_number == 1 && code_number == 0)
        || refused(c, id_number, code_number, &why);
}

int hop_ldap(CLIENT *c, const char *name)
{
    /* Message 1: [APPLICATION 23] with [0], the OID, in it. */
    static const unsigned char request[] =
        "\x30\x1d" "\x02\x01\x01" "\x77\x18" "\x80\x16" OID;
    unsigned char *data = NULL;
    size_t len = 0;
    int ok;

    (void)name;
    ok = hop_send(c, request, sizeof(request) - 1)
        && read_message(c, &data, &len) && judge(c, data, len);
    OPENSSL_free(data);
    return ok;
}
