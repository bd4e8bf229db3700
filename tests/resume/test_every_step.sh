#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A run that exits and is restored after every single one of its 200 steps has the ledger of the run
# that nobody stopped: every stream, moment, running statistic and place in the data came back each
# time.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"

steps=200

# One pass; the program exits and is started again in between.
stop_at_every_step() { # CONFIG DIR
    snap_run "$1" "$2" --steps 1 || return 1
    step=2
    while [ "$step" -le "$steps" ]; do
        if ! snap_restore "$2" --steps "$step"; then
            cat "$work/restore.out"
            return 1
        fi
        step=$((step + 1))
    done
}

# Step lines that are like a pattern.
lines_with() { # PATTERN
    sed 1d "$work/$optimizer/ledger.jsonl" | grep -c "$1"
}

for optimizer in sgd adam; do
    write_config "$work/$optimizer.json" "$(optimizer $optimizer)" '"every": 0'
    try "$optimizer: $steps steps in one go" snap_run "$work/$optimizer.json" \
        "$work/$optimizer" --steps "$steps"
    same "$optimizer: the ledger has $steps steps" "$steps" "$(steps_in "$work/$optimizer")"
    same "$optimizer: every step moves the device stream by one" "$steps" \
        "$(lines_with '"draws":{"device":1}')"
    same "$optimizer: every step augments from the numpy stream" "$steps" \
        "$(lines_with '"numpy":[1-9]')"
    same "$optimizer: every epoch is ordered by the python stream" 5 \
        "$(lines_with '"python":[1-9]')"
    try "$optimizer: stopped and restored after each of them" \
        stop_at_every_step "$work/$optimizer.json" "$work/$optimizer-stopped"
    try "$optimizer: one ledger" cmp "$work/$optimizer/ledger.jsonl" \
        "$work/$optimizer-stopped/ledger.jsonl"
    same "$optimizer: one state" "$(hashes_of "$work/$optimizer")" \
        "$(hashes_of "$work/$optimizer-stopped")"
    same "$optimizer: a snapshot of every step" "$steps" \
        "$(find "$work/$optimizer-stopped/snapshots" -name '*.snap.tar' | wc -l)"
done
tap_done
