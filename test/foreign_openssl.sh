#!/bin/sh
# foreign_openssl.sh - the openssl command as it is installed, with
# BIO_f_onion() under it: preload.c answers when it asks for BIO_f_ssl(). Each
# case is run without that too; it counts if it works so.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/foreign.sh
. "$srcdir/test/foreign.sh"

preload=$tmp/preload.so

build_preload() {
    # shellcheck disable=SC2086 # words are meant
    compile -shared -fPIC -I"$srcdir/include" -o "$preload" \
        "$srcdir/test/preload.c" ${LDFLAGS-} $onion_libs -ldl
}

[ -e .libs/libbio_onion.so ] || skip_all 'no shared library was built'
check 'preload.c compiles' build_preload
[ -e "$preload" ] || done_testing
case ${CFLAGS-} in
*-fsanitize=*address*) preload="$($CC -print-file-name=libasan.so) $preload" ;;
esac

# under METHOD COMMAND...: in place of this shell
under() {
    under_method=$1
    shift
    case $under_method in
    ssl) exec "$@" ;;
    onion) leaky env LD_PRELOAD="$preload" PRELOAD_LOG="$tmp/called" "$@" ;;
    esac
}

# asked METHOD NAME...: each was asked of us, if METHOD is onion.
asked() {
    if [ "$1" = onion ]; then
        shift
        for asked_name; do
            grep -qx "$asked_name" "$tmp/called" || {
                echo "$asked_name was not called"
                return 1
            }
        done
    fi
    rm -f "$tmp/called"
}

# s_server
# --------

site=$tmp/site
mkdir "$site"
openssl rand -hex 100001 | fold -w 99 >"$site/large"
echo 'One line.' >"$site/small"
: >"$site/empty"
servers=0

in_site() {
    cd "$site" && under "$@"
}

# start_s_server METHOD ARGUMENT...: sets address, log and pid.
start_s_server() {
    servers=$((servers + 1))
    log=$tmp/s_server$servers.log
    s_server_method=$1
    shift
    background "$log" in_site "$s_server_method" openssl s_server \
        -accept 127.0.0.1:0 -cert "$certs/outer.example.pem" \
        -key "$certs/outer.example.key" -CAfile "$certs/ca.pem" "$@"
    wait_for 20 grep -q '^ACCEPT ' "$log" || return 1
    address=$(sed -n 's/^ACCEPT //p' "$log" | head -n 1)
}

# s_client ARGUMENT...: stdin is what it sends; it stays until the server ends.
s_client() {
    timeout 30 openssl s_client -connect "$address" -quiet \
        -servername outer.example -verify_hostname outer.example \
        -CAfile "$certs/ca.pem" -verify_return_error "$@" \
        2>"$tmp/s_client.log"
}

# file NAME OPTION...: the server sends it.
file() {
    file_name=$1
    shift
    printf 'HTTP/1.0 200 ok\r\nContent-type: text/plain\r\n\r\n' |
        cat - "$site/$file_name" >"$tmp/expected"
    printf 'GET /%s HTTP/1.0\r\n\r\n' "$file_name" |
        s_client "$@" >"$tmp/came" && cmp "$tmp/expected" "$tmp/came"
}

# sends_files METHOD CLIENT-OPTION SERVER-OPTION...
sends_files() {
    sends_method=$1
    sends_option=$2
    shift 2
    start_s_server "$sends_method" -WWW "$@" || return 1
    sends_status=0
    # shellcheck disable=SC2086 # words are meant
    for sends_file in small large empty large; do
        file $sends_file $sends_option || sends_status=1
    done
    stop_background "$pid"
    [ "$sends_status" -eq 0 ] || tail -n 5 "$log" "$tmp/s_client.log"
    asked "$sends_method" BIO_f_ssl && [ "$sends_status" -eq 0 ]
}

