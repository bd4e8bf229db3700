#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap verify: archives and run folders, intact, another, thin, damaged and forged.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

forge() { "$PYTHON" "$top_srcdir/tests/cli/forge.py" "$@"; }
run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
archive=$(snapshot "$run" 12)
before=$(contents "$run")

# ---- intact ----

exits 0 "an archive" "$SNAP" verify "$archive"
matches "what it says" verify_archive.txt
exits 0 "as JSON" "$SNAP" verify "$archive" --json
json_is_valid "its document is valid" verify
exits 0 "a run" "$SNAP" verify "$run"
matches "what it says of a run" verify_run.txt
exits 0 "a run as JSON" "$SNAP" verify "$run" --json
json_is_valid "its document is valid" verify
"$SNAP" hash "$archive" >"$work/hashes"
for prefix in snap1 state1 run1; do
    hash=$(grep -o "$prefix:[0-9a-f]*" "$work/hashes")
    exits 0 "an archive by its $prefix: hash" "$SNAP" verify "$archive" "$hash"
    exits 0 "a run by the $prefix: hash of a snapshot" "$SNAP" verify "$run" "$hash"
done
step7=$(sed -n 's/.*"chain":"\([0-9a-f]*\)".*"step":7}.*/\1/p' "$run/ledger.jsonl")
exits 0 "a run by the run hash of any step" "$SNAP" verify "$run" "run1:$step7"
exits 0 "one member" "$SNAP" verify "$archive" --only tensors/model/fc1.weight

# ---- another ----

other=snap1:$(printf '%064d' 7)
fails 1 "an archive that is another one" "$other|another" "$SNAP" verify "$archive" "$other"
exits 1 "the same as JSON" "$SNAP" verify "$archive" "$other" --json
json_is_valid "its document is valid" verify
fails 1 "a run that is another one" "run1|another" "$SNAP" verify "$run" "run1:$(printf '%064d' 7)"

# ---- refused ----

fails 2 "a hash that is none" "expected|hash" "$SNAP" verify "$archive" snap1:12
fails 3 "a member that is not there" "tensors/model/fc9.weight" \
    "$SNAP" verify "$archive" --only tensors/model/fc9.weight
fails 3 "nothing" "no such file" "$SNAP" verify "$work/nowhere"
fails 2 "a ledger" \
    "a ledger; a run folder, an archive, a store, a checkpoint or a listing is wanted" \
    "$SNAP" verify "$run/ledger.jsonl"
same "the run is as it was" "$before" "$(contents "$run")"

# ---- thin ----

cp "$archive" "$work/thin.snap.tar"
forge withhold "$work/thin.snap.tar" tensors/optimizer/momentum_buffer.fc1.weight
fails 6 "a member is withheld" "withheld" "$SNAP" verify "$work/thin.snap.tar"
exits 6 "the same as JSON" "$SNAP" verify "$work/thin.snap.tar" --json
json_is_valid "its document is valid" verify
exits 0 "and may be" "$SNAP" verify "$work/thin.snap.tar" --allow-withheld
same "the hashes stand" "$(sed -n 's/^snapshot *//p' "$work/hashes")" \
    "$("$SNAP" hash "$work/thin.snap.tar" | sed -n 's/^snapshot *//p')"

# ---- damaged ----

damaged() { # NAME MEMBER PATTERN
    cp "$archive" "$work/damaged.snap.tar"
    flip_byte "$work/damaged.snap.tar" "$(forge offset "$archive" "$2")"
    fails 5 "$1" "$3" "$SNAP" verify "$work/damaged.snap.tar"
}
damaged "a bit of a weight" tensors/model/conv1.weight "tensors/model/conv1\.weight"
exits 5 "the same as JSON" "$SNAP" verify "$work/damaged.snap.tar" --json
json_is_valid "its document is valid" verify
damaged "a bit of a stream" rng/python "rng/python"
damaged "a bit of the tree" state.json "state\.json"
damaged "a bit of the listing" SHA256SUMS "SHA256SUMS"
damaged "a bit of the ledger" ledger.jsonl "ledger\.jsonl"
head -c 20000 "$archive" >"$work/cut.snap.tar"
fails 5 "an archive that was cut" "cut\.snap\.tar" "$SNAP" verify "$work/cut.snap.tar"
cp "$archive" "$work/long.snap.tar"
echo more >>"$work/long.snap.tar"
fails 5 "an archive with something behind it" "long\.snap\.tar" "$SNAP" verify "$work/long.snap.tar"

cp -r "$run" "$work/hurt"
flip_byte "$(snapshot "$work/hurt" 18)" "$(forge offset "$archive" tensors/model/conv1.weight)"
fails 5 "a run with a damaged snapshot" "step-0000000018|conv1" "$SNAP" verify "$work/hurt"
exits 5 "the same as JSON" "$SNAP" verify "$work/hurt" --json
json_is_valid "its document is valid" verify
exits 5 "one that the run knows by another hash" "$SNAP" verify "$work/hurt" "run1:$step7"

tap_done
