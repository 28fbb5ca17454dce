#!/bin/sh
# squid.sh - onion_client through squid's https_port.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/via.sh
. "$srcdir/test/interop/via.sh"
need squid

test_proxy start_squid squid 0
test_client_certificate start_squid squid "clientca=$certs/ca.pem"
done_with_peers
