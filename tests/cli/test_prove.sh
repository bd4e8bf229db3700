#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap prove: the listing and a member, for the snapshot hash and the state hash.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

forge() { "$PYTHON" "$top_srcdir/tests/cli/forge.py" "$@"; }
run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
archive=$(snapshot "$run" 12)
tensor=tensors/model/fc1.weight
mkdir "$work/unpacked"
tar -xf "$archive" -C "$work/unpacked"

exits 0 "a tensor" "$SNAP" prove "$archive" $tensor -o "$work/proof"
matches "what it says" prove.txt
same "the files" "SHA256SUMS $tensor" "$(cd "$work/proof" && find . -type f -printf '%P\n' |
    LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//')"
try "the listing is the archive's" cmp "$work/unpacked/SHA256SUMS" "$work/proof/SHA256SUMS"
try "the tensor is the archive's" cmp "$work/unpacked/$tensor" "$work/proof/$tensor"
exits 0 "for the state hash, as JSON" \
    "$SNAP" prove "$archive" $tensor -o "$work/state" --state --json
json_is_valid "its document is valid" prove
try "by STATE" cmp "$work/unpacked/STATE" "$work/state/STATE"
exits 0 "STATE itself" "$SNAP" prove "$archive" STATE -o "$work/listing"
exits 0 "snap verify takes it" "$SNAP" verify "$work/proof" \
    "snap1:$(sha256sum <"$work/unpacked/SHA256SUMS" | cut -d' ' -f1)"
flip_byte "$work/proof/$tensor" 3
fails 5 "a bit of the member" "$tensor: its SHA-256 is not the one" "$SNAP" verify "$work/proof"
exits 0 "the other, as JSON" "$SNAP" verify "$work/state" --json
json_is_valid "its document is valid" verify
echo "$(printf '%064d' 0)  ../outside" >"$work/state/STATE"
fails 5 "a name that leads out" "line 1: is none of SHA256SUMS or STATE" \
    "$SNAP" verify "$work/state"

fails 2 "the folder is there" "must be new" "$SNAP" prove "$archive" $tensor -o "$work/proof"
fails 2 "the listing" "nothing is to be proven" "$SNAP" prove "$archive" SHA256SUMS -o "$work/a"
fails 2 "what is not in the state" "is not in STATE" \
    "$SNAP" prove "$archive" env.json -o "$work/b" --state
fails 3 "no such member" "has no member rng/none" "$SNAP" prove "$archive" rng/none -o "$work/c"
cp "$archive" "$work/thin.snap.tar"
forge withhold "$work/thin.snap.tar" $tensor
fails 6 "a member that is withheld" "$tensor" \
    "$SNAP" prove "$work/thin.snap.tar" $tensor -o "$work/d"

tap_done
