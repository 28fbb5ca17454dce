# lib.sh - what the interoperation tests share: peers as processes.
#
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# To be sourced, in the top of the build directory. A peer has its own files in
# $tmp, listens on 127.0.0.1, is no root where that can be helped, and is ended
# by its process id. The last case of each test is that nothing of it is left.

# Whoever needs it sources it, and it counts once.
[ -z "${lib_is_there-}" ] || return 0
lib_is_there=yes

# shellcheck source=test/tools.sh
. "$srcdir/test/tools.sh"

PATH=$PATH:/usr/sbin:/sbin
# What unpack.sh has unpacked.
unpacked=$PWD/test/interop/unpacked

# Peers
# -----

# To be run with a directory that has usr in it, and a command.
# shellcheck disable=SC2016 # for another shell
over_usr='mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && exec "$@"'

is_root() {
    [ "$(id -u)" -eq 0 ] && [ "${ONION_NETWORK-}" != user ]
}

# become COMMAND...: in place of this shell, in a session of its own, not as
# root, and where it may be then.
become() {
    cd "$tmp" || exit
    if is_root; then
        exec setsid setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
    fi
    exec setsid "$@"
}

# become_unpacked COMMAND...: the same, with what was unpacked in its place.
become_unpacked() {
    cd "$tmp" || exit
    if is_root; then
        exec setsid unshare --mount sh -c "$over_usr" "$unpacked" \
            setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
    fi
    exec setsid unshare --user --map-root-user --mount \
        sh -c "$over_usr" "$unpacked" unshare --user \
        --map-user="$(id -u)" --map-group="$(id -g)" "$@"
}

is_unpacked() {
    [ -x "$unpacked/usr/sbin/$1" ]
}

# have_peer COMMAND
have_peer() {
    if is_unpacked "$1"; then
        (become_unpacked true) >/dev/null 2>&1
    else
        have "$1"
    fi
}

# need COMMAND...: or skip all.
need() {
    for need_command; do
        have_peer "$need_command" && continue
        ! is_unpacked "$need_command" ||
            skip_all "no namespace to lay $need_command over /usr in"
        skip_all "no $need_command"
    done
}

sessions=

# in_session HOW NAME COMMAND...: started in the background by HOW. Sets pid;
# the log is $tmp/NAME.log.
in_session() {
    session_how=$1
    session_log=$tmp/$2.log
    shift 2
    background "$session_log" "$session_how" "$@"
    # shellcheck disable=SC2154 # set by background
    sessions="$sessions $pid"
}

# peer NAME COMMAND...: a program that is installed, or unpacked.
peer() {
    # The keys in it are worth nothing.
    ! is_root || chown -R nobody:nogroup "$tmp"
    if is_unpacked "$2"; then
        in_session become_unpacked "$@"
    else
        in_session become "$@"
    fi
}

# ours NAME COMMAND...: a program that is, or needs, something of this project,
# which may be where only its user can read.
ours() {
    in_session setsid "$@"
}

# Ports
# -----

# Below those that the system gives to clients, so that none of them takes one
# between free_port() and the listen() of a peer; and others for another test
# that runs at the same time.
next_port=$((11000 + $$ % 1000 * 20))

# listens PORT: a connection to find out would be served.
listens() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        grep -q ":$(printf %04X "$1") 0*:0000 0A"
}

# free_port: sets port.
free_port() {
    next_port=$((next_port + 1))
    while listens "$next_port"; do
        next_port=$((next_port + 1))
    done
    # shellcheck disable=SC2034 # for those who source this
    port=$next_port
}

listens_or_is_over() {
    listens "$1" || ! kill -0 "$2"
}

# wait_port PORT: until the last peer listens there.
wait_port() {
    wait_for 20 listens_or_is_over "$1" "$pid" && listens "$1"
}

# alone_in_a_network SCRIPT: the script starts again, in a network namespace
# that ends with it; or all is skipped. In there it may be called root for that.
alone_in_a_network() {
    [ -z "${ONION_NETWORK-}" ] || {
        ip link set lo up
        return
    }
    network='--net'
    ONION_NETWORK=root
    is_root || {
        network='--net --user --map-root-user'
        ONION_NETWORK=user
    }
    export ONION_NETWORK
    # shellcheck disable=SC2086 # words are meant
    { have ip && unshare $network true; } || skip_all 'no network namespace'
    # shellcheck disable=SC2086
    unshare $network sh "$1"
    exit
}

# The end
# -------

# session_of PID: the processes of its session, a line each.
session_of() {
    cat /proc/[0-9]*/stat 2>/dev/null | sed 's/ .*) / /' |
        awk -v session="$1" '$5 == session && $2 != "Z"'
}

session_is_over() {
    [ -z "$(session_of "$1")" ]
}

all_is_over() {
    for over_pid in $sessions; do
        kill "$over_pid" 2>/dev/null
    done
    for over_pid in $sessions; do
        wait_for 10 session_is_over "$over_pid" || {
            session_of "$over_pid" | while read -r left_pid _; do
                tr '\0' ' ' <"/proc/$left_pid/cmdline"
                kill -9 "$left_pid"
            done
            return 1
        }
    done
}

# In place of done_testing.
done_with_peers() {
    check 'nothing of the peers is left running' all_is_over
    done_testing
}
