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
        grep -qE -- "$pattern" "$tmp/err"
}

# refuses CODE PATTERN SENTENCE COMMAND...
refuses() {
    refuses_code=$1
    refuses_pattern=$2
    refuses_name=$3
    shift 3
    ! left_out || return 0
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

# The server's modes, limits and places
# -------------------------------------

long=$(printf 'a%.0s' $(seq 256))
any='-accept 127.0.0.1:0'
printf 'no colon\n' >"$tmp/no-colon"

# shellcheck disable=SC2086
{
    for option in accept forward proxy_allow proxy_auth layers max_depth \
        max_conns timeout idle_timeout close_timeout drain log stats; do
        refuses 1 "-$option needs" "onion_server: -$option without its argument" \
            $server -$option
    done
    for option in line echo www proxy proxy_origin 'accept 1' 'forward a:1' \
        'proxy_auth a:b' 'layers 1' 'max_conns 1' 'drain 1' 'log -' 'stats 1'; do
        refuses 1 "-${option%% *} is given twice" \
            "onion_server: -$option twice" $server -$option -$option
    done
    # The options, and what is said of them.
    while IFS='|' read -r options reason; do
        refuses 1 "$reason" "onion_server: $options: refused" \
            $server $any $options
    done <<END
|one of -line
-line -echo|one of
-echo -www|one of
-www -forward a:1|one of
-www -proxy_allow a:1|need -proxy
-echo -proxy_auth a:b|need -proxy
-www -proxy_origin|one of
-proxy -proxy_origin -www -echo|one of
-proxy -proxy_origin|layer 1: it needs its -cert
-proxy -proxy_allow a|host:port is needed
-proxy -proxy_allow :1|host:port is needed
-proxy -proxy_allow a:0|not a number
-proxy -proxy_allow a:65536|not a number
-proxy -proxy_allow a:|not a number
-proxy -proxy_allow ::1:443|brackets
-proxy -proxy_allow $long:1|too long
-proxy -proxy_auth user|user:password
-proxy -proxy_auth :password|user:password
-proxy -proxy_auth file:$tmp/nowhere|nowhere.*No such file
-proxy -proxy_auth file:/dev/null|no line
-proxy -proxy_auth file:$certs|certs
-proxy -proxy_auth file:$tmp/no-colon|user:password
-forward a|host:port is needed
-forward :1|host:port is needed
-forward a:0|not a number
-forward a:-1|not a number
-forward a:65536|not a number
-forward a:443abc|not a number
-forward ::1:1|brackets
-forward $long:1|too long
-line -max_conns 0|number
-line -max_conns 1000001|number
-line -timeout 0|number
-line -drain -1|number
-line -idle_timeout 86401|number
-line -stats 65536|not a number
-line -log $tmp/nowhere/log|cannot open the log.*No such file
-line -log $certs|cannot open the log
END
    for port in -1 65536 443abc '' ::1:1 "$long:1"; do
        refuses 1 "'$port'" "onion_server: -accept '$port'" \
            $server -line -accept "$port"
    done
    refuses 2 'cannot find nowhere.invalid' \
        'onion_server: a target that there is not' \
        $server $any -forward nowhere.invalid:1
    start_server taken $listen || exit 99
    refuses 2 "cannot listen on $address" 'onion_server: -stats on a port in use' \
        $server $listen -stats "$address"
    stop_background "$pid"
    full_disk() {
        timeout 30 $server $listen >/dev/full 2>"$tmp/err" </dev/null
        status=$?
        cat "$tmp/err"
        [ "$status" -eq 2 ] && grep -q 'output: No space' "$tmp/err"
    }
    check 'onion_server: a full disk, where it would say that it listens' \
        full_disk
    closed_output() {
        timeout 30 $server -line -accept "$address" >&- 2>"$tmp/err" <&- &
        closed=$!
        wait_for 20 $client -connect "$address" -script 'hello;QUIT'
        said=$?
        kill "$closed"
        wait "$closed"
        [ "$said" -eq 0 ]
    }
    check 'onion_server: closed input and output, on which it does not write' \
        closed_output
}

# The client's hops, hosts and whole connection
# ---------------------------------------------

idn=$(printf 'b\303\274cher.example')

# shellcheck disable=SC2086
{
    for option in connect unix via starttls dest layers timeout require_depth \
        script stop keylogfile; do
        refuses 1 "-$option needs" "-$option without its argument" \
            $client -$option
    done
    for option in 4 6 brief quiet json nocommands crlf ign_eof reconnect state \
        verbs msg trace debug showcerts 'connect a:1' 'unix /a' 'layers 1' \
        'timeout 1' 'require_depth 1' 'script QUIT' 'stop early' \
        'keylogfile /dev/null'; do
        refuses 1 "-${option%% *} is given twice" "-$option twice" \
            $client -$option -$option
    done
    # The options, and what is said of them.
    while IFS='|' read -r options reason; do
        refuses 1 "$reason" "$options: refused" $client $options
    done <<'END'
-connect a:1 -unix /a|contradicts
-connect a:1 -4 -6|contradicts
-connect a:1 -quiet -brief|contradict
-connect a:1 -quiet -json|contradict
-connect a:1 -brief -json|contradict
-connect a:1 -quiet -state|contradicts
-connect a:1 -json -state|contradicts
-connect a:1 -quiet -verbs|contradict
-connect a:1 -json -script QUIT|contradict
-connect a:1 -crlf -verbs|contradict
-connect a:1 -ign_eof -script QUIT|contradict
-connect a:1 -nocommands -verbs|contradict
-connect a:1 -reconnect -verbs|contradict
-connect a:1 -stop early|useless
-connect a:1 -layers 65|number
-connect a:1 -layers 1 -push|contradicts
-connect a:1 -timeout 0|number
-connect a:1 -timeout x|number
-connect a:1 -require_depth 1|more than the 0
-connect a:1 -push -push -require_depth 3|more than the 2
-connect a:1 -require_depth -1|number
-push|connect
-line|connect
-starttls smtp|connect
-connect a:1 -starttls gopher|no protocol
END
    refuses 1 'begins with' 'a -via that is no URL' $client -via https//a
    refuses 1 'begins with' 'a -via of another scheme' $client -via ftp://a
    refuses 1 'begins with' 'a -dest of another scheme' $client -dest http://a
    refuses 1 'must follow' 'a -via that is the last hop' \
        $client -via https://a
    refuses 1 'must follow' 'a -via before a -push' \
        $client -via https://a -push
    refuses 1 'end of the way' 'two destinations' \
        $client -dest https://a -dest https://b
    refuses 1 'end of the way' 'a proxy behind the destination' \
        $client -dest https://a -push -via https://b
    refuses 1 'nothing leads there' 'a destination behind a layer' \
        $client $nobody -push -dest https://b
    refuses 1 'has no layer' 'an option of a layer for a clear hop' \
        $client -dest tcp://a:1 -alpn h2
    refuses 1 'is for -via' 'an option of a proxy for a layer' \
        $client -dest https://a -proxy_user me
    refuses 1 'user' 'a password for nobody' \
        $client -via https://a -proxy_pass pass:x -dest https://b
    refuses 1 'name to verify' 'a layer over a socket, with no name' \
        $client -unix /nowhere -push
    refuses 2 'cannot connect to /nowhere' 'a socket that is not there' \
        $client -unix /nowhere
    refuses 1 'cannot be so long' 'a socket with too long a path' \
        $client -unix "/$long"

    for port in 0 -1 65536 443abc '' ' 443' 99999999999999999999; do
        refuses 1 'port' "-connect with the port '$port'" \
            "$client" -connect "a:$port"
        refuses 1 'port' "-dest with the port '$port'" \
            "$client" -dest "https://a:$port"
        refuses 1 'port' "-via with the port '$port'" \
            "$client" -via "http://a:$port" -dest tcp://b:1
    done
    for host in '' "$long" "$idn" ::1 '[::1' '[a]' '[]' 'a b' 'a/b' 'a@b'; do
        refuses 1 "$(printf '%.8s' 'onion_client')" \
            "-connect with the host '$host'" "$client" -connect "$host:1"
        refuses 1 'dest' "-dest with the host '$host'" \
            "$client" -dest "tcp://$host:1"
    done
    refuses 1 'xn--' 'a host in another script says what to do' \
        "$client" -connect "$idn:1"
    refuses 1 'brackets' 'an IPv6 address without brackets says what to do' \
        "$client" -connect ::1:443
    refuses 2 'cannot connect.*\[::1\]:1|cannot find' 'an IPv6 address' \
        "$client" -connect '[::1]:1'
    refuses 2 'cannot find' 'a host that there is not' \
        "$client" -connect nowhere.invalid:1
}

# The client's standard input and output
# --------------------------------------

start_server plain -line -accept 127.0.0.1:0 || exit 99
plain=$address

# with CODE PATTERN 'REDIRECTION' ARGUMENT...: its status and one line of that.
with() {
    with_code=$1
    with_pattern=$2
    with_redirection=$3
    shift 3
    { sleep 0.3; echo hello; sleep 0.3; } | eval 'timeout 20 "$client" "$@"' \
        "$with_redirection" 2>"$tmp/err"
    status=$?
    echo "status $status, must be $with_code; must say '$with_pattern'; says:"
    cat "$tmp/err"
    [ "$status" -eq "$with_code" ] &&
        [ "$(grep -c '^onion_client' "$tmp/err")" -eq 1 ] &&
        grep -qE "^onion_client: .*$with_pattern" "$tmp/err"
}
check 'a full disk' with 1 'output: No space' '>/dev/full' -connect "$plain"
check 'a full disk, with -quiet' with 1 'output: No space' '>/dev/full' \
    -quiet -connect "$plain"
check 'a full disk, with -json' with 1 'output: No space' '>/dev/full' \
    -json -connect "$plain"
check 'a full disk, with -verbs' with 1 'output' '>/dev/full' \
    -verbs -connect "$plain"
check 'a full disk, with -script' with 1 'output' '>/dev/full' \
    -script 'hello;QUIT' -connect "$plain"
check 'a closed output' with 1 'output: Bad file' '>&-' -connect "$plain"
check 'a closed input is an empty one' with 0 'ended' '<&-' -connect "$plain"
check 'an input that cannot be read' with 1 'input: Is a directory' \
    "<$tmp" -connect "$plain"
check 'a key log that cannot be written' with 1 'keylogfile' '<&-' \
    -connect "$plain" -keylogfile "$tmp/nowhere/keys"
stop_background "$pid"

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
    logged '\[[12] .*(truncated|without)'
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
check 'the server says so' logged '\[0 .*too long'
head -c 1048576 /dev/zero | tr '\0' x >"$tmp/no-newline"
check 'a line of 1 MiB that never ends is refused' a_long_line "$tmp/no-newline"
serves 'lines of 1 MiB'

not_tls() {
    printf 'STARTTLS\nSTARTTLS is what I said, and this is no handshake\n' \
        >"$tmp/text"
    raw "$tmp/text"
    logged '\[1 .*handshake failed'
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
    logged '\[1 .*stalled for 2 s'
exec 4>&-

done_testing
