/*
 * fuzz_files.c - a directory with files that options can name.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _XOPEN_SOURCE 700

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/pem.h>
#include "fuzz_files.h"
#include "fuzz_tls.h"
#include "util.h"

static char directory[] = "/tmp/fuzz-files-XXXXXX";
static const char *const names[] = {
    "ca.pem", "cert.pem", "key.pem", "locked.key", "pass", "psk", "tickets",
    "session.pem", "empty"
};

static int is_ours(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return name[0] == '.';
}

static void remove_all(int ours)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.' && (ours || !is_ours(entry->d_name)))
            unlink(entry->d_name);
    if (dir != NULL)
        closedir(dir);
}

void files_clean(void)
{
    remove_all(0);
}

static void files_end(void)
{
    remove_all(1);
    rmdir(directory);
}

static FILE *create(const char *name)
{
    FILE *file = fopen(name, "w");

    FUZZ_MUST(file != NULL, "a file");
    return file;
}

static void text_file(const char *name, const char *text)
{
    FILE *file = create(name);

    fputs(text, file);
    fclose(file);
}

static void cert_file(const char *name, X509 *cert)
{
    FILE *file = create(name);

    FUZZ_MUST(PEM_write_X509(file, cert), "a certificate");
    fclose(file);
}

static void key_file(const char *name, EVP_PKEY *key, const char *word)
{
    FILE *file = create(name);
    const EVP_CIPHER *cipher = word != NULL ? EVP_aes_128_cbc() : NULL;

    FUZZ_MUST(PEM_write_PKCS8PrivateKey(file, key, cipher, word,
                                        word != NULL ? (int)strlen(word) : 0,
                                        NULL, NULL), "a key");
    fclose(file);
}

static void session_file(const char *name)
{
    FILE *file = create(name);
    SSL_SESSION *session = SSL_SESSION_new();

    FUZZ_MUST(SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION)
              && SSL_SESSION_set1_master_key(session,
                                             (const unsigned char *)"0123", 4)
              && SSL_SESSION_set_cipher(session, fuzz_cipher())
              && PEM_write_SSL_SESSION(file, session), "a session");
    SSL_SESSION_free(session);
    fclose(file);
}

static void make_files(void)
{
    SSL_CTX *ctx = test_server_ctx(TLS1_3_VERSION, test_name(1), 0);
    X509 *cert = SSL_CTX_get0_certificate(ctx);
    EVP_PKEY *key = SSL_CTX_get0_privatekey(ctx);

    cert_file("ca.pem", cert);
    cert_file("cert.pem", cert);
    key_file("key.pem", key, NULL);
    key_file("locked.key", key, "word");
    text_file("pass", "word\n");
    text_file("psk", "00112233\n");
    text_file("tickets", "0123456789abcdef0123456789abcdef0123456789abcdef"
              "0123456789abcdef0123456789abcdef");
    text_file("empty", "");
    session_file("session.pem");
}

void files_start(void)
{
    fuzz_start_tls();
    FUZZ_MUST(mkdtemp(directory) != NULL && chdir(directory) == 0,
              "a directory");
    atexit(files_end);
    make_files();
    /* What the system trusts takes long to load, and differs. */
    setenv("SSL_CERT_FILE", "ca.pem", 1);
    setenv("SSL_CERT_DIR", "nowhere", 1);
    /* Nobody is asked for a pass phrase. */
    setsid();
    FUZZ_MUST(freopen("/dev/null", "r", stdin) != NULL, "no input");
}

/*
 * Words
 */

/* The slash is one of the two of a URL, or of a pin. */
static int may_stand(const char *word, const char *slash)
{
    static const char *const begins[] = { "https://", "http://", "tcp://" };
    size_t i, n, at = (size_t)(slash - word);

    if (strncmp(word, "sha256//", 8) == 0)
        return 1;
    for (i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        n = strlen(begins[i]);
        if (strncmp(word, begins[i], n) == 0)
            return at < n;
    }
    return 0;
}

/* No other directory, and no descriptor. */
static void tame(char *word)
{
    char *p;

    while ((p = strstr(word, "..")) != NULL)
        *p = '_';
    while ((p = strstr(word, "fd:")) != NULL)
        *p = '_';
    for (p = word + strlen(word); p-- > word;)
        if (*p == '/' && !may_stand(word, p))
            *p = '_';
}

void words_read(struct words *w, struct fuzz_input *in)
{
    w->argc = 0;
    w->argv[w->argc++] = strdup("fuzz");
    while (in->len > 0 && w->argc <= WORDS_MAX) {
        w->argv[w->argc] = fuzz_text(in);
        tame(w->argv[w->argc++]);
    }
    w->argv[w->argc] = NULL;
}

void words_free(struct words *w)
{
    while (w->argc > 0)
        free(w->argv[--w->argc]);
}
