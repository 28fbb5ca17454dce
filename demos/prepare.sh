# prepare.sh - what demos/show.sh and test/run do before anything else: install
# the packages that are missing, copy the source, build beside the copy.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced.

# shellcheck disable=SC2034 # for those who source this
build_packages='gcc libc6-dev make autoconf automake libtool pkg-config
    libssl-dev openssl'

have() {
    command -v "$1" >/dev/null 2>&1
}

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null |
        grep -qx installed
}

# install_missing LOG PACKAGE...: on a Debian system; elsewhere configure says
# what it does not find.
install_missing() {
    install_log=$1
    shift
    have dpkg-query || return 0
    missing=
    for package; do
        installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0

    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
        have sudo || {
            echo "These packages are missing, and there is no sudo to install" \
                "them:$missing" >&2
            return 1
        }
    fi
    echo "Installing what is missing:$missing"
    # shellcheck disable=SC2086 # words are meant
    {
        $as_root apt-get update &&
            $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
                --no-install-recommends $missing
    } >"$install_log" 2>&1 </dev/null || {
        tail -n 5 "$install_log" >&2
        return 1
    }
}

# copy_source FROM TO: without what a build in FROM has left there.
copy_source() {
    mkdir -p "$2" &&
        (cd "$1" && tar --exclude=./.git --exclude='./build' -cf - .) |
        (cd "$2" && tar -xf -) || return 1
    [ ! -f "$2/config.status" ] || (cd "$2" && make distclean)
}

# build SOURCE DIR [CONFIGURE-OPTION...]: SOURCE has a configure script.
build() {
    build_source=$1
    build_dir=$2
    shift 2
    mkdir -p "$build_dir" && (
        cd "$build_dir" &&
            "$build_source/configure" "$@" &&
            make -j "$(processors)"
    )
}

processors() {
    nproc 2>/dev/null || echo 1
}
