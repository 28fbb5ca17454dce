#!/bin/sh
# fuzz.sh - the fuzz targets, on the files that their fuzzing has left behind.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

corpus=$(cd "$srcdir/test/fuzz/corpus" && pwd) || exit 99
[ -x test/fuzz/schedule ] || skip_all 'no Check, and so no fuzz targets'

# The file that fails is the last one that is named.
replays() {
    FUZZ_NAMES=yes "test/fuzz/$1" "$corpus/$1"/*
}

for directory in "$corpus"/*/; do
    target=$(basename "$directory")
    check "$target keeps its laws on each file of its corpus" \
        replays "$target"
done

# A target that can fail, and is heard.
not_replayed() {
    ! "test/fuzz/$1" "$tmp/there-is-no-such-file"
}
check 'a file that cannot be read is a failure' not_replayed schedule

done_testing
