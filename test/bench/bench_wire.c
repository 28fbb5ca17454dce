/*
 * bench_wire.c - the transport of the bench: memory, or a socket.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Memory is a queue each way, into which and out of which bytes are copied
 * once, as a socket does. It counts calls and bytes.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "bench.h"

#define QUEUE_SIZE (2 * 1024 * 1024)

struct bench_queue_st {
    size_t off, len;
    int ends;                   /* that still use it */
    unsigned char data[QUEUE_SIZE];
};

/* Not from malloc(), by which is measured what a peer holds. */
static BENCH_QUEUE *queue_new(void)
{
    BENCH_QUEUE *q = mmap(NULL, sizeof(*q), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (q == MAP_FAILED)
        bench_stop("out of memory");
    q->off = q->len = 0;
    q->ends = 2;
    return q;
}

static void queue_drop(BENCH_QUEUE *q)
{
    if (q != NULL && --q->ends == 0)
        munmap(q, sizeof(*q));
}

void bench_wire_pair(BENCH_WIRE *a, BENCH_WIRE *b)
{
    memset(a, 0, sizeof(*a));
    memset(b, 0, sizeof(*b));
    a->fd = b->fd = -1;
    a->out = b->in = queue_new();
    b->out = a->in = queue_new();
}

void bench_wire_of_fd(BENCH_WIRE *w, int fd)
{
    memset(w, 0, sizeof(*w));
    w->fd = fd;
}

void bench_wire_close(BENCH_WIRE *w)
{
    queue_drop(w->in);
    queue_drop(w->out);
    if (w->fd >= 0)
        close(w->fd);
    w->in = w->out = NULL;
    w->fd = -1;
}

static int fd_write(int fd, const char *data, int len)
{
    int done = 0;
    ssize_t n;

    while (done < len) {
        n = write(fd, data + done, (size_t)(len - done));
        if (n <= 0 && errno != EINTR)
            bench_stop("write: %s", strerror(errno));
        done += n > 0 ? (int)n : 0;
    }
    return len;
}

int bench_wire_write(BENCH_WIRE *w, const void *data, int len)
{
    BENCH_QUEUE *q = w->out;

    w->writes++;
    w->bytes += len;
    if (q == NULL)
        return fd_write(w->fd, data, len);
    if (q->len == 0)
        q->off = 0;
    if (q->off + q->len + (size_t)len > QUEUE_SIZE) {
        memmove(q->data, q->data + q->off, q->len);
        q->off = 0;
    }
    if (q->len + (size_t)len > QUEUE_SIZE)
        bench_stop("the queue is full");
    memcpy(q->data + q->off + q->len, data, (size_t)len);
    q->len += (size_t)len;
    return len;
}

static int fd_read(int fd, void *data, int len)
{
    ssize_t n;

    do {
        n = read(fd, data, (size_t)len);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        bench_stop("read: %s", n == 0 ? "end of file" : strerror(errno));
    return (int)n;
}

int bench_wire_read(BENCH_WIRE *w, void *data, int len)
{
    BENCH_QUEUE *q = w->in;

    if (q == NULL) {
        w->reads++;
        return fd_read(w->fd, data, len);
    }
    if ((size_t)len > q->len)
        len = (int)q->len;
    w->reads += len > 0;
    memcpy(data, q->data + q->off, (size_t)len);
    q->off += (size_t)len;
    q->len -= (size_t)len;
    return len;
}

void bench_wire_count(const BENCH_WIRE *w, BENCH_COUNTS *counts)
{
    counts->writes += w->writes;
    counts->reads += w->reads;
    counts->bytes += w->bytes;
}

/*
 * The same as a BIO
 */

static int wire_write(BIO *b, const char *data, int len)
{
    BIO_clear_retry_flags(b);
    return bench_wire_write(BIO_get_data(b), data, len);
}

static int wire_read(BIO *b, char *data, int len)
{
    int n = bench_wire_read(BIO_get_data(b), data, len);

    BIO_clear_retry_flags(b);
    if (n > 0)
        return n;
    BIO_set_retry_read(b);
    return -1;
}

static long wire_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    const BENCH_WIRE *w = BIO_get_data(b);

    (void)num;
    (void)ptr;
    if (cmd == BIO_CTRL_PENDING)
        return w->in == NULL ? 0 : (long)w->in->len;
    return cmd == BIO_CTRL_FLUSH;
}

BIO *bench_wire_bio(BENCH_WIRE *w)
{
    static BIO_METHOD *method;
    BIO *b;

    if (w->fd >= 0)
        return BIO_new_socket(w->fd, BIO_NOCLOSE);
    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                              "bench wire");
        BIO_meth_set_write(method, wire_write);
        BIO_meth_set_read(method, wire_read);
        BIO_meth_set_ctrl(method, wire_ctrl);
    }
    b = BIO_new(method);
    BIO_set_data(b, w);
    BIO_set_init(b, 1);
    return b;
}
