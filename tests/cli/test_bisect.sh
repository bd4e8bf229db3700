#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap bisect: where two runs part. What was changed in hiding is told in tests/stories.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" running.every=1 || note "$(cat "$work/make_run.log")"
cp -r "$run" "$work/copy"

other() { # NAME [KEY=VALUE...]: a run of another config
    other_name=$1
    shift
    make_config "$work/$other_name.json" running.every=1 "$@"
    "$SNAP" run "$work/$other_name.json" --dir "$work/$other_name" --steps 16 >/dev/null 2>&1
}
result() { json "$work/out" "d['result']$1"; } # EXPRESSION: of the last document

# ---- equal ----

exits 0 "a run and its copy" "$SNAP" bisect "$run" "$work/copy"
like "what it says" '^first +nothing differs$' "$(cat "$work/out")"
exits 0 "as JSON" "$SNAP" bisect "$run" "$work/copy" --json
json_is_valid "its document is valid" bisect
same "of 24 snapshots the last is looked at" "24 1" \
    "$(result "['snapshots']['common']") $(result "['snapshots']['opened']")"
same "nothing is made again" "[]" "$(result "['stretches']")"

# ---- another config ----

other rate 'training.optimizer={"kind": "sgd", "learning_rate": "0.03", "momentum": "0.9"}'
exits 1 "another learning rate" "$SNAP" bisect "$run" "$work/rate"
same "the answer is not an error" "" "$(cat "$work/err")"
like "it is of the config" \
    '^first +config: training\.optimizer\.learning_rate is 0\.02 in run A and 0\.03 in run B' \
    "$(cat "$work/out")"
like "the first operator whose results differ is an update" \
    'run B: sgd, update of conv1\.weight: weight \[36\]' "$(cat "$work/out")"
exits 1 "as JSON" "$SNAP" bisect "$run" "$work/rate" --json
json_is_valid "its document is valid" bisect
same "each makes its own record" "[('A', 0, 1, 1), ('B', 0, 1, 1)]" \
    "$(result "['stretches']" | "$PYTHON" -c 'import ast, sys
print([(s["run"], s["first"], s["last"], s["reproduced"]) for s in ast.literal_eval(input())])')"

# A schedule that leaves the first steps as they are: the stretch begins at the last snapshot that
# is equal, though the configs, and so the texts of the states, are not.
other later 'training.schedule={"kind": "step", "every": 9, "gamma": "0.5"}'
exits 1 "a schedule that shows at step 10" "$SNAP" bisect "$run" "$work/later" --json
json_is_valid "its document is valid" bisect
same "from step 9 on, for both" "[9, 9]" "$(json "$work/out" \
    "[s['first'] for s in d['result']['stretches']]")"
same "the lines up to there are equal" "schedule 10" \
    "$(result "['difference']['kind']") $(result "['difference']['step']")"
same "its operator" "10 sgd update" "$(result "['operation']['step']") $(result \
    "['operation']['right']['op']") $(result "['operation']['right']['phase']")"

# Stubs are compared by their digests; a state that is not whole is no place to start from.
cp -r "$work/later" "$work/pruned"
"$SNAP" prune "$work/pruned" --every 7 >/dev/null || note "not pruned"
exits 1 "the same of a run that was pruned" "$SNAP" bisect "$run" "$work/pruned" --json
same "from the last whole one, for both" "9 [7, 7]" "$(result "['snapshots']['equal']") $(json \
    "$work/out" "[s['first'] for s in d['result']['stretches']]")"

other epochs training.epochs=3
exits 1 "more epochs" "$SNAP" bisect "$run" "$work/epochs"
like "no step differs" '^first +config: training\.epochs is 2 .*; no step that both have differs$' \
    "$(cat "$work/out")"

"$SNAP" run "$work/config.json" --dir "$work/seven" --seed 7 --steps 3 >/dev/null 2>&1
exits 1 "another seed" "$SNAP" bisect "$run" "$work/seven"
like "every seed" '^begin with +training\.seeds\.device: 42 and 7$' "$(cat "$work/out")"
like "what it does first" 'run B: upload, batch: inputs \[128, 8, 8, 1\]' "$(cat "$work/out")"
other smaller training.batch_size=64
exits 1 "another batch size" "$SNAP" bisect "$run" "$work/smaller"
like "other shapes" 'run B: upload, batch: inputs \[64, 8, 8, 1\]' "$(cat "$work/out")"

