#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The power is cut: ext4 in a file, whose journal is written every 300 seconds; the saver has just
# ended, the file is copied as it is, the copy is mounted. What was reported as done must be there.
# Needs root, loop devices and ext4; else it is skipped by name.
#
#     power_cut.sh PROGRAM
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"

program=$(realpath "$1")
disk=$work/disk
copy=$work/copy
mkdir "$disk" "$copy"
truncate -s 16M "$work/image"
if [ "$(id -u)" -ne 0 ] || ! mkfs.ext4 -q "$work/image" 2>/dev/null ||
    ! mount -o loop,commit=300 "$work/image" "$disk" 2>/dev/null; then
    skip "the power is cut" "no root, or no loop device with ext4"
    tap_done
fi
trap 'umount "$disk" "$copy" 2>/dev/null; rm -rf "$work"' EXIT

"$program" reference "$(mkdir "$work/reference" && echo "$work/reference")"
cut_after() { # NAME OPERATION
    rm -rf "$disk/run"
    mkdir "$disk/run"
    "$program" prepare "$2" "$disk/run"
    sync
    (cd "$work" && "$program" perform "$2" "$disk/run") >/dev/null
    cp "$work/image" "$work/cut"
    mount -o loop "$work/cut" "$copy" || note "the copy cannot be mounted"
    try "$1: what was reported is there" test -s "$copy/run/latest"
    try "$1: and is sound, and goes on" "$program" judge "$copy/run" "$work/reference"
    umount "$copy"
}
for operation in $("$program" list); do
    cut_after "after $operation" "$operation"
done
tap_done
