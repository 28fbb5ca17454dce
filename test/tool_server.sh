#!/bin/sh
# tool_server.sh - each mode of onion_server, its limits, its log and its
# statistics, with clients and targets that know nothing of this library.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

python=$(python_with ssl) ||
    skip_all 'no python3 for peers with TLS within TLS'

CAFILE=$certs/ca.pem
export CAFILE
outer="-layer -cert $certs/outer.example.pem -key $certs/outer.example.key"
middle="-layer -cert $certs/middle.example.pem -key $certs/middle.example.key"
inner="-layer -cert $certs/inner.example.pem -key $certs/inner.example.key"

nested() {
    timeout 300 "$python" "$srcdir/test/nested.py" "$@"
}

# serve NAME ARGUMENT...: sets address, port, log and pid, and stats, if it was
# asked for.
serve() {
    serve_name=$1
    shift
    start_server "$serve_name" -accept 127.0.0.1:0 "$@" || exit 99
    port=${address##*:}
    stats=$(sed -n 's/^STATS //p' "$log")
}

# held TEXT STEP...: a client that sends the text, as a format, and is held open
# until the server ends the connection. Sets client_pid, if it is not waited for.
held() {
    rm -f "$tmp/held"
    mkfifo "$tmp/held"
    # shellcheck disable=SC2059
    { printf "$1" && exec sleep 200; } >"$tmp/held" &
    holder=$!
    shift
    nested client "$address" "$@" <"$tmp/held" >"$tmp/back" 2>"$tmp/err"
    held_status=$?
    kill "$holder" 2>/dev/null
    cat "$tmp/back" "$tmp/err"
    return "$held_status"
}

# target KIND: sets target, target_log and target_pid.
target() {
    target_log=$tmp/target-$1
    background "$target_log" "$python" "$srcdir/test/nested.py" target "$1"
    target_pid=$pid
    wait_for 20 grep -q '^PORT ' "$target_log" || exit 99
    target=127.0.0.1:$(sed -n 's/^PORT //p' "$target_log")
}

# says PATTERN FILE
says() {
    grep -E -- "$1" "$2" || {
        cat "$2"
        return 1
    }
}

# counts NAME VALUE: a line of the statistics.
counts() {
    curl -s "http://$stats/metrics" >"$tmp/metrics" &&
        grep "^onion_" "$tmp/metrics" | grep -F "onion_$1 " &&
        grep -qxF "onion_$1 $2" "$tmp/metrics"
}

head -c 3000000 /dev/urandom >"$tmp/big"

# Under the sanitizers, less.
crowd=2000
modes='-line|-www|-forward 127.0.0.1:1|-proxy -proxy_allow *:*'
case ${ONION_QUICK:-no} in
yes)
    crowd=500
    modes='-line|-proxy -proxy_allow *:*'
    ;;
esac

# -echo
# -----

# echoes STEP...
echoes() {
    nested client "$address" "$@" <"$tmp/big" >"$tmp/back" && same "$tmp/big" "$tmp/back"
}

# shellcheck disable=SC2086 # words are meant, in all that follows
{
    serve echo0 -echo
    check '-echo in the clear' echoes
    stop_background "$pid"
    serve echo1 -echo $outer
    check '-echo in one layer, the default for one -layer' \
        echoes tls=outer.example
    came_back() {
        grep -q hello "$tmp/back"
    }
    s_client_echo() {
        : >"$tmp/back"
        { printf 'hello\n' && wait_for 20 came_back; } | timeout 60 openssl s_client \
            -connect "$address" -CAfile "$CAFILE" -servername outer.example \
            -verify_return_error >"$tmp/back" 2>"$tmp/err"
        says hello "$tmp/back"
    }
    check '-echo to openssl s_client' s_client_echo
    stop_background "$pid"
    serve echo2 -echo $outer $inner
    check '-echo in two layers' echoes tls=outer.example tls=inner.example
    stop_background "$pid"
    serve echo3 -echo $outer $middle $inner
    check '-echo in three layers' \
        echoes tls=outer.example tls=middle.example tls=inner.example
    stop_background "$pid"
}

# -forward
# --------

