/*
 * onion_layer.c - the BIO of one TLS layer, in the manner of BIO_f_ssl().
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <time.h>
#include "onion_local.h"
#include "onion_openssl.h"

int onion_layer_type;

ONION_LAYER *onion_layer_of(BIO *layer)
{
    return BIO_get_data(layer);
}

/* Layers below a wire are part of a transport, and no concern of the stack. */
BIO *onion_layer_find(BIO *bio)
{
    for (; bio != NULL; bio = BIO_next(bio)) {
        int type = BIO_method_type(bio);

        if (type == onion_layer_type)
            return bio;
        if (type == onion_wire_type)
            return NULL;
    }
    return NULL;
}

int onion_layer_number(BIO *layer)
{
    int n = 1;

    while ((layer = onion_layer_find(BIO_next(layer))) != NULL)
        n++;
    return n;
}

int onion_layer_has_port(const ONION_LAYER *l)
{
    return l->port != NULL && SSL_get_rbio(l->ssl) == l->port;
}

/* What the SSL reads and writes, behind its port if it has ours. */
static BIO *read_below(BIO *b)
{
    const ONION_LAYER *l = onion_layer_of(b);

    return onion_layer_has_port(l) ? BIO_next(b) : SSL_get_rbio(l->ssl);
}

static BIO *write_below(BIO *b)
{
    const ONION_LAYER *l = onion_layer_of(b);

    return onion_layer_has_port(l) ? BIO_next(b) : SSL_get_wbio(l->ssl);
}

static int layer_create(BIO *b)
{
    ONION_LAYER *l = OPENSSL_zalloc(sizeof(*l));

    if (l == NULL)
        return 0;
    l->bio = b;
    BIO_set_data(b, l);
    return 1;
}

/* An SSL that outlives its layer goes on with what lay below it. */
static void leave_transport(BIO *b)
{
    SSL *ssl = onion_layer_of(b)->ssl;
    BIO *next = BIO_next(b);

    if (onion_layer_has_port(onion_layer_of(b)) && next != NULL
        && BIO_up_ref(next))
        SSL_set_bio(ssl, next, next);
    if (onion_layer_of(b)->auto_retry)
        SSL_set_mode(ssl, SSL_MODE_AUTO_RETRY);
}

/* Lets go of the SSL, and forgets all that happened to it. */
static void release_ssl(BIO *b)
{
    ONION_LAYER *l = onion_layer_of(b);

    if (l->ssl != NULL && BIO_get_shutdown(b)) {
        onion_session_farewell(b);
        if (ONION_SSL_FREES_CLEAN)
            SSL_set_options(l->ssl, SSL_OP_CLEANSE_PLAINTEXT);
        SSL_free(l->ssl);
    } else if (l->ssl != NULL) {
        leave_transport(b);
    }
    if (l->port != NULL) {
        onion_port_detach(l->port);
        BIO_free(l->port);
    }
    onion_buf_free(&l->back);
    onion_early_free(l);
    memset(l, 0, sizeof(*l));
    l->bio = b;
}

static int layer_destroy(BIO *b)
{
    release_ssl(b);
    OPENSSL_free(onion_layer_of(b));
    return 1;
}

/*
 * After bytes have passed. TLS 1.3 has no renegotiation, and none is tried:
 * the attempt would leave an error behind.
 */
static void renegotiate(ONION_LAYER *l, int passed)
{
    long now;

    if (l->renegotiate_bytes == 0 && l->renegotiate_seconds == 0)
        return;
    now = (long)time(NULL);
    l->bytes += passed;
    if ((l->renegotiate_bytes == 0 || l->bytes <= l->renegotiate_bytes)
        && (l->renegotiate_seconds == 0
            || now <= l->renegotiated_at + l->renegotiate_seconds))
        return;
    l->bytes = 0;
    l->renegotiated_at = now;
    if (SSL_version(l->ssl) >= TLS1_3_VERSION)
        return;
    l->renegotiations++;
    ERR_set_mark();
    SSL_renegotiate(l->ssl);
    ERR_pop_to_mark();
}

static int layer_read(BIO *b, char *out, size_t len, size_t *got)
{
    ONION_LAYER *l = onion_layer_of(b);
    int ret = onion_session_get(b, out, onion_pass_length(len), 0);

    *got = 0;
    if (ret > 0) {
        *got = (size_t)ret;
        renegotiate(l, ret);
        return 1;
    }
    if (len > 0 && !BIO_should_retry(b))
        l->told_end = 1;
    return ret;
}

static int layer_write(BIO *b, const char *in, size_t len, size_t *put)
{
    int ret = onion_session_put(b, in, onion_pass_length(len));

    *put = 0;
    if (ret <= 0)
        return ret;
    *put = (size_t)ret;
    renegotiate(onion_layer_of(b), ret);
    return 1;
}

