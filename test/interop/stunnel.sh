#!/bin/sh
# stunnel.sh - onion_client through tinyproxy behind stunnel.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/via.sh
. "$srcdir/test/interop/via.sh"
need stunnel4 tinyproxy

test_proxy start_stunnel 'tinyproxy behind stunnel' 0
test_client_certificate start_stunnel 'tinyproxy behind stunnel' \
    'verifyChain = yes' "CAfile = $certs/ca.pem"
done_with_peers
