#!/bin/sh
# tool_layer_options.sh - the options of a layer, of both tools and over TCP:
# each does what s_client's option of that name does, and what is wrong with
# one is said in one line.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

# What libtool puts before a program takes longer than the program.
if [ -x demos/.libs/onion_client ] && [ -x demos/.libs/onion_server ]; then
    LD_LIBRARY_PATH=$PWD/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
    client=demos/.libs/onion_client
    server=demos/.libs/onion_server
fi

ca=$certs/ca.pem
rsa=$certs/outer.example.pem
rsa_key=$certs/outer.example.key
ec=$certs/middle.example.pem
ec_key=$certs/middle.example.key
trust="-CAfile $ca -servername outer.example"
nobody='-connect 127.0.0.1:1'
listen='-line -accept 127.0.0.1:0'

# A terminal would be asked for pass phrases.
alone=
have setsid && alone='setsid -w'

# status_is CODE COMMAND...: what it says is in $tmp/out and $tmp/err.
status_is() {
    code=$1
    shift
    # shellcheck disable=SC2086 # words are meant
    $alone timeout 30 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    status=$?
    echo "status $status, must be $code; says:"
    cat "$tmp/err" "$tmp/out"
    [ "$status" -eq "$code" ]
}

# fails CODE PATTERN COMMAND...: with one line that says so.
fails() {
    pattern=$2
    fails_code=$1
    shift 2
    echo "must say '$pattern'"
    status_is "$fails_code" "$@" && [ "$(wc -l <"$tmp/err")" -eq 1 ] &&
        grep -qE -e "$pattern" "$tmp/err"
}

# wrong SENTENCE PATTERN OPTION...: a mistake to either tool. They share what
# reads the options, so that they may take turns.
turn=0
wrong() {
    wrong_name=$1
    wrong_pattern=$2
    shift 2
    ! left_out || return 0
    turn=$((1 - turn))
    # shellcheck disable=SC2086 # words are meant
    if [ $turn -eq 1 ]; then
        check "$wrong_name: onion_client says so" \
            fails 1 "$wrong_pattern" "$client" $nobody "$@"
    else
        check "$wrong_name: onion_server says so" \
            fails 1 "$wrong_pattern" "$server" $listen "$@"
    fi
}

# talk OPTION...: one layer to $address, and what INFO says of it.
talk() {
    status_is 0 "$client" -connect "$address" -layers 1 \
        -script 'INFO;hello;QUIT' "$@"
}

# talks_as PATTERN OPTION...: and INFO is like this.
talks_as() {
    talks_pattern=$1
    shift
    echo "INFO must be '$talks_pattern'"
    talk "$@" && grep -qE -e "^< depth=1 .*$talks_pattern" "$tmp/out"
}

# refused PATTERN OPTION...: the client refuses its peer, in one line.
refused() {
    refused_pattern=$1
    shift
    fails 3 "$refused_pattern" "$client" -connect "$address" -layers 1 \
        -script 'hello;QUIT' "$@"
}

# serve OPTION...: a server for one layer. Sets pid, log and address.
serve() {
    # shellcheck disable=SC2086 # words are meant
    start_server "server$tap_count" $listen -layers 1 "$@" || exit 99
}

# s_server OPTION...: OpenSSL's. Sets pid, log and address.
mkfifo "$tmp/open"
exec 5<>"$tmp/open"
s_server() {
    log=$tmp/s_server$tap_count.log
    stdin=$tmp/open
    background "$log" openssl s_server -accept 127.0.0.1:0 "$@"
    stdin=
    wait_for 20 grep -q '^ACCEPT ' "$log" || exit 99
    address=$(sed -n 's/^ACCEPT //p' "$log" | head -n 1)
}

# s_client OPTION...: OpenSSL's, to $address. What it says is in $tmp/s_client.
s_client() {
    printf 'hello\nQUIT\n' | timeout 30 openssl s_client \
        -connect "$address" -CAfile "$ca" -ign_eof "$@" >"$tmp/s_client" 2>&1
    cat "$tmp/s_client"
}

# visit OPTION...: a layer that is started and stopped, and nothing said.
visit() {
    status_is 0 "$client" -connect "$address" -layers 1 "$@"
}

# The command line
# ----------------

wrong 'an option twice' 'CAfile is given twice' -CAfile "$ca" -CAfile "$ca"
wrong 'a choice twice' 'tls1_2 is given twice' -tls1_2 -tls1_2
wrong 'a number twice' 'max_send_frag is given twice' \
    -max_send_frag 600 -max_send_frag 700
wrong 'a command of SSL_CONF twice' 'groups is given twice' \
    -groups X25519 -groups P-256
wrong 'two versions' 'tls1_3 contradicts' -tls1_2 -tls1_3
wrong '-insecure and a name' 'insecure contradicts -verify_hostname' \
    -insecure -verify_hostname a.example
