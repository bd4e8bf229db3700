#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap prune: by each rule, and what stays whatever the rules say.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

made=$work/made
make_run "$made" || note "$(cat "$work/make_run.log")"
stubs() { # DIR: steps of the stubs
    for step in 6 12 18 24; do
        "$SNAP" list "$(snapshot "$1" $step)" | grep -q "tensor *withheld" && printf '%s ' $step
    done
}
pruned() { # NAME STUBS ARGUMENT...
    pruned_name=$1
    pruned_stubs=$2
    shift 2
    rm -rf "$work/run"
    cp -r "$made" "$work/run"
    exits 0 "$pruned_name" "$SNAP" prune "$work/run" "$@"
    same "$pruned_name: the stubs" "$pruned_stubs" "$(stubs "$work/run")"
}

pruned "the last" "6 12 18 " --last 1
pruned "the last two" "6 12 " --last 2
pruned "every 12" "6 18 " --every 12
pruned "a named one" "12 18 " 6
pruned "the best" "6 18 " --best eval_loss 12
pruned "rules together" "6 " --last 2 --every 12
exits 0 "the run is sound" "$SNAP" fsck "$work/run"
exits 0 "again" "$SNAP" prune "$work/run" --last 2 --every 12
exits 6 "verify says what is absent" "$SNAP" verify "$work/run"
exits 0 "and that it may be" "$SNAP" verify "$work/run" --allow-withheld
same "the hashes stand" "$("$SNAP" hash "$(snapshot "$made" 6)" | sed 1d)" \
    "$("$SNAP" hash "$(snapshot "$work/run" 6)" | sed 1d)"
rm "$work/run/ledger.jsonl"
exits 0 "a lost ledger is built again from stubs" "$SNAP" restore "$work/run"
try "the same" cmp "$work/run/ledger.jsonl" "$made/ledger.jsonl"

rm -rf "$work/run"
cp -r "$made" "$work/run"
exits 0 "a dry run" "$SNAP" prune "$work/run" --last 1 --dry-run --json
json_is_valid "its document is valid" prune
same "does nothing" "$(contents "$made")" "$(contents "$work/run")"
fails 2 "no rule" "no rule" "$SNAP" prune "$work/run"
fails 2 "no step" "is no step" "$SNAP" prune "$work/run" six
flip_byte "$(snapshot "$work/run" 24)" 40000
before=$(contents "$work/run")
fails 5 "the last one is damaged" "step-0000000024" "$SNAP" prune "$work/run" --last 1
same "nothing was pruned" "$before" "$(contents "$work/run")"
rm "$work/run/latest"
fails 3 "no latest" "latest" "$SNAP" prune "$work/run" --last 1

frozen=$work/frozen
make_run "$frozen" 'training.optimizer={"kind": "sgd", "learning_rate": "0", "momentum": "0"}' ||
    note "$(cat "$work/make_run.log")"
"$SNAP" thin "$(snapshot "$frozen" 24)" --base "$(snapshot "$frozen" 12)" >/dev/null
exits 0 "a thin one is the last" "$SNAP" prune "$frozen" --last 1
like "what it needs is kept" "(12|18)  needed" "$(cat "$work/out")"
exits 0 "and is whole" "$SNAP" verify "$(snapshot "$frozen" 24)"

tap_done
