#!/bin/sh
# tool_client.sh - onion_client as a whole: hops, the session and its commands,
# -json, -reconnect, -require_depth, and how it ends; with onion_server, openssl
# s_server and socat at the other end.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

ca=$certs/ca.pem
outer="-cert $certs/outer.example.pem -key $certs/outer.example.key"
middle="-cert $certs/middle.example.pem -key $certs/middle.example.key"
inner="-cert $certs/inner.example.pem -key $certs/inner.example.key"
all_layers="-layer $outer -layer $middle -layer $inner"
all_names='-layer -servername outer.example -layer -servername middle.example
    -layer -servername inner.example'

# start_openssl NAME ARGUMENT...: openssl s_server on a free port. Sets pid, log
# and address.
start_openssl() {
    log=$tmp/$1.log
    shift
    # shellcheck disable=SC2086 # words are meant
    background "$log" openssl s_server -accept 127.0.0.1:0 $outer "$@"
    wait_for 20 grep -q '^ACCEPT ' "$log" || {
        cat "$log" >&2
        return 1
    }
    address=$(sed -n 's/^ACCEPT //p' "$log" | head -n 1)
}

# run CODE ARGUMENT...: the client ends with that status; what it reads is in
# $tmp/in, what it writes in $tmp/out and $tmp/err.
: >"$tmp/in"
run() {
    run_code=$1
    shift
    timeout 60 "$client" "$@" <"$tmp/in" >"$tmp/out" 2>"$tmp/err"
    status=$?
    echo "stdout:"
    head -c 2000 "$tmp/out"
    echo "stderr:"
    tail -c 2000 "$tmp/err"
    echo "status $status, must be $run_code"
    [ "$status" -eq "$run_code" ]
}

# says PATTERN...: each is in $tmp/err.
says() {
    for says_pattern; do
        grep -qE -- "$says_pattern" "$tmp/err" || {
            echo "it does not say: $says_pattern"
            return 1
        }
    done
}

# out_is TEXT: the whole of what came out.
out_is() {
    printf '%b' "$1" | cmp - "$tmp/out"
}

# A session that is driven line by line
# -------------------------------------

# session ARGUMENT...: reads descriptor 3. Sets session.
session() {
    rm -f "$tmp/lines"
    mkfifo "$tmp/lines"
    # For reading too, or this would wait for a client that has ended already.
    exec 3<>"$tmp/lines"
    # Here and now, for type_lines counts what is in them.
    : >"$tmp/out"
    : >"$tmp/err"
    timeout 60 "$client" "$@" <"$tmp/lines" >"$tmp/out" 2>"$tmp/err" 3>&- &
    session=$!
    tap_pids="$tap_pids $session"
}

