#!/bin/sh
# man_examples.sh - the manual pages of the library: each public name has one,
# and the examples in them compile, run, and print what the page says.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tools.sh
. "${srcdir:-.}/test/tools.sh"

: "${CC:=cc}"
pages=$srcdir/bio_onion
LD_LIBRARY_PATH=$PWD/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH

all_names() {
    awk '/^\.Sh /{ here = $2 == "NAME" } here && /^\.Nm /{ print $2 }' \
        "$pages"/*.3
}

each_name_has_a_page() {
    all_names | sort >"$tmp/named"
    sort "$pages/bio_onion.sym" >"$tmp/public"
    diff "$tmp/public" "$tmp/named"
}

each_constant_is_on_a_page() {
    sed -n 's/^# *define \(ONION_[A-Z_0-9]*\).*/\1/p' \
        "$srcdir/include/bio_onion.h" >"$tmp/constants"
    [ -s "$tmp/constants" ] || return 1
    missing=0
    while read -r constant; do
        grep -Eq "^\.(It )?Dv (.* )?$constant( |\$)" "$pages"/*.3 || {
            echo "$constant is on no page"
            missing=1
        }
    done <"$tmp/constants"
    return "$missing"
}

# What mandoc says of the pages of others depends on the machine.
lint() {
    # In one file the two would tear each other's lines.
    mandoc -Tlint "$pages"/*.[357] >"$tmp/lint" 2>"$tmp/lint.err"
    cat "$tmp/lint" "$tmp/lint.err" |
        grep -v -e 'outdated mandoc.db' -e 'referenced manual not found'
    [ $? -eq 1 ]
}

extract() {
    for page in "$pages"/*.[357]; do
        awk -v dir="$tmp" -f "$srcdir/test/man_examples.awk" "$page" || return 1
    done >"$tmp/unmarked"
    for file in "$tmp"/*.file; do
        cp "$file" "$certs/$(basename "$file" .file)" || return 1
    done
    cat "$tmp/unmarked"
    [ ! -s "$tmp/unmarked" ]
}

# As a reader would, but with all the warnings that this library has itself.
compile() {
    # shellcheck disable=SC2086 # words are meant
    $CC ${CPPFLAGS-} ${CFLAGS-} ${OPENSSL_CFLAGS-} -std=c11 -Wall -Wextra \
        -Wpedantic -Wshadow -Wstrict-prototypes -Werror \
        -D_POSIX_C_SOURCE=200809L -I"$srcdir/include" "$@"
}

build() {
    # shellcheck disable=SC2086 # words are meant
    compile "$1.c" -o "$1" ${LDFLAGS-} -L.libs -lbio_onion \
        ${OPENSSL_LIBS:--lssl -lcrypto}
}

# Where the certificates are, as the pages say.
run() {
    (cd "$certs" && timeout 30 "$1") >"$1.printed" 2>&1 || {
        cat "$1.printed"
        return 1
    }
    diff "$1.prints" "$1.printed"
}

check 'every public name has a page, and every name on a page is public' \
    each_name_has_a_page
check 'every flag, event and reason is on a page' each_constant_is_on_a_page
if have mandoc; then
    check 'mandoc has nothing to say of the pages' lint
else
    skip 'mandoc has nothing to say of the pages' 'no mandoc'
fi
check 'every example is one that is compiled, run, or shown' extract

for source in "$tmp"/*.object.c; do
    [ -f "$source" ] || continue
    name=$(basename "$source" .object.c)
    check "$name compiles" compile -DBIO_ONION_COMPAT -include bio_onion.h \
        -c "$source" -o "$tmp/$name.o"
done
for source in "$tmp"/*.c; do
    name=$(basename "$source" .c)
    case $name in *.object | '*') continue ;; esac
    check "$name compiles and links" build "$tmp/$name"
    check "$name prints what its page says" run "$tmp/$name"
done

done_testing
