#!/bin/sh
# node.sh - Node's tls: nested, against onion_server; and a server.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/nested.sh
. "$srcdir/test/interop/nested.sh"
# shellcheck source=test/interop/server.sh
. "$srcdir/test/interop/server.sh"
need node

test_nested "Node's tls" "node $srcdir/test/interop/nested.js"
test_server 'a Node server' node "$srcdir/test/interop/echo.js"
done_with_peers
