#!/bin/sh
# coverage.sh - line and branch coverage of each file of the library.
#
# SPDX-License-Identifier: Apache-2.0
#
# coverage.sh DIRECTORY: a build with --coverage whose tests have run. Fails
# below the least that the library is held to, and where lines that no test
# reaches are without a comment on them, or above, that says why: "untested:".

set -eu

least_lines=98
least_branches=92
explained=yes

lcov --version >/dev/null 2>&1 || {
    echo 'coverage: lcov is missing' >&2
    exit 77
}
cd "$1"
lcov -q --rc lcov_branch_coverage=1 -c -d bio_onion -b . -o coverage.all \
    2>/dev/null
lcov -q --rc lcov_branch_coverage=1 -e coverage.all '*/bio_onion/onion_*' \
    -o coverage.info

# Lines that follow each other, of those with code, have one reason.
awk '
    function judge() {
        if (from && !reason) {
            print path ":" from ": no test reaches it; why?"
            bad = 1
        }
        from = reason = 0
    }
    function look(    line, text, above, higher) {
        while ((getline text <path) > 0) {
            line++
            if (line in count && count[line] > 0)
                judge()
            else if (line in count && !from) {
                from = line
                reason = (higher above) ~ /untested:/
            }
            if (from && text ~ /untested:/)
                reason = 1
            higher = above
            above = text
        }
        judge()
        close(path)
        split("", count)
    }
    /^SF:/ { path = substr($0, 4) }
    /^DA:/ { split(substr($0, 4), of, ","); count[of[1]] = of[2] }
    /^end_of_record/ { look() }
    END { exit bad }' coverage.info || explained=no

awk -v lines="$least_lines" -v branches="$least_branches" '
    function share(hit, of) { return of ? 100 * hit / of : 100 }
    function row(name, lh, lf, bh, bf) {
        printf "%-20s %5d lines %6.1f %%  %5d branches %6.1f %%\n", name,
            lf, share(lh, lf), bf, share(bh, bf)
    }
    /^SF:/ { name = $0; sub(".*/", "", name) }
    /^LF:/ { lf = substr($0, 4) }
    /^LH:/ { lh = substr($0, 4) }
    /^BRF:/ { bf = substr($0, 5) }
    /^BRH:/ { bh = substr($0, 5) }
    /^end_of_record/ {
        row(name, lh, lf, bh, bf)
        LH += lh; LF += lf; BH += bh; BF += bf
        lh = lf = bh = bf = 0
    }
    END {
        row("all", LH, LF, BH, BF)
        exit share(LH, LF) < lines || share(BH, BF) < branches
    }' coverage.info || exit 1
[ $explained = yes ]
