/*
 * client_early.c - what goes before a handshake: -early and -early_data.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library sends what the server has rejected again, when the handshake is
 * done. What is not sent early, since there is no session that allows it or
 * not so much, is the first that the session says.
 */

#include <openssl/crypto.h>
#include "bio_onion.h"
#include "client_early.h"
#include "client_talk.h"
#include "tool_file.h"
#include "tool_report.h"

#define FILE_MAX    (16UL << 20)
/* The library takes no more, whatever a session allows. */
#define EARLY_MAX   (64UL << 10)

int early_load(EARLY *e, const char *file)
{
    const char *trouble;

    if (file == NULL)
        return 1;
    e->on = 1;
    e->data = file_read(file, FILE_MAX, &e->len, &trouble);
    if (e->data != NULL)
        return 1;
    report(TOOL_USAGE, NULL, "cannot read -early_data %s: %s", file, trouble);
    return 0;
}

void early_free(EARLY *e)
{
    OPENSSL_clear_free(e->data, e->data != NULL ? e->len : 0);
    e->data = NULL;
}

size_t early_left(const EARLY *e)
{
    return e->data != NULL ? e->len - e->sent : 0;
}

void early_begin(CLIENT *c, int innermost)
{
    unsigned long data = innermost && c->early.data != NULL
        ? ONION_EARLY_DATA : 0;

    c->early.sent = 0;
    if (c->early.on)
        BIO_onion_set_flags(c->stack, ONION_EARLY | data);
}

static size_t allowed(CLIENT *c)
{
    SSL *ssl = BIO_onion_get0_ssl(c->stack, BIO_onion_write_depth(c->stack));
    const SSL_SESSION *session = SSL_get0_session(ssl);
    size_t max = session != NULL ? SSL_SESSION_get_max_early_data(session) : 0;

    return max < EARLY_MAX ? max : EARLY_MAX;
}

int early_send(CLIENT *c)
{
    size_t max = allowed(c), len = early_left(&c->early);

    if (len > max)
        len = max;
    if (len == 0)
        return 1;
    client_begin(c);
    while (BIO_write(c->stack, c->early.data, (int)len) <= 0)
        if (!client_again(c, "sending early data"))
            return 0;
    c->early.sent = len;
    return 1;
}

const char *early_words(int status)
{
    switch (status) {
    case SSL_EARLY_DATA_ACCEPTED:
        return "accepted";
    case SSL_EARLY_DATA_REJECTED:
        return "rejected";
    default:
        return "not sent";
    }
}
