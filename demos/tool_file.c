/*
 * tool_file.c - files that options name, and what is wrong with them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "tool_file.h"

const char *file_trouble(const char *name)
{
    struct stat s;

    if (stat(name, &s) == -1 || access(name, R_OK) == -1)
        return strerror(errno);
    if (S_ISDIR(s.st_mode))
        return strerror(EISDIR);
    return S_ISREG(s.st_mode) && s.st_size == 0 ? "it is empty" : NULL;
}

const char *file_directory_trouble(const char *name)
{
    struct stat s;

    if (stat(name, &s) == -1)
        return strerror(errno);
    if (!S_ISDIR(s.st_mode))
        return strerror(ENOTDIR);
    return access(name, R_OK | X_OK) == -1 ? strerror(errno) : NULL;
}

/* Up to size bytes. -1 with errno if it cannot be read. */
static ssize_t read_all(int fd, unsigned char *data, size_t size)
{
    size_t len = 0;
    ssize_t n = 1;

    while (n > 0 && len < size) {
        n = read(fd, data + len, size - len);
        if (n > 0)
            len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    return n < 0 ? -1 : (ssize_t)len;
}

static const char *read_file(const char *name, unsigned char *data, size_t max,
                             size_t *len)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd != -1 ? read_all(fd, data, max + 1) : -1;
    const char *trouble = n < 0 ? strerror(errno)
        : n == 0 ? "it is empty"
        : (size_t)n > max ? "it is too long" : NULL;

    if (fd != -1)
        close(fd);
    *len = n > 0 ? (size_t)n : 0;
    return trouble;
}

unsigned char *file_read(const char *name, size_t max, size_t *len,
                         const char **trouble)
{
    unsigned char *data = OPENSSL_zalloc(max + 2);

    *trouble = data != NULL ? read_file(name, data, max, len) : "no memory";
    if (*trouble == NULL)
        return data;
    OPENSSL_clear_free(data, max + 2);
    return NULL;
}

const char *file_write_trouble(const char *name)
{
    int was_there = access(name, F_OK) == 0;
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd == -1)
        return strerror(errno);
    close(fd);
    if (!was_there)
        unlink(name);
    return NULL;
}

static int write_all(int fd, const char *data, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return 0;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return 1;
}

const char *file_write(const char *name, const void *data, size_t len)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const char *trouble = NULL;

    if (fd == -1)
        return strerror(errno);
    if (!write_all(fd, data, len))
        trouble = strerror(errno);
    if (close(fd) == -1 && trouble == NULL)
        trouble = strerror(errno);
    return trouble;
}
