#!/bin/sh
# fault_calls.sh - the tools when a call of the system fails, by strace: each
# call that they make on their way, with each error that it may have, once at
# its first time, once at its second and so on.
#
# The client ends with a documented status and a line, having shown nothing but
# what its peer has said; and goes on where the error is none. Of two clients
# the server serves one at least, and then ends with 0; or it has said why it
# does not begin. ONION_BUDGET says how many cases of each are run, or "all".
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

strace -qq -o /dev/null -e inject=getppid:error=EPERM:when=1 true \
    2>/dev/null || skip_all 'no strace that may inject errors'

grep -q __asan_init "$client" &&
    skip_all 'the sanitizers have calls of their own'

usual=8
case ${ONION_BUDGET:-$usual} in
all | *s) budget=1000000 ;;
*) budget=${ONION_BUDGET:-$usual} ;;
esac

outer="-layer -cert $certs/outer.example.pem -key $certs/outer.example.key"
inner="-layer -cert $certs/inner.example.pem -key $certs/inner.example.key"

# A call, and errors that it may have. (A brk() that fails gives back no error,
# but the old end, which strace cannot do.)
cat >"$tmp/errors" <<'END'
read EINTR EIO ECONNRESET EAGAIN ENOMEM
write EINTR EPIPE ENOSPC EAGAIN ECONNRESET EIO
connect ECONNREFUSED EINTR ENETUNREACH ENOMEM
socket EMFILE ENOMEM EACCES
poll EINTR ENOMEM
openat EMFILE ENOMEM EACCES EINTR
getrandom EAGAIN ENOSYS
mmap ENOMEM
fcntl EINVAL
setsockopt ENOBUFS
getsockopt ENOBUFS
getpeername ENOBUFS
shutdown ENOTCONN
close EIO EINTR
accept EMFILE ENFILE ENOMEM ECONNABORTED EINTR EAGAIN EPERM
epoll_create1 EMFILE ENOMEM
epoll_ctl ENOMEM ENOSPC
epoll_wait EINTR
recvfrom EINTR ECONNRESET EAGAIN
pipe EMFILE
bind EADDRINUSE
listen EADDRINUSE
rt_sigaction EINVAL
END

# all_cases TRACE: CALL ERROR TIME for each of its calls and their errors, but
# for what the loader of programs has called before.
all_cases() {
    awk 'NR == FNR { for (i = 2; i <= NF; i++) error[$1, i] = $i; next }
         /^rt_sigaction\(SIGPIPE/ || /^fcntl\(0,/ { begun = 1 }
         { sub(/\(.*/, "", $1); n[$1]++
           for (i = 2; begun && ($1, i) in error; i++)
               print $1, error[$1, i], n[$1] }' "$tmp/errors" "$1"
}

# chosen FILE: as many of its lines as there may be, spread over all.
chosen() {
    awk -v budget="$budget" '{ line[NR] = $0 }
        END { n = NR < budget ? NR : budget
              for (i = 0; i < n; i++) print line[int(i * NR / n) + 1] }' "$1"
}

# talk ADDRESS OUT ERR [COMMAND...]: a client, under the command.
talk() {
    talk_to=$1 talk_out=$2 talk_err=$3
    shift 3
    echo hello | timeout 60 "$@" "$client" -quiet -connect "$talk_to" \
        -CAfile "$certs/ca.pem" -timeout 20 -push -servername outer.example \
        -push -servername inner.example >"$talk_out" 2>"$talk_err"
}

# injected CALL ERROR TIME
injected() {
    echo "$1:error=$2:when=$3"
}

# The client
# ----------

# What it has shown is what its peer has said, or the beginning of that.
shown_well() {
    case $(cat "$tmp/out") in
    hello) ;;
    '') [ "$status" -ne 0 ] ;;
    *) false ;;
    esac
}

# Somebody knows what has failed, in one line; the library of C has its own.
said_well() {
    if [ "$status" -eq 0 ]; then
        [ "$(wc -l <"$tmp/err")" -le 1 ]
    else
        [ "$(grep -c '^onion_client: ' "$tmp/err")" -eq 1 ]
    fi
}

