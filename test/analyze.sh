#!/bin/sh
# analyze.sh - what analysers find in the library, the tools and the tests.
#
# SPDX-License-Identifier: Apache-2.0
#
# Run by make analyze, in the directory of the source. ANALYZERS: which of
# "gcc scan-build clang-tidy cppcheck shellcheck" (all). One that is not there
# is named, and then the whole fails, since it has found nothing.

set -u

flags="-std=c11 -D_GNU_SOURCE -DOPENSSL_NO_DEPRECATED -DHAVE_MALLINFO2
    -I include -I test -I demos ${OPENSSL_CFLAGS-} ${CHECK_CFLAGS-}"
# Without the peers of the bench that need libraries of others.
files="bio_onion/*.c demos/*.c test/*.c test/interop/*.c test/bench/bench*.c
    test/bench/peer_bio_ssl.c test/bench/peer_membio.c test/bench/peer_stack.c"
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
bad=0

finding() {
    echo "analyze: $1"
    bad=1
}

package_of() {
    case $1 in
    scan-build) echo clang-tools ;;
    *) echo "$1" ;;
    esac
}

# each COMMAND...: runs it on each file; fails if it says anything.
each() {
    # shellcheck disable=SC2086 # words and patterns are meant
    for file in $files; do
        "$@" $flags "$file"
    done >"$out/said" 2>&1
    grep -vE '^[0-9]+ warnings? (generated|treated)' "$out/said" >"$out/found"
    cat "$out/found"
    [ ! -s "$out/found" ]
}

# -fanalyzer wants the optimiser; it needs no object.
run_gcc() {
    each gcc -Wall -Wextra -O1 -fanalyzer -c -o "$out/object.o"
}

run_clang_tidy() {
    # shellcheck disable=SC2086 # words and patterns are meant
    clang-tidy --quiet $files -- $flags 2>"$out/errors" || {
        grep -v 'warnings generated' "$out/errors"
        return 1
    }
}

# It gives its compiler to what it runs, as CC.
run_scan_build() {
    # shellcheck disable=SC2016 # the inner shell expands them
    FLAGS=$flags FILES=$files OBJECT=$out/object.o \
        scan-build --status-bugs -o "$out/scan" --use-cc=clang sh -c '
        for file in $FILES; do
            "$CC" $FLAGS -c -o "$OBJECT" "$file" || exit 1
        done'
}

run_cppcheck() {
    # shellcheck disable=SC2086 # words and patterns are meant
    cppcheck --quiet --std=c11 --language=c --enable=warning,portability \
        --inline-suppr --error-exitcode=1 -I include -I test $files
}

run_shellcheck() {
    shellcheck demos/*.sh test/*.sh test/interop/*.sh test/model/*.sh \
        test/run .ci/run
}

for tool in ${ANALYZERS:-gcc scan-build clang-tidy cppcheck shellcheck}; do
    command -v "$tool" >/dev/null || {
        finding "$tool is missing, of the package $(package_of "$tool")"
        continue
    }
    echo "analyze: $tool"
    "run_$(echo "$tool" | tr - _)" || finding "$tool has findings"
done
exit $bad
