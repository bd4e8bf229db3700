#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A replay agrees with what the run left, wherever that is found, and names the first thing that
# differs.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"

write_config "$work/config.json" "$(optimizer sgd), \"ledger\": {\"batch_bytes\": true}" \
    '"every": 15'
try "a run" snap_run "$work/config.json" "$work/run" --steps 60
archive=$work/run/snapshots/step-0000000015.snap.tar

exits 0 "with the run's ledger and later archives" "$SNAP" replay "$archive"
like "45 lines and 3 states" '45 ledger lines, 3 ' "$(cat "$work/out")"
like "the run hash is the run's" "$("$SNAP" hash "$work/run" | grep -oE 'run1:[0-9a-f]{64}')" \
    "$(cat "$work/out")"
exits 0 "to a step" "$SNAP" replay "$archive" --to 20 --threads 3
like "5 lines" '5 ledger lines, 0 ' "$(cat "$work/out")"

# Away from the run folder.
mkdir "$work/elsewhere"
cp "$work/run/snapshots/"* "$work/elsewhere"
cp "$archive" "$work/alone.snap.tar"
exits 0 "with the lines in the archives beside it" "$SNAP" replay --data "$data" \
    "$work/elsewhere/step-0000000015.snap.tar"
like "45 lines and 3 states again" '45 ledger lines, 3 ' "$(cat "$work/out")"
rm "$work/elsewhere/step-0000000030.snap.tar" "$work/elsewhere/step-0000000015.snap.tar"
exits 0 "with an archive named" "$SNAP" replay --data "$data" "$work/alone.snap.tar" \
    --to "$work/elsewhere/step-0000000045.snap.tar"
like "one state" '0 ledger lines, 1 ' "$(cat "$work/out")"
exits 0 "with a ledger named" "$SNAP" replay --data "$data" "$work/alone.snap.tar" \
    --ledger "$work/run/ledger.jsonl"
exits 0 "with a run named, which says where the data are" "$SNAP" replay \
    "$work/alone.snap.tar" --ledger "$work/run"
mkdir "$work/bare"
mv "$work/alone.snap.tar" "$work/bare"
"$SNAP" replay --data "$data" "$work/bare/alone.snap.tar" >"$work/out" 2>"$work/err"
replayed=$?
try "with nothing to compare with it is not equal" test "$replayed" -ne 0
like "it says so" 'nothing to compare with' "$(cat "$work/err")"
exits 2 "not backwards" "$SNAP" replay "$archive" --to 3

# A false ledger, intact in itself: the first difference is named by step and kind.
digest=$(printf '%064d' 0)
for field in float.scalars.loss=3f800000=loss float.scalars.grad_norm=3f800000=gradient \
    float.state=tree1:$digest=state host.samples=$digest=order host.batch=$digest=batch \
    host.scalars.lr=3f800000=schedule; do
    kind=${field##*=}
    value=${field#*=}
    cp "$work/run/ledger.jsonl" "$work/forged.jsonl"
    try "a false ledger: $kind" "${PYTHON:-python3}" "$top_srcdir/tests/cli/forge.py" ledger \
        "$work/forged.jsonl" 33 "${field%%=*}" "${value%=*}"
    exits 1 "another $kind is noticed" "$SNAP" replay "$archive" --ledger "$work/forged.jsonl"
    like "at its step, by its kind" "step 33.*$kind" "$(cat "$work/out" "$work/err" | tr '\n' ' ')"
done

# The same ledger in a run folder: a restored run stops at the first line that does not come.
cp -r "$work/run" "$work/false"
rm "$work/false/snapshots/step-0000000045.snap.tar" "$work/false/snapshots/step-0000000060.snap.tar"
printf '{"file":"snapshots/step-0000000030.snap.tar","snapshot":"%s"}\n' \
    "$("$SNAP" hash "$work/false/snapshots/step-0000000030.snap.tar" |
        grep -oE 'snap1:[0-9a-f]{64}')" >"$work/false/latest"
cp "$work/forged.jsonl" "$work/false/ledger.jsonl"
exits 1 "a restored run stops at a false line" "$SNAP" restore "$work/false" --steps 60
like "and names it" 'step 33.*schedule' "$(cat "$work/out" "$work/err" | tr '\n' ' ')"

# An archive of the same step with another state: its first tensor or stream is named.
write_config "$work/other.json" "$(optimizer sgd), \"shards\": 2" '"every": 15'
try "another run" snap_run "$work/other.json" "$work/other" --steps 30
exits 1 "another state is noticed" "$SNAP" replay "$archive" \
    --to "$work/other/snapshots/step-0000000030.snap.tar"
like "at its step" 'step 30' "$(cat "$work/out" "$work/err")"

# An archive that lists the right digests over other bytes proves nothing, wherever it is damaged.
cp -r "$work/run" "$work/damaged"
rotten="$work/damaged/snapshots/step-0000000045.snap.tar"
for place in 1000 20000; do
    cp "$work/run/snapshots/step-0000000045.snap.tar" "$rotten"
    printf X | dd of="$rotten" bs=1 seek="$place" conv=notrunc 2>/dev/null
    exits 5 "a damaged archive, byte $place, is not agreed with" "$SNAP" replay \
        "$work/damaged/snapshots/$(basename "$archive")"
    like "but named" 'step-0000000045' "$(cat "$work/err")"
done
tap_done
