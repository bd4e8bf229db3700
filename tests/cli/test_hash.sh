#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap hash: of an archive and of a run; equal to what tar and sha256sum say.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
archive=$(snapshot "$run" 12)

exits 0 "of an archive" "$SNAP" hash "$archive"
matches "what it says" hash.txt
mkdir "$work/unpacked"
tar -xf "$archive" -C "$work/unpacked"
same "snap1: is SHA-256 of SHA256SUMS" \
    "snap1:$(sha256sum <"$work/unpacked/SHA256SUMS" | cut -d' ' -f1)" \
    "$(sed -n 's/^snapshot *//p' "$work/out")"
same "state1: is SHA-256 of STATE" \
    "state1:$(sha256sum <"$work/unpacked/STATE" | cut -d' ' -f1)" \
    "$(sed -n 's/^state hash *//p' "$work/out")"
same "run1: is the chain of step 12" \
    "run1:$(sed -n 's/.*"chain":"\([0-9a-f]*\)".*"step":12}.*/\1/p' "$run/ledger.jsonl")" \
    "$(sed -n 's/^run hash *//p' "$work/out")"
exits 0 "as JSON" "$SNAP" hash "$archive" --json
json_is_valid "its document is valid" hash

exits 0 "of a run" "$SNAP" hash "$run"
cp "$work/out" "$work/run.txt"
exits 0 "of its latest snapshot" "$SNAP" hash "$(snapshot "$run" 24)"
same "is the same" "$(cat "$work/out")" "$(cat "$work/run.txt")"
exits 0 "of a run as JSON" "$SNAP" hash "$run/" --json
json_is_valid "its document is valid" hash
same "the ledger's head is in it" "24" "$(json "$work/out" 'd["result"]["ledger"]["step"]')"

# A run that was killed after its last snapshot.
cp -r "$run" "$work/killed"
cp "$archive" "$work/keep.tar"
rm "$work/killed"/snapshots/*
cp "$work/keep.tar" "$(snapshot "$work/killed" 12)"
printf '{"file":"snapshots/step-0000000012.snap.tar","snapshot":"%s"}\n' \
    "$("$SNAP" hash "$archive" | sed -n 's/^snapshot *//p')" >"$work/killed/latest"
exits 0 "of a run whose ledger goes on" "$SNAP" hash "$work/killed"
like "it says so" '^ledger +goes on to step 24: run1:[0-9a-f]{64}$' "$(cat "$work/out")"

# ---- refused ----

cp -r "$run" "$work/lost"
rm "$work/lost/latest"
fails 5 "latest is missing" "lost/latest: it is missing.*step-0000000024\.snap\.tar" \
    "$SNAP" hash "$work/lost"
echo '{}' >"$work/lost/latest"
fails 5 "latest is something else" "lost/latest: it is not what" "$SNAP" hash "$work/lost"
printf '{"file":"snapshots/step-0000000018.snap.tar","snapshot":"snap1:%064d"}\n' 0 \
    >"$work/lost/latest"
fails 5 "latest has another hash" "step-0000000018.*latest says snap1:0000" \
    "$SNAP" hash "$work/lost"
cp -r "$run" "$work/mixed"
"$SNAP" run "$work/config.json" --dir "$work/seven" --seed 7 >/dev/null 2>&1
cp "$work/seven/ledger.jsonl" "$work/mixed/"
fails 5 "the ledger of another run" "ledger.jsonl: step 24" "$SNAP" hash "$work/mixed"
rm -r "$work/lost/snapshots" "$work/lost/latest"
fails 3 "a run without snapshots" "no snapshot yet" "$SNAP" hash "$work/lost"
fails 3 "nothing" "no such file" "$SNAP" hash "$work/nowhere"
fails 2 "a config" "a JSON document; a run folder, an archive or a store is wanted" \
    "$SNAP" hash "$work/config.json"
fails 3 "an unpacked archive" "an unpacked archive" "$SNAP" hash "$work/unpacked"
exits 3 "a failure as JSON" "$SNAP" hash "$work/nowhere" --json
json_is_valid "its document is valid" hash
same "it says why" "not found" "$(json "$work/out" 'd["error"]["status"]')"

tap_done
