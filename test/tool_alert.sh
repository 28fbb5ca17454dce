#!/bin/sh
# tool_alert.sh - a peer that refuses in TLS 1.3 when the handshake is done for
# the client: it is told why, not that a write has failed.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

have socat || skip_all 'no socat to reset the connection'

ca=$certs/ca.pem
pair="-cert $certs/outer.example.pem -key $certs/outer.example.key"

# It asks for a certificate, and ends without one.
mkfifo "$tmp/open"
exec 5<>"$tmp/open"
stdin=$tmp/open
# shellcheck disable=SC2086 # words are meant
background "$tmp/s_server.log" openssl s_server -accept 127.0.0.1:0 $pair \
    -tls1_3 -Verify 1 -CAfile "$ca"
stdin=
wait_for 20 grep -q '^ACCEPT ' "$tmp/s_server.log" || exit 99
asking=$(sed -n 's/^ACCEPT //p' "$tmp/s_server.log" | head -n 1)

# What it has said is there, and then the connection is reset, so that a write
# fails before anything is read.
background "$tmp/socat.log" socat -d -d -t 0.1 \
    TCP-LISTEN:0,bind=127.0.0.1,fork,linger=0 "TCP:$asking"
wait_for 20 grep -q 'listening on' "$tmp/socat.log" || exit 99
address=127.0.0.1:$(sed -n 's/.*listening on.*:\([0-9]*\)$/\1/p' \
    "$tmp/socat.log")

# Between its handshake and its first word the client says something on a
# standard error that is read late.
mkfifo "$tmp/late"
exec 6<>"$tmp/late"
told_why() {
    dd if=/dev/zero of="$tmp/late" oflag=nonblock bs=4096 count=100 \
        conv=notrunc 2>/dev/null
    timeout 30 "$client" -CAfile "$ca" -servername outer.example -status \
        "$@" </dev/null >"$tmp/out" 2>"$tmp/late" &
    told=$!
    wait_for 20 grep -q 'peer did not return a certificate' \
        "$tmp/s_server.log"
    sleep 0.5
    timeout 1 cat "$tmp/late" | tr -d '\000' >"$tmp/err"
    wait "$told"
    told_status=$?
    cat "$tmp/err"
    [ "$told_status" -eq 3 ] &&
        grep -q '^onion_client: \[1 .*alert certificate required' "$tmp/err"
}
check 'a certificate that is missing, at a proxy that has gone already' \
    told_why -via "https://$address" -dest tcp://target.example:80

done_testing
