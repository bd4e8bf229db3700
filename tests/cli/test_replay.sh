#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap replay: a stretch, to a step, to an archive, against another ledger, of a capsule.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
before=$(contents "$run")

exits 0 "from the first snapshot to the end" "$SNAP" replay "$(snapshot "$run" 6)"
matches "what it says" replay.txt
exits 0 "to a step, as JSON" "$SNAP" replay "$(snapshot "$run" 6)" --to 9 --json
json_is_valid "its document is valid" replay
same "it compared these" "6 9 3" \
    "$(json "$work/out" '"{first_step} {step} {lines_compared}".format(**d["result"])')"
exits 0 "to an archive" "$SNAP" replay "$(snapshot "$run" 6)" --to "$(snapshot "$run" 12)" --json
same "it compared its whole state" 1 "$(json "$work/out" 'd["result"]["states_compared"]')"
same "and its state hash comes out" \
    "$("$SNAP" hash "$(snapshot "$run" 12)" | grep -o 'state1:.*')" \
    "$(json "$work/out" 'd["result"]["state_hash"]')"
exits 0 "with other threads" "$SNAP" replay "$(snapshot "$run" 18)" --threads 3
same "the run is as it was" "$before" "$(contents "$run")"

mkdir "$work/alone"
cp "$(snapshot "$run" 6)" "$work/alone/six.snap.tar"
fails 3 "an archive alone" "nothing to compare with" "$SNAP" replay "$work/alone/six.snap.tar" \
    --data "$top_srcdir/data"
exits 0 "with a ledger" "$SNAP" replay "$work/alone/six.snap.tar" --data "$top_srcdir/data" \
    --ledger "$run/ledger.jsonl" --to 8
exits 0 "with a run folder" "$SNAP" replay "$work/alone/six.snap.tar" --ledger "$run" --to 8
cp "$(snapshot "$run" 12)" "$work/alone/"
exits 0 "with a later archive beside it" "$SNAP" replay "$work/alone/six.snap.tar" \
    --data "$top_srcdir/data"

# ---- something differs ----

cp "$run/ledger.jsonl" "$work/forged.jsonl"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" ledger "$work/forged.jsonl" 8 float.scalars.loss 3f800000
fails 1 "a loss that was forged" "step 8: loss" "$SNAP" replay "$(snapshot "$run" 6)" \
    --ledger "$work/forged.jsonl"
like "it says so" '^differs +step 8: loss \(float\.scalars\.loss\)' "$(cat "$work/out")"
exits 1 "the same as JSON" \
    "$SNAP" replay "$(snapshot "$run" 6)" --ledger "$work/forged.jsonl" --json
json_is_valid "its document is valid" replay
same "it names step and kind" "8 loss 3f800000" \
    "$(json "$work/out" '"{step} {kind} {left}".format(**d["result"]["difference"])')"

cp -r "$run" "$work/bit"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" bit "$(snapshot "$work/bit" 12)" \
    tensors/model/conv1.weight 5
fails 1 "a weight that was forged in a later archive" "conv1.weight" \
    "$SNAP" replay "$(snapshot "$work/bit" 6)"
like "it names step and tensor" '^differs +step 12: state' "$(cat "$work/out")"

# ---- a capsule ----

make_nan_config "$work/nan.json"
"$SNAP" run "$work/nan.json" --dir "$work/nan" --json >"$work/nan.out" 2>/dev/null
capsule=$(json "$work/nan.out" 'd["result"]["failure"]["capsule"]')
exits 0 "the capsule of a NaN" "$SNAP" replay "$capsule"
like "the failure is reproduced" '^verdict +the failure is reproduced$' "$(cat "$work/out")"
same "the same as was recorded" "$(sed -n 's/^recorded *//p' "$work/out")" \
    "$(sed -n 's/^now *//p' "$work/out")"
exits 0 "the same as JSON" "$SNAP" replay "$capsule" --json
json_is_valid "its document is valid" replay

# ---- refused ----

fails 2 "a run folder" "a run folder; an archive is wanted, such as snapshots/step-0000000024" \
    "$SNAP" replay "$run"
fails 2 "to a step before it" "later step" "$SNAP" replay "$(snapshot "$run" 12)" --to 6
fails 3 "past the end of the record" "nothing to compare with after step 24" \
    "$SNAP" replay "$(snapshot "$run" 12)" --to 99
fails 3 "to what is not there" "no such file" "$SNAP" replay "$(snapshot "$run" 12)" --to nowhere
fails 2 "to a step past all numbers" "--to: '99999999999999999999'" \
    "$SNAP" replay "$(snapshot "$run" 12)" --to 99999999999999999999
fails 2 "a config for a ledger" "a JSON document; a run folder or a ledger is wanted" \
    "$SNAP" replay "$(snapshot "$run" 12)" --ledger "$work/config.json"
"$SNAP" run "$work/config.json" --dir "$work/other" --seed 7 >/dev/null 2>&1
fails 1 "the ledger of another run" "another run|chain" \
    "$SNAP" replay "$(snapshot "$run" 6)" --ledger "$work/other"

tap_done
