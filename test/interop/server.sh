# server.sh - onion_client to servers of others, that say what they have seen.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced.

# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"

# sees PATTERN OPTION...: 1 MB comes back, and the server has seen that.
sees() {
    sees_pattern=$1
    shift
    comes_back "$@" && peer_says server "$sees_pattern" &&
        peer_says server 'closed: after 1000000 bytes'
}

# test_server WHAT COMMAND...: echo.go or echo.js, that are alike.
test_server() {
    server_what="onion_client to $1"
    shift
    server_cert="$certs/inner.example.pem $certs/inner.example.key"
    # shellcheck disable=SC2086 # words are meant
    accepts server "$@" $server_cert
    dest="-dest https://127.0.0.1:$port"

    # shellcheck disable=SC2086 # words are meant, below too
    for version in 1_2 1_3; do
        check "$server_what, TLS $version: 1 MB, name and ALPN" sees \
            "TLSv${version%_*}.${version#*_} name=inner.example alpn=echo client=-" \
            $dest -servername inner.example -alpn none,echo -tls$version
    done
    # shellcheck disable=SC2086
    check "$server_what: another name names layer 1" \
        is_refused 3 '\[1 127.0.0.1.*certificate' $dest \
        -servername other.example
    # shellcheck disable=SC2086
    check "$server_what: another CA names layer 1" \
        is_refused 3 '\[1 127.0.0.1.*certificate' $dest \
        -servername inner.example -CAfile "$certs/other-ca.pem"
    stop_background "$pid"

    # shellcheck disable=SC2086
    accepts server "$@" $server_cert "$certs/ca.pem"
    dest="-dest https://127.0.0.1:$port -servername inner.example"
    # shellcheck disable=SC2086
    for version in 1_2 1_3; do
        check "$server_what, TLS $version: a client certificate" sees \
            'client=middle.example' $dest -tls$version \
            -cert "$certs/middle.example.pem" -key "$certs/middle.example.key"
        check "$server_what, TLS $version: none, where one is wanted" \
            is_refused 3 '\[1 127.0.0.1' $dest -tls$version
    done
    stop_background "$pid"
}
