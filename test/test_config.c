/*
 * test_config.c - layers that a file describes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/pem.h>
#include "sweep.h"
#include "util.h"

/*
 * Files, in a directory of their own, which is the present one
 */
static char directory[] = "/tmp/test_config_XXXXXX";

static const char *const files[] = {
    "ca.pem", "outer.pem", "inner.pem", "me.pem", "main.cnf", "more.cnf"
};

static BIO *create(const char *name)
{
    BIO *out = BIO_new_file(name, "w");

    ck_assert_ptr_nonnull(out);
    return out;
}

static void put(const char *name, const char *text)
{
    BIO *out = create(name);

    BIO_puts(out, text);
    BIO_free(out);
}

static void put_certificate(const char *file, const char *name)
{
    SSL_CTX *ctx = test_server_ctx(0, name, TEST_P256);
    BIO *out = create(file);

    ck_assert(PEM_write_bio_X509(out, SSL_CTX_get0_certificate(ctx)));
    ck_assert(PEM_write_bio_PrivateKey(out, SSL_CTX_get0_privatekey(ctx), NULL,
                                       NULL, 0, NULL, NULL));
    BIO_free(out);
}

static void put_authority(void)
{
    STACK_OF(X509) *all = X509_STORE_get1_all_certs(
        SSL_CTX_get_cert_store(test_client_ctx(0, 1)));
    BIO *out = create("ca.pem");

    ck_assert(PEM_write_bio_X509(out, sk_X509_value(all, 0)));
    BIO_free(out);
    sk_X509_pop_free(all, X509_free);
}

static void begin(void)
{
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    put_authority();
    put_certificate("outer.pem", "outer.example");
    put_certificate("inner.pem", "inner.example");
    put_certificate("me.pem", "me.example");
}

static void end(void)
{
    size_t i;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        unlink(files[i]);
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(directory);
}

/*
 * Loading
 */
static ONION_CONFIG *load_with(const char *text, const char *section,
                               BIO_onion_config_cb *cb, void *arg)
{
    ONION_CONFIG *config;

    put("main.cnf", text);
    config = BIO_onion_config_load("main.cnf", section, cb, arg);
    if (config == NULL)
        ck_abort_msg("%s", ERR_reason_error_string(ERR_peek_last_error()));
    test_no_error();
    return config;
}

static ONION_CONFIG *load(const char *text, const char *section)
{
    return load_with(text, section, NULL, NULL);
}

/* The text of the newest entry, which must be ours, with that reason. */
static const char *refusal(int reason)
{
    const char *text = "";
    unsigned long error = ERR_peek_last_error_all(NULL, NULL, NULL, &text,
                                                  NULL);

    ck_assert_int_eq(ERR_GET_LIB(error), BIO_onion_error_library());
    ck_assert_int_eq(ERR_GET_REASON(error), reason);
    return text;
}

static void refused_as(const char *text, int reason, const char *expected)
{
    put("main.cnf", text);
    ck_assert_ptr_null(BIO_onion_config_load("main.cnf", NULL, NULL, NULL));
    ck_assert_str_eq(refusal(reason), expected);
    ERR_clear_error();
}

/*
 * Both ends
 */
#define CLIENT(keys) "[client]\nlayers = c\n[c]\nrole = client\n" keys
#define SERVER(keys) "[server]\nlayers = s\n[s]\nrole = server\n" keys

static const char both[] =
    "[client]\n"
    "layers = c_outer, c_inner\n"
    "role = client\n"
    "[c_outer]\n"
    "host = outer.example\n"
    "ssl_conf = trust\n"
    "[c_inner]\n"
    "host = inner.example\n"
    "ssl_conf = trust\n"
    "[trust]\n"
    "VerifyCAFile = ca.pem\n"
    "[server]\n"
    "layers = s_outer, s_inner\n"
    "role = server\n"
    "[s_outer]\n"
    "Certificate = outer.pem\n"
    "[s_inner]\n"
    "Certificate = inner.pem\n";

struct ends {
    ONION_CONFIG *c, *s;
    BIO *client, *server;
};

static void ends_new(struct ends *e, const char *text)
{
    e->c = load(text, "client");
    e->s = load(text, "server");
    test_pair(&e->client, &e->server, 0, 0);
}

static void ends_free(struct ends *e)
{
    BIO_free_all(e->client);
    BIO_free_all(e->server);
    BIO_onion_config_free(e->c);
    BIO_onion_config_free(e->s);
    ERR_clear_error();
}

static void ends_start(struct ends *e, int depth)
{
    ck_assert_int_eq(BIO_onion_start_config(e->client, e->c, depth), 1);
    ck_assert_int_eq(BIO_onion_start_config(e->server, e->s, depth), 1);
    test_no_error();
}

