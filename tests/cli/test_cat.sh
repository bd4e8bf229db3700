#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap cat: the bytes of a member, and never bytes that are not the member's.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
archive=$(snapshot "$run" 12)
mkdir "$work/unpacked"
tar -xf "$archive" -C "$work/unpacked"

wrong=
(cd "$work/unpacked" && find . -type f) | sed 's/^\.\///' >"$work/names"
while read -r name; do
    "$SNAP" cat "$archive" "$name" >"$work/out" && cmp -s "$work/out" "$work/unpacked/$name" ||
        wrong="$wrong $name"
done <"$work/names"
same "every member is what tar unpacks" "" "$wrong"
try "there were all" test "$(wc -l <"$work/names")" -gt 20

exits 0 "a text as JSON" "$SNAP" cat "$archive" data.json --json
json_is_valid "its document is valid" cat
same "it is text" "text" "$(json "$work/out" 'd["result"]["encoding"]')"
same "all of it" "True" \
    "$(json "$work/out" "d['result']['content'] == open('$work/unpacked/data.json').read()")"
exits 0 "a tensor as JSON" "$SNAP" cat "$archive" tensors/model/conv1.weight --json
json_is_valid "its document is valid" cat
weight=$work/unpacked/tensors/model/conv1.weight
same "it is hex" "True" \
    "$(json "$work/out" "bytes.fromhex(d['result']['content']) == open('$weight', 'rb').read()")"

# ---- damaged: nothing is written ----

cp "$archive" "$work/damaged.snap.tar"
flip_byte "$work/damaged.snap.tar" \
    "$("$PYTHON" "$top_srcdir/tests/cli/forge.py" offset "$archive" tensors/model/conv1.weight)"
fails 5 "a damaged member" "tensors/model/conv1\.weight" \
    "$SNAP" cat "$work/damaged.snap.tar" tensors/model/conv1.weight
same "not a byte is written" 0 "$(wc -c <"$work/out")"
exits 5 "a damaged member as JSON" \
    "$SNAP" cat "$work/damaged.snap.tar" tensors/model/conv1.weight --json
json_is_valid "its document is valid" cat
exits 0 "another member of the same file" "$SNAP" cat "$work/damaged.snap.tar" rng/python

# In a folder of its own: members that are withheld are read from the archives beside it.
mkdir "$work/alone"
cp "$archive" "$work/alone/thin.snap.tar"
"$PYTHON" "$top_srcdir/tests/cli/forge.py" withhold "$work/alone/thin.snap.tar" \
    tensors/model/fc1.weight
fails 6 "a withheld member" "tensors/model/fc1\.weight" \
    "$SNAP" cat "$work/alone/thin.snap.tar" tensors/model/fc1.weight

# ---- a tensor in two parts ----

make_config "$work/large.json" training.evaluate=0 training.batch_size=2 'training.model=[
    {"name": "flatten", "kind": "flatten"},
    {"name": "fc1", "kind": "linear", "features": 270000},
    {"name": "fc2", "kind": "linear", "features": 10}]'
"$SNAP" run "$work/large.json" --dir "$work/large" --steps 1 >/dev/null
large=$(snapshot "$work/large" 1)
exits 0 "by its own name" "$SNAP" cat "$large" tensors/model/fc1.weight
same "all its bytes" "$(tar -xOf "$large" tensors/model/fc1.weight~0000 \
    tensors/model/fc1.weight~0001 | sha256sum)" "$(sha256sum <"$work/out")"
exits 0 "its second part" "$SNAP" cat "$large" tensors/model/fc1.weight~0001
same "is the rest" $((270000 * 64 * 4 - 67108864)) "$(wc -c <"$work/out")"
fails 4 "all of it as JSON" "in 2 parts; --json takes one" \
    "$SNAP" cat "$large" tensors/model/fc1.weight --json
flip_byte "$large" "$("$PYTHON" "$top_srcdir/tests/cli/forge.py" offset "$large" \
    tensors/model/fc1.weight~0001)"
fails 5 "with damage in the second part" "fc1\.weight~0001" \
    "$SNAP" cat "$large" tensors/model/fc1.weight
same "not a byte is written" 0 "$(wc -c <"$work/out")"

# ---- refused ----

fails 3 "no such member" "tensors/model/fc9: no such member" \
    "$SNAP" cat "$archive" tensors/model/fc9
fails 2 "a run folder" "a run folder; an archive or a store is wanted, such as snapshots/step-" \
    "$SNAP" cat "$run" README
fails 5 "not an archive" "README\.md" "$SNAP" cat "$top_srcdir/README.md" README
fails 3 "nothing" "no such file" "$SNAP" cat "$work/nowhere" README

# ---- a reader who goes away ----

"$SNAP" cat "$archive" tensors/model/fc1.weight 2>"$work/err" | head -c 1 >/dev/null
same "is no reason to complain" "" "$(cat "$work/err")"

tap_done
