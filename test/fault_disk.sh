#!/bin/sh
# fault_disk.sh - the tools on a disk that is full: what they write there is
# lost, and they say so; what they do for their peers goes on.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

[ -c /dev/full ] || skip_all 'no /dev/full'

outer="-layer -cert $certs/outer.example.pem -key $certs/outer.example.key"
inner="-layer -cert $certs/inner.example.pem -key $certs/inner.example.key"

# talk OUTPUT ARGUMENT...: a client of both layers that says hello; $behind are
# arguments for the second.
behind=
talk() {
    talk_out=$1
    shift
    # shellcheck disable=SC2086 # words are meant
    echo hello | timeout 60 "$client" -connect "$address" \
        -CAfile "$certs/ca.pem" "$@" -push -servername outer.example \
        -push -servername inner.example $behind >"$talk_out" 2>"$tmp/err"
    status=$?
    cat "$tmp/err"
    echo "status $status"
}

# loses STATUS PATTERN ARGUMENT...: with an output that is full.
loses() {
    loses_status=$1
    loses_pattern=$2
    shift 2
    talk /dev/full "$@"
    [ "$status" -eq "$loses_status" ] && grep -q -- "$loses_pattern" "$tmp/err"
}

# goes_on PATTERN ARGUMENT...: all comes back; a line tells what was lost.
goes_on() {
    goes_on_pattern=$1
    shift
    talk "$tmp/out" -quiet "$@"
    [ "$status" -eq 0 ] && [ "$(cat "$tmp/out")" = hello ] &&
        grep -q -- "$goes_on_pattern" "$tmp/err"
}

serves() {
    talk "$tmp/out" -quiet
    [ "$status" -eq 0 ] && [ "$(cat "$tmp/out")" = hello ]
}

# shellcheck disable=SC2086 # words are meant, in all that follows
{
    start_server echo -accept 127.0.0.1:0 -echo $outer $inner || exit 99
    check 'the client on a disk that is not full' serves
    full='cannot write to the output: No space left on device'
    check 'the output of the client is full: status 1' loses 1 "$full" -quiet
    check 'the same of its object of JSON' loses 1 "$full" -json
    stderr_full() {
        echo hello | timeout 60 "$client" -connect "$address" \
            -CAfile "$certs/ca.pem" -push -servername outer.example \
            -push -servername inner.example >"$tmp/out" 2>/dev/full &&
            [ "$(cat "$tmp/out")" = hello ]
    }
    check 'its standard error is full: nothing else is lost' stderr_full
    check 'its -keylogfile is full: it goes on, and says so' \
        goes_on '-keylogfile /dev/full: No space' -keylogfile /dev/full
    behind='-sess_out /dev/full'
    check 'its -sess_out is full: it goes on, and says so' \
        goes_on '/dev/full'
    behind=
    stop_background "$pid"

    start_server line -accept 127.0.0.1:0 -line $outer $inner || exit 99
    script_full() {
        timeout 60 "$client" -connect "$address" -CAfile "$certs/ca.pem" \
            "$@" >/dev/full 2>"$tmp/err" </dev/null
        status=$?
        echo "status $status"
        cat "$tmp/err"
        [ "$status" -eq 1 ] && grep -q 'cannot write to the output' "$tmp/err"
    }
    check 'the output of a -script is full: status 1' script_full \
        -script 'hello;STARTTLS;hello;QUIT' -layer -servername outer.example
    check 'the drawings of its -state are full: status 1' script_full -state \
        -script 'STARTTLS;QUIT' -layer -servername outer.example
    stop_background "$pid"

    # server_full STATUS PATTERN ARGUMENT...
    server_full() {
        timeout 20 "$server" -accept 127.0.0.1:0 -echo $outer \
            >/dev/full 2>"$tmp/err"
        status=$?
        echo "status $status"
        cat "$tmp/err"
        [ "$status" -eq 2 ] && grep -q 'output.*No space' "$tmp/err"
    }
    check 'the output of the server is full: it serves nobody unheard' \
        server_full

    start_server log -accept 127.0.0.1:0 -echo -log /dev/full $outer $inner ||
        exit 99
    check 'the log of the server is full: it serves on' \
        eval 'serves && serves && serves'
    complained() {
        cat "$log"
        [ "$(grep -c 'cannot write the log /dev/full: No space' "$log")" -eq 1 ]
    }
    check 'it says so once' wait_for 20 complained
    kill "$pid"
    check 'and ends with 0' wait "$pid"

    quiet_server() {
        timeout 60 "$server" -accept 127.0.0.1:0 -echo -log - $outer $inner \
            >"$tmp/quiet.log" 2>/dev/full &
        quiet=$!
        wait_for 20 grep -q ACCEPT "$tmp/quiet.log"
        address=$(sed -n 's/^ACCEPT //p' "$tmp/quiet.log")
        serves && serves
        served=$?
        kill "$quiet" && wait "$quiet" && [ "$served" -eq 0 ]
    }
    check 'its standard error is full: it serves on, and ends with 0' \
        quiet_server
}

done_testing
