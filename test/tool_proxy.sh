#!/bin/sh
# tool_proxy.sh - onion_client and the HTTP proxies on its way, which are good,
# refuse, babble, break off, or say nothing; what they are told; and their URLs.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2046,SC2086 # words are meant, in all of this

srcdir=${srcdir:-.}
# shellcheck source=test/hops.sh
. "$srcdir/test/hops.sh"

# Proxies
# -------

via="-via https://p1 $inner -dest https://host.example:443 $inner"
# An inner layer that the proxy's peer serves itself.
{ proxies 1 && inside; } | play
check 'CONNECT leads to TLS inside' passes -- $via
check 'the same, byte by byte' passes -slow 1 -- $via
{ proxies 3 | grep -v tls && inside; } | play
check 'three proxies without TLS' passes -- -via http://p1 \
    -via http://p2 -via http://p3 -dest https://host.example $inner

# answered SENTENCE LINE...: by a proxy that plays the lines
answered() {
    answered_name=$1
    shift
    ! left_out || return 0
    { printf '%s\n' tls head "$@" && inside; } | play
    check "$answered_name" passes -- $via
}
answered 'a 200 without a reason' '> HTTP/1.1 200\r\n\r\n'
answered 'lines that end with LF alone' '> HTTP/1.0 299 x\nA: b\n\n'
answered '1xx responses before the 200' \
    '> HTTP/1.1 100 a\r\nB: c\r\n\r\nHTTP/1.1 103 d\r\n\r\nHTTP/1.1 200 e\r\n\r\n'
answered 'a 200 that promises a body, which CONNECT has not' \
    '> HTTP/1.1 200 OK\r\nContent-Length: 500\r\nTransfer-Encoding: chunked\r\nA:\r\n\tb\r\n\r\n'
# With the status line and the empty one.
fields() {
    seq -s '\r\n' -f 'A%g: b' "$(($1 - 2))"
}
answered 'a head of 100 lines' \
    "> HTTP/1.1 200 OK\\r\\n$(fields 100)\\r\\n\\r\\n"

{ proxies 1 | nth 1 '&ready\n' && echo silent; } | play
hears=ready
check 'what comes behind the head in its segment is for whom comes next' \
    passes -- -via https://p1 $inner -dest tcp://h:1
hears=

# answers CODES PATTERN SENTENCE LINE...: the same, and the client says why it
# ends
answers() {
    answers_codes=$1
    answers_pattern=$2
    answers_name=$3
    shift 3
    ! left_out || return 0
    printf '%s\n' tls head "$@" silent | play
    # Only where time must run out: a slow machine needs more for a handshake.
    answers_how=
    [ "$answers_codes" != 2 ] || answers_how=impatient
    check "a proxy that answers $answers_name" $answers_how fails \
        "$answers_codes" "[[]1 .*$answers_pattern" -- $via
}
answers 6 '502: .Bad Gateway' 502 \
    '> HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno'
answers 6 '403: .*x1b' 'an escape code' '> HTTP/1.1 403 \x1b[2J\r\n\r\n'
answers 6 '302: .Found' 'that it is elsewhere' \
    '> HTTP/1.1 302 Found\r\nLocation: https://other/\r\n\r\n'
answers 5 101 101 '> HTTP/1.1 101 Switching\r\n\r\n'
answers 6 '407.*offers Negotiate, Digest, Basic; see -proxy_user' 407 \
    '> HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate: Digest realm="a, Basic b", nonce="c\\"d", Basic realm = "x"\r\n\r\n'
answers 6 'offers NTLM; this client knows Basic only' '407 without Basic' \
    '> HTTP/1.1 407 Auth\r\nProxy-Authenticate: NTLM\r\n\r\n'
answers 6 'offers no scheme' '407 without a scheme' '> HTTP/1.1 407 Auth\r\n\r\n'

answers 5 'this is not an HTTP/1 answer to CONNECT' 'as SSH does' \
    '> SSH-2.0-OpenSSH_9.2\r\n'
