#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Bad input: one clear line, the right exit status, and nothing lost or changed on disk.
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

# ---- the config ----

bad_config() { # NAME PATTERN KEY=VALUE...
    bad_name=$1
    bad_pattern=$2
    shift 2
    make_config "$work/bad.json" "$@"
    fails 2 "$bad_name" "$bad_pattern" "$SNAP" run "$work/bad.json" --dir "$work/bad"
    try "$bad_name: no folder is made" test ! -e "$work/bad"
}
bad_config "an unknown key" "learning_rat\b" 'training.learning_rat="0.1"'
bad_config "a value of the wrong type" "batch_size" 'training.batch_size="many"'
bad_config "a value out of range" "epochs" training.epochs=0
bad_config "a real number" "mean|real" training.data.mean=0.5
bad_config "an unknown layer" "model|perceptron" \
    'training.model=[{"name": "p", "kind": "perceptron"}]'
bad_config "layers that do not fit" "fc1|features|flatten|classes|shape" \
    'training.model=[{"name": "fc1", "kind": "linear", "features": 3}]'
bad_config "no seed" "seed" training.seed=null
bad_config "a data file that is not named" "train_images" running.data.train_images=null
echo '{"training": ' >"$work/bad.json"
fails 2 "a config that is cut" "bad\.json" "$SNAP" run "$work/bad.json" --dir "$work/bad"
: >"$work/bad.json"
fails 2 "an empty config" "bad\.json" "$SNAP" run "$work/bad.json" --dir "$work/bad"
fails 3 "a folder for a config" "$work" "$SNAP" run "$work" --dir "$work/bad"
fails 2 "an archive for a config" "step-0000000012" "$SNAP" run "$archive" --dir "$work/bad"

# ---- data files ----

make_config "$work/bad.json" 'running.data.train_images="nowhere-ubyte"'
fails 3 "a data file that is not there" "nowhere-ubyte" \
    "$SNAP" run "$work/bad.json" --dir "$work/bad"
make_config "$work/bad.json" "running.data.train_images=\"$top_srcdir/README.md\""
fails 5 "a data file that is not IDX" "README\.md" "$SNAP" run "$work/bad.json" --dir "$work/bad"
head -c 50000 "$top_srcdir/data/digits-train-images.idx3-ubyte" >"$work/cut-ubyte"
make_config "$work/bad.json" "running.data.train_images=\"$work/cut-ubyte\""
fails 5 "a data file that is cut" "cut-ubyte" "$SNAP" run "$work/bad.json" --dir "$work/bad"
make_config "$work/bad.json" \
    "running.data.train_labels=\"$top_srcdir/data/digits-test-labels.idx1-ubyte\""
fails 2 "labels of other images" "labels" "$SNAP" run "$work/bad.json" --dir "$work/bad"
try "no folder is made" test ! -e "$work/bad"

mkdir "$work/data"
cp "$top_srcdir"/data/digits-*-ubyte "$work/data"
flip_byte "$work/data/digits-train-images.idx3-ubyte" 9000
fails 3 "a restore where no data file is the right one" "train_images" \
    "$SNAP" restore "$run" --data "$work/data"
fails 3 "a replay with it" "train_images" "$SNAP" replay "$archive" --data "$work/data"

# ---- folders that cannot be written ----

: >"$work/file"
fails 3 "a run folder below a file" "$work/file" \
    "$SNAP" run "$work/config.json" --dir "$work/file/run"
fails 3 "a file for a run folder" "$work/file" "$SNAP" run "$work/config.json" --dir "$work/file"
fails 3 "a folder that nobody can write" "/proc/" \
    "$SNAP" run "$work/config.json" --dir /proc/self/run
if small_disk_works; then
    # The script's words are its own.
    # shellcheck disable=SC2016
    fails 3 "a file system that is read-only" "Read-only|disk/run" \
        on_small_disk 512 sh -c 'mount -o remount,ro "$1" && "$2" run "$3" --dir "$1/run"' sh \
        "$work/disk" "$SNAP" "$work/config.json"
else
    skip "a file system that is read-only" "no file system can be mounted here"
fi

# ---- a full disk ----

