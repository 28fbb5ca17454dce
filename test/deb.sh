#!/bin/sh
# deb.sh DIRECTORY - what make deb has left there: the packages hold what they
# are to hold, and a program in C is built with what they unpack, and works.
#
# SPDX-License-Identifier: Apache-2.0

deb=$(cd "$1" && pwd) || exit 1
# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

lib=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)

# holds PACKAGE FILE...: and its changelog, NEWS and copyright.
holds() {
    package=$1
    shift
    dpkg-deb -c "$deb/$package"_*.deb | awk '{ print $6 }' >"$tmp/files"
    cat "$tmp/files"
    for file in "$@" "usr/share/doc/$package/changelog.gz" \
        "usr/share/doc/$package/changelog.Debian.gz" \
        "usr/share/doc/$package/copyright"; do
        grep -qxF "./$file" "$tmp/files" || {
            echo "no $file in $package"
            return 1
        }
    done
}

unpack() {
    for package in libbio-onion0 libbio-onion-dev bio-onion-tools; do
        dpkg -x "$deb/$package"_*.deb "$tmp/root" || return 1
    done
}

works() {
    ${CC:-cc} "$tmp/root/usr/share/doc/libbio-onion-dev/examples/two_layers.c" \
        -o "$tmp/two_layers" -I"$tmp/root/usr/include" -L"$tmp/root/$lib" \
        -lbio_onion -lssl -lcrypto || return 1
    # Without arguments it does nothing.
    LD_LIBRARY_PATH=$tmp/root/$lib "$tmp/two_layers"
    [ $? -eq 2 ] &&
        LD_LIBRARY_PATH=$tmp/root/$lib "$tmp/root/usr/bin/onion_client" -help
}

check 'the library' holds libbio-onion0 "$lib/libbio_onion.so.0"
check 'the development files' holds libbio-onion-dev usr/include/bio_onion.h \
    "$lib/libbio_onion.so" "$lib/libbio_onion.a" "$lib/pkgconfig/bio_onion.pc" \
    usr/share/man/man3/BIO_f_onion.3.gz usr/share/man/man5/onion_config.5.gz \
    usr/share/man/man7/onion_from_ssl.7.gz \
    usr/share/doc/libbio-onion-dev/examples/two_layers.c
check 'the tools' holds bio-onion-tools usr/bin/onion_client \
    usr/bin/onion_server usr/share/man/man1/onion_client.1.gz \
    usr/share/man/man1/onion_server.1.gz usr/share/man/man7/onion_options.7.gz
check 'they unpack' unpack
check 'a program is built with them, and starts, as do the tools' works

done_testing
