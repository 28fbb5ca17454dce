#!/bin/sh
# chain.sh - onion_client through four proxies of others, to a TLS server.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2086 # words are meant

srcdir=${srcdir:-.}
# shellcheck source=test/interop/proxies.sh
. "$srcdir/test/interop/proxies.sh"
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"
need squid apache2 stunnel4 haproxy tinyproxy

make_names p1.example p2.example p3.example p4.example

# From the last to the first: each connects to the next one's port only.
start_echo origin inner.example || exit 99
origin=$port
ports=$origin
number=4
for proxy in haproxy stunnel apache squid; do
    connect_to=${ports%% *}
    start_$proxy $proxy p$number.example || exit 99
    ports="$port $ports"
    number=$((number - 1))
done

# route [LAYER OPTION...]: sets hops, with these options more at that layer.
route() {
    route_at=${1-0}
    [ $# -eq 0 ] || shift
    hops=
    layer=0
    for port in $ports; do
        layer=$((layer + 1))
        case $layer in
        5) hop="-dest https://127.0.0.1:$port -servername inner.example" ;;
        *) hop="-via https://127.0.0.1:$port -servername p$layer.example" ;;
        esac
        [ $layer -ne $route_at ] || {
            hop="$hop $*"
            place=$port
        }
        hops="$hops $hop"
    done
}

each_asked_for_the_next() {
    set -- $ports
    for proxy in squid apache stunnel haproxy; do
        shift
        cat "$tmp/$proxy.access"
        grep -q "CONNECT 127.0.0.1:$1 " "$tmp/$proxy.access" || return 1
    done
}

route
name='squid, apache, stunnel and haproxy with tinyproxy, a TLS server'
check "$name: 1 MB in five layers" comes_back $hops
check 'each of them was asked for the next one' each_asked_for_the_next

for layer in 1 2 3 4 5; do
    route $layer -verify_hostname no.example
    check "the name is wrong in layer $route_at: it says so" \
        is_refused 3 "\\[$route_at 127.0.0.1:$place\\].*certificate" $hops
done
route 2 -CAfile "$certs/other-ca.pem"
check 'the CA is wrong at the second proxy: it says so' \
    is_refused 3 "\\[2 127.0.0.1:$place\\].*certificate" $hops
done_with_peers
