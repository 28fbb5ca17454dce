#!/bin/sh
# foreign_http.sh - OpenSSL's HTTP client with one, two and three layers under
# it. Its peers are openssl s_server behind none, one and two of stunnel.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/foreign.sh
. "$srcdir/test/foreign.sh"

# What looks like DER, of 200,000 bytes, and some that are no multiple of it.
site=$tmp/site
mkdir "$site"
{
    printf '\060\203\003\015\107'
    openssl rand 200007
} >"$site/large"
openssl x509 -in "$certs/ca.pem" -outform DER -out "$site/small"

# As they are served. Newer versions take no text for DER, and openssl s_server
# calls all of it text that does not say what it is.
mkdir "$site/served"
for file in large small; do
    {
        printf 'HTTP/1.0 200 ok\r\nContent-type: application/pkix-cert\r\n'
        printf '\r\n'
        cat "$site/$file"
    } >"$site/served/$file"
done

in_site() {
    cd "$site/served" && exec "$@"
}

# start_stunnel NAME CONNECT CERTIFICATE: in front of the port CONNECT. Sets
# port.
start_stunnel() {
    stunnel_name=$1
    stunnel_to=$2
    stunnel_cert=$3
    free_port || return 1
    cat >"$tmp/$stunnel_name.conf" <<END
foreground = yes
pid =
debug = info
TIMEOUTclose = 5
[$stunnel_name]
accept = 127.0.0.1:$port
connect = 127.0.0.1:$stunnel_to
cert = $certs/$stunnel_cert.pem
key = $certs/$stunnel_cert.key
END
    background "$tmp/$stunnel_name.log" "$stunnel" "$tmp/$stunnel_name.conf"
    wait_for 20 grep -q 'Configuration successful' "$tmp/$stunnel_name.log"
}

# fetch FUNCTION PATH VERSION PORT NAME...
fetch() {
    fetch_function=$1
    fetch_path=$2
    fetch_version=$3
    fetch_port=$4
    shift 4
    timeout 30 test/http_client "$fetch_function" "127.0.0.1:$fetch_port" \
        "/$fetch_path" "$certs/ca.pem" "$fetch_version" "$@" >"$tmp/body"
}

# fetches ...: as fetch; what comes is the file.
fetches() {
    fetch "$@" && same "$site/$2" "$tmp/body"
}

# is_refused LAYER ...: as fetch; LAYER is refused, nothing comes.
is_refused() {
    refused_layer=$1
    shift
    ! fetch "$@" 2>"$tmp/fetch.err"
    refused_status=$?
    cat "$tmp/fetch.err"
    [ "$refused_status" -eq 0 ] && [ ! -s "$tmp/body" ] &&
        ! grep 'layers are left' "$tmp/fetch.err" &&
        grep -E ":onion:.*:certificate refused:.*:layer $refused_layer " \
            "$tmp/fetch.err"
}

# every_way PORT NAME...
every_way() {
    for version in 1.2 1.3; do
        for function in transfer exchange; do
            for file in small large; do
                check \
                "OSSL_HTTP_$function, TLS $version, depth $(($# - 1)), $file" \
                    fetches $function $file $version "$@"
            done
        done
    done
}

background "$tmp/s_server.log" in_site openssl s_server -HTTP \
    -accept 127.0.0.1:0 -cert "$certs/inner.example.pem" \
    -key "$certs/inner.example.key"
wait_for 20 grep -q '^ACCEPT ' "$tmp/s_server.log" || exit 99
inner=$(sed -n 's/^ACCEPT .*://p' "$tmp/s_server.log" | head -n 1)

every_way "$inner" inner.example
for version in 1.2 1.3; do
    check "another name, TLS $version, layers: 1" is_refused 1 \
        transfer small $version "$inner" outer.example
done

if ! have "$stunnel"; then
    skip 'two layers' 'no stunnel'
    skip 'three layers' 'no stunnel'
else
    start_stunnel middle "$inner" middle.example || exit 99
    middle=$port
    every_way "$middle" middle.example inner.example
    start_stunnel outer "$middle" outer.example || exit 99
    outer=$port
    every_way "$outer" outer.example middle.example inner.example

    for version in 1.2 1.3; do
        for function in transfer exchange; do
            name="another name, OSSL_HTTP_$function, TLS $version, layers: 3"
            check "$name, the outermost" is_refused 1 $function small \
                $version "$outer" inner.example middle.example inner.example
            check "$name, the middle one" is_refused 2 $function small \
                $version "$outer" outer.example inner.example inner.example
            check "$name, the innermost" is_refused 3 $function small \
                $version "$outer" outer.example middle.example outer.example
        done
    done
fi

done_testing
