#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One, two, three and four ranks make one run: the same ledger, the same archives, the same words. A
# run goes on on another number of ranks. What one rank finds wrong, all do.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"
# shellcheck source=tests/mpi/mpi_lib.sh
. "${top_srcdir:?}/tests/mpi/mpi_lib.sh"
need_mpi "training on several ranks"

# ---- one run ----

# On 1 process without MPI, and on some ranks.
equal() { # NAME CONFIG STEPS RANKS
    try "$1: one process" snap_run "$2" "$work/$1" --steps "$3"
    for n in $4; do
        try "$1: $n ranks" ranks_run "$n" "$2" "$work/$1-$n" --steps "$3" --threads "$n"
        try "$1: $n ranks: the same ledger" cmp "$work/$1/ledger.jsonl" "$work/$1-$n/ledger.jsonl"
        try "$1: $n ranks: the same archives" same_snapshots "$work/$1" "$work/$1-$n"
        same "$1: $n ranks: said once" 1 "$(grep -c '^run hash' "$work/$1-$n.out")"
    done
}

more='"every": 30'
write_config "$work/cnn.json" "$(optimizer sgd), \"shards\": 4, \"evaluate\": 1" "$more"
equal cnn "$work/cnn.json" 60 "1 2 3 4"
# Shards that do not divide among the ranks, and a last batch of 23 with empty ones.
write_config "$work/many.json" "$(optimizer adam), \"shards\": 29, \"evaluate\": 1" "$more"
equal many "$work/many.json" 50 "2 3"

sed -e "s#\"\\.\\./data/#\"$data/#" -e 's/"batch_size"/"shards": 4, "batch_size"/' \
    "$top_srcdir/examples/digits-mlp.json" >"$work/mlp.json"
equal mlp "$work/mlp.json" 40 "2 4"

cp "$top_srcdir/LICENSE" "$work/text"
cat >"$work/gpt.json" <<END
{
  "training": {
    "seed": 42, "epochs": 2, "batch_size": 30, "shards": 4,
    "data": {"format": "text", "context": 16},
    "model": [
      {"name": "transformer", "kind": "gpt", "layers": 2, "heads": 3, "width": 24,
       "dropout": "0.1"},
      {"name": "lm_head", "kind": "linear", "features": 256, "bias": false}
    ],
    "optimizer": {"kind": "adamw", "learning_rate": "0.003"}, "clip_norm": "1.0"
  },
  "running": {"threads": 1, "data": {"text": "text"}, "every": 10}
}
END
equal gpt "$work/gpt.json" 24 "2 4"

# ---- on other numbers of ranks ----

move() { # FROM TO
    run=$work/cnn-$1-$2
    try "saved on $1 ranks" ranks_run "$1" "$work/cnn.json" "$run" --steps 37
    try "restored on $2" ranks_restore "$2" "$run" --steps 60
    same "exactly" 1 "$(grep -c 'tier.*exact' "$work/restore.out")"
    try "from $1 to $2 ranks: one ledger" cmp "$work/cnn/ledger.jsonl" "$run/ledger.jsonl"
    same "from $1 to $2 ranks: one state" "$(hashes_of "$work/cnn")" "$(hashes_of "$run")"
}
move 4 1
move 4 2
move 1 4
archive=$work/cnn/snapshots/step-0000000030.snap.tar
snap_restore "$archive" --dir "$work/new" --steps 60
try "an archive alone begins a run on 4 ranks" \
    ranks_restore 4 "$archive" --dir "$work/new-4" --steps 60
try "which is that of one process" cmp "$work/new/ledger.jsonl" "$work/new-4/ledger.jsonl"
try "and so are its archives" same_snapshots "$work/new" "$work/new-4"
try "steps that are made again on 2 ranks are compared" \
    ranks_restore 2 "$archive" --dir "$work/cnn" --steps 60

# What one process has cut, ranks write as one file, when it is to be written anew.
write_config "$work/cut.json" "$(optimizer sgd), \"shards\": 4, \"evaluate\": 1" \
    "$more, \"volume_size\": 4096"
try "one process cuts" snap_run "$work/cut.json" "$work/cut" --steps 60
rm "$work/cut/snapshots/step-0000000060.vol-0002.tar"
sed 's/4096/0/' "$work/cut/config.json" >"$work/cut/config" && mv "$work/cut/config" \
    "$work/cut/config.json"
try "a volume of the last one is lost: 2 ranks make it again" \
    ranks_restore 2 "$work/cut/snapshots/step-0000000030.snap.tar" --dir "$work/cut" --steps 60
try "in one file" cmp "$work/cnn/snapshots/step-0000000060.snap.tar" \
    "$work/cut/snapshots/step-0000000060.snap.tar"
same "and its other volumes are gone" "" "$(find "$work/cut" -name '*60.vol-*')"

# ---- what one rank finds wrong ----

sed 's/"shards": 4/"shards": 2/' "$work/mlp.json" >"$work/two.json"
exits 2 "more ranks than shards" ranks 3 "$SNAP" run "$work/two.json" --dir "$work/two"
same "are told once" 1 "$(grep -c 'training.shards: 2, and there are 3 ranks' "$work/err")"
try "and nothing is made" test ! -e "$work/two"

# The second program of the command line is rank 1.
pair() { # CONFIG-OF-RANK-1 DIR OPTION-OF-RANK-1...
    pair_config=$1
    pair_dir=$2
    shift 2
    ranks 1 "$SNAP" run "$work/cnn.json" --dir "$pair_dir" --steps 5 \
        : -n 1 "$SNAP" run "$pair_config" --dir "$pair_dir" --steps 5 "$@"
}
exits 3 "a rank without its config" pair "$work/none.json" "$work/pair"
same "is told once, with its number" 1 "$(grep -c '^snap.*: rank 1 of 2: .*none.json' "$work/err")"
try "and nothing is made" test ! -e "$work/pair"
exits 1 "a rank with another seed" pair "$work/cnn.json" "$work/pair" --seed 7
like "is told" 'rank 1 of 2: .*another chain than rank 0' "$(cat "$work/err")"

# NaN on all: one capsule, and it is that of one process.
write_config "$work/nan.json" \
    '"optimizer": {"kind": "sgd", "learning_rate": "1e6", "momentum": "0.9"}, "shards": 4' "$more"
exits 7 "not finite in one process" "$SNAP" run "$work/nan.json" --dir "$work/nan"
exits 7 "not finite on 2 ranks" ranks 2 "$SNAP" run "$work/nan.json" --dir "$work/nan-2"
try "one ledger" cmp "$work/nan/ledger.jsonl" "$work/nan-2/ledger.jsonl"
capsules() { (cd "$1/capsules" && sha256sum ./*); }
same "one capsule" "$(capsules "$work/nan")" "$(capsules "$work/nan-2")"
tap_done
