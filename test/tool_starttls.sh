#!/bin/sh
# tool_starttls.sh - onion_client asks for TLS in each protocol that it knows,
# of servers that are good, refuse, break off, babble, inject, or say nothing.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2030,SC2031,SC2046,SC2086 # words are meant, in all of this

srcdir=${srcdir:-.}
# shellcheck source=test/hops.sh
. "$srcdir/test/hops.sh"

# Plays of good servers. The last thing that each sends before tls is its
# agreement.
# ---------------------------------------------------------------------------

protocols='smtp lmtp imap pop3 ftp ldap xmpp xmpp-server nntp sieve postgres
    mysql telnet irc'

tls_in_xmpp='urn:ietf:params:xml:ns:xmpp-tls'

# xmpp NAMESPACE
xmpp() {
    cat <<-END
	< <?xml version='1.0'?><stream:stream xmlns='$1' xmlns:stream='http://etherx.jabber.org/streams' to='chat.example' version='1.0'>
	> <?xml version='1.0'?>\n<stream:stream from='chat.example' id='a>b' xmlns='$1' xmlns:stream="http://etherx.jabber.org/streams" version='1.0'>
	> <stream:features><starttls xmlns='$tls_in_xmpp'><required/></starttls><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>
	< <starttls xmlns='$tls_in_xmpp'/>
	> <proceed xmlns='$tls_in_xmpp'/>
	END
}

# good PROTOCOL: up to the agreement
good() {
    case $1 in
    smtp | lmtp)
        hello=EHLO
        [ "$1" = smtp ] || hello=LHLO
        cat <<-END
	> 220-mail.example ESMTP\r\n220 at your service\r\n
	< $hello me.example\r\n
	> 250-mail.example\r\n250-SIZE 1000\r\n250-StartTLS\r\n250 HELP\r\n
	< STARTTLS\r\n
	> 220 go ahead\r\n
	END
        ;;
    imap)
        cat <<-'END'
	> * OK [CAPABILITY IMAP4rev1] ready\r\n
	< a CAPABILITY\r\n
	> * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n* OK still here\r\na OK done\r\n
	< b STARTTLS\r\n
	> b OK begin TLS\r\n
	END
        ;;
    pop3)
        cat <<-'END'
	> +OK POP3 ready\r\n
	< CAPA\r\n
	> +OK\r\nTOP\r\nSTLS\r\nUIDL\r\n.\r\n
	< STLS\r\n
	> +OK begin TLS\r\n
	END
        ;;
    ftp)
        cat <<-'END'
	> 120 in a minute\r\n
	> 220-welcome\r\n 220 is not the end\r\n230 neither\r\n220 now\r\n
	< AUTH TLS\r\n
	> 234 go ahead\r\n
	END
        ;;
    ldap)
        cat <<-'END'
	< \x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037
	> \x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00
	END
        ;;
    xmpp) xmpp jabber:client ;;
    xmpp-server) xmpp jabber:server ;;
    nntp)
        cat <<-'END'
	> 201 no posting\r\n
	< CAPABILITIES\r\n
	> 101 list\r\nVERSION 2\r\nSTARTTLS\r\nREADER\r\n.\r\n
	< STARTTLS\r\n
	> 382 go ahead\r\n
	END
        ;;
    sieve)
        cat <<-'END'
	> "IMPLEMENTATION" "x"\r\n"SIEVE" {5}\r\nOK\r\nx\r\n"STARTTLS"\r\nOK "ready"\r\n
	< STARTTLS\r\n
	> OK "begin TLS"\r\n
	END
        ;;
    postgres)
        cat <<-'END'
	< \x00\x00\x00\x08\x04\xd2\x16\x2f
	> S
	END
        ;;
    mysql)
        cat <<-'END'
	> \x27\x00\x00\x00\x0a8.0.30\x00\x01\x00\x00\x00saltsalt\x00\x00\x8a\x21\x00\x00\x00\x00\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00
	< \x20\x00\x00\x01\x01\x8a\x08\x00\x00\x00\x00\x01\x21\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00
	END
        ;;
    telnet)
        # It offers ECHO, asks for NAWS, and has a word for who cannot wait.
        cat <<-'END'
	> welcome\r\n\xff\xfb\x01\xff\xfd\x1f\xff\xfd\x2e
	< \xff\xfe\x01\xff\xfc\x1f\xff\xfb\x2e\xff\xfa\x2e\x01\xff\xf0
	> \xff\xfa\x2e\x01\xff\xf0
	END
        ;;
    irc)
        cat <<-'END'
	< STARTTLS\r\n
	> :irc.example NOTICE * :*** Looking up your hostname\r\n:irc.example 670 * :STARTTLS successful\r\n
	END
        ;;
    esac
}