# shellcheck disable=SC2086
{
    serve end -echo
    end_pid=$pid
    serve hop3 -forward "$address" $inner
    hop3=$pid
    serve hop2 -forward "$address" $middle
    hop2=$pid
    serve hop1 -forward "$address" $outer -log "$tmp/hop1.log"
    hop1=$pid
    check 'three servers with -forward are a route of three layers' \
        echoes tls=outer.example tls=middle.example tls=inner.example
    check 'none of them had anything to complain of' \
        eval "[ \$(cat '$tmp'/hop?.log | grep -c '^onion_server:') -eq 0 ]"
    # The innermost layer is no layer of the first server's.
    wrong_way() {
        ! nested client "$address" tls=inner.example </dev/null
    }
    check 'a route is taken in its order only' wrong_way
    stop_background "$hop1"
    stop_background "$hop2"
    stop_background "$hop3"
    stop_background "$end_pid"

    target at-eof
    serve half -forward "$target" $outer $inner
    half_close() {
        nested client "$address" tls=outer.example tls=inner.example \
            <"$tmp/big" >"$tmp/back"
        says '^3000000 bytes$' "$tmp/back"
    }
    check 'the end of what a client sends is passed on, and the answer comes back' \
        half_close
    stop_background "$target_pid"
    stop_background "$pid"

    target reset
    serve reset -forward "$target" $outer
    cut_short() {
        held '' tls=outer.example
        [ "$held_status" -ne 0 ] && says 'half of' "$tmp/back" &&
            says truncated "$tmp/err"
    }
    check 'a target that resets is a truncation for the client' cut_short
    stop_background "$target_pid"
    stop_background "$pid"

    # More than the server and the kernel hold.
    head -c 20000000 /dev/zero >"$tmp/much"
    target breaks
    serve breaks -forward "$target" $outer
    broken_off() {
        ! nested client "$address" tls=outer.example <"$tmp/much" \
            >"$tmp/back" 2>"$tmp/err" && says 'half of' "$tmp/back"
    }
    check 'the same, where the server finds out when it sends' broken_off
    stop_background "$target_pid"
    stop_background "$pid"

    target hears
    serve hears -forward "$target" $outer
    # About as much: the client's end waits behind what is still to be sent.
    heard() {
        for i in 4200000 5000000; do
            head -c "$i" "$tmp/much" |
                nested client "$address" tls=outer.example upload &&
                wait_for 20 says "^$i bytes\$" "$target_log" || return 1
        done
    }
    check 'what a client has sent arrives, whoever has ended' heard
    stop_background "$target_pid"
    stop_background "$pid"

    target watch
    serve watch -forward "$target" $outer
    check 'an end in the innermost layer is an end for the target' eval \
        "nested client $address tls=outer.example </dev/null &&
        wait_for 20 says '^end$' '$target_log'"
    check 'a client that is cut off is a reset for the target' eval \
        "nested client $address tls=outer.example abort &&
        wait_for 20 says '^reset$' '$target_log'"
    stop_background "$target_pid"
    stop_background "$pid"

    target deaf
    serve deaf -forward "$target" -timeout 2 $outer -log "$tmp/deaf.log"
    peak() {
        sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"
    }
    peak=$(peak 2>/dev/null)
    # 200 MB; what the server and the kernel hold is far less.
    too_much() {
        head -c 200000000 /dev/zero |
            nested client "$address" tls=outer.example >"$tmp/back" 2>&1
        echo "from $peak to $(peak) KiB"
        says 'stalled for 2 s' "$tmp/deaf.log" &&
            [ "$(peak)" -lt $((peak + 20000)) ]
    }
    if [ -n "$peak" ]; then
        check 'a target that takes nothing stops the client, and fills no memory' \
            too_much
    else
        skip 'a target that takes nothing fills no memory' 'no /proc'
    fi
    stop_background "$target_pid"
    stop_background "$pid"
}

# With curl
# ---------

have curl || {
    skip '-www, -proxy and -stats' 'no curl'
    done_testing
}

# visit ARGUMENT...: of curl, to the server as outer.example.
visit() {
    curl -sS -m 20 --cacert "$CAFILE" \
        --resolve "outer.example:$port:127.0.0.1" "$@"
}

# status URL ARGUMENT...: what curl was answered with.
status() {
    visit -o "$tmp/page" -w '%{http_code} %{num_connects}\n' "$@"
}

# answers STATUS ARGUMENT...
answers() {
    answers_status=$1
    shift
    status "$@" >"$tmp/status" 2>&1
    cat "$tmp/status" "$tmp/page"
    grep -q "^$answers_status " "$tmp/status"
}

