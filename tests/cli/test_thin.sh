#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap thin: by a base, and by what is not given away.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
six=$(snapshot "$run" 6)
twelve=$(snapshot "$run" 12)
cp "$twelve" "$work/whole"
hashes=$("$SNAP" hash "$twelve")

# A copy has everything in common.
cp "$twelve" "$run/snapshots/copy.snap.tar"
fails 2 "the same archive" "same archive" \
    "$SNAP" thin "$twelve" --base "$run/snapshots/copy.snap.tar"
rm "$run/snapshots/copy.snap.tar"

# One step later the frozen part is the same: here, with a rate of nothing, all weights.
frozen=$work/frozen
make_run "$frozen" 'training.optimizer={"kind": "sgd", "learning_rate": "0", "momentum": "0"}' ||
    note "$(cat "$work/make_run.log")"
base=$(snapshot "$frozen" 6)
thin=$(snapshot "$frozen" 12)
cp "$thin" "$work/full"
exits 0 "by a base" "$SNAP" thin "$thin" --base "$base" --json
json_is_valid "its document is valid" thin
fails 3 "and nothing is left to it" "in the base" "$SNAP" thin "$thin" --base "$base"
try "it is smaller" test "$(stat -c %s "$thin")" -lt "$(stat -c %s "$work/full")"
same "the hashes stand" "$("$SNAP" hash "$work/full" | sed 1d)" "$("$SNAP" hash "$thin" | sed 1d)"
exits 0 "it is verified through the base" "$SNAP" verify "$thin"
like "which is named" "^note *thin: .*step-0000000006" "$(cat "$work/out")"
exits 0 "so is the run" "$SNAP" verify "$frozen"
exits 0 "and by fsck" "$SNAP" fsck "$frozen"
exits 0 "a member is read" "$SNAP" cat "$thin" tensors/model/fc1.weight
cp "$work/out" "$work/read"
"$SNAP" cat "$work/full" tensors/model/fc1.weight >"$work/expected"
try "and is the same" cmp "$work/read" "$work/expected"
exits 0 "a training goes on from it" "$SNAP" restore "$thin" --dir "$work/on" --steps 13
cp "$thin" "$work/alone.snap.tar"
fails 6 "alone it lacks members" "withheld" "$SNAP" verify "$work/alone.snap.tar"
exits 0 "packed" "$SNAP" pack "$thin"
try "byte for byte what it was" cmp "$thin" "$work/full"
fails 2 "a base in another folder" "another folder" "$SNAP" thin "$thin" --base "$work/full"

exits 0 "without the optimizer" "$SNAP" thin "$twelve" --drop optimizer -o "$work/given"
same "its hashes stand" "$(printf '%s\n' "$hashes" | sed 1d)" \
    "$("$SNAP" hash "$work/given" | sed 1d)"
exits 0 "it is intact" "$SNAP" verify "$work/given" --allow-withheld
fails 2 "a drop in place" "file to write to" "$SNAP" thin "$twelve" --drop optimizer
fails 3 "a drop of nothing" "dropped" "$SNAP" thin "$twelve" --drop nothing -o "$work/none"
fails 2 "neither" "base" "$SNAP" thin "$twelve"
try "the archive is as it was" cmp "$twelve" "$work/whole"
flip_byte "$six" 40000
fails 5 "a damaged base" "step-0000000006" "$SNAP" thin "$twelve" --base "$six"

tap_done