wrong '-insecure and an address' 'insecure contradicts -verify_ip' \
    -insecure -verify_ip 127.0.0.1
wrong 'a name to ask for, and none' 'noservername contradicts -servername' \
    -noservername -servername a.example
wrong 'a file, and no file' 'no-CAfile contradicts -CAfile' \
    -no-CAfile -CAfile "$ca"
wrong '-key alone' 'key is useless without -cert' -key "$rsa_key"
wrong '-pass alone' 'pass is useless without -cert' -pass pass:a
wrong '-psk_identity alone' 'useless without -psk' -psk_identity me
wrong 'two certificates and one key' 'key must be given for each' \
    -cert "$rsa" -cert "$ec" -key "$rsa_key"
wrong 'early data below 0' 'max_early_data needs a number' -max_early_data -1
wrong 'a name of 256 characters' 'servername must have' \
    -servername "$(printf 'a%.0s' $(seq 256))"
wrong 'a name of none' 'servername must have' -servername ''
wrong 'an address that is none' 'verify_ip a.example' -verify_ip a.example
wrong 'a depth that is no number' 'verify_depth needs a number' \
    -verify_depth deep
for option in cert CAstore verify_depth pin max_send_frag groups \
    record_padding; do
    # shellcheck disable=SC2086 # words are meant
    check "-$option without its argument" \
        fails 1 "$option needs" "$client" $nobody -$option
done

every_option_has_help() {
    "$client" -help >"$tmp/help" || return 1
    for i in cert key cert_chain pass CAfile CApath CAstore no-CAfile \
        verify_depth pin verify Verify servername noservername verify_hostname \
        verify_ip insecure tls1_2 alpn max_send_frag status status_file psk \
        psk_identity sess_out sess_in ticket_keys max_early_data min_protocol \
        cipher ciphersuites groups sigalgs client_sigalgs dhparam chainCAfile \
        verifyCAfile record_padding num_tickets no_ticket; do
        grep -qE "^  -$i( |\$)" "$tmp/help" || echo "no $i"
    done >"$tmp/odd"
    grep -E '.{81}' "$tmp/help" >>"$tmp/odd"
    cat "$tmp/odd"
    [ ! -s "$tmp/odd" ]
}
check '-help has them, in lines of 80 characters' every_option_has_help

# Certificates and keys
# ---------------------

openssl x509 -in "$rsa" -outform DER -out "$tmp/rsa.der"
openssl pkey -in "$rsa_key" -outform DER -out "$tmp/rsa.key.der"
openssl pkey -in "$rsa_key" -aes256 -passout pass:secret -out "$tmp/locked.key"
openssl pkcs12 -export -in "$rsa" -inkey "$rsa_key" -passout pass:secret \
    -out "$tmp/rsa.p12" 2>"$tmp/p12.log"
cat "$rsa" "$rsa_key" >"$tmp/both.pem"
cat "$rsa" "$tmp/locked.key" >"$tmp/both-locked.pem"
: >"$tmp/empty"
echo 'no certificate at all' >"$tmp/text"
echo secret >"$tmp/secret"
printf 'secret\r\nand more\n' >"$tmp/secrets"
make_cert "$certs" ca second.example rsa || exit 99

wrong 'a certificate that is not there' 'certificate .*nowhere.*No such' \
    -cert "$tmp/nowhere"
wrong 'a certificate that is empty' 'certificate .*empty: it is empty' \
    -cert "$tmp/empty"
wrong 'a certificate that is a directory' 'certificate .*directory' \
    -cert "$certs"
wrong 'a certificate that is text' 'certificate .*text: no certificate' \
    -cert "$tmp/text"
wrong 'a key where a certificate must be' 'certificate .*ca.key' \
    -cert "$certs/ca.key"
wrong 'a certificate without its key' 'outer.example.pem.*-key' -cert "$rsa"
wrong 'a certificate where a key must be' 'private key .*ca.pem' \
    -cert "$rsa" -key "$ca"
wrong 'a key that is not there' 'private key .*nowhere.*No such' \
    -cert "$rsa" -key "$tmp/nowhere"
wrong 'a key that is empty' 'private key .*empty: it is empty' \
    -cert "$rsa" -key "$tmp/empty"
wrong 'a key that is a directory' 'private key .*directory' \
    -cert "$rsa" -key "$certs"
wrong 'a key of another certificate' 'does not belong' \
    -cert "$rsa" -key "$ec_key"
wrong 'a key of another one of its kind' 'does not belong' \
    -cert "$rsa" -key "$certs/second.example.key"
wrong 'two certificates of one kind' 'same kind' -cert "$rsa" -key "$rsa_key" \
    -cert "$certs/second.example.pem" -key "$certs/second.example.key"
wrong 'a chain that is not there' 'chain .*nowhere.*No such' \
    -cert "$rsa" -key "$rsa_key" -cert_chain "$tmp/nowhere"
