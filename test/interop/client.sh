# client.sh - onion_client, and servers that send back what they get.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced.

# shellcheck source=test/interop/lib.sh
. "$srcdir/test/interop/lib.sh"

# 1 MB, and about as much in lines for servers that live on them.
openssl rand 1000000 >"$tmp/sent"
openssl rand 750000 | openssl base64 >"$tmp/sent-lines"

# The certificates of the hops.
make_names() {
    for make_name; do
        make_cert "$certs" ca "$make_name" ec || exit 99
    done
}

# goes FILE OPTION...: FILE through onion_client; what comes is in $tmp/came.
goes() {
    goes_sent=$1
    shift
    timeout 60 "$client" -quiet -CAfile "$certs/ca.pem" "$@" \
        <"$goes_sent" >"$tmp/came" 2>"$tmp/client.log"
    goes_status=$?
    echo "status $goes_status"
    cat "$tmp/client.log"
    return $goes_status
}

# comes_back OPTION...: 1 MB.
comes_back() {
    goes "$tmp/sent" "$@" && same "$tmp/sent" "$tmp/came"
}

# is_refused STATUS WORDS OPTION...: with this status, a line with these words,
# and nothing that comes.
is_refused() {
    refused_status=$1
    refused_words=$2
    shift 2
    goes "$tmp/sent" "$@"
    [ "$goes_status" -eq "$refused_status" ] && [ ! -s "$tmp/came" ] &&
        grep "$refused_words" "$tmp/client.log"
}

# peer_says NAME PATTERN: in its log, or soon.
peer_says() {
    wait_for 10 grep -q "$2" "$tmp/$1.log"
    says_status=$?
    tail -n 20 "$tmp/$1.log"
    return $says_status
}

# accepts NAME COMMAND...: one that says where, as onion_server. Sets port.
accepts() {
    accepts_log=$tmp/$1.log
    ours "$@"
    wait_for 20 grep -q '^ACCEPT ' "$accepts_log" || exit 99
    port=$(sed -n 's/^ACCEPT .*://p' "$accepts_log" | head -n 1)
}

# start_echo NAME [CERT]: socat, that sends back what it gets, in TLS if there
# is a CERT. Sets port.
start_echo() {
    free_port
    echo_at="TCP-LISTEN:$port"
    [ $# -eq 1 ] || echo_at=OPENSSL-LISTEN:$port,verify=0
    [ $# -eq 1 ] || echo_at=$echo_at,cert=$certs/$2.pem,key=$certs/$2.key
    # It must wait for more than half a second when cat has still to answer.
    peer "$1" socat -d -d -t 30 "$echo_at,bind=127.0.0.1,reuseaddr,fork" \
        EXEC:cat
    wait_port "$port"
}
