/*
 * server_http.c - serves HTTP/1.1: reads requests, writes replies, keeps alive.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <string.h>
#include <time.h>
#include <openssl/crypto.h>
#include "bio_onion.h"
#include "server_http.h"

static const struct {
    int status;
    const char *words;
} statuses[] = {
    { 200, "OK" },
    { 400, "Bad Request" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 407, "Proxy Authentication Required" },
    { 408, "Request Timeout" },
    { 414, "URI Too Long" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 502, "Bad Gateway" },
    { 504, "Gateway Timeout" },
    { 505, "HTTP Version Not Supported" },
    { 0, "Unknown" }
};

static const char *words_of(int status)
{
    int i = 0;

    while (statuses[i].status != 0 && statuses[i].status != status)
        i++;
    return statuses[i].words;
}

/* Replies
 * -------
 */

static void put_date(BIO *out)
{
    /* Not of the locale, as strftime() would. */
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = time(NULL);
    struct tm t;

    if (gmtime_r(&now, &t) != NULL)
        BIO_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n",
                   days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon,
                   1900 + t.tm_year, t.tm_hour, t.tm_min, t.tm_sec);
}

static void put_head(BIO *out, const HTTP *h, int status, const char *type,
                     long len, const char *more)
{
    BIO_printf(out, "HTTP/1.1 %d %s\r\n", status, words_of(status));
    put_date(out);
    BIO_printf(out, "Content-Type: %s\r\nContent-Length: %ld\r\n", type, len);
    BIO_printf(out, "X-Content-Type-Options: nosniff\r\n"
                    "Cache-Control: no-store\r\n");
    BIO_printf(out, "Connection: %s\r\n%s\r\n",
               h->keep ? "keep-alive" : "close", more);
}

static int is_head(const HTTP *h)
{
    return h->request.method != NULL && strcmp(h->request.method, "HEAD") == 0;
}

static int reply(HTTP *h, int status, const char *type, BIO *body,
                 const char *more)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len = body != NULL ? BIO_get_mem_data(body, &text) : 0;
    int ok = 0;

    if (out != NULL && body != NULL) {
        put_head(out, h, status, type, len, more);
        if (!is_head(h))
            BIO_write(out, text, (int)len);
        h->len = (int)BIO_get_mem_data(out, &text);
        h->out = OPENSSL_memdup(text, (size_t)h->len);
        ok = h->out != NULL;
    }
    BIO_free(out);
    BIO_free(body);
    return ok;
}

int http_reply(HTTP *h, int status, const char *type, BIO *body)
{
    return reply(h, status, type, body, "");
}

int http_refuse(HTTP *h, int status, const char *more)
{
    BIO *body = BIO_new(BIO_s_mem());

    if (body != NULL)
        BIO_printf(body, "%d %s\n", status, words_of(status));
    return reply(h, status, "text/plain; charset=utf-8", body, more);
}

int http_send(HTTP *h, BIO *stack)
{
    if (BIO_write(stack, h->out, h->len) <= 0)
        return 0;
    OPENSSL_free(h->out);
    h->out = NULL;
    return 1;
}

void http_free(HTTP *h)
{
    request_clear(&h->request);
    OPENSSL_free(h->out);
    OPENSSL_free(h);
}

/* The verbs
 * ---------
 */

int http_begin(CONN *c, http_answer *answer)
{
    HTTP *h = OPENSSL_zalloc(sizeof(*h));

    if (h != NULL)
        h->answer = answer;
    c->state = h;
    return h != NULL;
}

static int answer_request(CONN *c, HTTP *h)
{
    const char *method = h->request.method;

    h->keep = request_keeps(&h->request) && !c->server->draining;
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return h->answer(c, h);
    return http_refuse(h, 405, "Allow: GET, HEAD\r\n");
}

static int refuse_request(CONN *c, HTTP *h, int status)
{
    h->keep = 0;
    conn_blame(c, TOOL_PROTOCOL, BIO_onion_write_depth(c->stack),
               "the request was refused: %d %s", status, words_of(status));
    return http_refuse(h, status, "");
}

/* A server that goes does not wait for a request that has not begun. */
static MODE_RESULT wait_for_request(CONN *c, const HTTP *h)
{
    conn_want(c);
    return c->server->draining && request_is_new(&h->request) ? MODE_CLOSE
                                                              : MODE_WAIT;
}

static MODE_RESULT read_request(CONN *c, HTTP *h)
{
    switch (request_read(&h->request, c->stack)) {
    case REQUEST_DONE:
        c->progress++;
        return answer_request(c, h) ? MODE_MORE : MODE_CLOSE;
    case REQUEST_WAIT:
        return wait_for_request(c, h);
    case REQUEST_END:
        return MODE_CLOSE;
    case REQUEST_BAD:
        return refuse_request(c, h, h->request.status) ? MODE_MORE
                                                       : MODE_CLOSE;
    default:
        return MODE_FAILED;
    }
}

static MODE_RESULT send_reply(CONN *c, HTTP *h)
{
    if (http_send(h, c->stack)) {
        c->progress++;
        request_clear(&h->request);
        return h->keep ? MODE_MORE : MODE_CLOSE;
    }
    if (!BIO_should_retry(c->stack))
        return MODE_FAILED;
    conn_want(c);
    return MODE_WAIT;
}

MODE_RESULT http_run(CONN *c)
{
    HTTP *h = c->state;

    return h->out != NULL ? send_reply(c, h) : read_request(c, h);
}

MODE_RESULT http_late(CONN *c)
{
    HTTP *h = c->state;

    if (h->out != NULL) {
        conn_blame(c, TOOL_NETWORK, BIO_onion_write_depth(c->stack),
                   "the peer stalled for %d s %s", c->server->timeout,
                   http_doing(c));
        return MODE_CUT;
    }
    /* Nobody is to blame that there is no other request. */
    if (request_is_new(&h->request))
        return MODE_CLOSE;
    return refuse_request(c, h, 408) ? MODE_MORE : MODE_CLOSE;
}

const char *http_doing(const CONN *c)
{
    const HTTP *h = c->state;

    return h->out != NULL ? "and does not take its replies"
                          : "and did not finish its request";
}

void http_end(CONN *c)
{
    http_free(c->state);
}
