#!/bin/sh
# tool_config.sh - both tools by a file alone: -config and -section.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

make_cert "$certs" ca me.example ec &&
    make_cert "$certs" ca localhost ec || exit 99
# Of files, @ is where the certificates are.
in_certs() { sed "s|@|$certs/|g"; }

# A service behind a proxy, which both demand a certificate of the client.
in_certs >"$tmp/server.cnf" <<'EOF'
[proxy]
accept = 127.0.0.1:0
proxy = yes
proxy_allow = localhost:*
role = server
layers = of_proxy

[of_proxy]
Certificate = @localhost.pem
PrivateKey = @localhost.key
ssl_conf = clients

[service]
accept = 127.0.0.1:0
echo = yes
role = server
layers = of_service

[of_service]
ssl_conf = clients
Certificate = @inner.example.pem
PrivateKey = @inner.example.key
MinProtocol = TLSv1.3
alpn = echo

[clients]
VerifyCAFile = @ca.pem
ClientCAFile = @ca.pem
EOF

start_server service -config "$tmp/server.cnf" -section service || exit 99
service_port=${address##*:}
start_server proxy -config "$tmp/server.cnf" -section proxy || exit 99
proxy_port=${address##*:}

write_client() {
    cat <<EOF
[onion]
layers = to_proxy, to_service
role = client
quiet = yes
timeout = 10

[to_proxy]
via = https://localhost:$proxy_port
VerifyCAFile = @ca.pem
Certificate = @me.example.pem
PrivateKey = @me.example.key

[to_service]
dest = https://localhost:$service_port
host = inner.example
alpn = echo
ssl_conf = me

[me]
VerifyCAFile = @ca.pem
Certificate = @me.example.pem
PrivateKey = @me.example.key
EOF
}

# edit SCRIPT: of sed, for the file of the client.
edit() {
    write_client | sed "$1" | in_certs >"$tmp/client.cnf"
}

# talk ARGUMENT...: what comes back is in said, what is wrong in wrong.
talk() {
    echo hello | "$client" -config "$tmp/client.cnf" "$@" >"$tmp/said" \
        2>"$tmp/wrong"
    code=$?
}

comes_back() {
    edit "$1"
    shift
    talk "$@"
    cat "$tmp/wrong"
    [ "$code" = 0 ] && [ "$(cat "$tmp/said")" = hello ]
}

# ends CODE WORDS SCRIPT [ARGUMENT...]
ends() {
    expected=$1 words=$2
    edit "$3"
    shift 3
    talk "$@"
    cat "$tmp/wrong"
    [ "$code" = "$expected" ] && [ ! -s "$tmp/said" ] &&
        [ "$(wc -l <"$tmp/wrong")" -eq 1 ] && grep -q -- "$words" "$tmp/wrong"
}

check 'a file alone describes two layers through a proxy, with certificates' \
    comes_back ''
check 'a layer without the certificate that a server demands is refused' \
    ends 3 '\[2 .*required' 's|ssl_conf = me|VerifyCAFile = @ca.pem|'
check 'the outer layer is refused without one too' \
    ends 3 '\[1 .*required' \
    '/^\[to_proxy/,/^\[to_service/{/Certificate/d;/PrivateKey/d;}'
check 'a host that is not that of the certificate is refused' \
    ends 3 '\[2 .*hostname' 's/^host = .*/host = other.example/'
check 'without a host the certificate must be for the one of the URL' \
    ends 3 '\[2 .*hostname' '/^host = /d'
check 'another authority is not trusted for being left out' \
    ends 3 '\[1 .*certificate' '/^\[to_proxy/,/^\[to_service/{/VerifyCA/d;}'
check 'no protocol in common is refused' \
    ends 3 '\[2 ' 's/^alpn = .*/alpn = other/'

check 'an unknown key is told with file, line, section and key' \
    ends 1 'client.cnf:9: \[to_proxy\] VerifyCAFil: ' \
    's/^VerifyCAFile/VerifyCAFil/'
check 'an unknown option of the program is told so too' \
    ends 1 'client.cnf:4: \[onion\] quite: ' 's/^quiet/quite/'
check 'an option of a layer that would trust more is not known in a file' \
    ends 1 'client.cnf:8: \[to_proxy\] insecure: ' 's/^via.*/insecure = yes/'
check 'a wrong value of an option is told with its line' \
    ends 1 'client.cnf:5: -timeout needs a number' \
    's/^timeout = .*/timeout = x/'
check 'a flag is yes or no' \
    ends 1 'client.cnf:4: -quiet must be yes or no' 's/^quiet = .*/quiet = 1/'
check 'a layer is opened in one way' \
    ends 1 'client.cnf:9: push: the layer is opened by via' \
    's/^via.*/&\npush = yes/'
check 'a layer of a client is not one of a server' \
    ends 1 'layer 2: its section has the role of a server' \
    '/^host/d; /^ssl_conf/d
    /^\[to_service/a role = server
    /^alpn/a Certificate = @localhost.pem
    /^alpn/a PrivateKey = @localhost.key'
no_file() {
    rm "$tmp/client.cnf"
    talk
    cat "$tmp/wrong"
    [ "$code" = 1 ] && grep -q 'client.cnf: No such file' "$tmp/wrong"
}
check 'a file that is not there is told' no_file
check 'a section that is not there is told' \
    ends 1 'there is no section \[none\]' '' -section none
check 'options of all layers do not mix with a file' \
    ends 1 '-config has the options of its layers' '' -CAfile "$certs/ca.pem"

check 'the command line goes before the file, where a flag can be no' \
    comes_back 's/^quiet = yes/quiet = no\nign_eof = no/' -quiet

# loads PROGRAM FILE SECTION ARGUMENT...: all that is wrong is an argument.
loads() {
    tool=$1 file=$2 section=$3
    shift 3
    sed "s|/etc/onion|$certs|" "$tmp/$file.file" >"$tmp/$file"
    "$tool" -config "$tmp/$file" -section "$section" "$@" 2>"$tmp/wrong" \
        </dev/null
    code=$?
    cat "$tmp/wrong"
    [ "$code" -ne 0 ] && ! grep -q "$file" "$tmp/wrong"
}

examples_load() {
    awk -v dir="$tmp" -f "$srcdir/test/man_examples.awk" \
        "$srcdir/bio_onion/onion_config.5"
    for name in me service; do
        cp "$certs/me.example.pem" "$certs/$name.pem"
        cp "$certs/me.example.key" "$certs/$name.key"
    done
    loads "$client" service.cnf client -connect 127.0.0.1:1 &&
        loads "$server" service.cnf server -accept nowhere:x -echo &&
        loads "$client" tools.cnf tunnel -connect 127.0.0.1:1 &&
        loads "$server" tools.cnf proxy -accept nowhere:x
}
check 'the examples of the page are right' examples_load

done_testing
