/*
 * server_stats.c - what the server counts, for Prometheus.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <inttypes.h>
#include <string.h>
#include "bio_onion.h"
#include "server_conn.h"
#include "server_http.h"

static const struct {
    int reason;
    const char *word;
} reasons[STATS_REASONS] = {
    { ONION_R_HANDSHAKE_FAILED, "handshake" },
    { ONION_R_CERTIFICATE_REFUSED, "certificate" },
    { ONION_R_SESSION_MISMATCH, "session" },
    { ONION_R_TRUNCATED, "truncated" },
    { ONION_R_LAYER_FAILED, "record" },
    { ONION_R_BELOW_FAILED, "below" },
    { ONION_R_TRANSPORT_FAILED, "transport" },
    { ONION_R_TOO_MUCH_UNSENT, "unsent" },
    { ONION_R_MIN_DEPTH, "depth" },
    { 0, "other" }
};

static int reason_index(int reason)
{
    int i = 0;

    while (reasons[i].reason != 0 && reasons[i].reason != reason)
        i++;
    return i;
}

const char *stats_reason(int reason)
{
    return reasons[reason_index(reason)].word;
}

/* Counting
 * --------
 */

unsigned long stats_connection(STATS *s)
{
    s->open++;
    return ++s->total;
}

void stats_connection_end(STATS *s)
{
    s->open--;
}

void stats_layer(STATS *s, int event, int reason, const SSL *ssl)
{
    switch (event) {
    case ONION_EVENT_STARTED:
        s->layers++;
        break;
    case ONION_EVENT_HANDSHAKE:
        s->handshakes++;
        s->resumed += SSL_session_reused(ssl) != 0;
        s->early += SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED;
        break;
    case ONION_EVENT_FAILED:
        s->failed[reason_index(reason)]++;
        break;
    default:
        break;
    }
}

void stats_bytes(STATS *s, uint64_t in, uint64_t out)
{
    s->in += in;
    s->out += out;
}

void stats_timeout(STATS *s, TIMEOUT_KIND kind)
{
    s->timeouts[kind]++;
}

/* The text
 * --------
 */

static void put_head(BIO *out, const char *name, const char *type,
                     const char *help)
{
    BIO_printf(out, "# HELP onion_%s %s\n# TYPE onion_%s %s\n", name, help,
               name, type);
}

static void put(BIO *out, const char *name, const char *type, uint64_t n,
                const char *help)
{
    put_head(out, name, type, help);
    BIO_printf(out, "onion_%s %" PRIu64 "\n", name, n);
}

static void put_failed(BIO *out, const STATS *s)
{
    int i;

    put_head(out, "layers_failed_total", "counter",
             "Layers that have failed, by the reason of the failure.");
    for (i = 0; i < STATS_REASONS; i++)
        BIO_printf(out, "onion_layers_failed_total{reason=\"%s\"} %lu\n",
                   reasons[i].word, s->failed[i]);
}

static void put_timeouts(BIO *out, const STATS *s)
{
    static const char *const word[TIMEOUT_KINDS] = {
        "handshake", "stall", "idle"
    };
    int i;

    put_head(out, "timeouts_total", "counter",
             "Connections that had no time left, by what they did.");
    for (i = 0; i < TIMEOUT_KINDS; i++)
        BIO_printf(out, "onion_timeouts_total{kind=\"%s\"} %lu\n", word[i],
                   s->timeouts[i]);
}

static void put_all(BIO *out, const STATS *s)
{
    put(out, "connections_open", "gauge", s->open,
        "Connections that are open.");
    put(out, "connections_total", "counter", s->total,
        "Connections that were accepted.");
    put(out, "connections_refused_total", "counter", s->refused,
        "Connections that were refused: there were -max_conns.");
    put(out, "layers_started_total", "counter", s->layers,
        "Layers of TLS that were started.");
    put_failed(out, s);
    put(out, "handshakes_total", "counter", s->handshakes,
        "Handshakes that were completed.");
    put(out, "handshakes_resumed_total", "counter", s->resumed,
        "Those of them that resumed a session.");
    put(out, "handshakes_early_total", "counter", s->early,
        "Those of them whose early data was accepted.");
    put(out, "received_bytes_total", "counter", s->in,
        "Bytes received, as they are on the network.");
    put(out, "sent_bytes_total", "counter", s->out,
        "Bytes sent, as they are on the network.");
    put_timeouts(out, s);
}

static int answer(CONN *c, HTTP *h)
{
    BIO *body;

    if (strcmp(h->request.target, "/metrics") != 0)
        return http_refuse(h, 404, "");
    body = BIO_new(BIO_s_mem());
    if (body != NULL)
        put_all(body, &c->server->stats);
    return http_reply(h, 200, "text/plain; version=0.0.4; charset=utf-8",
                      body);
}

static int begin(CONN *c)
{
    return http_begin(c, answer);
}

const MODE mode_stats = {
    "stats", begin, http_run, http_late, http_doing, http_end
};
