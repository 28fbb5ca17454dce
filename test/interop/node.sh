#!/bin/sh
# node.sh - Node's tls: nested, against onion_server; and a server.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/nested.sh
. "$srcdir/test/interop/nested.sh"
need node

test_nested "Node's tls" "node $srcdir/test/interop/nested.js"
done_with_peers
