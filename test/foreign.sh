# foreign.sh - what the tests share that put BIO_f_onion() into programs that
# were written for BIO_f_ssl().
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced.

# shellcheck source=test/tools.sh
. "$srcdir/test/tools.sh"
# shellcheck source=test/openssl_source.sh
. "$srcdir/test/openssl_source.sh"

[ -z "${ONION_QUICK-}" ] || skip_all 'ONION_QUICK is set'

: "${CC:=cc}"

# stunnel is called so on Debian, and may be where only root looks.
PATH=$PATH:/usr/sbin:/sbin
stunnel=stunnel4
have $stunnel || stunnel=stunnel

openssl_libs=${OPENSSL_LIBS--lssl -lcrypto}
onion_libs="-L.libs -lbio_onion -Wl,-rpath,$PWD/.libs $openssl_libs"

# The names, exchanged, as bio_onion.h and pkg-config say.
exchanged='-DBIO_ONION_COMPAT -include bio_onion.h'

# compile ARGUMENT...: as this build does, but with no word on the style.
compile() {
    # shellcheck disable=SC2086 # words are meant
    $CC ${CPPFLAGS-} ${OPENSSL_CFLAGS-} ${CFLAGS-} -w "$@"
}

# build OUT ARGUMENT...: OUT.ssl as it was written, OUT.onion exchanged.
build() {
    build_out=$1
    shift
    # shellcheck disable=SC2086 # words are meant
    compile -o "$build_out.ssl" "$@" ${LDFLAGS-} $openssl_libs ||
        return 1
    # shellcheck disable=SC2086 # words are meant
    compile $exchanged -I"$srcdir/include" -o "$build_out.onion" "$@" \
        ${LDFLAGS-} $onion_libs
}

# is_exchanged PROGRAM: it asks OpenSSL for none of the names, and us for one.
is_exchanged() {
    ${NM:-nm} -u "$1" >"$tmp/names"
    ! grep -E ' BIO_(f|new|new_buffer)_ssl| BIO_ssl_' "$tmp/names" &&
        { [ ! -e .libs/libbio_onion.so ] || grep ' BIO_.*onion' "$tmp/names"; }
}

# both SENTENCE FUNCTION ARGUMENT...: the function is called with ssl and then
# with onion before its arguments. What BIO_f_ssl() cannot do is skipped.
both() {
    both_name=$1
    both_function=$2
    shift 2
    if ! "$both_function" ssl "$@" >"$tmp/both.ssl" 2>&1; then
        skip "$both_name" 'it does not work with BIO_f_ssl()'
        sed 's/^/# /' "$tmp/both.ssl" | head -n 20
    elif "$both_function" onion "$@" >"$tmp/both.onion" 2>&1; then
        ok "$both_name"
    else
        not_ok "$both_name" "$tmp/both.onion"
    fi
}

free_ports=0

# free_port: sets port to one that was free just now.
free_port() {
    free_ports=$((free_ports + 1))
    start_server "free$free_ports" -line -accept 127.0.0.1:0 || return 1
    # shellcheck disable=SC2034,SC2154 # for, and from, others
    port=${address##*:}
    # shellcheck disable=SC2154
    stop_background "$pid"
}

# listens PORT: on 127.0.0.1. A connection to find out would be served.
listens() {
    grep -q "0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp
}

# leaky COMMAND...: in place of this shell; what it does not free is its own.
leaky() {
    ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
    export ASAN_OPTIONS
    exec "$@"
}