# raw TEXT: sent as it is, in the outer layer; the answer is in $tmp/back.
raw() {
    # shellcheck disable=SC2059 # it is a format
    printf "$1" | nested client "$address" tls=outer.example >"$tmp/back"
    cat "$tmp/back"
}

# refuses_raw STATUS TEXT
refuses_raw() {
    raw "$2" >/dev/null
    cat "$tmp/back"
    [ "$(grep -c '^HTTP/1.1 ' "$tmp/back")" -eq 1 ] &&
        grep -q "^HTTP/1.1 $1 " "$tmp/back"
}

# shellcheck disable=SC2086
{
    serve www -www $outer -verify 5 -CAfile "$CAFILE"
    url=https://outer.example:$port/
    check '-www: a page for curl' answers 200 "$url"
    check 'it shows version, cipher and name of the layer' says \
        '^layer 1: server TLSv1.[23] [A-Z0-9_-]+, name outer.example, alpn [^,]*, client certificate -, resumed no, early data none$' "$tmp/page"
    check 'it shows the certificate of the client' eval \
        "answers 200 $url --cert $certs/inner.example.pem \
            --key $certs/inner.example.key &&
        says 'client certificate CN=inner.example,' $tmp/page"
    check 'a second request comes on the same connection' eval \
        "[ \"\$(visit -o $tmp/page -o $tmp/page -w '%{http_code} %{num_connects};' $url $url)\" = '200 1;200 0;' ]"
    check 'HEAD has the length of the page, and no page' eval \
        "visit -I $url >$tmp/head && says '^Content-Length: [1-9]' $tmp/head &&
        ! grep -q layer $tmp/head"
    check 'another page is not found' answers 404 "${url}other"
    check 'POST is not allowed' answers 405 "$url" -d x=y
    check 'two requests in one segment have two answers' eval \
        "raw 'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' &&
        [ \$(grep -c '^layer 1:' $tmp/back) -eq 2 ]"
    check 'HTTP/1.0 has its end' eval "raw 'GET / HTTP/1.0\r\n\r\n' &&
        says '^Connection: close' $tmp/back && says '^layer 1:' $tmp/back"

    check 'a request without Host is refused' \
        refuses_raw 400 'GET / HTTP/1.1\r\n\r\n'
    check 'a request with two is refused' \
        refuses_raw 400 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
    check 'a request without a version is refused' refuses_raw 400 'GET /\r\n'
    check 'HTTP/2 is refused' refuses_raw 505 'PRI * HTTP/2.0\r\n\r\n'
    check 'a NUL is refused' \
        refuses_raw 400 'GET / HTTP/1.1\r\nHost: a\000b\r\n\r\n'
    check 'a name with a space behind it is refused' \
        refuses_raw 400 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'
    check 'a folded field is refused' \
        refuses_raw 400 'GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n'
    check 'a length that is none is refused' \
        refuses_raw 400 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n'
    check 'what follows a body is no request' eval "refuses_raw 405 \
        'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 37\r\n\r\nGET / HTTP/1.1\r\nHost: smuggled\r\n\r\n'"
    long=$(head -c 9000 /dev/zero | tr '\0' x)
    check 'a long target is refused' refuses_raw 414 "GET /$long HTTP/1.1\r\n"
    check 'a long field is refused' \
        refuses_raw 431 "GET / HTTP/1.1\r\nHost: $long\r\n\r\n"
    many=$(printf 'X: y\\r\\n%.0s' $(seq 101))
    check 'many fields are refused' \
        refuses_raw 431 "GET / HTTP/1.1\r\nHost: a\r\n$many\r\n"
    stop_background "$pid"

    serve slow -www -stats 0 -timeout 3 $outer
    check 'half a request is answered with 408 after -timeout' eval \
        "held 'GET / HTTP/1.1\r\nHos' tls=outer.example;
        says '^HTTP/1.1 408' $tmp/back"
    check 'no request is no reason for an answer' eval \
        "held '' tls=outer.example && [ ! -s $tmp/back ]"
    check 'and both were counted' counts 'timeouts_total{kind="stall"}' 2
    check 'the handshake that never comes was cut off' eval \
        "held ''; counts 'timeouts_total{kind=\"handshake\"}' 1"
    check 'the statistics are at /metrics only' eval \
        "[ \"\$(curl -s -o /dev/null -w '%{http_code}' http://$stats/)\" = 404 ]"
    stop_background "$pid"
    for i in 0 :0; do
        serve quiet -www -stats "$i" $outer
        check "-stats $i is for this machine only" eval \
            "[ \"\$(grep STATS $log)\" = STATS\ $stats ] &&
            says '^STATS 127.0.0.1:' $log"
        stop_background "$pid"
    done
}

