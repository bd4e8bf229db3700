#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A run whose snapshots are cut into volumes: the hashes of one that is not, tar and sha256sum are
# enough to check it, and every command knows the files.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

whole=$work/whole
run=$work/run
make_run "$whole" || note "$(cat "$work/make_run.log")"
make_run "$run" running.volume_size=4096 || note "$(cat "$work/make_run.log")"
index=$(snapshot "$run" 12)
volumes=${index%.snap.tar}
try "volumes are there" test -f "$volumes.vol-0002.tar"
for name in ledger.jsonl latest; do
    try "$name is that of the run in one file" cmp "$whole/$name" "$run/$name"
done
same "and so are the three hashes" "$("$SNAP" hash "$(snapshot "$whole" 12)")" \
    "$("$SNAP" hash "$index")"

# With the tools that everybody has.
mkdir "$work/unpacked"
for file in "$index" "$volumes".vol-*.tar; do
    try "tar extracts ${file##*/}" tar -xf "$file" -C "$work/unpacked"
done
try "sha256sum proves all" sh -c "cd '$work/unpacked' && sha256sum -c --strict SHA256SUMS"
same "and gives the hash" "$(json "$run/latest" 'd["snapshot"].split(":")[0]')" snap1
same "of the snapshot" "$("$SNAP" hash "$index" | grep -c \
    "$(sha256sum <"$work/unpacked/SHA256SUMS" | cut -d ' ' -f 1)")" 1

# Commands.
exits 0 "verify: the run" "$SNAP" verify "$run"
exits 0 "verify: the archive" "$SNAP" verify "$index"
exits 0 "fsck" "$SNAP" fsck "$run"
try "nothing is left over" sh -c "! grep -q leftovers '$work/out'"
member=tensors/model/fc1.weight
"$SNAP" cat "$index" $member >"$work/cut.bytes"
"$SNAP" cat "$(snapshot "$whole" 12)" $member >"$work/whole.bytes"
try "cat" cmp "$work/cut.bytes" "$work/whole.bytes"
exits 0 "diff" "$SNAP" diff "$index" "$(snapshot "$whole" 12)"
exits 0 "list" "$SNAP" list "$index"
try "it says where a tensor is" grep -q "$member  in step-0000000012.vol-000" "$work/out"
exits 0 "list as JSON" "$SNAP" list "$index" --json
json_is_valid "its document is valid" list
exits 0 "show" "$SNAP" show "$index"
try "it names the volumes" grep -q "^volumes .*step-0000000012.vol-0001.tar" "$work/out"
exits 0 "show as JSON" "$SNAP" show "$index" --json
json_is_valid "its document is valid" show
exits 0 "list of the run" "$SNAP" list "$run" --json
same "a size is that of all files" \
    "$(json "$work/out" '[s["bytes"] for s in d["result"]["snapshots"] if s["step"] == 12][0]')" \
    "$(cat "$index" "$volumes".vol-*.tar | wc -c)"
same "so is that of the event" "$("$PYTHON" -c 'import json, sys
print([e["bytes"] for e in map(json.loads, open(sys.argv[1]))
       if e["event"] == "save" and e["step"] == 12][0])' "$run/events.jsonl")" \
    "$(cat "$index" "$volumes".vol-*.tar | wc -c)"
exits 0 "check" "$SNAP" check "$index"
exits 0 "replay" "$SNAP" replay "$index"

# Going on from volumes, by hand and by the run itself.
exits 0 "restore into a new folder" "$SNAP" restore "$index" --dir "$work/new"
exits 0 "restore in the run" "$SNAP" restore "$run"

# Joined and cut.
exits 0 "pack joins" "$SNAP" pack "$index" -o "$work/joined.snap.tar"
try "into the file that the other run saved" cmp "$work/joined.snap.tar" "$(snapshot "$whole" 12)"
exits 0 "pack cuts" "$SNAP" pack "$work/joined.snap.tar" --volume-size 8192 --json
json_is_valid "its document is valid" pack
try "into volumes" test -f "$work/joined.vol-0001.tar"
exits 0 "which are whole" "$SNAP" verify "$work/joined.snap.tar"
exits 0 "and joins them in place" "$SNAP" pack "$work/joined.snap.tar"
try "byte for byte" cmp "$work/joined.snap.tar" "$(snapshot "$whole" 12)"
same "without a volume" "$(find "$work" -maxdepth 1 -name 'joined.vol-*' | wc -l)" 0
exits 0 "no cut where nothing is larger" "$SNAP" pack "$work/joined.snap.tar" \
    --volume-size 999999999
