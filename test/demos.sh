#!/bin/sh
# demos.sh - the short programs of demos/, each compiled alone against the
# library as it is installed, and run.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"
# shellcheck source=test/installed.sh
. "$srcdir/test/installed.sh"

have "${PKG_CONFIG%% *}" || skip_all 'no pkg-config'

# The flags are those of this build too, for the sanitizers' sake.
compile() {
    flags=$(pkg_config --cflags --libs bio_onion) || return 1
    # shellcheck disable=SC2086 # words are meant
    $CC ${CPPFLAGS-} ${CFLAGS-} -Wall -Wextra -Wshadow -Werror \
        "$srcdir/demos/$1.c" -o "$tmp/$1" ${LDFLAGS-} $flags
}

check 'make install' install_there
for program in two_layers https_via_proxy accept_server poll_loop \
    starttls_client before_onion after_onion; do
    check "$program compiles with what pkg-config says" compile "$program"
done

# said SENTENCE COMMAND...: it prints what is in $tmp/expected
said() {
    said_name=$1
    shift
    if timeout 30 "$@" >"$tmp/said" 2>"$tmp/errors" &&
        same "$tmp/expected" "$tmp/said"; then
        ok "$said_name"
    else
        not_ok "$said_name" "$tmp/said" "$tmp/errors" "$log"
    fi
}

# complains SENTENCE PATTERN COMMAND...: it fails, with that on stderr
complains() {
    complains_name=$1
    pattern=$2
    shift 2
    timeout 30 "$@" >"$tmp/said" 2>"$tmp/errors"
    if [ $? -eq 1 ] && grep -q "$pattern" "$tmp/errors"; then
        ok "$complains_name"
    else
        not_ok "$complains_name" "$tmp/said" "$tmp/errors" "$log"
    fi
}

outer="-cert $certs/outer.example.pem -key $certs/outer.example.key"
inner="-cert $certs/inner.example.pem -key $certs/inner.example.key"
ca=$certs/ca.pem

# https_via_proxy
# ---------------

# shellcheck disable=SC2086 # words are meant
start_server proxy -accept 127.0.0.1:0 -proxy -proxy_origin -www \
    -proxy_allow inner.example:443 -proxy_allow wrong.example:443 \
    -layer $outer -layer $inner || exit 99
page_has_both_names() {
    timeout 30 "$tmp/https_via_proxy" "$address" "$ca" outer.example \
        inner.example >"$tmp/page" || return 1
    cat "$tmp/page"
    grep -q '^HTTP/1.1 200' "$tmp/page" &&
        grep -q 'outer\.example' "$tmp/page" &&
        grep -q 'inner\.example' "$tmp/page"
}
check 'a page comes through the proxy, in two layers' page_has_both_names
complains 'a target that the proxy does not allow' 'the proxy says: .* 403' \
    "$tmp/https_via_proxy" "$address" "$ca" outer.example elsewhere.example
complains 'a target with a certificate of another' \
    'layer 2 (client, wrong.example): hostname mismatch' \
    "$tmp/https_via_proxy" "$address" "$ca" outer.example wrong.example
complains 'a proxy with a certificate of another' \
    'layer 1 (client, wrong.example): hostname mismatch' \
    "$tmp/https_via_proxy" "$address" "$ca" wrong.example inner.example
stop_background "$pid"

# accept_server
# -------------

server=$tmp/accept_server
start_server accept 127.0.0.1:0 \
    "$certs/outer.example.pem" "$certs/outer.example.key" \
    "$certs/inner.example.pem" "$certs/inner.example.key" || exit 99
cat >"$tmp/expected" <<END
depth 0: depth=0 in clear
depth 0: OK
depth 1: OK
depth 2: depth=2 in two layers
depth 2: OK
depth 1: OK
depth 0: depth=0 in clear again
END
said 'accept_server starts two layers and stops them' \
    "$tmp/two_layers" "$address" "$ca" outer.example inner.example
said 'and again, for the next who comes' \
    "$tmp/two_layers" "$address" "$ca" outer.example inner.example
complains 'it goes on after one who does not trust it' 'hostname mismatch' \
    "$tmp/two_layers" "$address" "$ca" wrong.example inner.example