# -proxy
# ------

# through ARGUMENT...: curl through the proxy at $address.
through() {
    answers "$@" --proxy "https://outer.example:$port" \
        --proxy-cacert "$CAFILE"
}

# refuses_connect CODE: curl says what its CONNECT was answered with.
refuses_connect() {
    connect_code=$1
    shift
    visit "$@" --proxy "https://outer.example:$port" \
        --proxy-cacert "$CAFILE" -o /dev/null -w '%{http_connect}\n' \
        >"$tmp/status" 2>"$tmp/err"
    cat "$tmp/status" "$tmp/err"
    grep -qx "$connect_code" "$tmp/status"
}

# shellcheck disable=SC2086
{
    serve origin -www $inner
    origin_port=$port origin_pid=$pid
    serve other -www $inner
    other_port=$port other_pid=$pid
    serve proxy -proxy -proxy_allow "127.0.0.1:$origin_port" \
        -proxy_allow "*:$other_port" -proxy_allow '127.0.0.1:1' \
        -proxy_allow 'nowhere.invalid:*' $outer
    page=https://inner.example:$origin_port/
    to="--connect-to inner.example:$origin_port:127.0.0.1:$origin_port"
    check '-proxy: curl --proxy https:// reaches an origin' \
        through 200 $page $to
    check 'the origin has a layer of its own' \
        says '^layer 1: .* name inner.example' "$tmp/page"
    check 'an allowed port, of any host; a name is looked up' through 200 \
        "https://inner.example:$other_port/" \
        --connect-to "inner.example:$other_port:localhost:$other_port"
    check 'another host is not allowed' refuses_connect 403 $page \
        --connect-to "inner.example:$origin_port:localhost:$origin_port"
    check 'another port is not allowed' \
        refuses_connect 403 https://127.0.0.1:2/
    check 'a target that refuses: 502' refuses_connect 502 https://127.0.0.1:1/
    check 'a name that there is not: 502' \
        refuses_connect 502 https://nowhere.invalid/
    check 'what is no CONNECT is not proxied' eval \
        "through 405 http://127.0.0.1:$origin_port/"
    check 'a target that is none is refused' refuses_raw 400 \
        'CONNECT nowhere HTTP/1.1\r\nHost: nowhere\r\n\r\n'
    check 'a port that is none is refused' refuses_raw 400 \
        'CONNECT 127.0.0.1:65536 HTTP/1.1\r\nHost: a\r\n\r\n'
    check 'a port with a zero before it, a dot behind a name: not allowed' eval \
        "refuses_raw 403 'CONNECT 127.0.0.1:0$origin_port HTTP/1.1\r\nHost: a\r\n\r\n' &&
        refuses_raw 403 'CONNECT nowhere.invalid.:1 HTTP/1.1\r\nHost: a\r\n\r\n'"
    check 'a bare CR in a CONNECT is refused' refuses_raw 400 \
        'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\rX: y\r\n\r\n'
    check 'a CONNECT with a body is refused' refuses_raw 400 \
        "CONNECT 127.0.0.1:$origin_port HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    check 'the target of a CONNECT has a layer within the one of the proxy' eval \
        "printf 'GET / HTTP/1.0\r\n\r\n' | nested client $address \
            tls=outer.example connect=127.0.0.1:$origin_port \
            tls=inner.example >$tmp/back && says '^layer 1' $tmp/back"
    stop_background "$pid"

    target full
    serve late -proxy -proxy_allow "$target" -timeout 2 $outer
    check 'a target that does not answer: 504' \
        refuses_connect 504 "https://$target/"
    stop_background "$target_pid"
    stop_background "$pid"

    target at-eof
    serve early -proxy -proxy_allow "$target" $outer
    check 'what comes in one segment with a CONNECT is for the target' eval \
        "raw 'CONNECT $target HTTP/1.1\r\nHost: a\r\n\r\n\000early\r\n' &&
        says '^8 bytes$' $tmp/back"
    stop_background "$target_pid"
    stop_background "$pid"

    serve nothing -proxy $outer
    check 'without -proxy_allow nothing is allowed' \
        refuses_connect 403 $page $to
    stop_background "$pid"

    printf 'user:pass word\n' >"$tmp/auth"
    for auth in 'user:pass word' "file:$tmp/auth"; do
        serve auth -proxy -proxy_allow '*:*' -proxy_auth "$auth" $outer
        what="-proxy_auth ${auth%%:*}"
        check "$what: the right one" \
            through 200 $page $to --proxy-user 'user:pass word'
        check "$what: another password" refuses_connect 407 $page $to \
            --proxy-user 'user:pass'
        check "$what: another user" refuses_connect 407 $page $to \
            --proxy-user 'root:pass word'
        check "$what: none" refuses_connect 407 $page $to
        check "$what: curl finds out what is asked for" through 200 $page $to \
            --proxy-anyauth --proxy-user 'user:pass word'
        check "$what: the log does not tell it" eval "! grep -q 'pass word' '$log'"
        stop_background "$pid"
    done
    stop_background "$origin_pid"
    stop_background "$other_pid"

    serve both -proxy -proxy_origin -www -proxy_allow 'inner.example:443' \
        $outer $inner
    check '-proxy_origin: one process is proxy and origin' \
        through 200 https://inner.example/
    check 'the page shows both layers' eval \
        "says '^layer 1: .* name outer.example' $tmp/page &&
        says '^layer 2: .* name inner.example' $tmp/page"
    check '-proxy_origin asks -proxy_allow too' \
        refuses_connect 403 https://inner.example:444/
    stop_background "$pid"
    serve both-echo -proxy -proxy_origin -echo -proxy_allow '*:*' $outer \
        $middle $inner
    check '-proxy_origin -echo, behind a proxy in two layers' echoes \
        tls=outer.example tls=middle.example connect=a:1 tls=inner.example
    stop_background "$pid"
}

