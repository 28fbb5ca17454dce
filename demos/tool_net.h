/*
 * tool_net.h - TCP sockets, IPv4 and IPv6, none of which ever blocks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef TOOL_NET_H
# define TOOL_NET_H

# include <stddef.h>

struct addrinfo;

/* Room for any address and port in digits. */
# define NET_NAME_SIZE      80
# define NET_LISTENERS      8

typedef struct net_place_st {
    char host[256];         /* empty: any */
    char port[32];
} NET_PLACE;

/*
 * Takes "port", "host:port" or "[::1]:port" apart; a host is needed if
 * needs_host. 1; or 0, and the mistake has been reported.
 */
int net_parse(NET_PLACE *place, const char *text, int needs_host);
/* The same, unreported: NULL, or what the mistake is. */
const char *net_take_apart(NET_PLACE *place, const char *text, int needs_host);

/*
 * Listens on each address of place. The number of sockets, now in fd[]; or 0,
 * which has been reported. Port 0 becomes one that is free, the same for all.
 */
int net_listen(const NET_PLACE *place, int fd[NET_LISTENERS]);

/* A new connection; -1 with errno: EAGAIN if there is none (any more). */
int net_accept(int listener);

/*
 * Connects to the first address of place that answers. The socket; or -1,
 * which has been reported.
 */
int net_connect(const NET_PLACE *place, int timeout_ms);

/* From now on names are looked up for AF_INET or AF_INET6 only. */
void net_family(int family);

/* The same of a socket in the file system. */
int net_connect_path(const char *path, int timeout_ms);

/*
 * The addresses of place, for freeaddrinfo(); NULL, and that there is none has
 * been reported.
 */
struct addrinfo *net_resolve(const NET_PLACE *place);

/*
 * Begins to connect to one address. The socket; or -1 with errno. What has
 * come of it, once the socket can be written: 0, or an errno.
 */
int net_dial(const struct addrinfo *address);
int net_dialled(int fd);

/* When fd is closed, the peer sees a reset: what it has got is not all. */
void net_abort(int fd);

/* The limit of descriptors, raised to what it may be. */
long net_raise_limit(void);

/* "127.0.0.1:4433", "[::1]:4433": our side of fd, or the peer's. */
void net_name(int fd, int of_peer, char name[NET_NAME_SIZE]);

/* While on, small writes wait to share a segment, where the system can. */
void net_gather(int fd, int on);

/*
 * What is opened must not become a standard input or output that was closed:
 * /dev/null does, opened with mode, O_RDONLY or O_RDWR. 1, or 0 on failure.
 */
int net_hold_standard(int mode);

/* Milliseconds on a clock that is never set. */
long long net_now(void);

/* A write to a connection that is gone is an error, and no more. */
void net_ignore_sigpipe(void);

/*
 * SIGTERM and SIGINT are caught from then on: a pipe that can be read when one
 * has come, until net_clear_signals(); -1 on failure. And one more signal, of
 * those up to 31: 1, or 0 on failure.
 */
int net_catch_signals(void);
int net_catch_signal(int number);
void net_clear_signals(void);

/* 1 for each time that a caught signal has come, then 0. */
int net_take_signal(int number);

#endif
