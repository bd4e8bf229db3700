#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What was falsified is found, and the first difference is named by step and kind: a ledger line,
# a weight, a data file, latest; by an editor, and by a forger who makes every hash fit again.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

forge() { "$PYTHON" "$top_srcdir/tests/cli/forge.py" "$@"; }
whole=$work/whole
make_run "$whole" || note "$(cat "$work/make_run.log")"

copy() { # a run folder to falsify, in `run`
    run=$work/run
    rm -rf "$run"
    cp -r "$whole" "$run"
    before=
}
# Keep what it holds, to see that nothing is changed.
keep() { before=$(contents "$run"); }
kept() { same "$1: nothing is changed" "$before" "$(contents "$run")"; }

# The run as a process left it that was killed after step 15: the ledger goes past the snapshot.
cut_to_12() {
    rm "$(snapshot "$run" 18)" "$(snapshot "$run" 24)"
    "$SNAP" hash "$(snapshot "$run" 12)" >"$work/hashes"
    printf '{"file":"snapshots/step-0000000012.snap.tar","snapshot":"%s"}\n' \
        "$(sed -n 's/^snapshot *//p' "$work/hashes")" >"$run/latest"
}

# ---- a ledger line, by an editor: the chain breaks ----

edit_line() { # SED-SCRIPT
    copy
    sed "9 $1" "$whole/ledger.jsonl" >"$run/ledger.jsonl"
    keep
}
loss=$(sed -n '9 s/.*"loss":"\([0-9a-f]*\)".*/\1/p' "$whole/ledger.jsonl")
flipped=$(printf '%08x' $((0x$loss ^ 1)))
edit_line "s/\"loss\":\"$loss\"/\"loss\":\"$flipped\"/"
fails 5 "a loss bit, verify" "(line 9|step 8)" "$SNAP" verify "$run"
fails 5 "a loss bit, hash" "(line 9|step 8)" "$SNAP" hash "$run"
fails 5 "a loss bit, restore" "(line 9|step 8)" "$SNAP" restore "$run"
fails 5 "a loss bit, replay" "(line 9|step 8)" "$SNAP" replay "$(snapshot "$run" 6)"
fails 5 "a loss bit, diff" "(line 9|step 8)" "$SNAP" diff "$run" "$whole"
kept "a loss bit"
edit_line 's/"batch":"./"batch":"x/'
fails 5 "a batch digest that is none" "(line 9|step 8)" "$SNAP" verify "$run"
edit_line 's/"samples":"\(.\)\(.\)/"samples":"\2\1/'
capture "$SNAP" verify "$run"
same "two digits of a samples digest" 5 "$status"

# ---- a ledger line, by a forger: every chain fits, and the snapshots do not ----

copy
forge ledger "$run/ledger.jsonl" 8 float.scalars.loss "$flipped"
keep
fails 5 "a forged loss, verify" "step.*(12|8)|chain" "$SNAP" verify "$run"
fails 5 "a forged loss, hash" "ledger\.jsonl: step 24" "$SNAP" hash "$run"
exits 1 "a forged loss, diff with the true run" "$SNAP" diff "$run" "$whole"
like "it names step and field" '8.*float\.scalars\.loss' "$(cat "$work/out")"
fails 1 "a forged loss, replay" "step 8: loss" "$SNAP" replay "$(snapshot "$run" 6)" \
    --ledger "$run/ledger.jsonl"
kept "a forged loss"

copy
forge ledger "$run/ledger.jsonl" 9 host.batch "$(printf '%064d' 1)"
fails 1 "a forged batch digest, replay" "step 9: batch" "$SNAP" replay "$(snapshot "$run" 6)" \
    --ledger "$run/ledger.jsonl"
copy
forge ledger "$run/ledger.jsonl" 10 host.samples "$(printf '%064d' 1)"
fails 1 "a forged order, replay" "step 10: (order|batch)" "$SNAP" replay "$(snapshot "$run" 6)" \
    --ledger "$run/ledger.jsonl"
copy
forge ledger "$run/ledger.jsonl" 10 host.scalars.lr 3f800000
fails 1 "a forged learning rate, replay" "step 10: schedule" \
    "$SNAP" replay "$(snapshot "$run" 6)" --ledger "$run/ledger.jsonl"
copy
forge ledger "$run/ledger.jsonl" 11 float.scalars.grad_norm 3f800000
fails 1 "a forged gradient norm, replay" "step 11: gradient" \
    "$SNAP" replay "$(snapshot "$run" 6)" --ledger "$run/ledger.jsonl"
copy
forge ledger "$run/ledger.jsonl" 11 float.state "tree1:$(printf '%064d' 1)"
fails 1 "a forged state digest, replay" "step 11: state" \
    "$SNAP" replay "$(snapshot "$run" 6)" --ledger "$run/ledger.jsonl"

