#!/bin/sh
# packaging.sh - what make install puts where, that make uninstall leaves
# nothing of it, and programs in C and C++ built against what was installed,
# shared and static, as far as this build and the system have it.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

# shellcheck source=test/installed.sh
. "$srcdir/test/installed.sh"

files() {
    find "$root" ! -type d | sed "s|^$root||" | LC_ALL=C sort
}

# built VARIABLE: of libtool, which says what of the library is made.
built() {
    ./libtool --config | grep -qx "$1=yes"
}

# What a distribution writes down. The names of a shared library are the
# linker's.
expected() {
    echo "$includedir/bio_onion.h"
    echo "$libdir/pkgconfig/bio_onion.pc"
    echo "$libdir/libbio_onion.la"
    ! built build_old_libs || echo "$libdir/libbio_onion.a"
    ! built build_libtool_libs || echo "$libdir/libbio_onion.so"
    sed -n 's/^dist_man_MANS.* \([^ ]*\.[1-9]\)$/\1/p' "$srcdir/Makefile.am" |
        grep -v '\.3$'
    sed "s|.*|$mandir/man3/&.3|" "$srcdir/bio_onion/bio_onion.sym"
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
    files | sed 's/\(\.so\)\.[0-9.]*$/\1/' | uniq >"$tmp/files"
    expected | as_installed | diff - "$tmp/files"
}

# As man(1) looks for it: by the name of a file.
each_function_has_its_page() {
    while read -r name; do
        grep -qx "\.Nm $name\( ,\)\{0,1\}" "$root$mandir/man3/$name.3" ||
            return 1
    done <"$srcdir/bio_onion/bio_onion.sym"
}

nothing_is_left() {
    make_there uninstall || return 1
    files
    [ -z "$(files)" ]
}

# As it was installed; pkg_config() puts other directories in.
says_what_was_configured() (
    pc=$root$libdir/pkgconfig
    PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    export PKG_CONFIG_PATH
    for variable in libdir includedir; do
        $PKG_CONFIG --variable="$variable" bio_onion
    done >"$tmp/variables"
    $PKG_CONFIG --modversion bio_onion >>"$tmp/variables"
    cat "$tmp/variables"
    # shellcheck disable=SC2154 # set by make
    printf '%s\n' "$libdir" "$includedir" "$package_version" |
        cmp - "$tmp/variables"
)

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

# compile COMPILER FILE FLAG...
compile() {
    compiler=$1
    file=$2
    shift 2
    # shellcheck disable=SC2086 # words are meant
    $compiler ${CPPFLAGS-} ${CFLAGS-} $warnings "$file" -o "$tmp/program" \
        ${LDFLAGS-} "$@"
}

# says_depth PATH: it does its work, with libraries there.
says_depth() {
    LD_LIBRARY_PATH=$1 "$tmp/program" >"$tmp/program.out" || return 1
    cat "$tmp/program.out"
    grep -qx 'depth 0' "$tmp/program.out"
}

shared() {
    # shellcheck disable=SC2046 # words are meant
    compile "$@" $(pkg_config --cflags --libs bio_onion) &&
        says_depth "$root$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

archived() {
    # shellcheck disable=SC2046 # words are meant
    compile "$@" $(pkg_config --cflags bio_onion) \
        "$root$libdir/libbio_onion.a" $(pkg_config --libs libssl libcrypto) &&
        says_depth "${LD_LIBRARY_PATH-}"
}

# OpenSSL and libc too: the linker may have words on those.
static() {
    # shellcheck disable=SC2046 # words are meant
    compile "$@" -static $(pkg_config --static --cflags --libs bio_onion) &&
        says_depth ''
}

can_be_static() {
    echo 'int main(void) { return 0; }' >"$tmp/empty.c"
    # shellcheck disable=SC2046 # words are meant
    compile "$CC" "$tmp/empty.c" -static \
        $(pkg_config --static --libs libssl libcrypto) >/dev/null 2>&1
}

# programs LANGUAGE COMPILER FILE
programs() {
    programs_in=$1
    shift
    check "a program in $programs_in compiles without a warning and works" \
        shared "$@"
    if ! built build_old_libs; then
        skip "a program in $programs_in with libbio_onion.a works" 'not built'
        return
    fi
    check "a program in $programs_in with libbio_onion.a works" archived "$@"
    if can_be_static; then
        check "a program in $programs_in, all of it static, works" static "$@"
    else
        skip "a program in $programs_in, all of it static, works" \
            'OpenSSL or libc are not, here or with these flags'
    fi
}

check 'make install goes where DESTDIR says' make_there install
check 'it installs the files of the list, and no others' is_all_there
check 'a page is found by the name of each function' each_function_has_its_page

: "${CXX:=c++}"
if have "${PKG_CONFIG%% *}"; then
    check 'bio_onion.pc says what was configured' says_what_was_configured
    programs C "$CC" "$tmp/program.c"
else
    skip 'programs, C' 'no pkg-config'
fi
if have "${PKG_CONFIG%% *}" && have "${CXX%% *}"; then
    programs C++ "$CXX" "$tmp/program.cc"
else
    skip 'programs, C++' 'no pkg-config or no C++ compiler'
fi

check 'make uninstall leaves no file' nothing_is_left

done_testing