/* 1 if both shake hands, and a text passes: a refusal may come behind. */
static int ends_talk(struct ends *e)
{
    char text[8] = "";
    int i;

    for (i = 0; i < 20; i++) {
        if (BIO_do_handshake(e->client) <= 0 && !BIO_should_retry(e->client))
            return 0;
        if (BIO_do_handshake(e->server) <= 0 && !BIO_should_retry(e->server))
            return 0;
    }
    if (BIO_write(e->server, "hello", 5) != 5
        || BIO_read(e->client, text, sizeof(text)) != 5)
        return 0;
    ck_assert_str_eq(text, "hello");
    return 1;
}

static const char *asked_for(BIO *stack, int layer)
{
    const char *name = SSL_get_servername(BIO_onion_get0_ssl(stack, layer),
                                          TLSEXT_NAMETYPE_host_name);

    return name != NULL ? name : "";
}

START_TEST(a_file_describes_all_layers_of_both_ends_outermost_first)
{
    struct ends e;

    ends_new(&e, both);
    ck_assert_int_eq(BIO_onion_config_layers(e.c), 2);
    ends_start(&e, -1);
    ck_assert(ends_talk(&e));
    test_depths(e.client, 2, 2);
    ck_assert_str_eq(asked_for(e.client, 1), "outer.example");
    ck_assert_str_eq(asked_for(e.client, 2), "inner.example");
    ck_assert_int_eq(SSL_get_verify_result(BIO_onion_get0_ssl(e.client, 1)),
                     X509_V_OK);
    ends_free(&e);
}
END_TEST

START_TEST(layers_are_started_up_to_a_depth_and_never_too_many)
{
    struct ends e;

    ends_new(&e, both);
    ends_start(&e, 1);
    ck_assert(ends_talk(&e));
    ends_start(&e, 1);
    test_depths(e.client, 1, 1);
    ends_start(&e, 2);
    ck_assert(ends_talk(&e));
    ck_assert_str_eq(asked_for(e.client, 2), "inner.example");
    ends_start(&e, -1);
    test_depths(e.client, 2, 2);
    test_refused(BIO_onion_start_config(e.client, e.c, 3),
                 ERR_R_PASSED_INVALID_ARGUMENT);
    test_refused(BIO_onion_start_config(e.client, NULL, 2),
                 ERR_R_PASSED_INVALID_ARGUMENT);
    test_depths(e.client, 2, 2);
    ends_free(&e);
}
END_TEST

START_TEST(a_start_past_the_maximum_depth_starts_nothing)
{
    struct ends e;

    ends_new(&e, both);
    BIO_onion_set_max_depth(e.client, 1);
    test_refused(BIO_onion_start_config(e.client, e.c, -1), ONION_R_MAX_DEPTH);
    test_depths(e.client, 0, 0);
    ends_free(&e);
}
END_TEST

/* i: 0 a layer needs a host, 1 the second cannot be started, 2 no stack */
START_TEST(a_start_that_is_refused_keeps_nothing)
{
    ONION_CONFIG *c;
    struct ends e;

    ends_new(&e, both);
    if (_i == 0) {
        c = load("[client]\nlayers = a, b\nrole = client\n"
                 "[a]\nhost = one.example\n[b]\n", "client");
        test_refused(BIO_onion_start_config(e.client, c, -1),
                     ERR_R_PASSED_NULL_PARAMETER);
        BIO_onion_config_free(c);
    } else if (_i == 1) {
        ends_start(&e, 1);
        ck_assert(ends_talk(&e));
        ck_assert_int_eq(BIO_onion_stop_tls(e.client, 0), 0);
        test_refused(BIO_onion_start_config(e.client, e.c, -1),
                     ONION_R_DEPTHS_DIFFER);
    } else {
        test_refused(BIO_onion_start_config(NULL, e.c, -1), ONION_R_NO_STACK);
    }
    ends_free(&e);
}
END_TEST

START_TEST(no_host_has_a_name_of_256_bytes)
{
    char text[400] = CLIENT("host = "), name[257];
    ONION_CONFIG *c;

    memset(name, 'x', 256);
    name[256] = '\0';
    strcat(text, name);
    put("main.cnf", text);
    ck_assert_ptr_null(BIO_onion_config_load("main.cnf", "client", NULL,
                                             NULL));
    ck_assert_str_eq(refusal(ONION_R_BAD_CONFIG),
                     "main.cnf:5: [c] host: no name is so long");
    c = load(CLIENT("VerifyCAFile = ca.pem\n"), "client");
    ck_assert_ptr_null(BIO_onion_config_new_ssl(c, 1, name));
    ck_assert_str_eq(refusal(ERR_R_PASSED_INVALID_ARGUMENT),
                     "layer 1 of the configuration: no SSL for this host");
    ERR_clear_error();
    BIO_onion_config_free(c);
}
END_TEST

