#!/bin/sh
# tool_line.sh - onion_client and onion_server, two processes over TCP, speak
# every verb of the line protocol. The client's -script checks each reply.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

# Either tool may be the TLS server of a layer, so both have certificates. What
# is said of the third layer holds for all deeper ones.
outer="-cert $certs/outer.example.pem -key $certs/outer.example.key"
middle="-cert $certs/middle.example.pem -key $certs/middle.example.key"
inner="-cert $certs/inner.example.pem -key $certs/inner.example.key"

# serve ARGUMENT...
serve() {
    # shellcheck disable=SC2086 # words are meant
    start_server "server$tap_count" -line -CAfile "$certs/ca.pem" "$@" \
        -layer $outer -layer $middle -layer $inner
}

# talk ARGUMENT...: for all layers, and -script
talk() {
    # shellcheck disable=SC2086 # words are meant
    timeout 60 "$client" -connect "$address" -CAfile "$certs/ca.pem" "$@" \
        -layer $outer -servername outer.example \
        -layer $middle -servername middle.example \
        -layer $inner -servername inner.example
}

# repeat COUNT TEXT
repeat() {
    repeat_left=$1
    while [ "$repeat_left" -gt 0 ]; do
        printf '%s' "$2"
        repeat_left=$((repeat_left - 1))
    done
}

# still_serving SENTENCE
still_serving() {
    check "$1" talk -script 'hello;QUIT'
}

say='CAPA;INFO;hello, you;BULK 70000;MULTI 300;BULK 0;MULTI 0;'

# Three layers in either role, a stop of each kind, out to clear text, where
# there is nothing to stop; and in again.
three="${say}STARTTLS;${say}RSTARTTLS;${say}STARTTLS;${say}STOPTLS+;${say}STARTTLS;a;STOPTLS!;${say}RSTARTTLS;b;STOPTLS;${say}STOPTLS;${say}STOPTLS;${say}STOPTLS;RSTARTTLS;c;STARTTLS;${say}QUIT"

eight="$(repeat 4 "STARTTLS;${say}RSTARTTLS;")BULK 1000000;MULTI 1000;$(repeat 8 'STOPTLS;INFO;BULK 70000;')QUIT"

# IPv4
# ----

serve -accept 127.0.0.1:0 || exit 99

for version in tls1_2 tls1_3; do
    for stop in passive active early; do
        check "every verb, three layers deep, with -$version -stop $stop" \
            talk -$version -stop $stop -script "$three"
    done
done

for stop in passive active early; do
    check "eight layers in and out with -stop $stop" \
        talk -stop $stop -script "$eight"
done

for version in tls1_2 tls1_3; do
    for verb in QUIT DROP DROPOUTER; do
        check "$verb ends three layers as it must, with -$version" talk \
            -$version -script "STARTTLS;STARTTLS;RSTARTTLS;hello;$verb"
        check "$verb ends one layer as it must, with -$version" talk \
            -$version -script "STARTTLS;hello;$verb"
    done
done
check 'QUIT ends a connection in clear text' talk -script 'hello;QUIT'

say_and_leave() {
    printf 'STARTTLS\nSTARTTLS\nhello\n' | talk -verbs >"$tmp/said" &&
        printf 'OK\nOK\ndepth=2 hello\n' | cmp - "$tmp/said"
}
check 'the client reads lines from a pipe, and may leave without a word' \
    say_and_leave

# crowd COUNT: as many clients at once
crowd() {
    crowd_pids=
    for i in $(seq "$1"); do
        talk -script "$three" >"$tmp/crowd.$i" 2>&1 &
        crowd_pids="$crowd_pids $!"
    done
    crowd_status=0
    for i in $crowd_pids; do
        wait "$i" || crowd_status=1
    done
    cat "$tmp"/crowd.*
    return "$crowd_status"
}
check 'ten clients at once' crowd 10

still_serving 'the server serves on after all of that'

check 'a layer is refused past what the client was told' talk \
    -script "CAPA;$(repeat 16 'STARTTLS;')hello;STARTTLS;hello;QUIT"

stop_background "$pid"

# Layers from the first byte
# --------------------------

for layers in 1 3; do
    serve -accept 127.0.0.1:0 -layers $layers || exit 99
    check "-layers $layers: the connection begins inside, and can come out" \
        talk -layers $layers \
        -script "${say}STARTTLS;hello;STOPTLS;$(repeat $layers 'STOPTLS;hello;')QUIT"
    stop_background "$pid"
done

# A certificate of the client
# ---------------------------

serve -accept 127.0.0.1:0 -Verify 5 || exit 99
check 'each side verifies the other in every layer' \
    talk -script 'STARTTLS;STARTTLS;STARTTLS;hello;QUIT'
stop_background "$pid"

# The depth that the server allows
# --------------------------------

serve -accept 127.0.0.1:0 -max_depth 2 || exit 99
check '-max_depth 2: a third layer is refused, and the talk goes on' \
    talk -script 'CAPA;STARTTLS;STARTTLS;STARTTLS;hello;RSTARTTLS;hello;QUIT'
stop_background "$pid"

# IPv6
# ----

name='every verb, three layers deep, over IPv6'
if serve -accept '[::1]:0' 2>"$tmp/no-v6"; then
    check "$name" talk -script "$three"
    stop_background "$pid"
else
    skip "$name" 'no IPv6 here'
fi

done_testing
