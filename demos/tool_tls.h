/*
 * tool_tls.h - what each group of options means to OpenSSL.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A group is named by its number in GROUPS, -1 being the defaults; a layer by
 * its number in the stack, 1 being the outermost.
 */

#ifndef TOOL_TLS_H
# define TOOL_TLS_H

# include <openssl/ssl.h>
# include "tool_alpn.h"
# include "tool_options.h"
# include "tool_psk.h"
# include "tool_session.h"
# include "tool_status.h"
# include "tool_ticket.h"
# include "tool_verify.h"

/* What was made of a group, for all layers that it is used for. */
typedef struct tls_group_st {
    SSL_CTX *ctx;
    int described;          /* the number of its layer in -config, or 0 */
    VERIFY verify;
    ALPN alpn;
    PSK psk;
    SESSION session;
    STATUS status;
    TICKET_KEYS tickets;
} TLS_GROUP;

/*
 * Loaded once, at the start: nothing is read from a file after that. It must
 * stay where it is.
 */
typedef struct tls_layers_st {
    const GROUPS *groups;
    TLS_GROUP *group;           /* number n at n + 1; NULL if not loaded */
} TLS_LAYERS;

/* 1; or 0, and what is wrong has been reported. To be freed in both cases. */
int tls_load(TLS_LAYERS *t, const GROUPS *groups);
void tls_free(TLS_LAYERS *t);

/* From now on each group offers the newest session of a layer (-reconnect). */
void tls_keep_sessions(TLS_LAYERS *t);

/* TLS servers promise to read early data, as much as -max_early_data says. */
void tls_allow_early(TLS_LAYERS *t);

/* 1 if a group has -pin. */
int tls_has_pins(const TLS_LAYERS *t);

/*
 * The group of a layer that is started by a verb or a command: the layer-th
 * that -layer has opened, or the last of them; -1 if there is none.
 */
int tls_group_of_layer(const TLS_LAYERS *t, int layer);

/* 1 if the group has what a TLS server needs: a certificate, or -psk. */
int tls_can_serve(const TLS_LAYERS *t, int group);

/* 1 unless the layer is described in a file as one of a server. */
int tls_can_connect(const TLS_LAYERS *t, int group);

/* For BIO_onion_start_tls(); NULL with the reason in the error queue. */
SSL *tls_new_server(const TLS_LAYERS *t, int group, int layer);

/*
 * The same for a TLS client. The certificate must be for -verify_hostname and
 * -verify_ip, or else -servername, or else host, which may be NULL: then any
 * name is good, but the chain is verified. With -insecure nothing is but -pin.
 */
SSL *tls_new_client(const TLS_LAYERS *t, int group, int layer,
                    const char *host);

/*
 * To be called when the handshake of a layer is done, before anything is read
 * or written in it; peer, for reports, is who is at its other end. Looks once
 * more whether the key of the peer is one of -pin, which nobody has if a
 * session was resumed; and shows what -status has asked for. 1; or 0: the layer
 * must not be used (TOOL_TLS), which has been reported.
 */
int tls_greet(const TLS_LAYERS *t, int group, SSL *ssl, int layer,
              const char *peer);

#endif
