/*
 * tool_layer_table.c - the options of a layer, and what they have to do with
 * each other.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <openssl/ssl.h>
#include "tool_layer.h"

#define OF(field) offsetof(LAYER_OPTIONS, field)

const OPTION layer_table[] = {
    OPTION_TITLE("What a layer shows to its peer:"),
    { "cert", OPTION_LIST, OF(cert), 0, 0, "file",
      "certificate and chain in PEM, DER or PKCS #12; several\n"
      "for keys of several kinds" },
    { "key", OPTION_LIST, OF(key), 0, 0, "file",
      "its private key (default: in the file of -cert); the\n"
      "n-th is for the n-th -cert" },
    { "cert_chain", OPTION_LIST, OF(cert_chain), 0, 0, "file",
      "more certificates of its chain; the n-th is for the\n"
      "n-th -cert" },
    { "pass", OPTION_STRING, OF(pass), 0, 0, "source",
      "of the pass phrase of keys that are encrypted:\n"
      "pass:WORD, env:NAME, file:NAME, fd:N or stdin\n"
      "(default: the terminal, if there is one)" },

    OPTION_TITLE("Whom it believes:"),
    { "CAfile", OPTION_STRING, OF(cafile), 0, 0, "file",
      "PEM certificates to trust (default: the system's)" },
    { "CApath", OPTION_STRING, OF(capath), 0, 0, "dir",
      "the same, in a directory with hashed names" },
    { "CAstore", OPTION_STRING, OF(castore), 0, 0, "URI",
      "the same, in a store" },
    { "no-CAfile", OPTION_SET, OF(no_cafile), 0, 1, NULL,
      "not those in the file of the system" },
    { "no-CApath", OPTION_SET, OF(no_capath), 0, 1, NULL,
      "not those in the directory of the system" },
    { "no-CAstore", OPTION_SET, OF(no_castore), 0, 1, NULL,
      "not those in the store of the system" },
    { "verify_depth", OPTION_NUMBER, OF(verify_depth), 0, 100, "n",
      "at most n certificates between the peer's and one to\n"
      "trust" },
    { "pin", OPTION_LIST, OF(pin), 0, 0, "sha256//key",
      "the public key of the peer must have this SHA-256 in\n"
      "base64, as for curl --pinnedpubkey; or one of several" },
    { "verify", OPTION_NUMBER_OR_SET, OF(verify), 0, VERIFY_ASKED,
      "[depth]", "as TLS server: ask for a certificate; one that is\n"
      "shown must verify" },
    { "Verify", OPTION_NUMBER_OR_SET, OF(verify), 0, VERIFY_REQUIRED,
      "[depth]", "the same, and one must be shown" },

    OPTION_TITLE("As TLS client, who must be there:"),
    { "servername", OPTION_STRING, OF(servername), 0, 0, "name",
      "the name to ask for (default: that of the host), and\n"
      "that the certificate must be for" },
    { "noservername", OPTION_SET, OF(noservername), 0, 1, NULL,
      "ask for no name" },
    { "verify_hostname", OPTION_STRING, OF(verify_hostname), 0, 0, "name",
      "the name or address that the certificate must be for" },
    { "verify_ip", OPTION_STRING, OF(verify_ip), 0, 0, "address",
      "the address that the certificate must be for" },
    { "verify_return_error", OPTION_SET, OF(verify_return_error), 0, 1, NULL,
      "end the handshake if it does not verify (always so)" },
    { "insecure", OPTION_SET, OF(insecure), 0, 1, NULL,
      "verify neither chain nor name; with -pin, the key only" },

    OPTION_TITLE("How it talks:"),
    { "tls1_2", OPTION_SET, OF(version), 0, TLS1_2_VERSION, NULL,
      "TLS 1.2 only" },
    { "tls1_3", OPTION_SET, OF(version), 0, TLS1_3_VERSION, NULL,
      "TLS 1.3 only" },
    { "alpn", OPTION_STRING, OF(alpn), 0, 0, "list",
      "protocols to talk inside, separated by commas, the\n"
      "preferred one first; a server takes no others" },
    { "max_send_frag", OPTION_NUMBER, OF(max_send_frag), 512, 16384, "n",
      "the most bytes in a record" },
    { "status", OPTION_SET, OF(status), 0, 1, NULL,
      "as TLS client: ask for the OCSP status of the\n"
      "certificate, and show it" },
    { "status_file", OPTION_STRING, OF(status_file), 0, 0, "file",
      "as TLS server: an OCSP response, in DER, to give" },

    OPTION_TITLE("What it shares with its peer beforehand:"),
    { "psk", OPTION_STRING, OF(psk), 0, 0, "hex",
      "a pre-shared key" },
    { "psk_identity", OPTION_STRING, OF(psk_identity), 0, 0, "name",
      "its name (default: Client_identity)" },
    { "sess_out", OPTION_STRING, OF(sess_out), 0, 0, "file",
      "as TLS client: write the session there, to be resumed" },
    { "sess_in", OPTION_STRING, OF(sess_in), 0, 0, "file",
      "as TLS client: offer the session in there" },
    { "ticket_keys", OPTION_LIST, OF(ticket_keys), 0, 0, "file",
      "as TLS server: keys of 80 bytes for session tickets,\n"
      "raw as of nginx or lines of base64 as of haproxy; the\n"
      "first encrypts, all decrypt" },
    { "max_early_data", OPTION_NUMBER, OF(max_early_data), 0, 1 << 30, "n",
      "as TLS server: the bytes of early data to take, with\n"
      "-early or -early_data (default 16384; 0: none)" },

    OPTION_TITLE("To the proxy of a hop:"),
    { "proxy_user", OPTION_STRING, OF(proxy_user), 0, 0, "user",
      "the name of the user" },
    { "proxy_pass", OPTION_STRING, OF(proxy_pass), 0, 0, "source",
      "of the password of the user, as for -pass" },
    { "proxy_header", OPTION_LIST, OF(proxy_header), 0, 0, "line",
      "one more line in the head of CONNECT" },
    OPTION_TITLE("To the server of a -starttls:"),
    { "name", OPTION_STRING, OF(name), 0, 0, "name",
      "the name to give, or with xmpp to ask for" },
    OPTION_END
};

/*
 * Options that mean something only together, or not at all together: a group
 * that has one of them takes none of the others from the defaults.
 */