answers 5 'this is not.*x15' 'an alert of TLS' '> \x15\x03\x03\x00\x02\x02\x46'
answers 5 'this is not.*HTTP/2' 'HTTP/2' '> HTTP/2 200\r\n'
answers 5 'this is not.*20' 'a status of two digits' '> HTTP/1.1 20\r\n\r\n'
answers 5 'this is not.*2000' 'a status of four' '> HTTP/1.1 2000\r\n\r\n'
answers 5 'this is not.*600' 'a status that there is not' '> HTTP/1.1 600 x\r\n'
answers 5 'this is not' 'an empty line' '> \r\n\r\n'
answers 5 'this is not a field.*no colon' 'a field without a colon' \
    '> HTTP/1.1 200 OK\r\nno colon\r\n\r\n'
answers 5 'this is not a field' 'a field without a name' \
    '> HTTP/1.1 200 OK\r\n: x\r\n\r\n'
answers 5 NUL 'a NUL in a field' '> HTTP/1.1 200 OK\r\nA: \x00b\r\n\r\n'
answers 5 'this is not.*x00.x00' 'NULs' '> \x00\x00\x00'
answers 5 'too long|64 KiB' 'a field of 1 MiB' \
    '> HTTP/1.1 200 OK\r\n' 'x 1048576'
answers 5 'too long|64 KiB' 'a status line of 1 MiB' '> HTTP/1.1 ' 'x 1048576'
answers 5 'this is not' '1 MiB of x' 'x 1048576'
answers 5 '100 lines' 'a head of 101 lines' \
    "> HTTP/1.1 200 OK\\r\\n$(fields 101)\\r\\n\\r\\n"
answers 5 '100 lines' 'one 1xx after the other' \
    "> $(seq -s '' -f 'HTTP/1.1 1%02.0f x\r\n\r\n' 20 80)"
answers 2 '1 s' nothing
answers 2 '1 s' 'half a head' '> HTTP/1.1 200 OK\r\nA: b\r\n'

{ proxies 1 | nth 1 '&\x15\x03\x03\x00\x02\x02\x46' && echo silent; } | play
check 'a 200 with bytes of TLS in the same segment' fails 3 \
    '[[]2 .*handshake' -- $via
printf '%s\n' tls head | play
check 'a proxy that closes its layer instead of an answer' fails 5 \
    '[[]1 .*closed the layer where an HTTP/1 answer to CONNECT host.example:443' \
    -- $via
{ proxies 1 && inside; } | play
check 'a proxy that is cut off in its answer' fails 4 '[[]1 ' \
    -cut 1 -- $via

# User, password, headers
# -----------------------

# shown COUNT LINE: the peer has been sent the line so often
shown() {
    grep -cFx "$2$(printf '\r')" "$tmp/peer.log"
    [ "$(grep -cFx "$2$(printf '\r')" "$tmp/peer.log")" -eq "$1" ]
}

{ proxies 1 && proxies 1 | grep -v tls && inside; } | play
check 'a user and password for each proxy' passes -- \
    -via 'https://joe:a%3Ab%40@p1' $inner \
    -via 'http://p2:3128' -proxy_user jane -proxy_pass 'pass:x y' \
    -proxy_header 'X-A: 1' -proxy_header 'X-B: 2' \
    -dest 'https://[2001:db8::1]' $inner
cat "$tmp/peer.log" >"$tmp/peer.seen"
cat >"$tmp/must" <<'END'
CONNECT p2:3128 HTTP/1.1
Host: p2:3128
Proxy-Authorization: Basic am9lOmE6YkA=

CONNECT [2001:db8::1]:443 HTTP/1.1
Host: [2001:db8::1]:443
Proxy-Authorization: Basic amFuZTp4IHk=
X-A: 1
X-B: 2

END
as_it_must() {
    grep -v '^ACCEPT' "$tmp/peer.seen" | tr -d '\r' | diff "$tmp/must" -
}
check 'each proxy is told its own, and nothing else' as_it_must

printf 'x y\nmore\n' >"$tmp/pass"
{ proxies 1 | grep -v tls && echo echo; } | play
check 'a password from a descriptor, which is read once' passes -- \
    -via http://p1 -proxy_user jane -proxy_pass fd:5 -dest tcp://h:1 \
    5<"$tmp/pass"
check 'and is sent' shown 1 'Proxy-Authorization: Basic amFuZTp4IHk='

