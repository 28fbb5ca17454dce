/*
 * hop_connect.c - the way through an HTTP proxy, by CONNECT.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * User and password go into the request, and nowhere else: what is written is
 * in the innermost layer, which is the proxy's, and reports name neither.
 */

#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "bio_onion.h"
#include "hop_connect.h"
#include "hop_http.h"
#include "hop_talk.h"
#include "hop_url.h"

/* What is sent
 * ------------
 */

static int mistake(const char *what)
{
    report(TOOL_USAGE, NULL, "%s", what);
    return 0;
}

/* RFC 7617, section 2: no control character in either. */
static int has_control(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p >= ' ' && *p != 0x7f)
        p++;
    return *p != '\0';
}

static int check_user(const HOP_CONNECT *h)
{
    if (h->user == NULL)
        return h->password == NULL
            || mistake("-proxy_pass needs a -proxy_user");
    if (strchr(h->user, ':') != NULL)
        return mistake("-proxy_user: a user's name cannot have a colon");
    if (has_control(h->user))
        return mistake("-proxy_user: it has a control character");
    if (h->password != NULL && has_control(h->password))
        return mistake("-proxy_pass: it has a control character");
    return 1;
}

/* With a body the proxy would wait for it, and take the tunnel's bytes. */
static int check_header(const HOP_CONNECT *h, const char *field)
{
    if (!http_is_field(field))
        return mistake("-proxy_header: it is not 'Name: value' on one line");
    if (http_field_is(field, "Content-Length")
        || http_field_is(field, "Transfer-Encoding"))
        return mistake("-proxy_header: a CONNECT has no body to describe");
    if (http_field_is(field, "Proxy-Authorization") && h->user != NULL)
        return mistake("-proxy_header Proxy-Authorization contradicts the "
                       "-proxy_user");
    return 1;
}

int hop_connect_check(const HOP_CONNECT *h)
{
    int i;

    for (i = 0; i < h->headers; i++)
        if (!check_header(h, h->header[i]))
            return 0;
    return check_user(h);
}

/* user:password in base64, to be freed; NULL without memory. */
static char *credentials(const HOP_CONNECT *h)
{
    const char *password = h->password != NULL ? h->password : "";
    size_t len = strlen(h->user) + 1 + strlen(password);
    char *plain = OPENSSL_malloc(len + 1);
    char *coded = OPENSSL_malloc(len / 3 * 4 + 5);

    if (plain != NULL && coded != NULL) {
        snprintf(plain, len + 1, "%s:%s", h->user, password);
        EVP_EncodeBlock((unsigned char *)coded, (unsigned char *)plain,
                        (int)len);
    } else {
        OPENSSL_free(coded);
        coded = NULL;
    }
    OPENSSL_clear_free(plain, len + 1);
    return coded;
}

static void add_user(BIO *out, const HOP_CONNECT *h)
{
    char *coded = credentials(h);

    if (coded == NULL)
        return;
    BIO_printf(out, "Proxy-Authorization: Basic %s\r\n", coded);
    OPENSSL_clear_free(coded, strlen(coded));
}

static int has_header(const HOP_CONNECT *h, const char *name)
{
    int i = 0;

    while (i < h->headers && !http_field_is(h->header[i], name))
        i++;
    return i < h->headers;
}

static void write_request(BIO *out, const HOP_CONNECT *h)
{
    char place[URL_PLACE_SIZE];
    int i;

    url_place(place, h->host, h->port);
    BIO_printf(out, "CONNECT %s HTTP/1.1\r\n", place);
    if (!has_header(h, "Host"))
        BIO_printf(out, "Host: %s\r\n", place);
    if (h->user != NULL)
        add_user(out, h);
    for (i = 0; i < h->headers; i++)
        BIO_printf(out, "%s\r\n", h->header[i]);
    BIO_puts(out, "\r\n");
}

static int send_request(CLIENT *c, const HOP_CONNECT *h)
{
    BIO *out = BIO_new(BIO_s_secmem());
    char *data;
    long len;
    int ok;

    if (out == NULL)
        return client_fail(c, report(TOOL_NETWORK, NULL, "out of memory"));
    write_request(out, h);
    len = BIO_get_mem_data(out, &data);
    ok = hop_send(c, data, (size_t)len);
    OPENSSL_cleanse(data, (size_t)len);
    BIO_free(out);
    return ok;
}

/* What is answered
 * ----------------
 */

static int needs_user(CLIENT *c, const HOP_CONNECT *h, const HTTP_HEAD *head)
{
    char what[512];
    const char *advice = "see -proxy_user and -proxy_pass";

    if (head->schemes[0] != '\0' && !head->basic)
        advice = "this client knows Basic only";
    else if (h->user != NULL)
        advice = "it did not take this user and password";
    snprintf(what, sizeof(what), "the proxy refused (407), and offers %s; %s",
             head->schemes[0] != '\0' ? head->schemes : "no scheme", advice);
    return hop_refused(c, what, "", 0);
}

int hop_connect(CLIENT *c, const HOP_CONNECT *h)
{
    char place[URL_PLACE_SIZE], what[sizeof(place) + 64];
    HTTP_HEAD head;

    if (!hop_connect_check(h))
        return client_fail(c, TOOL_USAGE);
    url_place(place, h->host, h->port);
    snprintf(what, sizeof(what), "an HTTP/1 answer to CONNECT %s", place);
    if (!send_request(c, h) || !http_head(c, &head, what))
        return 0;
    if (head.status < 300)
        return 1;
    if (head.status == 407)
        return needs_user(c, h, &head);
    snprintf(what, sizeof(what), "the proxy refused CONNECT %s: %d", place,
             head.status);
    return hop_refused(c, what, head.reason, strlen(head.reason));
}
