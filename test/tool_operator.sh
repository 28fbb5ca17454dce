#!/bin/sh
# tool_operator.sh - what whoever runs onion_server sees and does: each layer
# of each connection, signals, a log that nobody reads.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

ca=$certs/ca.pem
pair="-cert $certs/outer.example.pem -key $certs/outer.example.key"
name="-CAfile $ca -servername outer.example"
label='^\[[0-2] 127\.0\.0\.1:[0-9]+\] '

# serve OPTION...
serve() {
    # shellcheck disable=SC2086 # words are meant
    start_server "server$tap_count" -line -accept 127.0.0.1:0 $pair "$@" ||
        exit 99
}

# visit: two layers, and a line in them
visit() {
    # shellcheck disable=SC2086 # words are meant
    timeout 30 "$client" -connect "$address" $name -layers 2 \
        -script 'hello;QUIT'
}

# ends CODE: the server does, with that status.
ends() {
    wait "$pid"
    [ $? -eq "$1" ]
}

# What is seen of each layer
# --------------------------

# shows PATTERN: in a line of each layer, and of one connection only
shows() {
    for shows_layer in 1 2; do
        grep -qE "^\[$shows_layer 127\.0\.0\.1:[0-9]+\] .*$1" "$log" || {
            echo "nothing like '$1' of layer $shows_layer"
            return 1
        }
    done
}
labelled() {
    ! grep -vE "$label|^ACCEPT " "$log"
}
watched() {
    serve -layers 2 "$1"
    shift
    visit
    watched_status=$?
    stop_background "$pid"
    for pattern; do
        shows "$pattern" || return 1
    done
    labelled && [ "$watched_status" -eq 0 ]
}
check '-msg: each message of each layer, by connection' \
    watched -msg '<<< ClientHello, [0-9]+ bytes' '>>> Finished'
check '-debug: the bytes below each layer' \
    watched -debug 'read 5 bytes' 'wrote [0-9]+ bytes'
state() {
    watched -state '-- layer [12]: handshake done' &&
        grep -qE '^\[1 .*-- layer 1: our close_notify is sent' "$log" &&
        grep -qE "$label  v \^  layer 1   server  " "$log"
}
check '-state: the layers, after each change' state
two_connections() {
    serve -layers 2 -state
    visit && visit
    stop_background "$pid"
    [ "$(sed -n 's/^\[[12] \(.*\)\] -- layer 1: started.*/\1/p' "$log" |
        sort -u | wc -l)" -eq 2 ]
}
check 'two connections are told apart' two_connections
if openssl s_client -help 2>&1 | grep -q -- -trace; then
    check '-trace: in words' watched -trace 'ClientHello, Length='
else
    skip '-trace: in words' 'OpenSSL was built without it'
fi
keys() {
    serve -layers 2 -keylogfile "$tmp/keys"
    # shellcheck disable=SC2086 # words are meant
    timeout 30 "$client" -connect "$address" $name -layers 2 \
        -keylogfile "$tmp/their.keys" -script 'hello;QUIT'
    stop_background "$pid"
    sort "$tmp/keys" >"$tmp/ours"
    sort "$tmp/their.keys" >"$tmp/theirs"
    [ "$(grep -c CLIENT_TRAFFIC_SECRET_0 "$tmp/keys")" -eq 2 ] &&
        same "$tmp/ours" "$tmp/theirs"
}
check '-keylogfile has the secrets that the client has' keys

# Signals
# -------

hangup() {
    serve "$@"
    kill -HUP "$pid"
    visit && kill -0 "$pid"
}
check 'SIGHUP ends nothing, without a log' hangup -layers 2
interrupted() {
    kill -INT "$pid"
    ends 0
}
# A shell lets what it has put in the background ignore SIGINT.
if have setsid && have env && env --default-signal=INT true 2>/dev/null; then
    server_was=$server
    cat >"$tmp/server" <<END
#!/bin/sh
exec env --default-signal=INT "$PWD/$server_was" "\$@"
END
    chmod +x "$tmp/server"
    stop_background "$pid"
    server=$tmp/server
    serve
    server=$server_was
    check 'SIGINT ends it well' interrupted
else
    stop_background "$pid"
    skip 'SIGINT ends it well' 'env cannot set signals'
fi

# A log that nobody reads
# -----------------------

# fill: until there is no room in it
fill() {
    dd if=/dev/zero of="$tmp/pipe" oflag=nonblock bs=4096 count=100 \
        conv=notrunc 2>/dev/null
    true
}
# The reader is there, and asleep; then it takes all.
drain() {
    timeout 1 cat "$tmp/pipe" | tr -d '\000' >"$tmp/drained"
    cat "$tmp/drained"
}
mkfifo "$tmp/pipe"
exec 4<>"$tmp/pipe"

blocked() {
    fill && visit && visit
}
told() {
    drain >/dev/null
    visit && drain &&
        grep -qE '^[-0-9]+T[0-9:]+Z lost lines=6$' "$tmp/drained" &&
        [ "$(grep -c ' conn=3 ' "$tmp/drained")" -eq 3 ]
}
serve -layers 2 -log "$tmp/pipe"
check 'a log that nobody reads stops no connection' blocked
check 'and its next reader learns how many lines were lost' told
stop_background "$pid"

# As above, but stderr itself is the pipe.
cat >"$tmp/server" <<END
#!/bin/sh
exec "$PWD/$server" "\$@" 2>"$tmp/pipe"
END
chmod +x "$tmp/server"
server_was=$server
server=$tmp/server
serve -layers 2 -log -
check '-log -: nor does a standard error that nobody reads' blocked
check 'and its next reader learns of it, too' told
stop_background "$pid"

# What is said of each connection that fails goes there.
serve -layers 2
server=$server_was
unheard() {
    fill
    for _ in 1 2; do
        echo 'no TLS' | timeout 5 "$client" -connect "$address" -quiet
    done
    visit
}
check 'nor without a log, when connections fail' unheard
stop_background "$pid"
exec 4>&-

no_reader() {
    serve_status=0
    # shellcheck disable=SC2086 # words are meant
    timeout 5 "$server" -line -accept 127.0.0.1:0 $pair -log "$tmp/pipe" \
        2>"$tmp/err" || serve_status=$?
    cat "$tmp/err"
    [ "$serve_status" -eq 1 ] && grep -q 'cannot open the log' "$tmp/err"
}
check 'a log that has no reader at the start is a mistake' no_reader

# Refused
# -------

# Who asks for the statistics is none of the -max_conns.
too_many() {
    "$python" -c 'import socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
held = [socket.create_connection((host, port)) for i in range(65)]
time.sleep(0.5)' "$(sed -n 's/^STATS //p' "$log")"
    wait_for 20 grep -q ' refused ' "$tmp/log"
    cat "$tmp/log"
    grep -qE ' refused peer=.* end="too many ask for -stats"$' "$tmp/log" &&
        ! grep -q max_conns "$tmp/log"
}
if python=$(python_with socket); then
    serve -layers 2 -stats 0 -log "$tmp/log"
    check 'too many who ask for -stats are refused as such' too_many
    stop_background "$pid"
else
    skip 'too many who ask for -stats are refused as such' 'no python3'
fi

done_testing
