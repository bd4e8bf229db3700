#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From the snapshot of every step k, the whole remainder of the run: each of the 199 has the ledger
# of the run that nobody stopped. Takes a while: part of check-exhaustive.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"

steps=200

# A folder as a kill right after the save of step k leaves it: the ledger up to there, that
# snapshot, and `latest`.
as_killed_after() { # FROM TO STEP
    name=$(printf 'step-%010d.snap.tar' "$3")
    mkdir -p "$2/snapshots" &&
        head -n $(($3 + 1)) "$1/ledger.jsonl" >"$2/ledger.jsonl" &&
        cp "$1/config.json" "$1/events.jsonl" "$2" &&
        cp "$1/snapshots/$name" "$2/snapshots" &&
        printf '{"file":"snapshots/%s","snapshot":"%s"}\n' "$name" \
            "$("$SNAP" hash "$1/snapshots/$name" | grep -oE 'snap1:[0-9a-f]{64}')" >"$2/latest"
}

remainder() { # FROM STEP
    rm -rf "$work/rest"
    as_killed_after "$1" "$work/rest" "$2" && snap_restore "$work/rest" --steps "$steps" &&
        cmp "$1/ledger.jsonl" "$work/rest/ledger.jsonl"
}

for optimizer in sgd adam; do
    write_config "$work/$optimizer.json" "$(optimizer $optimizer)" '"every": 1'
    try "$optimizer: $steps steps in one go" snap_run "$work/$optimizer.json" \
        "$work/$optimizer" --steps "$steps"
    step=1
    while [ "$step" -lt "$steps" ]; do
        try "$optimizer: from step $step to the end" remainder "$work/$optimizer" "$step"
        step=$((step + 1))
    done
done
tap_done
