#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap run: to the end, told to stop, stopped by signals and by NaN, and refused.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_config "$work/config.json"

# ---- to the end ----

exits 0 "a run to its end" "$SNAP" run "$work/config.json" --dir "$run"
matches "what it says" run.txt
same "nothing on stderr in a pipe" "" "$(cat "$work/err")"
same "a ledger line a step, and the genesis line" 25 "$(wc -l <"$run/ledger.jsonl")"
same "snapshots as often as the config says, and at the end" \
    "0000000006 0000000012 0000000018 0000000024" \
    "$(cd "$run/snapshots" && echo step-*.snap.tar | sed -e 's/step-//g' -e 's/\.snap\.tar//g')"
hash=$(grep -o 'run1:[0-9a-f]*' "$work/out")
same "the run hash is the chain of the last line" \
    "run1:$(tail -n 1 "$run/ledger.jsonl" | sed 's/.*"chain":"\([0-9a-f]*\)".*/\1/')" "$hash"

# ---- options ----

exits 0 "with other threads, as JSON" \
    "$SNAP" run "$work/config.json" --dir "$work/threads" --threads 3 --json
json_is_valid "its document is valid" run
same "nothing on stderr" "" "$(cat "$work/err")"
same "the run hash is the same" "$hash" "$(json "$work/out" 'd["result"]["run_hash"]')"
same "it says where it ended" "done 24 24" \
    "$(json "$work/out" '"{stop} {step} {total_steps}".format(**d["result"])')"
exits 0 "with fewer steps" "$SNAP" run "$work/config.json" --dir "$work/steps" --steps 8 --json
same "it ends there" "8 24" "$(json "$work/out" '"{step} {total_steps}".format(**d["result"])')"
same "and so does its ledger" 9 "$(wc -l <"$work/steps/ledger.jsonl")"
same "with a snapshot" 8 "$(json "$work/out" 'd["result"]["snapshot"]["step"]')"
exits 0 "with another seed" "$SNAP" run "$work/config.json" --dir "$work/seed" --seed 7 --json
seven=$(json "$work/out" 'd["result"]["run_hash"]')
make_config "$work/seven.json" training.seed=7
exits 0 "with that seed in the config" "$SNAP" run "$work/seven.json" --dir "$work/seven" --json
same "is the same run" "$(json "$work/out" 'd["result"]["run_hash"]')" "$seven"
try "and another than with seed 42" test "$seven" != "$hash"

# ---- certificates ----

make_config "$work/certify.json" running.certify=true
exits 0 "with certificates" "$SNAP" run "$work/certify.json" --dir "$work/certified"
same "each snapshot with a next step has one" "6 12 18" \
    "$(sed -n 's/^step *\([0-9]*\) *certified: .*/\1/p' "$work/out" | tr '\n' ' ' | sed 's/ $//')"
same "the events say so" "certified certified certified not_certified" \
    "$(sed -n 's/.*"event":"certify".*"outcome":"\([a-z_]*\)".*/\1/p' \
        "$work/certified/events.jsonl" | tr '\n' ' ' | sed 's/ $//')"
try "they are valid" "$PYTHON" "$top_srcdir/tests/schema/validate.py" event \
    "$work/certified/events.jsonl"
same "nothing on stderr" "" "$(cat "$work/err")"
try "the ledger is the one without" cmp "$run/ledger.jsonl" "$work/certified/ledger.jsonl"

# ---- refused ----

before=$(contents "$run")
fails 2 "a folder that holds a run" "$run.*(holds|already)" \
    "$SNAP" run "$work/config.json" --dir "$run"
same "it is as it was" "$before" "$(contents "$run")"
# Where it was built in, none can be seen.
fails 4 "a device that was not built in or is not there" \
    "device cuda:0: (not built in|this machine has none: )" env CUDA_VISIBLE_DEVICES= \
    "$SNAP" run "$work/config.json" --dir "$work/cuda" --device cuda:0