# Limits
# ------

# shellcheck disable=SC2086
{
    serve few -echo -max_conns 2 -stats 0
    few_pid=$pid
    for i in 1 2; do
        mkfifo "$tmp/few.$i"
        stdin=$tmp/few.$i
        background "$tmp/few.log" "$python" "$srcdir/test/nested.py" client \
            "$address"
        stdin=
    done
    exec 5>"$tmp/few.1" 6>"$tmp/few.2"
    check '-max_conns 2: there are two' \
        wait_for 20 counts connections_open 2
    check 'a third is refused' eval \
        "! echo hello | nested client $address | grep hello"
    check 'it was counted' counts connections_refused_total 1
    exec 5>&- 6>&-
    wait_for 20 counts connections_open 0
    check 'there is room again when they have left' echoes
    check 'every connection was counted' counts connections_total 3
    stop_background "$few_pid"

    serve idle -echo -idle_timeout 1 -stats 0 $outer
    check 'who says nothing for -idle_timeout is let go in good order' eval \
        "held '' tls=outer.example"
    check 'that was counted' counts 'timeouts_total{kind="idle"}' 1
    stop_background "$pid"
}

# Draining
# --------

target slow
# shellcheck disable=SC2086
{
    serve drain -forward "$target" -drain 20 $outer
    drained() {
        held '' tls=outer.example &
        running=$!
        wait_for 20 grep -q 'line 3' "$tmp/back"
        kill "$pid"
        wait_for 20 eval "! nested client $address </dev/null" || return 1
        wait "$running" && says 'line 19' "$tmp/back" && wait "$pid"
    }
    check 'SIGTERM: a transfer is finished, nobody new is let in, status 0' \
        drained

    stop_background "$target_pid"

    target endless
    serve again -forward "$target" -drain 100 $outer
    # cut_off COMMAND: after a first signal.
    cut_off() {
        : >"$tmp/back"
        held '' tls=outer.example &
        running=$!
        wait_for 20 grep -q line "$tmp/back"
        kill "$pid"
        wait_for 20 eval "! nested client $address </dev/null" || return 1
        "$@" && wait "$pid" || return 1
        ! wait "$running" && says truncated "$tmp/err"
    }
    check 'a second signal ends it at once, with status 0; the client is told' \
        cut_off kill "$pid"
    serve sooner -forward "$target" -drain 1 $outer
    check 'a transfer that is not over within -drain has no end' cut_off true
    stop_background "$target_pid"

    serve soon -echo -drain 1 $outer
    soon() {
        : >"$tmp/back"
        held 'hello\n' tls=outer.example &
        running=$!
        wait_for 20 grep -q hello "$tmp/back"
        kill "$pid" && wait "$pid" && wait "$running"
    }
    check 'who does not finish within -drain is ended in good order' soon
    # With a client that stays, and an alarm in case that the server does too.
    waits_for_nobody() {
        rm -f "$tmp/alone"
        mkfifo "$tmp/alone"
        stdin=$tmp/alone
        alone=$pid
        background "$tmp/back" "$python" "$srcdir/test/nested.py" client \
            "$address" tls=outer.example upload
        stdin=
        exec 5>"$tmp/alone"
        echo hello >&5
        wait_for 20 grep -q hello "$tmp/back"
        kill "$alone"
        { sleep 20 && kill -9 "$alone"; } 5>&- &
        wait "$alone"
        alone_status=$?
        kill $!
        exec 5>&-
        wait "$pid"
        return "$alone_status"
    }
    for drain in 0 1; do
        serve alone -echo -drain $drain -close_timeout 0 $outer
        check "-drain $drain -close_timeout 0 waits for nobody" waits_for_nobody
    done
}