START_TEST(a_configuration_serves_many_connections_and_may_go_before_them)
{
    struct ends e, f;

    ends_new(&e, both);
    ends_start(&e, -1);
    test_pair(&f.client, &f.server, 0, 0);
    ck_assert_int_eq(BIO_onion_start_config(f.client, e.c, -1), 1);
    ck_assert_int_eq(BIO_onion_start_config(f.server, e.s, -1), 1);
    BIO_onion_config_free(e.c);
    BIO_onion_config_free(e.s);
    e.c = e.s = f.c = f.s = NULL;
    ck_assert(ends_talk(&e));
    ck_assert(ends_talk(&f));
    ends_free(&e);
    ends_free(&f);
}
END_TEST

/*
 * Whom it believes
 */
/* i: how many certificates may lie between the two */
START_TEST(the_depth_of_a_chain_is_limited)
{
    static const int depths[] = { 0, 7, 100 };
    char text[200];
    ONION_CONFIG *c;
    BIO *a, *b;

    test_pair(&a, &b, 0, 0);
    snprintf(text, sizeof(text), "[client]\nlayers = c\n[c]\nrole = client\n"
             "host = outer.example\nverify_depth = %d\n", depths[_i]);
    c = load(text, "client");
    ck_assert_int_eq(BIO_onion_start_config(a, c, -1), 1);
    ck_assert_int_eq(SSL_get_verify_depth(BIO_onion_get0_ssl(a, 1)),
                     depths[_i]);
    BIO_free_all(a);
    BIO_free_all(b);
    BIO_onion_config_free(c);
}
END_TEST

/* i: bytes that there are too many of, on the wire */
START_TEST(a_list_of_protocols_has_a_limit)
{
    char text[2000] = "[onion]\nlayers = c\n[c]\nrole = client\n"
        "host = outer.example\nalpn = ";
    ONION_CONFIG *c;
    int i;

    for (i = 0; i < 4; i++) {
        memset(text + strlen(text), "abcd"[i], 255);
        strcat(text, i < 3 ? "," : _i > 0 ? ",x\n" : "\n");
    }
    put("main.cnf", text);
    c = BIO_onion_config_load("main.cnf", NULL, NULL, NULL);
    ck_assert_int_eq(c != NULL, _i == 0);
    ERR_clear_error();
    BIO_onion_config_free(c);
}
END_TEST

static int talks(const char *text)
{
    struct ends e;
    int done;

    ends_new(&e, text);
    ends_start(&e, -1);
    done = ends_talk(&e);
    if (!done)
        test_depths(e.client, 1, 1);
    ends_free(&e);
    return done;
}

START_TEST(a_client_verifies_chain_and_name_without_being_told)
{
    ck_assert(talks(CLIENT("host = outer.example\nVerifyCAFile = ca.pem\n")
                    SERVER("Certificate = outer.pem\n")));
    ck_assert(!talks(CLIENT("host = other.example\nVerifyCAFile = ca.pem\n")
                     SERVER("Certificate = outer.pem\n")));
    ck_assert(!talks(CLIENT("host = outer.example\n")
                     SERVER("Certificate = outer.pem\n")));
    ck_assert(!talks(CLIENT("host = 192.0.2.1\nVerifyCAFile = ca.pem\n")
                     SERVER("Certificate = outer.pem\n")));
}
END_TEST

START_TEST(a_name_to_ask_for_does_not_change_the_one_that_is_expected)
{
    struct ends e;

    ck_assert(!talks(CLIENT("host = other.example\nVerifyCAFile = ca.pem\n"
                            "servername = outer.example\n")
                     SERVER("Certificate = outer.pem\n")));
    ends_new(&e, CLIENT("host = outer.example\nVerifyCAFile = ca.pem\n"
                        "servername = front.example\n")
                 SERVER("Certificate = outer.pem\n"));
    ends_start(&e, -1);
    ck_assert(ends_talk(&e));
    ck_assert_str_eq(asked_for(e.server, 1), "front.example");
    ends_free(&e);
    ends_new(&e, CLIENT("host = outer.example\nVerifyCAFile = ca.pem\n"
                        "servername =\n")
                 SERVER("Certificate = outer.pem\n"));
    ends_start(&e, -1);
    ck_assert(ends_talk(&e));
    ck_assert_str_eq(asked_for(e.server, 1), "");
    ends_free(&e);
}
END_TEST

#define TRUSTING CLIENT("host = outer.example\nVerifyCAFile = ca.pem\n")

