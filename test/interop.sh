#!/bin/sh
# interop.sh - programs that were not written here as peers, over TCP.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

# stunnel is called so on Debian, and may be where only root looks.
PATH=$PATH:/usr/sbin:/sbin
stunnel=stunnel4
have $stunnel || stunnel=stunnel

# free_ports: sets a, b and c to ports that were free just now.
free_ports() {
    set --
    for free_name in x y z; do
        start_server $free_name -line -accept 127.0.0.1:0 || exit 99
        set -- "$@" "${address##*:}" "$pid"
    done
    stop_background "$2"
    stop_background "$4"
    stop_background "$6"
    a=$1 b=$3 c=$5
}

# start_stunnel NAME ACCEPT CONNECT SETTING...: on ports of this machine.
start_stunnel() {
    conf=$tmp/$1.conf
    {
        echo 'foreground = yes'
        echo 'pid ='
        echo 'debug = info'
        echo 'TIMEOUTclose = 5'
        echo "[$1]"
        echo "accept = 127.0.0.1:$2"
        echo "connect = 127.0.0.1:$3"
    } >"$conf"
    stunnel_log=$tmp/$1.log
    shift 3
    printf '%s\n' "$@" >>"$conf"
    background "$stunnel_log" $stunnel "$conf"
    wait_for 20 grep -q 'Configuration successful' "$stunnel_log"
}

# s_client ADDRESS NAME OPTION...: stdin is what it sends. Stops at the server's
# end; what it prints is compared, so that nothing but the data may be in it.
s_client() {
    s_client_address=$1
    s_client_name=$2
    shift 2
    timeout 60 openssl s_client -connect "$s_client_address" -quiet \
        -servername "$s_client_name" -verify_hostname "$s_client_name" \
        -CAfile "$certs/ca.pem" -verify_return_error "$@" \
        >"$tmp/said" 2>"$tmp/s_client.log"
}

# What onion_server answers at a depth.
expected() {
    printf 'depth=%d hello\ndepth=%d ' "$1" "$1"
    head -c 200000 /dev/zero | tr '\0' x
    printf '\nBYE depth=%d\n' "$1"
}

outer="-cert $certs/outer.example.pem -key $certs/outer.example.key"
middle="-cert $certs/middle.example.pem -key $certs/middle.example.key"
inner="-cert $certs/inner.example.pem -key $certs/inner.example.key"

# One layer to onion_server: openssl s_client
# --------------------------------------------

# shellcheck disable=SC2086 # words are meant
start_server one -line -accept 127.0.0.1:0 -layers 1 $outer || exit 99
expected 1 >"$tmp/expected"

for version in tls1_2 tls1_3; do
    name="openssl s_client -$version talks to onion_server through one layer"
    if printf 'hello\nBULK 200000\nQUIT\n' |
        s_client "$address" outer.example -$version &&
        same "$tmp/expected" "$tmp/said"; then
        ok "$name"
    else
        not_ok "$name" "$tmp/said" "$tmp/s_client.log" "$log"
    fi
done
stop_background "$pid"

# Three layers to onion_server: s_client in stunnel in stunnel
# -------------------------------------------------------------

name='s_client in stunnel in stunnel talks to onion_server through three layers'
if ! have $stunnel; then
    skip "$name" 'no stunnel'
else
    free_ports
    # shellcheck disable=SC2086 # words are meant
    start_server three -line -accept 127.0.0.1:0 -layers 3 \
        -layer $outer -layer $middle -layer $inner || exit 99
    expected 3 >"$tmp/expected"
    start_stunnel put-outer "$a" "${address##*:}" 'client = yes' \
        "CAfile = $certs/ca.pem" 'verifyChain = yes' \
        'checkHost = outer.example' 'sni = outer.example'
    start_stunnel put-middle "$b" "$a" 'client = yes' \
        "CAfile = $certs/ca.pem" 'verifyChain = yes' \
        'checkHost = middle.example' 'sni = middle.example'
    if printf 'hello\nBULK 200000\nQUIT\n' |
        s_client "127.0.0.1:$b" inner.example &&
        same "$tmp/expected" "$tmp/said"; then
        ok "$name"
    else
        not_ok "$name" "$tmp/said" "$tmp/s_client.log" "$log" \
            "$tmp/put-outer.log" "$tmp/put-middle.log"
    fi
fi

# Three layers to stunnel, stunnel and socat, that sends everything back
# -----------------------------------------------------------------------

name='three layers to stunnel, stunnel and socat give back 200 KB as they were'
lines_name='and so does onion_client -layers 3, with lines from a pipe'
if ! have $stunnel || ! have socat; then
    skip "$name" 'no stunnel, or no socat'
    skip "$lines_name" 'no stunnel, or no socat'
else
    free_ports
    head -c 204800 /dev/urandom >"$tmp/sent"
    start_stunnel take-outer "$a" "$b" "cert = $certs/outer.example.pem" \
        "key = $certs/outer.example.key" 'sslVersion = TLSv1.2'
    start_stunnel take-middle "$b" "$c" "cert = $certs/middle.example.pem" \
        "key = $certs/middle.example.key"
    background "$tmp/socat.log" socat -d -d \
        "OPENSSL-LISTEN:$c,bind=127.0.0.1,reuseaddr,fork,verify=0,cert=$certs/inner.example.pem,key=$certs/inner.example.key" \
        EXEC:cat
    wait_for 20 grep -q listening "$tmp/socat.log"
    if timeout 60 test/pipe_client "127.0.0.1:$a" "$certs/ca.pem" \
        outer.example middle.example inner.example \
        <"$tmp/sent" >"$tmp/came" 2>"$tmp/pipe.log" &&
        same "$tmp/sent" "$tmp/came"; then
        ok "$name"
    else
        not_ok "$name" "$tmp/pipe.log" "$tmp/take-outer.log" \
            "$tmp/take-middle.log" "$tmp/socat.log"
    fi
    # With TLS 1.2 outside, a peer answers a close_notify with its own.
    check 'and all three layers end with a close_notify from either side' \
        grep 'closed by both sides: 3 of 3' "$tmp/pipe.log"

    openssl base64 -in "$tmp/sent" -out "$tmp/lines"
    if timeout 60 "$client" -connect "127.0.0.1:$a" -CAfile "$certs/ca.pem" \
        -layers 3 -layer -servername outer.example \
        -layer -servername middle.example -layer -servername inner.example \
        <"$tmp/lines" >"$tmp/came" 2>"$tmp/client.log" &&
        same "$tmp/lines" "$tmp/came"; then
        ok "$lines_name"
    else
        not_ok "$lines_name" "$tmp/client.log" "$tmp/take-outer.log" \
            "$tmp/take-middle.log" "$tmp/socat.log"
    fi
fi

done_testing