fails 2 "a name that volumes cannot have" "their names begin with its own" "$SNAP" pack "$index" \
    -o "$work/a name.snap.tar" --volume-size 4096
exits 0 "thin, in volumes" "$SNAP" thin "$index" --base "$(snapshot "$run" 6)"
exits 0 "and whole again" "$SNAP" pack "$index"
try "byte for byte as ever" cmp "$index" "$(snapshot "$whole" 12)"
exits 0 "and cut again" "$SNAP" pack "$index" --volume-size 4096

# Published: cut as they were, and CHECK.md says how to put them together.
exits 0 "publish" "$SNAP" publish "$run" -o "$work/public"
exits 0 "and verify" "$SNAP" verify "$work/public"
try "all files are listed" sh -c "cd '$work/public' && sha256sum -c SHA256SUMS"
same "volumes, too" "$(find "$work/public/snapshots" -name '*.vol-*' | wc -l)" \
    "$(grep -c '\.vol-' "$work/public/SHA256SUMS")"
try "there are some" grep -q 'step-0000000024.vol-0001.tar' "$work/public/SHA256SUMS"
sed -n '/mkdir unpacked/,/ignore-missing/s/^    //p' "$work/public/CHECK.md" >"$work/check.sh"
try "what CHECK.md says" sh -ec "cd '$work/public' && . '$work/check.sh' && cd unpacked &&
    sha256sum -c SHA256SUMS"
exits 0 "publish without the optimizer" "$SNAP" publish "$run" -o "$work/less" --withhold optimizer
exits 0 "and verify it" "$SNAP" verify "$work/less" --allow-withheld

# A volume that is missing, damaged, or another's is told by name.
first=$volumes.vol-0001.tar
name=${first##*/}
mv "$first" "$work/kept"
fails 6 "missing" "volume $name is not there" "$SNAP" verify "$index"
exits 6 "missing in the run" "$SNAP" verify "$run"
try "by its name" grep -q "volume $name is not there" "$work/out"
exits 0 "allowed" "$SNAP" verify "$index" --allow-withheld
lost=$("$SNAP" list "$index" | awk '/withheld/ { print $4; exit }')
fails 6 "what it had" "volume $name is not there" "$SNAP" cat "$index" "$lost"
cp "$work/kept" "$first"
flip_byte "$first" 515
fails 5 "damaged" "$name: member .* digest" "$SNAP" verify "$index"
cp "$volumes.vol-0002.tar" "$first"
fails 5 "another one" "$name: member .* another volume" "$SNAP" verify "$index"
cp "$work/kept" "$first"
exits 0 "as it was" "$SNAP" verify "$index"

# Rescued: from a damaged index and its volumes, and from what a damaged volume still has.
cp "$index" "$work/index"
flip_byte "$index" 600 # in README
exits 0 "salvage of a damaged index" "$SNAP" fsck --salvage "$index" -o "$work/rescued.snap.tar"
try "it is the archive again, in one file" cmp "$work/rescued.snap.tar" "$(snapshot "$whole" 12)"
cp "$work/index" "$index"
flip_byte "$first" 3 # the header of the first of its members
exits 6 "salvage with a damaged volume" "$SNAP" fsck --salvage "$index" -o "$work/less.snap.tar"
exits 0 "the rest is intact" "$SNAP" verify "$work/less.snap.tar" --allow-withheld
same "one member is lost" 1 "$("$SNAP" list "$work/less.snap.tar" | grep -c withheld)"
try "of several" test "$(tar -tf "$work/kept" | wc -l)" -gt 1
cp "$work/kept" "$first"

# A volume that nobody names is left over.
cp "$first" "${volumes%12}99.vol-0001.tar"
exits 0 "fsck" "$SNAP" fsck "$run"
try "tells a leftover" grep -q "step-0000000099.vol-0001.tar: left by a save" "$work/out"
exits 0 "and removes it" "$SNAP" fsck "$run" --repair
try "that one" test ! -e "${volumes%12}99.vol-0001.tar"
exits 0 "prune" "$SNAP" prune "$run" --last 1
same "takes the volumes with it" \
    "$(find "$run/snapshots" -name '*.vol-*' ! -name '*24.vol-*' | wc -l)" 0
try "and leaves the last one's" test -f "$(snapshot "$run" 24 | sed 's/.snap.tar$//').vol-0001.tar"
exits 0 "a run with stubs" "$SNAP" fsck "$run"

tap_done
