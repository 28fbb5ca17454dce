# via.sh - onion_client through one proxy of others.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# shellcheck disable=SC2086 # words are meant
#
# To be sourced.

# shellcheck source=test/interop/proxies.sh
. "$srcdir/test/interop/proxies.sh"
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"

start_echo tls-origin inner.example || exit 99
tls_origin=$port
# One that sends so much and ends: a client that has ended its TLS to a proxy
# has no way to hear more, as it has without one.
free_port
tcp_origin=$port
peer tcp-origin socat -t 30 "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" \
    EXEC:'head -c 1000000'
wait_port "$tcp_origin" || exit 99
connect_to="$tls_origin $tcp_origin"
dest="-dest https://127.0.0.1:$tls_origin -servername inner.example"
me="-cert $certs/middle.example.pem -key $certs/middle.example.key"

# The proxy has read CONNECT in its layer, and not what is in the next.
has_asked_for() {
    cat "$tmp/proxy.access"
    grep -q "CONNECT 127.0.0.1:$1 " "$tmp/proxy.access"
}

# ends STATUS OPTION...: 1 MB comes back from the server that ends then.
ends() {
    ends_status=$1
    shift
    goes "$tmp/sent" -ign_eof -require_depth 0 "$@" \
        -dest "tcp://127.0.0.1:$tcp_origin"
    [ "$goes_status" -eq "$ends_status" ] && same "$tmp/sent" "$tmp/came"
}

# test_proxy START WHAT STATUS: that of a session which the proxy ends.
test_proxy() {
    $1 proxy outer.example || exit 99
    via="-via https://127.0.0.1:$port -servername outer.example"
    at="127.0.0.1:$port"
    for version in 1_2 1_3; do
        check "through $2, TLS $version, to a TLS server: 1 MB" \
            comes_back $via -tls$version $dest
    done
    check "$2 was asked for that server in its layer" \
        has_asked_for "$tls_origin"
    check "through $2 to a server without TLS: 1 MB, and status $3" \
        ends "$3" $via
    check "$2 refuses to connect to port 1" \
        is_refused 6 "\\[1 $at.*403" $via -dest tcp://127.0.0.1:1
    check "$2 is not who was meant: layer 1" \
        is_refused 3 "\\[1 $at.*certificate" $via -verify_hostname no.example \
        $dest
    check "who is behind $2 is not who was meant: layer 2" \
        is_refused 3 "\\[2 127.0.0.1:$tls_origin.*certificate" $via \
        $dest -verify_hostname no.example
    check "who is behind $2 is of another CA: layer 2" \
        is_refused 3 "\\[2 127.0.0.1:$tls_origin.*certificate" $via \
        $dest -CAfile "$certs/other-ca.pem"
}

# has_no_certificate OPTION...: is refused in layer 1; or, where the proxy has
# sent its alert after the handshake, as in TLS 1.3, and did not read on, the
# connection is reset.
has_no_certificate() {
    is_refused 3 "\\[1 127.0.0.1:$port\\].*alert" "$@" || {
        [ "$goes_status" -eq 2 ] && [ ! -s "$tmp/came" ] &&
            grep -E 'reset|Broken pipe' "$tmp/client.log"
    }
}

# test_client_certificate START WHAT SETTING...: with which a certificate of ca
# is wanted.
test_client_certificate() {
    start=$1
    what=$2
    shift 2
    $start proxy-auth outer.example "$@" || exit 99
    via="-via https://127.0.0.1:$port -servername outer.example"
    for version in 1_2 1_3; do
        check "through $what, TLS $version, with a client certificate: 1 MB" \
            comes_back $via -tls$version $me $dest
        check "$what, TLS $version, without one: nothing" \
            has_no_certificate $via -tls$version $dest
    done
    check "the certificate is for $what, and not for the one behind it" \
        has_no_certificate $via $dest $me
}
