#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a config says of its snapshots: thin ones, which stay, and what becomes of the training when
# one cannot be saved. None of it changes a bit of the run.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

withheld() { # DIR STEP: how many members
    "$SNAP" list "$(snapshot "$1" "$2")" | grep -c " withheld "
}
frozen='training.optimizer={"kind": "sgd", "learning_rate": "0", "momentum": "0"}'
make_run "$work/whole" "$frozen" || note "$(cat "$work/make_run.log")"
make_run "$work/thin" "$frozen" running.thin=2 || note "$(cat "$work/make_run.log")"
thin=$work/thin

same "the first is whole" 0 "$(withheld "$thin" 6)"
try "the second is thin" test "$(withheld "$thin" 12)" -gt 0
try "the third is thin" test "$(withheld "$thin" 18)" -gt 0
same "the fourth is whole: no chain is longer than said" 0 "$(withheld "$thin" 24)"
try "the ledger is the same" cmp "$thin/ledger.jsonl" "$work/whole/ledger.jsonl"
for step in 12 18; do
    same "the hashes of step $step are the same" \
        "$("$SNAP" hash "$(snapshot "$work/whole" $step)" | sed 1d)" \
        "$("$SNAP" hash "$(snapshot "$thin" $step)" | sed 1d)"
done
exits 0 "all is verified" "$SNAP" verify "$thin"
exits 0 "a replay from a thin one" "$SNAP" replay "$(snapshot "$thin" 12)"
exits 0 "all stretches" "$SNAP" verify "$thin" --replay 9
like "begin at thin ones, too" "4 of 4 stretches" "$(cat "$work/out")"
exits 0 "packed" "$SNAP" pack "$(snapshot "$thin" 18)"
try "it is the whole one" cmp "$(snapshot "$thin" 18)" "$(snapshot "$work/whole" 18)"

make_run "$work/keep" 'running.keep={"last": 1, "every": 12}' || note "$(cat "$work/make_run.log")"
try "one that no rule keeps is a stub" test "$(withheld "$work/keep" 6)" -gt 0
same "a multiple stays" 0 "$(withheld "$work/keep" 12)"
try "an older last one is a stub" test "$(withheld "$work/keep" 18)" -gt 0
same "the last stays" 0 "$(withheld "$work/keep" 24)"
exits 0 "the run is sound" "$SNAP" fsck "$work/keep"
try "an event tells it" grep -q '"event":"pruned"' "$work/keep/events.jsonl"

make_run "$work/named" 'running.keep={"steps": [6, 24]}' || note "$(cat "$work/make_run.log")"
same "one that is named stays" 0 "$(withheld "$work/named" 6)"
try "one that is not is a stub" test "$(withheld "$work/named" 12)" -gt 0
exits 0 "it is gone on from" "$SNAP" replay "$(snapshot "$work/named" 6)"

# A folder is where the second snapshot should be.
mkdir -p "$work/stop/snapshots/step-0000000012.snap.tar" \
    "$work/on/snapshots/step-0000000012.snap.tar"
make_config "$work/config.json"
exits 3 "a save that fails stops the training" \
    "$SNAP" run "$work/config.json" --dir "$work/stop"
like "with a clear error" "step-0000000012" "$(cat "$work/err")"
like "and latest is the one before" "step-0000000006" "$(cat "$work/stop/latest")"
make_config "$work/config.json" 'running.on_save_failure="continue"'
exits 0 "or it goes on" "$SNAP" run "$work/config.json" --dir "$work/on"
like "with a loud warning" "warning: NO SNAPSHOT after step 12" "$(cat "$work/err")"
like "to the end" "step-0000000024" "$(cat "$work/on/latest")"
try "an event tells that" grep -q '"event":"save_failed"' "$work/on/events.jsonl"
rmdir "$work/stop/snapshots/step-0000000012.snap.tar"
exits 0 "the one that stopped goes on" "$SNAP" restore "$work/stop"
try "to the same ledger" cmp "$work/stop/ledger.jsonl" "$work/on/ledger.jsonl"

tap_done
