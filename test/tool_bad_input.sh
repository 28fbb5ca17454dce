#!/bin/sh
# tool_bad_input.sh - what the tools make of mistakes, of broken peers and of
# enemies: an exit code, one line that names the layer, no hang; and the server
# serves on.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

ca=$certs/ca.pem
outer="-cert $certs/outer.example.pem -key $certs/outer.example.key"
inner="-cert $certs/inner.example.pem -key $certs/inner.example.key"
# The last words of each command line of a client that is let in.
names='-layer -servername outer.example -layer -servername inner.example'

# fails CODE PATTERN COMMAND...: it ends with that status and says one line.
fails() {
    code=$1
    pattern=$2
    shift 2
    timeout 30 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    echo "status $status, must be $code; must say '$pattern'; says:"
    cat "$tmp/err"
    [ "$status" -eq "$code" ] && [ "$(wc -l <"$tmp/err")" -eq 1 ] &&
        grep -qE "$pattern" "$tmp/err"
}

# refuses CODE PATTERN SENTENCE COMMAND...
refuses() {
    refuses_code=$1
    refuses_pattern=$2
    refuses_name=$3
    shift 3
    check "$refuses_name" fails "$refuses_code" "$refuses_pattern" "$@"
}

# The command line
# ----------------

listen='-line -accept 127.0.0.1:0'
nobody='-connect 127.0.0.1:1'

# shellcheck disable=SC2086 # words are meant, in all that follows
{
    for tool in "$server $listen" "$client $nobody"; do
        set -- $tool
        refuses 1 'bogus' "${1#*/}: an option that there is not" \
            $tool -bogus
        refuses 1 'CAfile' "${1#*/}: an option without its argument" \
            $tool -CAfile
        refuses 1 'tls1_[23].*contradicts' "${1#*/}: two versions at once" \
            $tool -tls1_2 -tls1_3
        refuses 1 'number' "${1#*/}: a number that is none" \
            $tool -layers three
        refuses 1 'twice' "${1#*/}: an option twice for one layer" \
            $tool -layer -CAfile a -CAfile b
        refuses 1 'word' "${1#*/}: a word that is no option" $tool word
        refuses 1 'layer 2.*nowhere.pem' "${1#*/}: a certificate that is not there" \
            $tool -layer $outer -layer -cert "$certs/nowhere.pem"
        refuses 1 'layer 2.*inner.example.key' \
            "${1#*/}: a key that is not the certificate's" $tool \
            -layer $outer \
            -layer -cert "$certs/outer.example.pem" -key "$certs/inner.example.key"
        refuses 1 'layer 1.*ca.key' "${1#*/}: a key where a certificate must be" \
            $tool -layer -cert "$certs/ca.key" -key "$certs/ca.key"
        refuses 1 'layer 1.*certs' "${1#*/}: a directory where a file must be" \
            $tool -layer -cert "$certs" -key "$certs"
        refuses 1 'layer 1.*nowhere.pem' "${1#*/}: trust that is not there" \
            $tool -layer -CAfile "$certs/nowhere.pem"
        refuses 1 'layer 1.*CIPHER' "${1#*/}: a cipher that there is not" \
            $tool -layer -cipher CIPHER
    done
    refuses 1 'accept' 'onion_server: nowhere to listen' $server -line
    refuses 1 'cert' 'onion_server: -layers without a certificate' \
        $server $listen -layers 2
    refuses 1 'max_depth' 'onion_server: -layers past -max_depth' \
        $server $listen -layers 3 -max_depth 2 $outer
    refuses 1 '99999' 'onion_server: a port that there is not' \
        $server -line -accept 127.0.0.1:99999
    refuses 2 'cannot listen on 192.0.2.1' \
        'onion_server: an address of somebody else' \
        $server -line -accept 192.0.2.1:0
    refuses 1 'connect' 'onion_client: nowhere to connect to' $client
    refuses 1 'stop' 'onion_client: a way of stopping that there is not' \
        $client $nobody -stop sideways
    refuses 2 'cannot connect.*refused' 'onion_client: nobody listens' \
        $client $nobody -script QUIT
}

# The client, and a peer that must not be trusted
# -----------------------------------------------