me="-cert $certs/middle.example.pem -key $certs/middle.example.key"
for version in -tls1_2 -tls1_3; do
    # shellcheck disable=SC2086 # words are meant
    {
        both "s_server -WWW $version: four files" sends_files '' $version
        both "s_server -WWW $version -nbio: four files" \
            sends_files '' $version -nbio
        both "s_server -WWW $version -Verify: four files" \
            sends_files "$me" $version -Verify 2 -verify_return_error
        both "s_server -WWW $version -max_send_frag 512: four files" \
            sends_files '' $version -max_send_frag 512
        both "s_server -WWW $version -no_ticket: four files" \
            sends_files '' $version -no_ticket
    }
done

# sends_page METHOD CLIENT-OPTION: what it knows of the session
sends_page() {
    start_s_server "$1" -www || return 1
    printf 'GET / HTTP/1.0\r\n\r\n' | s_client "$2" >"$tmp/came"
    sends_status=$?
    stop_background "$pid"
    tail -n 5 "$log" "$tmp/s_client.log"
    asked "$1" BIO_f_ssl && [ "$sends_status" -eq 0 ] &&
        grep '^HTTP/1.0 200 ok' "$tmp/came" &&
        grep '^    Protocol  : TLSv1' "$tmp/came" &&
        grep '^</pre></BODY></HTML>' "$tmp/came"
}

for version in -tls1_2 -tls1_3; do
    both "s_server -www $version: its page, to the end" sends_page $version
done

# refuses_client METHOD: that has no certificate; it goes on after that.
refuses_client() {
    start_s_server "$1" -WWW -tls1_2 -Verify 2 -verify_return_error || return 1
    file small -tls1_2
    refuses_first=$?
    # shellcheck disable=SC2086 # words are meant
    file small $me
    refuses_second=$?
    stop_background "$pid"
    cat "$log"
    asked "$1" BIO_f_ssl && [ "$refuses_first" -ne 0 ] &&
        [ "$refuses_second" -eq 0 ] &&
        grep 'peer did not return a certificate' "$log"
}

both 's_server -WWW -Verify: refuses a client, says why, and serves the next' \
    refuses_client

# turns_lines METHOD OPTION...: 500 lines, and the word that ends it.
turns_lines() {
    turns_method=$1
    shift
    start_s_server "$turns_method" -rev "$@" || return 1
    head -n 500 "$site/large" | awk '{
        for (i = length($0); i > 0; i--)
            printf "%s", substr($0, i, 1)
        print ""
    }' >"$tmp/expected"
    turns_status=0
    for turns_time in first second; do
        { head -n 500 "$site/large" && echo CLOSE; } |
            s_client >"$tmp/came"
        cmp "$tmp/expected" "$tmp/came" || {
            echo "the $turns_time time"
            turns_status=1
        }
    done
    stop_background "$pid"
    [ "$turns_status" -eq 0 ] || tail -n 5 "$log" "$tmp/s_client.log"
    asked "$turns_method" BIO_f_ssl && [ "$turns_status" -eq 0 ]
}

for version in -tls1_2 -tls1_3; do
    both "s_server -rev $version: lines, twice" turns_lines $version
    both "s_server -rev $version -nbio: lines, twice" turns_lines $version -nbio
    # It cannot do this with -WWW.
    both "s_server -rev $version -nbio -nbio_test: lines, twice" \
        turns_lines $version -nbio -nbio_test
done

# cmp and ocsp, over TLS
# ----------------------
#
# The servers that the openssl command has for them speak no TLS: stunnel does.

have "$stunnel" || {
    skip 'openssl cmp' 'no stunnel'
    skip 'openssl ocsp' 'no stunnel'
    done_testing
}

# start_plain NAME ARGUMENT...: openssl as a server without TLS, on this
# machine only. Sets port.
start_plain() {
    log=$tmp/$1.log
    shift
    background "$log" under onion openssl "$@"
    wait_for 20 grep -q '^ACCEPT ' "$log" || return 1
    port=$(sed -n 's/^ACCEPT .*:\([0-9]*\).*/\1/p' "$log" | head -n 1)
}

# start_stunnel NAME VERSION: in front of port. Sets port to its own.
start_stunnel() {
    stunnel_to=$port
    stunnel_log=$tmp/$1.log
    free_port || return 1
    cat >"$tmp/$1.conf" <<END
foreground = yes
pid =
debug = info
TIMEOUTclose = 5
sslVersion = $2
[$1]
accept = 127.0.0.1:$port
connect = 127.0.0.1:$stunnel_to
cert = $certs/outer.example.pem
key = $certs/outer.example.key
END
    background "$stunnel_log" "$stunnel" "$tmp/$1.conf"
    wait_for 20 grep -q 'Configuration successful' "$stunnel_log"
}

