/*
 * tool_net.c - TCP sockets, IPv4 and IPv6, none of which ever blocks.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _DEFAULT_SOURCE
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "tool_net.h"
#include "tool_report.h"

/* Places
 * ------
 */

static int good_port(const char *port, int min)
{
    char *end;
    long n = strtol(port, &end, 10);

    return port[0] >= '0' && port[0] <= '9' && *end == '\0' && n >= min
        && n <= 65535;
}

static int copy(char *out, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return 0;
    memcpy(out, from, len);
    out[len] = '\0';
    return 1;
}

/* The colon before the port; NULL if there is a port only. */
static const char *port_colon(const char *text)
{
    const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;

    return strchr(bracket != NULL ? bracket : text, ':');
}

const char *net_take_apart(NET_PLACE *place, const char *text, int needs_host)
{
    const char *colon = port_colon(text);
    const char *port = colon != NULL ? colon + 1 : text;
    const char *host = text;
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;

    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (strchr(port, ':') != NULL) {
        return "an IPv6 address needs brackets, [::1]:port";
    }
    if (len == 1 && host[0] == '*')
        len = 0;
    if (!copy(place->host, sizeof(place->host), host, len))
        return "the host is too long";
    if (needs_host && place->host[0] == '\0')
        return "host:port is needed";
    if (!copy(place->port, sizeof(place->port), port, strlen(port))
        || !good_port(port, needs_host ? 1 : 0))
        return "the port is not a number up to 65535";
    return NULL;
}

int net_parse(NET_PLACE *place, const char *text, int needs_host)
{
    const char *mistake = net_take_apart(place, text, needs_host);

    if (mistake != NULL)
        report(TOOL_USAGE, NULL, "'%s': %s", text, mistake);
    return mistake == NULL;
}

static int wanted_family = AF_UNSPEC;

void net_family(int family)
{
    wanted_family = family;
}

static struct addrinfo *resolve(const NET_PLACE *place, int flags)
{
    struct addrinfo hints, *list = NULL;
    int err;

    memset(&hints, 0, sizeof(hints));
    hints.ai_flags = flags;
    hints.ai_family = wanted_family;
    hints.ai_socktype = SOCK_STREAM;
    err = getaddrinfo(place->host[0] != '\0' ? place->host : NULL, place->port,
                      &hints, &list);
    if (err == 0)
        return list;
    report(TOOL_NETWORK, NULL, "cannot find %s port %s: %s",
           place->host[0] != '\0' ? place->host : "any address", place->port,
           gai_strerror(err));
    return NULL;
}

static void format_name(const struct sockaddr *addr, socklen_t len,
                        char name[NET_NAME_SIZE])
{
    char host[64], port[8];

    if (getnameinfo(addr, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(name, NET_NAME_SIZE, "unknown");
    else
        snprintf(name, NET_NAME_SIZE, addr->sa_family == AF_INET6 ? "[%s]:%s"
                                                                  : "%s:%s",
                 host, port);
}

void net_name(int fd, int of_peer, char name[NET_NAME_SIZE])
{
    struct sockaddr_storage addr = { 0 };
    socklen_t len = sizeof(addr);
    int err = of_peer ? getpeername(fd, (struct sockaddr *)&addr, &len)
                      : getsockname(fd, (struct sockaddr *)&addr, &len);

    if (err == 0)
        format_name((struct sockaddr *)&addr, len, name);
    else
        snprintf(name, NET_NAME_SIZE, "unknown");
}

/* Sockets
 * -------
 */

static int set_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) != -1
        && fcntl(fd, F_SETFD, FD_CLOEXEC) != -1;
}

static void set_option(int fd, int level, int name, int on)
{
    (void)setsockopt(fd, level, name, &on, sizeof(on));
}

/* Closes fd, keeping errno. Returns -1. */
static int give_up(int fd)
{
    int saved = errno;

    if (fd != -1)
        close(fd);
    errno = saved;
    return -1;
}

static int open_socket(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);

    if (fd == -1 || !set_flags(fd))
        return give_up(fd);
    return fd;
}

static void set_port(struct addrinfo *a, in_port_t port)
{
    if (a->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)a->ai_addr)->sin6_port = port;
    else
        ((struct sockaddr_in *)(void *)a->ai_addr)->sin_port = port;
}

static in_port_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } addr = { .v6 = { 0 } };
    socklen_t len = sizeof(addr);

    if (getsockname(fd, &addr.any, &len) == -1)
        return 0;
    return addr.any.sa_family == AF_INET6 ? addr.v6.sin6_port
                                          : addr.v4.sin_port;
}

static int listen_on(const struct addrinfo *a)
{
    int fd = open_socket(a);

    if (fd == -1)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    /* Each family has a socket of its own. */
    if (a->ai_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == -1
        || listen(fd, SOMAXCONN) == -1)
        return give_up(fd);
    return fd;
}

