#!/bin/sh
# go.sh - Go's crypto/tls: nested, against onion_server; and a server.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/nested.sh
. "$srcdir/test/interop/nested.sh"
# shellcheck source=test/interop/server.sh
. "$srcdir/test/interop/server.sh"
need go

# go_build NAME: from NAME.go.
go_build() {
    HOME=$tmp GOCACHE=$PWD/test/interop/go-cache GOFLAGS=-mod=mod \
        go build -o "$tmp/$1" "$srcdir/test/interop/$1.go"
}

go_build nested && go_build echo || exit 99
test_nested "Go's crypto/tls" "$tmp/nested"
test_server 'a Go server' "$tmp/echo"
done_with_peers
