#!/bin/sh
# fault_stages.sh - what the tools make of a peer to which something happens at
# any of ten stages, and of what happens to themselves: see fault_peer.c. The
# server serves on, the client ends with a documented status and one line that
# tells why, and nothing that was said in the inner layer comes outside it.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

ca=$certs/ca.pem
outer="$certs/outer.example.pem $certs/outer.example.key"
secret=$(printf '<secret of layer 2>%.0s' 1 2 3 4 5 6 7 8 9 10)

# Without a budget each check has one of the stages, and they are all there.
checks=0
choose_stages() {
    stages='1 2 3 4 5 6 7 8 9 10'
    checks=$((checks + 1))
    [ -n "${ONION_BUDGET:-}" ] ||
        stages=$((checks * 3 % 10 + 1))
}

# at_all COMMAND...: COMMAND... STAGE for all of them at once.
at_all() {
    choose_stages
    at_all_pids=
    for stage in $stages; do
        "$@" "$stage" >"$tmp/at.$stage" 2>&1 &
        at_all_pids="$at_all_pids $!"
    done
    at_all_status=0
    for at_all_pid in $at_all_pids; do
        wait "$at_all_pid" || at_all_status=1
    done
    for stage in $stages; do
        cat "$tmp/at.$stage"
    done
    return "$at_all_status"
}

# is WHAT STATUS WANTED...: the status is one of those.
is() {
    is_what=$1
    is_status=$2
    shift 2
    for is_wanted; do
        [ "$is_status" -ne "$is_wanted" ] || return 0
    done
    echo "$is_what: status $is_status, not $*"
    return 1
}

# The server
# ----------

