#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap show: the tree, streams, coverage and place in the data of an archive.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"

exits 0 "of an archive" "$SNAP" show "$(snapshot "$run" 12)"
matches "what it says" show.txt
exits 0 "of a run" "$SNAP" show "$run"
like "is its latest snapshot" '^kind +snapshot of run [0-9a-f]{16}, after step 24$' \
    "$(cat "$work/out")"
exits 0 "as JSON" "$SNAP" show "$(snapshot "$run" 12)" --json
json_is_valid "its document is valid" show
mkdir "$work/unpacked"
tar -xf "$(snapshot "$run" 12)" -C "$work/unpacked"
for part in manifest state data; do
    same "its $part is what stands in the archive" "True" \
        "$(json "$work/out" "d['result']['$part'] == json.load(open('$work/unpacked/$part.json'))")"
done

# An archive with every type of node, tied and strided tensors, and a name past ASCII.
try "the sample of the format" "${top_builddir:?}/tests/write_sample" "$work/sample.snap.tar"
exits 0 "of the sample" "$SNAP" show "$work/sample.snap.tar"
matches "what it says" show_sample.txt
exits 0 "of the sample as JSON" "$SNAP" show "$work/sample.snap.tar" --json
json_is_valid "its document is valid" show

# A capsule, and a member that is withheld.
make_nan_config "$work/nan.json"
"$SNAP" run "$work/nan.json" --dir "$work/nan" --json >"$work/nan.out" 2>/dev/null
capsule=$(json "$work/nan.out" 'd["result"]["failure"]["capsule"]')
exits 0 "of a capsule" "$SNAP" show "$capsule"
like "it shows the failure" '^failure +\{"element":' "$(cat "$work/out")"
like "and the batch" 'batch\.images +.*not part of the state' "$(cat "$work/out")"
exits 0 "of a capsule as JSON" "$SNAP" show "$capsule" --json
json_is_valid "its document is valid" show
cp "$(snapshot "$run" 12)" "$work/thin.snap.tar"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" withhold "$work/thin.snap.tar" env.json
exits 0 "without its environment" "$SNAP" show "$work/thin.snap.tar" --json
json_is_valid "its document is valid" show
exits 0 "and for people" "$SNAP" show "$work/thin.snap.tar"
like "it says so" '^withheld +1 member$' "$(cat "$work/out")"

# A name that would speak to a terminal.
cp "$(snapshot "$run" 12)" "$work/spoken.snap.tar"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" text "$work/spoken.snap.tar" manifest.json \
    'device' '\u001B'
exits 0 "an archive with control characters in a name" "$SNAP" show "$work/spoken.snap.tar"
same "they do not reach a terminal" 0 "$(tr -cd '\033' <"$work/out" | wc -c)"
like "but are shown" '^captured .*\\x1b' "$(cat "$work/out")"

fails 5 "not an archive" "README\.md" "$SNAP" show "$top_srcdir/README.md"
fails 3 "nothing" "no such file" "$SNAP" show "$work/nowhere"
fails 2 "a ledger" "a ledger; a run folder, an archive or a store is wanted" \
    "$SNAP" show "$run/ledger.jsonl"

tap_done
