#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap cite: hashes, what they cover, the way back, the line for a paper.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
before=$(contents "$run")

exits 0 "of a run" "$SNAP" cite "$run"
matches "what it says" cite.txt
cp "$work/out" "$work/cited"
"$SNAP" hash "$run" >"$work/hashes"
same "the hashes are those of snap hash" "$(grep -o '[a-z]*1:[0-9a-f]*' "$work/hashes" | sort)" \
    "$(grep -v -e '^LaTeX' -e '^parent' "$work/cited" | grep -o '[a-z]*1:[0-9a-f]*' | sort)"
for role in train_images:train-images.idx3 test_labels:test-labels.idx1; do
    same "the digest of ${role%:*}" \
        "$(sha256sum <"$top_srcdir/data/digits-${role#*:}-ubyte" | cut -d' ' -f1)" \
        "$(sed -n "s/.*${role%:*} sha256://p" "$work/cited")"
done
exits 0 "as JSON" "$SNAP" cite "$run" --json
json_is_valid "its document is valid" cite
same "the way back" "4 True" "$(json "$work/out" \
    'str(d["result"]["snapshots"]) + " " + str(d["result"]["at_genesis"])')"
same "the run is as it was" "$before" "$(contents "$run")"

rm "$(snapshot "$run" 12)"
exits 0 "a snapshot is gone" "$SNAP" cite "$run"
like "the gap is told" "2 snapshots here, and the way to the genesis has a gap" "$(cat "$work/out")"
fails 2 "an archive" "an archive; a run folder is wanted" "$SNAP" cite "$(snapshot "$run" 18)"
fails 3 "nothing" "no such file" "$SNAP" cite "$work/nowhere"
echo '{}' >"$run/latest"
fails 5 "latest is broken" "latest" "$SNAP" cite "$run"

tap_done