# enrols METHOD PORT ARGUMENT...: gets the certificate that the server has.
enrols() {
    enrols_method=$1
    enrols_port=$2
    shift 2
    rm -f "$tmp/got.pem"
    (
        under "$enrols_method" timeout 30 openssl cmp -config '' -cmd ir \
            -server "127.0.0.1:$enrols_port" -path pkix/ -batch -ref test \
            -secret pass:test -recipient /CN=ca \
            -newkey "$certs/middle.example.key" -subject /CN=middle.example \
            -certout "$tmp/got.pem" -tls_used "$@"
    ) || return 1
    asked "$enrols_method" BIO_f_ssl BIO_ssl_shutdown &&
        openssl x509 -in "$tmp/got.pem" -out "$tmp/got.plain.pem" &&
        openssl x509 -in "$certs/middle.example.pem" -out "$tmp/had.pem" &&
        cmp "$tmp/had.pem" "$tmp/got.plain.pem"
}

# does_not_enrol METHOD PORT: the server's certificate is for another name.
does_not_enrol() {
    does_method=$1
    ! enrols "$@" -tls_trusted "$certs/ca.pem" -tls_host other.example \
        >"$tmp/does.log" 2>&1
    does_status=$?
    cat "$tmp/does.log"
    asked "$does_method" BIO_f_ssl && [ "$does_status" -eq 0 ] &&
        grep 'hostname mismatch\|certificate verify failed' "$tmp/does.log"
}

start_plain cmp-server cmp -config '' -port 0 -srv_ref test \
    -srv_secret pass:test -rsp_cert "$certs/middle.example.pem" || exit 99
cmp_port=$port
for version in TLSv1.2 TLSv1.3; do
    port=$cmp_port
    start_stunnel "cmp-$version" $version || exit 99
    for keep in 0 1; do
        both "cmp -keep_alive $keep, $version: a certificate" enrols "$port" \
            -tls_trusted "$certs/ca.pem" -tls_host outer.example \
            -keep_alive $keep
    done
    both "cmp, $version: a server with another name is refused, and why" \
        does_not_enrol "$port"
done

# asks METHOD PORT: whether the certificate is good.
asks() {
    (
        under "$1" timeout 30 openssl ocsp -url "https://127.0.0.1:$2/" \
            -issuer "$certs/ca.pem" -cert "$certs/middle.example.pem" \
            -cert "$certs/inner.example.pem" -CAfile "$certs/ca.pem"
    ) >"$tmp/ocsp.out" 2>&1
    asks_status=$?
    cat "$tmp/ocsp.out"
    asked "$1" BIO_f_ssl && [ "$asks_status" -eq 0 ] &&
        grep 'Response verify OK' "$tmp/ocsp.out" &&
        grep 'middle.example.pem: good' "$tmp/ocsp.out" &&
        grep 'inner.example.pem: revoked' "$tmp/ocsp.out"
}

# serial NAME
serial() {
    openssl x509 -in "$certs/$1.pem" -noout -serial | sed 's/.*=//'
}

{
    printf 'V\t491231235959Z\t\t%s\tunknown\t/CN=middle.example\n' \
        "$(serial middle.example)"
    printf 'R\t491231235959Z\t200101000000Z\t%s\tunknown\t/CN=inner.example\n' \
        "$(serial inner.example)"
} >"$tmp/index"
start_plain ocsp-server ocsp -port 0 -index "$tmp/index" -CA "$certs/ca.pem" \
    -rsigner "$certs/ca.pem" -rkey "$certs/ca.key" || exit 99
ocsp_port=$port
for version in TLSv1.2 TLSv1.3; do
    port=$ocsp_port
    start_stunnel "ocsp-$version" $version || exit 99
    both "ocsp, $version: a good certificate, and one that is revoked" \
        asks "$port"
done

done_testing