# The run gets as far as it can; what is durable on the disk is intact, and goes on elsewhere.
full_disk() { # KIB: leaves the run folder in $work/rescued, and the exit status in `status`
    rm -rf "$work/rescued"
    # shellcheck disable=SC2016
    capture on_small_disk "$1" sh -c '"$1" run "$2" --dir "$3/run"; status=$?
        cp -r "$3/run" "$4" || exit 99; exit $status' sh \
        "$SNAP" "$work/config.json" "$work/disk" "$work/rescued"
}
if small_disk_works; then
    # Known before the start: no step is made, and nothing is left.
    room="disk/run: train there: the next snapshots need [0-9]+ bytes on this disk and [0-9]+ are"
    # shellcheck disable=SC2016
    fails 3 "a disk without room for the next snapshots" "$room free: make room" \
        on_small_disk 128 sh -c '"$1" run "$2" --dir "$3/run"; status=$?
            [ ! -e "$3/run" ] || exit 99; exit $status' sh \
        "$SNAP" "$work/config.json" "$work/disk"
    exits 0 "half a run" "$SNAP" run "$work/config.json" --dir "$work/half" --steps 12
    # shellcheck disable=SC2016
    fails 3 "nor is it gone on with there" "$room free: make room" \
        on_small_disk 320 sh -c 'cp -r "$1" "$3/run"; "$2" restore "$3/run"; status=$?
            cmp -s "$1/latest" "$3/run/latest" || exit 99; exit $status' sh \
        "$work/half" "$SNAP" "$work/disk"
    make_config "$work/without.json" 'running.on_save_failure="continue"'
    # The save at the end fails all the same.
    # shellcheck disable=SC2016
    fails 3 "or it is said that it goes on without" "step-|No space" \
        on_small_disk 128 sh -c '"$1" run "$2" --dir "$3/run" 2>"$4"; status=$?
            grep -v "^snap: warning" "$4" >&2; exit $status' sh \
        "$SNAP" "$work/without.json" "$work/disk" "$work/told"
    like "by a warning first" "warning: .*$room" "$(sed 1q "$work/told")"
    for size in 204 232 256; do
        full_disk "$size"
        same "a disk of $size KiB: exit 3" 3 "$status"
        like "a disk of $size KiB: one line says so" '^snap: .*No space left on device' \
            "$(cat "$work/err")"
        same "a disk of $size KiB: and no other" 1 "$(wc -l <"$work/err")"
        if [ -e "$work/rescued/latest" ]; then
            exits 0 "a disk of $size KiB: what is there is intact" "$SNAP" verify "$work/rescued"
            exits 0 "a disk of $size KiB: and goes on where there is room" \
                "$SNAP" restore "$work/rescued"
            try "a disk of $size KiB: to the same ledger" \
                cmp "$run/ledger.jsonl" "$work/rescued/ledger.jsonl"
        else
            note "a disk of $size KiB holds no snapshot"
        fi
    done
else
    skip "a full disk" "no file system can be mounted here"
fi

# ---- archives ----

cp "$archive" "$work/newer.snap.tar"
forge text "$work/newer.snap.tar" manifest.json snap-archive-1 snap-archive-2
for command in verify hash show list check; do
    fails 4 "an archive of a newer format: $command" "snap-archive-2|newer|format" \
        "$SNAP" "$command" "$work/newer.snap.tar"
done
fails 4 "an archive of a newer format: cat" "snap-archive-2|newer|format" \
    "$SNAP" cat "$work/newer.snap.tar" README
fails 4 "an archive of a newer format: diff" "snap-archive-2|newer|format" \
    "$SNAP" diff "$archive" "$work/newer.snap.tar"
fails 4 "an archive of a newer format: replay" "snap-archive-2|newer|format" \
    "$SNAP" replay "$work/newer.snap.tar"
fails 4 "an archive of a newer format: restore" "snap-archive-2|newer|format" \
    "$SNAP" restore "$work/newer.snap.tar" --dir "$work/bad"
try "no folder is made" test ! -e "$work/bad"

: >"$work/empty"
tar -cf "$work/other.tar" -C "$top_srcdir" README.md
for file in "$top_srcdir/README.md" "$work/empty" "$work/other.tar" "$SNAP"; do
    for command in verify hash show list check replay; do
        fails 5 "not an archive, ${file##*/}: $command" "${file##*/}" "$SNAP" "$command" "$file"
    done
    fails 5 "not an archive, ${file##*/}: restore" "${file##*/}" \
        "$SNAP" restore "$file" --dir "$work/bad"
done
try "no folder is made" test ! -e "$work/bad"
fails 2 "a device" "neither a file nor a folder" "$SNAP" verify /dev/null
mkfifo "$work/fifo"
fails 2 "a pipe, and nobody waits" "neither a file nor a folder" "$SNAP" hash "$work/fifo"
ln -s loop "$work/loop"
fails 3 "a link to itself" "loop" "$SNAP" show "$work/loop"

same "the run is as it was" "$before" "$(contents "$run")"

# ---- a name with a newline and a control character stays in one line ----

odd=$(printf 'odd\nname\033[2J')
fails 3 "an odd name" "odd.name" "$SNAP" hash "$work/$odd"
same "it does not reach a terminal" 0 "$(tr -cd '\033' <"$work/err" | wc -c)"

tap_done
