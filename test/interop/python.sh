#!/bin/sh
# python.sh - Python's ssl, nested, against onion_server.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/nested.sh
. "$srcdir/test/interop/nested.sh"
need python3

test_nested "Python's ssl" "python3 $srcdir/test/interop/nested.py"
done_with_peers
