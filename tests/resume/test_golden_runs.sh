#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The example configs still make the runs that they made when tests/golden/runs.txt was written,
# with every table of kernels that this CPU has: whoever changed an order or a rounding, or a byte
# of the ledger or of the state, learns it here. A line of that file: config, steps, run hash, state
# hash. The file is never remade to let a change pass.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/kernels_lib.sh
. "${top_srcdir:?}/tests/resume/kernels_lib.sh"
# shellcheck source=tests/resume/golden_lib.sh
. "${top_srcdir:?}/tests/resume/golden_lib.sh"
: "${SNAP:?}"

check_run() { # NAME STEPS RUN-HASH STATE-HASH ISA
    title="$1, $2 steps, kernels $5"
    exits 0 "$title: runs" env SNAP_ISA="$5" "$SNAP" run "$work/$1.json" \
        --dir "$work/$1-$2-$5" --steps "$2"
    capture "$SNAP" hash "$work/$1-$2-$5"
    same "$title: run hash" "$3" "$(grep -oE 'run1:[0-9a-f]{64}' "$work/out")"
    same "$title: state hash" "$4" "$(grep -oE 'state1:[0-9a-f]{64}' "$work/out")"
}

while read -r name steps run_hash state_hash; do
    has_golden_data "$name" || continue
    place_config "$name"
    for isa in $every_isa; do
        if can_run_isa "$isa"; then
            check_run "$name" "$steps" "$run_hash" "$state_hash" "$isa"
        elif isa_in_build "$isa"; then
            skip "$name, kernels $isa" "this CPU does not have it"
        fi
    done
done <"$top_srcdir/tests/golden/runs.txt"
tap_done
