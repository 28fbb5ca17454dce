#!/bin/sh
# s_server.sh - onion_client to openssl s_server, that sends lines back
# reversed.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"
need rev

rev <"$tmp/sent-lines" >"$tmp/reversed"

# start NAME OPTION...: sets port.
start() {
    start_name=$1
    shift
    free_port
    peer "$start_name" openssl s_server -rev -accept "127.0.0.1:$port" \
        -cert "$certs/inner.example.pem" -key "$certs/inner.example.key" "$@"
    wait_port "$port"
}

# comes_reversed SEEN OPTION...: 1 MB, and s_server has seen that.
comes_reversed() {
    comes_seen=$1
    shift
    goes "$tmp/sent-lines" "$@" && same "$tmp/reversed" "$tmp/came" &&
        peer_says server "$comes_seen" && peer_says server 'CONNECTION CLOSED'
}

for version in 1_2 1_3; do
    start server -tls$version || exit 99
    dest="-dest https://127.0.0.1:$port"
    # shellcheck disable=SC2086 # words are meant, below too
    check "openssl s_server, TLS $version: 1 MB" comes_reversed \
        "Protocol version: TLSv1.${version#*_}" $dest -servername inner.example
    # shellcheck disable=SC2086
    check "openssl s_server, TLS $version: another name names layer 1" \
        is_refused 3 "\\[1 127.0.0.1:$port\\].*certificate" $dest \
        -servername no.example
    stop_background "$pid"

    start server -tls$version -Verify 1 \
        -CAfile "$certs/ca.pem" || exit 99
    dest="-dest https://127.0.0.1:$port -servername inner.example"
    # shellcheck disable=SC2086
    check "openssl s_server, TLS $version: a client certificate" \
        comes_reversed 'Peer certificate: CN *= *middle.example' $dest \
        -cert "$certs/middle.example.pem" -key "$certs/middle.example.key"
    # shellcheck disable=SC2086
    check "openssl s_server, TLS $version: none, where one is wanted" \
        is_refused 3 "\\[1 127.0.0.1:$port\\]" $dest
    stop_background "$pid"
done
done_with_peers
