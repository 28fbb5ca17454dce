/*
 * preload.c - BIO_f_onion() for programs that ask for BIO_f_ssl() and were
 * compiled long ago; for LD_PRELOAD.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The name of each function that is called goes to the file that PRELOAD_LOG
 * names, as proof. Also, what such a program binds to any address is bound to
 * this machine only.
 */

#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "bio_onion.h"

static void called(const char *name)
{
    const char *path = getenv("PRELOAD_LOG");
    FILE *f = path == NULL ? NULL : fopen(path, "a");

    if (f == NULL)
        return;
    fprintf(f, "%s\n", name);
    fclose(f);
}

const BIO_METHOD *BIO_f_ssl(void)
{
    called("BIO_f_ssl");
    return BIO_f_onion();
}

BIO *BIO_new_ssl(SSL_CTX *ctx, int client)
{
    called("BIO_new_ssl");
    return BIO_new_onion(ctx, client);
}

BIO *BIO_new_ssl_connect(SSL_CTX *ctx)
{
    called("BIO_new_ssl_connect");
    return BIO_new_onion_connect(ctx);
}

BIO *BIO_new_buffer_ssl_connect(SSL_CTX *ctx)
{
    called("BIO_new_buffer_ssl_connect");
    return BIO_new_buffer_onion_connect(ctx);
}

int BIO_ssl_copy_session_id(BIO *to, BIO *from)
{
    called("BIO_ssl_copy_session_id");
    return BIO_onion_copy_session_id(to, from);
}

void BIO_ssl_shutdown(BIO *chain)
{
    called("BIO_ssl_shutdown");
    BIO_onion_shutdown(chain);
}

/* ::ffff:127.0.0.1, since a socket for any address takes IPv4 too. */
static void only_here(struct sockaddr_storage *address)
{
    static const unsigned char here[16] = {
        [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1
    };
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET && in->sin_addr.s_addr == INADDR_ANY)
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address->ss_family == AF_INET6
        && IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
        memcpy(&in6->sin6_addr, here, sizeof(here));
}

int bind(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*next)(int, const struct sockaddr *, socklen_t);
    void *found = dlsym(RTLD_NEXT, "bind");
    struct sockaddr_storage copy;

    memcpy(&next, &found, sizeof(next));
    if (len > sizeof(copy))
        return next(fd, address, len);
    memset(&copy, 0, sizeof(copy));
    memcpy(&copy, address, len);
    only_here(&copy);
    return next(fd, (struct sockaddr *)&copy, len);
}
