#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap push: into a folder, where a store is what it is in a bucket (tests/s3).
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
store=$work/store
make_run "$run" || note "$(cat "$work/make_run.log")"

stored() { # STEP: the path of a stored snapshot
    printf '%s\n' "$store/archives/step-$(printf '%010d' "$1")"-*.snap.tar
}

exits 0 "one archive" "$SNAP" push "$(snapshot "$run" 12)" "$store" --json
json_is_valid "its document is valid" push
try "it is there, byte for byte" cmp "$(snapshot "$run" 12)" "$(stored 12)"
hash=$("$SNAP" hash "$run/snapshots/step-0000000012.snap.tar" | sed -n 's/^snapshot *snap1://p')
same "its name has the hash" "$store/archives/step-0000000012-$hash.snap.tar" "$(stored 12)"
like "latest names it" '"step":12' "$(cat "$store/latest")"
exits 0 "an older one" "$SNAP" push "$(snapshot "$run" 6)" "$store"
like "latest stays" "latest +stays" "$(cat "$work/out")"
like "in the store too" '"step":12' "$(cat "$store/latest")"
exits 0 "the run" "$SNAP" push "$run" "$store"
like "what is there is not written again" "step-0000000012-.*there already" "$(cat "$work/out")"
try "its ledger is there" cmp "$run/ledger.jsonl" "$store/ledger.jsonl"
like "latest moves on" '"step":24' "$(cat "$store/latest")"
exits 0 "the store as a list" "$SNAP" list "$store" --json
json_is_valid "its document is valid" list
exits 0 "by a URI" "$SNAP" list "file://$store"
like "the last is the latest" '^ +24 .*  latest$' "$(cat "$work/out")"
exits 0 "it is intact" "$SNAP" verify "$store"
exits 0 "a member of the latest" "$SNAP" cat "$store" data.json
contents "$store" >"$work/before"

# A thin one becomes whole; one whose members nobody has says so in its name.
thin=$work/thin
make_run "$thin" 'training.optimizer={"kind": "sgd", "learning_rate": "0", "momentum": "0"}' ||
    note "$(cat "$work/make_run.log")"
cp "$(snapshot "$thin" 12)" "$work/whole"
"$SNAP" thin "$(snapshot "$thin" 12)" --base "$(snapshot "$thin" 6)" >/dev/null
exits 0 "a thin one" "$SNAP" push "$(snapshot "$thin" 12)" "$work/thin-store"
try "is whole there" cmp "$work/whole" "$work/thin-store/archives/"step-*
"$SNAP" thin "$(snapshot "$run" 24)" --drop optimizer -o "$work/given.snap.tar" >/dev/null
exits 0 "one without its optimizer" "$SNAP" push "$work/given.snap.tar" "$store"
try "is called so" test -f "$store/archives/step-0000000024-"*-without-*.snap.tar
like "and is not the latest" "latest +stays" "$(cat "$work/out")"
rm "$store/archives/step-0000000024-"*-without-*.snap.tar
cp -r "$run" "$work/pruned"
"$SNAP" prune "$work/pruned" --last 1 >/dev/null
exits 0 "a run with stubs" "$SNAP" push "$work/pruned" "$work/pruned-store"
like "leaves them out" "left out +3 snapshots" "$(cat "$work/out")"

# ---- refused ----

fails 1 "another run" "is of run [0-9a-f]{16}, and the archive of run" \
    "$SNAP" push "$(snapshot "$thin" 18)" "$store"
# Of this one the last snapshot alone would be sent, after the other files.
cp -r "$thin" "$work/last"
find "$work/last/snapshots" -name '*.snap.tar' ! -path "$(snapshot "$work/last" 24)" -delete
fails 1 "another run of one snapshot" "is of run [0-9a-f]{16}, and the archive of run" \
    "$SNAP" push "$work/last" "$store"
same "its files are not replaced" "$(cat "$work/before")" "$(contents "$store")"
flip_byte "$(snapshot "$thin" 18)" 40000
mkdir "$work/empty"
fails 5 "a damaged archive" "step-0000000018" "$SNAP" push "$(snapshot "$thin" 18)" "$work/empty"
same "leaves nothing" "" "$(find "$work/empty" -type f ! -name '*.lock')"
fails 2 "no store" "name the store" "$SNAP" push "$run"
fails 2 "--give-up with an archive" "takes a store alone" "$SNAP" push --give-up "$run" "$store"
exits 0 "--give-up of a folder, which has no uploads" "$SNAP" push --give-up "$store"
fails 2 "no connections" "not from 1 to 32" "$SNAP" push "$run" "$store" --connections 0
fails 2 "too small a part" "not from 5 to" "$SNAP" push "$run" "$store" --part-size 4
fails 2 "no such kind of store" "no such kind" "$SNAP" push "$run" "ftp://host/x"
fails 3 "a folder in none" "making the folder" "$SNAP" push "$run" "$work/no/where"
contents "$store" >"$work/after"
try "the store is as it was" diff "$work/before" "$work/after"
printf '{}\n' >"$store/latest"
fails 5 "a broken latest" "latest: is broken" "$SNAP" push "$(snapshot "$run" 6)" "$store"

tap_done
