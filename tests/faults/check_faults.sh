#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All that `make check-faults` does, whole or not at all: what it needs is looked for first, each
# program runs though one before it failed, each must have tried every operation, and what it skips
# is a failure. At the end the time of each, and the sum of the points that were tried.
#
#     check_faults.sh SRCDIR BUILDDIR
set -u
faults=$1/tests/faults
build=$2
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
trap 'exit 130' HUP INT TERM

needs() { # WHAT COMMAND...
    what=$1
    shift
    "$@" >/dev/null 2>&1 && return
    echo "check-faults: needs $what; nothing was tried" >&2
    exit 3
}
needs "root, to cut the power of a disk in a file" test "$(id -u)" -eq 0
needs "strace, which may trace" strace -o /dev/null true
needs "mkfs.ext4" command -v mkfs.ext4
needs "losetup, and a loop device" losetup -f
operations=$("$build/tests/faults/fault_run" list) || exit 3

# Points in what a program has written; of a line that has several numbers, each that is one.
points_in() { # FILE
    awk '/^# .*: [0-9]+ points of calls that fail, / {
             for (i = 2; i < NF; i++) if ($(i + 1) ~ /^(points|of)$/ && $i ~ /^[0-9]+$/) sum += $i }
         /^# .*: [0-9]+ points of \(call, occurrence\)/ {
             for (i = 2; i < NF; i++) if ($(i + 1) == "points") sum += $i }
         /^# .*: [0-9]+ power cuts/ {
             for (i = 2; i < NF; i++) if ($(i + 1) == "power") sum += $i }
         /^# [0-9]+ of [0-9]+ points, / { sum += $2; whole = $4; if ($2 != $4) part = 1 }
         END { print part ? "part" : sum + 0 }' "$1"
}

total=0
failed=
run() { # NAME every|none COMMAND...: of the operations every one is to be told of, or none
    name=$1
    told=$2
    shift 2
    echo "== $name"
    began=$(date +%s)
    { "$@" || echo "$?" >"$work/failed"; } 2>&1 | tee "$work/$name"
    points=$(points_in "$work/$name")
    why=
    [ ! -e "$work/failed" ] || why=" exit status $(cat "$work/failed");"
    rm -f "$work/failed"
    ! grep -q '^ok .* # SKIP' "$work/$name" || why="$why skipped something;"
    for operation in $operations; do
        [ "$told" = none ] || grep -q "^# $operation: [0-9]" "$work/$name" ||
            why="$why did not try $operation;"
    done
    case $points in
        0 | part)
            why="$why tried no point, or not all that it found;"
            points=0
            ;;
    esac
    [ -z "$why" ] || failed="$failed $name"
    total=$((total + points))
    echo "check-faults: $name: $points points, $(($(date +%s) - began)) s:${why:- nothing wrong}" |
        tee -a "$work/sums"
}
run test_faults every "$build/tests/faults/test_faults" all
run kill_points every "${PYTHON:?}" "$faults/kill_points.py" "$build/tests/faults/fault_run"
run agent_kills none "$faults/test_agent_kills.sh" all
run power_cut every "$PYTHON" "$faults/power_cut.py" "$build/tests/faults/fault_run"

echo "=="
cat "$work/sums"
echo "check-faults: $total points tried, ${failed:+wrong:}${failed:-nothing wrong}"
[ -z "$failed" ]
