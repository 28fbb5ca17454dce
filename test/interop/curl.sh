#!/bin/sh
# curl.sh - curl --proxy https:// through onion_server.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2086 # words are meant

srcdir=${srcdir:-.}
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"
need curl

outer="-cert $certs/outer.example.pem -key $certs/outer.example.key"
inner="-cert $certs/inner.example.pem -key $certs/inner.example.key"

# An origin behind the proxy, with a page and 1 MB.
mkdir "$tmp/site"
cp "$tmp/sent" "$tmp/site/load"
in_site() {
    cd "$tmp/site" && exec openssl s_server -WWW "$@"
}
free_port
origin=$port
background "$tmp/origin.log" in_site -accept "127.0.0.1:$origin" $inner
wait_port "$origin" || exit 99
origin_pid=$pid

# serve NAME ARGUMENT...: a proxy. Sets port.
serve() {
    serve_name=$1
    shift
    start_server "$serve_name" -accept 127.0.0.1:0 -proxy -log - "$@" || exit 99
    port=${address##*:}
}

# get URL OPTION...: what comes is in $tmp/came. It is curl that verifies.
get() {
    get_url=$1
    shift
    rm -f "$tmp/came"
    timeout 60 curl -sS -o "$tmp/came" --cacert "$certs/ca.pem" \
        --proxy "https://outer.example:$port" --proxy-cacert "$certs/ca.pem" \
        --resolve "outer.example:$port:127.0.0.1" "$@" "$get_url"
    get_status=$?
    echo "status $get_status"
    tail -n 20 "$log"
    return $get_status
}

# is_not_got STATUS URL OPTION...
is_not_got() {
    not_status=$1
    shift
    get "$@"
    [ $get_status -eq "$not_status" ] && [ ! -s "$tmp/came" ]
}

# is_distrusted_in LAYER URL OPTION...: so curl has told the server.
is_distrusted_in() {
    distrusted_layer=$1
    shift
    ! get "$@" && [ ! -s "$tmp/came" ] &&
        tail -n 1 "$log" | grep "layer $distrusted_layer .*unknown ca"
}

gets_page() {
    get "$@" && cat "$tmp/came" && grep -q outer.example "$tmp/came" &&
        grep -q inner.example "$tmp/came"
}

gets_load() {
    get "https://inner.example:$origin/load" \
        --connect-to "inner.example:$origin:127.0.0.1:$origin" "$@" &&
        same "$tmp/sent" "$tmp/came"
}

# One process is proxy and origin
# -------------------------------

serve both -proxy_allow 'inner.example:443' -proxy_origin -www \
    -layer $outer -layer $inner
for version in 1.2 1.3; do
    check "onion_server as proxy and origin, TLS $version: a page of two layers" \
        gets_page https://inner.example/ --tlsv$version --tls-max $version
done
check 'the log has a line for each layer' grep -q 'inner.example' "$log"
check 'another origin is not allowed: 403' \
    is_not_got 56 https://other.example/
check 'the proxy is of another CA: curl ends layer 1' is_distrusted_in 1 \
    https://inner.example/ --proxy-cacert "$certs/other-ca.pem"
check 'the origin is of another CA: curl ends layer 2' is_distrusted_in 2 \
    https://inner.example/ --cacert "$certs/other-ca.pem"
stop_background "$pid"

# An origin behind it
# -------------------

serve proxy -proxy_allow "127.0.0.1:$origin" -proxy_auth me:secret \
    -layer $outer
check 'through onion_server to openssl s_server behind it: 1 MB' \
    gets_load --proxy-user me:secret
check 'with another password: 407' is_not_got 56 \
    "https://127.0.0.1:$origin/load" --proxy-user me:secrets
check 'with none: 407' is_not_got 56 "https://127.0.0.1:$origin/load"
stop_background "$pid"

serve certificate -proxy_allow "127.0.0.1:$origin" \
    -layer $outer -Verify 1 -CAfile "$certs/ca.pem"
check 'with a client certificate for the proxy: 1 MB' gets_load \
    --proxy-cert "$certs/middle.example.pem" \
    --proxy-key "$certs/middle.example.key"
check 'without it nothing' is_not_got 56 "https://127.0.0.1:$origin/load"
stop_background "$pid"

stop_background "$origin_pid"
done_with_peers
