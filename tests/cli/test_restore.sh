#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap restore: in its folder, into a new one, in memory, and refused.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

whole=$work/whole
make_run "$whole" || note "$(cat "$work/make_run.log")"
hash=$("$SNAP" hash "$whole" --json | grep -o 'run1:[0-9a-f]*' | tail -n 1)

killed() { # DIR STEP: a run that was killed after this step; its last snapshot is older
    "$SNAP" run "$work/config.json" --dir "$1" --steps "$2" >/dev/null 2>&1
    last=$(snapshot "$1" $(($2 / 6 * 6)))
    test "$last" = "$(snapshot "$1" "$2")" || rm "$(snapshot "$1" "$2")"
    "$SNAP" hash "$last" --json >"$work/hash.json"
    printf '{"file":"snapshots/%s","snapshot":"%s"}\n' "${last##*/}" \
        "$(json "$work/hash.json" 'd["result"]["snapshot_hash"]')" >"$1/latest"
}

# ---- in its own folder ----

killed "$work/killed" 15
exits 0 "a killed run goes on" "$SNAP" restore "$work/killed"
matches "what it says" restore.txt
try "the ledger is that of the run that was not killed" \
    cmp "$whole/ledger.jsonl" "$work/killed/ledger.jsonl"
try "the last snapshot is the same file" \
    cmp "$(snapshot "$whole" 24)" "$(snapshot "$work/killed" 24)"

killed "$work/torn" 15
printf '{"chain":"0123' >>"$work/torn/ledger.jsonl"
exits 0 "a torn last line" "$SNAP" restore "$work/torn" --json
json_is_valid "its document is valid" restore
same "the run hash is the same" "$hash" "$(json "$work/out" 'd["result"]["run_hash"]')"
same "the receipt says exact" "exact 12" \
    "$(json "$work/out" '"{tier} {step}".format(**d["result"]["receipt"])')"
try "the ledger is that of the run that was not killed" \
    cmp "$whole/ledger.jsonl" "$work/torn/ledger.jsonl"

killed "$work/steps" 9
exits 0 "to a step" "$SNAP" restore "$work/steps" --steps 14 --json
same "it stops there" 14 "$(json "$work/out" 'd["result"]["step"]')"
exits 0 "and on, with other threads" "$SNAP" restore "$work/steps" --threads 2 --json
same "the run hash is the same" "$hash" "$(json "$work/out" 'd["result"]["run_hash"]')"
exits 0 "a run that is complete" "$SNAP" restore "$whole"

# ---- in memory ----

before=$(contents "$work/killed")
exits 0 "a dry run" "$SNAP" restore "$work/killed" --dry-run
like "it prints the receipt" '^tier: exact' "$(cat "$work/out")"
same "it changes nothing" "$before" "$(contents "$work/killed")"
exits 0 "a dry run of an archive, as JSON" \
    "$SNAP" restore "$(snapshot "$whole" 6)" --dry-run --json
json_is_valid "its document is valid" restore
same "the state hash is the archive's" \
    "$("$SNAP" hash "$(snapshot "$whole" 6)" | grep -o 'state1:.*')" \
    "$(json "$work/out" 'd["result"]["state_hash"]')"

# ---- an archive, and a new folder ----

fails 2 "an archive without --dir" "--dir" "$SNAP" restore "$(snapshot "$whole" 6)"
exits 0 "an archive into a new folder" \
    "$SNAP" restore "$(snapshot "$whole" 6)" --dir "$work/new" --json
same "it begins there" "6 24" "$(json "$work/out" '"{first_step} {step}".format(**d["result"])')"
same "the state is the same" "$("$SNAP" hash "$whole" | grep -o 'state1:.*')" \
    "$(json "$work/out" 'd["result"]["state_hash"]')"
try "the run hash is another" test "$(json "$work/out" 'd["result"]["run_hash"]')" != "$hash"
head -n 1 "$work/new/ledger.jsonl" >"$work/genesis"
same "the genesis line names the parent" "6" "$(json "$work/genesis" 'd["host"]["parent"]["step"]')"

cp -r "$whole" "$work/back"
exits 0 "an older archive in its own run" \
    "$SNAP" restore "$(snapshot "$work/back" 6)" --dir "$work/back" --json
same "the run hash is the same" "$hash" "$(json "$work/out" 'd["result"]["run_hash"]')"

mkdir "$work/elsewhere"
i=0
for file in "$top_srcdir"/data/digits-*-ubyte; do
    i=$((i + 1))
    cp "$file" "$work/elsewhere/file-$i"
done
exits 0 "data files that are elsewhere, under other names" \
    "$SNAP" restore "$(snapshot "$whole" 18)" --dir "$work/other_data" --data "$work/elsewhere"

# ---- refused ----

mkdir "$work/no_data"
before=$(contents "$whole")
fails 3 "data files that are not there" "train_images.*no_data" \
    "$SNAP" restore "$whole" --data "$work/no_data"
same "nothing is changed" "$before" "$(contents "$whole")"

cp -r "$whole" "$work/lost"
rm "$work/lost/latest"
before=$(contents "$work/lost")
fails 5 "a run whose latest is missing" "lost/latest: .*snap restore" \
    "$SNAP" restore "$work/lost"
same "nothing is changed" "$before" "$(contents "$work/lost")"
advice=$(sed -n 's/.*: snap restore \([^,]*\).*/\1/p' "$work/err")
# The advice is words for the command line.
# shellcheck disable=SC2086
exits 0 "to follow its advice" "$SNAP" restore $advice --json
same "leads to the same run hash" "$hash" "$(json "$work/out" 'd["result"]["run_hash"]')"

cp -r "$whole" "$work/thin"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" withhold "$(snapshot "$work/thin" 24)" \
    tensors/model/fc1.weight
fails 6 "a member that is withheld" "tensors/model/fc1.weight|withheld" \
    "$SNAP" restore "$work/thin" --dry-run
fails 2 "a ledger" "a ledger; a run folder, an archive or a store is wanted" \
    "$SNAP" restore "$whole/ledger.jsonl"
fails 2 "a config" "a JSON document; a run folder, an archive or a store is wanted" \
    "$SNAP" restore "$work/config.json"
fails 3 "nothing" "no such file" "$SNAP" restore "$work/nowhere"
fails 3 "the folder of snapshots" "a folder inside a run" "$SNAP" restore "$whole/snapshots"

tap_done