# ---- a run that goes on from another ----

"$SNAP" restore "$(snapshot "$run" 9)" --dir "$work/on" --steps 15 >/dev/null 2>&1
exits 0 "a run, and one that goes on from it" "$SNAP" bisect "$run" "$work/on"
like "over what both have" '^lines +equal over 6 steps$' "$(cat "$work/out")"
like "it begins elsewhere" '^ +parent: null and \{' "$(sed 's/^begin with/          /' "$work/out")"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" ledger "$work/on/ledger.jsonl" 12 \
    float.scalars.grad_norm 3f800000
exits 1 "one whose record was changed after that" "$SNAP" bisect "$run" "$work/on"
like "it is no config's" '^first +record: the ledger lines of step 12 differ alone' \
    "$(cat "$work/out")"
like "each was made from its own state" "^own state +run B's own ledger is not what its config" \
    "$(cat "$work/out")"
rm -r "$work/on/snapshots"
exits 1 "and whose snapshots are gone" "$SNAP" bisect "$run" "$work/on"
like "by the lines alone it is an operation" '^first +operation: step 12: .*grad_norm' \
    "$(cat "$work/out")"
like "its start cannot be made" 'on begins with a state of another run' "$(cat "$work/out")"

# ---- records that lie ----

cp -r "$run" "$work/forged"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" ledger "$work/forged/ledger.jsonl" 17 \
    float.scalars.loss 3f800000
exits 1 "a forged loss" "$SNAP" bisect "$run" "$work/forged"
like "the line alone says so" '^first +record: the ledger lines of step 17 differ alone' \
    "$(cat "$work/out")"
like "the state does not make it" \
    "^own state +run B's own ledger is not what its state at step 16 makes: .*step 17 as run A's" \
    "$(cat "$work/out")"
exits 1 "the same turned round" "$SNAP" bisect "$work/forged" "$run"
like "it is run A's" "^own state +run A's own ledger is not what its state" "$(cat "$work/out")"
cp -r "$run" "$work/worse"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" ledger "$work/worse/ledger.jsonl" 17 \
    float.scalars.loss 3f900000
exits 1 "two forged losses" "$SNAP" bisect "$work/forged" "$work/worse"
like "neither is made" "^own state +step 17 as it is made here from step 16 is neither run's" \
    "$(cat "$work/out")"

# ---- what cannot be made again ----

exits 1 "without a replay" "$SNAP" bisect "$run" "$work/rate" --no-replay
like "it says so" '^not again +nothing was made again: --no-replay$' "$(cat "$work/out")"
mkdir "$work/nothing"
exits 1 "without the data" "$SNAP" bisect "$run" "$work/rate" --data "$work/nothing" --json
json_is_valid "its document is valid" bisect
like "it says what is missing" 'train_images' "$(result "['not_replayed']")"
same "and what the records say" config "$(result "['kind']")"
rm -r "$work/rate/snapshots"
exits 1 "a run whose snapshots are gone" "$SNAP" bisect "$run" "$work/rate"
like "is made from its start" '^ +from step 0 of run B to step 1' "$(cat "$work/out")"

# ---- refused ----

fails 2 "an archive" "expected a run folder|archive" "$SNAP" bisect "$run" "$(snapshot "$run" 12)"
fails 3 "nothing" "no such file|nothing" "$SNAP" bisect "$run" "$work/nowhere"
flip_byte "$work/copy/ledger.jsonl" 3000
fails 5 "a damaged ledger" "ledger\.jsonl: line" "$SNAP" bisect "$run" "$work/copy"
cp "$run/ledger.jsonl" "$work/copy/ledger.jsonl"
flip_byte "$(snapshot "$work/copy" 24)" 100
fails 5 "a damaged snapshot" "step-0000000024" "$SNAP" bisect "$run" "$work/copy"

tap_done
