# installed.sh - what the tests share that look at the library as make install
# leaves it.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced, after tap.sh. Sets root, where make install is to put it.

# shellcheck disable=SC2154 # by tap.sh, and by make
root=$tmp/root
: "${PKG_CONFIG:=pkg-config}" "${CC:=cc}" "${MAKE:=make}"
# shellcheck disable=SC2154
: "${libdir:?} ${bindir:?} ${includedir:?} ${mandir:?}"

# The make that runs this test must not lend its jobs to the one in it.
make_there() {
    MAKEFLAGS='' $MAKE "$@" DESTDIR="$root"
}

# install_there: and the loader finds it there.
install_there() {
    make_there install || return 1
    LD_LIBRARY_PATH=$root$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export LD_LIBRARY_PATH
}

# pkg_config ARGUMENT...: as it would say if the library were where it says it
# is. PKG_CONFIG_SYSROOT_DIR would move OpenSSL as well.
pkg_config() {
    mkdir -p "$tmp/pkgconfig" &&
        sed -e "s|^libdir=.*|libdir=$root$libdir|" \
            -e "s|^includedir=.*|includedir=$root$includedir|" \
            "$root$libdir/pkgconfig/bio_onion.pc" \
            >"$tmp/pkgconfig/bio_onion.pc" || return 1
    PKG_CONFIG_PATH=$tmp/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH} \
        $PKG_CONFIG "$@"
}