START_TEST(a_server_that_trusts_clients_demands_a_certificate)
{
    const char *asks = TRUSTING SERVER("Certificate = outer.pem\n"
                                       "VerifyCAFile = ca.pem\n");

    ck_assert(!talks(asks));
    ck_assert(talks(CLIENT("host = outer.example\nVerifyCAFile = ca.pem\n"
                           "Certificate = me.pem\n")
                    SERVER("Certificate = outer.pem\n"
                           "VerifyCAFile = ca.pem\nClientCAFile = ca.pem\n")));
    /* Only if it says so, it does without. */
    ck_assert(talks(TRUSTING SERVER("Certificate = outer.pem\n"
                                    "VerifyCAFile = ca.pem\n"
                                    "VerifyMode = Request\n")));
}
END_TEST

START_TEST(no_version_below_tls_1_2_is_spoken_unless_it_is_named)
{
    ONION_CONFIG *c = load(both, "client");

    ck_assert_int_ge(SSL_CTX_get_min_proto_version(
                         BIO_onion_config_get0_ctx(c, 1)), TLS1_2_VERSION);
    ck_assert_ptr_null(BIO_onion_config_get0_ctx(c, 0));
    ck_assert_ptr_null(BIO_onion_config_get0_ctx(c, 3));
    BIO_onion_config_free(c);
    c = load(CLIENT("host = a.example\nVerifyCAFile = ca.pem\n"
                    "MinProtocol = TLSv1.3\n"), "client");
    ck_assert_int_eq(SSL_CTX_get_min_proto_version(
                         BIO_onion_config_get0_ctx(c, 1)), TLS1_3_VERSION);
    BIO_onion_config_free(c);
}
END_TEST

START_TEST(a_host_may_come_with_the_connection_but_not_be_left_out)
{
    ONION_CONFIG *c = load(CLIENT("VerifyCAFile = ca.pem\n"), "client");
    BIO *a, *b;
    SSL *ssl;

    test_pair(&a, &b, 0, 0);
    test_refused(BIO_onion_start_config(a, c, -1),
                 ERR_R_PASSED_NULL_PARAMETER);
    ck_assert_ptr_null(BIO_onion_config_new_ssl(c, 1, ""));
    ck_assert_ptr_null(BIO_onion_config_new_ssl(c, 2, "outer.example"));
    ssl = BIO_onion_config_new_ssl(c, 1, "outer.example");
    ck_assert_ptr_nonnull(ssl);
    ck_assert_int_eq(BIO_onion_start_tls(a, ssl, NULL, 0), 1);
    ck_assert(BIO_onion_start_server(b, test_server_ctx(0, "inner.example",
                                                        0)));
    BIO_do_handshake(a);
    BIO_do_handshake(b);
    test_failed(a, (int)BIO_do_handshake(a), ONION_R_CERTIFICATE_REFUSED);
    BIO_free_all(a);
    BIO_free_all(b);
    BIO_onion_config_free(c);
    ERR_clear_error();
}
END_TEST

START_TEST(protocols_are_agreed_upon_or_refused)
{
    const unsigned char *chosen;
    unsigned int len;
    struct ends e;

    ends_new(&e, CLIENT("host = outer.example\nVerifyCAFile = ca.pem\n"
                        "alpn = h2, http/1.1\n")
                 SERVER("Certificate = outer.pem\nalpn = http/1.1\n"));
    ends_start(&e, -1);
    BIO_onion_config_free(e.s);
    e.s = NULL;
    ck_assert(ends_talk(&e));
    SSL_get0_alpn_selected(BIO_onion_get0_ssl(e.client, 1), &chosen, &len);
    ck_assert_uint_eq(len, 8);
    ck_assert_mem_eq(chosen, "http/1.1", 8);
    ends_free(&e);
    ck_assert(!talks(CLIENT("host = outer.example\nVerifyCAFile = ca.pem\n"
                            "alpn = h2\n")
                     SERVER("Certificate = outer.pem\nalpn = http/1.1\n")));
}
END_TEST

/*
 * What is wrong
 */
#define ONE "[onion]\nlayers = a\nrole = client\n[a]\n"
#define ONE_SERVER "[onion]\nlayers = a\nrole = server\n[a]\n"

