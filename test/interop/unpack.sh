#!/bin/sh
# unpack.sh - unpacks packages without installing them: unpack.sh DIR PACKAGES.
#
# SPDX-License-Identifier: Apache-2.0
#
# A package of a daemon starts it when it is installed, enables it for every
# boot, makes users, and may remove another: a mail server is one of a kind. A
# policy-rc.d for the time of the installation prevents only the first of these,
# and stays behind where that is interrupted. So nothing is installed: what the
# packages and their dependencies hold, and is not installed, is put under DIR,
# and lib.sh lays it over /usr, for the peers alone. That needs no root, and
# leaves the system as it was.
#
# What cannot be had is said, and is no failure: the tests skip it.

set -u

dir=$1
list=$2

# shellcheck source=demos/prepare.sh
. "${srcdir:-.}/demos/prepare.sh"

[ ! -e "$dir/done" ] || exit 0
have apt-get || {
    echo 'unpack.sh: no apt-get; some peers will be missing' >&2
    exit 0
}
rm -rf "$dir"
mkdir -p "$dir/debs" "$dir/lists/partial" "$dir/usr/lib" || exit 1
dir=$(cd "$dir" && pwd)

# apt OPTION...: with lists of packages in DIR, if there are any.
apt() {
    if [ -e "$dir/lists/lock" ]; then
        set -- -o Dir::State::lists="$dir/lists" "$@" \
            -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
    fi
    apt-get -o Acquire::http::Timeout=30 "$@"
}

# What apt-get would install, less what is there in an older version.
missing_packages() {
    # shellcheck disable=SC2046 # words are meant
    apt install -s --no-install-recommends \
        $(sed -n 's/^unpack //p' "$list") >"$dir/plan" || return 1
    sed -n 's/^Inst \([^ ]*\).*/\1/p' "$dir/plan" |
        while read -r package; do
            installed "$package" || echo "$package"
        done
}

download() {
    missing=$(missing_packages) || return 1
    # shellcheck disable=SC2086 # words are meant
    [ -z "$missing" ] || (cd "$dir/debs" && apt download $missing)
}

# The lists of the system may be old, and only root may renew them.
renew_lists() {
    : >"$dir/lists/lock"
    apt update
}

{ download || { renew_lists && download; }; } >"$dir/log" 2>&1 || {
    echo "unpack.sh: some peers will be missing: $(tail -n 1 "$dir/log")" >&2
    exit 0
}
for deb in "$dir"/debs/*.deb; do
    [ ! -e "$deb" ] || dpkg-deb -x "$deb" "$dir" || exit 1
done
# A package may still say /lib where all of it is in /usr.
for old in bin sbin lib; do
    [ ! -d "$dir/$old" ] || cp -R "$dir/$old" "$dir/usr/" || exit 1
done
rm -rf "$dir/debs" "$dir/lists"
: >"$dir/done"