{ printf '%s\n' tls head '> HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n' \
    silent; } | play
check 'a user that the proxy does not know' fails 6 'did not take this user' \
    -- -via https://joe:secret@p1 $inner -dest https://h $inner
check 'the report says neither user nor password' says_no_secret

{ proxies 1 | grep -v tls && echo echo; } | play
check 'a Host field of the user takes the place of ours' passes -- \
    -via http://p1 -proxy_header 'host: other' -dest tcp://h:1
check 'and is sent once' shown 1 'host: other'
check 'alone' eval "! grep -q ^Host: '$tmp/peer.log'"

for i in "X: $crlf" 'X' ': x' 'X y: z' 'X : y' ''; do
    mistake 'proxy_header.*Name: value' "-proxy_header '${i%"$crlf"}'" \
        -via http://p -proxy_header "$i" -dest tcp://h:1
done
mistake 'no body' '-proxy_header with a length' -via http://p \
    -proxy_header 'content-length: 5' -dest tcp://h:1
mistake 'contradicts' '-proxy_header against -proxy_user' -via http://p \
    -proxy_user joe -proxy_header 'Proxy-Authorization: x' -dest tcp://h:1
mistake 'proxy_user.*control' 'a user with a line in it' -via http://p \
    -proxy_user "joe$crlf" -proxy_pass pass:secret -dest tcp://h:1
mistake 'proxy_pass.*control' 'a password with a line in it' -via http://p \
    -proxy_user joe -proxy_pass "pass:secret$crlf" -dest tcp://h:1
mistake 'colon' 'a user with a colon' -via http://p -proxy_user 'joe:x' \
    -dest tcp://h:1
mistake 'needs a -proxy_user' 'a password of nobody' -via http://p \
    -proxy_pass pass:secret -dest tcp://h:1

mistake 'nowhere' 'a file that is not there, of a proxy with a password' \
    -via https://joe:secret@p -cert "$tmp/nowhere" -dest tcp://h:1
mistake 'not an option' 'a URL in the place of an option' \
    https://joe:secret@p

# URLs
# ----

while read -r pattern url; do
    mistake "$pattern" "-via $url" -via "$url" -dest tcp://h:1
done <<END
begins p1:443
begins ftp://p1
begins tcp://p1:443
begins //p1
begins https:p1
host https://
host https:///
host https://:443
host https://joe:secret@
host https://joe:secret@:443
longer https://${long}0
brackets https://::1
brackets https://::1:443
IPv6 https://[]:443
IPv6 https://[127.0.0.1]
bracket https://[::1]443
bracket https://[::1
port https://p1:
port https://p1:0
port https://p1:-1
port https://p1:+1
port https://p1:65536
port https://p1:443abc
port https://p1:99999999999999999999443
port https://p1:0x50
port https://[::1]:0
nothing https://p1/path
nothing https://p1:443/?x
nothing https://p1#x
nothing https://joe:sec/secret@p1
xn-- https://bücher.example
character https://a_b!c
character https://a%41
character https://a*
user https://joe%0d%0a:secret@p1
user https://joe:secret%00@p1
user https://joe:secret%4@p1
user https://joe:secret%zz@p1
user https://joe:${long}00secret@p1
END
for url in http://h tcp://h:1/x tcp://joe:secret@h:1 tcp://h https://joe@h; do
    mistake -dest "-dest $url" -via http://p -dest "$url"
done
mistake 'must follow' 'a -via that leads nowhere' -via https://joe:secret@p1
mistake 'character|host' '-via with a space' -via 'https://a b' -dest tcp://h:1

# good_url AS URL: CONNECT is for AS.
good_url() {
    { proxies 1 | grep -v tls && echo echo; } | play
    check "-dest $2 is $1" passes -- -via http://p1 -dest "$2"
    check "-dest $2 is $1, as the proxy was told" shown 1 "CONNECT $1 HTTP/1.1"
}
good_url "${long}:1" "tcp://$long:1"
good_url 'h:65535' 'tcp://h:65535/'
good_url 'a-b_c.example.:443' 'TCP://a-b_c.example.:00443'
good_url '[::ffff:1.2.3.4]:5' 'tcp://[::ffff:1.2.3.4]:5'

done_testing
