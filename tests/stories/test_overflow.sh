#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nadia's training ends with exit 7 at step 137. Omar gets one file of hers, has another machine and
# another number of threads, and finds the operation that overflowed, and why it did.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"
# shellcheck source=tests/stories/paper.sh
. "$top_srcdir/tests/stories/paper.sh"

# A small network, where somebody has typed a weight decay of a million: each update turns the
# weights round and makes them longer by a third.
training() { # FILE WEIGHT_DECAY
    make_config "$1" training.epochs=20 training.evaluate=0 running.every=50 \
        'training.model=[{"name": "flatten", "kind": "flatten"},
            {"name": "fc1", "kind": "linear", "features": 12},
            {"name": "relu1", "kind": "relu"},
            {"name": "fc2", "kind": "linear", "features": 10}]' \
        "training.optimizer={\"kind\": \"sgd\", \"learning_rate\": \"0.000002369\",
            \"weight_decay\": \"$2\"}"
}

# ---- Nadia ----

run=$work/nadia
training "$work/config.json" 1e6
says 7 "it stops before the update that would spoil the weights" \
    "before step 137: loss is +inf at element 0" "$SNAP" run "$work/config.json" --dir "$run"
same "one file has what is needed" "step-0000000137.snap.tar" "$(cd "$run/capsules" && echo *)"
tar -tf "$run/capsules/step-0000000137.snap.tar" | grep '^extra/' >"$work/members"
same "the batch, and what each operation gave" "extra/batch.images extra/batch.labels \
extra/batch.samples extra/input_scale extra/operations.json" \
    "$(tr '\n' ' ' <"$work/members" | sed 's/ $//')"

# ---- Omar: does it fail here too? ----

mkdir "$work/omar"
cp "$run/capsules/step-0000000137.snap.tar" "$work/omar/mail.snap.tar"
capsule=$work/omar/mail.snap.tar
says 0 "the file is whole" "verdict: intact" "$SNAP" verify "$capsule"
says 0 "it fails on his machine as on hers" "the failure is reproduced" \
    "$SNAP" replay "$capsule" --data "$digits" --threads 3
like "every operation is the one that she had" \
    "^operations +14 outputs, of which the capsule has 14$" "$(cat "$work/out")"
like "the first that is not finite: the sum of the losses" \
    "^not finite +operation 5, loss: out of reduce \(1\), 1 not finite" "$(cat "$work/out")"

# ---- why? ----

says 0 "every operation, with its range" "NOT FINITE, from element 0" \
    "$SNAP" replay "$capsule" --data "$digits" --step-by-step
same "the input is as it should be" "0.914 1.95" \
    "$(sed -n 's/^ *0  batch  *inputs .* -\([0-9.]*\) to \([0-9.]*\) .*/\1 \2/p' "$work/out")"
# A logit is 10^37: nothing has overflowed yet, but no logit should be like that.
like "the logits are huge already" "^ *3  forward fc2 +out of matmul .*-1\.03e\+37 to " \
    "$(cat "$work/out")"
"$SNAP" diff "$run/snapshots/step-0000000050.snap.tar" \
    "$run/snapshots/step-0000000100.snap.tar" >"$work/diff"
like "the weights grow with every step: Nadia's snapshots say so" "model/fc2\.weight" \
    "$(cat "$work/diff")"
says 0 "and her machine did not err on the way: step 51 to 100 come again" "equal, bit for bit" \
    "$SNAP" replay "$run/snapshots/step-0000000050.snap.tar" --to 100
says 0 "the config has it" '"weight_decay":"1e6"' "$SNAP" cat "$capsule" state.json

# ---- one number is put right ----

training "$work/config.json" 1e-6
says 0 "and it trains" "step 150" "$SNAP" run "$work/config.json" --dir "$work/right" --steps 150

tap_done