static int layer_puts(BIO *b, const char *str)
{
    size_t put, len = strlen(str);
    int ret = len > INT_MAX ? -1 : layer_write(b, str, len, &put);

    return ret > 0 ? (int)put : ret;
}

/* Gives the SSL a port of ours in place of the BIOs that it has. */
static int install_port(BIO *b)
{
    ONION_LAYER *l = onion_layer_of(b);

    l->port = onion_port_new(l);
    if (l->port == NULL || !BIO_up_ref(l->port)) {
        BIO_free(l->port);
        l->port = NULL;
        return 0;
    }
    SSL_set_bio(l->ssl, l->port, l->port);
    /* Each record without data comes back to us, to be counted. */
    l->auto_retry = (SSL_get_mode(l->ssl) & SSL_MODE_AUTO_RETRY) != 0;
    SSL_clear_mode(l->ssl, SSL_MODE_AUTO_RETRY);
    return 1;
}

/* An SSL that has BIOs keeps them; the one that it reads comes next. */
static int adopt_bio(BIO *b, BIO *rbio)
{
    BIO *next = BIO_next(b);

    if (next == rbio)
        return 1;
    /* untested: nobody has so many owners */
    if (!BIO_up_ref(rbio))
        return 0;
    if (next != NULL)
        BIO_push(rbio, next);
    BIO_set_next(b, NULL);
    BIO_push(b, rbio);
    return 1;
}

static long set_ssl(BIO *b, SSL *ssl, int close)
{
    ONION_LAYER *l = onion_layer_of(b);
    BIO *rbio;

    if (ssl == NULL)
        return 0;
    if (ssl == l->ssl) {
        BIO_set_shutdown(b, close);
        return 1;
    }
    if (l->ssl != NULL)
        release_ssl(b);
    rbio = SSL_get_rbio(ssl);
    l->ssl = ssl;
    l->renegotiated_at = (long)time(NULL);
    onion_session_harden(ssl);
    if (rbio != NULL ? !adopt_bio(b, rbio) : !install_port(b)) {
        l->ssl = NULL;
        BIO_set_init(b, 0);
        return 0;
    }
    BIO_set_shutdown(b, close);
    BIO_set_init(b, 1);
    return 1;
}

/* Back to the start, for a new session over what lies below. */
static long reset(BIO *b)
{
    ONION_LAYER *l = onion_layer_of(b);
    int server = SSL_is_server(l->ssl);

    onion_session_farewell(b);
    if (!SSL_clear(l->ssl))
        return 0;
    if (server)
        SSL_set_accept_state(l->ssl);
    else
        SSL_set_connect_state(l->ssl);
    l->handshaken = l->heard_close = l->left = l->sent_close = 0;
    l->half_written = l->blocked = l->ended = l->broken = 0;
    l->told_end = 0;
    l->overhead = 0;
    l->failure = 0;
    l->told = 0;
    onion_buf_free(&l->back);
    onion_early_free(l);
    if (BIO_next(b) == NULL)
        return 1;
    return BIO_reset(BIO_next(b));
}

/* What was pushed under an SSL with BIOs of its own takes their place. */
static long pushed(BIO *b)
{
    ONION_LAYER *l = onion_layer_of(b);
    BIO *next = BIO_next(b);

    if (!onion_layer_has_port(l) && next != NULL
        && next != SSL_get_rbio(l->ssl))
        return install_port(b);
    return 1;
}

/* An SSL with BIOs of its own loses them when its layer is popped. */
static long popped(BIO *b, const BIO *which)
{
    ONION_LAYER *l = onion_layer_of(b);

    if (which == b && !onion_layer_has_port(l))
        SSL_set_bio(l->ssl, NULL, NULL);
    return 1;
}

static long dup_to(ONION_LAYER *l, BIO *to)
{
    ONION_LAYER *copy = onion_layer_of(to);
    SSL *ssl = SSL_dup(l->ssl);

    BIO_set_init(to, 0);
    /* SSL_dup() of one in use is the same again, and cannot be shared. */
    if (ssl == NULL || ssl == l->ssl || !set_ssl(to, ssl, BIO_CLOSE)) {
        SSL_free(ssl);
        return 0;
    }
    copy->renegotiate_bytes = l->renegotiate_bytes;
    copy->renegotiate_seconds = l->renegotiate_seconds;
    return 1;
}

/* Returns the old value; less than 512 changes nothing. */
static long renegotiate_bytes(ONION_LAYER *l, long num)
{
    long old = l->renegotiate_bytes;

    if (num >= 512)
        l->renegotiate_bytes = num;
    return old;
}

/* Returns the old value. Less than a minute is 5 seconds, as in BIO_f_ssl(). */
static long renegotiate_timeout(ONION_LAYER *l, long num)
{
    long old = l->renegotiate_seconds;

    l->renegotiate_seconds = num < 60 ? 5 : num;
    l->renegotiated_at = (long)time(NULL);
    return old;
}

