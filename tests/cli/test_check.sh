#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap check: what is possible here, of a config, a run and an archive.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
archive=$(snapshot "$run" 12)
before=$(contents "$run")

exits 0 "a config" "$SNAP" check "$work/config.json"
like "it can be run" '^tier +exact$' "$(cat "$work/out")"
exits 0 "a config as JSON" "$SNAP" check "$work/config.json" --json
json_is_valid "its document is valid" check
same "steps and snapshots to come" "0 24 4" \
    "$(json "$work/out" '"{step} {total_steps} {snapshots}".format(**d["result"])')"
exits 0 "a run" "$SNAP" check "$run"
exits 0 "a run as JSON" "$SNAP" check "$run" --json
json_is_valid "its document is valid" check
exits 0 "an archive as JSON" "$SNAP" check "$archive" --json
json_is_valid "its document is valid" check
same "what is left of it" "12 24" \
    "$(json "$work/out" '"{step} {total_steps}".format(**d["result"])')"
same "the run is as it was" "$before" "$(contents "$run")"

# ---- not all is well ----

mkdir "$work/data"
cp "$top_srcdir"/data/digits-*-ubyte "$work/data"
mkdir "$work/alone"
cp "$archive" "$work/alone/"
exits 0 "an archive, with its data elsewhere" \
    "$SNAP" check "$work/alone/step-0000000012.snap.tar" --data "$work/data"
flip_byte "$work/data/digits-train-images.idx3-ubyte" 5000
fails 6 "a data file is another one" "train_images|weights" \
    "$SNAP" check "$work/alone/step-0000000012.snap.tar" --data "$work/data"
like "what was found is printed" '^tier +none: data file train_images' "$(cat "$work/out")"
exits 6 "the same as JSON" \
    "$SNAP" check "$work/alone/step-0000000012.snap.tar" --data "$work/data" --json
json_is_valid "its document is valid" check
make_config "$work/missing.json" 'running.data.train_labels="nowhere.gz"'
fails 6 "a data file is missing" "train_labels|nowhere" "$SNAP" check "$work/missing.json"

if small_disk_works; then
    exits 6 "a disk that is too small" \
        on_small_disk 64 "$SNAP" check "$work/config.json" --dir "$work/disk/run"
    like "it says so" '^disk .*not enough$' "$(cat "$work/out")"
else
    skip "a disk that is too small" "no file system can be mounted here"
fi

# 520 parameters, their momenta, and a count.
layers='{"name": "flatten", "kind": "flatten"}'
for i in $(seq 260); do
    layers="$layers, {\"name\": \"fc$i\", \"kind\": \"linear\", \"features\": 10}"
done
make_config "$work/many.json" "training.model=[$layers]" running.volume_size=1024
many='volume_size: 1024: .* would be 1041, and at most 512 are allowed: from [0-9]+ on they fit'
fails 2 "more volumes than are allowed" "$many" "$SNAP" check "$work/many.json"
fails 2 "with which no run begins" "$many" "$SNAP" run "$work/many.json" --dir "$work/many"
try "or leaves a folder" test ! -e "$work/many"
enough=$("$SNAP" check "$work/many.json" 2>&1 | sed -n 's/.*from \([0-9]*\) on they fit.*/\1/p')
make_config "$work/fits.json" "training.model=[$layers]" "running.volume_size=$enough"
exits 0 "the size that is told is enough" "$SNAP" check "$work/fits.json"

# ---- refused ----

make_config "$work/wrong.json" training.epochs=0
fails 2 "a mistake in the config" "epochs" "$SNAP" check "$work/wrong.json"
fails 3 "nothing" "no such file" "$SNAP" check "$work/nowhere"
fails 5 "not an archive" "README\.md" "$SNAP" check "$top_srcdir/README.md"
fails 2 "a ledger" "a ledger; a config, a run folder or an archive is wanted" \
    "$SNAP" check "$run/ledger.jsonl"

tap_done
