#!/bin/sh
# proftpd.sh - onion_client -starttls ftp to proftpd, and back to clear text
# with CCC.
#
# SPDX-License-Identifier: Apache-2.0

srcdir=${srcdir:-.}
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"
need proftpd

# Before CCC there is no login and no data in clear.
user=$(id -un)
group=$(id -gn)
! is_root || user=nobody group=nogroup
mkdir "$tmp/ftp" "$tmp/ftp/home"
free_port
at=127.0.0.1:$port
cat >"$tmp/proftpd.conf" <<END
ModulePath /usr/lib/proftpd
LoadModule mod_tls.c
ServerType standalone
Port $port
DefaultAddress 127.0.0.1
SocketBindTight on
User $user
Group $group
PidFile $tmp/ftp/pid
ScoreboardFile $tmp/ftp/scoreboard
ControlsEngine off
ControlsSocket $tmp/ftp/controls
DelayEngine off
UseReverseDNS off
WtmpLog off
SystemLog $tmp/proftpd-system.log
TransferLog none
RequireValidShell off
AuthOrder mod_auth_file.c
AuthUserFile $tmp/ftp/passwd
TLSEngine on
TLSLog $tmp/proftpd-tls.log
TLSProtocol TLSv1.2 TLSv1.3
TLSRSACertificateFile $certs/outer.example.pem
TLSRSACertificateKeyFile $certs/outer.example.key
TLSRequired auth
TLSVerifyClient off
END
printf 'me:%s:%d:%d::%s:/bin/sh\n' "$(openssl passwd -5 secret)" \
    "$(id -u "$user")" "$(id -g "$user")" "$tmp/ftp/home" >"$tmp/ftp/passwd"
chmod 600 "$tmp/ftp/passwd"
peer proftpd proftpd -n -c "$tmp/proftpd.conf"
wait_port "$port" || exit 99

# says LINE PATTERN: and is answered so.
says() {
    (trap '' PIPE && echo "$1" >&5)
    wait_for 20 grep -q "$2" "$tmp/came" || {
        echo "to '$1' came no '$2', but:"
        tail -n 5 "$tmp/came" "$tmp/client.log"
        return 1
    }
}

# talk VERSION: proftpd closes TLS first. What happens is in $tmp/came and $tmp/client.log.
talk() {
    rm -f "$tmp/typed"
    mkfifo "$tmp/typed"
    : >"$tmp/came"
    : >"$tmp/client.log"
    timeout 60 "$client" -connect "$at" -starttls ftp -crlf "-tls$1" \
        -require_depth 0 -CAfile "$certs/ca.pem" -servername outer.example \
        <"$tmp/typed" >"$tmp/came" 2>"$tmp/client.log" &
    talk_pid=$!
    exec 5>"$tmp/typed"
    says 'USER me' '^331 ' && says 'PASS secret' '^230 ' &&
        says 'PBSZ 0' '^200 PBSZ' && says 'CCC' '^200 Clearing' &&
        wait_for 20 is_closed && says 'PWD' "^257 \"$tmp/ftp/home\"" && says 'QUIT' '^221 '
    talk_status=$?
    exec 5>&-
    wait "$talk_pid" && return "$talk_status"
}

is_closed() {
    grep -q '\[1 [^]]*\] closed by' "$tmp/client.log"
}

in_clear() {
    cat "$tmp/proftpd-tls.log"
    grep -q "TLSv1.$1 connection accepted" "$tmp/proftpd-tls.log" &&
        grep -q 'received CCC, clearing control channel' \
            "$tmp/proftpd-tls.log"
}

for version in 1_2 1_3; do
    check "proftpd, TLS $version: USER to CCC, then PWD in clear" talk $version
    check "proftpd has seen TLS 1.${version#*_}, and CCC" \
        in_clear ${version#*_}
done
check 'proftpd is not who was meant: layer 1' \
    is_refused 3 "\\[1 $at\\].*certificate" -connect "$at" -starttls ftp \
    -servername no.example
done_with_peers
