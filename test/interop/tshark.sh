#!/bin/sh
# tshark.sh - a session is recorded, and both of its layers are decrypted with
# the key log. In a network namespace, where recording needs no root.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"
need tshark text2pcap
alone_in_a_network "$0"

# What onion_client says to onion_server, in TLS 1.2 within TLS 1.3.
record() {
    start_server server -line -accept 127.0.0.1:0 -layers 2 \
        -layer -cert "$certs/outer.example.pem" \
        -key "$certs/outer.example.key" \
        -layer -cert "$certs/inner.example.pem" \
        -key "$certs/inner.example.key" || exit 99
    capture=$tmp/capture
    keys=$tmp/keys
    background "$tmp/tshark.log" tshark -i lo -w "$capture" \
        -f "tcp port ${address##*:}"
    wait_for 20 grep -q 'Capture started' "$tmp/tshark.log" || exit 99
    printf 'within the inner\nQUIT\n' |
        timeout 60 "$client" -quiet -connect "$address" \
            -CAfile "$certs/ca.pem" -keylogfile "$keys" -ign_eof \
            -push -servername outer.example -tls1_3 \
            -push -servername inner.example -tls1_2 \
            >"$tmp/came" 2>"$tmp/client.log"
    wait_for 20 has_ended
    stop_background "$pid"
    cat "$tmp/client.log"
    grep -q '^depth=2 within the inner' "$tmp/came"
}

# The last segments of the connection are there.
has_ended() {
    [ "$(tshark -r "$capture" -Y tcp.flags.fin==1 2>/dev/null | wc -l)" -ge 2 ]
}

# follow FILE KEYS PORT HOW
follow() {
    tshark -r "$1" -o "tls.keylog_file:$2" -d "tcp.port==$3,tls" -q \
        -z "follow,tls,$4,0" 2>/dev/null
}

# What the outer layer carries, as a recording of its own: two directions, with
# the peer that has spoken second behind a tab.
unwrap() {
    follow "$1" "$2" "$3" raw |
        sed -n -e 's/^\([0-9a-f][0-9a-f]*\)$/> \1/p' \
            -e 's/^\t\([0-9a-f][0-9a-f]*\)$/< \1/p' >"$tmp/outer"
    text2pcap -q -r '(?<dir>[<>]) (?<data>[0-9a-f]+)' -i 6 -T 40000,443 \
        "$tmp/outer" "$1.inner"
}

# The outer layer carries TLS, and not a word of what is in the inner one.
outer_is_seen() {
    unwrap "$capture" "$keys" "${address##*:}" && cat "$tmp/outer" &&
        grep -q '^[<>] 160301' "$tmp/outer" &&
        grep -q "^[<>] 1703" "$tmp/outer" &&
        ! follow "$capture" "$keys" "${address##*:}" ascii | grep within
}

inner_is_seen() {
    follow "$capture.inner" "$keys" 443 ascii >"$tmp/inner"
    cat "$tmp/inner"
    grep -qx 'within the inner' "$tmp/inner" &&
        grep -q '^depth=2 within the inner' "$tmp/inner" &&
        grep -q '^BYE depth=2' "$tmp/inner"
}

# Without the keys there is nothing of it.
is_secret() {
    : >"$tmp/no-keys"
    ! follow "$capture" "$tmp/no-keys" "${address##*:}" raw | grep '^[0-9a-f]' &&
        ! follow "$capture.inner" "$tmp/no-keys" 443 ascii | grep within
}

check 'TLS 1.2 within TLS 1.3 is recorded, with a key log' record
check 'tshark sees that the outer layer carries TLS' outer_is_seen
check 'tshark sees what is said in the inner layer' inner_is_seen
check 'without the key log it sees neither' is_secret
done_with_peers
