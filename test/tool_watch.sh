#!/bin/sh
# tool_watch.sh - what onion_client shows of each layer: messages, bytes,
# certificates, OCSP; and the key log. Each line has the label of its layer.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

ca=$certs/ca.pem
outer="-cert $certs/outer.example.pem -key $certs/outer.example.key"
middle="-cert $certs/middle.example.pem -key $certs/middle.example.key"

# watch OPTION...: two layers to $address; stdout and stderr are apart.
watch() {
    timeout 30 "$client" -connect "$address" -CAfile "$ca" -layers 2 \
        -script 'hello;QUIT' "$@" -layer -servername outer.example \
        -layer -servername middle.example >"$tmp/out" 2>"$tmp/err"
    watch_status=$?
    tail -n 20 "$tmp/err"
    return "$watch_status"
}

# shows PATTERN: in lines of both layers
shows() {
    for shows_layer in 1 2; do
        grep -qE "^\[$shows_layer 127\.0\.0\.1:[0-9]+\] .*$1" "$tmp/err" || {
            echo "nothing like '$1' of layer $shows_layer"
            return 1
        }
    done
}

# labelled [PATTERN]: every line is, but those of the pattern; and what the
# peer says is on stdout, and is all that is there.
labelled() {
    ! grep -vE "^\[[12] 127\.0\.0\.1:[0-9]+\] ${1+|$1}" "$tmp/err" &&
        [ "$(cat "$tmp/out")" = '> hello
< depth=2 hello
> QUIT
< BYE depth=2' ]
}

# shellcheck disable=SC2086 # words are meant
start_server both -line -accept 127.0.0.1:0 -layers 2 \
    -layer $outer -layer $middle || exit 99

show_messages() {
    watch -msg && labelled && shows '>>> ClientHello, [0-9]+ bytes' &&
        shows '<<< Certificate, ' && shows '  0000 - ' &&
        shows '>>> close notify'
}
check '-msg shows each message of each layer' show_messages

show_trace() {
    watch -trace && labelled && shows 'ClientHello, Length=' &&
        shows 'Content Type = Handshake'
}
if openssl s_client -help 2>&1 | grep -q -- -trace; then
    check '-trace shows them in words' show_trace
else
    skip '-trace shows them in words' 'OpenSSL was built without it'
fi

# What the outer layer writes is what the inner one has written, and more.
show_bytes() {
    watch -debug && labelled && shows 'wrote [0-9]+ bytes' &&
        shows 'read 5 bytes' && shows '  0000 - 16 03'
}
check '-debug shows the bytes below each layer' show_bytes

show_all() {
    watch -debug -msg -showcerts && shows 'wrote ' && shows '>>> ' &&
        shows 'certificate 0'
}
check 'all of them together' show_all

# fingerprints FILE: of each certificate in it
fingerprints() {
    awk -v dir="$tmp" '/BEGIN CERT/ { n++ } /BEGIN CERT/, /END CERT/ {
        print >(dir "/shown." n) }' "$1"
    for i in 1 2; do
        openssl x509 -in "$tmp/shown.$i" -noout -fingerprint
    done
}
show_certificates() {
    watch -showcerts && shows 'subject CN = (outer|middle).example' &&
        shows 'issuer CN = ca' || return 1
    labelled '^[A-Za-z0-9+/=-]+( [A-Z]+-----)?$' || return 1
    fingerprints "$tmp/err" >"$tmp/shown"
    for i in outer middle; do
        openssl x509 -in "$certs/$i.example.pem" -noout -fingerprint
    done >"$tmp/made"
    same "$tmp/made" "$tmp/shown"
}
check '-showcerts shows the certificates of each peer, fit to be used' \
    show_certificates

# A key log
# ---------

# logged COUNT: so many sessions have their secrets in it.
logged() {
    cat "$tmp/keys"
    [ "$(grep -cE '^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]+$' \
        "$tmp/keys")" -eq "$1" ] &&
        ! grep -vE '^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]+$' "$tmp/keys" &&
        [ "$(stat -c %a "$tmp/keys")" = 600 ]
}
log_keys() {
    watch -keylogfile "$tmp/keys" && logged "$1" && [ ! -s "$tmp/err" ]
}
check '-keylogfile has the secrets of both layers' log_keys 2
check 'it is appended to' log_keys 4

log_nowhere() {
    ! watch -keylogfile "$tmp/nowhere/keys" &&
        grep -q 'keylogfile .*nowhere.*No such' "$tmp/err" &&
        [ "$(wc -l <"$tmp/err")" -eq 1 ]
}
check 'a key log that cannot be written is a mistake' log_nowhere
log_full() {
    watch -keylogfile /dev/full && shows_lost=$(grep -c 'No space' "$tmp/err")
    [ "$shows_lost" -eq 2 ]
}
if [ -w /dev/full ]; then
    check 'a key log that is full is said once for each layer' log_full
else
    skip 'a key log that is full is said once for each layer' 'no /dev/full'
fi
stop_background "$pid"

# OCSP
# ----

# response STATUS SIGNER: of the outer certificate, in $tmp/STATUS.der
response() {
    serial=$(openssl x509 -in "$certs/outer.example.pem" -noout -serial)
    case $1 in
    good | foreign) printf 'V\t491231235959Z\t\t' ;;
    *) printf 'R\t491231235959Z\t240101000000Z\t' ;;
    esac >"$tmp/index"
    printf '%s\tunknown\t/CN=outer.example\n' "${serial#*=}" >>"$tmp/index"
    openssl ocsp -issuer "$ca" -cert "$certs/outer.example.pem" \
        -reqout "$tmp/request" &&
        openssl ocsp -index "$tmp/index" -CA "$ca" \
            -rsigner "$certs/$2.pem" -rkey "$certs/$2.key" -reqin "$tmp/request" -ndays 2 \
            -respout "$tmp/$1.der"
}
if ! { response good ca && response revoked ca && response foreign other-ca; } \
    >"$tmp/response.log" 2>&1; then
    cat "$tmp/response.log"
    exit 99
fi

# status PATTERN FILE: what the client shows of this response
status() {
    # shellcheck disable=SC2086 # words are meant
    start_server "ocsp$tap_count" -line -accept 127.0.0.1:0 -layers 2 \
        -layer $outer ${2:+-status_file "$2"} -layer $middle || return 1
    watch -status
    stop_background "$pid"
    labelled && grep -qE "^\[1 .*\] OCSP: $1" "$tmp/err" &&
        grep -q '^\[2 .*\] OCSP: no response came' "$tmp/err"
}
check '-status shows what the server has by -status_file' \
    status 'certificate [0-9A-F]+: good, as of .*, until ' "$tmp/good.der"
check 'and that its signature is good' \
    status 'its signature is good' "$tmp/good.der"
check 'that the certificate is revoked' \
    status 'certificate [0-9A-F]+: revoked, since ' "$tmp/revoked.der"
check 'and that nothing came' status 'no response came' ''

check 'and that whoever has signed it may not' \
    status 'its signature does not verify: ' "$tmp/foreign.der"

done_testing