# Each protocol
# -------------

# words PROTOCOL: the options of the hop
words() {
    echo "-starttls $1"
    case $1 in
    smtp | lmtp) echo '-name me.example' ;;
    xmpp*) echo '-name chat.example' ;;
    esac
    echo "$inner"
}

# With ONION_QUICK one of each kind meets all that can go wrong, and the others
# only what is right, a word too much, and silence.
for p in $protocols; do
    { good "$p" && inside; } | play
    check "$p: gets through to TLS" passes -- $(words "$p")
    { good "$p" | nth "$(good "$p" | grep -c '^>')" '&injected\r\n' &&
        inside; } | play
    check "$p: text behind the agreement" fails 5 '[[]0 .*inject' -- \
        $(words "$p")
    case ${ONION_QUICK:+quick}$p in
    quicksmtp | quickxmpp | quickldap | quicktelnet) ;;
    quick*) continue ;;
    esac
    { good "$p" && inside; } | play
    check "$p: gets through to TLS, byte by byte" passes -slow 1 -- $(words "$p")
    { proxies 2 && good "$p" && inside; } | play
    check "$p: gets through to TLS, behind two proxies" passes -- \
        -via https://p1 $inner -via https://p2 $inner \
        -dest tcp://mail.example:1 $(words "$p")

    sends=$(good "$p" | grep -c '^>')
    for i in $(seq "$sends"); do
        { good "$p" && inside; } | play
        check "$p: cut off in answer $i" fails 5 '[[]0 .*ended the connection' \
            -cut "$i" -- $(words "$p")
        { good "$p" | nth "$i" '> \x01\x02 babble\x80\r\nand more\r\n' &&
            echo silent; } | play
        codes=5
        how=
        # Text is what a Telnet server may say at any time.
        [ "$p" != telnet ] || { codes='2 5' && how=impatient; }
        check "$p: babble for answer $i" $how fails "$codes" '[[]0 ' -- \
            $(words "$p")
    done
    { proxies 1 && good "$p" && inside; } | play
    check "$p: cut off inside a layer" fails 4 '[[]1 ' \
        -cut $((1 + sends)) -- -via https://p1 $inner \
        -dest tcp://mail.example:1 $(words "$p")
done

# The peer says nothing, to all of them at once.
silent() {
    silent_jobs=
    echo silent | play
    for p in $protocols; do
        meet
        (
            mkdir "$tmp/silent.$p" && tmp=$tmp/silent.$p
            patience=1 talk $(words "$p")
            judge 2 '[[]0 .*1 s' >"$tmp/judgement"
            echo $? >"$tmp/result"
        ) &
        silent_jobs="$silent_jobs $!"
    done
    wait $silent_jobs
}
silent
for p in $protocols; do
    if [ "$(cat "$tmp/silent.$p/result")" = 0 ]; then
        ok "$p: a server that says nothing"
    else
        not_ok "$p: a server that says nothing" "$tmp/silent.$p/judgement"
    fi
done

good smtp | play
check 'a server that dribbles runs out of time' impatient fails 2 '1 s' \
    -slow 100 -- -starttls smtp $inner

# Servers that will not
# ---------------------

# refusal PROTOCOL COUNT PATTERN SENTENCE LINE...: the lines of a play come in the
# place of what the good one does from its COUNT-th thing to send on.
refusal() {
    refusal_protocol=$1
    refusal_count=$2
    refusal_pattern=$3
    refusal_name=$4
    shift 4
    {
        good "$refusal_protocol" | before "$refusal_count"
        printf '%s\n' "$@" silent
    } | play
    check "$refusal_protocol: $refusal_name" fails 6 "[[]0 .*$refusal_pattern" \
        -- $(words "$refusal_protocol")
}

