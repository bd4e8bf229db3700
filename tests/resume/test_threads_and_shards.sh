#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The number of threads decides nothing; the number of shards decides the run.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"

for shards in 1 2 4; do
    write_config "$work/$shards.json" "$(optimizer sgd), \"shards\": $shards" '"every": 30'
    for threads in 1 2 3 7; do
        try "$shards shards, $threads threads" snap_run "$work/$shards.json" \
            "$work/$shards-$threads" --steps 60 --threads "$threads"
    done
    for threads in 2 3 7; do
        try "$shards shards: the ledger of $threads threads is that of one" \
            cmp "$work/$shards-1/ledger.jsonl" "$work/$shards-$threads/ledger.jsonl"
        try "$shards shards: so are the archives" \
            same_snapshots "$work/$shards-1" "$work/$shards-$threads"
    done
done

# Beyond the config in their first lines: the losses are others from the first steps on.
losses() { # DIR
    sed 1d "$1/ledger.jsonl" | grep -o '"loss":"[0-9a-f]*"'
}
differ() { # DIR DIR
    [ "$(losses "$1")" != "$(losses "$2")" ]
}
try "1 and 2 shards differ" differ "$work/1-1" "$work/2-1"
try "1 and 4 shards differ" differ "$work/1-1" "$work/4-1"
try "2 and 4 shards differ" differ "$work/2-1" "$work/4-1"

# Two runs of one config are the same files; so are two saves of one state.
try "a run again" snap_run "$work/1.json" "$work/again" --steps 60
try "has the same ledger" cmp "$work/1-1/ledger.jsonl" "$work/again/ledger.jsonl"
try "and the same archives, byte for byte" same_snapshots "$work/1-1" "$work/again"
cp -r "$work/again" "$work/resaved"
rm "$work/resaved/snapshots/step-0000000060.snap.tar"
sed -i 's/0000000060/0000000030/' "$work/resaved/latest"
hash=$("$SNAP" hash "$work/resaved/snapshots/step-0000000030.snap.tar" |
    grep -oE 'snap1:[0-9a-f]{64}')
sed -i "s/snap1:[0-9a-f]*/$hash/" "$work/resaved/latest"
try "the state of step 60 is saved again with 7 threads" \
    snap_restore "$work/resaved" --steps 60 --threads 7
try "as the same file" cmp "$work/again/snapshots/step-0000000060.snap.tar" \
    "$work/resaved/snapshots/step-0000000060.snap.tar"
tap_done
