#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap pull: out of a folder into a run folder that goes on, or into a file.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
store=$work/store
new=$work/new
make_run "$run" || note "$(cat "$work/make_run.log")"
exits 0 "a store" "$SNAP" push "$run" "$store"
stored=$(printf '%s\n' "$store/archives/step-0000000012"-*)

exits 0 "the latest" "$SNAP" pull "$store" "$new" --json
json_is_valid "its document is valid" pull
same "is one archive" "step-0000000024.snap.tar" "$(ls "$new/snapshots")"
try "byte for byte" cmp "$(snapshot "$run" 24)" "$(snapshot "$new" 24)"
try "its latest is the run's" cmp "$run/latest" "$new/latest"
exits 0 "a step" "$SNAP" pull "$store" "$new" --step 12
try "its latest does not go back" cmp "$run/latest" "$new/latest"
exits 0 "all" "$SNAP" pull "$store" "$new" --all
like "what is there stays" "there +2 already" "$(cat "$work/out")"
for step in 6 12 18 24; do
    try "step $step is what was pushed" cmp "$(snapshot "$run" $step)" "$(snapshot "$new" $step)"
done
exits 0 "the run is intact" "$SNAP" verify "$new"

# A run that was lost goes on as if it had not been.
rm -r "$new"
"$SNAP" pull "$store" "$new" --step 12 >/dev/null
exits 0 "the run goes on from step 12" "$SNAP" restore "$new"
try "to the same ledger" cmp "$run/ledger.jsonl" "$new/ledger.jsonl"
exits 0 "it pushes what is there" "$SNAP" push "$new" "$store"

exits 0 "one archive into a file" "$SNAP" pull "$stored" "$work/one.snap.tar"
try "is that archive" cmp "$(snapshot "$run" 12)" "$work/one.snap.tar"
cp -r "$run" "$work/pruned"
"$SNAP" prune "$work/pruned" --last 1 >/dev/null
exits 0 "into a run with stubs" "$SNAP" pull "$store" "$work/pruned" --all
try "they are whole again" cmp "$(snapshot "$run" 6)" "$(snapshot "$work/pruned" 6)"

make_run "$work/cut" running.volume_size=4096 || note "$(cat "$work/make_run.log")"
volume=$(snapshot "$work/cut" 24 | sed 's/.snap.tar$//').vol-0001.tar
rm "$volume"
exits 0 "into a run that lacks a volume" "$SNAP" pull "$store" "$work/cut" --all
try "its snapshot is whole again" cmp "$(snapshot "$run" 24)" "$(snapshot "$work/cut" 24)"
same "and the other volumes of it are gone" "" "$(find "$work/cut" -name '*24.vol-*')"

# ---- refused ----

contents "$new" >"$work/before"
fails 3 "a step that is not there" "no snapshot of step 7" "$SNAP" pull "$store" "$new" --step 7
fails 2 "a step of all" "nothing to choose" "$SNAP" pull "$store" "$new" --all --step 6
fails 2 "a step of an archive" "for stores" "$SNAP" pull "$stored" "$work/x" --step 6
fails 3 "no store" "no such file or folder" "$SNAP" pull "$work/nowhere" "$new"
fails 3 "a file that is there" "is there already" \
    "$SNAP" pull "$stored" "$(snapshot "$run" 24)"
make_run "$work/other" training.seed=7 || note "$(cat "$work/make_run.log")"
fails 1 "into another run" "is of run" "$SNAP" pull "$store" "$work/other"
(
    exec 9>>"$new/events.jsonl"
    flock 9
    touch "$work/locked"
    exec sleep 600
) &
holder=$!
while [ ! -e "$work/locked" ]; do sleep 0.01; done
fails 3 "where somebody trains" "holds its lock" "$SNAP" pull "$store" "$new" --all
kill "$holder"
contents "$new" >"$work/after"
try "the folder is as it was" diff "$work/before" "$work/after"
cp -r "$store" "$work/renamed"
renamed=$work/renamed/archives/$(basename "$stored" | sed 's/0000000012/0000000013/')
mv "$work/renamed/archives/$(basename "$stored")" "$renamed"
fails 5 "an archive under another's name" "its name is that of another archive" \
    "$SNAP" pull "$work/renamed" "$work/taken-in" --all
try "and it gets none" test ! -e "$work/taken-in/snapshots/step-0000000013.snap.tar"
flip_byte "$stored" 40000
fails 5 "what is damaged" "step-0000000012" "$SNAP" pull "$stored" "$work/damaged.snap.tar"
try "gets no name" test ! -e "$work/damaged.snap.tar"

tap_done