# before COUNT: stdin up to what it sends for the COUNT-th time
before() {
    awk -v n="$1" '/^>/ && --n == 0 { exit } { print }'
}

for p in smtp lmtp; do
    refusal $p 1 '554 not from you' 'a server that does not serve' \
        '> 554-no\r\n554 not from you\r\n'
    refusal $p 2 '502 what' 'a server without extensions' '> 502 what\r\n'
    refusal $p 2 'offers no STARTTLS' 'a server that does not offer it' \
        '> 250-a\r\n250-XSTARTTLS\r\n250-SIZE STARTTLS2\r\n250 b\r\n'
    refusal $p 3 '454 no .x1b.31mred' 'a server that offers it, and refuses' \
        '> 454 no \x1b[31mred\r\n'
done

refusal imap 1 'PREAUTH' 'a server that takes us for somebody' \
    '> * PREAUTH hello\r\n'
refusal imap 1 BYE 'a server that does not serve' '> * BYE hello\r\n'
refusal imap 2 'offers no STARTTLS' 'a server that does not offer it' \
    '> * CAPABILITY IMAP4rev1 XSTARTTLS\r\na OK x\r\n'
refusal imap 2 'BYE good night' 'a server that goes away' \
    '> * BYE good night\r\n'
refusal imap 3 'b BAD never' 'a server that offers it, and refuses' \
    '> b BAD never\r\n'

refusal pop3 1 busy 'a server that does not serve' '> -ERR busy\r\n'
refusal pop3 2 'offers no STLS' 'a server that does not offer it' \
    '> +OK\r\nTOP\r\n.\r\n'
refusal pop3 3 never 'a server that offers it, and refuses' '> -ERR never\r\n'
{
    printf '%s\n' '> +OK\r\n' '< CAPA\r\n' '> -ERR what\r\n' '< STLS\r\n' \
        '> +OK\r\n'
    inside
} | play
check 'pop3: a server without CAPA, but with STLS' passes -- $(words pop3)

refusal ftp 1 421 'a server that does not serve' '> 421 too many\r\n'
refusal ftp 3 '534 policy' 'a server that refuses' \
    '> 534-not\r\n with that\r\n534 policy\r\n'

refusal nntp 1 '400 no' 'a server that does not serve' '> 400 no\r\n'
refusal nntp 2 'offers no STARTTLS' 'a server that does not offer it' \
    '> 101 list\r\nREADER\r\n.\r\n'
refusal nntp 3 '580 cannot' 'a server that offers it, and refuses' \
    '> 580 cannot\r\n'
{
    printf '%s\n' '> 200 x\r\n' '< CAPABILITIES\r\n' '> 500 what\r\n' \
        '< STARTTLS\r\n' '> 382 go\r\n'
    inside
} | play
check 'nntp: a server without CAPABILITIES, but with STARTTLS' passes -- \
    $(words nntp)

refusal sieve 1 closed 'a server that does not serve' '> NO "closed"\r\n'
refusal sieve 1 'offers no STARTTLS' 'a server that does not offer it' \
    '> "SIEVE" "STARTTLS"\r\nOK\r\n'
refusal sieve 2 refused 'a server that offers it, and refuses' \
    '> NO {5}\r\nnever\r\n'

for p in xmpp xmpp-server; do
    refusal $p 1 'host-unknown' 'a server of another domain' \
        "> <stream:stream><stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    refusal $p 2 'offers no STARTTLS' 'a server that does not offer it' \
        "> <features xmlns='http://etherx.jabber.org/streams'><sasl/></features>"
    refusal $p 2 'offers no STARTTLS' 'a server that offers nothing' \
        '> <stream:features/>'
    refusal $p 3 'refused' 'a server that offers it, and refuses' \
        "> <failure xmlns='$tls_in_xmpp'/></stream:stream>"