static const struct {
    const char *text;
    int reason;
    const char *expected;
} wrong[] = {
    { ONE "host = x\nVerifyCAFil = ca.pem\n", ONION_R_UNKNOWN_KEY,
      "main.cnf:6: [a] VerifyCAFil: there is no such key" },
    { ONE "host = x\n\n# a\n1.alpn = h2\n", ONION_R_UNKNOWN_KEY,
      "main.cnf:8: [a] 1.alpn: there is no such key" },
    { "[onion]\n layers=a\nrole=client\n\ncolour = red\n[a]\n",
      ONION_R_UNKNOWN_KEY,
      "main.cnf:5: [onion] colour: there is no such key" },
    { ONE "host = x\nssl_conf = s\n[s]\nhost = y\n", ONION_R_UNKNOWN_KEY,
      "main.cnf:8: [s] host: there is no such command of SSL_CONF" },
    { ONE "host = \\\n x\nbad = \\\n y \\\n z\n", ONION_R_UNKNOWN_KEY,
      "main.cnf:7: [a] bad: there is no such key" },
    { "[a]\n[default]\nbad = 1\n[b]\n" ONE "bad = 2\n", ONION_R_UNKNOWN_KEY,
      "main.cnf:9: [a] bad: there is no such key" },
    { ONE ".include more.cnf\n", ONION_R_UNKNOWN_KEY,
      "main.cnf:5: [a] included: there is no such key" },
    { ONE "VerifyCAFile = none.pem\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] VerifyCAFile: No such file or directory" },
    { ONE "Certificate = me.pem\nPrivateKey = inner.pem\n",
      ONION_R_BAD_CONFIG, "main.cnf:6: [a] PrivateKey: key values mismatch" },
    { ONE "MinProtocol = TLSv9\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] MinProtocol: it cannot have this value" },
    { ONE "CipherString = NOTHING\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] CipherString: no cipher match" },
    { ONE "MinProtocol = TLSv1.3\nMaxProtocol = TLSv1.2\n",
      ONION_R_BAD_CONFIG,
      "main.cnf: [a]: its versions and ciphers leave none" },
    { ONE "RecordPadding = many\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] RecordPadding: it must be a number" },
    { ONE "VerifyMode = Require\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] VerifyMode: it cannot have this value" },
    { ONE "DHParameters = me.pem\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] DHParameters: it is for a server, and this is a "
      "client" },
    { ONE_SERVER "Certificate = me.pem\nhost = x\n", ONION_R_BAD_CONFIG,
      "main.cnf:6: [a] host: it is for a client, and this is a server" },
    { ONE "host =\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] host: it needs a name or an address" },
    { ONE "alpn = h2,,x\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] alpn: it must be names of 1 to 255 characters with "
      "commas between" },
    { ONE "verify_depth = -1\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] verify_depth: it must be a number from 0 to 100" },
    { ONE "role = both\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] role: it must be client or server" },
    { "[onion]\nlayers = a\nrole = x\n[a]\n", ONION_R_BAD_CONFIG,
      "main.cnf:3: [onion] role: it must be client or server" },
    { "[onion]\nlayers = a\n[a]\n", ONION_R_BAD_CONFIG,
      "main.cnf: [a]: it needs a role, client or server" },
    { ONE "ssl_conf = s\n", ONION_R_BAD_CONFIG,
      "main.cnf:5: [a] ssl_conf: there is no section [s]" },
    { "[onion]\n\nlayers = a, b\n[a]\nrole = client\n", ONION_R_BAD_CONFIG,
      "main.cnf:3: [onion] layers: there is no section [b]" },
    { "[onion]\nlayers =\n", ONION_R_BAD_CONFIG,
      "main.cnf:2: [onion] layers: it must be 1 to 64 names of sections, "
      "with commas between" },
    { "[onion]\nrole = client\n", ONION_R_BAD_CONFIG,
      "main.cnf: [onion]: it needs layers, a list of sections" },
    { "[other]\n", ONION_R_BAD_CONFIG,
      "main.cnf: there is no section [onion]" },
    { "", ONION_R_BAD_CONFIG, "main.cnf: there is no section [onion]" },
    { "[onion]\nlayers = a\n[a\n", ONION_R_BAD_CONFIG,
      "main.cnf:3: missing close square bracket" },
    { ONE ".include none.cnf\n", ONION_R_BAD_CONFIG,
      "main.cnf: No such file or directory" },
    { ONE_SERVER, ONION_R_BAD_CONFIG,
      "main.cnf: [a]: a server needs its Certificate" },
    { ONE_SERVER "Certificate = me.pem\nVerifyMode = Require\n",
      ONION_R_BAD_CONFIG,
      "main.cnf: [a]: it asks for certificates and trusts none; see "
      "VerifyCAFile" },
    { ONE_SERVER "Certificate = me.pem\nClientCAFile = ca.pem\n",
      ONION_R_BAD_CONFIG,
      "main.cnf: [a]: it asks for certificates and trusts none; see "
      "VerifyCAFile" },
    { ONE_SERVER "Certificate = me.pem\nVerifyCAFile = ca.pem\n"
      "VerifyMode = RequirePostHandshake\n", ONION_R_BAD_CONFIG,
      "main.cnf: [a]: a layer does not ask for a certificate after the "
      "handshake; see VerifyMode" },
    { ONE_SERVER "Certificate = ca.pem\n", ONION_R_BAD_CONFIG,
      "main.cnf: [a]: there is no PrivateKey, and none in the file of its "
      "Certificate" },
};