# The log
# -------

# shellcheck disable=SC2086
{
    serve log -www -log "$tmp/log" -stats 0 $outer
    check '-log: a line for the connection' eval "answers 200 https://outer.example:$port/ &&
        wait_for 20 says '^[-0-9]+T[0-9:]+Z conn conn=1 peer=127.0.0.1:[0-9]+ mode=www in=[1-9][0-9]+ out=[1-9][0-9]+ seconds=[0-9.]+ end=\"done\"$' $tmp/log"
    check 'and one for its layer' \
        says '^[-0-9]+T[0-9:]+Z layer conn=1 layer=1 role=server version=TLSv1.3 cipher=[A-Z0-9_]+ name="outer.example" resumed=no early=none subject="-" end="closed by ' "$tmp/log"
    hostile=$(printf 'a" end="done"\nfake \134')
    forged() {
        # What s_client calls it, the certificate is not for.
        timeout 10 openssl s_client -connect "$address" -servername \
            "$hostile" </dev/null >"$tmp/s_client" 2>&1
        wait_for 20 grep -q 'conn=2' "$tmp/log"
        cat "$tmp/log"
        [ "$(grep -c 'layer conn=2' "$tmp/log")" -eq 1 ] &&
            grep -qF 'name="a\" end=\"done\"\x0afake \\" resumed' "$tmp/log" &&
            ! grep -q '^fake' "$tmp/log"
    }
    check 'a hostile name forges no line' forged
    no_tls() {
        printf 'GET / HTTP/1.0\r\n\r\n' | nested client "$address" >/dev/null
        wait_for 20 says 'conn=3 .* end="handshake failed: layer 1 ' "$tmp/log" &&
            says 'conn=3 layer=1 .* end="handshake"' "$tmp/log"
    }
    check 'why a connection failed is in both its lines' no_tls
    check 'and counted by its reason' \
        counts 'layers_failed_total{reason="handshake"}' 1
    check 'the other layers were counted' eval \
        "counts layers_started_total 3 && counts handshakes_total 2"
    renamed() {
        mv "$tmp/log" "$tmp/log.1"
        kill -HUP "$pid"
        wait_for 20 test -f "$tmp/log" &&
            answers 200 "https://outer.example:$port/" &&
            wait_for 20 says 'conn=4' "$tmp/log" && ! grep conn=4 "$tmp/log.1"
    }
    check 'SIGHUP: the log goes on in a new file' renamed
    bytes() {
        curl -s "http://$stats/metrics" | sed -n "s/^onion_$1_bytes_total //p"
    }
    logged() {
        cat "$tmp/log.1" "$tmp/log" | sed -n "s/.* $1=\([0-9]*\) .*/\1/p" |
            awk '{ n += $1 } END { print n }'
    }
    check 'the bytes of the log are those of the statistics' eval \
        "wait_for 20 counts connections_open 0;
        [ \$(bytes received) -eq \$(logged in) ] &&
        [ \$(bytes sent) -eq \$(logged out) ]"
    stop_background "$pid"
}

# Enemies
# -------

