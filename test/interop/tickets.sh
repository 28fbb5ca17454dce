#!/bin/sh
# tickets.sh - two onion_servers behind haproxy resume each other's sessions,
# in both layers.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"
need haproxy

openssl rand 80 >"$tmp/keys-1"
openssl rand 80 >"$tmp/keys-2"

# serve NAME KEYS: sets port.
serve() {
    start_server "$1" -line -accept 127.0.0.1:0 -layers 2 \
        -ticket_keys "$tmp/$2" \
        -layer -cert "$certs/outer.example.pem" \
        -key "$certs/outer.example.key" \
        -layer -cert "$certs/inner.example.pem" \
        -key "$certs/inner.example.key" || exit 99
    port=${address##*:}
}

# balance NAME KEYS KEYS: one after the other gets a connection. Sets address.
balance() {
    serve "$1-one" "$2"
    one=$port
    serve "$1-two" "$3"
    two=$port
    free_port
    cat >"$tmp/$1.conf" <<END
global
    log stdout format raw local0
    nbthread 1
defaults
    mode tcp
    log global
    option tcplog
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen onion
    bind 127.0.0.1:$port
    balance roundrobin
    server one 127.0.0.1:$one
    server two 127.0.0.1:$two
END
    peer "$1" haproxy -db -f "$tmp/$1.conf"
    wait_port "$port" || exit 99
    address=127.0.0.1:$port
}

# visit VERSION HOW FILES: the sessions come from the files (sess_in) or go
# there (sess_out). What it says of its layers is in $tmp/layers.
visit() {
    printf 'hello\nQUIT\n' |
        timeout 60 "$client" -brief -ign_eof -connect "$address" \
            -CAfile "$certs/ca.pem" "-tls$1" \
            -push -servername outer.example "-$2" "$3-outer" \
            -push -servername inner.example "-$2" "$3-inner" \
            >"$tmp/came" 2>"$tmp/layers"
    cat "$tmp/layers"
    grep -q '^depth=2 hello' "$tmp/came"
}

# Two visits, the second with what the first has brought home.
come_again() {
    rm -f "$tmp/session-outer" "$tmp/session-inner"
    visit "$1" sess_out "$tmp/session" && ! grep -i resumed "$tmp/layers" &&
        visit "$1" sess_in "$tmp/session"
}

resumes() {
    come_again "$1" && grep -i '^\[1 .*resumed' "$tmp/layers" &&
        grep -i '^\[2 .*resumed' "$tmp/layers"
}

resumes_nothing() {
    come_again "$1" && ! grep -i resumed "$tmp/layers"
}

# haproxy has sent the one visit to the one, the other to the other.
have_both_served() {
    cat "$tmp/$1.log"
    grep -q onion/one "$tmp/$1.log" && grep -q onion/two "$tmp/$1.log"
}

balance same keys-1 keys-1
for version in 1_2 1_3; do
    check "TLS $version: both layers are resumed by the other server" \
        resumes $version
done
check 'haproxy has sent visits to either' have_both_served same

balance other keys-1 keys-2
for version in 1_2 1_3; do
    check "TLS $version, with keys that differ: nothing is resumed" \
        resumes_nothing $version
done
check 'haproxy has sent visits to either, again' have_both_served other
done_with_peers
