#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A step that gives NaN or Inf is not made: exit 7, and a capsule that fails in the same way when it
# is replayed.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"

absurd='"optimizer": {"kind": "sgd", "learning_rate": "1e6", "momentum": "0.9"}'
write_config "$work/absurd.json" "$absurd" '"every": 0'
exits 7 "an absurd learning rate" "$SNAP" run "$work/absurd.json" --dir "$work/absurd"
made=$(steps_in "$work/absurd")
capsule=$(find "$work/absurd/capsules" -name '*.snap.tar')
note "stopped after $made steps, $capsule"
same "one capsule" 1 "$(printf '%s\n' "$capsule" | grep -c .)"
like "the output names the step that was not made" "step $((made + 1))" \
    "$(cat "$work/out" "$work/err")"
mkdir "$work/unpacked"
try "tar reads it" tar -xf "$capsule" -C "$work/unpacked"
for member in batch.samples batch.images batch.labels operations.json; do
    try "it holds $member" test -s "$work/unpacked/extra/$member"
done
digests_are_right() {
    (cd "$work/unpacked" && sha256sum --quiet -c SHA256SUMS)
}
try "its digests are right" digests_are_right
exits 0 "it is reproduced" "$SNAP" replay "$capsule"
like "and the output says so" 'reproduced' "$(cat "$work/out")"
outputs=$(grep -o '"sha256"' "$work/unpacked/extra/operations.json" | wc -l)
like "every operation is as recorded" \
    "^operations +$outputs outputs, of which the capsule has $outputs\$" "$(cat "$work/out")"
like "the first that is not finite is named" \
    '^not finite +operation [0-9]+, [a-z]+ ?[a-z0-9]*: [a-z]+ of [a-z_]+ \(.*\), [0-9]+ not' \
    "$(cat "$work/out")"
exits 0 "with other threads too" "$SNAP" replay "$capsule" --threads 3
exits 0 "operation by operation" "$SNAP" replay "$capsule" --step-by-step
same "a line for each output" "$outputs" "$(grep -cE '^ *[0-9]+  [a-z]+ .* to ' "$work/out")"
first=$(grep -m 1 'NOT FINITE' "$work/out" | sed 's/^ *\([0-9]*\) .*/\1/')
like "the first line that is not finite is the operation named" \
    "^not finite +operation $first, " "$(cat "$work/out")"
try "a snapshot" snap_run "$work/absurd.json" "$work/short" --steps 1
exits 2 "not of a snapshot" "$SNAP" replay "$work/short/snapshots/step-0000000001.snap.tar" \
    --step-by-step

# An operation that gave something else in the run than here.
digest=$(grep -o '"sha256":"[0-9a-f]*"' "$work/unpacked/extra/operations.json" | sed -n 4p |
    cut -d'"' -f4)
cp "$capsule" "$work/other.snap.tar"
"${PYTHON:-python3}" "$top_srcdir/tests/cli/forge.py" text "$work/other.snap.tar" \
    extra/operations.json "$digest" "$(echo "$digest" | tr 0-9a-f 1-9a-f0)"
exits 1 "another digest is noticed" "$SNAP" replay "$work/other.snap.tar" --data "$data" \
    --step-by-step
like "at its operation" '^not as then +operation [0-9]+, ' "$(cat "$work/out")"
same "and nowhere else" 1 "$(grep -c 'NOT AS RECORDED' "$work/out")"
like "the error names it" \
    'fails as in the capsule, but by another way; the first .* operation [0-9]+, ' \
    "$(cat "$work/err")"

# Twice the same failure is the same file.
"$SNAP" run "$work/absurd.json" --dir "$work/again" >/dev/null 2>&1
try "a second run leaves the same capsule" cmp "$capsule" \
    "$work/again/capsules/$(basename "$capsule")"

# Weights that overflow in the very last update: a run that ends there ends with 7 as well, and so
# does the one that would go on. A linear model, whose weights grow by 1e12 a step.
cnn_training='"data": {"shape": [8, 8, 1], "classes": 10, "mean": "0.0192", "std": "0.0236"},
    "model": [
      {"name": "flatten", "kind": "flatten"},
      {"name": "fc1", "kind": "linear", "features": 10}
    ],
    "batch_size": 32'
decay='"optimizer": {"kind": "sgd", "learning_rate": "1e6", "weight_decay": "1e6"}'
write_config "$work/decay.json" "$decay" '"every": 0'
exits 0 "three steps are finite" "$SNAP" run "$work/decay.json" --dir "$work/three" --steps 3
exits 7 "the fourth leaves Inf" "$SNAP" run "$work/decay.json" --dir "$work/four" --steps 4
like "in a weight" 'fc1.weight is .?inf' "$(cat "$work/out" "$work/err")"
exits 0 "its capsule is reproduced" "$SNAP" replay "$work/four/capsules/step-0000000005.snap.tar"
like "it has no operation, and says where to look" \
    '^operations +none: the update of step 4 left it' "$(cat "$work/out")"
exits 7 "without the end, the same" "$SNAP" run "$work/decay.json" --dir "$work/on"
try "the same ledger" cmp "$work/four/ledger.jsonl" "$work/on/ledger.jsonl"
tap_done
