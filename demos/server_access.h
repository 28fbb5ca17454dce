/*
 * server_access.h - to what the proxy connects, and for whom.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_ACCESS_H
# define SERVER_ACCESS_H

# include "tool_net.h"
# include "tool_table.h"

typedef struct access_st {
    NET_PLACE allow[STRINGS_MAX];   /* "*" for any host or port */
    int n;
    unsigned needs_user : 1;
    unsigned char user[32];         /* what stands for user:password */
} ACCESS;

/*
 * From the words of -proxy_allow, and of -proxy_auth unless that is NULL:
 * user:password, or file:name for the first line of a file. 1; or 0, which has
 * been reported.
 */
int access_load(ACCESS *a, const STRINGS *allow, const char *user);

/* 1 if a CONNECT may go there. */
int access_allows(const ACCESS *a, const NET_PLACE *place);

/* 1 if nobody need say who he is, or the Proxy-Authorization is right. */
int access_knows(const ACCESS *a, const char *authorization);

#endif
