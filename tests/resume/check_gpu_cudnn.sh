#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The profile cudnn-1 on a real CUDA device: a run made twice has one ledger, and so has one that
# was stopped and restored at several steps. Run by `make check-gpu`.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
: "${SNAP:?}"

steps=60
sed -e 's/"portable-1"/"cudnn-1"/' -e "s|\"\\.\\./data/|\"$top_srcdir/data/|" \
    "$top_srcdir/examples/digits-cnn.json" >"$work/cnn.json"

capture "$SNAP" run "$work/cnn.json" --dir "$work/probe" --steps 1 --device cuda:0
if [ "$status" -eq 4 ]; then
    printf '1..0 # SKIP %s\n' "$(head -n 1 "$work/err")"
    exit 0
fi

# Not of the snapshot, which names the one before it.
hashes() { # DIR
    "$SNAP" hash "$1" | grep -oE '(run1|state1):[0-9a-f]{64}'
}

exits 0 "runs" "$SNAP" run "$work/cnn.json" --dir "$work/once" --steps "$steps" --device cuda:0
exits 0 "runs again" "$SNAP" run "$work/cnn.json" --dir "$work/twice" --steps "$steps" \
    --device cuda:0
try "one ledger" cmp "$work/once/ledger.jsonl" "$work/twice/ledger.jsonl"
same "one state" "$(hashes "$work/once")" "$(hashes "$work/twice")"

exits 0 "a run that is stopped" "$SNAP" run "$work/cnn.json" --dir "$work/stopped" --steps 1 \
    --device cuda:0
for step in 2 3 10 44 45 46 59 "$steps"; do
    exits 0 "goes on to step $step" "$SNAP" restore "$work/stopped" --steps "$step" \
        --device cuda:0
done
try "one ledger, stopped or not" cmp "$work/once/ledger.jsonl" "$work/stopped/ledger.jsonl"
same "one state, stopped or not" "$(hashes "$work/once")" "$(hashes "$work/stopped")"
exits 0 "a replay from step 45" "$SNAP" replay \
    "$work/once/snapshots/step-0000000045.snap.tar" --device cuda:0
exits 4 "not on the CPU" "$SNAP" restore "$work/once" --steps "$((steps + 1))" --device cpu
exits 6 "not with a variable that changes results" env NVIDIA_TF32_OVERRIDE=1 "$SNAP" restore \
    "$work/once" --steps "$((steps + 1))" --device cuda:0
tap_done
