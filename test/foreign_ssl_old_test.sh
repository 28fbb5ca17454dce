#!/bin/sh
# foreign_ssl_old_test.sh - OpenSSL's own test of BIO_f_ssl(), ssl_old_test.c,
# with BIO_f_onion() in its place. Each case runs with both: they have to end
# alike, and to print the same.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/foreign.sh
. "$srcdir/test/foreign.sh"

openssl_source || skip_all "$why"

# All of its test library but another main(), and what looks inside libcrypto.
build_both() {
    set --
    for file in "$source"/test/testutil/*.c; do
        case ${file##*/} in
        main.c | fake_random.c) ;;
        *) set -- "$@" "$file" ;;
        esac
    done
    build "$tmp/ssl_old_test" -idirafter "$source/include" -I"$source" \
        -I"$source/apps/include" -I"$source/test" \
        "$source/test/ssl_old_test.c" "$source/apps/lib/opt.c" \
        "$source/test/helpers/predefined_dhparams.c" "$@"
}

key="$certs/outer.example.key"
pem="$certs/outer.example.pem"

# run METHOD ARGUMENT...: sets status. What it prints has addresses in it.
run() {
    method=$1
    shift
    timeout 60 "$tmp/ssl_old_test.$method" -s_key "$key" -s_cert "$pem" \
        -c_key "$key" -c_cert "$pem" -config "$source/test/default.cnf" \
        -provider default "$@" >"$tmp/$method.all" 2>"$tmp/$method.err"
    status=$?
    sed 's/0x[0-9a-fx]*/ADDRESS/g' "$tmp/$method.all" >"$tmp/$method.out"
}

# case_of STATUS SENTENCE ARGUMENT...
case_of() {
    wanted=$1
    name=$2
    shift 2
    run ssl "$@"
    if [ "$status" -ne "$wanted" ]; then
        skip "$name" "with BIO_f_ssl() it ends with $status"
        return
    fi
    run onion "$@"
    if [ "$status" -eq "$wanted" ] && cmp "$tmp/ssl.out" "$tmp/onion.out"; then
        ok "$name"
    else
        not_ok "$name" "$tmp/ssl.out" "$tmp/onion.out" "$tmp/onion.err"
    fi
}

works() {
    case_of 0 "$@"
}

# fails SENTENCE ARGUMENT...: and says why
fails() {
    case_of 1 "$@"
    [ "$status" -ne 1 ] ||
        check "$1: it is reported" grep ':error:.*:onion:' "$tmp/onion.err"
}

check 'ssl_old_test.c compiles with the names exchanged' build_both
check 'and has nothing of BIO_f_ssl() left in it' \
    is_exchanged "$tmp/ssl_old_test.onion"

ca="-CAfile $certs/ca.pem"
both="-server_auth -client_auth $ca"
weak='-cipher ALL:@SECLEVEL=0'

# Each transport, each version
# ----------------------------
#
# Without a word for the transport: two memory BIOs, which are the SSL's own.

# shellcheck disable=SC2086 # words are meant
every_way() {
    works "$1, $2" $3 $4
    works "$1, $2: the server is verified" $3 $4 -server_auth $ca
    works "$1, $2: both are verified" $3 $4 $both
    works "$1, $2: 2 MB each way" $3 $4 -bytes 2m
    # It cannot do this with TLS 1.3.
    [ "$2" = -tls1_3 ] ||
        works "$1, $2: 5 connections of 100 KB" $3 $4 -f -num 5 -bytes 100k
    fails "$1, $2: an unknown authority" $3 $4 -server_auth \
        -CAfile "$certs/other-ca.pem"
}

# TLS 1.0 is TLS 1.1 to a BIO.
for version in -tls1_1 -tls1_2 ''; do
    flags=$version
    [ "$version" != -tls1_1 ] || flags="$version $weak"
    every_way 'memory BIOs' "${version:--tls1_3}" '' "$flags"
    every_way 'a BIO pair' "${version:--tls1_3}" -bio_pair "$flags"
    every_way 'IPv4' "${version:--tls1_3}" -ipv4 "$flags"
    every_way 'IPv6' "${version:--tls1_3}" -ipv6 "$flags"
done

# A session that is used again
# ----------------------------

for transport in '' -bio_pair -ipv4; do
    where=${transport:-memory BIOs}
    # shellcheck disable=SC2086 # words are meant
    {
        works "a session 5 times, $where, -tls1_2" \
            $transport -tls1_2 -reuse -num 5
        works "a session 5 times, $where, -tls1_2, no tickets" \
            $transport -tls1_2 -reuse -num 5 -no_ticket
        works "a session is saved, $where, -tls1_2" $transport -tls1_2 \
            -server_sess_out "$tmp/server.session" \
            -client_sess_out "$tmp/client.session"
        works "and resumed, $where, -tls1_2" $transport -tls1_2 \
            -server_sess_in "$tmp/server.session" \
            -client_sess_in "$tmp/client.session" -should_reuse 1
    }
