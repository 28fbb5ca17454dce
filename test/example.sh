#!/bin/sh
# example.sh - what a newcomer tries: the library as it is installed, with the
# example that is compiled with what pkg-config says; and the demonstration.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"
# shellcheck source=test/installed.sh
. "$srcdir/test/installed.sh"

# The flags are those of this build too, for the sanitizers' sake.
compile() {
    flags=$(pkg_config --cflags --libs bio_onion) || return 1
    # shellcheck disable=SC2086 # words are meant
    $CC ${CPPFLAGS-} ${CFLAGS-} "$srcdir/demos/two_layers.c" \
        -o "$tmp/two_layers" ${LDFLAGS-} $flags
}

expected() {
    cat <<END
depth 0: depth=0 in clear
depth 0: OK
depth 1: OK
depth 2: depth=2 in two layers
depth 2: OK
depth 1: OK
depth 0: depth=0 in clear again
END
}

check 'make install' install_there
# What is installed there, packaging.sh knows.
[ "${tools_installed:-yes}" != yes ] || server=$root$bindir/onion_server
start_server example -line -accept 127.0.0.1:0 \
    -layer -cert "$certs/outer.example.pem" -key "$certs/outer.example.key" \
    -layer -cert "$certs/inner.example.pem" -key "$certs/inner.example.key" ||
    exit 99

if ! have "${PKG_CONFIG%% *}"; then
    skip 'the example compiles with what pkg-config says' 'no pkg-config'
    skip 'it starts two layers and stops them' 'no pkg-config'
else
    check 'the example compiles with what pkg-config says' compile
    expected >"$tmp/expected"
    if timeout 30 "$tmp/two_layers" "$address" "$certs/ca.pem" \
        outer.example inner.example >"$tmp/said" 2>&1 &&
        same "$tmp/expected" "$tmp/said"; then
        ok 'it starts two layers and stops them'
    else
        not_ok 'it starts two layers and stops them' "$tmp/said" "$log"
    fi
fi

show() {
    timeout 60 sh "$srcdir/demos/show.sh" . >"$tmp/shown" 2>&1
    show_status=$?
    cat "$tmp/shown"
    [ "$show_status" -eq 0 ] &&
        grep -q '^< depth=3 hello in three layers' "$tmp/shown" &&
        grep -q '^< depth=0 and this is clear text again' "$tmp/shown"
}
check 'demos/show.sh goes three layers in and three out' show

done_testing
