/*
 * client_reconnect.c - ends a connection so that its sessions can be resumed.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A TLS 1.3 server sends its tickets after the handshake, and may send none.
 * What else comes meanwhile is for nobody: the connection is about to go.
 */

#define _POSIX_C_SOURCE 200809L

#include <poll.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "client_reconnect.h"

/* Milliseconds to wait for tickets. */
#define PATIENCE    500

/* 1 if every layer has the session that can be resumed the next time. */
static int have_all(CLIENT *c)
{
    int i, n = BIO_onion_read_depth(c->stack);

    for (i = 1; i <= n; i++)
        if (!session_has_come(BIO_onion_get0_ssl(c->stack, i)))
            return 0;
    return 1;
}

static void await_tickets(CLIENT *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    long long until = net_now() + PATIENCE, left = PATIENCE;
    char waste[1024];
    int n = 1;

    while (left > 0 && !have_all(c)) {
        n = BIO_read(c->stack, waste, sizeof(waste));
        if (n <= 0 && !BIO_should_retry(c->stack))
            break;
        left = until - net_now();
        if (n <= 0 && left > 0 && !have_all(c))
            (void)poll(&p, 1, (int)left);
    }
}

int reconnect_begin(CLIENT *c)
{
    await_tickets(c);
    if (BIO_onion_failed_layer(c->stack, NULL) > 0)
        return client_report_stack(c);
    ERR_clear_error();
    client_disconnect(c);
    return 1;
}
