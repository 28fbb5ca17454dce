#!/bin/sh
# show.sh [BUILD-DIR] - one connection, three layers of TLS in, three out.
#
# Installs what is missing and builds, in a temporary directory, unless it is
# given a directory where the tools are built. Leaves nothing behind.
#
# SPDX-License-Identifier: Apache-2.0

set -u

top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
# shellcheck source=demos/prepare.sh
. "$top/demos/prepare.sh"
# shellcheck source=demos/certs.sh
. "$top/demos/certs.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/bio_onion.XXXXXX") || exit 1
server=

finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null
        wait "$server" 2>/dev/null
    fi
    chmod -R u+w "$work"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' HUP INT TERM

# quiet LOG COMMAND...: shows the end of what it said only if it fails.
quiet() {
    log=$work/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null || {
        tail -n 20 "$log" >&2
        exit 1
    }
}

if [ $# -gt 0 ]; then
    built=$(cd "$1" && pwd) || exit 1
else
    # shellcheck disable=SC2086 # words are meant
    install_missing "$work/packages.log" $build_packages || exit 1
    echo 'Building ...'
    built=$work/build
    quiet copy copy_source "$top" "$work/source"
    cd "$work/source" || exit 1
    quiet autoreconf autoreconf -i
    quiet build build "$work/source" "$built" --disable-static
fi
cd "$work" || exit 1

certs=$work/certs
mkdir "$certs"
make_ca "$certs" ca &&
    make_cert "$certs" ca outer.example rsa &&
    make_cert "$certs" ca middle.example ec &&
    make_cert "$certs" ca inner.example ed25519 || exit 1

"$built/demos/onion_server" -line -accept 127.0.0.1:0 \
    -layer -cert "$certs/outer.example.pem" -key "$certs/outer.example.key" \
    -tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384 \
    -layer -cert "$certs/middle.example.pem" -key "$certs/middle.example.key" \
    -tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256 \
    -layer -cert "$certs/inner.example.pem" -key "$certs/inner.example.key" \
    -tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256 >"$work/server.log" 2>&1 &
server=$!

# The server says "ACCEPT address:port" once it listens.
tries=200
until address=$(sed -n 's/^ACCEPT //p' "$work/server.log")
    [ -n "$address" ]; do
    tries=$((tries - 1))
    if [ $tries -eq 0 ] || ! kill -0 "$server" 2>/dev/null; then
        echo 'The server did not start:' >&2
        cat "$work/server.log" >&2
        exit 1
    fi
    sleep 0.05
done

cat <<END

  One TCP connection, three layers of TLS in, three layers out
  ============================================================

  A client talks to a server at $address. It asks for a layer of TLS, then
  for a second one inside the first, then for a third inside the second; and
  takes them off again, the innermost first, until the line is in clear text.
  Each layer is a TLS session of its own, with its own certificate:

    layer 1, the outermost   outer.example    RSA key      TLS 1.2
    layer 2                  middle.example   P-256 key    TLS 1.3
    layer 3, the innermost   inner.example    Ed25519 key  TLS 1.3

  How to read what follows:

    >   a line that the client sends: STARTTLS asks for one more layer, STOPTLS
        for one less, anything else is just text
    <   the server's reply; "depth=2" means that it came through two layers
    --  what has become of a layer, and then the chain from the application at
        the top down to the socket: what is written goes down through it

END

script='hello, in clear text;STARTTLS;hello in one layer'
script="$script;STARTTLS;hello in two layers;STARTTLS;hello in three layers"
script="$script;STOPTLS;two layers are left;STOPTLS;one layer is left"
script="$script;STOPTLS;and this is clear text again;QUIT"

"$built/demos/onion_client" -connect "$address" -state -CAfile "$certs/ca.pem" \
    -script "$script" \
    -layer -servername outer.example \
    -layer -servername middle.example \
    -layer -servername inner.example
status=$?

if [ $status -eq 0 ]; then
    cat <<'END'

  Every reply was as it must be: one connection has carried lines of text
  through 0, 1, 2 and 3 layers of TLS, and through 2, 1 and 0 again.
END
else
    echo "The client ended with status $status; the server said:"
    cat "$work/server.log"
fi
exit $status