#define WRONG ((int)(sizeof(wrong) / sizeof(wrong[0])))

START_TEST(what_is_wrong_is_said_with_file_line_section_and_key)
{
    put("more.cnf", "included = 1\n");
    refused_as(wrong[_i].text, wrong[_i].reason, wrong[_i].expected);
}
END_TEST

static void file_refused_as(const char *expected)
{
    ck_assert_ptr_null(BIO_onion_config_load("main.cnf", NULL, NULL, NULL));
    ck_assert_str_eq(refusal(ONION_R_BAD_CONFIG), expected);
    ERR_clear_error();
}

START_TEST(a_file_that_cannot_be_read_to_its_end_is_refused)
{
    char *large = OPENSSL_zalloc(400000);
    BIO *out;

    unlink("main.cnf");
    file_refused_as("main.cnf: No such file or directory");
    memset(large, '\n', 399999);
    put("main.cnf", large);
    OPENSSL_free(large);
    file_refused_as("main.cnf: it is too long");
    out = create("main.cnf");
    BIO_write(out, ONE "host = x\n\0VerifyMode = Peer\n", 60);
    BIO_free(out);
    file_refused_as("main.cnf: it has a NUL in it");
    ck_assert_ptr_null(BIO_onion_config_load(".", NULL, NULL, NULL));
    ck_assert_str_eq(refusal(ONION_R_BAD_CONFIG), ".: Is a directory");
    ERR_clear_error();
}
END_TEST

/*
 * Keys of the application
 */
struct heard {
    char text[400];
    int answer;
};

static int hear(int layer, const char *key, const char *value,
                const char *where, void *arg)
{
    struct heard *h = arg;
    size_t len = strlen(h->text);

    snprintf(h->text + len, sizeof(h->text) - len, "%d %s=%s %s;", layer, key,
             value, where);
    return h->answer;
}

START_TEST(keys_of_the_application_are_offered_to_it_with_their_line)
{
    struct heard h = { "", 1 };

    BIO_onion_config_free(load_with("[onion]\nlayers = a\nrole = client\n"
                                    "1.listen = x\n2.listen = y\n"
                                    "[a]\nvia = proxy\n"
                                    "VerifyCAFile = ca.pem\n",
                                    NULL, hear, &h));
    ck_assert_str_eq(h.text, "0 listen=x main.cnf:4;0 listen=y main.cnf:5;"
                             "1 via=proxy main.cnf:7;");
    h.answer = -1;
    ck_assert_ptr_null(BIO_onion_config_load("main.cnf", NULL, hear, &h));
    ck_assert_str_eq(refusal(ONION_R_BAD_CONFIG), "main.cnf:4: [onion] "
                     "1.listen: the application refuses it");
    h.answer = 0;
    ck_assert_ptr_null(BIO_onion_config_load("main.cnf", NULL, hear, &h));
    ck_assert_str_eq(refusal(ONION_R_UNKNOWN_KEY), "main.cnf:4: [onion] "
                     "1.listen: there is no such key");
    ERR_clear_error();
}
END_TEST

/*
 * Whatever the file is
 */

/* Of the n-th case: a byte is another, goes, or comes twice. */
static void put_mutant(size_t n)
{
    static const char bytes[] = "\n\r =[]\\#\"'$.,:{}\t\001\xff" "a";
    const size_t kinds = sizeof(bytes) - 1 + 2;
    size_t at = n / kinds, kind = n % kinds;
    BIO *out = create("main.cnf");

    BIO_write(out, both, (int)at);
    if (kind < sizeof(bytes) - 1)
        BIO_write(out, bytes + kind, 1);
    else if (kind == sizeof(bytes))
        BIO_write(out, both + at, 1);
    if (kind == sizeof(bytes))
        BIO_write(out, both + at, 1);
    BIO_puts(out, both + at + 1);
    BIO_free(out);
}

/* What is loaded verifies; what is not is refused in words. */
static void load_mutant(void)
{
    ONION_CONFIG *c = BIO_onion_config_load("main.cnf", "client", NULL, NULL);
    int i;

    if (c == NULL) {
        ck_assert_int_eq(ERR_GET_LIB(ERR_peek_last_error()),
                         BIO_onion_error_library());
        ERR_clear_error();
        return;
    }
    test_no_error();
    for (i = 1; i <= BIO_onion_config_layers(c); i++)
        ck_assert_int_eq(SSL_CTX_get_verify_mode(
                             BIO_onion_config_get0_ctx(c, i)),
                         SSL_VERIFY_PEER);
    BIO_onion_config_free(c);
}

