#!/bin/sh
# ccc.sh - curl and lftp end TLS with CCC; the FTP server is one on this
# library.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/lib.sh
. "$srcdir/test/interop/lib.sh"

openssl rand 1000000 >"$tmp/file"

# start_ftps [OPTION]: sets address and log.
start_ftps() {
    rm -f "$tmp/got"
    log=$tmp/ftps.log
    ours ftps test/interop/ftps_server "$certs/outer.example.pem" \
        "$certs/outer.example.key" "$tmp/file" "$@"
    wait_for 20 grep -q '^ACCEPT ' "$log" || exit 99
    address=$(sed -n 's/^ACCEPT //p' "$log")
}

# curl_gets MODE [OPTION]
curl_gets() {
    curl_mode=$1
    shift
    start_ftps "$@"
    timeout 60 curl -sS --ssl-reqd --ftp-ssl-ccc \
        --ftp-ssl-ccc-mode "$curl_mode" --cacert "$certs/ca.pem" \
        --connect-to "outer.example::$address" -u me:secret -o "$tmp/got" \
        ftp://outer.example/file && same "$tmp/file" "$tmp/got"
}

lftp_gets() {
    start_ftps
    HOME=$tmp timeout 60 lftp -c "
        set cmd:fail-exit yes
        set net:max-retries 1
        set ssl:ca-file $certs/ca.pem
        set ssl:check-hostname no
        set ftp:ssl-force yes
        set ftp:ssl-protect-data yes
        set ftp:ssl-use-ccc yes
        open -u me,secret ftp://$address
        get file -o $tmp/got" && same "$tmp/file" "$tmp/got"
}

# In TLS up to CCC, in clear from there on, of each a word at least.
ccc_ends_tls() {
    cat "$log"
    sed -n '/USER/,/CCC/p' "$log" | grep -v '^depth=1 ' && return 1
    grep -q '^depth=1 PASS' "$log" && grep -q '^depth=1 CCC' "$log" &&
        grep -q '^depth=0 RETR' "$log" &&
        ! sed '1,/CCC/d' "$log" | grep -v '^depth=0 '
}

# curl's passive mode sends no close_notify: what is no end for a layer.
curl_is_refused() {
    ! curl_gets passive && cat "$log" && [ ! -e "$tmp/got" ] &&
        grep -Eq 'layer 1 .*: (wrong version number|bad record type)' "$log" &&
        ! sed '1,/CCC/d' "$log" | grep '^depth=0'
}

if have curl; then
    check 'curl --ftp-ssl-ccc-mode active: 1 MB' curl_gets active
    check 'it is in TLS up to CCC, and in clear from there on' ccc_ends_tls
    check 'curl --ftp-ssl-ccc-mode passive: its clear text ends no layer' \
        curl_is_refused
    check 'the same, where the server drops the layer: 1 MB' \
        curl_gets passive -drop
    check 'it too is in TLS up to CCC, and in clear from there on' \
        ccc_ends_tls
else
    skip 'curl --ftp-ssl-ccc' 'no curl'
fi
if have lftp; then
    check 'lftp ftp:ssl-use-ccc: 1 MB, in TLS of its own' lftp_gets
    check 'it as well is in TLS up to CCC, and in clear from there on' \
        ccc_ends_tls
else
    skip 'lftp ftp:ssl-use-ccc' 'no lftp'
fi

done_with_peers
