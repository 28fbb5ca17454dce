#!/bin/sh
# instructions.sh - instructions per write and per read, counted by callgrind.
#
#     instructions.sh [DEPTHS [SIZES [PEERS]]]
#
# They repeat to the digit, where times do not, so they decide what is better.
# The columns are the means of a few writes, and of the reads of as much:
#
#     ours     libbio_onion
#     libssl
#     BIO      functions of that name in libcrypto: every call in a chain
#     copy     memcpy() and the like; one of many bytes counts one for each
#     cleanse  OPENSSL_cleanse()
#     libc     the rest of it, which is mostly malloc()
#
# What the ciphers cost is in none of them, the two copies of the transport are
# in "copy". It is run where the bench was built.
#
# SPDX-License-Identifier: Apache-2.0

set -u

bench=test/bench/bench
writes=4
depths=${1:-1 3 8}
sizes=${2:-100 16384 65536}
peers=${3:-stack BIO_f_ssl}
valgrind=${VALGRIND:-valgrind}

command -v "$valgrind" >/dev/null 2>&1 || {
    echo 'instructions.sh: valgrind is missing' >&2
    exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/bench.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM

# count FUNCTION PEER DEPTH SIZE: prints the columns of what it does.
count() {
    if ! ./libtool --mode=execute "$valgrind" --tool=callgrind --vgdb=no \
        --callgrind-out-file="$work/out" --toggle-collect="$1" \
        "$bench" profile "$2" "$3" "$4" "$writes" >"$work/log" 2>&1; then
        cat "$work/log" >&2
        exit 1
    fi
    callgrind_annotate --auto=no --show-percs=no --threshold=100 \
        "$work/out" >"$work/table" || exit 1
    awk -v writes="$writes" '
        $2 !~ /:/ || $1 !~ /^[0-9,]+$/ { next }
        { n = $1; gsub(",", "", n); kind = "" }
        /\[.*libc[-.]/ { kind = "libc" }
        /:_*mem(cpy|move|set|chr)_.*\[.*libc[-.]/ { kind = "copy" }
        /\[.*libssl/ { kind = "libssl" }
        /:(BIO|bio)_.*\[.*libcrypto/ { kind = "BIO" }
        /:OPENSSL_cleanse/ { kind = "cleanse" }
        /\[.*libbio_onion|bio_onion\// { kind = "ours" }
        { sum[kind] += n }
        END {
            n = split("ours libssl BIO copy cleanse libc", column, " ")
            for (i = 1; i <= n; i++)
                printf " %7.0f", sum[column[i]] / writes
        }' "$work/table"
}

columns=$(printf ' %7s' ours libssl BIO copy cleanse libc)
printf '%-10s %5s %6s  %-48s  %s\n' '' '' '' ' per write' ' per read of as much'
printf '%-10s %5s %6s %s  %s\n' peer depth bytes "$columns" "$columns"
for size in $sizes; do
    for depth in $depths; do
        for peer in $peers; do
            printf '%-10s %5s %6s ' "$peer" "$depth" "$size"
            count bench_profile_put "$peer" "$depth" "$size"
            printf '  '
            count bench_profile_get "$peer" "$depth" "$size"
            printf '\n'
        done
    done
done
