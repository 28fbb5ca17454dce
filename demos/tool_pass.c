/*
 * tool_pass.c - where pass phrases come from.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "tool_pass.h"
#include "tool_report.h"

#define PASS_SIZE   1024
#define PASS_MAX    32

static struct {
    const char *source;         /* a word of the command line */
    char pass[PASS_SIZE];
} known[PASS_MAX];
static int known_n;

/* Byte by byte: what follows the line is for others to read. */
static const char *read_line(int fd, char pass[PASS_SIZE])
{
    size_t len = 0;
    ssize_t n;
    char c;

    for (;;) {
        n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return strerror(errno);
        if (n == 0 || c == '\n')
            break;
        if (len + 1 == PASS_SIZE)
            return "the line is too long";
        pass[len++] = c;
    }
    if (len > 0 && pass[len - 1] == '\r')
        len--;
    pass[len] = '\0';
    return len > 0 ? NULL : "there is none";
}

static const char *read_file(const char *name, char pass[PASS_SIZE])
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    const char *trouble = fd != -1 ? read_line(fd, pass) : strerror(errno);

    if (fd != -1)
        close(fd);
    return trouble;
}

static const char *read_fd(const char *number, char pass[PASS_SIZE])
{
    char *end;
    long fd = strtol(number, &end, 10);

    if (number[0] < '0' || number[0] > '9' || *end != '\0' || fd > 65535)
        return "that is no number of a descriptor";
    return read_line((int)fd, pass);
}

static const char *copy(const char *word, char pass[PASS_SIZE])
{
    if (word == NULL)
        return "it is not set";
    return OPENSSL_strlcpy(pass, word, PASS_SIZE) < PASS_SIZE
        ? NULL : "it is too long";
}

/* What is wrong, or NULL. */
static const char *read_source(const char *source, char pass[PASS_SIZE])
{
    if (strncmp(source, "pass:", 5) == 0)
        return copy(source + 5, pass);
    if (strncmp(source, "env:", 4) == 0)
        return copy(getenv(source + 4), pass);
    if (strncmp(source, "file:", 5) == 0)
        return read_file(source + 5, pass);
    if (strncmp(source, "fd:", 3) == 0)
        return read_fd(source + 3, pass);
    if (strcmp(source, "stdin") == 0)
        return read_line(STDIN_FILENO, pass);
    return "it must be pass:WORD, env:NAME, file:NAME, fd:N or stdin";
}

/* Any other word may be the pass phrase itself. */
static int names_a_place(const char *source)
{
    return strncmp(source, "env:", 4) == 0 || strncmp(source, "file:", 5) == 0
        || strncmp(source, "fd:", 3) == 0;
}

const char *pass_of(const char *source, const char *option, const char *who)
{
    const char *trouble;
    int i;

    for (i = 0; i < known_n; i++)
        if (strcmp(known[i].source, source) == 0)
            return known[i].pass;
    trouble = known_n < PASS_MAX ? read_source(source, known[known_n].pass)
                                 : "there are too many";
    if (trouble == NULL) {
        known[known_n].source = source;
        return known[known_n++].pass;
    }
    report(TOOL_USAGE, who, "no pass phrase from -%s%s%s: %s", option,
           names_a_place(source) ? " " : "",
           names_a_place(source) ? source : "", trouble);
    return NULL;
}

void pass_forget(void)
{
    OPENSSL_cleanse(known, sizeof(known));
    known_n = 0;
}