/* The resolver may name addresses of a family that this host does not have. */
static int no_such_family(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

static int listen_on_all(struct addrinfo *list, int fd[NET_LISTENERS])
{
    struct addrinfo *a;
    char name[NET_NAME_SIZE];
    int n = 0, error = 0;

    for (a = list; a != NULL && n < NET_LISTENERS; a = a->ai_next) {
        if (n > 0)
            set_port(a, port_of(fd[0]));
        fd[n] = listen_on(a);
        if (fd[n] != -1) {
            n++;
            continue;
        }
        error = errno;
        format_name(a->ai_addr, a->ai_addrlen, name);
        if (!no_such_family(error))
            break;
    }
    if (n > 0 && (error == 0 || no_such_family(error)))
        return n;
    report(TOOL_NETWORK, NULL, "cannot listen on %s: %s", name,
           strerror(error));
    while (n > 0)
        close(fd[--n]);
    return 0;
}

int net_listen(const NET_PLACE *place, int fd[NET_LISTENERS])
{
    struct addrinfo *list = resolve(place, AI_PASSIVE);
    int n = list != NULL ? listen_on_all(list, fd) : 0;

    if (list != NULL)
        freeaddrinfo(list);
    return n;
}

int net_accept(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd == -1)
        return -1;
    if (!set_flags(fd))
        return give_up(fd);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

int net_dialled(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
        return errno;
    return error;
}

/* 0, or the errno of a connect() that is under way. */
static int connect_result(int fd, long long deadline)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    long long left;

    do {
        left = deadline - net_now();
        if (left <= 0)
            return ETIMEDOUT;
    } while (poll(&p, 1, (int)left) <= 0);
    return net_dialled(fd);
}

int net_dial(const struct addrinfo *a)
{
    int fd = open_socket(a);

    if (fd == -1 || (connect(fd, a->ai_addr, a->ai_addrlen) == -1
                     && errno != EINPROGRESS))
        return give_up(fd);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

static int connect_to(const struct addrinfo *a, long long deadline)
{
    int fd = net_dial(a);

    if (fd == -1)
        return -1;
    errno = connect_result(fd, deadline);
    return errno == 0 ? fd : give_up(fd);
}

struct addrinfo *net_resolve(const NET_PLACE *place)
{
    return resolve(place, 0);
}

int net_connect(const NET_PLACE *place, int timeout_ms)
{
    struct addrinfo *list = resolve(place, 0), *a;
    char name[NET_NAME_SIZE] = "";
    int fd = -1, error = 0;

    if (list == NULL)
        return -1;
    for (a = list; a != NULL && fd == -1; a = a->ai_next) {
        fd = connect_to(a, net_now() + timeout_ms);
        error = errno;
        format_name(a->ai_addr, a->ai_addrlen, name);
    }
    if (fd == -1)
        report(TOOL_NETWORK, NULL, "cannot connect to %s port %s (%s): %s",
               place->host, place->port, name, strerror(error));
    freeaddrinfo(list);
    return fd;
}

/* A listener whose queue is full says EAGAIN; no poll() tells of its end. */
static int try_path(int fd, const struct sockaddr_un *addr, long long deadline)
{
    while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == -1) {
        if (errno != EAGAIN || net_now() >= deadline)
            return 0;
        (void)poll(NULL, 0, 20);
    }
    return 1;
}

int net_connect_path(const char *path, int timeout_ms)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd;

    if (!copy(addr.sun_path, sizeof(addr.sun_path), path, strlen(path))) {
        report(TOOL_USAGE, NULL, "'%s': the path of a socket cannot be so long",
               path);
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd != -1 && set_flags(fd)
        && try_path(fd, &addr, net_now() + timeout_ms))
        return fd;
    report(TOOL_NETWORK, NULL, "cannot connect to %s: %s", path,
           strerror(errno));
    return give_up(fd);
}

void net_abort(int fd)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

long net_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
        return -1;
    if (limit.rlim_cur != limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur > LONG_MAX ? LONG_MAX : (long)limit.rlim_cur;
}

void net_gather(int fd, int on)
{
#if defined(TCP_CORK)
    set_option(fd, IPPROTO_TCP, TCP_CORK, on);
#else
    (void)fd;
    (void)on;
#endif
}

int net_hold_standard(int mode)
{
    int fd;

    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF
            && open("/dev/null", mode) != fd)
            return 0;
    return 1;
}

/* Time and signals
 * ----------------
 */

long long net_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Of those that are caught. */
#define SIGNALS 32

/* The pipe wakes whoever waits; what counts is here, since a write may fail. */
static int signal_pipe[2];
static volatile sig_atomic_t came[SIGNALS];
static sig_atomic_t taken[SIGNALS];

static void on_signal(int number)
{
    int saved = errno;

    came[number]++;
    (void)!write(signal_pipe[1], "", 1);
    errno = saved;
}

int net_take_signal(int number)
{
    if (taken[number] == came[number])
        return 0;
    taken[number]++;
    return 1;
}

void net_clear_signals(void)
{
    char wakes[64];

    while (read(signal_pipe[0], wakes, sizeof(wakes)) > 0)
        ;
}

static int set_handler(int number, void (*handler)(int))
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = handler;
    return sigaction(number, &action, NULL) == 0;
}

void net_ignore_sigpipe(void)
{
    set_handler(SIGPIPE, SIG_IGN);
}

int net_catch_signal(int number)
{
    return set_handler(number, on_signal);
}

int net_catch_signals(void)
{
    if (pipe(signal_pipe) == -1 || !set_flags(signal_pipe[0])
        || !set_flags(signal_pipe[1]) || !net_catch_signal(SIGTERM)
        || !net_catch_signal(SIGINT))
        return -1;
    return signal_pipe[0];
}