wrong 'a chain that is text' 'chain .*text: no certificate' \
    -cert "$rsa" -key "$rsa_key" -cert_chain "$tmp/text"

locked="-cert $rsa -key $tmp/locked.key"
if [ -n "$alone" ]; then
    # shellcheck disable=SC2086 # words are meant, in all that follows
    wrong 'an encrypted key, and no terminal' 'encrypted.*no terminal.*-pass' \
        $locked
else
    skip 'an encrypted key, and no terminal' 'no setsid'
fi
# shellcheck disable=SC2086
{
    wrong 'a wrong pass phrase' 'private key .*wrong pass phrase' \
        $locked -pass pass:public
    wrong 'a pass phrase of a variable that is not set' 'env:NO_SUCH: .*not set' \
        $locked -pass env:NO_SUCH
    wrong 'a pass phrase of a file that is not there' 'nowhere: No such' \
        $locked -pass "file:$tmp/nowhere"
    wrong 'a pass phrase of a file that is empty' 'empty: there is none' \
        $locked -pass "file:$tmp/empty"
    wrong 'a pass phrase of a descriptor that is closed' 'fd:77: Bad' \
        $locked -pass fd:77
    wrong 'a pass phrase of a standard input that ended' 'pass: there is none' \
        $locked -pass stdin
    wrong 'a source that there is not' '-pass: it must be' \
        $locked -pass secret
}
not_told() {
    # shellcheck disable=SC2086
    "$client" $nobody $locked -pass hush:secret 2>&1 | grep secret
}
check 'what may be the pass phrase itself is not shown' \
    eval '! not_told'

export PHRASE=secret
for pass in pass:secret env:PHRASE "file:$tmp/secret" "file:$tmp/secrets"; do
    # shellcheck disable=SC2086
    serve $locked -pass "$pass"
    # shellcheck disable=SC2086
    check "a server with an encrypted key, -pass ${pass%"$tmp"*}" talk $trust
    stop_background "$pid"
done

# What stands behind the pass phrase is the first thing to say.
say_behind_pass_phrase() {
    # shellcheck disable=SC2086
    printf 'secret\nhello\nQUIT\n' | timeout 30 "$client" -connect "$address" \
        -layers 1 $trust $locked -pass stdin >"$tmp/out" 2>"$tmp/err"
    status=$?
    cat "$tmp/out" "$tmp/err"
    [ "$status" -eq 0 ] && grep -q '^depth=1 hello' "$tmp/out"
}
pass_in_fd() {
    # shellcheck disable=SC2086
    talk $trust $locked -pass fd:4 4<"$tmp/secret"
}
serve -cert "$tmp/rsa.der" -key "$tmp/rsa.key.der" -Verify -CAfile "$ca"
check 'a certificate and a key in DER, and -pass fd:' pass_in_fd
check '-pass stdin takes one line, and leaves the next' say_behind_pass_phrase
# shellcheck disable=SC2086
{
    check 'a client shows a certificate and key in one file' \
        talk $trust -cert "$tmp/both.pem"
    check 'the same, the key encrypted' \
        talk $trust -cert "$tmp/both-locked.pem" -pass pass:secret
    check 'and in PKCS #12' talk $trust -cert "$tmp/rsa.p12" -pass pass:secret
    check 'without one it is refused' \
        refused '\[1 .*(certificate required|handshake failure)' $trust
    check 'with one of another CA too' refused '\[1 .*unknown ca' $trust \
        -cert "$certs/other-ca.pem" -key "$certs/other-ca.key"
}
stop_background "$pid"

serve -cert "$rsa" -key "$rsa_key" -verify 3 -CAfile "$ca"
# shellcheck disable=SC2086
{
    check '-verify: a client may show none' talk $trust
    check '-verify: but none of another CA' refused '\[1 .*unknown ca' $trust \
        -cert "$certs/other-ca.pem" -key "$certs/other-ca.key"
}
stop_background "$pid"

# A server with a certificate of each kind. RSA cannot be had with ECDSA.
serve -cert "$rsa" -key "$rsa_key" -cert "$ec" -key "$ec_key"
check 'two certificates: a client that takes RSA only has that' \
    talk -CAfile "$ca" -servername outer.example -sigalgs RSA-PSS+SHA256
check 'two certificates: a client that takes ECDSA only has the other' \
    talk -CAfile "$ca" -servername middle.example -sigalgs ECDSA+SHA256
stop_background "$pid"

