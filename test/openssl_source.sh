# openssl_source.sh - the source of the OpenSSL that is installed, fetched once
# for a build directory from where the system gets its packages.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced. A directory in $OPENSSL_SOURCE is used as it is.

openssl_source_kept=test/openssl-source

# apt-get with a list of sources, and lists of packages, of its own: nothing of
# the system's is changed, and no right to change it is needed.
openssl_source_apt() {
    apt_state=$1
    shift
    timeout 150 apt-get -q -o Dir::Etc::sourcelist=/dev/null \
        -o Dir::Etc::sourceparts="$apt_state/sources" \
        -o Dir::State::lists="$apt_state/lists" \
        -o Dir::Cache="$apt_state/cache" \
        -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::http::Timeout=10 -o Acquire::Retries=0 \
        -o Acquire::Languages=none "$@"
}

# The system's own mirrors, with deb-src where they say deb.
openssl_source_mirrors() {
    mkdir -p "$1/sources" "$1/lists/partial" "$1/cache/archives/partial"
    for mirror in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ ! -f "$mirror" ] || sed -n 's/^[ \t]*deb[ \t]/deb-src /p' "$mirror"
    done >"$1/sources/all.list"
    for mirror in /etc/apt/sources.list.d/*.sources; do
        [ ! -f "$mirror" ] || sed 's/^Types:.*/Types: deb-src/' "$mirror" \
            >"$1/sources/${mirror##*/}"
    done
}

# openssl_source_fetch DIR: the tarball of the package, which apt-get checks
# against the signed index. What the distribution patches is not needed.
openssl_source_fetch() {
    openssl_source_mirrors "$1"
    # A mirror without sources is no reason to give up.
    openssl_source_apt "$1" update
    version=$(dpkg-query -W -f '${source:Version}' libssl-dev)
    (
        cd "$1" || exit
        openssl_source_apt "$1" --tar-only source "openssl=$version" ||
            openssl_source_apt "$1" --tar-only source openssl
    )
}

# shellcheck disable=SC2034,SC2154 # for, and from, those who source this
# openssl_source: sets source to the directory; 1 if it cannot be had, with the
# reason in why. What it finds is of the same series as the headers, or nothing.
openssl_source() {
    if [ -n "${OPENSSL_SOURCE-}" ]; then
        source=$OPENSSL_SOURCE
        why="no source of OpenSSL in $source"
        [ -f "$source/test/ssl_old_test.c" ]
        return
    fi
    source=$PWD/$openssl_source_kept
    [ ! -d "$source" ] || return 0
    why='no apt-get to fetch the source of OpenSSL with'
    have apt-get && have dpkg-query || return 1
    fetched=$tmp/openssl-source
    mkdir "$fetched"
    openssl_source_fetch "$fetched" >"$fetched.log" 2>&1 </dev/null
    why="cannot fetch the source of OpenSSL: $(
        grep '^[EW]:' "$fetched.log" | head -n 1
    )"
    set -- "$fetched"/openssl_*.orig.tar.*z
    [ -f "$1" ] || return 1
    series=$(openssl version | sed 's/^OpenSSL \([0-9]*\.[0-9]*\)\..*/\1/')
    why="the source to be had is not of OpenSSL $series"
    mkdir -p test
    new=$PWD/$openssl_source_kept.$$
    mkdir "$new" && tar -xf "$1" -C "$new" || return 1
    set -- "$new/openssl-$series".*
    if [ -d "$1" ] && [ ! -d "$source" ]; then
        mv "$1" "$source"
    fi
    rm -rf "$new"
    [ -d "$source" ]
}
