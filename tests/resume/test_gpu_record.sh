#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The record of a CNN that was trained on a GPU (tests/golden/gpu-cnn: made-by.txt says which) is
# what this CPU makes of the same steps, bit for bit; a record of which one bit is another is not.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
: "${SNAP:?}"

record=$top_srcdir/tests/golden/gpu-cnn
replay() { # LEDGER
    capture "$SNAP" replay "$record/step-0000000045.snap.tar" --ledger "$1" \
        --data "$top_srcdir/data" --to 90 --device cpu
}

replay "$record/ledger.jsonl"
same "steps 46 to 90 of the GPU, on this CPU" 0 "$status"
like "45 lines were compared" 'compared +45 ledger lines' "$(cat "$work/out")"
like "they are equal" 'equal, bit for bit' "$(cat "$work/out")"
same "the record has its first line and 90 steps" \
    "$(grep -c '' "$record/ledger.jsonl")" 91

# Another last digit of the loss of step 60.
sed '61s/\("loss":"[0-9a-f]*\)[0-7]"/\18"/;t
61s/\("loss":"[0-9a-f]*\)[8-9a-f]"/\10"/' "$record/ledger.jsonl" >"$work/ledger.jsonl"
try "a bit is another" sh -c "! cmp -s '$record/ledger.jsonl' '$work/ledger.jsonl'"
replay "$work/ledger.jsonl"
try "that is not replayed" test "$status" -ne 0
tap_done
