/*
 * request.c - a fuzz target: the heads of HTTP requests, URLs and addresses.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * The first byte chooses how the input is cut into reads, the second what
 * reads it.
 */

#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "bio_onion.h"
#include "fuzz.h"
#include "fuzz_source.h"
#include "hop_url.h"
#include "server_access.h"
#include "server_request.h"
#include "tool_report.h"

static ACCESS access_rules;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const STRINGS allow = { { "*:443", "[::1]:*", "a.b:1" }, 3 };

    (void)argc;
    (void)argv;
    fuzz_start();
    report_program("fuzz");
    FUZZ_MUST(access_load(&access_rules, &allow, "user:word"), "the rules");
    return 0;
}

/* No byte of a head may end a line of a log. */
static int is_clean(const char *text)
{
    return text == NULL || strpbrk(text, "\r\n") == NULL;
}

static void check_request(const REQUEST *r)
{
    FUZZ_MUST(r->method != NULL && r->method[0] != '\0', "a method");
    FUZZ_MUST(r->target != NULL && r->target[0] != '\0', "a target");
    FUZZ_MUST(is_clean(r->method) && is_clean(r->target)
              && is_clean(r->authorization), "no line in a line");
    FUZZ_MUST(r->minor == 0 || r->has_host, "RFC 9112, section 3.2");
    request_keeps(r);
    access_knows(&access_rules, r->authorization);
}

static void read_requests(struct fuzz_input *in, unsigned cut)
{
    BIO *source = source_new(in, cut, NULL, NULL);
    BIO *stack = BIO_new_onion_stack(source);
    REQUEST r = { .method = NULL };
    REQUEST_RESULT result;

    FUZZ_MUST(stack != NULL, "memory");
    do {
        result = request_read(&r, stack);
        if (result == REQUEST_DONE) {
            check_request(&r);
            request_clear(&r);
            FUZZ_MUST(request_is_new(&r), "the next begins");
        }
        FUZZ_MUST(result != REQUEST_BAD || (r.status >= 400 && r.status < 600),
                  "a status for what is bad");
        FUZZ_MUST(result != REQUEST_FAILED, "no failure");
    } while (result == REQUEST_DONE
             || (result == REQUEST_WAIT
                 && (source_left(source) > 0 || BIO_pending(stack) > 0)));
    FUZZ_MUST(ERR_peek_error() == 0, "no error");
    request_clear(&r);
    line_free(&r.line);
    BIO_free_all(stack);
}

/* What was understood can be said, and means the same then. */
static void say_again(const NET_PLACE *place, int needs_host)
{
    char text[URL_PLACE_SIZE];
    NET_PLACE again;

    if (place->host[0] == '\0' || strpbrk(place->host, "*[]") != NULL)
        return;
    url_place(text, place->host, place->port);
    FUZZ_MUST(net_take_apart(&again, text, needs_host) == NULL
              && strcmp(again.host, place->host) == 0
              && strcmp(again.port, place->port) == 0, "the same place");
}

static void parse_url(struct fuzz_input *in, unsigned what)
{
    static const int allowed[] = { URL_OF_VIA, URL_OF_DEST };
    char *text = fuzz_text(in), shown[REPORT_URL_SIZE];
    HOP_URL url;

    report_url(shown, text);
    if (url_parse(&url, "via", text, allowed[what % 2])) {
        FUZZ_MUST(url.place.host[0] != '\0' && url.place.port[0] != '\0',
                  "a place");
        FUZZ_MUST(url.has_user || (url.user[0] == '\0'
                                   && url.password[0] == '\0'), "no user");
        FUZZ_MUST(url.password[0] == '\0' || strlen(url.password) < 6
                  || strstr(url.place.host, url.password) != NULL
                  || strstr(url.user, url.password) != NULL
                  || strstr(shown, url.password) == NULL
                  || strstr("https://", url.password) != NULL,
                  "no password is shown");
        say_again(&url.place, 1);
    }
    free(text);
}

static void parse_place(struct fuzz_input *in, unsigned what)
{
    char *text = fuzz_text(in);
    NET_PLACE place;

    if (net_take_apart(&place, text, what % 2 != 0) == NULL) {
        FUZZ_MUST(place.port[0] != '\0', "a port");
        FUZZ_MUST(what % 2 == 0 || place.host[0] != '\0', "a host");
        access_allows(&access_rules, &place);
        say_again(&place, what % 2 != 0);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    unsigned cut, what;

    fuzz_begin();
    cut = fuzz_byte(&in);
    what = fuzz_byte(&in);
    if (what < 128)
        read_requests(&in, cut);
    else if (what < 192)
        parse_url(&in, what);
    else
        parse_place(&in, what);
    ERR_clear_error();
    return 0;
}