# shellcheck disable=SC2086 # words are meant
serve() {
    serve_name=$1
    shift
    start_server "$serve_name" -accept 127.0.0.1:0 -proxy -proxy_origin -echo \
        -proxy_allow '*:*' "$@" \
        -layer -cert ${outer% *} -key ${outer#* } \
        -layer -cert "$certs/inner.example.pem" \
        -key "$certs/inner.example.key" || exit 99
    echo "$pid" >"$tmp/$serve_name.tool"
    files=$(open_files)
}

open_files() {
    find "/proc/$pid/fd" -type l | wc -l
}

# meets FAULT STATUS STAGE: a client with that fault, which ends so.
meets() {
    test/fault_peer client "$address" "$3" "$1" "$ca" "$tmp/$serve_name.tool"
    is "the client at stage $3" $? "$2"
}

all_have_gone() {
    [ "$(open_files)" -eq "$files" ]
}

# Everybody who was there has gone, and who comes now is served.
serves_on() {
    wait_for 20 all_have_gone || {
        echo "it has $(open_files) open files, and had $files"
        return 1
    }
    wait_for 1 meets none 0 0
}

has_stopped() {
    grep -q '^State:.T' "/proc/$1/status"
}

# stopped STATUS COMMAND...: clients that are stopped, and are continued when
# the command has succeeded.
stopped() {
    choose_stages
    stopped_pids=
    stopped_wanted=$1
    shift
    for stage in $stages; do
        test/fault_peer client "$address" "$stage" stop "$ca" none \
            2>"$tmp/at.$stage" &
        stopped_pids="$stopped_pids $!"
    done
    stopped_status=0
    for stopped_pid in $stopped_pids; do
        wait_for 20 has_stopped "$stopped_pid" || stopped_status=1
    done
    "$@" || stopped_status=1
    # shellcheck disable=SC2086
    kill -CONT $stopped_pids
    for stopped_pid in $stopped_pids; do
        wait "$stopped_pid"
        is "a client" $? "$stopped_wanted" || stopped_status=1
    done
    return "$stopped_status"
}

# is_killed STAGE: a server is, and its client is cut off.
is_killed() {
    (
        serve "killed.$1"
        trap 'kill -9 "$pid" 2>/dev/null' EXIT
        test/fault_peer client "$address" "$1" sigkill "$ca" \
            "$tmp/killed.$1.tool"
        is "the client at stage $1" $? 0
    )
}

serve patient
check 'the server with nothing that happens' serves_on
check 'a client is killed at any stage: the server serves on' eval \
    'at_all meets kill 137 && serves_on'
check 'a client resets the connection: it serves on' eval \
    'at_all meets reset 0 && serves_on'
check 'a client ends the connection: no secret comes behind that' eval \
    'at_all meets end 0 && serves_on'
check 'a client is stopped and continued: it goes on' eval \
    'stopped 0 true && serves_on'
check 'the server is stopped and continued: it goes on' eval \
    'at_all meets sigstop 0 && serves_on'
stop_background "$pid"
check 'the server is killed: each layer is cut off, none is closed' \
    at_all is_killed

serve impatient -timeout 2 -idle_timeout 2 -close_timeout 1
check 'a client is stopped for good: the server lets it go' eval \
    'stopped 4 wait_for 20 all_have_gone && serves_on'
stop_background "$pid"

# The client
# ----------

# talks FAULT STAGE TIMEOUT: a client with a server that has that fault. Sets
# status and peer_status.
talks() {
    at=$tmp/$1.$2
    : >"$at.peer"               # which an earlier one may have written to
    # shellcheck disable=SC2086 # words are meant
    test/fault_peer server "$2" "$1" ${outer% *} ${outer#* } "$at.tool" \
        >"$at.peer" 2>&1 &
    talks_pid=$!
    # One that is to be stopped for a moment only.
    if [ "$1" = stop ] && [ "$3" -gt 1 ]; then
        { wait_for 20 has_stopped "$talks_pid" && kill -CONT "$talks_pid"; } &
    fi
    wait_for 20 grep -q ACCEPT "$at.peer"
    # shellcheck disable=SC2016 # for the shell that becomes the client
    timeout 50 sh -c 'echo "$$" >"$0" && exec "$@"' "$at.tool" "$client" \
        -CAfile "$ca" -timeout "$3" \
        -connect "$(sed -n 's/^ACCEPT //p' "$at.peer")" \
        -via https://outer.example:1 \
        -dest tcp://inner.example:1 -line -servername outer.example \
        -script "$secret;STOPTLS;hello;STOPTLS;hello;QUIT" \
        >"$at.out" 2>"$at.err"
    status=$?
    # One that was stopped must have been when the client gave up.
    if [ "$1" = stop ] && [ "$3" -eq 1 ]; then
        kill -CONT "$talks_pid"
    fi
    wait "$talks_pid"
    peer_status=$?
}

# One line if it has failed, and none else; one that was killed is excused.
says_why() {
    cat "$at.err"
    [ "$status" -ne 137 ] || return 0
    [ "$(wc -l <"$at.err")" -eq $((status != 0)) ]
}

# ends STATUSES FAULT PEER-STATUS STAGE: one of these statuses it ends with.
ends() {
    talks "$2" "$4" 30
    # shellcheck disable=SC2086 # words are meant
    is "the client at stage $4" "$status" $1 && says_why &&
        is "its server at stage $4" "$peer_status" "$3"
}

# What tells a truncation from what never began, and from a bare connection.
ends_at() {
    case $1 in
    1 | 2) ends 3 end 0 "$1" ;;
    10) ends 5 end 0 "$1" ;;
    *) ends 4 end 0 "$1" ;;
    esac
}

gives_up() {
    talks stop "$1" 1
    is "the client at stage $1" "$status" 2 && says_why &&
        grep -q 'nothing from the peer for 1 s' "$at.err" &&
        is "its server at stage $1" "$peer_status" 4
}

check 'the client with nothing that happens' ends 0 none 0 0
check 'a server is killed at any stage: the client tells which layer failed' \
    at_all ends '2 3 4 5' kill 137
check 'a server resets the connection: network' at_all ends 2 reset 0
check 'a server ends the connection: no secret comes behind that' \
    at_all ends_at
check 'a server is stopped for good: the client gives up' at_all gives_up
check 'a server is stopped and continued: it goes on' \
    at_all ends 0 stop 0
check 'the client is stopped and continued: it goes on' \
    at_all ends 0 sigstop 0
check 'the client is killed: each layer is cut off, none is closed' \
    at_all ends 137 sigkill 0

done_testing