# A chain of three: the one between comes with the certificate, or apart.
make_between() {
    openssl req -new -newkey rsa:2048 -nodes -subj /CN=between \
        -keyout "$certs/between.key" -out "$certs/between.csr" &&
        echo basicConstraints=critical,CA:TRUE >"$tmp/ext" &&
        openssl x509 -req -in "$certs/between.csr" -days 30 -CA "$ca" \
            -CAkey "$certs/ca.key" -extfile "$tmp/ext" \
            -out "$certs/between.pem" &&
        make_cert "$certs" between leaf.example ec
}
make_between 2>"$tmp/between.log" || exit 99
cat "$certs/leaf.example.pem" "$certs/between.pem" >"$certs/leaf-chain.pem"
leaf="-CAfile $ca -servername leaf.example"
# shellcheck disable=SC2086
{
    serve -cert "$certs/leaf-chain.pem" -key "$certs/leaf.example.key"
    check 'a chain in the file of -cert' talk $leaf
    check '-verify_depth 0: with one between it is refused' \
        refused 'certificate refused' $leaf -verify_depth 0
    check '-verify_depth 1: it is not' talk $leaf -verify_depth 1
    stop_background "$pid"
    serve -cert "$certs/leaf.example.pem" -key "$certs/leaf.example.key" \
        -cert_chain "$certs/between.pem"
    check 'a chain in -cert_chain' talk $leaf
    stop_background "$pid"
    serve -cert "$certs/leaf.example.pem" -key "$certs/leaf.example.key"
    check 'a chain with a gap is refused' refused 'certificate refused' $leaf
    stop_background "$pid"
}

# Trust and names
# ---------------

mkdir "$tmp/hashed" "$tmp/no-ca"
cp "$ca" "$tmp/hashed/$(openssl x509 -in "$ca" -noout -hash).0"

wrong 'trust that is not there' 'CA certificates .*nowhere.*No such' \
    -CAfile "$tmp/nowhere"
wrong 'trust that is empty' 'CA certificates .*it is empty' \
    -CAfile "$tmp/empty"
wrong 'trust that is a directory' 'CA certificates .*directory' \
    -CAfile "$certs"
wrong 'trust in DER' 'CA certificates .*rsa.der: no certificate in PEM' \
    -CAfile "$tmp/rsa.der"
wrong 'a CA directory that is not there' 'CA directory .*nowhere.*No such' \
    -CApath "$tmp/nowhere"
wrong 'a CA directory that is a file' 'CA directory .*[Nn]ot a directory' \
    -CApath "$ca"
wrong 'a CA store that is not there' 'CA store .*nowhere' \
    -CAstore "file:$tmp/nowhere"
wrong 'a CA store without certificates' 'CA store .*no certificate' \
    -CAstore "file:$rsa_key"

make_address_cert() {
    openssl req -new -newkey rsa:2048 -nodes -subj /CN=address \
        -addext 'subjectAltName=IP:127.0.0.1,DNS:*.wild.example' \
        -keyout "$certs/address.key" -out "$certs/address.csr" &&
        openssl x509 -req -in "$certs/address.csr" -copy_extensions copy \
            -days 30 -CA "$ca" -CAkey "$certs/ca.key" -out "$certs/address.pem"
}
make_address_cert 2>"$tmp/address.log" || exit 99

