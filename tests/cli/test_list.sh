#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap list: the snapshots of a run, the members of an archive.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"

exits 0 "of a run" "$SNAP" list "$run"
matches "what it says" list_run.txt
exits 0 "of a run as JSON" "$SNAP" list "$run" --json
json_is_valid "its document is valid" list
same "steps, and the latest" "6 12 18 24 snapshots/step-0000000024.snap.tar" \
    "$(json "$work/out" \
        '" ".join([str(s["step"]) for s in d["result"]["snapshots"]] + [d["result"]["latest"]])')"
exits 0 "of an archive" "$SNAP" list "$(snapshot "$run" 12)"
matches "what it says" list_archive.txt
exits 0 "of an archive as JSON" "$SNAP" list "$(snapshot "$run" 12)" --json
json_is_valid "its document is valid" list
same "the members are those of the tar, in its order" "$(tar -tf "$(snapshot "$run" 12)")" \
    "$(json "$work/out" '"\n".join(m["name"] for m in d["result"]["members"])')"

# A capsule has the number of the step that failed.
make_nan_config "$work/nan.json"
"$SNAP" run "$work/nan.json" --dir "$work/nan" >"$work/out" 2>&1
exits 0 "of a run that ended in a capsule" "$SNAP" list "$work/nan"
like "it is listed" '^ +4  capsule .*snap1:' "$(cat "$work/out")"

# Withheld members, and files that are not ours.
cp -r "$run" "$work/mixed"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" withhold "$(snapshot "$work/mixed" 6)" \
    tensors/model/fc1.weight rng/host
touch "$work/mixed/snapshots/step-7.snap.tar" "$work/mixed/snapshots/notes.txt"
exits 0 "of a run with a thin snapshot" "$SNAP" list "$work/mixed"
like "it counts the withheld members" '^ +6  snapshot .*\(2 withheld\)$' "$(cat "$work/out")"
same "a heading and the four snapshots" 5 "$(wc -l <"$work/out")"
exits 0 "of the thin snapshot" "$SNAP" list "$(snapshot "$work/mixed" 6)"
like "it marks them" '  stream         withheld  rng/host$' "$(cat "$work/out")"

# ---- damaged ----

head -c 5000 "$(snapshot "$run" 12)" >"$(snapshot "$work/mixed" 12)"
fails 5 "of a run with a damaged snapshot" "step-0000000012" "$SNAP" list "$work/mixed"
same "the others are listed all the same" "6 18 24" \
    "$(sed -n 's/^ *\([0-9]*\)  snapshot .*snap1:.*/\1/p' "$work/out" | tr '\n' ' ' | sed 's/ $//')"
like "and the damaged one as such" '^ +12  snapshot .*damaged$' "$(cat "$work/out")"
exits 5 "the same as JSON" "$SNAP" list "$work/mixed" --json
json_is_valid "its document is valid" list
rm "$work/mixed/latest"
cp "$(snapshot "$run" 12)" "$(snapshot "$work/mixed" 12)"
fails 5 "of a run whose latest is missing" "latest: it is missing" "$SNAP" list "$work/mixed"
rm -r "$work/mixed/snapshots"
exits 0 "of a run without snapshots" "$SNAP" list "$work/mixed"
same "it says so" "no snapshot yet" "$(cat "$work/out")"
exits 0 "the same as JSON" "$SNAP" list "$work/mixed" --json
json_is_valid "its document is valid" list

# ---- refused ----

fails 2 "a config" "a JSON document; a run folder, an archive or a store is wanted" \
    "$SNAP" list "$work/config.json"
fails 3 "nothing" "no such file" "$SNAP" list "$work/nowhere"
fails 3 "a folder without a run" "a folder without a run" "$SNAP" list "$work"
fails 5 "not an archive" "README\.md" "$SNAP" list "$top_srcdir/README.md"

tap_done
