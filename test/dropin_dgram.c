/*
 * dropin_dgram.c - a layer alone with DTLS.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "dropin.h"

/*
 * Datagrams
 */

static int datagram_socket(struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    memset(address, 0, sizeof(*address));
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &len), 0);
    BIO_socket_nbio(fd, 1);
    return fd;
}

static BIO *datagram_bio(int fd, const struct sockaddr_in *peer)
{
    BIO *b = BIO_new_dgram(fd, BIO_CLOSE);
    BIO_ADDR *address = BIO_ADDR_new();

    ck_assert_int_eq(connect(fd, (const struct sockaddr *)peer, sizeof(*peer)),
                     0);
    BIO_ADDR_rawmake(address, AF_INET, &peer->sin_addr,
                     sizeof(peer->sin_addr), peer->sin_port);
    (void)BIO_ctrl_set_connected(b, address);
    BIO_ADDR_free(address);
    return b;
}

static SSL *datagram_ssl(int client)
{
    SSL_CTX *ctx = SSL_CTX_new(client ? DTLS_client_method()
                                      : DTLS_server_method());
    SSL_CTX *like = test_server_ctx(TLS1_2_VERSION, test_name(2), TEST_P256);
    SSL *ssl;

    if (!client) {
        SSL_CTX_use_certificate(ctx, SSL_CTX_get0_certificate(like));
        SSL_CTX_use_PrivateKey(ctx, SSL_CTX_get0_privatekey(like));
    }
    ssl = SSL_new(ctx);
    if (client)
        SSL_set_connect_state(ssl);
    else
        SSL_set_accept_state(ssl);
    SSL_CTX_free(ctx);
    return ssl;
}

static void open_datagrams(struct scene *x)
{
    struct sockaddr_in at_c, at_s;
    int c = datagram_socket(&at_c), s = datagram_socket(&at_s);

    x->half_c = datagram_bio(c, &at_s);
    x->half_s = datagram_bio(s, &at_c);
    x->c = layer_over(x, datagram_ssl(1), x->half_c);
    x->s = layer_over(x, datagram_ssl(0), x->half_s);
}

static void row_datagrams(struct scene *x)
{
    char in[200];

    open_datagrams(x);
    tell(x, "handshake", x->c, BIO_do_handshake(x->c));
    shake(x, x->c, x->s);
    say(x, "; %s", SSL_get_version(ssl_in(x->c)));
    tell_passes(x);
    tell(x, "write", x->c, BIO_write(x->c, test_bytes(100), 100));
    tell(x, "write", x->c, BIO_write(x->c, test_bytes(100), 100));
    tell(x, "read", x->s, BIO_read(x->s, in, sizeof(in)));
    tell(x, "read", x->s, BIO_read(x->s, in, sizeof(in)));
    tell(x, "read", x->s, BIO_read(x->s, in, sizeof(in)));
    close_by_hand(x->c);
    tell(x, "read", x->s, BIO_read(x->s, in, sizeof(in)));
}

static unsigned int short_timer(SSL *ssl, unsigned int microseconds)
{
    (void)ssl, (void)microseconds;
    return 50000;         /* less than 15000 counts as none left */
}

/* Waits until the timer has run out, and acts on it. */
static int send_again(SSL *ssl)
{
    struct timeval left;

    do
        DTLSv1_get_timeout(ssl, &left);
    while (left.tv_sec > 0 || left.tv_usec > 0);
    return (int)DTLSv1_handle_timeout(ssl);
}

static void row_datagrams_lost(struct scene *x)
{
    struct timeval left;
    char in[2000];
    SSL *ssl;

    open_datagrams(x);
    ssl = ssl_in(x->c);
    DTLS_set_timer_cb(ssl, short_timer);
    BIO_do_handshake(x->c);
    note(x, "a timer runs", DTLSv1_get_timeout(ssl, &left));
    note(x, "lost", BIO_read(x->half_s, in, sizeof(in)) > 0);
    note(x, "sent again", send_again(ssl));
    DTLS_set_timer_cb(ssl, NULL);
    shake(x, x->c, x->s);
    tell_passes(x);
}

/* Takes all datagrams that are there, as one; its length. */
static int take_datagrams(BIO *b, char *out, int size)
{
    int len = 0, got;

    while ((got = BIO_read(b, out + len, size - len)) > 0)
        len += got;
    return len;
}

