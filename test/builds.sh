#!/bin/sh
# builds.sh - each way to build the library: it is built apart, installed, used
# and removed (packaging.sh), and exports its names. For make check-package.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

: "${MAKE:=make}"
source=$tmp/source
# The tests are for the loader and pkg-config to find what they do here.
few='test/packaging.sh test/check_exports.sh test/hardening.sh'

# The make that runs this test must lend nothing to those in it.
make_in() (
    cd "$1" && shift && MAKEFLAGS='' $MAKE "$@"
)

# builds NAME OPTION...
builds() (
    mkdir "$tmp/$1" && cd "$tmp/$1" && shift &&
        "$source/configure" --enable-werror "$@" && MAKEFLAGS='' $MAKE
)

# What has failed, for the log.
passes() {
    make_in "$tmp/$1" check check_PROGRAMS= check_LIBRARIES= TESTS="$few" \
        >"$tmp/few" 2>&1 && return
    cat "$tmp/$1"/test/*.log
    return 1
}

check 'a copy of the source' make_in . distdir distdir="$source"
for options in '' --disable-static --disable-shared --disable-tools \
    '--disable-tools --disable-shared'; do
    name=build$(echo "$options" | tr -d ' ')
    words=${options:-'no option'}
    # shellcheck disable=SC2086 # words are meant
    check "it builds with $words" builds "$name" $options
    check "it installs, works and goes with $words" passes "$name"
    rm -rf "${tmp:?}/$name"
done
chmod -R u+w "$source"

done_testing
