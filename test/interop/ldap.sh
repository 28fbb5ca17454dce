#!/bin/sh
# ldap.sh - onion_client -starttls ldap to slapd, for ldapadd and ldapsearch.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/pipe.sh
. "$srcdir/test/interop/pipe.sh"
need slapd ldapadd ldapsearch

# A schema of its own, so that none of /etc is needed; and nothing in clear.
mkdir "$tmp/slapd"
cat >"$tmp/slapd.conf" <<END
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $tmp/slapd/pid
argsfile $tmp/slapd/args
security tls=128
sockbuf_max_incoming_auth 4000000
TLSCACertificateFile $certs/ca.pem
TLSCertificateFile $certs/outer.example.pem
TLSCertificateKeyFile $certs/outer.example.key
attributetype ( 1.3.6.1.4.1.32473.1 NAME 'load'
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.32473.2 NAME 'cart' STRUCTURAL MUST ( cn $ load ) )
database mdb
suffix "cn=carts"
rootdn "cn=carts"
rootpw secret
directory $tmp/slapd
END
free_port
at=127.0.0.1:$port
peer slapd slapd -d 256 -f "$tmp/slapd.conf" -h "ldap://$at"
wait_port "$port" || exit 99

{
    printf 'dn: cn=carts\nobjectClass: cart\ncn: carts\nload:: '
    openssl base64 -A -in "$tmp/sent"
    echo
} >"$tmp/entry"

adds() {
    timeout 60 ldapadd -x -H "$pipe" -D cn=carts -w secret -f "$tmp/entry"
}

finds() {
    timeout 60 ldapsearch -x -LLL -o ldif-wrap=no -H "$pipe" -D cn=carts \
        -w secret -b cn=carts load | sed -n 's/^load:: //p' |
        openssl base64 -d -A >"$tmp/came"
    same "$tmp/sent" "$tmp/came"
}

# slapd refuses it in clear, so that what went well has gone in TLS.
is_refused_in_clear() {
    timeout 60 ldapsearch -x -H "ldap://$at" -D cn=carts -w secret \
        -b cn=carts load >"$tmp/check.clear" 2>&1
    cat "$tmp/check.clear"
    grep -q 'confidentiality required' "$tmp/check.clear"
}

for version in 1_2 1_3; do
    start_pipe "pipe-$version" -connect "$at" -starttls ldap \
        -servername outer.example "-tls$version" || exit 99
    pipe=ldap://127.0.0.1:$port
    [ $version = 1_3 ] ||
        check "ldapadd through onion_client to slapd, TLS $version: 1 MB" adds
    check "ldapsearch through onion_client to slapd, TLS $version: 1 MB" finds
    check "slapd has seen StartTLS and TLS 1.${version#*_}" \
        peer_says slapd "TLS established.*TLS.*1.${version#*_}"
    stop_background "$pid"
done
check 'slapd takes nothing in clear' is_refused_in_clear
check 'slapd is not who was meant: layer 1' \
    is_refused 3 "\\[1 $at\\].*certificate" -connect "$at" -starttls ldap \
    -servername no.example
done_with_peers