# shellcheck disable=SC2086
{
    printf '\200\056\001\000\002\000\025\000\000\000\020' >"$tmp/sslv2"
    printf 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' >"$tmp/http"
    head -c 20000 /dev/zero >"$tmp/zeros"
    head -c 20000 /dev/urandom >"$tmp/noise"
    : >"$tmp/nothing"
    set -f
    IFS='|'
    set -- $modes
    unset IFS
    for mode; do
        serve enemy $mode -layers 1 -stats 0 -close_timeout 1 $outer
        assault() {
            nested enemies "$address" "$tmp/sslv2" "$tmp/http" "$tmp/zeros" \
                "$tmp/noise" "$tmp/nothing"
            wait_for 20 counts connections_open 0 &&
                counts connections_total 14 && counts handshakes_total 7
        }
        check "$mode: noise, HTTP, SSLv2, zeros, nothing, each in the clear and within" \
            assault
        stop_background "$pid"
        check "$mode: it ended with 0 after that" wait "$pid"
    done
    set +f

    printf '%s\n' 'openssl_conf = a' '[a]' 'ssl_conf = b' '[b]' \
        'system_default = c' '[c]' 'Options = KTLS,IgnoreUnexpectedEOF' \
        >"$tmp/openssl.cnf"
    target watch
    OPENSSL_CONF=$tmp/openssl.cnf
    export OPENSSL_CONF
    serve conf -forward "$target" $outer
    unset OPENSSL_CONF
    check 'OPENSSL_CONF cannot make an end of a cut' eval \
        "nested client $address tls=outer.example fin &&
        wait_for 20 says '^reset\$' '$target_log'"
    stop_background "$target_pid"
    stop_background "$pid"
}

# Tickets
# -------

# fetch ARGUMENT...: the page, by openssl s_client.
fetch() {
    printf 'GET / HTTP/1.0\r\n\r\n' | timeout 20 openssl s_client -quiet \
        -connect "$address" -CAfile "$CAFILE" -servername outer.example \
        -verify_return_error "$@" >"$tmp/page" 2>"$tmp/err"
    cat "$tmp/err" "$tmp/page"
}

# resumes YES-OR-NO: the session of $tmp/session
resumes() {
    fetch -sess_in "$tmp/session"
    grep -q "^layer 1: .* resumed $1, early data" "$tmp/page"
}

# shellcheck disable=SC2086
{
    head -c 80 /dev/urandom >"$tmp/ticket.key"
    keys="-ticket_keys $tmp/ticket.key"
    serve first -www $outer $keys
    first=$address first_pid=$pid
    fetch -sess_out "$tmp/session" >/dev/null
    serve second -www -stats 0 $outer $keys
    second=$address second_pid=$pid
    check 'a second server with the same -ticket_keys resumes the session' \
        resumes yes
    check 'that was counted' counts handshakes_resumed_total 1
    serve third -www $outer
    check 'one without them does not' resumes no
    stop_background "$pid"

    name='two servers behind a load balancer resume each other'"'"'s sessions'
    if have haproxy; then
        serve balanced -www $outer
        stop_background "$pid"
        printf '%s\n' 'defaults' ' mode tcp' ' timeout connect 5s' \
            ' timeout client 20s' ' timeout server 20s' 'listen all' \
            " bind $address" ' balance roundrobin' " server a $first" \
            " server b $second" >"$tmp/haproxy.cfg"
        background "$tmp/haproxy.log" haproxy -db -f "$tmp/haproxy.cfg"
        each_other() {
            wait_for 20 eval "fetch -sess_out $tmp/session; test -s $tmp/page"
            # It may lead to either, so to both.
            resumes yes && resumes yes && resumes yes
        }
        check "$name" each_other
        stop_background "$pid"
    else
        skip "$name" 'no haproxy'
    fi
    stop_background "$first_pid"
    stop_background "$second_pid"
}

# A crowd
# -------

limit=$("$python" -c 'import resource
print(resource.getrlimit(resource.RLIMIT_NOFILE)[1])')
if [ "$limit" -lt 0 ] || [ "$limit" -ge 4200 ]; then
    # shellcheck disable=SC2086
    serve crowd -echo -max_conns $crowd -stats 0 -timeout 300 $inner
    check "$crowd connections at once, each with its own answer" eval \
        "nested crowd $address $crowd </dev/null >$tmp/back &&
        says '^$crowd answers' $tmp/back"
    check 'all of them were counted' counts handshakes_total $crowd
    check 'and all have left' wait_for 20 counts connections_open 0
    stop_background "$pid"
else
    skip "$crowd connections at once" "a process may open $limit files only"
fi

done_testing
