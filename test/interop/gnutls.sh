#!/bin/sh
# gnutls.sh - onion_client to gnutls-serv, that sends lines back. It binds all
# addresses, so it runs in a network namespace, that has none but 127.0.0.1.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"
need gnutls-serv
alone_in_a_network "$0"

# start NAME OPTION...: sets port.
start() {
    start_name=$1
    shift
    free_port
    peer "$start_name" gnutls-serv --echo --port "$port" \
        --x509certfile "$certs/inner.example.pem" \
        --x509keyfile "$certs/inner.example.key" "$@"
    wait_port "$port"
}

# comes_back_as SEEN OPTION...: 1 MB, and gnutls-serv has seen that.
comes_back_as() {
    comes_seen=$1
    shift
    goes "$tmp/sent-lines" "$@" && same "$tmp/sent-lines" "$tmp/came" &&
        peer_says server "$comes_seen"
}

start server || exit 99
dest="-dest https://127.0.0.1:$port"
for version in 1_2 1_3; do
    # shellcheck disable=SC2086 # words are meant, below too
    check "gnutls-serv, TLS $version: 1 MB" comes_back_as \
        "(TLS1.${version#*_}-" $dest -servername inner.example -tls$version
done
# shellcheck disable=SC2086
check 'gnutls-serv: another name names layer 1' \
    is_refused 3 "\\[1 127.0.0.1:$port\\].*certificate" $dest \
    -servername no.example
stop_background "$pid"

start server --require-client-cert --verify-client-cert \
    --x509cafile "$certs/ca.pem" || exit 99
dest="-dest https://127.0.0.1:$port -servername inner.example"
# shellcheck disable=SC2086
for version in 1_2 1_3; do
    check "gnutls-serv, TLS $version: a client certificate" \
        comes_back_as 'middle.example' $dest -tls$version \
        -cert "$certs/middle.example.pem" -key "$certs/middle.example.key"
    check "gnutls-serv, TLS $version: none, where one is wanted" \
        is_refused 3 "\\[1 127.0.0.1:$port\\]" $dest -tls$version
done
done_with_peers