/*
 * The last flight of s comes too late, and once more, in one datagram with data
 * that s sent after it: c has then read a record, and one that is for nobody.
 */
static void row_datagrams_again(struct scene *x)
{
    char first[2000], second[2000];
    int len, more;

    open_datagrams(x);
    DTLS_set_timer_cb(ssl_in(x->c), short_timer);
    BIO_do_handshake(x->c);
    BIO_do_handshake(x->s);
    BIO_do_handshake(x->c);
    tell(x, "handshake", x->s, BIO_do_handshake(x->s));
    len = take_datagrams(x->half_c, first, sizeof(first));
    note(x, "sent again", send_again(ssl_in(x->c)));
    DTLS_set_timer_cb(ssl_in(x->c), NULL);
    tell(x, "read", x->s, BIO_read(x->s, second, sizeof(second)));
    more = take_datagrams(x->half_c, second, sizeof(second));
    note(x, "late", BIO_write(x->half_s, first, len) > 0);
    tell(x, "handshake", x->c, BIO_do_handshake(x->c));
    tell(x, "write", x->s, BIO_write(x->s, test_bytes(100), 100));
    len = take_datagrams(x->half_c, first, sizeof(first));
    ck_assert_int_le(len + more, (int)sizeof(first));
    memcpy(first + len, second, (size_t)more);
    note(x, "in one", BIO_write(x->half_s, first, len + more) == len + more);
    tell(x, "read", x->c, BIO_read(x->c, second, sizeof(second)));
    tell(x, "read", x->c, BIO_read(x->c, second, sizeof(second)));
    tell_passes(x);
}

static void row_datagrams_junk(struct scene *x)
{
    open_datagrams(x);
    shake(x, x->c, x->s);
    note(x, "junk", BIO_write(x->half_s, "GET / HTTP/1.0\r\n\r\n", 18));
    read_one(x, "read", x->c);
    tell_passes(x);
}

static void row_datagram_ctrls(struct scene *x)
{
    struct timeval wait = { 1, 0 }, got = { 0, 0 };
    BIO_ADDR *peer = BIO_ADDR_new();

    open_datagrams(x);
    shake(x, x->c, x->s);
    note(x, "mtu", SSL_set_mtu(ssl_in(x->c), 600));
    note(x, "data mtu", DTLS_get_data_mtu(ssl_in(x->c)) > 500);
    note(x, "timeout", BIO_ctrl(x->c, BIO_CTRL_DGRAM_SET_RECV_TIMEOUT, 0,
                                &wait) >= 0);
    BIO_ctrl(x->half_c, BIO_CTRL_DGRAM_GET_RECV_TIMEOUT, 0, &got);
    note(x, "seconds", (long)got.tv_sec);
    note(x, "peer", BIO_dgram_get_peer(x->c, peer) > 0);
    note(x, "by the SSL", BIO_dgram_get_peer(SSL_get_rbio(ssl_in(x->c)),
                                             peer) > 0);
    note(x, "fd", BIO_get_fd(x->c, NULL) == BIO_get_fd(x->half_c, NULL));
    BIO_ADDR_free(peer);
}

const struct row dgram_rows[] = {
    { "DTLS", row_datagrams, NULL, ONCE,
      "handshake -1 retry read; DTLSv1.2; data passes; write 100; write 100; "
      "read 100; read 100; read -1 retry read; read 0", NULL, NULL },
    { "DTLS, a datagram lost", row_datagrams_lost, NULL, ONCE,
      "a timer runs 1; lost 1; sent again 1; data passes", NULL, NULL },
    { "DTLS, a flight that comes again behind data", row_datagrams_again, NULL,
      ONCE, "handshake 1; sent again 1; read -1 retry read; late 1; "
      "handshake 1; write 100; in one 1; read 100; read -1 retry read; "
      "data passes", NULL, NULL },
    { "DTLS, a datagram that is none of its", row_datagrams_junk, NULL, ONCE,
      "junk 18; read -1 retry read; data passes", NULL, NULL },
    { "datagram controls", row_datagram_ctrls, NULL, ONCE,
      "mtu 600; data mtu 1; timeout 1; seconds 1; peer 1; by the SSL 1; "
      "fd 1", NULL, NULL },
    { NULL, NULL, NULL, 0, NULL, NULL, NULL }
};
