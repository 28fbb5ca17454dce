# hops.sh - what the tests of the client's hops share: a client that meets a
# peer, whose part test/hop_peer plays from a play.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced. Sets: inner, the options of a layer that the peer serves; long,
# the longest name of a host; crlf, text with a line's end in it.

# shellcheck source=test/tools.sh
. "$srcdir/test/tools.sh"

ca=$certs/ca.pem
# shellcheck disable=SC2034 # for those who source this, as those below
inner='-servername inner.example'

# play: of stdin makes what the next peer will do.
play() {
    cat >"$tmp/play"
}

# meet OPTION...: starts a peer that plays it. Sets pid and address.
meet() {
    background "$tmp/peer.log" test/hop_peer \
        -cert "$certs/inner.example.pem" -key "$certs/inner.example.key" \
        "$@" "$tmp/play"
    # These tests have hundreds of peers, and a process more for each costs.
    until read -r meet_word address <"$tmp/peer.log" &&
        [ "$meet_word" = ACCEPT ]; do
        kill -0 "$pid" || return 1
        sleep 0.01
    done
}

# talk ARGUMENT...: the client says hello to the peer. Sets status.
talk() {
    echo hello | timeout 30 "$client" -connect "$address" -quiet \
        -CAfile "$ca" -timeout "${patience:-10}" "$@" \
        >"$tmp/out" 2>"$tmp/err"
    status=$?
}

# passes OPTION...: the client gets through and hears what it said. The peer has
# heard all that was due. What comes behind -- is for the peer.
passes() {
    peer_options=
    while [ "$1" != -- ]; do
        peer_options="$peer_options $1"
        shift
    done
    shift
    # shellcheck disable=SC2086 # words are meant
    meet $peer_options || return 1
    talk "$@"
    [ "$status" -ne 0 ] || wait "$pid"
    passes_peer=$?
    echo "client $status, peer $passes_peer; both must be 0"
    cat "$tmp/peer.log" "$tmp/err" "$tmp/out"
    [ "$status" -eq 0 ] && [ "$passes_peer" -eq 0 ] &&
        [ "$(cat "$tmp/out")" = "${hears:-hello}" ]
}

# fails CODES PATTERN OPTION... -- ARGUMENT...: the client ends with one of the
# codes, and says one line.
fails() {
    codes=$1
    pattern=$2
    shift 2
    peer_options=
    while [ "$1" != -- ]; do
        peer_options="$peer_options $1"
        shift
    done
    shift
    # shellcheck disable=SC2086 # words are meant
    meet $peer_options || return 1
    talk "$@"
    stop_background "$pid"
    judge "$codes" "$pattern"
}

# impatient COMMAND...: where the client waits for a second only
impatient() {
    patience=1
    "$@"
    impatient_status=$?
    patience=
    return "$impatient_status"
}

# judge CODES PATTERN: the same, of a client that has ended.
judge() {
    echo "status $status, must be one of $1; must say '$2'; says:"
    cat "$tmp/err"
    case " $1 " in *" $status "*) ;; *) return 1 ;; esac
    one_line <"$tmp/err" && grep -qE -e "$2" "$tmp/err" && [ ! -s "$tmp/out" ]
}

# of stdin, and no more
one_line() {
    read -r _ && ! read -r _
}

# shellcheck disable=SC2034
long=$(printf '%0255d' 0)
# shellcheck disable=SC2034
crlf=$(printf 'a\r\nb')

# nth COUNT TEXT: stdin, with the COUNT-th thing to send replaced; & in TEXT is
# what it was.
nth() {
    nth_left=$1
    while IFS= read -r nth_line; do
        case $nth_line in
        '>'*) nth_left=$((nth_left - 1)) ;;
        esac
        if [ "$nth_left" -eq 0 ]; then
            nth_left=-1
            case $2 in
            '&'*) nth_line=$nth_line${2#?} ;;
            *) nth_line=$2 ;;
            esac
        fi
        printf '%s\n' "$nth_line"
    done
}

# proxies COUNT: in front of a play
proxies() {
    for _ in $(seq "$1"); do
        printf '%s\n' tls head '> HTTP/1.1 200 OK\r\n\r\n'
    done
}

inside() {
    printf '%s\n' tls echo
}

# The report has neither the user nor the password.
says_no_secret() {
    cat "$tmp/err"
    ! grep -qE 'secret|am9lOnNlY3JldA|joe' "$tmp/err"
}

# mistake PATTERN SENTENCE ARGUMENT...: nothing is sent
mistake() {
    mistake_pattern=$1
    mistake_name=$2
    shift 2
    address=127.0.0.1:1
    talk "$@"
    check "$mistake_name" judge 1 "$mistake_pattern"
    check "$mistake_name: no secret is shown" says_no_secret
}
