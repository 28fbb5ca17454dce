#!/bin/sh
# fault_slow.sh - clients of a byte a second do not keep the server from others.
# There are 100 of them, and 500 with ONION_BUDGET.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

count=100 seconds=1.5
[ -z "${ONION_BUDGET:-}" ] || count=500 seconds=15

start_server slow -accept 127.0.0.1:0 -echo -timeout 120 \
    -layer -cert "$certs/outer.example.pem" -key "$certs/outer.example.key" \
    -layer -cert "$certs/inner.example.pem" -key "$certs/inner.example.key" ||
    exit 99
if test/fault_slow "$address" "$certs/ca.pem" "$count" "$seconds" \
    >"$tmp/figures" 2>"$tmp/err"; then
    ok "$count clients of a byte a second, and the others are served"
else
    not_ok "$count clients of a byte a second" "$tmp/err"
fi
sed 's/^/# /' "$tmp/figures"
stop_background "$pid"

# Those that do not finish their handshake have the time of anybody.
start_server late -accept 127.0.0.1:0 -echo -timeout 2 -close_timeout 1 \
    -layer -cert "$certs/outer.example.pem" -key "$certs/outer.example.key" \
    -layer -cert "$certs/inner.example.pem" -key "$certs/inner.example.key" ||
    exit 99
let_go() {
    ! timeout 60 test/fault_slow "$address" "$certs/ca.pem" 20 6 >"$tmp/out" \
        2>&1
    cat "$tmp/out"
    grep -q 'a slow client was let go' "$tmp/out"
}
check 'who sends a byte a second in a handshake is let go after -timeout' let_go
stop_background "$pid"

done_testing
