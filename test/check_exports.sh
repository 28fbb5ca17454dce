#!/bin/sh
# check_exports.sh - the library exports the public names and nothing else.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

list=$srcdir/bio_onion/bio_onion.sym
header=$srcdir/include/bio_onion.h
library=.libs/libbio_onion.so

# The names that are followed by '(' in the header, but for its comments,
# preprocessor lines and types.
declared() {
    sed -e 's|/\*.*\*/||' -e '/\/\*/,/\*\//d' \
        -e '/^[[:space:]]*#/d' -e '/^typedef/,/;/d' "$header" |
        grep -o 'BIO_[A-Za-z0-9_]*(' | tr -d '('
}

exported() {
    # shellcheck disable=SC2086 # NM may have options
    ${NM:-nm} -D $library 2>/dev/null |
        awk '$2 ~ /^[A-TV-Z]$/ { sub(/@.*/, "", $3); print $3 }'
}

check 'the list of exported names is sorted' env LC_ALL=C sort -cu "$list"

declared | LC_ALL=C sort -u >"$tmp/declared"
check 'the list has the names that the header declares' \
    diff "$list" "$tmp/declared"

exported | LC_ALL=C sort -u >"$tmp/exported"
if [ ! -f $library ]; then
    skip 'the library exports the names of the list' 'no shared library here'
elif [ ! -s "$tmp/exported" ]; then
    skip 'the library exports the names of the list' 'nm shows no names here'
else
    check 'the library exports the names of the list' \
        diff "$list" "$tmp/exported"
fi

done_testing
