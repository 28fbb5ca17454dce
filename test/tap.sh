# tap.sh - what the shell tests share: one TAP line for each case, a temporary
# directory, and programs in the background that are ended whatever happens.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced, in the top of the build directory. Sets: srcdir, the top of
# the source; tmp, a directory that is removed at the end.

set -u

srcdir=${srcdir:-.}
tap_count=0
tap_failed=0
tap_pids=

# A child that is ended before it has forgotten the traps comes here too.
tap_end() {
    sh -c 'echo "$PPID"' >"$tmp/shell"
    read -r tap_shell <"$tmp/shell"
    [ "$tap_shell" = "$$" ] || return 0
    for tap_pid in $tap_pids; do
        kill "$tap_pid" 2>/dev/null && wait "$tap_pid" 2>/dev/null
    done
    rm -rf "$tmp"
}

tmp=$(mktemp -d) || exit 99
trap tap_end EXIT
trap 'exit 99' HUP INT PIPE TERM

ok() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1"
}

# not_ok SENTENCE [FILE...]: with the end of each file for the log.
not_ok() {
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - $1"
    shift
    for tap_file; do
        echo "# $tap_file:"
        tail -n 40 "$tap_file" | tr -cd '\n\t -~' | cut -c 1-400 |
            sed 's/^/#   /'
    done
}

# skip SENTENCE WHY
skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

# check SENTENCE COMMAND...: the command's status decides.
check() {
    tap_name=$1
    shift
    if "$@" >"$tmp/check.out" 2>&1; then
        ok "$tap_name"
    else
        not_ok "$tap_name" "$tmp/check.out"
    fi
}

# left_out: true for three of four calls, with ONION_QUICK in the environment;
# for cases that are many and alike, where programs are slow.
tap_turn=0
left_out() {
    tap_turn=$((tap_turn + 1))
    [ -n "${ONION_QUICK-}" ] && [ $((tap_turn % 4)) -ne 0 ]
}

done_testing() {
    echo "1..$tap_count"
    test "$tap_failed" -eq 0
    exit
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# python_with MODULE: prints the Python that has it: the program itself, since
# what PATH has may be a script that takes its time.
python_with() {
    python3 -c "import $1, sys; print(sys.executable)" 2>/dev/null
}

# background LOG COMMAND...: sets pid. It reads $stdin, if that is set.
background() {
    tap_log=$1
    shift
    # At once: whoever waits for a word in it must not find it in an older one.
    : >"$tap_log"
    "$@" <"${stdin:-/dev/null}" >"$tap_log" 2>&1 3>&- 4>&- &
    pid=$!
    tap_pids="$tap_pids $pid"
}

# wait_for SECONDS COMMAND...: until the command succeeds, or that long.
wait_for() {
    tap_tries=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        tap_tries=$((tap_tries - 1))
        [ "$tap_tries" -gt 0 ] || return 1
        sleep 0.05
    done
}

stop_background() {
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}
