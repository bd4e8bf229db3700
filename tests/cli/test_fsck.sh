#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap fsck: run folders after an accident, and archives that were cut or damaged.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

forge() { "$PYTHON" "$top_srcdir/tests/cli/forge.py" "$@"; }
run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
before=$(contents "$run")

# ---- a run ----

exits 0 "a finished run" "$SNAP" fsck "$run"
exits 0 "the same as JSON" "$SNAP" fsck "$run" --json
json_is_valid "its document is valid" fsck
exits 0 "repairing what is whole" "$SNAP" fsck --repair "$run"
same "nothing was changed" "$before" "$(contents "$run")"

cp -r "$run" "$work/left"
left=$work/left
touch "$left/.latest.tmp-0123456789abcdef"
touch "$left/snapshots/.step-0000000030.snap.tar.tmp-00000000000000ff"
touch "$left/snapshots/mine.txt"
exits 0 "temporaries are left" "$SNAP" fsck "$left"
like "one is named" "^note *leftovers: \./\.latest\.tmp-0123456789abcdef" "$(cat "$work/out")"
like "and the other" "^note *leftovers: snapshots/\.step-0000000030" "$(cat "$work/out")"
like "a file of somebody else's too" "^note *files: snapshots/mine\.txt" "$(cat "$work/out")"
try "they are there still" test -e "$left/.latest.tmp-0123456789abcdef"
exits 0 "they are removed" "$SNAP" fsck --repair "$left"
rm "$left/snapshots/mine.txt" || note "somebody else's file is gone"
same "nothing else was changed" "$before" "$(contents "$left")"

printf '{"chain":"torn' >>"$left/ledger.jsonl"
exits 0 "a torn last line" "$SNAP" fsck "$left"
like "is told" "^note *ledger: a torn last line" "$(cat "$work/out")"

cp -r "$run" "$work/lost"
lost=$work/lost
rm "$lost/latest"
fails 5 "no latest" "latest" "$SNAP" fsck "$lost"
exits 5 "the same as JSON" "$SNAP" fsck "$lost" --json
json_is_valid "its document is valid" fsck
flip_byte "$(snapshot "$lost" 24)" "$(forge offset "$(snapshot "$run" 24)" rng/python)"
exits 5 "mended, and a snapshot is damaged" "$SNAP" fsck --repair "$lost"
like "latest names the newest that is whole" "step-0000000018" "$(cat "$lost/latest")"
rm "$(snapshot "$lost" 24)"
exits 0 "without the damaged one" "$SNAP" fsck "$lost"
exits 0 "the run goes on from there" "$SNAP" restore "$lost"
same "to the same ledger" "$(sha256sum <"$run/ledger.jsonl")" \
    "$(sha256sum <"$lost/ledger.jsonl")"

cp -r "$run" "$work/first"
first=$work/first
rm "$first/latest" "$(snapshot "$first" 12)" "$(snapshot "$first" 18)" "$(snapshot "$first" 24)"
exits 0 "stopped between the first snapshot and latest" "$SNAP" fsck "$first"
mkdir "$work/begun"
cp "$run/config.json" "$work/begun"
touch "$work/begun/events.jsonl"
exits 0 "stopped before the first line" "$SNAP" fsck "$work/begun"
mkdir "$work/empty"
fails 3 "no run" "a folder without a run" "$SNAP" fsck "$work/empty"

# ---- an archive ----

whole=$(snapshot "$run" 12)
size=$(stat -c %s "$whole")
hash=$("$SNAP" hash "$whole" | sed -n 's/^snapshot *//p')

salvaged() { # NAME FILE ARGUMENT...: put together again
    salvaged_name=$1
    shift
    rm -f "$work/again"
    exits 0 "$salvaged_name" "$SNAP" fsck --salvage "$@" -o "$work/again"
    try "$salvaged_name: byte for byte" cmp "$work/again" "$whole"
}

cp -r "$run" "$work/cut"
cut=$(snapshot "$work/cut" 12)
for bytes in 1 1024 4000 9000 12000; do
    head -c $((size - bytes)) "$whole" >"$cut"
    salvaged "cut by $bytes bytes, in its run" "$cut"
done
head -c $((size - 9000)) "$whole" >"$work/alone"
fails 5 "cut, and alone" "alone" "$SNAP" fsck --salvage "$work/alone"
salvaged "taking members from others" "$work/alone" "$(snapshot "$run" 18)" \
    "$whole" --hash "$hash"
head -c 20000 "$whole" >"$cut"
rm -f "$work/again"
exits 5 "cut in the weights" "$SNAP" fsck --salvage "$cut" -o "$work/again" --json
json_is_valid "its document is valid" fsck
mkdir "$work/members"
try "what is whole was rescued" tar -xf "$work/again" -C "$work/members"
try "whole members" test -s "$work/members/rng/host"
fails 5 "which is no archive" "again" "$SNAP" verify "$work/again"

cp "$whole" "$work/bad"
flip_byte "$work/bad" "$(forge offset "$whole" tensors/model/fc1.weight)"
exits 6 "a damaged weight, and alone" "$SNAP" fsck --salvage "$work/bad" -o "$work/thin"
exits 6 "the others are an archive" "$SNAP" verify "$work/thin" "$hash"
like "without the damaged one" "fc1.weight .*withheld|withheld.*fc1.weight" "$(cat "$work/err")"
salvaged "the weight from another archive" "$work/bad" "$whole"
echo mine >"$work/mine"
fails 3 "an output that is there" "mine.*already" \
    "$SNAP" fsck --salvage "$work/bad" "$whole" -o "$work/mine"
same "it was left alone" mine "$(cat "$work/mine")"

# Whole blocks are gone from the middle: everything after them lies elsewhere.
at=$(forge offset "$whole" tensors/model/conv1.weight)
at=$((at - at % 512 - 512))
{ head -c "$at" "$whole" && tail -c "+$((at + 1025))" "$whole"; } >"$work/holed"
salvaged "blocks lost in the middle" "$work/holed" "$whole"
flip_byte "$work/holed" "$(forge offset "$whole" manifest.json)"
fails 5 "without its manifest" "manifest\.json" "$SNAP" fsck --salvage "$work/holed"
# The same each time: noise that happens to begin as a document does is refused as one.
"$PYTHON" -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes(100000))' \
    >"$work/noise"
fails 5 "noise" "noise" "$SNAP" fsck --salvage "$work/noise"
: >"$work/nothing"
fails 5 "an empty file" "nothing" "$SNAP" fsck --salvage "$work/nothing"

# ---- refused ----

fails 2 "another hash" "no snapshot hash" "$SNAP" fsck --salvage "$whole" --hash state1:00
fails 2 "an output without --salvage" "salvage" "$SNAP" fsck "$run" -o "$work/x"
fails 2 "both" "take one" "$SNAP" fsck --salvage --repair "$whole"
same "the run is as it was" "$before" "$(contents "$run")"

tap_done
