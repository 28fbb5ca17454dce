#!/bin/sh
# requirements.sh - each entry of test/requirements has a test that is there,
# or a sentence on why it needs none.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

table=${ONION_REQUIREMENTS:-$srcdir/test/requirements}

# A line for each entry, and for each of its proofs: NAME = FILE:TEST, or
# NAME - SENTENCE. Other lines go on with the text.
entries() {
    awk '/^#/ || NF == 0 { next }
        /^[^ ]/ { name = $1; print name, "entry"; next }
        /^    [=-] / { print name, substr($0, 5) }' "$table"
}

entries >"$tmp/entries"

names() {
    awk '$2 == "entry" { print $1 }' "$tmp/entries"
}

# all_of KIND LAST: the entries are numbered from 1, without a gap.
all_of() {
    names | sed -n "s/^$1-//p" >"$tmp/found"
    seq "$2" | diff - "$tmp/found"
}

without_proof() {
    awk '$2 == "entry" { if (open) print open; open = $1; next }
        $1 == open { open = "" }
        END { if (open) print open }' "$tmp/entries" >"$tmp/open"
    cat "$tmp/open"
    [ ! -s "$tmp/open" ]
}

# is_there FILE TEST: it is defined and, in C, added to a case.
is_there() {
    [ -f "$srcdir/test/$1" ] || return 1
    case $1 in
    *.c)
        grep -qx "START_TEST($2)" "$srcdir/test/$1" &&
            [ "$(grep -cw "$2" "$srcdir/test/$1")" -ge 2 ]
        ;;
    *)
        grep -qF "'$2'" "$srcdir/test/$1"
        ;;
    esac
}

missing_tests() {
    sed -n 's/^\([^ ]*\) = \([^:]*\):\(.*\)/\1 \2 \3/p' "$tmp/entries" |
        while read -r entry file test; do
            is_there "$file" "$test" || echo "$entry: no $test in $file"
        done >"$tmp/missing"
    cat "$tmp/missing"
    [ ! -s "$tmp/missing" ]
}

# A reason is a sentence, not a word.
sentences() {
    awk '$2 == "-" && NF < 5' "$tmp/entries" >"$tmp/short"
    cat "$tmp/short"
    [ ! -s "$tmp/short" ]
}

twice() {
    names | sort | uniq -d >"$tmp/twice"
    cat "$tmp/twice"
    [ ! -s "$tmp/twice" ]
}

check 'each law has an entry' all_of law 10
check 'each trap has an entry' all_of trap 23
check 'each fault of others has an entry' all_of fault 47
check 'each demand of RFC 8446, section 6.1, has an entry' all_of rfc8446 9
check 'each demand of RFC 5246, section 7.2.1, has an entry' all_of rfc5246 6
check 'each demand of RFC 3207 has an entry' all_of rfc3207 8
check 'each demand of RFC 4511, section 4.14, has an entry' all_of rfc4511 6
check 'each care of early data has an entry' all_of early 7
check 'each edge of the calls has an entry' all_of edge 7
check 'no entry is there twice' twice
check 'each entry has a test or a reason' without_proof
check 'each test that is named is there' missing_tests
check 'each reason is a sentence' sentences

echo "# $(names | wc -l) entries, $(grep -c ' = ' "$tmp/entries") proofs by" \
    "$(sed -n 's/.* = //p' "$tmp/entries" | sort -u | wc -l) tests," \
    "$(grep -c '^[^ ]* - ' "$tmp/entries") reasons"
done_testing