# shellcheck disable=SC2086
{
    serve -cert "$certs/address.pem" -key "$certs/address.key"
    check 'the address that it connects to is the name' talk -CAfile "$ca"
    check '-CApath' talk -CApath "$tmp/hashed"
    check '-CAstore' talk -CAstore "file:$ca"
    check '-CApath without the CA' refused 'certificate refused' \
        -CApath "$tmp/no-ca"
    SSL_CERT_FILE=$ca SSL_CERT_DIR=$tmp/no-ca
    export SSL_CERT_FILE SSL_CERT_DIR
    check 'the file of the system' talk
    check '-no-CAfile: not that' refused 'certificate refused' -no-CAfile
    SSL_CERT_FILE=$tmp/nowhere SSL_CERT_DIR=$tmp/hashed
    check 'the directory of the system' talk
    check '-no-CApath: not that' refused 'certificate refused' -no-CApath
    unset SSL_CERT_FILE SSL_CERT_DIR
    check '-verify_ip' talk -CAfile "$ca" -verify_ip 127.0.0.1
    check '-verify_ip of another address' refused 'certificate refused: IP' \
        -CAfile "$ca" -verify_ip 127.0.0.2
    check '-verify_hostname' \
        talk -CAfile "$ca" -verify_hostname a.wild.example
    check '-verify_hostname and -verify_ip, both right' talk -CAfile "$ca" \
        -verify_hostname a.wild.example -verify_ip 127.0.0.1
    check '-verify_hostname right, -verify_ip wrong' \
        refused 'certificate refused: IP' -CAfile "$ca" \
        -verify_hostname a.wild.example -verify_ip 127.0.0.2
    check '-verify_hostname wrong, -verify_ip right' \
        refused 'certificate refused: host' -CAfile "$ca" \
        -verify_hostname wild.example -verify_ip 127.0.0.1
    check '-servername is the name to verify too' \
        refused 'certificate refused: host' -CAfile "$ca" \
        -servername b.c.wild.example
    check '-servername is asked for' talks_as '/a.wild.example$' \
        -CAfile "$ca" -servername a.wild.example
    ip_address=$address
    address=localhost:${ip_address##*:}
    check 'the host is asked for' \
        talks_as '/localhost$' -CAfile "$ca" -verify_ip 127.0.0.1
    check '-noservername: it is not' \
        talks_as '/-$' -CAfile "$ca" -verify_ip 127.0.0.1 -noservername
    address=$ip_address
    check '-insecure: anything goes' talk -CAfile "$certs/other-ca.pem" \
        -insecure -servername z.example
    check '-insecure is for its layer alone' fails 3 '\[2 .*certificate refused' \
        "$client" -connect "$address" -script 'STARTTLS;STARTTLS;QUIT' \
        -layers 1 -layer -insecure -layer -CAfile "$certs/other-ca.pem"
    check '-verify_return_error changes nothing' \
        refused 'certificate refused' -verify_return_error \
        -CAfile "$certs/other-ca.pem"
    stop_background "$pid"
}

# Certificates that have expired, on either side.
make_expired() {
    mkdir "$tmp/ca" && : >"$tmp/ca/index" && echo 01 >"$tmp/ca/serial" &&
        openssl req -new -newkey rsa:2048 -nodes -subj /CN=old.example \
            -addext subjectAltName=DNS:old.example \
            -keyout "$certs/old.key" -out "$certs/old.csr" &&
        cat >"$tmp/ca/conf" <<END &&
[ca]
default_ca = a
[a]
database = $tmp/ca/index
serial = $tmp/ca/serial
new_certs_dir = $tmp/ca
default_md = sha256
policy = p
copy_extensions = copy
[p]
commonName = supplied
END
        openssl ca -batch -config "$tmp/ca/conf" -cert "$ca" \
            -keyfile "$certs/ca.key" -in "$certs/old.csr" \
            -startdate 20200101000000Z -enddate 20200201000000Z \
            -notext -out "$certs/old.pem"
}
make_expired >"$tmp/expired.log" 2>&1 || { cat "$tmp/expired.log"; exit 99; }
serve -cert "$certs/old.pem" -key "$certs/old.key"
check 'a certificate that has expired' refused 'certificate.*expired' \
    -CAfile "$ca" -servername old.example
stop_background "$pid"

# Pins
# ----

# pin_of CERTIFICATE: as curl --pinnedpubkey has it
pin_of() {
    printf 'sha256//'
    openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER |
        openssl dgst -sha256 -binary | openssl base64
}
pin=$(pin_of "$rsa")
other_pin=$(pin_of "$ec")
no_pin='its public key is not one of -pin'

wrong 'a pin of another digest' 'pin sha1//.*sha256' -pin 'sha1//AAAA'
wrong 'a pin that is too short' 'pin sha256//AAAA:' -pin sha256//AAAA
wrong 'a second pin that is wrong' 'pin word: ' -pin "$pin;word"
wrong 'a second pin that is empty' 'pin : ' -pin "$pin;"

serve -cert "$rsa" -key "$rsa_key"
# shellcheck disable=SC2086
{
    check 'a pin that is right' talk $trust -pin "$pin"
    check 'one that is wrong' refused "$no_pin" $trust -pin "$other_pin"
    check 'one of two, in two options' \
        talk $trust -pin "$other_pin" -pin "$pin"
    check 'one of two, in one option' talk $trust -pin "$other_pin;$pin"
    check 'a pin replaces no name' refused 'certificate refused: host' \
        -CAfile "$ca" -servername z.example -pin "$pin"
    check 'a pin replaces no chain' refused 'certificate refused' \
        -CAfile "$certs/other-ca.pem" -servername outer.example -pin "$pin"
    check '-insecure: the pin alone decides, for' talk -insecure -pin "$pin"
    check '-insecure: the pin alone decides, against' \
        refused "$no_pin" -insecure -pin "$other_pin"
}
stop_background "$pid"
serve -cert "$rsa" -key "$rsa_key" -CAfile "$ca" -pin "$other_pin"
# shellcheck disable=SC2086
{
    check 'a server with a pin takes the client that has it' \
        talk $trust -cert "$ec" -key "$ec_key"
    check 'and no other' refused '\[1 .*handshake failure' $trust \
        -cert "$rsa" -key "$rsa_key"
    check 'and none without a certificate' \
        refused '\[1 .*certificate required' $trust
}
stop_background "$pid"

# Versions, ciphers, groups
# -------------------------

wrong 'a cipher that there is not' 'cipher NONE: no cipher' -cipher NONE
wrong 'a cipher of TLS 1.3 that there is not' 'ciphersuites NONE: ' \
    -ciphersuites NONE
wrong 'a group that there is not' 'groups X25519:NONE: ' -groups X25519:NONE
wrong 'a signature that there is not' 'sigalgs RSA\+NONE: ' -sigalgs RSA+NONE
wrong 'a version that there is not' 'min_protocol TLSv9: ' -min_protocol TLSv9
wrong 'a padding that is no number' 'record_padding much: .*number' \
    -record_padding much
wrong 'a padding that is too much' 'record_padding 99999: ' \
    -record_padding 99999
wrong 'parameters that are not there' 'dhparam .*nowhere' \
    -dhparam "$tmp/nowhere"
wrong 'a fragment that is too small' 'max_send_frag needs a number from 512' \
    -max_send_frag 511
wrong 'versions that leave none' 'leave none' \
    -min_protocol TLSv1.3 -max_protocol TLSv1.2
wrong 'a version, and not that version' 'leave none' -tls1_2 -no_tls1_2
# The defaults are for all layers; a layer may say otherwise.
wrong 'the same, of the second layer' '^[a-z_]*: layer 2: .*leave none' \
    -no_tls1_2 -layer -layer -max_protocol TLSv1.2

serve -cert "$rsa" -key "$rsa_key"
# shellcheck disable=SC2086
{
    check '-tls1_2' talks_as 'TLSv1.2' $trust -tls1_2
    check '-no_tls1_3' talks_as 'TLSv1.2' $trust -no_tls1_3
    check '-max_protocol' talks_as 'TLSv1.2' $trust -max_protocol TLSv1.2
    check '-min_protocol' talks_as 'TLSv1.3' $trust -min_protocol TLSv1.3
    check '-ciphersuites' talks_as 'TLS_AES_128_GCM_SHA256' $trust \
        -ciphersuites TLS_AES_128_GCM_SHA256
    check '-cipher' talks_as 'ECDHE-RSA-AES128-GCM-SHA256' $trust -tls1_2 \
        -cipher ECDHE-RSA-AES128-GCM-SHA256
    check 'the options of a layer win over the defaults' \
        talks_as 'TLSv1.2' $trust -tls1_3 -layer -tls1_2
    check '-record_padding and -max_send_frag' talk $trust \
        -record_padding 512 -max_send_frag 600
    check '-groups' talk $trust -groups P-384
}
stop_background "$pid"
serve -cert "$rsa" -key "$rsa_key" -groups X25519
# shellcheck disable=SC2086
check '-groups with none in common' refused 'handshake failed' $trust \
    -groups P-384
stop_background "$pid"

# ALPN
# ----

wrong 'a list of protocols that is empty' 'alpn : ' -alpn ''
wrong 'a protocol without a name' 'alpn h2,,http' -alpn h2,,http/1.1
wrong 'a protocol with a name of 256 characters' 'alpn a+: ' \
    -alpn "$(printf 'a%.0s' $(seq 256))"

serve -cert "$rsa" -key "$rsa_key" -alpn h2,http/1.1
chooses() {
    s_client -servername outer.example -alpn "$2" &&
        grep -q "^$1" "$tmp/s_client"
}
check 'the server chooses the first of its own that is offered' \
    chooses 'ALPN protocol: h2' http/1.1,h2
check 'the only one that is offered' \
    chooses 'ALPN protocol: http/1.1' x,http/1.1
chooses_none() {
    s_client -servername outer.example -alpn x
    grep -q 'no application protocol' "$tmp/s_client"
}
check 'and refuses who offers none of them' chooses_none
# shellcheck disable=SC2086
check 'a client that offers none of them says so' \
    refused 'no application protocol' $trust -alpn x
stop_background "$pid"

s_server -cert "$rsa" -key "$rsa_key" -alpn b
offers() {
    visit "$@" && wait_for 10 grep -q "$offered" "$log"
}
offered='ALPN protocols selected: b'
# shellcheck disable=SC2086
check 'the client offers what -alpn has' offers $trust -alpn a,b
stop_background "$pid"

# Sessions
# --------

wrong 'a session that is not there' 'session .*nowhere: No such' \
    -sess_in "$tmp/nowhere"
wrong 'a session that is empty' 'session .*empty: it is empty' \
    -sess_in "$tmp/empty"
wrong 'a session that is a certificate' 'session .*ca.pem: no session' \
    -sess_in "$ca"
wrong 'a session that is a directory' 'session .*certs: ' -sess_in "$certs"
wrong 'a session that cannot be written' 'session .*nowhere/a: ' \
    -sess_out "$tmp/nowhere/a"
wrong 'one session for several layers' 'sess_out is for one layer' \
    -sess_out "$tmp/sess" -layer -layer

# How many visits have resumed a session, by the log of s_server.
reused() {
    wait_for 10 eval "[ \$(grep -c '^CIPHER is' '$log') -ge $visits ]"
    grep -c '^Reused session-id' "$log"
}
visits=0
# session_visit REUSED OPTION...: so many of all visits were resumptions then.
session_visit() {
    session_reused=$1
    shift
    visits=$((visits + 1))
    visit "$@" && [ "$(reused)" -eq "$session_reused" ]
}
not_offered() {
    grep -qE "^onion_client: \[1 .*not offered: $1" "$tmp/err"
}

s_server -cert "$certs/address.pem" -key "$certs/address.key"
for version in tls1_2 tls1_3; do
    wild="-$version -CAfile $ca -servername a.wild.example"
    sess=$tmp/sess-$version
    before=$(grep -c '^Reused' "$log")
    # shellcheck disable=SC2086
    {
        check "-$version -sess_out writes a session, and offers none" \
            session_visit "$before" $wild -sess_out "$sess"
        check "-$version -sess_in resumes it" \
            session_visit $((before + 1)) $wild -sess_in "$sess"
        check "-$version -sess_in: not for another name" \
            session_visit $((before + 1)) -$version -CAfile "$ca" \
            -verify_ip 127.0.0.1 -verify_hostname x.wild.example \
            -sess_out "$sess.x"
    }
done
readable_by_owner_only() {
    [ "$(stat -c %a "$sess")" = 600 ]
}
check 'nobody else may read a session' readable_by_owner_only

another_name() {
    fails 3 'never' "$client" -connect "$address" -layers 1 -CAfile "$ca" \
        -servername z.example -sess_in "$sess"
    cat "$tmp/err"
    not_offered 'it was made with a peer of another name' &&
        grep -q 'certificate refused: host' "$tmp/err"
}
check 'a session is not offered to a peer of another name' another_name
in_another_layer() {
    start_server nested -line -accept 127.0.0.1:0 -layers 2 \
        -cert "$certs/address.pem" -key "$certs/address.key" || return 1
    # shellcheck disable=SC2086
    status_is 0 "$client" -connect "$address" -layers 2 -script 'hello;QUIT' \
        $wild -layer -layer -sess_in "$sess" &&
        grep -q '\[2 .*not offered: it was made in another layer' "$tmp/err"
    nested_status=$?
    stop_background "$pid"
    return "$nested_status"
}
saved_address=$address saved_log=$log saved_pid=$pid
check 'nor in another layer' in_another_layer
address=$saved_address log=$saved_log
wrong_pin() {
    # shellcheck disable=SC2086
    fails 3 'never' "$client" -connect "$address" -layers 1 $wild \
        -sess_in "$sess" -pin "$other_pin"
    not_offered 'the key of its peer matches no -pin' &&
        grep -q "$no_pin" "$tmp/err"
}
check 'nor with another pin' wrong_pin
stop_background "$saved_pid"

# A session of somebody that nobody has verified.
s_server -cert "$certs/address.pem" -key "$certs/address.key"
visits=0
check '-insecure -pin -sess_out' session_visit 0 -insecure \
    -pin "$(pin_of "$certs/address.pem")" -sess_out "$sess.i"
check 'is resumed with -insecure and that pin' session_visit 1 -insecure \
    -pin "$(pin_of "$certs/address.pem")" -sess_in "$sess.i"
unverified() {
    # shellcheck disable=SC2086
    session_visit 1 $wild -sess_in "$sess.i" && not_offered 'it was made with -insecure'
}
check 'and without -insecure is not' unverified
stop_background "$pid"

# Pre-shared keys
# ---------------

wrong 'a key that is not hex' 'psk must be' -psk nothex
wrong 'a key of half a byte' 'psk must be' -psk abc
wrong 'a key of none' 'psk must be' -psk ''
wrong 'a key of 257 bytes' 'psk must be' \
    -psk "$(printf 'ab%.0s' $(seq 257))"
wrong 'a key together with a pin' 'pin contradicts -psk' -psk ab -pin "$pin"
wrong 'a name of a key that is empty' 'psk_identity must have' -psk ab \
    -psk_identity ''

psk=00112233445566778899aabbccddeeff
for with in '' "-cert $rsa -key $rsa_key"; do
    # shellcheck disable=SC2086 # words are meant
    serve -psk $psk -psk_identity us $with
    for version in tls1_2 tls1_3; do
        check "-$version: a key on both sides${with:+, where a certificate is}" \
            talk -$version -psk $psk -psk_identity us
    done
    stop_background "$pid"
done
serve -psk $psk -psk_identity us
for version in tls1_2 tls1_3; do
    check "-$version: another key" refused '\[1 .*handshake failed' -$version \
        -psk 00 -psk_identity us
    check "-$version: another name of it" \
        refused '\[1 .*handshake failed' -$version -psk $psk
    check "-$version: none" refused '\[1 .*handshake failed' -$version
done
stop_background "$pid"
s_server -nocert -psk $psk -psk_identity us
check 'a key that s_server has' visit -psk $psk -psk_identity us
stop_background "$pid"

# Keys for tickets
# ----------------

head -c 80 /dev/urandom >"$tmp/one.key"
head -c 80 /dev/urandom >"$tmp/two.key"
head -c 79 /dev/urandom >"$tmp/short.key"
{
    openssl base64 -A -in "$tmp/two.key"
    echo
    openssl base64 -A -in "$tmp/one.key"
    echo
} >"$tmp/haproxy.keys"
cat "$tmp/two.key" "$tmp/one.key" >"$tmp/nginx.keys"

wrong 'keys for tickets that are not there' 'ticket keys .*nowhere: No such' \
    -ticket_keys "$tmp/nowhere"
wrong 'keys that are empty' 'ticket keys .*it is empty' \
    -ticket_keys "$tmp/empty"
wrong 'a key of 79 bytes' 'ticket keys .*80 bytes' -ticket_keys "$tmp/short.key"
wrong 'keys that are a directory' 'ticket keys ' -ticket_keys "$certs"
wrong 'keys that are text' 'ticket keys .*80 bytes' -ticket_keys "$tmp/text"

# ticket_from OPTION...: a session of a server with these.
ticket_from() {
    serve -cert "$rsa" -key "$rsa_key" "$@"
    s_client -servername outer.example "-$version" -sess_out "$tmp/ticket"
    stop_background "$pid"
}
# taken_by NEW|REUSED OPTION...: by another server, with those.
taken_by() {
    taken_how=$1
    shift
    serve -cert "$rsa" -key "$rsa_key" "$@"
    s_client -servername outer.example "-$version" -sess_in "$tmp/ticket"
    stop_background "$pid"
    grep -qiE "^$taken_how, TLS" "$tmp/s_client"
}
for version in tls1_2 tls1_3; do
    ticket_from -ticket_keys "$tmp/one.key" >"$tmp/ticket.log"
    check "-$version: a server resumes the session of another" \
        taken_by reused -ticket_keys "$tmp/one.key"
    check "-$version: whose key is its second one" \
        taken_by reused -ticket_keys "$tmp/two.key" -ticket_keys "$tmp/one.key"
    check "-$version: in one file" \
        taken_by reused -ticket_keys "$tmp/nginx.keys"
    check "-$version: but not without its key" \
        taken_by new -ticket_keys "$tmp/two.key"
    check "-$version: nor without any" taken_by new
    ticket_from -ticket_keys "$tmp/nginx.keys" >"$tmp/ticket.log"
    check "-$version: the first key encrypts" \
        taken_by reused -ticket_keys "$tmp/two.key"
    ticket_from -ticket_keys "$tmp/haproxy.keys" >"$tmp/ticket.log"
    check "-$version: keys as haproxy has them" \
        taken_by reused -ticket_keys "$tmp/haproxy.keys"
    check "-$version: which are the same in another order" \
        taken_by new -ticket_keys "$tmp/nginx.keys"
done

# The configuration of OpenSSL
# ----------------------------

cat >"$tmp/weak.cnf" <<END
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
Options = KTLS,IgnoreUnexpectedEOF,UnsafeLegacyRenegotiation
MinProtocol = TLSv1
VerifyMode = Once
END
cat >"$tmp/strict.cnf" <<END
openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = defaults
[defaults]
MinProtocol = TLSv1.3
END
# under CONF COMMAND...
under() {
    (
        OPENSSL_CONF=$1
        export OPENSSL_CONF
        shift
        "$@"
    )
}
s_server -cert "$rsa" -key "$rsa_key" -tls1_1 -cipher ALL:@SECLEVEL=0
# shellcheck disable=SC2086
check 'a configuration that allows TLS 1.0: the tools still do not' \
    under "$tmp/weak.cnf" fails 3 '\[1 .*protocol version' "$client" -connect "$address" \
    -layers 1 $trust -cipher ALL:@SECLEVEL=0
stop_background "$pid"

# An end without close_notify, from a peer that is killed.
cut_off() {
    serve -cert "$rsa" -key "$rsa_key"
    # shellcheck disable=SC2086
    status_is 0 "$client" -connect "$address" -layers 1 $trust -script DROP &&
        grep -q 'layer 1 truncated, as it had to be' "$tmp/out"
    cut_off_status=$?
    stop_background "$pid"
    return "$cut_off_status"
}
check 'one that ignores an unexpected end: it is still one' \
    under "$tmp/weak.cnf" cut_off

serve -cert "$rsa" -key "$rsa_key"
# shellcheck disable=SC2086
{
    check 'one that asks for TLS 1.3: it is no less' \
        under "$tmp/strict.cnf" talks_as 'TLSv1.3' $trust
    check 'and what it rules out leaves nothing' under "$tmp/strict.cnf" \
        fails 1 'leave none' "$client" -connect "$address" $trust \
        -max_protocol TLSv1.2
}
stop_background "$pid"

exec 5>&-
done_testing