START_TEST(a_file_with_any_byte_wrong_is_refused_or_still_verifies)
{
    struct sweep s;

    sweep_start(&s, (sizeof(both) - 1) * 21, 300);
    while (sweep_next(&s)) {
        put_mutant(s.at);
        load_mutant();
    }
    sweep_report(&s, "files with a byte wrong", "none was weaker");
}
END_TEST

/*
 * Without memory
 */
static size_t count, fail_at;
static int armed;
static const char *only = "";   /* in the name of the file that allocates */
static int living;              /* blocks that were not freed */

static int fails(const char *file)
{
    return armed && file != NULL && strstr(file, only) != NULL
        && ++count == fail_at;
}

static void *allocate(size_t size, const char *file, int line)
{
    (void)line;
    if (fails(file))
        return NULL;
    living++;
    return malloc(size);
}

static void *reallocate(void *p, size_t size, const char *file, int line)
{
    if (p == NULL)
        return allocate(size, file, line);
    return fails(file) ? NULL : realloc(p, size);
}

static void release(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    living -= p != NULL;
    free(p);
}

static const char asking[] =
    "[client]\n"
    "layers = c_outer, c_inner\n"
    "role = client\n"
    "[c_outer]\n"
    "host = outer.example\n"
    "servername = alias.example\n"
    "alpn = h2\n"
    "ssl_conf = trust\n"
    "[c_inner]\n"
    "host = inner.example\n"
    "ssl_conf = trust\n"
    "[trust]\n"
    "VerifyCAFile = ca.pem\n";

/* The newest entry says what was the matter, of the file if it may. */
static void check_refusal(void)
{
    const char *text = "";
    unsigned long error = ERR_peek_last_error_all(NULL, NULL, NULL, &text,
                                                  NULL);

    ck_assert_int_eq(ERR_GET_LIB(error), BIO_onion_error_library());
    ck_assert_ptr_null(strstr(text, ":0:"));
    ck_assert(ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE
              || text[0] == '\0' || strncmp(text, "main.cnf", 8) == 0
              || strncmp(text, "layer ", 6) == 0
              || strncmp(text, "start", 5) == 0);
}

/* 1 if both layers were started; what was is as strong as ever. */
static int start_with_failure(size_t n)
{
    BIO *client, *server;
    ONION_CONFIG *c;
    int i, done;

    test_pair(&client, &server, 0, 0);
    count = 0;
    fail_at = n;
    armed = 1;
    c = BIO_onion_config_load("main.cnf", "client", NULL, NULL);
    done = c != NULL && BIO_onion_start_config(client, c, -1);
    armed = 0;
    for (i = 1; i <= BIO_onion_read_depth(client); i++) {
        SSL *ssl = BIO_onion_get0_ssl(client, i);

        ck_assert_int_eq(SSL_get_verify_mode(ssl), SSL_VERIFY_PEER);
        ck_assert_int_ge(SSL_get_min_proto_version(ssl), TLS1_2_VERSION);
        ck_assert_str_eq(asked_for(client, i), i == 1 ? "alias.example"
                                                      : "inner.example");
        ck_assert_str_eq(X509_VERIFY_PARAM_get0_host(SSL_get0_param(ssl), 0),
                         i == 1 ? "outer.example" : "inner.example");
    }
    if (!done)
        check_refusal();
    ERR_clear_error();
    BIO_onion_config_free(c);
    BIO_free_all(client);
    BIO_free_all(server);
    ERR_clear_error();
    return done;
}

START_TEST(any_allocation_of_a_load_and_start_may_fail)
{
    size_t completed = 0;
    struct sweep s;
    int i, before;

    put("main.cnf", asking);
    for (i = 0; i < 20; i++)            /* each place of the error queue, too */
        ck_assert_ptr_null(BIO_onion_config_load("none", NULL, NULL, NULL));
    ERR_clear_error();
    for (i = 0; i < 3; i++)
        ck_assert(start_with_failure(0));
    for (i = 1; i < 30; i++)            /* all of the first */
        start_with_failure((size_t)i);
    sweep_start(&s, count, 300);
    while (sweep_next(&s)) {
        before = living;
        completed += (size_t)start_with_failure(s.at + 1);
        if (living == before)
            continue;
        before = living;        /* what is made once was, so now nothing is */
        start_with_failure(s.at + 1);
        ck_assert_int_eq(living, before);
    }
    sweep_report(&s, "one allocation fails", "%zu completed", completed);
}
END_TEST

