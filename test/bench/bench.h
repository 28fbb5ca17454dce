/*
 * bench.h - what the files of the bench share.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A peer is a way to have layers of TLS inside each other: ours, and those of
 * others. It says how to open two ends that have shaken hands in each layer,
 * how to write, and how to read what has come; what is measured, and how often,
 * is the same for all. Nothing here returns a failure: bench_stop() ends it.
 */

#ifndef BENCH_H
# define BENCH_H

# include <stddef.h>
# include <openssl/bio.h>
# include <openssl/ssl.h>

# define BENCH_DEPTH_MAX        8
# define BENCH_SIZE_MAX         (256 * 1024)

/* What has gone by, of both ends of a peer over memory. */
typedef struct bench_counts_st {
    long writes, reads;         /* calls of the transport */
    long bytes;                 /* on the wire */
    long records;               /* sealed in all layers; -1: not known */
} BENCH_COUNTS;

typedef struct bench_peer_st {
    const char *name;
    /* Both ends over memory, in one thread. */
    void (*open)(void *end[2], int depth);
    /* One end over a connected socket that blocks; NULL if there is none. */
    void *(*open_fd)(int fd, int client, int depth);
    void (*put)(void *end, const void *data, int len);
    /* 1: what is put may wait; 0: all has to go. NULL: nothing waits. */
    void (*gather)(void *end, int on);
    /* What is there, at most len: 0 if that is nothing yet. */
    int (*get)(void *end, void *data, int len);
    /* Adds what this end has counted since it was opened. */
    void (*count)(void *end, BENCH_COUNTS *counts);
    void (*close)(void *end);
    /* In place of all of these: a program of its own; see bench_program.c. */
    const char *program;
} BENCH_PEER;

/* Those that this build has; ours is the first, BIO_f_ssl() the second. */
extern const BENCH_PEER *const bench_peers[];
extern const int bench_n_peers;

extern const BENCH_PEER bench_stack;
extern const BENCH_PEER bench_bio_ssl;
extern const BENCH_PEER bench_membio;
extern const BENCH_PEER bench_gnutls;
extern const BENCH_PEER bench_libevent;
extern const BENCH_PEER bench_go;
extern const BENCH_PEER bench_twisted;

_Noreturn void bench_stop(const char *format, ...);
void *bench_new(size_t len);     /* zeroed; stops rather than fails */
double bench_cpu(void);         /* of this process, in seconds */
double bench_clock(void);       /* seconds */
const unsigned char *bench_data(void);  /* BENCH_SIZE_MAX bytes */

/*
 * bench_tls.c: TLS 1.3, AES-128-GCM, one certificate, nothing verified.
 */
SSL *bench_ssl(int client);
const char *bench_certificate_pem(void);
const char *bench_key_pem(void);
/* Counts the records that ssl seals from now on. */
void bench_count_records(SSL *ssl, long *records);

/*
 * bench_wire.c: what a peer has for its transport: memory, or a socket.
 */
typedef struct bench_queue_st BENCH_QUEUE;

typedef struct bench_wire_st {
    BENCH_QUEUE *in, *out;      /* NULL over a socket */
    int fd;                     /* -1 over memory */
    long writes, reads, bytes;
} BENCH_WIRE;

void bench_wire_pair(BENCH_WIRE *a, BENCH_WIRE *b);
void bench_wire_of_fd(BENCH_WIRE *w, int fd);
/* Drops what a pair shares; a pair is closed end by end. */
void bench_wire_close(BENCH_WIRE *w);
int bench_wire_write(BENCH_WIRE *w, const void *data, int len);
int bench_wire_read(BENCH_WIRE *w, void *data, int len);    /* 0: nothing */
void bench_wire_count(const BENCH_WIRE *w, BENCH_COUNTS *counts);
BIO *bench_wire_bio(BENCH_WIRE *w);

/*
 * bench_load.c: what is sent.
 */
typedef struct bench_load_st {
    const char *name;
    int size;                   /* of a put */
    int count;                  /* writes in a run, at depth 1 */
    int answered;               /* each is answered with as much */
    int burst;                  /* so many puts to a write, or 0 for one */
} BENCH_LOAD;

/* Sends count writes; stops unless all came. check: and as they were. */
void bench_load_send(const BENCH_PEER *peer, void *const end[2],
                     const BENCH_LOAD *load, int count, int check);
/* The same for a profiler, which looks for the other two by their names. */
void bench_load_profile(const BENCH_PEER *peer, void *const end[2],
                        const BENCH_LOAD *load, int count);
void bench_profile_put(const BENCH_PEER *peer, void *end, int size);
void bench_profile_get(const BENCH_PEER *peer, void *end, int size);
/* Seals and opens the same, depth times. CPU seconds. */
double bench_limit(const BENCH_LOAD *load, int depth, int count);

/*
 * bench_program.c: a peer in a program of its own.
 */
typedef struct bench_program_st BENCH_PROGRAM;

BENCH_PROGRAM *bench_program_open(const BENCH_PEER *peer, const char *mode,
                                  int depth);   /* NULL: it is missing */
double bench_program_send(BENCH_PROGRAM *p, const BENCH_LOAD *load, int count);
void bench_program_close(BENCH_PROGRAM *p);

/*
 * bench_stats.c: the figures of a cell, and where they are written.
 */
typedef struct bench_stats_st {
    double v[512];
    int n;
} BENCH_STATS;

void bench_stats_add(BENCH_STATS *s, double v);
double bench_stats_at(BENCH_STATS *s, double part);     /* 0.5: the median */
void bench_stats_print(BENCH_STATS *s, int decimals);
/* A line for bench-plot: what, peer, depth, min, median, max. */
void bench_stats_save(BENCH_STATS *s, const char *what, const char *peer,
                      int depth);

/*
 * bench_tcp.c: a server in a process of its own, on a port of 127.0.0.1.
 */
typedef struct bench_server_st {
    int pid;
    int port;
    int control[2];             /* to read from it, to write to it */
} BENCH_SERVER;

/* serve() runs in the new process, which ends when it returns. */
void bench_server_start(BENCH_SERVER *s,
                        void (*serve)(int listener, int control[2], void *arg),
                        void *arg);
int bench_server_connect(const BENCH_SERVER *s);
void bench_server_stop(BENCH_SERVER *s);
int bench_accept(int listener);

/*
 * The sections; each prints its table.
 */
void bench_memory(const BENCH_LOAD *load, int sets, int rounds);
void bench_counts(const BENCH_LOAD *load);
void bench_sockets(const BENCH_LOAD *load, int rounds);
void bench_setup(int rounds);
void bench_idle(int connections);
void bench_bare_transport(int sets, int rounds);

static const int bench_depths[] = { 1, 2, 3, 4, 8 };
# define BENCH_DEPTHS           ((int)(sizeof(bench_depths) / sizeof(int)))

#endif
