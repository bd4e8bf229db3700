#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap diff: two archives, two runs, two ledgers.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
cp -r "$run" "$work/copy"
"$SNAP" run "$work/config.json" --dir "$work/seven" --seed 7 >/dev/null 2>&1

# ---- equal ----

exits 0 "a run and its copy" "$SNAP" diff "$run" "$work/copy"
matches "what it says" diff_equal.txt
exits 0 "a run and a ledger" "$SNAP" diff "$run" "$work/copy/ledger.jsonl"
exits 0 "two archives of one state" \
    "$SNAP" diff "$(snapshot "$run" 12)" "$(snapshot "$work/copy" 12)"
exits 0 "as JSON" "$SNAP" diff "$run" "$work/copy" --json
json_is_valid "its document is valid" diff

# ---- different ----

exits 1 "two steps of a run" "$SNAP" diff "$(snapshot "$run" 12)" "$(snapshot "$run" 18)"
same "the answer is not an error" "" "$(cat "$work/err")"
like "a tensor" 'conv1\.weight' "$(cat "$work/out")"
like "a stream" '^  python +the right one is [0-9]+ draws of 32 bits ahead' "$(cat "$work/out")"
like "an integer" '^  optimizer/step +1 of 1 +6 +\[\]: 0*c and 0*12$' "$(cat "$work/out")"
sed -n '/^tensors of floats/,/^other/s/.* \([0-9]*\) ulp .*/\1/p' "$work/out" >"$work/apart"
same "more than ten tensors of floats" 13 "$(wc -l <"$work/apart")"
same "the largest difference comes first" "$(sort -rn "$work/apart")" "$(cat "$work/apart")"
exits 1 "as JSON" "$SNAP" diff "$(snapshot "$run" 12)" "$(snapshot "$run" 18)" --json
json_is_valid "its document is valid" diff
exits 1 "runs of two seeds" "$SNAP" diff "$run" "$work/seven"
like "the seeds, side by side" '^  training\.seeds\.numpy +42 +7$' "$(cat "$work/out")"
like "which snapshots say so" '^snapshots of step 6, .*both have:$' "$(cat "$work/out")"
like "and their tensors" '^  model/conv1\.weight +36 of 36 ' "$(cat "$work/out")"
exits 1 "as JSON" "$SNAP" diff "$run" "$work/seven" --json
json_is_valid "its document is valid" diff
PYTHONHASHSEED=3 "$SNAP" run "$work/config.json" --dir "$work/hashed" >/dev/null 2>&1
exits 0 "another environment is no other state" \
    "$SNAP" diff "$(snapshot "$run" 24)" "$(snapshot "$work/hashed" 24)"
same "it is told" "the states are equal
environment                 left    right
  variables.PYTHONHASHSEED  absent  3" "$(cat "$work/out")"
exits 0 "as JSON" "$SNAP" diff "$(snapshot "$run" 24)" "$(snapshot "$work/hashed" 24)" --json
json_is_valid "its document is valid" diff
same "its environment" "[{'left': 'absent', 'name': 'variables.PYTHONHASHSEED', 'right': '3'}]" \
    "$(json "$work/out" 'd["result"]["environment"]')"
cp "$run/ledger.jsonl" "$work/forged.jsonl"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" ledger "$work/forged.jsonl" 8 float.scalars.loss 3f800000
exits 1 "ledgers of which one is forged" "$SNAP" diff "$run" "$work/forged.jsonl"
like "the first step and field" '8.*loss' "$(cat "$work/out")"
same "no next snapshots: one is a ledger alone" 2 "$(wc -l <"$work/out")"
cp -r "$run" "$work/lied"
cp "$work/forged.jsonl" "$work/lied/ledger.jsonl"
exits 1 "runs of which one's ledger is forged" "$SNAP" diff "$run" "$work/lied"
like "their next snapshots" '^snapshots of step 12, .*are equal$' "$(cat "$work/out")"
exits 1 "as JSON" "$SNAP" diff "$run" "$work/lied" --json
json_is_valid "its document is valid" diff
same "and which they are" "{'equal': True, 'step': 12}" \
    "$(json "$work/out" 'd["result"]["snapshots"]')"
exits 1 "runs of which one's ledger is forged" "$SNAP" diff "$run" "$work/forged.jsonl"
exits 1 "as JSON" "$SNAP" diff "$run" "$work/forged.jsonl" --json
json_is_valid "its document is valid" diff
cp "$(snapshot "$run" 12)" "$work/bit.snap.tar"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" bit "$work/bit.snap.tar" tensors/model/conv1.weight 4
exits 1 "archives of which one has another bit" \
    "$SNAP" diff "$(snapshot "$run" 12)" "$work/bit.snap.tar"
like "the tensor, and how far" 'conv1\.weight.*1' "$(cat "$work/out")"
same "nothing else" 0 "$(grep -c fc1 "$work/out")"

# ---- refused ----

fails 2 "an archive and a run" "one is an archive and the other a run" \
    "$SNAP" diff "$(snapshot "$run" 12)" "$run"
fails 2 "a config" "a JSON document" "$SNAP" diff "$run" "$work/config.json"
fails 3 "nothing" "no such file" "$SNAP" diff "$run" "$work/nowhere"
fails 5 "not an archive" "README\.md" "$SNAP" diff "$(snapshot "$run" 12)" "$top_srcdir/README.md"
sed 's/"loss":"./"loss":"e/' "$run/ledger.jsonl" >"$work/broken.jsonl"
fails 5 "a ledger that is off its chain" "broken\.jsonl" "$SNAP" diff "$run" "$work/broken.jsonl"

tap_done