/* Of this library, and of what makes an SSL. */
START_TEST(no_load_and_start_is_done_without_all_its_memory)
{
    size_t n;

    put("main.cnf", asking);
    ck_assert(start_with_failure(0));   /* what is made once */
    only = "onion_config";
    for (n = 1; !start_with_failure(n); n++)
        ck_assert_uint_ge(count, n);
    ck_assert_uint_lt(count, n);        /* none has failed */
    ck_assert_uint_gt(n, 5);
    only = "ssl_lib.c";
    for (n = 1; n == 1 || n - 1 <= count; n++)
        start_with_failure(n);
    only = "";
}
END_TEST

/* 1 if it was refused, with the line. */
static int refused_with_failure(size_t n)
{
    const char *text = "";
    int flags, told;

    count = 0;
    fail_at = n;
    armed = 1;
    ck_assert_ptr_null(BIO_onion_config_load("main.cnf", NULL, NULL, NULL));
    armed = 0;
    check_refusal();
    ERR_peek_last_error_data(&text, &flags);
    told = strncmp(text, "main.cnf:3:", 11) == 0;
    ERR_clear_error();
    return told;
}

START_TEST(a_refusal_without_memory_is_one)
{
    int told = 0, before;
    size_t n;

    put("main.cnf", "[onion]\nlayers = a\ncolour = red\n[a]\n");
    ck_assert(refused_with_failure(0));
    for (n = 1; n == 1 || n - 1 <= count; n++) {
        before = living;
        told += refused_with_failure(n);
        if (living == before)
            continue;
        before = living;        /* what is made once was, so now nothing is */
        refused_with_failure(n);
        ck_assert_int_eq(living, before);
    }
    ck_assert_int_gt(told, 0);
}
END_TEST

/*
 * The first one of a process, which is made for that: no line can be told, by
 * that process, any more.
 */
START_TEST(a_first_refusal_without_memory_is_one_without_a_line)
{
    pid_t child;
    int status, told;

    put("main.cnf", "[onion]\nlayers = a\ncolour = red\n[a]\n");
    fflush(NULL);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        only = "bio_meth.c";
        told = refused_with_failure(1);
        exit(count > 0 && told);        /* without names of files it has none */
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    Suite *suite;
    TCase *tc;

    if (!CRYPTO_set_mem_functions(allocate, reallocate, release))
        return 99;
    suite = suite_create("config");
    tc = test_case(suite, "first");
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc, a_first_refusal_without_memory_is_one_without_a_line);
    tc = test_case(suite, "both ends");
    tcase_add_checked_fixture(tc, begin, end);
    tcase_add_test(tc,
        a_file_describes_all_layers_of_both_ends_outermost_first);
    tcase_add_test(tc, layers_are_started_up_to_a_depth_and_never_too_many);
    tcase_add_test(tc, a_start_past_the_maximum_depth_starts_nothing);
    tcase_add_loop_test(tc, a_start_that_is_refused_keeps_nothing, 0, 3);
    tcase_add_test(tc, no_host_has_a_name_of_256_bytes);
    tcase_add_test(tc,
        a_configuration_serves_many_connections_and_may_go_before_them);
    tcase_add_test(tc, a_client_verifies_chain_and_name_without_being_told);
    tcase_add_test(tc,
        a_name_to_ask_for_does_not_change_the_one_that_is_expected);
    tcase_add_test(tc, a_server_that_trusts_clients_demands_a_certificate);
    tcase_add_test(tc, no_version_below_tls_1_2_is_spoken_unless_it_is_named);
    tcase_add_test(tc, a_host_may_come_with_the_connection_but_not_be_left_out);
    tcase_add_test(tc, protocols_are_agreed_upon_or_refused);
    tcase_add_loop_test(tc, the_depth_of_a_chain_is_limited, 0, 3);
    tcase_add_loop_test(tc, a_list_of_protocols_has_a_limit, 0, 2);
    tc = test_case(suite, "wrong");
    tcase_add_checked_fixture(tc, begin, end);
    sweep_timeout(tc);
    tcase_add_loop_test(tc,
        what_is_wrong_is_said_with_file_line_section_and_key, 0, WRONG);
    tcase_add_test(tc, a_file_that_cannot_be_read_to_its_end_is_refused);
    tcase_add_test(tc,
        keys_of_the_application_are_offered_to_it_with_their_line);
    tcase_add_test(tc, a_file_with_any_byte_wrong_is_refused_or_still_verifies);
    tcase_add_test(tc, any_allocation_of_a_load_and_start_may_fail);
    tcase_add_test(tc, no_load_and_start_is_done_without_all_its_memory);
    tcase_add_test(tc, a_refusal_without_memory_is_one);
    return test_main(suite);
}