#define FAMILY_MAX  8
static const char *const families[][FAMILY_MAX] = {
    { "cert", "key", "cert_chain", "pass" },
    { "CAfile", "CApath", "CAstore", "no-CAfile", "no-CApath", "no-CAstore" },
    { "verify", "Verify" },
    { "servername", "noservername" },
    { "verify_hostname", "verify_ip", "verify_return_error", "insecure" },
    { "tls1_2", "tls1_3" },
    { "psk", "psk_identity" },
    { "proxy_user", "proxy_pass" },
};

int layer_is_of_hop(const OPTION *o)
{
    return o->kind != OPTION_HEADING && o->offset >= OF(proxy_user)
        && o->offset <= OF(name);
}

const char *const *layer_family(const char *name)
{
    size_t i;
    int j;

    for (i = 0; i < sizeof(families) / sizeof(families[0]); i++)
        for (j = 0; j < FAMILY_MAX && families[i][j] != NULL; j++)
            if (strcmp(families[i][j], name) == 0)
                return families[i];
    return NULL;
}

const LAYER_PAIR layer_contradictions[] = {
    { "insecure", "verify_hostname" },
    { "insecure", "verify_ip" },
    { "insecure", "verify_return_error" },
    { "noservername", "servername" },
    { "pin", "psk" },
    { "no-CAfile", "CAfile" },
    { "no-CApath", "CApath" },
    { "no-CAstore", "CAstore" },
    { NULL, NULL }
};

const LAYER_PAIR layer_needs[] = {
    { "key", "cert" },
    { "cert_chain", "cert" },
    { "pass", "cert" },
    { "psk_identity", "psk" },
    { NULL, NULL }
};
