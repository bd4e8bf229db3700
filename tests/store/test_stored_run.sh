#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What lies beside the archives of a store, config and ledger, goes forward only, and is looked at
# before it comes to be in a run folder; what a folder has of an archive is never less after a pull.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
store=$work/store
make_run "$run" || note "$(cat "$work/make_run.log")"

# An older copy of the run: it ends at step 12, in a ledger and a config of its time.
old=$work/old
cp -r "$run" "$old"
rm "$(snapshot "$old" 18)" "$(snapshot "$old" 24)"
head -n 13 "$run/ledger.jsonl" >"$old/ledger.jsonl"
sed 's/"every":6/"every":3/' "$run/config.json" >"$old/config.json"
printf '{"file":"snapshots/step-0000000012.snap.tar","snapshot":"%s"}\n' \
    "$("$SNAP" hash "$(snapshot "$old" 12)" | sed -n 's/^snapshot *//p')" >"$old/latest"

# ---- push ----

exits 0 "the older copy" "$SNAP" push "$old" "$store"
exits 0 "the run" "$SNAP" push "$run" "$store"
try "its ledger goes on from the older" cmp "$run/ledger.jsonl" "$store/ledger.jsonl"
try "its config is there" cmp "$run/config.json" "$store/config.json"
contents "$store" >"$work/before"
exits 0 "the older copy again" "$SNAP" push "$old" "$store"
like "says what stays" "ledger +stays" "$(cat "$work/out")"
same "the store is as it was" "$(cat "$work/before")" "$(contents "$store")"
exits 0 "as a document" "$SNAP" push "$old" "$store" --json
json_is_valid "it is valid" push
like "it says so too" '"ledger_stays":true' "$(tr -d ' \n' <"$work/out")"
printf '{"half' >>"$run/ledger.jsonl"
exits 0 "while a line is written" "$SNAP" push "$run" "$store"
same "whole lines alone are there" "$(cat "$work/before")" "$(contents "$store")"
head -n 25 "$run/ledger.jsonl" >"$work/ledger" && mv "$work/ledger" "$run/ledger.jsonl"

# Without a latest too the store says whose it is.
make_run "$work/other" training.seed=7 || note "$(cat "$work/make_run.log")"
cp -r "$store" "$work/unnamed"
rm "$work/unnamed/latest"
contents "$work/unnamed" >"$work/before"
fails 1 "another run" "ledger.jsonl: line 1 is another than here: it is of another run" \
    "$SNAP" push "$work/other" "$work/unnamed"
same "nothing is changed or added" "$(cat "$work/before")" "$(contents "$work/unnamed")"
sed '20s/"loss":"./"loss":"f/' "$run/ledger.jsonl" >"$work/unnamed/ledger.jsonl"
fails 1 "onto another ledger" "ledger.jsonl: line 20 is another than here" \
    "$SNAP" push "$run" "$work/unnamed"
cp -r "$run" "$work/damaged"
sed '20s/"loss":"./"loss":"f/' "$run/ledger.jsonl" >"$work/damaged/ledger.jsonl"
fails 5 "a damaged ledger" "ledger.jsonl: line 20 .*off the chain" \
    "$SNAP" push "$work/damaged" "$work/new-store"

