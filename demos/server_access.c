/*
 * server_access.c - to what the proxy connects, and for whom.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include "server_access.h"
#include "tool_report.h"

#define USER_MAX 512

/* Places
 * ------
 */

static int bad_place(const char *text)
{
    report(TOOL_USAGE, NULL, "-proxy_allow %s: host:port is needed, where * "
           "stands for any", text);
    return 0;
}

/* net_parse() takes care of all but the *. */
static int load_place(NET_PLACE *place, const char *text)
{
    const char *colon = strrchr(text, ':');
    int any_host = strncmp(text, "*:", 2) == 0;
    int any_port = colon != NULL && strcmp(colon, ":*") == 0;
    char whole[sizeof(place->host) + sizeof(place->port) + 4];

    if (colon == NULL || colon == text || strlen(text) >= sizeof(whole))
        return bad_place(text);
    snprintf(whole, sizeof(whole), "%.*s:%s",
             any_host ? 8 : (int)(colon - text), any_host ? "any.host" : text,
             any_port ? "1" : colon + 1);
    if (!net_parse(place, whole, 1))
        return 0;
    if (any_host)
        strcpy(place->host, "*");
    if (any_port)
        strcpy(place->port, "*");
    return 1;
}

static int same_or_any(const char *allowed, const char *text)
{
    return strcmp(allowed, "*") == 0 || strcasecmp(allowed, text) == 0;
}

int access_allows(const ACCESS *a, const NET_PLACE *place)
{
    int i;

    for (i = 0; i < a->n; i++)
        if (same_or_any(a->allow[i].host, place->host)
            && same_or_any(a->allow[i].port, place->port))
            return 1;
    return 0;
}

/* The user
 * --------
 *
 * What is kept, and compared in constant time, is a hash of the word that a
 * client sends: that of another length takes no other time.
 */

static int hash(const char *word, unsigned char out[32])
{
    unsigned int len;

    return EVP_Digest(word, strlen(word), out, &len, EVP_sha256(), NULL) == 1;
}

static int load_user(ACCESS *a, const char *user)
{
    unsigned char word[4 * USER_MAX / 3 + 8];
    size_t len = strlen(user);

    if (strchr(user, ':') == NULL || user[0] == ':' || len > USER_MAX) {
        report(TOOL_USAGE, NULL, "-proxy_auth needs user:password, or "
               "file:name of a file with it in its first line");
        return 0;
    }
    EVP_EncodeBlock(word, (const unsigned char *)user, (int)len);
    a->needs_user = 1;
    return hash((char *)word, a->user);
}

static int load_user_file(ACCESS *a, const char *name)
{
    char line[USER_MAX + 2];
    BIO *file = BIO_new_file(name, "r");
    int n = file != NULL ? BIO_gets(file, line, sizeof(line)) : 0;
    int ok;

    if (n <= 0) {
        report(TOOL_USAGE, NULL, "-proxy_auth file:%s: %s", name,
               file == NULL ? report_openssl() : "no line can be read");
        ERR_clear_error();
        BIO_free(file);
        return 0;
    }
    line[strcspn(line, "\r\n")] = '\0';
    ok = load_user(a, line);
    OPENSSL_cleanse(line, sizeof(line));
    BIO_free(file);
    return ok;
}

int access_load(ACCESS *a, const STRINGS *allow, const char *user)
{
    for (a->n = 0; a->n < allow->n; a->n++)
        if (!load_place(&a->allow[a->n], allow->s[a->n]))
            return 0;
    if (user == NULL)
        return 1;
    if (strncmp(user, "file:", 5) == 0)
        return load_user_file(a, user + 5);
    return load_user(a, user);
}

int access_knows(const ACCESS *a, const char *authorization)
{
    unsigned char given[32];

    if (!a->needs_user)
        return 1;
    if (authorization == NULL || strncasecmp(authorization, "Basic ", 6) != 0)
        return 0;
    authorization += 6 + strspn(authorization + 6, " ");
    return hash(authorization, given)
        && CRYPTO_memcmp(given, a->user, sizeof(given)) == 0;
}
