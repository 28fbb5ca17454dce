#!/bin/sh
# hardening.sh - the library and the tools, as they were built, are hardened as
# far as the compiler, and the flags that a user has set, let them be.
#
# SPDX-License-Identifier: Apache-2.0

# shellcheck source=test/tap.sh
. "${srcdir:-.}/test/tap.sh"

: "${CC:=cc}"
[ "${enable_hardening:-yes}" != no ] || skip_all 'built without hardening'
have readelf || skip_all 'no readelf'
for built in .libs/libbio_onion.so demos/.libs/onion_server \
    demos/.libs/onion_client; do
    [ -f "$built" ] || skip_all "no $built: this is no shared build"
done

cat >"$tmp/probe.c" <<'END'
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    char a[16384];
    char *heap = malloc((size_t)argc);

    if (heap == NULL)
        return 1;
    memcpy(heap, argv[0], (size_t)argc);
    strcpy(a, argv[argc - 1]);
    return a[argc] + heap[0];
}
END

# probe FLAG...: what compiler and user make of the flags. The user's come
# later, as in the build. Nothing of them is to be said about the probe.
probe() {
    # shellcheck disable=SC2086 # words are meant
    $CC "$@" ${CPPFLAGS-} ${CFLAGS-} "$tmp/probe.c" -o "$tmp/probe" \
        ${LDFLAGS-} >"$tmp/probe.log" 2>&1
}

# The evidence. Each looks at one file.
is_pie() { readelf -Wh "$1" | grep -q 'Type: *DYN'; }
has_relro() { readelf -Wl "$1" | grep -q GNU_RELRO; }
binds_now() { readelf -Wd "$1" | grep -qE 'BIND_NOW|FLAGS_1.* NOW'; }
no_exec_stack() { readelf -Wl "$1" | grep -q 'GNU_STACK.* RW  *0x'; }
has_canaries() { readelf -Ws "$1" | grep -q 'UND __stack_chk_fail'; }
is_fortified() { readelf -Ws "$1" | grep -qE 'UND __[a-z]+_chk(@|$)'; }
has_cet() {
    readelf -Wn "$1" | grep 'x86 feature:' | grep 'IBT' | grep -q 'SHSTK'
}

# What the debugging information says of the flags of each C file.
compiled_with() {
    readelf --debug-dump=info "$2" 2>/dev/null |
        sed -n 's/.*DW_AT_producer.*: \(.*C[0-9].*\)/\1/p' >"$tmp/producers"
    [ -s "$tmp/producers" ] && ! grep -v -e "$1" "$tmp/producers"
}
all_have_canaries() { compiled_with -fstack-protector-strong "$1"; }
all_probe_the_stack() { compiled_with -fstack-clash-protection "$1"; }

# hardened SENTENCE EVIDENCE FILES FLAG...: what the probe shows, when it is
# compiled with the flags, each file must show.
hardened() {
    sentence=$1
    evidence=$2
    files=$3
    shift 3
    if ! probe "$@" || ! "$evidence" "$tmp/probe" >/dev/null; then
        skip "$sentence" "not with this compiler and these flags: $*"
        return
    fi
    for file in $files; do
        "$evidence" "$file" >"$tmp/evidence" || {
            echo "not in $file" >>"$tmp/evidence"
            not_ok "$sentence" "$tmp/evidence"
            return
        }
    done
    ok "$sentence"
}

library=.libs/libbio_onion.so
tools='demos/.libs/onion_server demos/.libs/onion_client'

hardened 'the tools are position-independent' is_pie "$tools" -fPIE -pie
hardened 'relocations are read-only' has_relro "$library $tools" -Wl,-z,relro
hardened 'all is bound at the start' binds_now "$library $tools" -Wl,-z,now
hardened 'no stack is executable' no_exec_stack "$library $tools" \
    -Wl,-z,noexecstack
hardened 'the stack has canaries' has_canaries "$library $tools" \
    -fstack-protector-strong
hardened 'every file was compiled for canaries' all_have_canaries \
    "$library $tools" -fstack-protector-strong
hardened 'every file was compiled to probe large frames' all_probe_the_stack \
    "$library $tools" -fstack-clash-protection
# What libc puts into every program may not be, so the linker says no.
hardened 'control flow is protected in every object' has_cet \
    "$(find bio_onion demos -name '*.o')" -c -fcf-protection

case " ${CFLAGS-} ${CPPFLAGS-}" in
*-fsanitize=*) skip 'calls of libc are checked' 'the sanitizers do it' ;;
*) hardened 'calls of libc are checked' is_fortified "$tools" \
    -D_FORTIFY_SOURCE=2 ;;
esac

done_testing