said 'and serves the next' \
    "$tmp/two_layers" "$address" "$ca" outer.example inner.example
stop_background "$pid"

# poll_loop
# ---------

server=demos/onion_server
[ ! -x demos/.libs/onion_server ] || server=demos/.libs/onion_server
# shellcheck disable=SC2086 # words are meant
start_server echo -accept 127.0.0.1:0 -echo -layer $outer -layer $inner ||
    exit 99
seq 1 200000 >"$tmp/expected"
poll_loop() {
    "$tmp/poll_loop" "$address" "$ca" "$@" <"$tmp/expected"
}
# timeout runs no function.
through_layers() {
    poll_loop outer.example inner.example >"$tmp/said" 2>"$tmp/errors" &
    through=$!
    wait_for 60 sh -c "! kill -0 $through" || kill "$through"
    wait "$through" && same "$tmp/expected" "$tmp/said"
}
check 'poll_loop has 1.3 MB back through two layers, both ways at once' \
    through_layers
complains 'poll_loop says which layer failed' \
    'layer 2 (client, wrong.example): hostname mismatch' \
    "$tmp/poll_loop" "$address" "$ca" outer.example wrong.example

# starttls_client
# ---------------

# shellcheck disable=SC2086 # words are meant
server=test/interop/ftps_server
[ ! -x test/interop/.libs/ftps_server ] ||
    server=test/interop/.libs/ftps_server
start_server ftps "$certs/outer.example.pem" "$certs/outer.example.key" \
    "$ca" || exit 99
converses() {
    timeout 30 "$tmp/starttls_client" "$address" "$ca" "$@" >"$tmp/said" ||
        return 1
    cat "$tmp/said"
    [ "$(sed 's/^depth \(.\): \(...\).*/\1:\2/' "$tmp/said" | tr -d '\r' |
        paste -s -d ' ' -)" = "0:220 0:234 1:331 1:230 1:200 0:257 0:221" ]
}
check 'starttls_client says its password inside, and the rest in clear' \
    converses outer.example me secret
inside() {
    cat "$log"
    grep -q '^depth=1 PASS' "$log" && grep -q '^depth=0 PWD' "$log"
}
check 'the server has read it so' inside
complains 'it says nothing to a server of another name' 'hostname mismatch' \
    "$tmp/starttls_client" "$address" "$ca" wrong.example me secret
stop_background "$pid"

# before_onion, after_onion
# -------------------------

server=demos/onion_server
[ ! -x demos/.libs/onion_server ] || server=demos/.libs/onion_server
# shellcheck disable=SC2086 # words are meant
start_server www -accept 127.0.0.1:0 -www $outer || exit 99
# page PROGRAM ARGUMENT...: what it shows of the layers
page() {
    page_program=$1
    shift
    timeout 30 "$tmp/$page_program" "$address" "$ca" "$@" >"$tmp/page" &&
        sed -n 's/^\(layer.* name [^,]*\),.*/\1/p' "$tmp/page" | cat -v
}
alike() {
    page before_onion outer.example >"$tmp/expected" &&
        page after_onion outer.example >"$tmp/said" &&
        same "$tmp/expected" "$tmp/said" && cat "$tmp/said" &&
        grep -q 'name outer.example' "$tmp/said"
}
check 'before_onion and after_onion show the same' alike
complains 'after_onion accepts no certificate of another' 'hostname mismatch' \
    "$tmp/after_onion" "$address" "$ca" inner.example
stop_background "$pid"
unchanged() {
    # shellcheck disable=SC2046 # words are meant
    CPPFLAGS="${CPPFLAGS-} $(pkg_config --variable=compat_cflags bio_onion)" \
        compile before_onion
}
check 'before_onion compiles unchanged, too' unchanged
# shellcheck disable=SC2086 # words are meant
start_server www2 -accept 127.0.0.1:0 -www -layer $outer -layer $inner ||
    exit 99
two_at_once() {
    page after_onion outer.example inner.example >"$tmp/said" &&
        cat "$tmp/said" && [ "$(wc -l <"$tmp/said")" -eq 2 ]
}
check 'after_onion goes through two layers' two_at_once
stop_background "$pid"

done_testing
