#!/bin/sh
# apache.sh - onion_client through apache's mod_proxy_connect, over TLS.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/via.sh
. "$srcdir/test/interop/via.sh"
need apache2

# It closes TLS without a close_notify, so its end is no end for sure.
test_proxy start_apache apache 4
test_client_certificate start_apache apache 'SSLVerifyClient require' \
    "SSLCACertificateFile $certs/ca.pem"
done_with_peers
