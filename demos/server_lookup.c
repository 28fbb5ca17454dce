/*
 * server_lookup.c - finds the addresses of names while the server goes on.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * getaddrinfo() waits for as long as it likes, so it does in threads of its
 * own. A question is the loop's until it is in the queue and again when it was
 * collected; in between the thread that took it out of the queue has it. One
 * that nobody asks any more is not looked up.
 */

#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "server_lookup.h"

#define THREADS_MAX 8

struct lookup_st {
    NET_PLACE place;
    LOOKUPS *lookups;
    CONN *conn;             /* NULL: nobody wants the answer; under the lock */
    struct addrinfo *list;
    int error;
    int done;               /* it was collected */
    LOOKUP *next;
};

struct lookups_st {
    int pipe[2];            /* of answers: pointers to LOOKUP */
    pthread_mutex_t lock;   /* for what follows */
    pthread_cond_t asked;
    LOOKUP *first, **last;  /* questions that no thread has taken */
    int threads, idle;
};

LOOKUPS *lookups_new(void)
{
    LOOKUPS *l = OPENSSL_zalloc(sizeof(*l));

    if (l == NULL || pipe(l->pipe) == -1
        || fcntl(l->pipe[0], F_SETFL, O_NONBLOCK) == -1) {
        OPENSSL_free(l);
        return NULL;
    }
    fcntl(l->pipe[0], F_SETFD, FD_CLOEXEC);
    fcntl(l->pipe[1], F_SETFD, FD_CLOEXEC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->asked, NULL);
    l->last = &l->first;
    return l;
}

int lookups_fd(const LOOKUPS *l)
{
    return l->pipe[0];
}

/* The threads
 * -----------
 */

static LOOKUP *next_question(LOOKUPS *l, int *wanted)
{
    LOOKUP *q;

    pthread_mutex_lock(&l->lock);
    l->idle++;
    while (l->first == NULL)
        pthread_cond_wait(&l->asked, &l->lock);
    l->idle--;
    q = l->first;
    l->first = q->next;
    if (l->first == NULL)
        l->last = &l->first;
    *wanted = q->conn != NULL;
    pthread_mutex_unlock(&l->lock);
    return q;
}

static void *find_names(void *arg)
{
    LOOKUPS *l = arg;
    struct addrinfo hints;
    int wanted;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    for (;;) {
        LOOKUP *q = next_question(l, &wanted);

        q->error = wanted ? getaddrinfo(q->place.host, q->place.port, &hints,
                                        &q->list) : EAI_AGAIN;
        if (q->error != 0)
            q->list = NULL;
        /* Less than PIPE_BUF: all of it or, when the server ends, nothing. */
        (void)!write(l->pipe[1], &q, sizeof(q));
    }
    return NULL;
}

/* Signals are for the thread of the loop. */
static int start_thread(LOOKUPS *l)
{
    sigset_t all, old;
    pthread_t thread;
    int ok;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ok = pthread_create(&thread, NULL, find_names, l) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ok)
        pthread_detach(thread);
    return ok;
}

/* 1 if a thread will take the question that was added. */
static int ask(LOOKUPS *l, LOOKUP *q)
{
    int ok;

    pthread_mutex_lock(&l->lock);
    if (l->idle == 0 && l->threads < THREADS_MAX)
        l->threads += start_thread(l);
    ok = l->threads > 0;
    if (ok) {
        *l->last = q;
        l->last = &q->next;
        pthread_cond_signal(&l->asked);
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

/* The loop
 * --------
 */

LOOKUP *lookup_start(LOOKUPS *l, const NET_PLACE *place, CONN *c)
{
    LOOKUP *q = OPENSSL_zalloc(sizeof(*q));

    if (q == NULL)
        return NULL;
    q->place = *place;
    q->lookups = l;
    q->conn = c;
    if (ask(l, q))
        return q;
    OPENSSL_free(q);
    return NULL;
}

static void discard(LOOKUP *q)
{
    if (q->list != NULL)
        freeaddrinfo(q->list);
    OPENSSL_free(q);
}

void lookups_collect(LOOKUPS *l, void (*found)(CONN *c, void *arg), void *arg)
{
    LOOKUP *q;

    while (read(l->pipe[0], &q, sizeof(q)) == (ssize_t)sizeof(q)) {
        q->done = 1;
        if (q->conn == NULL)
            discard(q);
        else
            found(q->conn, arg);
    }
}

int lookup_is_done(const LOOKUP *q)
{
    return q->done;
}

struct addrinfo *lookup_take(LOOKUP *q, int *error)
{
    struct addrinfo *list = q->list;

    *error = q->error;
    q->list = NULL;
    return list;
}

void lookup_free(LOOKUP *q)
{
    if (q == NULL)
        return;
    if (q->done) {
        discard(q);
        return;
    }
    pthread_mutex_lock(&q->lookups->lock);
    q->conn = NULL;
    pthread_mutex_unlock(&q->lookups->lock);
}
