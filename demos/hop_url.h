/*
 * hop_url.h - the URLs of -via and -dest.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef HOP_URL_H
# define HOP_URL_H

# include "tool_net.h"

/* Schemes, and what else an option takes: bits of `allowed'. */
# define URL_HTTPS      0x1     /* port 443 */
# define URL_HTTP       0x2     /* port 80 */
# define URL_TCP        0x4     /* the port must be given */
# define URL_USER       0x8     /* user:password@ */
# define URL_OF_VIA     (URL_HTTPS | URL_HTTP | URL_USER)
# define URL_OF_DEST    (URL_HTTPS | URL_TCP)

typedef struct hop_url_st {
    int scheme;             /* one of the above */
    NET_PLACE place;        /* an IPv6 address without its brackets */
    int has_user;
    char user[256];         /* decoded; empty without has_user */
    char password[256];     /* the same */
} HOP_URL;

/*
 * Takes text apart, the argument of -option. 1; or 0, and the mistake has been
 * reported, without the password.
 */
int url_parse(HOP_URL *url, const char *option, const char *text, int allowed);

/* "host:port", "[::1]:443": as in a URL, a Host field or a CONNECT. */
# define URL_PLACE_SIZE (sizeof(NET_PLACE) + 4)
void url_place(char place[URL_PLACE_SIZE], const char *host, const char *port);

#endif
