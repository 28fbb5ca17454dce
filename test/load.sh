#!/bin/sh
# load.sh - many connections at once, each through layers of TLS, to one
# onion_server -echo: every byte checked, and what they cost. make check-load
# has 10,000 of three layers; CONNECTIONS and LAYERS say otherwise.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

connections=${CONNECTIONS:-100}
layers=${LAYERS:-3}

[ -r /proc/self/smaps_rollup ] || skip_all 'no /proc/PID/smaps_rollup'
limit=$(sh -c 'ulimit -Hn')
case $limit in
unlimited) ;;
*) [ "$limit" -ge $((connections + 100)) ] ||
    skip_all "a process may open $limit files only" ;;
esac

names=
options=
i=0
while [ "$i" -lt "$layers" ]; do
    i=$((i + 1))
    make_cert "$certs" ca "layer$i.example" ed25519 || exit 99
    names="$names layer$i.example"
    options="$options -layer -cert $certs/layer$i.example.pem"
    options="$options -key $certs/layer$i.example.key"
done

# shellcheck disable=SC2086 # words are meant, in all that follows
start_server load -accept 127.0.0.1:0 -echo -max_conns "$connections" \
    -timeout 600 $options || exit 99

# At least 1,000 echoes, of which the hundredth is one of ten.
rounds=$(((1000 + connections - 1) / connections + 1))
echo "# load average before: $(cut -d ' ' -f 1-3 /proc/loadavg)"
# shellcheck disable=SC2086
if test/load "$address" "$pid" "$certs/ca.pem" "$connections" "$rounds" \
    $names >"$tmp/figures" 2>"$tmp/err"; then
    ok "$connections connections of $layers layers at once, each byte came back"
else
    not_ok "$connections connections of $layers layers at once" "$tmp/err"
fi
sed 's/^/# /' "$tmp/figures"
echo "# load average after: $(cut -d ' ' -f 1-3 /proc/loadavg)"

# Fewer do not tell what one of them holds. A client keeps the certificate of
# its peer, too, and what its malloc() keeps is no concern of ours.
holds_at_most() {
    held=$(sed -n "s/^$1 \([0-9]*\)\.[0-9]* KiB a connection.*/\1/p" \
        "$tmp/figures")
    [ "${held:-0}" -lt $(($2 * layers)) ]
}
if [ "$connections" -ge 1000 ]; then
    check 'a layer of an idle connection holds 17 KiB at most at the server' \
        holds_at_most 'memory of the server: .*,' 17
    check 'and 19 KiB at the client' holds_at_most 'of the client.* out' 19
fi

kill "$pid"
check 'the server had nothing to complain of, and ends with 0' \
    eval "wait $pid && [ \$(grep -c '^onion_server:' $log) -eq 0 ]"

done_testing
