#!/bin/sh
# check.sh - spin looks at every state of two stacks, stacks.pml, and finds the
# fault where a care is left out.
#
# With ONION_BUDGET=all, as make check-model has it: up to three layers, and no
# cycle without a new action either.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

have spin || skip_all 'spin is not there'
case $srcdir in
/*) model=$srcdir/test/model/stacks.pml ;;
*) model=$PWD/$srcdir/test/model/stacks.pml ;;
esac
cc=${CC:-cc}
cd "$tmp" || exit 99

# build PROGRAM KIND: of what spin has made of the model.
build() {
    $cc -O1 -w -DNOREDUCE -DCOLLAPSE -D"$2" -o "$1" pan.c
}

words() {
    # shellcheck disable=SC2086 # they are numbers
    set -- $1
    text="$1 layers, room for $2"
    [ "$3" -eq 0 ] || text="$text, two start together"
    [ "$4" -eq 0 ] || text="$text, some follow"
    [ "$5" -eq 0 ] || text="$text, numbered"
    echo "$text"
}

# counted WORDS: the number before them.
counted() {
    sed -n "s/^ *\\([0-9]*\\) $1.*/\\1/p" explored
}

# holds PROGRAM NUMBERS [OPTION]
holds() {
    ONION_MODEL="$2 0" "./$1" -m3000000 -w20 ${3+"$3"} >explored 2>&1
    if grep -q 'errors: 0' explored && ! grep -qi 'too small\|out of mem' \
        explored; then
        ok "every state is sound: $(words "$2")${3+; and every cycle}"
        echo "# model: $(counted 'states, stored') states," \
            "$(counted transitions) transitions, $(words "$2")${3+, cycles}"
    else
        not_ok "every state is sound: $(words "$2")" explored
    fi
}

# fails CARE NUMBER WHAT [PROGRAM OPTION]: without it spin finds that.
fails() {
    ONION_MODEL="2 2 1 1 0 $2" "./${4:-pan}" -m100000 -w18 ${5+"$5"} \
        >explored 2>&1
    if grep -q "pan:1: $3" explored; then
        ok "spin finds it if $1"
    else
        not_ok "spin finds it if $1" explored
    fi
}

check 'spin reads the model' spin -a "$model"
check 'what spin makes of it compiles' build pan SAFETY

fails 'a layer is removed when one side has closed it' 1 assertion
fails 'writes go down before the close_notify is sent' 2 assertion
fails 'what is read too early is taken for text' 3 assertion
fails 'what is read too early is not handed over' 4 'invalid end state'
fails 'a boundary has no read of its own' 5 assertion
fails 'a layer is started while the depths differ' 6 assertion
fails 'the close of the peer lowers our writes' 7 assertion
fails 'a stop does not wait for the handshake' 8 assertion
fails 'a peer is followed in the middle of a write' 9 assertion
fails 'a write does not wait for the handshake' 10 assertion
fails 'nobody wins where both ask at once' 11 assertion

holds pan '2 1 1 1 0'
check 'nothing in the model is out of reach' grep -q '(0 of 2' explored
holds pan '3 1 0 0 0'

if [ "${ONION_BUDGET:-}" = all ]; then
    holds pan '2 2 1 1 1'
    holds pan '3 2 1 1 0'
    check 'it compiles with a look at cycles' build cycles NP
    fails 'somebody waits and does not stop asking' 12 'non-progress cycle' \
        cycles -l
    holds cycles '2 2 1 1 0' -l
    holds cycles '3 1 1 1 0' -l
fi

done_testing
