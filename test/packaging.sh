#!/bin/sh
# packaging.sh - what make install puts where, that make uninstall leaves
# nothing of it, and programs in C and C++ built against what was installed.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

: "${PKG_CONFIG:=pkg-config}" "${CC:=cc}" "${MAKE:=make}"
# shellcheck disable=SC2154 # set by make
: "${libdir:?} ${bindir:?} ${includedir:?} ${mandir:?}"
root=$tmp/root

# The make that runs this test must not lend its jobs to the one in it.
make_there() {
    MAKEFLAGS='' $MAKE "$@" DESTDIR="$root"
}

files() {
    find "$root" ! -type d | sed "s|^$root||" | LC_ALL=C sort
}

# What a distribution writes down, but for the library, whose names are the
# linker's.
expected() {
    echo "$includedir/bio_onion.h"
    echo "$libdir/pkgconfig/bio_onion.pc"
    sed -n 's/^dist_man_MANS.* \([^ ]*\.[1-9]\)$/\1/p' "$srcdir/Makefile.am"
    if [ "${tools_installed:-yes}" = yes ]; then
        echo "$bindir/onion_client"
        echo "$bindir/onion_server"
        sed -n 's/^tool_pages = //p' "$srcdir/Makefile.am" | tr ' ' '\n'
    fi
}

as_installed() {
    sed "s|^[bd][a-z_]*/\(.*\.\([1-9]\)\)\$|$mandir/man\2/\1|" |
        LC_ALL=C sort
}

is_all_there() {
    files | grep -v "^$libdir/libbio_onion\." >"$tmp/files"
    expected | as_installed | diff - "$tmp/files"
}

nothing_is_left() {
    make_there uninstall || return 1
    files
    [ -z "$(files)" ]
}

pkg_config() {
    PKG_CONFIG_PATH=$root$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
        $PKG_CONFIG "$@"
}

# The flags are those of this build too, for the sanitizers' sake.
cat >"$tmp/program.c" <<'END'
#include <bio_onion.h>
#include <stdio.h>

static void told(BIO *stack, int event, int layer, SSL *ssl, void *arg)
{
    (void)stack, (void)event, (void)layer, (void)ssl, (void)arg;
}

int main(void)
{
    BIO *stack = BIO_new_onion_stack(BIO_new(BIO_s_mem()));

    if (stack == NULL || !BIO_onion_set_flags(stack, ONION_FOLLOW))
        return 1;
    BIO_onion_set_callback(stack, told, NULL);
    printf("depth %d\n", BIO_onion_write_depth(stack));
    BIO_free_all(stack);
    return 0;
}
END
cp "$tmp/program.c" "$tmp/program.cc"
warnings='-Wall -Wextra -pedantic -Werror'

# works COMPILER FILE FLAG...: it compiles, and the program does its work.
works() {
    compiler=$1
    file=$2
    shift 2
    # shellcheck disable=SC2086 # words are meant
    $compiler ${CPPFLAGS-} ${CFLAGS-} $warnings "$file" -o "$tmp/program" \
        ${LDFLAGS-} "$@" || return 1
    LD_LIBRARY_PATH=$root$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
        "$tmp/program" >"$tmp/program.out" || return 1
    cat "$tmp/program.out"
    grep -qx 'depth 0' "$tmp/program.out"
}

in_c() {
    # shellcheck disable=SC2046 # words are meant
    works "$CC" "$tmp/program.c" $(pkg_config --cflags --libs bio_onion)
}

in_cxx() {
    # shellcheck disable=SC2046 # words are meant
    works "$CXX" "$tmp/program.cc" $(pkg_config --cflags --libs bio_onion)
}

statically() {
    # shellcheck disable=SC2046 # words are meant
    works "$CC" "$tmp/program.c" $(pkg_config --cflags bio_onion) \
        "$root$libdir/libbio_onion.a" $(pkg_config --libs libssl libcrypto)
    LD_LIBRARY_PATH='' "$tmp/program"
}

check 'make install goes where DESTDIR says' make_there install
check 'it installs the files of the list, and no others' is_all_there

if ! have "${PKG_CONFIG%% *}"; then
    skip 'a program in C' 'no pkg-config'
    skip 'a program in C++' 'no pkg-config'
    skip 'a program with the static library' 'no pkg-config'
else
    check 'a program in C compiles and works' in_c
    : "${CXX:=c++}"
    if have "${CXX%% *}"; then
        check 'a program in C++ compiles without a warning and works' in_cxx
    else
        skip 'a program in C++ compiles without a warning and works' \
            'no C++ compiler'
    fi
    if [ -f "$root$libdir/libbio_onion.a" ]; then
        check 'a program works with the static library alone' statically
    else
        skip 'a program works with the static library alone' 'not built'
    fi
fi

check 'make uninstall leaves no file' nothing_is_left

done_testing