make_config "$work/cudnn.json" 'training.profile="cudnn-1"'
fails 4 "a profile of CUDA devices, on the CPU" \
    "profile cudnn-1: it needs a CUDA device, and the device is \"cpu\": use --device cuda:0" \
    "$SNAP" run "$work/cudnn.json" --dir "$work/cuda"
fails 2 "no device" "abacus" "$SNAP" run "$work/config.json" --dir "$work/none" --device abacus
fails 3 "no config" "nowhere.json" "$SNAP" run "$work/nowhere.json" --dir "$work/none"
fails 2 "no instruction set" "SNAP_ISA: .*neither" \
    env SNAP_ISA=neither "$SNAP" run "$work/config.json" --dir "$work/isa"
try "no folder was made by any" sh -c "! test -e '$work/cuda' && ! test -e '$work/none'"

# ---- NaN ----

make_nan_config "$work/nan.json"
fails 7 "a training that explodes" "(nan|inf)" "$SNAP" run "$work/nan.json" --dir "$work/nan"
like "it says where" '^stopped .*(loss|gradient|weight|conv1|fc1|bn1)' "$(cat "$work/out")"
capsule=$(sed -n 's/^capsule *//p' "$work/out")
try "the capsule is there" test -f "$capsule"
exits 7 "the same as JSON" "$SNAP" run "$work/nan.json" --dir "$work/nan_json" --json
json_is_valid "its document is valid" run
same "it says so too" "nonfinite" "$(json "$work/out" 'd["result"]["stop"]')"

# ---- signals ----

make_config "$work/long.json" training.epochs=100000 running.every=0

start() { # DIR [OPTION...]
    live=$1
    shift
    "$SNAP" run "$work/long.json" --dir "$live" "$@" >"$work/live.out" 2>"$work/live.err" &
    pid=$!
    wait_for_lines "$live/ledger.jsonl" 4 "$pid"
}
finish() { # NAME STATUS
    status=0
    wait "$pid" || status=$?
    same "$1: exit $2" "$2" "$status"
}

start "$work/live"
fails 3 "a second process in the folder of a live run" "$work/live.*(process|trains|lock|another)" \
    "$SNAP" restore "$work/live"
kill -USR1 "$pid"
while [ ! -e "$work/live/latest" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.01; done
saved=$(wc -l <"$work/live/ledger.jsonl")
wait_for_lines "$work/live/ledger.jsonl" $((saved + 3)) "$pid"
try "SIGUSR1: it saves, and goes on" kill -0 "$pid"
kill -TERM "$pid"
finish "SIGTERM" 75
like "it says so, and how to go on" "^stopped +by SIGTERM after step [0-9]+ of .*snap restore" \
    "$(cat "$work/live.out")"
same "the last snapshot is of the last step" \
    "snapshots/step-$(printf '%010d' $(($(wc -l <"$work/live/ledger.jsonl") - 1))).snap.tar" \
    "$(json "$work/live/latest" 'd["file"]')"

for signal in USR2 INT; do
    start "$work/live_$signal" --json
    kill -s "$signal" "$pid"
    finish "SIG$signal" 75
    cp "$work/live.out" "$work/out"
    json_is_valid "its document is valid" run
    same "it names the signal" "signal SIG$signal" \
        "$(json "$work/out" '"{stop} {signal}".format(**d["result"])')"
done

# A reader who goes away does not end the training.
start "$work/piped" --steps 40 --json
finish "a run to step 40" 0
"$SNAP" run "$work/long.json" --dir "$work/unread" --steps 40 2>"$work/err" | true
same "a reader who goes away leaves the run to its end" 41 "$(wc -l <"$work/unread/ledger.jsonl")"

# ---- a terminal ----

if command -v script >/dev/null; then
    script -qec "'$SNAP' run '$work/config.json' --dir '$work/tty'" /dev/null >"$work/tty.log" 2>&1
    like "progress on a terminal" 'step [0-9]+ of 24  epoch' "$(tr '\r' '\n' <"$work/tty.log")"
else
    skip "progress on a terminal" "no script(1)"
fi

tap_done