# client_case CALL ERROR TIME
client_case() {
    talk "$address" "$tmp/out" "$tmp/err" strace -qq -o "$tmp/trace" \
        -e signal=none -e "trace=$1" -e "inject=$(injected "$@")"
    status=$?
    if [ "$status" -le 7 ] && shown_well && said_well; then
        return 0
    fi
    echo "client, $*: status $status; it has shown '$(cat "$tmp/out")'"
    cat "$tmp/err"
    return 1
}

# The server
# ----------

# serves_one: of two clients.
serves_one() {
    for nth in first second; do
        talk "$server_address" "$tmp/out" "$tmp/err"
        status=$?
        if [ "$status" -eq 0 ] && [ "$(cat "$tmp/out")" = hello ]; then
            served=$((served + 1))
            : "the $nth"
        fi
    done
    [ "$served" -gt 0 ]
}

# It has ended before it began: with a status and a line.
has_said_why() {
    wait "$traced"
    status=$?
    traced=
    [ "$status" -le 2 ] && grep -q '^onion_server: ' "$tmp/server.log"
}

listens_or_ends() {
    grep -q '^ACCEPT ' "$tmp/server.log" || ! kill -0 "$traced" 2>/dev/null
}

# ends: with 0, when it is asked to.
ends() {
    kill "$traced"
    wait_for 20 is_gone || return 1
    wait "$traced"
    status=$?
    traced=
    [ "$status" -eq 0 ]
}

is_gone() {
    ! kill -0 "$traced" 2>/dev/null
}

# With -D the server is our child, and strace is its.
server_starts() {
    # Here and now: what is said below must not be that of the last one.
    : >"$tmp/server.log"
    # shellcheck disable=SC2086 # words are meant
    strace -D -qq -o "$tmp/trace" -e signal=none "$@" "$server" \
        -accept 127.0.0.1:0 -echo -timeout 20 $outer $inner \
        >"$tmp/server.log" 2>&1 &
    traced=$!
    served=0
    wait_for 40 listens_or_ends
}

server_run() {
    server_starts "$@" || return 1
    server_address=$(sed -n 's/^ACCEPT //p' "$tmp/server.log")
    if [ -z "$server_address" ]; then
        has_said_why
        return
    fi
    serves_one && ends
}

# What it writes next is to itself, that there is a signal.
ends_unwoken() {
    if server_starts -e trace=write -e 'inject=write:error=EIO:when=2+' && ends
    then
        return 0
    fi
    [ -z "$traced" ] || kill -9 "$traced"
    return 1
}

# server_case CALL ERROR TIME
server_case() {
    server_run -e "trace=$1" -e "inject=$(injected "$@")" && return 0
    echo "server, $*: status ${status:-none}, $served of 2 served"
    cat "$tmp/server.log" "$tmp/err"
    [ -z "$traced" ] || kill -9 "$traced"
    return 1
}

# each WHO FILE: each case of the file; all that failed are told.
each() {
    each_failed=0
    while read -r call error time; do
        "$1" "$call" "$error" "$time" </dev/null || each_failed=1
    done <"$2"
    return "$each_failed"
}

calls=$(cut -d ' ' -f 1 "$tmp/errors" | tr '\n' ,)
calls=${calls%,}

# shellcheck disable=SC2086 # words are meant
start_server echo -accept 127.0.0.1:0 -echo -timeout 20 $outer $inner || exit 99
talk "$address" "$tmp/out" "$tmp/err" strace -qq -o "$tmp/client.trace" \
    -e signal=none -e "trace=$calls"
check 'the client under strace' same "$tmp/out" - <<END
hello
END
all_cases "$tmp/client.trace" >"$tmp/client.all"
chosen "$tmp/client.all" >"$tmp/client.cases"
check 'the client, with a call of the system that fails' \
    each client_case "$tmp/client.cases"
echo "# $(wc -l <"$tmp/client.cases") of $(wc -l <"$tmp/client.all") calls of" \
    "the client have failed"
stop_background "$pid"

check 'the server ends at a signal, though it cannot wake itself' ends_unwoken
check 'the server under strace' server_run -e "trace=$calls"
all_cases "$tmp/trace" >"$tmp/server.all"
chosen "$tmp/server.all" >"$tmp/server.cases"
check 'the server, with a call of the system that fails' \
    each server_case "$tmp/server.cases"
echo "# $(wc -l <"$tmp/server.cases") of $(wc -l <"$tmp/server.all") calls of" \
    "the server have failed"

done_testing
