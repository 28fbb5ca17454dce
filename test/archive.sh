#!/bin/sh
# archive.sh - make dist of one commit gives the same bytes from another
# directory, at another time, and with another umask.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

: "${MAKE:=make}"
for needed in git autoreconf; do
    have "$needed" || skip_all "no $needed"
done
[ -e "$srcdir/.git" ] || skip_all 'this is no repository'
git -C "$srcdir" diff --quiet HEAD || skip_all 'the tree has changes'

# archive DIR UMASK
archive() (
    umask "$2"
    git clone -q "$srcdir" "$1" && cd "$1" && autoreconf -i &&
        mkdir build && cd build && ../configure && MAKEFLAGS='' $MAKE dist
)

same_bytes() {
    cmp "$tmp"/one/build/*.tar.gz "$tmp"/another/place/build/*.tar.gz
}

check 'an archive' archive "$tmp/one" 022
sleep 2
mkdir "$tmp/another"
check 'another archive' archive "$tmp/another/place" 077
check 'they are the same to the byte' same_bytes

done_testing