# Lines past the snapshot are only expected: a restore that makes the step again finds it.
copy
cut_to_12
forge ledger "$run/ledger.jsonl" 14 float.scalars.loss "$flipped"
lines=$(sha256sum <"$run/ledger.jsonl")
fails 1 "a forged line past the snapshot, restore" "step 14: loss" "$SNAP" restore "$run"
same "the ledger is as it was" "$lines" "$(sha256sum <"$run/ledger.jsonl")"
exits 1 "the same as JSON" "$SNAP" restore "$run" --json
json_is_valid "its document is valid" restore
same "it names step and kind" "14 loss $flipped" \
    "$(json "$work/out" '"{step} {kind} {left}".format(**d["result"]["difference"])')"

# ---- a weight bit ----

copy
flip_byte "$(snapshot "$run" 24)" "$(forge offset "$(snapshot "$run" 24)" tensors/model/fc1.weight)"
keep
fails 5 "a weight bit, verify" "tensors/model/fc1\.weight" "$SNAP" verify "$run"
fails 5 "a weight bit, restore" "tensors/model/fc1\.weight" "$SNAP" restore "$run" --dir "$work/new"
try "a weight bit: no run is begun" test ! -e "$work/new/ledger.jsonl"
fails 5 "a weight bit, dry run" "tensors/model/fc1\.weight" "$SNAP" restore "$run" --dry-run
kept "a weight bit"

# By a forger, who makes the listings fit; `latest`, the parents and the ledger know better.
copy
forge bit "$(snapshot "$run" 12)" tensors/model/fc1.weight 8
exits 0 "a forged weight: the member agrees with the listings" \
    "$SNAP" verify "$(snapshot "$run" 12)" --only tensors/model/fc1.weight
fails 5 "a forged weight, verify of the run" "step-0000000012|step 12|step-0000000018|parent" \
    "$SNAP" verify "$run"
fails 5 "a forged weight: the ledger line in the archive knows better" "step 12: float\.state" \
    "$SNAP" verify "$(snapshot "$run" 12)"
exits 1 "a forged weight, replay up to it" "$SNAP" replay "$(snapshot "$run" 6)"
like "it names the step" '^differs +step 12: state' "$(cat "$work/out")"
like "and the tensor" '^first .*fc1\.weight' "$(cat "$work/out")"
exits 1 "a forged weight, replay from it" "$SNAP" replay "$(snapshot "$run" 12)"
like "the first step after it differs" '^differs +step 13: ' "$(cat "$work/out")"

# ---- a stream ----

copy
forge text "$(snapshot "$run" 12)" rng/device '"counter":12' '"counter":13'
exits 1 "a forged stream, replay up to it" "$SNAP" replay "$(snapshot "$run" 6)"
like "it names the stream" '^first +stream device: .*1 ' "$(cat "$work/out")"

# ---- a data file ----

mkdir "$work/data"
cp "$top_srcdir"/data/digits-*-ubyte "$work/data"
make_config "$work/own.json" \
    "running.data.train_images=\"$work/data/digits-train-images.idx3-ubyte\""
"$SNAP" run "$work/own.json" --dir "$work/own" --steps 8 >/dev/null 2>&1
flip_byte "$work/data/digits-train-images.idx3-ubyte" 4000
run=$work/own
keep
fails 1 "a data file, restore" "train_images" "$SNAP" restore "$run"
fails 1 "a data file, replay" "train_images" "$SNAP" replay "$(snapshot "$run" 6)"
kept "a data file"
fails 6 "a data file, check" "train_images" "$SNAP" check "$run"

# ---- latest ----

copy
sed 's/snap1:./snap1:x/' "$whole/latest" >"$run/latest"
keep
fails 5 "latest with a hash that is none, restore" "latest" "$SNAP" restore "$run"
fails 5 "latest with a hash that is none, verify" "latest" "$SNAP" verify "$run"
kept "latest with a hash that is none"
copy
sed 's/step-0000000024/step-0000000018/' "$whole/latest" >"$run/latest"
keep
fails 5 "latest with another's hash, restore" "latest" "$SNAP" restore "$run"
fails 5 "latest with another's hash, verify" "latest" "$SNAP" verify "$run"
fails 5 "latest with another's hash, hash" "latest" "$SNAP" hash "$run"
kept "latest with another's hash"
copy
sed 's/step-0000000024/step-0000000099/' "$whole/latest" >"$run/latest"
keep
fails 5 "latest that names nothing, restore" "latest" "$SNAP" restore "$run"
fails 5 "latest that names nothing, verify" "latest" "$SNAP" verify "$run"
kept "latest that names nothing"
copy
sed 's#snapshots/#../other/#' "$whole/latest" >"$run/latest"
fails 5 "latest that leads out of the run, restore" "latest" "$SNAP" restore "$run"
fails 5 "latest that leads out of the run, show" "latest" "$SNAP" show "$run"

# ---- the config of the run ----

copy
sed 's/"batch_size":128/"batch_size":127/' "$whole/config.json" >"$run/config.json"
keep
capture "$SNAP" restore "$run"
try "another config: it is refused" test "$status" -ne 0
like "it says so in one line" '^snap: .*(config|training)' "$(cat "$work/err")"
same "nothing of the run is changed" "$(cd "$whole" && sha256sum ledger.jsonl latest snapshots/*)" \
    "$(cd "$run" && sha256sum ledger.jsonl latest snapshots/*)"
fails 5 "another config, verify" "config" "$SNAP" verify "$run"

tap_done