done

# Every step that it takes
# ------------------------

for transport in '' -bio_pair; do
    for version in -tls1_2 ''; do
        # shellcheck disable=SC2086 # words are meant
        works "every step, ${transport:-memory BIOs}, ${version:--tls1_3}" \
            $transport $version -v -d -bytes 300k
    done
done

# DTLS
# ----

for version in -dtls -dtls1 -dtls12; do
    flags=$version
    [ $version != -dtls1 ] || flags="$version $weak"
    # shellcheck disable=SC2086 # words are meant
    {
        works "memory BIOs, $version" $flags
        works "memory BIOs, $version: both are verified" $flags $both
        works "memory BIOs, $version: 3 connections" $flags -num 3
        works "IPv4, $version" $flags -ipv4
    }
done

# What goes with a handshake
# --------------------------

for transport in -bio_pair ''; do
    where=${transport:-memory BIOs}
    info="-serverinfo_file $source/test/serverinfo.pem"
    # shellcheck disable=SC2086 # words are meant
    {
        works "the application verifies, $where" $transport $both -app_verify
        works "ALPN, $where" $transport -alpn_client foo,bar \
            -alpn_server bar,foo -alpn_expected bar
        works "NPN, $where" $transport -tls1_2 -npn_client -npn_server
        works "NPN refused, $where" $transport -tls1_2 -npn_client \
            -npn_server_reject
        works "a name, $where" $transport -sn_client one -sn_server1 one \
            -sn_server2 two -sn_expect1
        works "another name, $where" $transport -sn_client two \
            -sn_server1 one -sn_server2 two -sn_expect2
        works "server info, $where" $transport -tls1_2 $info
        works "server info, SCT and TACK, $where" $transport -tls1_2 $info \
            -serverinfo_sct -serverinfo_tack
        works "extensions of its own, $where" $transport -tls1_2 -custom_ext
        works "a pre-shared key, $where" $transport -tls1_2 -cipher PSK \
            -psk abc123
        works "anonymous, 10 connections, $where" $transport -tls1_2 -f \
            -num 10 -cipher ADH:@SECLEVEL=0 -dhe1024dsa
        works "no DHE, $where" $transport -tls1_2 -no_dhe -no_ecdhe
        works "a large DHE, $where" $transport -tls1_2 -cipher DHE -dhe4096
        works "versions that meet, $where" $transport \
            -server_min_proto tls1.2 -client_max_proto tls1.2 \
            -should_negotiate tls1.2
        works "versions that do not meet, $where" $transport \
            -server_min_proto tls1.3 -client_max_proto tls1.2 \
            -should_negotiate fail-server
        fails "a key too weak, $where" $transport -tls1_2 -s_cipher EDH \
            -c_cipher EDH:@SECLEVEL=1 -dhe512
    }
done

for side in -client_ktls -server_ktls '-client_ktls -server_ktls'; do
    for version in -tls1_2 ''; do
        # shellcheck disable=SC2086 # words are meant
        works "IPv4, $side, ${version:--tls1_3}" -ipv4 $side $version \
            -bytes 1m
    done
done

# Every cipher suite
# ------------------

# suites VERSION: with a certificate of each kind. One that BIO_f_ssl() cannot
# use with these is left out.
suites() {
    suites_worked=0
    for suite in $(openssl ciphers -s "$1" 'ALL:-PSK:-SRP:@SECLEVEL=0' |
        tr : ' '); do
        set -- "$1" -s_cert "$certs/inner.example.pem" \
            -s_key "$certs/inner.example.key" \
            -s_cert "$certs/middle.example.pem" \
            -s_key "$certs/middle.example.key" -bytes 50k
        case $1 in
        -tls1_3) set -- "$@" -ciphersuites "$suite" ;;
        *) set -- "$@" "$1" -cipher "$suite:@SECLEVEL=0" ;;
        esac
        version=$1
        shift
        run ssl "$@"
        if [ "$status" -eq 0 ]; then
            run onion "$@"
            suites_worked=$((suites_worked + 1))
            if [ "$status" -ne 0 ] ||
                ! cmp "$tmp/ssl.out" "$tmp/onion.out"; then
                echo "$suite: $status"
                cat "$tmp/onion.err"
                return 1
            fi
        fi
        set -- "$version"
    done
    [ "$suites_worked" -gt 2 ]
}

for version in -tls1_1 -tls1_2 -tls1_3; do
    check "every cipher suite, $version" suites "$version"
done

done_testing
