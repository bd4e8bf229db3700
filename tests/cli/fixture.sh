# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What the tests of the commands share; read in after tap.sh:
#
#     # shellcheck source=tests/support/tap.sh
#     . "${top_srcdir:?}/tests/support/tap.sh"
#     # shellcheck source=tests/cli/fixture.sh
#     . "$top_srcdir/tests/cli/fixture.sh"
: "${SNAP:?}" "${PYTHON:?}" "${work:?}" "${top_srcdir:?}"

# A config that trains in a moment and uses all four streams. KEY=VALUE replaces a value, by the
# place of its key: running.every=5, training.seed=7; the value is JSON.
make_config() { # FILE [KEY=VALUE...]
    # shellcheck disable=SC2154
    "$PYTHON" - "$top_srcdir/data" "$@" <<'END'
import json
import sys

data, path = sys.argv[1:3]
config = {
    "training": {
        "profile": "portable-1",
        "seed": 42,
        "data": {"format": "idx", "shape": [8, 8, 1], "classes": 10, "mean": "0.0192",
                 "std": "0.0236"},
        "augment": {"shift": 1, "flip": True, "noise": "0.1"},
        "model": [
            {"name": "conv1", "kind": "conv2d", "features": 4, "kernel": 3, "padding": 1},
            {"name": "bn1", "kind": "batchnorm"},
            {"name": "relu1", "kind": "relu"},
            {"name": "pool1", "kind": "maxpool", "kernel": 2},
            {"name": "drop1", "kind": "dropout", "probability": "0.25"},
            {"name": "flatten", "kind": "flatten"},
            {"name": "fc1", "kind": "linear", "features": 10},
        ],
        "loss": "cross_entropy",
        "optimizer": {"kind": "sgd", "learning_rate": "0.02", "momentum": "0.9"},
        "epochs": 2,
        "batch_size": 128,
        "ledger": {"state_every": 1, "batch_bytes": True},
    },
    "running": {
        "threads": 1,
        "every": 6,
        "data": {role: f"{data}/digits-{part}"
                 for role, part in [("train_images", "train-images.idx3-ubyte"),
                                    ("train_labels", "train-labels.idx1-ubyte"),
                                    ("test_images", "test-images.idx3-ubyte"),
                                    ("test_labels", "test-labels.idx1-ubyte")]},
    },
}
for change in sys.argv[3:]:
    keys, value = change.split("=", 1)
    *folders, last = keys.split(".")
    place = config
    for key in folders:
        place = place.setdefault(key, {})
    place[last] = json.loads(value)
with open(path, "w") as file:
    json.dump(config, file)
END
}

# The same, but it explodes after a few steps.
make_nan_config() { # FILE
    make_config "$1" \
        'training.optimizer={"kind": "sgd", "learning_rate": "1000000", "momentum": "0.9"}'
}

# A finished run of that config: steps 1 to 24, snapshots at 6, 12, 18, 24.
make_run() { # DIR [KEY=VALUE...]
    make_run_dir=$1
    shift
    make_config "$work/config.json" "$@"
    "$SNAP" run "$work/config.json" --dir "$make_run_dir" >"$work/make_run.log" 2>&1
}

snapshot() { # DIR STEP: the path of a snapshot
    printf '%s/snapshots/step-%010d.snap.tar' "$1" "$2"
}

# The value of a Python expression over the JSON document `d` in a file.
json() { # FILE EXPRESSION
    "$PYTHON" -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$1" "$2"
}

# All that a folder holds, to see that nothing in it was changed: every name, type and byte. Only
# events.jsonl may grow: it says, with times, who has tried what.
contents() { # DIR
    (cd "$1" && find . ! -name events.jsonl -printf '%p %y %l\n' | LC_ALL=C sort &&
        find . -type f ! -name events.jsonl -print0 | LC_ALL=C sort -z | xargs -0r sha256sum)
}

# Two points: the command exits with this status, and says one line on stderr, which the pattern
# finds.
fails() { # STATUS NAME PATTERN COMMAND...
    fails_name=$2
    fails_pattern=$3
    fails_status=$1
    shift 3
    exits "$fails_status" "$fails_name: exit $fails_status" "$@"
    if [ "$(wc -l <"$work/err")" -eq 1 ] && grep -Eq "^snap: .*($fails_pattern)" "$work/err"; then
        ok "$fails_name: one clear line"
    else
        not_ok "$fails_name: one clear line" "wanted: $fails_pattern" "$(cat "$work/err")"
    fi
}

# Lines of steps in the order of the steps: a snapshot is told when it is durable, and the training
# goes on meanwhile.
by_step() {
    awk -v order="sort -s -n -k2,2" '
        /^step +[0-9]/ { fflush(); print | order; sorting = 1; next }
        { if (sorting) close(order); sorting = 0; print }'
}

# One point: stdout, with what may change masked, is the text kept in tests/cli/expected.
matches() { # NAME FILE
    sed -E -e "s#$work#WORK#g" -e "s#$top_srcdir#TOP#g" -e 's/[0-9a-f]{64}/HEX/g' \
        -e 's/(snap1:|run |restored  )[0-9a-f]{8,16}\b/\1HEX/g' -e 's/in [0-9.]+ s$/in T s/' \
        -e 's/loss [0-9.]+, [0-9]+ of 359 right \([0-9.]+ %\)/loss L, N of 359 right (P %)/' \
        -e 's/ +[0-9.]+ [KMGT]iB/  SIZE/g' \
        -e 's/^ *[0-9]+  (readme|manifest|state|data|stream|environment|ledger) /N  \1 /' \
        "$work/out" | by_step >"$work/masked"
    if problem=$(diff -u "$top_srcdir/tests/cli/expected/$2" "$work/masked" 2>&1); then
        ok "$1"
    else
        not_ok "$1" "$problem"
    fi
}

# The document of `snap X --json` in $work/out obeys the command's schema, and is canonical.
json_is_valid() { # NAME COMMAND
    if problem=$("$PYTHON" "$top_srcdir/tests/schema/validate.py" "cmd-$2" "$work/out" 2>&1); then
        ok "$1"
    else
        not_ok "$1" "$problem" "$(head -c 2000 "$work/out")"
    fi
}

# Change the byte at an offset.
flip_byte() { # FILE OFFSET
    "$PYTHON" -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    byte = f.read(1)[0]
    f.seek(int(sys.argv[2]))
    f.write(bytes([byte ^ 1]))' "$1" "$2"
}

# Wait until a file has at least so many lines, while the process lives.
wait_for_lines() { # FILE LINES PID
    while [ "$( (wc -l <"$1") 2>/dev/null || echo 0)" -lt "$2" ] && kill -0 "$3" 2>/dev/null; do
        sleep 0.01
    done
}

# Run a command where a file system of so many KiB is mounted on $work/disk. Can it be done here?
small_disk_works() {
    mkdir -p "$work/disk" && on_small_disk 64 true >/dev/null 2>&1
}
on_small_disk() { # KIB COMMAND...
    on_small_disk_size=$1
    shift
    # Root needs no user namespace, which a chroot would refuse.
    on_small_disk_as="--user --map-root-user"
    [ "$(id -u)" -ne 0 ] || on_small_disk_as=
    # The script's words are its own.
    # shellcheck disable=SC2016,SC2086
    unshare $on_small_disk_as --mount sh -c \
        'mount -t tmpfs -o "size=$1k" none "$2" && shift 2 && "$@"' sh \
        "$on_small_disk_size" "$work/disk" "$@"
}