static long flush(BIO *b)
{
    BIO *below = write_below(b);
    long ret;

    BIO_clear_retry_flags(b);
    if (below == NULL)
        return 1;
    ret = BIO_flush(below);
    if (ret <= 0)
        onion_pass_retry(b, below);
    return ret;
}

static long end_of_file(ONION_LAYER *l)
{
    if (l->back.len > 0)
        return 0;
    if (l->heard_close || l->failure != 0
        || (SSL_get_shutdown(l->ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        return 1;
    return !onion_layer_has_port(l) && BIO_eof(SSL_get_rbio(l->ssl)) == 1;
}

static long pass_down(BIO *b, int cmd, long num, void *ptr)
{
    const ONION_LAYER *l = onion_layer_of(b);
    BIO *below = read_below(b);

    if (below == NULL)
        return -1;
    if (!onion_pass_control(cmd)
        && (!SSL_is_dtls(l->ssl) || onion_pass_never(cmd)))
        return 0;
    return BIO_ctrl(below, cmd, num, ptr);
}

static long get_ssl(ONION_LAYER *l, SSL **out)
{
    if (out == NULL)
        return 0;
    *out = l->ssl;
    return 1;
}

static long set_mode(ONION_LAYER *l, long client)
{
    if (client != 0)
        SSL_set_connect_state(l->ssl);
    else
        SSL_set_accept_state(l->ssl);
    return 1;
}

/* The controls that change something. */
static long change(BIO *b, int cmd, long num, void *ptr)
{
    ONION_LAYER *l = onion_layer_of(b);

    switch (cmd) {
    case BIO_CTRL_RESET:
        return reset(b);
    case BIO_CTRL_PUSH:
        return pushed(b);
    case BIO_CTRL_POP:
        return popped(b, ptr);
    case BIO_CTRL_DUP:
        return dup_to(l, ptr);
    case BIO_CTRL_SET_CLOSE:
        BIO_set_shutdown(b, (int)num);
        return 1;
    case BIO_C_SSL_MODE:
        return set_mode(l, num);
    case BIO_C_SET_SSL_RENEGOTIATE_BYTES:
        return renegotiate_bytes(l, num);
    case BIO_C_SET_SSL_RENEGOTIATE_TIMEOUT:
        return renegotiate_timeout(l, num);
    default:
        return pass_down(b, cmd, num, ptr);
    }
}

static long layer_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    ONION_LAYER *l = onion_layer_of(b);

    if (cmd == BIO_C_SET_SSL)
        return set_ssl(b, ptr, (int)num);
    if (l->ssl == NULL)
        return 0;
    switch (cmd) {
    case BIO_C_GET_SSL:
        return get_ssl(l, ptr);
    case BIO_C_DO_STATE_MACHINE:
        return onion_session_handshake(b);
    case BIO_CTRL_FLUSH:
        return flush(b);
    case BIO_CTRL_EOF:
        return end_of_file(l);
    case BIO_CTRL_PENDING:
        return l->told_end ? 0 : onion_session_pending(b);
    case BIO_CTRL_WPENDING:
        return BIO_ctrl(SSL_get_wbio(l->ssl), cmd, num, ptr);
    case BIO_CTRL_GET_CLOSE:
        return BIO_get_shutdown(b);
    case BIO_C_GET_SSL_NUM_RENEGOTIATES:
        return l->renegotiations;
    default:
        return change(b, cmd, num, ptr);
    }
}

/* BIO_set_info_callback() is for a connect or accept BIO below. */
static long layer_callback_ctrl(BIO *b, int cmd, BIO_info_cb *cb)
{
    if (cmd != BIO_CTRL_SET_CALLBACK || onion_layer_of(b)->ssl == NULL)
        return 0;
    return BIO_callback_ctrl(BIO_next(b), cmd, cb);
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static BIO_METHOD *method;

/* Of both types, so that no thread looks at one while another makes it. */
static void make_method(void)
{
    onion_wire_make_method();
    method = onion_pass_method(BIO_TYPE_FILTER, "onion", &onion_layer_type);
    if (method == NULL)
        return;
    BIO_meth_set_write_ex(method, layer_write);
    BIO_meth_set_read_ex(method, layer_read);
    BIO_meth_set_puts(method, layer_puts);
    BIO_meth_set_ctrl(method, layer_ctrl);
    BIO_meth_set_create(method, layer_create);
    BIO_meth_set_destroy(method, layer_destroy);
    BIO_meth_set_callback_ctrl(method, layer_callback_ctrl);
}

const BIO_METHOD *BIO_f_onion(void)
{
    CRYPTO_THREAD_run_once(&once, make_method);
    return method;
}
