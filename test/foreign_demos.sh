#!/bin/sh
# foreign_demos.sh - OpenSSL's own examples of BIO_f_ssl(), demos/bio, with
# BIO_f_onion() in its place. Their peers are openssl s_client and s_server.
# Each case is run with both; it counts if it works with BIO_f_ssl().
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/foreign.sh
. "$srcdir/test/foreign.sh"

openssl_source || skip_all "$why"
[ -r /proc/net/tcp ] || skip_all 'no /proc/net/tcp to see who listens'

# The names of files and the port that the examples have inside.
demo=$tmp/demo
mkdir "$demo"
# (All that cmod.cnf allows with TLS 1.3.)
make_cert "$certs" ca localhost 'ec -pkeyopt ec_paramgen_curve:P-521' || exit 99
cat "$certs/localhost.pem" "$certs/localhost.key" >"$demo/server-ec.pem"
make_cert "$certs" ca localhost rsa || exit 99
cat "$certs/localhost.pem" "$certs/localhost.key" >"$demo/server.pem"
cp "$certs/ca.pem" "$demo/root.pem"
cp "$source/demos/bio/cmod.cnf" "$demo"
cat >"$tmp/demo.h" <<'END'
#include <stdlib.h>
#include <unistd.h>
#include <openssl/bio.h>
#define BIO_new_accept(port) BIO_new_accept(getenv("DEMO_PORT"))
#define sleep(seconds) usleep(20000)
END

for name in client-arg client-conf saccept sconnect server-arg server-conf \
    server-cmod; do
    check "$name compiles with the names exchanged" build "$tmp/$name" \
        -include "$tmp/demo.h" "$source/demos/bio/$name.c"
    check "$name has nothing of BIO_f_ssl() left in it" \
        is_exchanged "$tmp/$name.onion"
done

openssl rand -hex 100000 | fold -w 99 | head -c 199999 >"$tmp/data"
echo >>"$tmp/data"
echo end >"$tmp/end"

# No example uses them all.
cat >"$tmp/names.c" <<'END'
#include <openssl/bio.h>
#include <openssl/ssl.h>
int main(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    BIO *one = BIO_new(BIO_f_ssl());
    BIO *two = BIO_new_ssl(ctx, 1);
    BIO *three = BIO_new_ssl_connect(ctx);
    BIO *four = BIO_new_buffer_ssl_connect(ctx);
    int ok = one != NULL && two != NULL && three != NULL && four != NULL;

    ok = ok && BIO_ssl_copy_session_id(two, three);
    BIO_ssl_shutdown(two);
    BIO_free_all(four);
    BIO_free_all(three);
    BIO_free_all(two);
    BIO_free_all(one);
    SSL_CTX_free(ctx);
    return !ok;
}
END
check 'every name compiles exchanged' build "$tmp/names" "$tmp/names.c"
check 'and not one of BIO_f_ssl() is left' is_exchanged "$tmp/names.onion"
check 'and the program runs' "$tmp/names.onion"

# Servers
# -------

# in_demo COMMAND...: where the examples find their files.
in_demo() {
    cd "$demo" && "$@"
}

# start_demo METHOD PROGRAM ARGUMENT...: sets pid, log and port.
start_demo() {
    free_port || return 1
    DEMO_PORT=127.0.0.1:$port
    export DEMO_PORT
    printf 'Port = %s\nCertificate = server.pem\nPrivateKey = server.pem\n' \
        "$DEMO_PORT" >"$demo/accept.cnf"
    demo_program=$tmp/$2.$1
    log=$tmp/$2.$1.log
    shift 2
    background "$log" in_demo exec "$demo_program" "$@"
    wait_for 10 listens "$port" || {
        cat "$log"
        return 1
    }
}

# s_client ARGUMENT...: sends what it reads, closes at the end of it.
s_client() {
    timeout 30 openssl s_client -connect "127.0.0.1:$port" -quiet \
        -no_ign_eof -nocommands -servername localhost \
        -verify_hostname localhost -verify_return_error \
        -CAfile "$certs/ca.pem" "$@" 2>"$tmp/s_client.log"
}

# same_size FILE FILE: it prints "Done" after a connection only with the next.
same_size() {
    [ "$(wc -c <"$1")" -eq "$(wc -c <"$2")" ]
}

# four_connections METHOD PROGRAM VERSION ARGUMENT...
four_connections() {
    four_method=$1
    four_program=$2
    four_version=$3
    shift 3
    start_demo "$four_method" "$four_program" "$@" || return 1
    four_status=0
    : >"$tmp/expected"
    for data in data data data end; do
        cat "$tmp/$data" >>"$tmp/expected"
        if ! s_client "$four_version" <"$tmp/$data" ||
            ! wait_for 10 same_size "$tmp/expected" "$log"; then
            four_status=1
            break
        fi
        echo Done >>"$tmp/expected"
    done
    stop_background "$pid"
    sed '$d' "$tmp/expected" | cmp - "$log" || four_status=1
    [ "$four_status" -eq 0 ] || tail -n 5 "$log" "$tmp/s_client.log"
    return "$four_status"
}