# shellcheck disable=SC2086
{
    start_server good $listen -timeout 2 -layer $outer -layer $inner || exit 99
    good=$address
    good_log=$log

    # serves WHY: the server takes a client through both layers.
    serves() {
        check "the server serves on after $1" timeout 30 $client -connect \
            "$good" -CAfile "$ca" -script 'STARTTLS;STARTTLS;hello;STOPTLS;QUIT' $names
    }

    refuses 3 '\[1 [^]]*\] .*certificate' 'a certificate of an unknown CA' \
        $client -connect "$good" -CAfile "$certs/other-ca.pem" \
        -script 'STARTTLS;hello;QUIT' $names
    refuses 3 '\[2 [^]]*\] .*certificate' 'the same, in the second layer only' \
        $client -connect "$good" -script 'STARTTLS;STARTTLS;hello;QUIT' \
        -layer -CAfile "$ca" -servername outer.example \
        -layer -CAfile "$certs/other-ca.pem" -servername inner.example
    refuses 3 '\[2 [^]]*\] .*certificate' 'a certificate for another name' \
        $client -connect "$good" -CAfile "$ca" \
        -script 'STARTTLS;STARTTLS;hello;QUIT' -layer -servername outer.example
    refuses 3 '\[1 [^]]*\] .*certificate' 'the same, where no name was given but the address' \
        $client -connect "$good" -CAfile "$ca" -script 'STARTTLS;hello;QUIT'
    refuses 6 '\[16 .*refused' 'more layers than the server allows' \
        $client -connect "$good" -CAfile "$ca" \
        -script "$(printf 'STARTTLS;%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17)QUIT" $names
    serves 'clients that do not trust it'

    start_server old $listen -layer $outer -layer $inner -tls1_2 || exit 99
    refuses 3 '\[2 ' 'no version in common in the second layer' \
        $client -connect "$address" -CAfile "$ca" \
        -script 'STARTTLS;STARTTLS;hello;QUIT' \
        -layer -servername outer.example \
        -layer -servername inner.example -tls1_3
    stop_background "$pid"

    start_server strict $listen -layer $outer -layer $inner -Verify 5 -CAfile "$ca" ||
        exit 99
    refuses 3 '\[2 ' 'no certificate for a server that must see one' \
        $client -connect "$address" -CAfile "$ca" \
        -script 'STARTTLS;STARTTLS;hello;QUIT' $names
    stop_background "$pid"

    start_server poor $listen || exit 99
    refuses 6 '\[0 .*refused' 'a server without a certificate' \
        $client -connect "$address" -CAfile "$ca" -script 'STARTTLS;hello;QUIT'
    stop_background "$pid"
}

# The client, and a peer that breaks off
# --------------------------------------

# session ARGUMENT...: a client that reads its lines from descriptor 3 and
# waits for more. Sets pid; the client's own is in $tmp/session.pid.
session() {
    rm -f "$tmp/lines"
    mkfifo "$tmp/lines"
    stdin=$tmp/lines
    # shellcheck disable=SC2016 # for the inner shell
    background "$tmp/session" timeout 30 \
        sh -c 'echo $$ >"$0"; exec "$@"' "$tmp/session.pid" "$client" "$@"
    stdin=
    exec 3>"$tmp/lines"
}

# send LINE...: to the session, which may have ended: SIGPIPE is for a subshell.
send() {
    (printf '%s\n' "$@" >&3) 2>/dev/null
}

# The lines are sent to it, and as many replies have come.
in_session() {
    in_session_count=$#
    send "$@"
    wait_for 20 eval "[ \$(wc -l <'$tmp/session') -ge $in_session_count ]"
}

# ends CODE PATTERN: the session does, for that reason.
ends() {
    exec 3>&-
    wait "$pid"
    status=$?
    echo "status $status, must be $1; must say '$2'; says:"
    cat "$tmp/session"
    [ "$status" -eq "$1" ] && grep -qE "$2" "$tmp/session" &&
        [ "$(grep -c '^onion_client:' "$tmp/session")" -eq 1 ]
}

start_server doomed -line -accept 127.0.0.1:0 \
    -cert "$certs/outer.example.pem" -key "$certs/outer.example.key" || exit 99
doomed=$pid
session -verbs -connect "$address" -CAfile "$ca" -servername outer.example
in_session STARTTLS STARTTLS hello
kill -9 "$doomed"
wait "$doomed" 2>/dev/null
send hello
check 'the client in its second layer, when the server is killed' \
    ends 4 '\[[12] .*(truncated|without)'

