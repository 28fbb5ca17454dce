#!/bin/sh
# haproxy.sh - onion_client through tinyproxy behind haproxy.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/via.sh
. "$srcdir/test/interop/via.sh"
need haproxy tinyproxy

test_proxy start_haproxy 'tinyproxy behind haproxy' 0
test_client_certificate start_haproxy 'tinyproxy behind haproxy' \
    verify required ca-file "$certs/ca.pem"
done_with_peers