for version in -tls1_2 -tls1_3; do
    for name in saccept server-conf server-cmod; do
        both "$name, $version: four connections, three of 200,000 bytes" \
            four_connections $name $version
    done
    both "server-arg, $version: four connections, three of 200,000 bytes" \
        four_connections server-arg $version -cert server.pem \
        -key server.pem
done

# A template of two layers
# ------------------------

cat >"$tmp/two.h" <<'END'
#include "bio_onion.h"
#define BIO_new_ssl(ctx, client) \
    BIO_push(BIO_new_onion(ctx, client), BIO_new_onion(ctx, client))
END

build_two() {
    # shellcheck disable=SC2086 # words are meant
    compile -I"$srcdir/include" -include "$tmp/demo.h" -include "$tmp/two.h" \
        -o "$tmp/saccept.two" "$source/demos/bio/saccept.c" ${LDFLAGS-} \
        $onion_libs
}

# through_stunnel METHOD PROGRAM: s_client says what it has to a stunnel, that
# puts the outer layer on.
through_stunnel() {
    start_demo "$@" || return 1
    through_to=$port
    through_pid=$pid
    through_log=$log
    free_port || return 1
    cat >"$tmp/stunnel.conf" <<END
foreground = yes
pid =
debug = info
TIMEOUTclose = 5
[outer]
client = yes
accept = 127.0.0.1:$port
connect = 127.0.0.1:$through_to
CAfile = $certs/ca.pem
verifyChain = yes
checkHost = localhost
END
    background "$tmp/stunnel.log" "$stunnel" "$tmp/stunnel.conf"
    through_status=0
    wait_for 20 grep -q 'Configuration successful' "$tmp/stunnel.log" ||
        through_status=1
    : >"$tmp/expected"
    for data in data data end; do
        cat "$tmp/$data" >>"$tmp/expected"
        s_client <"$tmp/$data" &&
            wait_for 10 same_size "$tmp/expected" "$through_log" ||
            through_status=1
        echo Done >>"$tmp/expected"
    done
    stop_background "$pid"
    stop_background "$through_pid"
    sed '$d' "$tmp/expected" | cmp - "$through_log" || through_status=1
    [ "$through_status" -eq 0 ] ||
        tail -n 5 "$through_log" "$tmp/s_client.log" "$tmp/stunnel.log"
    return "$through_status"
}

name='saccept with a template of two layers: three connections through stunnel'
if have "$stunnel"; then
    check 'saccept compiles with two layers for BIO_new_ssl()' build_two
    check "$name" through_stunnel two saccept
else
    skip "$name" 'no stunnel'
fi

# Refusals
# --------

# ended PID: the program is gone.
ended() {
    ! kill -0 "$1"
}

# refuses METHOD PROGRAM REASON CLIENT-OPTION ARGUMENT...: the server fails.
refuses() {
    refuses_method=$1
    refuses_program=$2
    refuses_reason=$3
    refuses_option=$4
    shift 4
    start_demo "$refuses_method" "$refuses_program" "$@" || return 1
    # shellcheck disable=SC2086 # words are meant
    if s_client $refuses_option </dev/null; then
        echo 'the client was not refused'
        stop_background "$pid"
        return 1
    fi
    if ! wait_for 10 ended "$pid"; then
        echo 'it did not end'
        stop_background "$pid"
        return 1
    fi
    wait "$pid"
    refuses_status=$?
    cat "$log"
    [ "$refuses_status" -eq 1 ] && grep ":$refuses_reason:" "$log"
}

both 'server-arg refuses a version that is too old, and says so' \
    refuses server-arg 'unsupported protocol' -tls1_2 -cert server.pem \
    -key server.pem -min_protocol TLSv1.3
both 'server-arg refuses a client without a common cipher, and says so' \
    refuses server-arg 'no shared cipher' '-tls1_2 -cipher AES256-SHA256' \
    -cert server.pem -key server.pem -cipher AES128-SHA256
for version in -tls1_2 -tls1_3; do
    both "saccept, $version: a client that refuses it is reported" \
        refuses saccept 'tlsv1 alert unknown ca' \
        "$version -CAfile $certs/other-ca.pem"
done

# Clients
# -------

peers=0

# What openssl s_server reads. It ends its side at the end of that, and resets
# the connection if it has not read what the client says by then.
feed() {
    cat "$tmp/data" && wait_for 10 grep '^GET / HTTP/1.0' "$tmp/$peer.log"
}

# feed_into FILE
feed_into() {
    feed >"$1"
}

