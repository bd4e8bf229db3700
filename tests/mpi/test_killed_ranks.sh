#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A rank that is killed in a save, at each of its stages, leaves the snapshot before or the new one,
# whole; the training goes on from it, on another number of ranks, as if nothing had happened. A
# disk that fails under one rank is told, and leaves the same.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"
# shellcheck source=tests/mpi/mpi_lib.sh
. "${top_srcdir:?}/tests/mpi/mpi_lib.sh"
need_mpi "killed ranks"
if ! command -v strace >/dev/null; then
    skip "killed ranks" "strace is not installed"
    tap_done
fi

write_config "$work/cnn.json" "$(optimizer sgd), \"shards\": 4" '"every": 15'
try "one process that nobody stops" snap_run "$work/cnn.json" "$work/whole" --steps 45
try "the first snapshots" ranks_run 2 "$work/cnn.json" "$work/begun" --steps 16
old=$(cat "$work/begun/latest")

# Go on to step 30 and its snapshot, on three ranks, of which RANK has something injected.
inject() { # DIR RANK WHAT
    # shellcheck disable=SC2016 # the ranks' own shell expands it
    ranks 3 sh -c 'if [ "$OMPI_COMM_WORLD_RANK" = "$1" ]; then
            exec strace -f -qq -o "$0.trace" -e trace="$2" -e inject="$3" \
                "$4" restore "$0" --steps 30
        fi
        exec "$4" restore "$0" --steps 30' \
        "$1" "$2" "${3%%:*}" "$3" "$SNAP" >"$1.out" 2>&1
}
# Is what `latest` names the old snapshot, or the new one, that of one process?
whole_snapshot() { # DIR
    [ "$(cat "$1/latest")" = "$old" ] && return
    [ "$(cat "$1/latest")" = "$(cat "$work/new.latest")" ]
}
take_up() { # NAME DIR
    try "$1: the snapshot before, or the new one" whole_snapshot "$2"
    note "$(cat "$2/latest")"
    exits 0 "$1: the folder is in order" "$SNAP" verify "$2"
    try "$1: it goes on, on two ranks" ranks_restore 2 "$2" --steps 45
    try "$1: one ledger" cmp "$work/whole/ledger.jsonl" "$2/ledger.jsonl"
    same "$1: one state" "$(hashes_of "$work/whole")" "$(hashes_of "$2")"
    same "$1: no leftover" "" "$(find "$2" -name '.*tmp-*')"
}

cp -r "$work/begun" "$work/new"
try "the new snapshot, undisturbed" ranks_restore 3 "$work/new" --steps 30
cp "$work/new/latest" "$work/new.latest"

# By rank and call: in the part of another rank, when it is made durable and when it is read back;
# in rank 0's own, when the file gets its name, and when `latest` moves.
while read -r rank call when; do
    name="rank $rank killed at $call $when"
    run=$work/$rank-$call-$when
    cp -r "$work/begun" "$run"
    inject "$run" "$rank" "$call:signal=KILL:when=$when"
    status=$?
    try "$name: it was, and all ended" test "$status" -ne 0
    try "$name: there" grep -q "killed by SIGKILL" "$run.trace"
    take_up "$name" "$run"
done <<END
1 pwrite64 2
2 pwrite64 1
1 fsync 1
0 pwrite64 20
0 renameat2 1
0 renameat 1
END

# The disk of rank 2 is full, and the file of rank 1 fails to become durable.
for fault in "2 pwrite64 ENOSPC No.space.left" "1 fsync EIO Input/output.error"; do
    # shellcheck disable=SC2086 # its words
    set -- $fault
    run=$work/$2-$3
    cp -r "$work/begun" "$run"
    inject "$run" "$1" "$2:error=$3:when=1"
    status=$?
    same "rank $1: $2 $3: exit 3" 3 "$status"
    same "rank $1: $2 $3: told once, with its rank" 1 \
        "$(grep -c "^snap.*: rank $1 of 3: .*$4" "$run.out")"
    same "rank $1: $2 $3: the snapshot before" "$old" "$(cat "$run/latest")"
    take_up "rank $1: $2 $3" "$run"
done
tap_done
