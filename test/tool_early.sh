#!/bin/sh
# tool_early.sh - early data of the tools: handshakes of inner layers (-early)
# and a file (-early_data), taken, rejected, too large and replayed; with
# openssl s_client and s_server at the other end too.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

ca=$certs/ca.pem
pair="-cert $certs/outer.example.pem -key $certs/outer.example.key"
name="-CAfile $ca -servername outer.example"
first='first of all'
printf '%s\n' "$first" >"$tmp/file"
printf 'GET / HTTP/1.0\r\n\r\n' >"$tmp/get"
echo typed >"$tmp/in"

# run CODE ARGUMENT...: the client ends with that status; what it reads is in
# $tmp/in, what it writes in $tmp/out and $tmp/err.
run() {
    run_code=$1
    shift
    timeout 30 "$client" "$@" <"$tmp/in" >"$tmp/out" 2>"$tmp/err"
    status=$?
    echo "status $status, must be $run_code; says:"
    head -c 1000 "$tmp/out"
    head -c 2000 "$tmp/err"
    [ "$status" -eq "$run_code" ]
}

# fails PATTERN ARGUMENT...: a mistake, in one line.
fails() {
    fails_pattern=$1
    shift
    run 1 "$@" && [ "$(wc -l <"$tmp/err")" -eq 1 ] &&
        grep -qE -e "$fails_pattern" "$tmp/err"
}

# early WORDS ARGUMENT...: three layers to $address, the innermost with a
# session; WORDS, of s_client, are of each layer, separated by commas.
early() {
    early_words=$1
    shift
    # shellcheck disable=SC2086 # words are meant
    run 0 -brief -connect "$address" $name -layers 3 "$@" || return 1
    sed -n 's/^\[[123] .*Early data was //p' "$tmp/err" | paste -s -d , \
        >"$tmp/words"
    echo "must be $early_words"
    [ "$(cat "$tmp/words")" = "$early_words" ]
}

# nothing_lost: all that was sent has come back, once, and in its order.
nothing_lost() {
    cat "$tmp/file" "$tmp/in" >"$tmp/must"
    same "$tmp/must" "$tmp/out"
}

# sends WORDS ARGUMENT...: the file too
sends() {
    early "$@" -early_data "$tmp/file" && nothing_lost
}

# learn: a session for each layer, fit to be used once.
learn() {
    # shellcheck disable=SC2086 # words are meant
    run 0 -quiet -connect "$address" $name -layers 3 -sess_out "$tmp/session"
}

learn_and() {
    learn && "$@" -sess_in "$tmp/session"
}

# Two tools
# ---------

# shellcheck disable=SC2086 # words are meant
start_server echo -echo -accept 127.0.0.1:0 -layers 3 $pair -early_data \
    -log "$tmp/log" || exit 99
none='not sent,not sent,not sent'
check 'without a session the file goes after the handshake' sends "$none"
check 'with one it goes early, as do the handshakes inside' \
    learn_and sends accepted,accepted,accepted
logged() {
    cat "$tmp/log"
    [ "$(tail -n 4 "$tmp/log" | grep -c ' layer .*early=accepted ')" -eq 3 ]
}
check 'and the log of the server says so' logged
check 'a session that was used is rejected, and nothing is lost' \
    sends rejected,rejected,rejected -sess_in "$tmp/session"
check '-early alone is for handshakes' \
    learn_and early 'accepted,accepted,not sent' -early
check 'without either nothing goes early' learn_and run 0 -json \
    -connect "$address" -CAfile "$ca" -servername outer.example -layers 3
says_not_sent() {
    [ "$(grep -o '"resumed": true, "early_data": "not sent"' "$tmp/out" |
        wc -l)" -eq 3 ]
}
check '-json says so of each layer' says_not_sent
reconnects() {
    sends accepted,accepted,accepted -reconnect 2>&1
    [ "$(cat "$tmp/words")" = "$none$(printf ',accepted%.0s' $(seq 15))" ] &&
        [ "$(tail -n 1 "$tmp/out")" = typed ]
}
check '-reconnect sends it each time' reconnects