# type LINE... [= PATTERN]: types the lines, and waits for the pattern in what
# has come out since, or in what was said.
type_lines() {
    type_out=$(wc -c <"$tmp/out")
    type_err=$(wc -c <"$tmp/err")
    while [ $# -gt 0 ] && [ "$1" != = ]; do
        (printf '%s\n' "$1" >&3) 2>/dev/null
        shift
    done
    [ $# -eq 0 ] || wait_for 20 heard "$2" || {
        echo "waited for '$2' in vain"
        return 1
    }
}

heard() {
    { tail -c "+$((type_out + 1))" "$tmp/out"
      tail -c "+$((type_err + 1))" "$tmp/err"; } | grep -aqE -- "$1"
}

# session_ends CODE: after the end of the input.
session_ends() {
    exec 3>&-
    wait "$session"
    status=$?
    echo "status $status, must be $1; stdout:"
    cat "$tmp/out"
    echo "stderr:"
    cat "$tmp/err"
    [ "$status" -eq "$1" ]
}

# shellcheck disable=SC2086 # words are meant, in all that follows
{
# Hops
# ----

start_server line -line -accept 127.0.0.1:0 $all_layers || exit 99
line=$address
start_openssl old -rev -tls1_2 || exit 99
old=$address
start_openssl new -rev -tls1_3 || exit 99
new=$address

clear_text() {
    echo hello >"$tmp/in"
    run 0 -connect "$line" && out_is 'depth=0 hello\n' &&
        says "^\[0 $line\] " 'ended the connection'
}
check 'without a hop the connection is in clear text' clear_text

dest_https() {
    echo hello >"$tmp/in"
    run 0 -CAfile "$ca" -dest "https://$1" -servername outer.example &&
        out_is 'olleh\n' && says "^\[1 $1\] client, $2" \
        'verified for outer.example' "^onion_client: \[1 $1\] closed by both"
}
check 'a -dest is where TCP goes, with TLS 1.2' dest_https "$old" TLSv1.2
check 'a -dest is where TCP goes, with TLS 1.3' dest_https "$new" TLSv1.3

dest_tcp() {
    echo hello >"$tmp/in"
    run 0 -quiet -dest "tcp://$line" && out_is 'depth=0 hello\n'
}
check 'a -dest without TLS' dest_tcp

elsewhere() {
    echo hello >"$tmp/in"
    run 0 -CAfile "$ca" -connect "$new" -dest https://outer.example &&
        out_is 'olleh\n' && says "^\[0 $new\]" '^\[1 outer.example:443\] '
}
check '-connect is where TCP goes, and the -dest is who must be there' elsewhere

push_hop() {
    echo hello >"$tmp/in"
    run 0 -CAfile "$ca" -connect "$new" -push -servername outer.example &&
        out_is 'olleh\n'
}
check '-push starts TLS at once' push_hop

line_hops() {
    printf 'hello\nINFO\n' >"$tmp/in"
    run 0 -CAfile "$ca" -connect "$line" -line -servername outer.example \
        -line -servername middle.example -tls1_2 &&
        grep -q '^depth=2 hello$' "$tmp/out" &&
        grep -q '^depth=2 server/TLSv1.3/.*outer.* server/TLSv1.2/' "$tmp/out"
}
check '-line asks for its layer, with its options, and the verbs follow' \
    line_hops

line_quiet() {
    echo hello >"$tmp/in"
    run 0 -quiet -CAfile "$ca" -connect "$line" -line \
        -servername outer.example && out_is 'depth=1 hello\n'
}
check '-line and -quiet: a layer is asked for, and the rest is a pipe' line_quiet

start_server deep -line -accept 127.0.0.1:0 -layers 3 $all_layers || exit 99
deep=$address
deep_layers() {
    echo hello >"$tmp/in"
    run 0 -CAfile "$ca" -connect "$deep" "$@" && out_is 'depth=3 hello\n'
}
check '-layers 3 is three times -push with the options of the -layer' \
    deep_layers -layers 3 $all_names
check 'three times -push' deep_layers -push -servername outer.example \
    -push -servername middle.example -push -servername inner.example

family() {
    echo hello >"$tmp/in"
    run 0 -4 -quiet -connect "localhost:${line##*:}" &&
        out_is 'depth=0 hello\n' || return 1
    run 2 -6 -quiet -connect "127.0.0.1:${line##*:}" && says 'cannot find'
}
check '-4 and -6 choose the addresses' family

start_server p1 -proxy -proxy_allow '127.0.0.1:*' -accept 127.0.0.1:0 \
    $outer || exit 99
p1=$address
start_server p2 -proxy -proxy_allow '127.0.0.1:*' -accept 127.0.0.1:0 \
    $middle || exit 99
p2=$address
via="-CAfile $ca -via https://$p1 -servername outer.example
    -via https://$p2 -servername middle.example"

chain() {
    echo hello >"$tmp/in"
    run 0 -brief $via -dest "https://$new" -servername outer.example &&
        out_is 'olleh\n' && says "^\[1 $p1\] TLSv" "^\[2 $p2\] TLSv" \
        "^\[3 $new\] TLSv1.3" "^onion_client: \[3 $new\] closed by both"
}
check 'two HTTPS proxies, and a layer with the destination' chain

chain_clear() {
    echo hello >"$tmp/in"
    run 0 -quiet $via -dest "tcp://$line" -line -servername outer.example &&
        out_is 'depth=1 hello\n'
}
check 'two HTTPS proxies, and a layer that is asked for behind them' \
    chain_clear

chain_broken() {
    run 3 -CAfile "$ca" -via "https://$p1" -servername outer.example \
        -via "https://$p2" -servername outer.example -dest "tcp://$line" &&
        says "^onion_client: \[2 $p2\] certificate" &&
        [ "$(wc -l <"$tmp/err")" -eq 1 ] && [ ! -s "$tmp/out" ]
}
check 'the second proxy has a certificate for another name' chain_broken

chain_refused() {
    run 6 $via -dest https://127.0.0.2:1 && says "^onion_client: \[2 $p2\] " &&
        [ "$(wc -l <"$tmp/err")" -eq 1 ]
}
check 'the second proxy will not go there' chain_refused

# What is said
# ------------

brief() {
    : >"$tmp/in"
    run 0 -brief -CAfile "$ca" -connect "$deep" -layers 3 $all_names &&
        [ "$(grep -c "^\[[123] $deep\] TLSv1.3, .* new session, verified" \
            "$tmp/err")" -eq 3 ] && [ "$(wc -l <"$tmp/err")" -eq 4 ]
}
check '-brief: a line for each layer, and the last one' brief

quiet() {
    printf 'Q\nK\nQUIT\n' >"$tmp/in"
    run 0 -quiet -CAfile "$ca" -connect "$deep" -layers 3 $all_names &&
        out_is 'depth=3 Q\ndepth=3 K\nBYE depth=3\n' && [ ! -s "$tmp/err" ]
}
check '-quiet: no word but those of the peer, and no commands' quiet

no_commands() {
    printf 'Q\nS\n' >"$tmp/in"
    run 0 "$@" -connect "$line" && out_is 'depth=0 Q\ndepth=0 S\n'
}
check '-nocommands: a letter is text' no_commands -nocommands

whole_words() {
    printf 'QUESTION\nK9\n  Q\nS \n' >"$tmp/in"
    run 0 -connect "$line" &&
        out_is 'depth=0 QUESTION\ndepth=0 K9\ndepth=0   Q\ndepth=0 S \n'
}
check 'a command is a letter alone in its line' whole_words

last_line() {
    printf 'hello\nQ' >"$tmp/in"
    run 0 -connect "$line" && ! grep -q 'Q' "$tmp/out"
}
check 'a command may be the last line, without a newline' last_line

showcerts() {
    run 0 -showcerts -CAfile "$ca" -connect "$deep" -layers 3 $all_names &&
        sed -n '/BEGIN/,/END/p' "$tmp/err" >"$tmp/shown.pem" &&
        openssl x509 -in "$tmp/shown.pem" -noout -subject >"$tmp/subject" &&
        grep outer.example "$tmp/subject"
}
check '-showcerts shows the certificates of each layer' showcerts

state() {
    : >"$tmp/in"
    run 0 -state -CAfile "$ca" -connect "$new" -push \
        -servername outer.example &&
        says '^-- layer 1: handshake done' && out_is ''
}
check '-state draws the chain' state

# Commands
# --------

commands_of_layers() {
    session -CAfile "$ca" -connect "$line" $all_names || return 1
    type_lines STARTTLS = '^OK' && type_lines L = "^\[1 $line\] TLSv1.3" &&
        type_lines hello = 'depth=1 hello' && type_lines STARTTLS = '^OK' &&
        type_lines L = "^\[2 $line\] TLSv1.3" &&
        type_lines INFO = 'depth=2 .*outer.example .*middle.example' &&
        type_lines S = "^\[2 $line\] read .*open both ways" &&
        type_lines C = "\[2 $line\] closed by both sides" &&
        type_lines hello = 'depth=1 hello' &&
        type_lines 'STOPTLS!' = '^OK' && type_lines D = "\[1 $line\] dropped" &&
        type_lines hello = 'depth=0 hello' && type_lines D = 'no layer' &&
        type_lines C = 'no layer' && type_lines K = 'no layer' &&
        type_lines '?' = '^Q  ' && type_lines Q
    session_status=$?
    session_ends 0 && [ "$session_status" -eq 0 ]
}
check 'L, C, D: layers are started, closed and dropped by letters' \
    commands_of_layers

# The answer to K comes with what the peer says next.
key_updates() {
    session -msg -CAfile "$ca" -connect "$new" -push -servername outer.example ||
        return 1
    type_lines hello = olleh && type_lines k = '>>> KeyUpdate' &&
        type_lines hello = olleh && ! heard '<<< KeyUpdate' &&
        type_lines K hello = '<<< KeyUpdate' && type_lines hello = olleh &&
        type_lines Q
    session_status=$?
    session_ends 0 && [ "$session_status" -eq 0 ]
}
check 'k updates our keys, K those of the peer too' key_updates

no_key_update() {
    printf 'K\nhello\n' >"$tmp/in"
    run 0 -CAfile "$ca" -connect "$old" -push -servername outer.example &&
        says "\[1 $old\] key updates are of TLS 1.3" && out_is 'olleh\n'
}
check 'K is refused in TLS 1.2, and the session goes on' no_key_update

# The numbers of S: what is inside the layer, and the records around it.
counts() {
    session -CAfile "$ca" -connect "$deep" -layers 3 $all_names || return 1
    type_lines hello = 'depth=3 hello' &&
        type_lines S = "\[3 $deep\] read 14 bytes \([0-9]+ records\), wrote 6"
    session_status=$?
    session_ends 0 && [ "$session_status" -eq 0 ]
}
check 'S counts bytes each way' counts

drop_drawn() {
    session -state -CAfile "$ca" -connect "$line" $all_names || return 1
    type_lines STARTTLS = '^OK' && type_lines L = "^\[1 $line\] TLSv1.3" &&
        type_lines 'STOPTLS!' = '^OK' &&
        type_lines D = '^-- layer 1: dropped, with no close_notify'
    session_status=$?
    session_ends 0 && [ "$session_status" -eq 0 ]
}
check 'D with -state draws what is left' drop_drawn

# -crlf, -ign_eof, half-close
# ---------------------------

# sink NAME: socat writes what it gets to $tmp/NAME.got. Sets address.
sink() {
    start_server "port-$1" -line -accept 127.0.0.1:0 || exit 99
    stop_background "$pid"
    background "$tmp/sink-$1" socat -u -d -d \
        "TCP-LISTEN:${address##*:},bind=127.0.0.1,reuseaddr" \
        "CREATE:$tmp/$1.got"
    wait_for 20 grep -q listening "$tmp/sink-$1"
}

crlf() {
    sink crlf
    printf 'a\nb\r\n\nc' >"$tmp/in"
    run 0 -crlf -connect "$address" && wait "$pid" &&
        printf 'a\r\nb\r\n\r\nc' | cmp - "$tmp/crlf.got"
}
if have socat; then
    check '-crlf: each newline becomes CR LF, once' crlf
else
    skip '-crlf: each newline becomes CR LF, once' 'no socat'
fi

start_openssl www -www || exit 99
www=$address
page() {
    printf 'GET / HTTP/1.0\r\n\r\n' >"$tmp/in"
    run 0 "$@" -CAfile "$ca" -dest "https://$www" -servername outer.example &&
        head -n 1 "$tmp/out" | grep -q '200 ok' &&
        tail -n 2 "$tmp/out" | grep -qi '</html>'
}
check 'at the end of the input our side is closed, and the reply still read' \
    page
check 'the same with -quiet' page -quiet
check '-ign_eof: the peer closes' page -ign_eof

# pipe SIZE: so many bytes through three layers and back.
pipe_through() {
    head -c "$1" /dev/urandom >"$tmp/in"
    printf 'Q\nQ\n' >>"$tmp/in"
    run 0 -quiet -CAfile "$ca" -connect "$echo_server" -layers 3 $all_names &&
        cmp "$tmp/in" "$tmp/out"
}
name='-quiet: 5 MB both ways through three layers, and the half-close'
if start_server echo -echo -accept 127.0.0.1:0 -layers 3 $all_layers \
    2>"$tmp/no-echo"; then
    echo_server=$address
    check "$name" pipe_through 5000000
    stop_background "$pid"
else
    skip "$name" 'onion_server has no -echo'
fi

# meet LINE...: test/hop_peer plays the lines. Sets pid and address.
meet() {
    printf '%s\n' "$@" >"$tmp/play"
    background "$tmp/peer.log" test/hop_peer -cert "$certs/outer.example.pem" \
        -key "$certs/outer.example.key" "$tmp/play"
    wait_for 20 grep -q '^ACCEPT ' "$tmp/peer.log" || return 1
    address=$(sed -n 's/^ACCEPT //p' "$tmp/peer.log")
}

# The end is passed on; what is written after it reaches nobody.
pipe_to_nobody() {
    meet '> bye\n' && session -quiet -connect "$address" || return 1
    wait "$pid"
    wait_for 20 grep -q bye "$tmp/out"
    for _ in 1 2 3; do
        type_lines hello
        sleep 0.1
    done
    wait_for 20 grep -q '^onion_client' "$tmp/err"
    session_ends 2 && says "^onion_client: \[0 $address\] the peer took no more"
}
check '-quiet: a peer that has gone away ends the pipe' pipe_to_nobody

# At a terminal
# -------------

# at_terminal CODE ARGUMENT...: as run(), but $tmp/out is of a terminal, from
# which $tmp/in comes.
at_terminal() {
    run_code=$1
    shift
    script -qec "timeout --foreground 20 $client $* 2>$tmp/err" /dev/null \
        <"$tmp/in" >"$tmp/out"
    status=$?
    echo "status $status, must be $run_code; terminal:"
    head -c 2000 "$tmp/out" | cat -v
    echo "stderr:"
    head -c 2000 "$tmp/err"
    [ "$status" -eq "$run_code" ]
}

# An OK that comes from outside the layer in which it was asked for.
lower_ok() {
    meet tls '< STARTTLS\n' stop '> OK\n' tls echo || return 1
    at_terminal 5 -CAfile "$ca" -connect "$address" -push -servername \
        outer.example "$@" || return 1
    stop_background "$pid"
    says "^onion_client: \[[01] $address\] the peer broke the protocol: $lower_why"
}

# A terminal gets no control of 7 bits, 8 bits or UTF-8, but other scripts.
controls() {
    meet '> a\x1b[2Jb\x9bc\xc2\x9bd\xe2\x80\x9be\xc4\x9b\x85f\n' &&
        at_terminal 0 -connect "$address" || return 1
    grep -qF "$(printf 'a\\x1b[2Jb\\x9bc\302\\x9bd\342\200\233e\304\233\\x85f')" \
        "$tmp/out"
}
: >"$tmp/in"
if have script && script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    lower_why='it closed the layer where'
    check '-line: an OK from a lower layer starts no layer there' lower_ok -line
    echo STARTTLS >"$tmp/in"
    lower_why='a reply outside the layer of its question'
    check 'STARTTLS: an OK from a lower layer starts no layer there' \
        lower_ok -verbs
    : >"$tmp/in"
    check 'what could command a terminal is shown as what it is' controls
else
    skip 'what is different at a terminal' 'no script that makes one'
fi

# -require_depth
# --------------

peer_closes() {
    session "$@" -CAfile "$ca" -connect "$line" $all_names || return 1
    type_lines STARTTLS = '^OK' && type_lines L = "^\[1 $line\]" &&
        type_lines STARTTLS = '^OK' && type_lines L = "^\[2 $line\]" &&
        type_lines STOPTLS = "\[2 $line\] closed by the peer; going on" &&
        type_lines hello = 'depth=1 hello'
    session_status=$?
    session_ends 0 && [ "$session_status" -eq 0 ]
}
check 'layers that were not asked for by hops may be closed by the peer' \
    peer_closes

start_server shallow -line -accept 127.0.0.1:0 -layers 2 $all_layers || exit 99
shallow=$address
below() {
    cp "$log" "$tmp/before"
    session "$@" -CAfile "$ca" -connect "$shallow" -layers 2 $all_names ||
        return 1
    type_lines hello = 'depth=2 hello' && type_lines STOPTLS = '^OK' &&
        wait_for 20 grep -q '^onion_client:' "$tmp/err"
    type_lines SECRET
    session_ends 7 && says "^onion_client: \[2 $shallow\] closed by the peer, \
but it had to stay; nothing more is sent" &&
        ! grep -q SECRET "$tmp/out"
}
check 'a close by the peer of a layer of a hop ends the session with 7' below
check 'the same with -require_depth 2' below -require_depth 2
check 'the same with -quiet' below -quiet

above() {
    session "$@" -require_depth 1 -CAfile "$ca" -connect "$shallow" -layers 2 \
        $all_names || return 1
    type_lines STOPTLS = '^OK' && type_lines hello = 'depth=1 hello' &&
        type_lines STOPTLS = '^OK' &&
        wait_for 20 grep -q '^onion_client: .*require' "$tmp/err"
    session_ends 7 && says "\[2 $shallow\] closed by the peer; going on" \
        "^onion_client: \[1 $shallow\] .*closed"
}
check '-require_depth 1: the second layer may go, the first may not' above

own_close() {
    session -CAfile "$ca" -connect "$shallow" -layers 2 $all_names || return 1
    type_lines C = "\[2 $shallow\] closed by both" &&
        type_lines hello = 'depth=1 hello'
    session_status=$?
    session_ends 0 && [ "$session_status" -eq 0 ]
}
check 'what is closed by C need not stay' own_close

# -json
# -----

# json CODE PYTHON ARGUMENT...: the object is valid, and the expression true of
# it, which is called o.
json() {
    json_true=$2
    json_code=$1
    shift 2
    run "$json_code" -json "$@" || return 1
    "$python" -c "import json, sys
o = json.load(sys.stdin)
sys.exit(0 if ($json_true) else 1)" <"$tmp/out"
}

echo hello >"$tmp/in"
if python=$(python_with json); then
    check '-json: each layer, in full' json 0 "o['exit'] == 0 and \
        o['error'] is None and o['failed_layer'] is None and \
        o['depth'] == 3 and o['required_depth'] == 3 and \
        o['connected_to'] == '$deep' and \
        [l['layer'] for l in o['layers']] == [1, 2, 3] and \
        [l['servername'] for l in o['layers']] == ['outer.example', \
        'middle.example', 'inner.example'] and \
        all(l['verified'] and l['version'] == 'TLSv1.3' and \
        l['role'] == 'client' and not l['resumed'] and l['alpn'] is None and \
        l['certificate']['subject'] == '/CN=' + l['verified_name'] and \
        l['records_read'] > 0 for l in o['layers']) and \
        o['layers'][2]['bytes_read'] == 14 and \
        o['layers'][2]['bytes_written'] == 6" \
        -CAfile "$ca" -connect "$deep" -layers 3 $all_names
    check '-json: the layer that failed, and how' json 3 \
        "o['exit'] == 3 and o['failed_layer'] == 2 and o['depth'] == 1 and \
        '[2 $deep] ' in o['error'] and 'certificate' in o['error'] and \
        not o['layers'][1]['handshake']" \
        -CAfile "$ca" -connect "$deep" -layers 2 -servername outer.example
    check '-json: a connection that is refused' json 2 \
        "o['exit'] == 2 and o['layers'] == [] and 'refused' in o['error']" \
        -connect 127.0.0.1:1
    check '-json: a file that is not there' json 1 \
        "o['exit'] == 1 and 'nowhere' in o['error']" \
        -CAfile "$certs/nowhere.pem" -connect 127.0.0.1:1
    make_cert "$certs" ca 'odd"\name' ec 2>/dev/null
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -utf8 -days 30 -subj "/CN=quote\" backslash\\\\ $(printf 'h\303\251')" \
        -keyout "$certs/odd.key" -out "$certs/odd.pem" 2>/dev/null
    start_server odd -line -accept 127.0.0.1:0 -layers 1 \
        -cert "$certs/odd.pem" -key "$certs/odd.key" || exit 99
    check '-json: names with quotes, backslashes and other scripts' json 0 \
        "'quote' in o['layers'][0]['certificate']['subject'] and \
        not o['layers'][0]['verified'] and o['layers'][0]['verify_error']" \
        -connect "$address" -push -insecure
    stop_background "$pid"
    check '-reconnect resumes the sessions of all layers' json 0 \
        "all(l['resumed'] and l['verified'] for l in o['layers']) and \
        o['depth'] == 3" \
        -reconnect -CAfile "$ca" -connect "$deep" -layers 3 $all_names
    check '-reconnect with TLS 1.2' json 0 \
        "all(l['resumed'] for l in o['layers']) and o['depth'] == 3" \
        -reconnect -tls1_2 -CAfile "$ca" -connect "$deep" -layers 3 $all_names
else
    skip '-json: each layer, in full' 'no python3'
fi

six_times() {
    : >"$tmp/in"
    run 0 -reconnect -brief -CAfile "$ca" -connect "$new" -push \
        -servername outer.example &&
        [ "$(grep -c "^\[1 $new\] .*new session" "$tmp/err")" -eq 1 ] &&
        [ "$(grep -c "^\[1 $new\] .*resumed session" "$tmp/err")" -eq 5 ]
}
check '-reconnect connects five times more' six_times

# shared COUNT OPTION...: three layers with the options of all, and so many of them
# are resumed.
shared() {
    shared_resumed=$1
    shift
    : >"$tmp/in"
    run 0 -brief -insecure -connect "$deep" -layers 3 "$@" &&
        [ "$(grep -cE "^\[[123] $deep\] .*resumed session" "$tmp/err")" -eq \
            "$shared_resumed" ]
}
check '-reconnect resumes each layer of a group that several share' \
    shared 15 -reconnect
check '-sess_out has the sessions of all of them' \
    shared 0 -sess_out "$tmp/shared"
check 'and -sess_in resumes all' shared 3 -sess_in "$tmp/shared"
file_with_less() {
    openssl sess_id -in "$tmp/shared" -out "$tmp/shared.1" &&
        shared 1 -sess_in "$tmp/shared.1" && ! says 'not offered'
}
check 'or those that are there' file_with_less
torn() {
    head -c -100 "$tmp/shared" >"$tmp/torn"
    run 1 -insecure -connect "$deep" -layers 3 -sess_in "$tmp/torn" &&
        says 'torn: what follows the first session is none'
}
check 'a file that is torn is a mistake' torn

# Ends
# ----

failed_name() {
    run 3 -CAfile "$ca" -connect "$deep" -layers 3 -layer -servername \
        outer.example -layer -servername elsewhere.example &&
        says "^onion_client: \[2 $deep\] .*certificate" &&
        [ "$(wc -l <"$tmp/err")" -eq 1 ]
}
check 'a certificate for another name, in its layer' failed_name

killed() {
    start_server doomed -line -accept 127.0.0.1:0 -layers 2 $all_layers ||
        return 1
    doomed=$pid
    session -CAfile "$ca" -connect "$address" -layers 2 $all_names || return 1
    type_lines hello = 'depth=2 hello'
    kill -9 "$doomed"
    wait "$doomed" 2>/dev/null
    wait_for 20 grep -q '^onion_client:' "$tmp/err"
    session_ends 4 &&
        says "^onion_client: \[[12] $address\] .*(truncated|without)"
}
check 'a peer that is killed truncates its layers' killed

out_of_time() {
    sink mute
    started=$(date +%s)
    run 2 -timeout 1 -CAfile "$ca" -connect "$address" -push -servername \
        outer.example && says "^onion_client: \[1 $address\] handshake: .*1 s" &&
        [ $(($(date +%s) - started)) -lt 10 ]
}
path() {
    start_server "port-path" -line -accept 127.0.0.1:0 || return 1
    background "$tmp/path" socat -d -d "UNIX-LISTEN:$tmp/socket" \
        "TCP:$address"
    wait_for 20 grep -q listening "$tmp/path"
    echo hello >"$tmp/in"
    run 0 -unix "$tmp/socket" && out_is 'depth=0 hello\n' &&
        says "^\[0 $tmp/socket\]"
}
if have socat; then
    : >"$tmp/in"
    check 'a handshake in which the peer says nothing' out_of_time
    check '-unix: a socket of the file system' path
else
    skip 'a handshake in which the peer says nothing' 'no socat'
    skip '-unix: a socket of the file system' 'no socat'
fi
}

done_testing
