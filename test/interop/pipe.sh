# pipe.sh - onion_client as the pipe of a program that knows no TLS.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced.

# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"

# start_pipe NAME OPTION...: of onion_client, one for each connection. Sets
# port.
start_pipe() {
    pipe_name=$1
    shift
    free_port
    {
        echo '#!/bin/sh'
        echo "exec $client -quiet -CAfile $certs/ca.pem $* 2>>$tmp/$pipe_name.said"
    } >"$tmp/$pipe_name.sh"
    : >"$tmp/$pipe_name.said"
    ours "$pipe_name" socat -t 30 \
        "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork" \
        "EXEC:sh $tmp/$pipe_name.sh"
    wait_port "$port"
}
