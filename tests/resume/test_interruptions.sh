#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Ways in which a run is interrupted that the pass over every step does not have: its ledger is cut
# or lost, snapshots come at other times, an archive or the data move elsewhere; and MNIST.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"

write_config "$work/whole.json" "$(optimizer sgd)" '"every": 0'
write_config "$work/saving.json" "$(optimizer sgd)" '"every": 13'
try "100 steps in one go" snap_run "$work/whole.json" "$work/whole" --steps 100
whole=$work/whole/ledger.jsonl

# In the middle of an epoch (45 steps), with steps after the last snapshot that are made again.
try "a run that saves every 13 steps, and stops" snap_run "$work/saving.json" "$work/a" --steps 60
cp -r "$work/a" "$work/extra"
try "restored" snap_restore "$work/a" --steps 75
try "and restored again" snap_restore "$work/a" --steps 100
try "is the whole run" cmp "$whole" "$work/a/ledger.jsonl"

# A kill leaves steps in the ledger that no snapshot has. They are expected, and come again.
cp -r "$work/extra" "$work/b"
rm "$work/b/snapshots/step-0000000060.snap.tar"
last="step-0000000052.snap.tar"
printf '{"file":"snapshots/%s","snapshot":"%s"}\n' "$last" \
    "$("$SNAP" hash "$work/b/snapshots/$last" | grep -oE 'snap1:[0-9a-f]{64}')" >"$work/b/latest"
cp -r "$work/b" "$work/c"
cp -r "$work/b" "$work/d"
cp -r "$work/b" "$work/e"
try "from a snapshot behind the ledger's end" snap_restore "$work/b" --steps 100
try "the steps that came again are the same" cmp "$whole" "$work/b/ledger.jsonl"

# The last line cut in its middle; lines after the snapshot lost; the whole ledger lost.
size=$(wc -c <"$work/c/ledger.jsonl")
truncate -s $((size - 100)) "$work/c/ledger.jsonl"
try "with a torn last line" snap_restore "$work/c" --steps 100
try "it is dropped and made again" cmp "$whole" "$work/c/ledger.jsonl"
head -n 54 "$whole" >"$work/d/ledger.jsonl"
try "with the ledger's tail lost" snap_restore "$work/d" --steps 100
try "it is made again" cmp "$whole" "$work/d/ledger.jsonl"
rm "$work/e/ledger.jsonl"
try "with the whole ledger lost" snap_restore "$work/e" --steps 100
try "it is made again from the archives" cmp "$whole" "$work/e/ledger.jsonl"

# An archive alone goes on in another folder, with the data found there.
mkdir "$work/empty"
exits 3 "an archive goes on elsewhere only with its data" \
    "$SNAP" restore "$work/whole/snapshots/step-0000000100.snap.tar" --dir "$work/nowhere" \
    --data "$work/empty"
like "and says which file is missing" 'data file train_images' "$(cat "$work/err")"
try "nothing was begun there" test ! -e "$work/nowhere/ledger.jsonl"

# Another data file under the right name.
mkdir "$work/data"
cp "$data"/digits-* "$work/data"
mv "$work/data/digits-train-images.idx3-ubyte" "$work/data/under another name"
sed "s#$data/digits-train-images#$work/data/wrong#" "$work/a/config.json" >"$work/config.new"
head -c 92047 "$data/digits-train-images.idx3-ubyte" >"$work/data/wrong.idx3-ubyte"
printf 'X' >>"$work/data/wrong.idx3-ubyte"
cp "$work/config.new" "$work/a/config.json"
before=$(cksum "$work/a/ledger.jsonl" "$work/a/latest")
exits 1 "a wrong data file is refused" "$SNAP" restore "$work/a" --steps 110
like "by name, with both digests" 'train_images: .*wrong.* [0-9a-f]{64}, .* [0-9a-f]{64}' \
    "$(cat "$work/err")"
same "before anything is trained" "$before" "$(cksum "$work/a/ledger.jsonl" "$work/a/latest")"
try "the right one is found by its digest" snap_restore "$work/a" --data "$work/data" --steps 110
try "from another archive alone: a new folder" \
    snap_restore "$work/whole/snapshots/step-0000000100.snap.tar" --dir "$work/new" \
    --data "$work/data" --steps 110
same "has the state that the run has" "$(hashes_of "$work/a" | grep state1)" \
    "$(hashes_of "$work/new" | grep state1)"

# MNIST in gzip, stopped at ten steps that were drawn once.
mnist=${SNAP_TEST_DATA:-}/data/mnist
if [ -f "$mnist/t10k-images-idx3-ubyte.gz" ]; then
    images=$(cd "$mnist" && pwd)/t10k-images-idx3-ubyte.gz
    labels=$(cd "$mnist" && pwd)/t10k-labels-idx1-ubyte.gz
    sed -e "s#\"\\.\\./data/mnist/[a-z0-9]*-images-idx3-ubyte.gz\"#\"$images\"#" \
        -e "s#\"\\.\\./data/mnist/[a-z0-9]*-labels-idx1-ubyte.gz\"#\"$labels\"#" \
        -e 's/"every": 200/"every": 0/' -e 's/"epochs": 3/"epochs": 3, "evaluate": 0/' \
        "$top_srcdir/examples/mnist-cnn.json" >"$work/mnist.json"
    try "MNIST: 60 steps in one go" snap_run "$work/mnist.json" "$work/mnist" --steps 60
    try "MNIST: begun" snap_run "$work/mnist.json" "$work/mnist-stopped" --steps 3
    for step in 8 9 17 22 23 31 40 44 58 60; do
        try "MNIST: restored, to step $step" snap_restore "$work/mnist-stopped" --steps "$step"
    done
    try "MNIST: one ledger" cmp "$work/mnist/ledger.jsonl" "$work/mnist-stopped/ledger.jsonl"
else
    skip "MNIST stopped at ten steps" "SNAP_TEST_DATA has no data/mnist"
fi
tap_done