# Without a ledger nothing says whose config it is.
rm "$work/other/ledger.jsonl" "$work/other/snapshots"/*
cp "$(snapshot "$run" 24)" "$work/other/snapshots/"
cp "$run/latest" "$work/other/latest"
contents "$store" >"$work/before"
fails 1 "another config and no ledger" "config.json: is there already, with other content" \
    "$SNAP" push "$work/other" "$store"
same "the store is as it was again" "$(cat "$work/before")" "$(contents "$store")"

# ---- pull ----

pull_is_refused() { # NAME PATTERN: of the store $work/changed, nothing comes to be in a folder
    rm -rf "$work/new"
    fails 5 "$1" "$2" "$SNAP" pull "$work/changed" "$work/new"
    same "nothing is in the folder: $1" "" \
        "$(find "$work/new" -type f ! -name events.jsonl)"
}

cp -r "$store" "$work/changed"
sed '20s/"loss":"./"loss":"f/' "$store/ledger.jsonl" >"$work/changed/ledger.jsonl"
pull_is_refused "a ledger with another number" "ledger.jsonl: line 20 .*off the chain"
sed 20d "$store/ledger.jsonl" >"$work/changed/ledger.jsonl"
pull_is_refused "one without a line" "ledger.jsonl: line 20: host.step is 20"
truncate -s 64G "$work/changed/ledger.jsonl"
truncate -s +1 "$work/changed/ledger.jsonl"
pull_is_refused "one that has no end" "ledger.jsonl: has [0-9]+ bytes, and at most [0-9]+ are read"
cp "$store/ledger.jsonl" "$work/changed/ledger.jsonl"
sed 's/"batch_size":128/"batch_size":64/' "$store/config.json" >"$work/changed/config.json"
pull_is_refused "a config of another training" "config.json: its training part"
rm "$work/changed/ledger.jsonl"
pull_is_refused "that, without a ledger" "config.json: its training part"
printf '{' >"$work/changed/config.json"
pull_is_refused "a config that is cut" "config.json: "
truncate -s 16777217 "$work/changed/config.json"
pull_is_refused "one that has no end" "config.json: has 16777217 bytes, and at most 16777216 are"
cp "$store/config.json" "$work/changed/config.json"

# An older ledger leads to what it reaches; one whose last line was being written ends before it.
head -c "$(($(head -n 13 "$store/ledger.jsonl" | wc -c) + 9))" "$store/ledger.jsonl" \
    >"$work/changed/ledger.jsonl"
rm -rf "$work/new"
exits 0 "with an older ledger" "$SNAP" pull "$work/changed" "$work/new" --all
try "its whole lines are there" cmp "$old/ledger.jsonl" "$work/new/ledger.jsonl"
exits 0 "a restore builds it on" "$SNAP" restore "$work/new"
try "to the run's" cmp "$run/ledger.jsonl" "$work/new/ledger.jsonl"

# A run that was stopped in its first line.
mkdir "$work/begun"
head -c 20 "$store/ledger.jsonl" >"$work/begun/ledger.jsonl"
exits 0 "into a folder whose ledger has no whole line" "$SNAP" pull "$store" "$work/begun"
try "it gets the store's" cmp "$store/ledger.jsonl" "$work/begun/ledger.jsonl"

# The same run, which went another way from step 7 on.
mkdir "$work/fork"
cp "$run/config.json" "$work/fork/"
PYTHONPATH=$top_srcdir/tests/support "$PYTHON" - "$run/ledger.jsonl" "$work/fork/ledger.jsonl" \
    <<'END'
import json
import sys

from spec_reader import document, next_heads

heads = None
with open(sys.argv[1], "rb") as lines, open(sys.argv[2], "wb") as forked:
    for line in map(json.loads, lines):
        if line["host"].get("step", 0) >= 7:
            line["float"]["scalars"]["loss"] = "3f800000"
        heads = next_heads(line, heads)
        line["chain"], line["host_chain"] = (head.hex() for head in heads)
        forked.write(document(line))
END
fails 1 "into a folder that went another way" "ledger.jsonl: does not lead to the archive of step" \
    "$SNAP" pull "$store" "$work/fork"
same "nothing came to be in it" "" "$(find "$work/fork" -name '*.tar' -o -name latest)"
exits 0 "up to where they part it is one run" "$SNAP" pull "$store" "$work/fork" --step 6
fails 1 "nor is it pushed" "ledger.jsonl: line 8 is another than here: it is of other steps" \
    "$SNAP" push "$work/fork" "$store"
"$SNAP" push "$(snapshot "$run" 6)" "$work/fork-store" >/dev/null
cp "$store/ledger.jsonl" "$work/fork-store/"
exits 0 "but where no archive reaches those lines" "$SNAP" push "$work/fork" "$work/fork-store"
try "they are made anew" cmp "$work/fork/ledger.jsonl" "$work/fork-store/ledger.jsonl"

# ---- a capsule has the number of the step that failed ----

make_config "$work/nan.json" running.every=1 \
    'training.optimizer={"kind": "sgd", "learning_rate": "1000000", "momentum": "0.9"}'
"$SNAP" run "$work/nan.json" --dir "$work/nan" >"$work/out" 2>&1
exits 0 "a run that ended in a capsule" "$SNAP" push "$work/nan" "$work/nan-store"
exits 0 "all of it" "$SNAP" pull "$work/nan-store" "$work/nan-new" --all
same "the capsule has its name" "$(ls "$work/nan/capsules")" "$(ls "$work/nan-new/capsules")"
exits 0 "the pulled run is intact" "$SNAP" verify "$work/nan-new"
exits 0 "it is listed" "$SNAP" list "$work/nan-new"

# ---- a snapshot in part ----

# Each in a folder of its own: those beside an archive give it what it lacks.
for kind in optimizer rng; do
    mkdir "$work/$kind"
    "$SNAP" thin "$(snapshot "$run" 24)" --drop $kind -o "$work/$kind/part.snap.tar" >/dev/null
    exits 0 "one without $kind" "$SNAP" push "$work/$kind/part.snap.tar" "$work/$kind-store"
    like "its name says so" "-without-" "$(ls "$work/$kind-store/archives")"
    cp "$store/config.json" "$store/ledger.jsonl" "$work/$kind-store/"
done
mkdir -p "$work/parts/snapshots"
cp "$store/config.json" "$store/ledger.jsonl" "$work/parts/"
cp "$work/optimizer/part.snap.tar" "$(snapshot "$work/parts" 24)"
contents "$work/parts/snapshots" >"$work/before"
exits 0 "over one that lacks the same" "$SNAP" pull "$work/optimizer-store" "$work/parts" --all
like "nothing is pulled" "there +1 already" "$(cat "$work/out")"
same "it is as it was" "$(cat "$work/before")" "$(contents "$work/parts/snapshots")"
exits 0 "over one that lacks others" "$SNAP" pull "$work/rng-store" "$work/parts" --all
try "each gives what the other lacks" cmp "$(snapshot "$run" 24)" "$(snapshot "$work/parts" 24)"
try "it can be gone on from" cmp "$run/latest" "$work/parts/latest"
cp "$work/optimizer-store/archives"/* "$work/changed/archives/"
rm -rf "$work/new"
exits 0 "of a store that has it whole too" "$SNAP" pull "$work/changed" "$work/new" --all
try "the whole one is pulled" cmp "$(snapshot "$run" 24)" "$(snapshot "$work/new" 24)"
cp -r "$run" "$work/pruned"
"$SNAP" prune "$work/pruned" --last 1 >/dev/null
"$SNAP" push "$(snapshot "$work/pruned" 12)" "$work/stub-store" >/dev/null
cp "$work/optimizer/part.snap.tar" "$(snapshot "$work/parts" 24)"
"$SNAP" thin "$(snapshot "$run" 12)" --drop optimizer -o "$(snapshot "$work/parts" 12)" >/dev/null
contents "$work/parts/snapshots" >"$work/before"
exits 0 "a stub over one that lacks less" "$SNAP" pull "$work/stub-store" "$work/parts" --all
same "leaves it as it was" "$(cat "$work/before")" "$(contents "$work/parts/snapshots")"

tap_done