# The server, and a peer that breaks off
# --------------------------------------

# shellcheck disable=SC2086
session -verbs -connect "$good" -CAfile "$ca" $names
in_session STARTTLS STARTTLS hello
cp "$good_log" "$tmp/before"
kill -9 "$(cat "$tmp/session.pid")"
exec 3>&-
wait "$pid" 2>/dev/null

# logged PATTERN: the server's log has grown by one line, which is like this.
logged() {
    wait_for 20 eval "! cmp -s '$tmp/before' '$good_log'"
    diff "$tmp/before" "$good_log"
    [ "$(diff "$tmp/before" "$good_log" | grep -c '^>')" -eq 1 ] &&
        diff "$tmp/before" "$good_log" | grep -qE "^>.*$1"
}

check 'the server says which layer was cut off when a client is killed' \
    logged 'layer [12].*(truncated|without)'
serves 'a client that was killed in its second layer'

# Peers that speak something else
# -------------------------------

if ! have socat; then
    for i in 'a reply that is no TLS' 'a peer that never answers' \
        'a reply of 1 MiB without a newline' 'a line of 1 MiB' \
        'text where a handshake must be' 'a handshake that stalls'; do
        skip "$i" 'no socat'
    done
    done_testing
fi

# peer NAME COMMAND: serves one connection. Sets address.
peer() {
    start_server "port-$1" -line -accept 127.0.0.1:0 || exit 99
    stop_background "$pid"
    background "$tmp/peer-$1" socat -d -d \
        "TCP-LISTEN:${address##*:},bind=127.0.0.1,reuseaddr" "SYSTEM:$2"
    wait_for 20 grep -q listening "$tmp/peer-$1"
}

# raw FILE: sent to the server, whose answer is in $tmp/answer
raw() {
    timeout 30 socat -t 20 - "TCP:$good" <"$1" >"$tmp/answer"
}

peer babble 'echo what is this supposed to be; cat >/dev/null'
# shellcheck disable=SC2086
refuses 3 '\[1 ' 'a reply that is no TLS' \
    "$client" -connect "$address" -CAfile "$ca" -layers 2 $names

peer mute 'cat >/dev/null'
# shellcheck disable=SC2086
refuses 2 '\[[12] .*1 s' 'a peer that never answers' \
    "$client" -connect "$address" -CAfile "$ca" -layers 2 -timeout 1 $names

peer endless "head -c 1048576 /dev/zero | tr '\\\\0' x; cat >/dev/null"
refuses 5 '\[0 .*long' 'a reply of 1 MiB without a newline' \
    "$client" -connect "$address" -script 'hello;QUIT'

{
    head -c 1048576 /dev/zero | tr '\0' x
    printf '\nhello\n'
} >"$tmp/long"
# The server ends such a connection: it may not see the end of the line.
a_long_line() {
    raw "$1"
    head -c 200 "$tmp/answer"
    [ "$(cat "$tmp/answer")" = 'ERR line too long' ]
}
cp "$good_log" "$tmp/before"
check 'a line of 1 MiB is refused' a_long_line "$tmp/long"
check 'the server says so' logged 'in the clear.*too long'
head -c 1048576 /dev/zero | tr '\0' x >"$tmp/no-newline"
check 'a line of 1 MiB that never ends is refused' a_long_line "$tmp/no-newline"
serves 'lines of 1 MiB'

not_tls() {
    printf 'STARTTLS\nSTARTTLS is what I said, and this is no handshake\n' \
        >"$tmp/text"
    raw "$tmp/text"
    logged 'layer 1'
}
cp "$good_log" "$tmp/before"
check 'text where a handshake must be' not_tls
serves 'text where a handshake must be'

cp "$good_log" "$tmp/before"
mkfifo "$tmp/stalled"
stdin=$tmp/stalled
background "$tmp/stalled.log" socat -t 20 - "TCP:$good"
stdin=
exec 4>"$tmp/stalled"
(echo STARTTLS >&4)
serves 'a peer that has stalled, while it still does'
check 'a handshake that stalls is cut off after -timeout' \
    logged 'layer 1.*stalled for 2 s'
exec 4>&-

done_testing