# Just after the second has changed time() may say that it has not, yet. OpenSSL
# asks another clock from 3.2 on.
cat >"$tmp/late.c" <<'END'
#include <time.h>
time_t time(time_t *at)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    if (at)
        *at = t.tv_sec - 1;
    return t.tv_sec - 1;
}
END
late_clock() {
    # shellcheck disable=SC2086 # words are meant
    ${CC:-cc} ${CFLAGS-} -fPIC -shared "$tmp/late.c" -o "$tmp/late.so" ||
        return 1
    LD_PRELOAD=$tmp/late.so
    export LD_PRELOAD
    reconnects
    late_status=$?
    unset LD_PRELOAD
    return "$late_status"
}
case ${CFLAGS-} in
*-fsanitize=*) skip 'and where time() is late' 'no LD_PRELOAD' ;;
*) check 'and where time() is late' late_clock ;;
esac

head -c 100000 /dev/urandom | od -An -tx1 >"$tmp/large"
# large WORDS ARGUMENT...: what does not fit
large() {
    cp "$tmp/large" "$tmp/file"
    sends "$@"
    large_status=$?
    printf '%s\n' "$first" >"$tmp/file"
    return "$large_status"
}
check 'what is larger than the limit goes on after the handshake' \
    learn_and large accepted,accepted,accepted
check 'and is not lost when it is rejected' \
    large rejected,rejected,rejected -sess_in "$tmp/session"
stop_background "$pid"

# shellcheck disable=SC2086 # words are meant
start_server handshakes -echo -accept 127.0.0.1:0 -layers 3 $pair -early ||
    exit 99
check 'a server with -early takes handshakes, and no data' \
    learn_and sends accepted,accepted,rejected
stop_background "$pid"

# shellcheck disable=SC2086 # words are meant
start_server without -echo -accept 127.0.0.1:0 -layers 3 $pair || exit 99
check 'a server with neither takes nothing' learn_and sends "$none"
stop_background "$pid"

# shellcheck disable=SC2086 # words are meant
start_server limits -echo -accept 127.0.0.1:0 $pair -early_data \
    -layer -max_early_data 0 -layer -layer -max_early_data 5 || exit 99
check '-max_early_data is of a layer' learn_and \
    sends 'not sent,accepted,not sent'
stop_background "$pid"

# shellcheck disable=SC2086 # words are meant
start_server alpn -echo -accept 127.0.0.1:0 $pair -early_data -alpn h2,h3 ||
    exit 99
# protocol ALPN WORDS ARGUMENT...: with a session that was made for h2
protocol() {
    protocol_alpn=$1
    protocol_words=$2
    shift 2
    # shellcheck disable=SC2086 # words are meant
    run 0 -quiet -connect "$address" $name -push -alpn h2 \
        -sess_out "$tmp/session" &&
        run 0 -brief -connect "$address" $name -early_data "$tmp/file" -push \
            -alpn "$protocol_alpn" -sess_in "$tmp/session" &&
        grep -q "Early data was $protocol_words" "$tmp/err" && nothing_lost
}
check 'early data is for the protocol of its session' protocol h3,h2 accepted
check 'which is not offered for another one' protocol h3 'not sent'
says_why() {
    grep -q 'is not offered: .*-alpn' "$tmp/err"
}
check 'and that is said' says_why
stop_background "$pid"

# What may be replayed
# --------------------

# flight ARGUMENT...: what a client sends before it has an answer.
flight() {
    background "$tmp/sink.log" socat -u -d -d TCP-LISTEN:0,bind=127.0.0.1 \
        "CREATE:$tmp/flight"
    sink=$pid
    wait_for 20 grep -q 'listening on' "$tmp/sink.log"
    port=$(sed -n 's/.*listening on.*:\([0-9]*\)$/\1/p' "$tmp/sink.log")
    run 2 -timeout 1 -quiet -connect "127.0.0.1:$port" "$@"
    wait "$sink"
    [ -s "$tmp/flight" ]
}

# replay: how often the target has heard the file when that is sent twice
replay() {
    for _ in 1 2; do
        { cat "$tmp/flight" && sleep 0.3; } |
            socat - "TCP:$address" >/dev/null 2>&1
    done
    grep -c "$first" "$tmp/target"
}

