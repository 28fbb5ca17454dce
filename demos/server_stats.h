/*
 * server_stats.h - what the server counts, for Prometheus.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#ifndef SERVER_STATS_H
# define SERVER_STATS_H

# include <stdint.h>
# include <openssl/ssl.h>

typedef enum {
    TIMEOUT_HANDSHAKE,
    TIMEOUT_STALL,
    TIMEOUT_IDLE,
    TIMEOUT_KINDS
} TIMEOUT_KIND;

# define STATS_REASONS 10

typedef struct stats_st {
    unsigned long open, total, refused;
    unsigned long layers, handshakes, resumed, early;
    unsigned long failed[STATS_REASONS];    /* as in stats_reason() */
    unsigned long timeouts[TIMEOUT_KINDS];
    uint64_t in, out;
} STATS;

/* A connection has begun; its number, from 1 on. */
unsigned long stats_connection(STATS *s);
void stats_connection_end(STATS *s);
/* What the callback of a stack was told; reason is for ONION_EVENT_FAILED. */
void stats_layer(STATS *s, int event, int reason, const SSL *ssl);
void stats_bytes(STATS *s, uint64_t in, uint64_t out);
void stats_timeout(STATS *s, TIMEOUT_KIND kind);

/* Why a layer has failed, in a word or two, for an ONION_R_* reason. */
const char *stats_reason(int reason);

#endif
