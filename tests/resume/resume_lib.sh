# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What the resume tests share; read in after tests/support/tap.sh. `work` is their folder.

: "${SNAP:?}" "${top_srcdir:?}" "${work:?}"
data=$(cd "$top_srcdir/data" && pwd)

# A small CNN that uses everything that has state: augmentation, batch normalisation, dropout. 45
# steps an epoch.
cnn_training='"data": {"shape": [8, 8, 1], "classes": 10, "mean": "0.0192", "std": "0.0236"},
    "augment": {"shift": 1, "flip": true, "noise": "0.2"},
    "model": [
      {"name": "conv1", "kind": "conv2d", "features": 4, "kernel": 3, "padding": 1},
      {"name": "bn1", "kind": "batchnorm"},
      {"name": "relu1", "kind": "relu"},
      {"name": "pool1", "kind": "maxpool", "kernel": 2},
      {"name": "drop1", "kind": "dropout", "probability": "0.25"},
      {"name": "flatten", "kind": "flatten"},
      {"name": "fc1", "kind": "linear", "features": 10}
    ],
    "batch_size": 32'

# Members of `training` for SGD with everything, and for Adam.
optimizer() { # sgd|adam
    if [ "$1" = sgd ]; then
        echo '"optimizer": {"kind": "sgd", "learning_rate": "0.02", "momentum": "0.9",
        "weight_decay": "0.0005"},
    "schedule": {"kind": "cosine", "total_steps": 225, "minimum": "0.001", "warmup_steps": 20}'
    else
        echo '"optimizer": {"kind": "adam", "learning_rate": "0.003"}, "clip_norm": "1.0",
    "schedule": {"kind": "step", "every": 50, "gamma": "0.5"}'
    fi
}

# The digits, by their absolute paths.
digits="\"train_images\": \"$data/digits-train-images.idx3-ubyte\",
      \"train_labels\": \"$data/digits-train-labels.idx1-ubyte\",
      \"test_images\": \"$data/digits-test-images.idx3-ubyte\",
      \"test_labels\": \"$data/digits-test-labels.idx1-ubyte\""

# A config of the CNN: members of `training` and of `running` besides the ones above.
write_config() { # FILE TRAINING RUNNING
    cat >"$1" <<END
{
  "training": {
    "seed": 42, "epochs": 5,
    $cnn_training,
    $2
  },
  "running": {
    "threads": 1, $3,
    "data": {
      $digits
    }
  }
}
END
}

snap_run() { # CONFIG DIR OPTION...
    snap_config=$1
    snap_dir=$2
    shift 2
    "$SNAP" run "$snap_config" --dir "$snap_dir" "$@" >"$snap_dir.out" 2>&1
}
snap_restore() { # TARGET OPTION...
    "$SNAP" restore "$@" >"$work/restore.out" 2>&1
}

# Steps in a ledger: its lines but the genesis line.
steps_in() { # DIR
    if [ -f "$1/ledger.jsonl" ]; then echo $(($(wc -l <"$1/ledger.jsonl") - 1)); else echo 0; fi
}

# Whole files, byte for byte.
same_snapshots() { # DIR DIR
    for snapshot in "$1"/snapshots/*; do
        cmp "$snapshot" "$2/snapshots/$(basename "$snapshot")" || return 1
    done
}

# The hashes of a run as `snap hash` prints them, without its name.
hashes_of() { # DIR
    "$SNAP" hash "$1" | grep -oE '(run1|state1):[0-9a-f]{64}'
}
