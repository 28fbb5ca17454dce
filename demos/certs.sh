# certs.sh - throw-away certificates for the demonstration and the tests.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced. Each key NAME.key and certificate NAME.pem is written to DIR.

# What openssl says is shown only when it fails.
quietly() {
    quietly_said=$("$@" 2>&1) || {
        echo "$*: $quietly_said" >&2
        return 1
    }
}

# make_ca DIR NAME
make_ca() {
    quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
        -nodes -days 30 -subj "/CN=$2" -keyout "$1/$2.key" -out "$1/$2.pem"
}

# make_cert DIR CA NAME KEY: for the host NAME, signed by CA; KEY is rsa, ec or
# ed25519.
make_cert() {
    case $4 in
    rsa) make_cert_key='rsa:2048' ;;
    ec) make_cert_key='ec -pkeyopt ec_paramgen_curve:P-256' ;;
    *) make_cert_key=$4 ;;
    esac
    # shellcheck disable=SC2086 # the key's options are words
    quietly openssl req -new -newkey $make_cert_key -nodes -subj "/CN=$3" \
        -addext "subjectAltName=DNS:$3" -keyout "$1/$3.key" -out "$1/$3.csr" &&
        quietly openssl x509 -req -in "$1/$3.csr" -copy_extensions copy \
            -days 30 -CA "$1/$2.pem" -CAkey "$1/$2.key" -out "$1/$3.pem" &&
        rm -f "$1/$3.csr"
}