# replayed COUNT OPTION...: of the server
replayed() {
    replayed_count=$1
    shift
    # shellcheck disable=SC2086 # words are meant
    start_server "forward$tap_count" -forward "$target" -accept 127.0.0.1:0 \
        $pair "$@" || return 1
    : >"$tmp/target"
    # shellcheck disable=SC2086 # words are meant
    run 0 -quiet -connect "$address" $name -push -sess_out "$tmp/session" &&
        flight $name -early_data "$tmp/file" -push -sess_in "$tmp/session"
    heard=$(replay)
    stop_background "$pid"
    echo "heard $heard times"
    [ "$heard" -eq "$replayed_count" ]
}
if have socat; then
    background "$tmp/target.log" socat -u -d -d \
        TCP-LISTEN:0,bind=127.0.0.1,fork "OPEN:$tmp/target,creat,append"
    wait_for 20 grep -q 'listening on' "$tmp/target.log"
    target=127.0.0.1:$(sed -n 's/.*listening on.*:\([0-9]*\)$/\1/p' \
        "$tmp/target.log")
    check 'early data is used before the handshake, once' \
        replayed 1 -early_data
    check 'twice with -no_anti_replay' \
        replayed 2 -early_data -no_anti_replay
    check 'with -early a replay reaches nobody' \
        replayed 0 -early -no_anti_replay
    stop_background "$pid"
else
    skip 'early data is used before the handshake, once' 'no socat'
fi

# OpenSSL at the other end
# ------------------------

# shellcheck disable=SC2086 # words are meant
start_server www -www -accept 127.0.0.1:0 $pair -early_data || exit 99
# s_client ARGUMENT...
s_client() {
    # shellcheck disable=SC2086 # words are meant
    sleep 0.2 | timeout 30 openssl s_client -connect "$address" $name \
        -ign_eof "$@" >"$tmp/out" 2>"$tmp/err"
    cat "$tmp/out"
}
by_s_client() {
    printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect "$address" \
        -CAfile "$ca" -servername outer.example -ign_eof \
        -sess_out "$tmp/session" >"$tmp/out" 2>&1
    s_client -sess_in "$tmp/session" -early_data "$tmp/get"
    grep -q 'Early data was accepted' "$tmp/out" &&
        grep -q '^layer 1: .*resumed yes, early data accepted' "$tmp/out"
}
check 'openssl s_client gets a page for its early data' by_s_client
stop_background "$pid"

to_s_server() {
    mkfifo "$tmp/open"
    exec 5<>"$tmp/open"
    stdin=$tmp/open
    # shellcheck disable=SC2086 # words are meant
    background "$tmp/s_server.log" openssl s_server -accept 127.0.0.1:0 \
        $pair -early_data
    stdin=
    wait_for 20 grep -q '^ACCEPT ' "$tmp/s_server.log" || return 1
    address=$(sed -n 's/^ACCEPT //p' "$tmp/s_server.log" | head -n 1)
    # shellcheck disable=SC2086 # words are meant
    run 0 -connect "$address" $name -push -sess_out "$tmp/session" &&
        run 0 -connect "$address" $name -early_data "$tmp/file" \
            -push -sess_in "$tmp/session" || return 1
    grep -q '^\[1 .*\] Early data was accepted' "$tmp/err" &&
        grep -q "$first" "$tmp/s_server.log"
}
check 'openssl s_server takes the file' to_s_server
stop_background "$pid"

# Mistakes
# --------

nobody='-connect 127.0.0.1:1'
# shellcheck disable=SC2086 # words are meant
{
    check 'a file that is not there' fails 'early_data .*nowhere: No such' \
        $nobody -push -early_data "$tmp/nowhere"
    check 'early data without a layer' fails 'useless without a layer' \
        $nobody -early_data "$tmp/file"
    check 'early data and the line protocol' fails 'contradict -early_data' \
        $nobody -push -early_data "$tmp/file" -script QUIT
    check 'early data and a hop of the line protocol' \
        fails 'contradicts -line' $nobody -line -early_data "$tmp/file"
    check '-early_data twice' fails 'is given twice' $nobody -push \
        -early_data "$tmp/file" -early_data "$tmp/file"
}

done_testing