done
{ good xmpp | nth 3 "> <proceed xmlns='$tls_in_xmpp'>\\n</proceed>" &&
    inside; } | play
check 'xmpp: an agreement with an end tag' passes -- $(words xmpp)
{ good xmpp | nth 2 '> <!DOCTYPE x>' && inside; } | play
check 'xmpp: a DTD' fails 5 DOCTYPE -- $(words xmpp)

refusal ldap 1 'result 52.: .never' 'a server that refuses' \
    '> \x30\x11\x02\x01\x01\x78\x0c\x0a\x01\x34\x04\x00\x04\x05never'
refusal ldap 1 'disconnects.*never' 'a server that disconnects' \
    '> \x30\x11\x02\x01\x00\x78\x0c\x0a\x01\x34\x04\x00\x04\x05never'
# Lengths of one to five bytes, a referral and the OID behind.
n=0
for i in '\x30\x81\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00' \
    '\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00' \
    '\x30\x82\x00\x0f\x02\x02\x00\x01\x78\x81\x08\x0a\x01\x00\x04\x00\x04\x81\x00' \
    '\x30\x12\x02\x01\x01\x78\x0d\x0a\x01\x00\x04\x00\x04\x00\xa3\x02\x04\x00\x8a\x00'; do
    { good ldap | nth 1 "> $i" && inside; } | play
    n=$((n + 1))
    check "ldap: form $n of a good reply" passes -- $(words ldap)
done
n=0
for i in '\x30\x80\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00\x00\x00' \
    '\x30\x85\x00\x00\x00\x00\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00' \
    '\x30\x84\xff\xff\xff\xff\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00' \
    '\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00' \
    '\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00' \
    '\x30\x0c\x02\x01\x01\x78\x7f\x0a\x01\x00\x04\x00\x04\x00' \
    '\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\xff\x04\x00\x04\x00' \
    '\x30\x0a\x02\x01\x01\x78\x05\x0a\x01\x00\x04\x00' \
    '\x30\x0c\x02\x01\x01\x78\x80\x0a\x01\x00\x04\x00\x04\x00' \
    '\x30\x00'; do
    { good ldap | nth 1 "> $i" && echo silent; } | play
    n=$((n + 1))
    check "ldap: form $n of a bad reply" fails 5 '[[]0 ' -- $(words ldap)
done

refusal postgres 1 'has no TLS' 'a server without TLS' '> N'
refusal postgres 1 'error' 'a server that answers an error' \
    '> E\x00\x00\x00\x10SFATAL'

refusal mysql 1 'has no TLS' 'a server without TLS' \
    '> \x27\x00\x00\x00\x0a8.0.30\x00\x01\x00\x00\x00saltsalt\x00\x00\x82\x21\x00\x00\x00\x00\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00'
refusal mysql 1 'no.x00' 'a server that does not serve' \
    '> \x0c\x00\x00\x00\xff\x69\x04#08004no\x00'
refusal mysql 1 'too many' 'a server that does not serve, with no state' \
    '> \x0b\x00\x00\x01\xff\x69\x04too many'
{ printf '%s\n' '> \x09\x00\x00\x00\x0a8.0.30\x00\x01' silent; } | play
check 'mysql: a greeting without flags' fails 5 'greeting' -- $(words mysql)

refusal telnet 1 refused 'a server that refuses' '> \xff\xfe\x2e'
refusal telnet 2 refused 'a server that asks for it, and refuses' \
    '> \xff\xfe\x2e'

for i in ':irc.example 691 * :no' ':irc.example 421 * STARTTLS :what' \
    'ERROR :Closing Link'; do
    refusal irc 1 "refused.*${i##*:}" "a server that answers '$i'" "> $i\\r\\n"
done

# Names
# -----

mistake 'no protocol' '-starttls of no protocol' -starttls gopher $inner
for i in "$crlf" 'a b' '' "x'y" '<x>' "${long}0"; do
    mistake 'no name' "-starttls xmpp -name '${i%"$crlf"}'" -starttls xmpp -name "$i" $inner
    mistake 'no name' "-starttls smtp -name '${i%"$crlf"}'" -starttls smtp -name "$i" $inner
done

done_testing
