/*
 * server_echo.c - sends back what it reads, in the layer in which it came.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Where the peer closes a layer, the server closes it too, and goes on below.
 */

#include <openssl/crypto.h>
#include "bio_onion.h"
#include "server_conn.h"

#define PIECE 16384

typedef struct echo_st {
    char *data;             /* NULL if there is nothing to be sent back */
    int len;
    unsigned stop : 1;      /* our side of the layers that the peer closed */
} ECHO;

static int begin(CONN *c)
{
    c->state = OPENSSL_zalloc(sizeof(ECHO));
    return c->state != NULL;
}

static MODE_RESULT not_done(CONN *c, MODE_RESULT wait)
{
    if (!BIO_should_retry(c->stack))
        return MODE_FAILED;
    conn_want(c);
    return wait;
}

static void drop(ECHO *e)
{
    OPENSSL_free(e->data);
    e->data = NULL;
}

static MODE_RESULT read_some(CONN *c, ECHO *e)
{
    e->data = OPENSSL_malloc(PIECE);
    if (e->data == NULL)
        return MODE_CUT;
    e->len = BIO_read(c->stack, e->data, PIECE);
    if (e->len > 0)
        return MODE_MORE;
    drop(e);
    if (e->len < 0)
        return not_done(c, MODE_IDLE);
    if (BIO_eof(c->stack))
        return MODE_CLOSE;
    e->stop = 1;
    return MODE_MORE;
}

static MODE_RESULT send_back(CONN *c, ECHO *e)
{
    if (BIO_write(c->stack, e->data, e->len) <= 0)
        return not_done(c, MODE_WAIT);
    drop(e);
    c->progress++;
    return MODE_MORE;
}

static MODE_RESULT follow(CONN *c, ECHO *e)
{
    if (BIO_onion_stop_tls(c->stack, BIO_onion_read_depth(c->stack)) < 0)
        return not_done(c, MODE_WAIT);
    e->stop = 0;
    c->progress++;
    return MODE_MORE;
}

static MODE_RESULT run(CONN *c)
{
    ECHO *e = c->state;

    if (e->stop)
        return follow(c, e);
    return e->data != NULL ? send_back(c, e) : read_some(c, e);
}

static const char *doing(const CONN *c)
{
    (void)c;
    return "and does not take what it gets back";
}

static void end(CONN *c)
{
    drop(c->state);
    OPENSSL_free(c->state);
}

const MODE mode_echo = { "echo", begin, run, NULL, doing, end };
