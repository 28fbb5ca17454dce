#!/bin/sh
# mail.sh - onion_client -starttls lmtp, imap and smtp to dovecot, through two
# proxies.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2086 # words are meant

srcdir=${srcdir:-.}
# shellcheck source=test/interop/proxies.sh
. "$srcdir/test/interop/proxies.sh"
# shellcheck source=test/interop/client.sh
. "$srcdir/test/interop/client.sh"
need dovecot squid haproxy tinyproxy

user=$(id -un)
! is_root || user=nobody
free_port
imap=$port
free_port
lmtp=$port
free_port
smtp=$port
mkdir "$tmp/dovecot" "$tmp/mail"
cat >"$tmp/dovecot.conf" <<END
base_dir = $tmp/dovecot
state_dir = $tmp/dovecot
log_path = /dev/stderr
protocols = imap lmtp submission
listen = 127.0.0.1
default_login_user = $user
default_internal_user = $user
default_internal_group = $(id -gn $user)
first_valid_uid = 1
first_valid_gid = 1
ssl = required
ssl_cert = <$certs/inner.example.pem
ssl_key = <$certs/inner.example.key
hostname = inner.example
submission_relay_host = 127.0.0.1
submission_relay_port = 1
mail_location = maildir:$tmp/mail
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=$(id -u $user) gid=$(id -g $user) home=$tmp/mail
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service imap-login {
  chroot =
  inet_listener imap {
    port = $imap
  }
  inet_listener imaps {
    port = 0
  }
}
service submission-login {
  chroot =
  inet_listener submission {
    port = $smtp
  }
  inet_listener submissions {
    port = 0
  }
}
service lmtp {
  inet_listener lmtp {
    port = $lmtp
  }
}
END
peer dovecot dovecot -F -c "$tmp/dovecot.conf"
wait_port "$imap" || exit 99

make_names p1.example p2.example
connect_to="$imap $lmtp $smtp"
start_haproxy haproxy p2.example || exit 99
second=$port
connect_to=$second
start_squid squid p1.example || exit 99
hops="-via https://127.0.0.1:$port -servername p1.example"
hops="$hops -via https://127.0.0.1:$second -servername p2.example"

# talks SENT PROTOCOL PORT: to the end, which is the server's, and no other.
talks() {
    goes "$1" -ign_eof $hops -dest "tcp://127.0.0.1:$3" \
        -starttls "$2" -servername inner.example
    tail -n 5 "$tmp/came"
    [ "$goes_status" -eq 0 ]
}

crlf() {
    sed "s/\$/$(printf '\r')/"
}

# A message of 1 MB, in one piece, as the server says that it may come.
{
    printf 'Subject: load\n\n'
    cat "$tmp/sent-lines"
} | crlf >"$tmp/message"
{
    printf 'LHLO me\nMAIL FROM:<me@example>\nRCPT TO:<you>\nBDAT %d LAST\n' \
        "$(wc -c <"$tmp/message")" | crlf
    cat "$tmp/message"
    echo QUIT | crlf
} >"$tmp/lmtp"
printf 'a LOGIN you secret\nb SELECT INBOX\nc FETCH 1 BODY[TEXT]\nd LOGOUT\n' |
    crlf >"$tmp/imap"
printf 'EHLO me\nNOOP\nQUIT\n' | crlf >"$tmp/smtp"

lmtp_takes_it() {
    talks "$tmp/lmtp" lmtp "$lmtp" && grep -q '^250 .* Saved' "$tmp/came"
}

imap_gives_it() {
    talks "$tmp/imap" imap "$imap" || return 1
    tr -d '\r' <"$tmp/came" | sed -e '1,/FETCH (.*BODY/d' -e '/^)$/,$d' \
        >"$tmp/text"
    same "$tmp/sent-lines" "$tmp/text"
}

# AUTH is there in TLS only, and STARTTLS before only.
smtp_talks() {
    talks "$tmp/smtp" smtp "$smtp" && grep -q '^250.AUTH' "$tmp/came" &&
        ! grep -q STARTTLS "$tmp/came" && grep -q '^221 ' "$tmp/came"
}

each_asked_for_the_next() {
    cat "$tmp/squid.access" "$tmp/haproxy.access"
    grep -q "CONNECT 127.0.0.1:$second " "$tmp/squid.access" &&
        grep -q "CONNECT 127.0.0.1:$imap " "$tmp/haproxy.access"
}

name='through squid, tinyproxy behind haproxy, STARTTLS of dovecot'
check "$name LMTP: 1 MB delivered" lmtp_takes_it
check "$name IMAP: 1 MB fetched" imap_gives_it
check "$name SMTP: what is there in TLS only" smtp_talks
check 'squid was asked for the second, and that for dovecot' \
    each_asked_for_the_next
check 'dovecot has seen TLS' peer_says dovecot 'imap-login.*Login.*TLS'
check 'dovecot is not who was meant: layer 3' \
    is_refused 3 "\\[3 127.0.0.1:$imap\\].*certificate" $hops \
    -dest "tcp://127.0.0.1:$imap" -starttls imap -servername no.example
check 'another CA at the second proxy: layer 2' \
    is_refused 3 "\\[2 127.0.0.1:$second\\].*certificate" $hops \
    -CAfile "$certs/other-ca.pem" -dest "tcp://127.0.0.1:$imap" \
    -starttls imap -servername inner.example
done_with_peers