# start_peer ARGUMENT...: openssl s_server, which sends data to one client.
# Sets address, log and pid.
start_peer() {
    peers=$((peers + 1))
    peer=s_server$peers
    stdin=
    mkfifo "$tmp/$peer.in"
    background "$tmp/$peer.feed" feed_into "$tmp/$peer.in"
    stdin=$tmp/$peer.in
    peer_server=$server
    server=openssl
    start_server "$peer" s_server -accept 127.0.0.1:0 \
        -cert "$demo/server.pem" -key "$demo/server.pem" "$@"
    peer_status=$?
    server=$peer_server
    stdin=
    return "$peer_status"
}

# fetch METHOD PROGRAM ARGUMENT...: sets fetch_status.
fetch() {
    fetch_program=$tmp/$2.$1
    case $2 in
    client-*) fetch_by=leaky ;;
    *) fetch_by='exec' ;;
    esac
    shift 2
    (in_demo "$fetch_by" timeout 30 "$fetch_program" "$@") \
        >"$tmp/came" 2>"$tmp/fetch.err"
    fetch_status=$?
}

# arguments PROGRAM AUTHORITY: how each is told where to connect, and sconnect
# whom to trust. Sets arguments.
conf=
arguments() {
    arguments=
    case $1 in
    client-arg) arguments="-connect localhost:${address##*:}" ;;
    sconnect) arguments="localhost:${address##*:} $2" ;;
    client-conf)
        printf 'Connect = localhost:%s\n%s\n' "${address##*:}" "$conf" \
            >"$demo/connect.cnf"
        ;;
    esac
}

# get METHOD PROGRAM VERSION: what came is the data.
get() {
    start_peer "$3" || return 1
    arguments "$2" root.pem
    # shellcheck disable=SC2086 # words are meant
    fetch "$1" "$2" $arguments
    wait_for 10 ended "$pid" || stop_background "$pid"
    cmp "$tmp/data" "$tmp/came" && grep -q '^GET / HTTP/1.0' "$log" && return
    tail -n 5 "$tmp/fetch.err" "$log"
    return 1
}

# receives METHOD PROGRAM VERSION
receives() {
    get "$@" && [ "$fetch_status" -eq 0 ] &&
        ! grep -e '^Error' -e ':error:' "$tmp/fetch.err"
}

# is_cut_off METHOD PROGRAM VERSION: all of the data, then the failure.
is_cut_off() {
    get "$@" && [ "$fetch_status" -eq 1 ] &&
        grep ':onion:.*:ended without a close_notify:' "$tmp/fetch.err"
}

# reads_page METHOD PROGRAM VERSION: the peer ends with a close_notify.
reads_page() {
    start_peer "$3" -www || return 1
    arguments "$2" root.pem
    # shellcheck disable=SC2086 # words are meant
    fetch "$1" "$2" $arguments
    stop_background "$pid"
    cat "$tmp/fetch.err"
    [ "$fetch_status" -eq 0 ] && grep '^HTTP/1.0 200 ok' "$tmp/came" &&
        grep '^</pre></BODY></HTML>' "$tmp/came"
}

# openssl s_server ends what it has from stdin without a close_notify. With
# BIO_f_ssl(), BIO_read() calls that the end; with BIO_f_onion() a failure, on
# purpose. Of these programs only sconnect looks at the difference.
for version in -tls1_2 -tls1_3; do
    for name in client-arg client-conf; do
        both "$name, $version: 200,000 bytes intact" receives $name $version
    done
    check "sconnect, $version: 200,000 bytes intact, and the cut is seen" \
        is_cut_off onion sconnect $version
    both "sconnect, $version: a page up to the close_notify" \
        reads_page sconnect $version
done

# is_refused METHOD PROGRAM REASON PEER-OPTION AUTHORITY ARGUMENT...
is_refused() {
    refused_method=$1
    refused_program=$2
    refused_reason=$3
    start_peer "$4" || return 1
    arguments "$2" "$5"
    shift 5
    # shellcheck disable=SC2086 # words are meant
    fetch "$refused_method" "$refused_program" "$@" $arguments
    stop_background "$pid"
    cat "$tmp/fetch.err"
    [ ! -s "$tmp/came" ] && grep ":$refused_reason:" "$tmp/fetch.err"
}

cp "$certs/other-ca.pem" "$demo"
for version in -tls1_2 -tls1_3; do
    both "sconnect, $version: a server that it cannot verify is refused" \
        is_refused sconnect 'certificate verify failed' $version other-ca.pem
done
conf='MinProtocol = TLSv1.3'
both 'client-conf: a version that is too old is reported' is_refused \
    client-conf 'tlsv1 alert protocol version' -tls1_2 ''
both 'client-arg: a version that is too old is reported' is_refused \
    client-arg 'tlsv1 alert protocol version' -tls1_2 '' \
    -min_protocol TLSv1.3

done_testing
