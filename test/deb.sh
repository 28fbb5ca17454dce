#!/bin/sh
# deb.sh DIRECTORY - what make deb has left there: the packages hold what they
# are to hold, and programs in C and C++ are built with what they unpack.
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

# build COMPILER FILE: a program that finds all it needs in the packages.
build() {
    "$1" "$2" -o "$tmp/program" -I"$tmp/root/usr/include" \
        -L"$tmp/root/$lib" -lbio_onion -lssl -lcrypto
}

run() {
    LD_LIBRARY_PATH=$tmp/root/$lib "$@"
}

# Without arguments it does nothing.
works() {
    build "${CC:-cc}" \
        "$tmp/root/usr/share/doc/libbio-onion-dev/examples/two_layers.c" ||
        return 1
    run "$tmp/program"
    [ $? -eq 2 ] && run "$tmp/root/usr/bin/onion_client" -help
}

works_in_cxx() {
    cat >"$tmp/program.cc" <<'END'
#include <bio_onion.h>

int main()
{
    BIO *stack = BIO_new_onion_stack(BIO_new(BIO_s_mem()));
    int depth = BIO_onion_write_depth(stack);

    BIO_free_all(stack);
    return stack == nullptr || depth != 0;
}
END
    build "${CXX:-c++}" "$tmp/program.cc" && run "$tmp/program"
}

check 'the library' holds libbio-onion0 "$lib/libbio_onion.so.0"
check 'the development files' holds libbio-onion-dev usr/include/bio_onion.h \
    "$lib/libbio_onion.so" "$lib/libbio_onion.a" "$lib/pkgconfig/bio_onion.pc" \
    usr/share/man/man3/BIO_f_onion.3.gz \
    usr/share/man/man3/BIO_new_onion.3.gz usr/share/man/man5/onion_config.5.gz \
    usr/share/man/man7/onion_from_ssl.7.gz \
    usr/share/doc/libbio-onion-dev/examples/two_layers.c
check 'the tools' holds bio-onion-tools usr/bin/onion_client \
    usr/bin/onion_server usr/share/man/man1/onion_client.1.gz \
    usr/share/man/man1/onion_server.1.gz usr/share/man/man7/onion_options.7.gz
check 'they unpack' unpack
check 'a program is built with them, and starts, as do the tools' works
if have "${CXX:-c++}"; then
    check 'a program in C++ is built with them, and works' works_in_cxx
else
    skip 'a program in C++' 'no C++ compiler'
fi

done_testing
