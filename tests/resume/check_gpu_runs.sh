#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On a real CUDA device: the example configs make the runs of tests/golden/runs.txt there too, and a
# run goes on there that was begun on the CPU. Run by `make check-gpu`.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/golden_lib.sh
. "${top_srcdir:?}/tests/resume/golden_lib.sh"
: "${SNAP:?}"

capture "$SNAP" run "$top_srcdir/examples/digits-mlp.json" --dir "$work/probe" --steps 1 \
    --device cuda:0
if [ "$status" -eq 4 ]; then
    printf '1..0 # SKIP %s\n' "$(head -n 1 "$work/err")"
    exit 0
fi

while read -r name steps run_hash state_hash; do
    has_golden_data "$name" || continue
    place_config "$name"
    config=$work/$name.json
    exits 0 "$name: runs" "$SNAP" run "$config" --dir "$work/$name" --steps "$steps" \
        --device cuda:0
    capture "$SNAP" hash "$work/$name"
    same "$name: run hash" "$run_hash" "$(grep -oE 'run1:[0-9a-f]{64}' "$work/out")"
    same "$name: state hash" "$state_hash" "$(grep -oE 'state1:[0-9a-f]{64}' "$work/out")"
    exits 0 "$name: begins on the CPU" "$SNAP" run "$config" --dir "$work/$name-both" \
        --steps "$((steps / 2))"
    exits 0 "$name: goes on there" "$SNAP" restore "$work/$name-both" --steps "$steps" \
        --device cuda:0
    capture "$SNAP" hash "$work/$name-both"
    same "$name: run hash of both" "$run_hash" "$(grep -oE 'run1:[0-9a-f]{64}' "$work/out")"
done <"$top_srcdir/tests/golden/runs.txt"
tap_done
