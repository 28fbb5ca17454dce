# tools.sh - what the tests of the two tools share: certificates, a server.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced. Sets: server, client, certs.

# shellcheck source=test/tap.sh
. "$srcdir/test/tap.sh"
# shellcheck source=demos/certs.sh
. "$srcdir/demos/certs.sh"

server=demos/onion_server
# shellcheck disable=SC2034 # for those who source this
client=demos/onion_client
# What libtool puts before a program takes longer than the program.
if [ -x demos/.libs/onion_client ] && [ -x demos/.libs/onion_server ]; then
    LD_LIBRARY_PATH=$PWD/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    # shellcheck disable=SC2034 # for those who source this
    client=demos/.libs/onion_client
    server=demos/.libs/onion_server
fi

have openssl || skip_all 'no openssl command to make certificates'

certs=$tmp/certs
mkdir "$certs"
make_ca "$certs" ca &&
    make_ca "$certs" other-ca &&
    make_cert "$certs" ca outer.example rsa &&
    make_cert "$certs" ca middle.example ec &&
    make_cert "$certs" ca inner.example ed25519 || exit 99

# start_server NAME ARGUMENT...: on a port that is free. Sets pid, log and
# address, host:port as the server calls it.
start_server() {
    log=$tmp/$1.log
    shift
    background "$log" "$server" "$@"
    wait_for 20 grep -q '^ACCEPT ' "$log" || {
        cat "$log" >&2
        return 1
    }
    # shellcheck disable=SC2034 # for those who source this
    address=$(sed -n 's/^ACCEPT //p' "$log" | head -n 1)
}

# same FILE FILE, and neither is empty
same() {
    [ -s "$1" ] && cmp "$1" "$2"
}
