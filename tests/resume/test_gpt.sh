#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A small GPT on a text: threads and kernels decide nothing, a stop after every step neither, and
# the end of the file is evaluated; what is wrong with its config or its text is told in one line.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"
# shellcheck source=tests/resume/kernels_lib.sh
. "${top_srcdir:?}/tests/resume/kernels_lib.sh"

cp "$top_srcdir/LICENSE" "$work/text"
steps=24 # 20 an epoch

# The config; DATA, GPT and HEAD are members of data and of the two layers.
write_gpt() { # FILE DATA GPT HEAD RUNNING
    cat >"$1" <<END
{
  "training": {
    "seed": 42, "epochs": 2, "batch_size": 32,
    "data": {"format": "text", $2},
    "model": [
      {"name": "transformer", "kind": "gpt", $3},
      {"name": "lm_head", "kind": "linear", $4}
    ],
    "optimizer": {"kind": "adamw", "learning_rate": "0.003"}, "clip_norm": "1.0",
    "ledger": {"batch_bytes": true}
  },
  "running": {"threads": 1, "data": {"text": "text"}, $5}
}
END
}
data='"context": 16'
gpt='"layers": 2, "heads": 3, "width": 24, "dropout": "0.1"'
head='"features": 256, "bias": false'
write_gpt "$work/gpt.json" "$data" "$gpt" "$head" '"every": 0'

try "$steps steps in one go" snap_run "$work/gpt.json" "$work/gpt" --steps "$steps"
same "a line for each" "$steps" "$(steps_in "$work/gpt")"
same "every step drops out from the device stream" "$steps" \
    "$(grep -c '"draws":{"device":1[,}]' "$work/gpt/ledger.jsonl")"
same "every epoch is ordered by the python stream" 2 \
    "$(sed 1d "$work/gpt/ledger.jsonl" | grep -c '"python":[1-9]')"
same "one evaluation, at the end of the epoch" 1 "$(grep -c eval_loss "$work/gpt/ledger.jsonl")"
like "it counts the bytes of the whole windows held out" 'of 1120 right' "$(cat "$work/gpt.out")"
like "the text's digest is in the first line" \
    "\"name\":\"text\",\"sha256\":\"$(sha256sum <"$work/text" | cut -d ' ' -f 1)\"" \
    "$(sed -n 1p "$work/gpt/ledger.jsonl")"

for isa in $every_isa; do
    isa_in_build "$isa" || continue
    if ! can_run_isa "$isa"; then
        skip "kernels $isa" "this CPU does not have it"
        continue
    fi
    for threads in 1 2 3 7; do
        SNAP_ISA=$isa snap_run "$work/gpt.json" "$work/$isa-$threads" --steps "$steps" \
            --threads "$threads"
        try "kernels $isa, $threads threads: the same ledger" \
            cmp "$work/gpt/ledger.jsonl" "$work/$isa-$threads/ledger.jsonl"
        try "kernels $isa, $threads threads: the same archive" \
            same_snapshots "$work/gpt" "$work/$isa-$threads"
    done
done

stop_at_every_step() { # CONFIG DIR
    snap_run "$1" "$2" --steps 1 || return 1
    step=2
    while [ "$step" -le "$steps" ]; do
        if ! snap_restore "$2" --steps "$step"; then
            cat "$work/restore.out"
            return 1
        fi
        step=$((step + 1))
    done
}
try "stopped and restored after each step" stop_at_every_step "$work/gpt.json" "$work/stopped"
try "one ledger" cmp "$work/gpt/ledger.jsonl" "$work/stopped/ledger.jsonl"
same "one state" "$(hashes_of "$work/gpt")" "$(hashes_of "$work/stopped")"
exits 0 "the steps from the middle of the epoch on are replayed" "$SNAP" replay \
    "$work/stopped/snapshots/step-0000000007.snap.tar"
like "all of them" '17 ledger lines, 17 ' "$(cat "$work/out")"
mkdir "$work/elsewhere"
mv "$work/text" "$work/elsewhere/renamed"
exits 0 "also with the text found by its digest" "$SNAP" replay --data "$work/elsewhere" \
    "$work/stopped/snapshots/step-0000000020.snap.tar"
cp "$work/elsewhere/renamed" "$work/text"
printf X | dd of="$work/text" bs=1 seek=500 conv=notrunc 2>/dev/null
exits 1 "not with another text" "$SNAP" restore "$work/stopped" --steps 25
like "which is named" 'data file text: .* has SHA-256' "$(cat "$work/err")"
cp "$work/elsewhere/renamed" "$work/text"

# ---- mistakes ----

# Exit status, pattern, and the parts of the config.
refused() { # NAME STATUS PATTERN DATA GPT HEAD
    write_gpt "$work/wrong.json" "$4" "$5" "$6" '"every": 0'
    exits "$2" "$1" "$SNAP" run "$work/wrong.json" --dir "$work/wrong"
    same "$1: one line" 1 "$(wc -l <"$work/err")"
    like "$1: it says so" "$3" "$(cat "$work/err")"
    try "$1: nothing was made" test ! -e "$work/wrong"
}
refused "heads that do not divide the width" 2 \
    'training\.model\[0\]\.heads: expected a divisor of the width, 24' \
    "$data" '"layers": 1, "heads": 5, "width": 24' "$head"
refused "a context longer than the text" 2 \
    'data file .*/text: .* training\.data\.context 20000 asks for at least 20001' \
    '"context": 20000' "$gpt" "$head"
refused "too little held out" 2 'training\.data\.held_out leaves not one window' \
    '"context": 16, "held_out": "0.001"' "$gpt" "$head"
refused "a key of images" 2 'training\.data\.classes: unknown key' \
    '"context": 16, "classes": 10' "$gpt" "$head"
refused "too few classes" 2 'for each place a vector of 256' \
    "$data" "$gpt" '"features": 255'
rm "$work/text"
refused "a text that is not there" 3 'data file .*/text: cannot be opened' "$data" "$gpt" "$head"
tap_done
