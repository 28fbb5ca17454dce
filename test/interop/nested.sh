# nested.sh - nested clients of others, against onion_server.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced.

# shellcheck source=test/interop/lib.sh
. "$srcdir/test/interop/lib.sh"

# What a client sends, 1 MB of it to be sent back, and what it gets.
openssl rand 1000000 | openssl base64 >"$tmp/lines"
{
    cat "$tmp/lines"
    printf 'BULK 1000000\nINFO\nQUIT\n'
} >"$tmp/says"
{
    sed 's/^/depth=3 /' "$tmp/lines"
    printf 'depth=3 '
    head -c 1000000 /dev/zero | tr '\0' x
    printf '\n'
} >"$tmp/hears"

# nested CA NAME...: in $version.
nested() {
    nested_ca=$1
    shift
    # shellcheck disable=SC2086 # words are meant
    timeout 60 $nested_command "$address" "$certs/$nested_ca.pem" "$@" \
        <"$tmp/says" >"$tmp/heard" 2>"$tmp/seen"
    nested_status=$?
    cat "$tmp/seen"
    return $nested_status
}

# seen NAME...: the client has seen these certificates, and no others.
seen() {
    seen_layer=0
    for seen_name; do
        seen_layer=$((seen_layer + 1))
        echo "layer $seen_layer: $version $seen_name"
    done >"$tmp/expected"
    grep '^layer' "$tmp/seen" | cmp - "$tmp/expected"
}

# The last two lines are what the server has seen.
hears_three_layers() {
    nested ca outer.example middle.example inner.example &&
        seen outer.example middle.example inner.example || return 1
    {
        cat "$tmp/hears"
        echo 'depth=3 outer.example middle.example inner.example'
        echo 'BYE depth=3'
    } >"$tmp/expected"
    sed "s,server/$version/[^/]*/,,g" "$tmp/heard" | cmp - "$tmp/expected"
}

refuses_the_third() {
    ! nested ca outer.example middle.example other.example &&
        seen outer.example middle.example && [ ! -s "$tmp/heard" ]
}

refuses_the_first() {
    ! nested other-ca outer.example middle.example inner.example &&
        seen && [ ! -s "$tmp/heard" ]
}

# test_nested WHAT COMMAND: words.
test_nested() {
    nested_command=$2
    for version in TLSv1.2 TLSv1.3; do
        # shellcheck disable=SC2154 # set in tools.sh
        start_server "nested-$version" -line -accept 127.0.0.1:0 -layers 3 \
            "-tls1_${version#*.}" \
            -layer -cert "$certs/outer.example.pem" \
            -key "$certs/outer.example.key" \
            -layer -cert "$certs/middle.example.pem" \
            -key "$certs/middle.example.key" \
            -layer -cert "$certs/inner.example.pem" \
            -key "$certs/inner.example.key" || exit 99
        check "$1, $version thrice: 1 MB each way through onion_server" \
            hears_three_layers
        check "$1, $version thrice: another name in the third, and no word" \
            refuses_the_third
        check "$1, $version thrice: another CA in the first, and no word" \
            refuses_the_first
        stop_background "$pid"
    done
}
