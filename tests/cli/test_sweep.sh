#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap sweep: its runs are those of snap run, its numbers are those of Python's statistics, it goes
# on with what was interrupted, and tells what failed.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

make_config "$work/config.json"
sweep=$work/sweep

# ---- a whole sweep ----

exits 0 "three seeds, two at a time" \
    "$SNAP" sweep "$work/config.json" --seeds 1..3 --jobs 2 --dir "$sweep"
like "it tells each seed" '^seed      2  done     step     24  run1:[0-9a-f]{64}$' \
    "$(cat "$work/out")"
like "it states the level" '95 % interval of the mean' "$(cat "$work/out")"
for seed in 1 2 3; do
    "$SNAP" run "$work/config.json" --dir "$work/alone-$seed" --seed $seed >/dev/null 2>&1
    try "seed $seed is the run that snap run makes" \
        cmp "$work/alone-$seed/ledger.jsonl" "$sweep/seed-$seed/ledger.jsonl"
done

# Every row of both files, worked out again from the ledgers. The t of 2 degrees of freedom has a
# closed form.
"$PYTHON" - "$sweep" >"$work/wrong" <<'END'
import csv
import json
import math
import statistics
import struct
import sys
from pathlib import Path

sweep = Path(sys.argv[1])
values = {}
for seed in (1, 2, 3):
    for line in (sweep / f"seed-{seed}" / "ledger.jsonl").read_text().splitlines()[1:]:
        line = json.loads(line)
        step = line["host"]["step"]
        scalars = {**line["float"]["scalars"], "lr": line["host"]["scalars"]["lr"]}
        for name, value in scalars.items():
            if isinstance(value, str):
                value = struct.unpack(">f", bytes.fromhex(value))[0]
            values.setdefault((name, step), []).append(value)
            if name == "eval_correct":
                values.setdefault(("eval_accuracy", step), []).append(value / 359)
t = 0.95 * math.sqrt(2 / (1 - 0.95 ** 2))
wanted = {}
for key, seen in values.items():
    deviation = statistics.stdev(seen)
    mean = statistics.fmean(seen)
    half = t * deviation / math.sqrt(3)
    wanted[key] = ["3"] + [f"{x:.9g}" for x in (mean, deviation, mean - half, mean + half)]

rows = list(csv.reader((sweep / "sweep.csv").open(newline="")))
if rows[0] != "metric,step,seeds,mean,deviation,low,high".split(","):
    print("the head of sweep.csv:", rows[0])
found = {(row[0], int(row[1])): row[2:] for row in rows[1:]}
for key in sorted(set(found) | set(wanted)):
    if found.get(key) != wanted.get(key):
        print("sweep.csv:", key, found.get(key), wanted.get(key))
document = json.loads((sweep / "sweep.json").read_text())
found = {(metric["name"], row["step"]):
         [str(row["count"]), *(row[name] for name in ("mean", "deviation", "low", "high"))]
         for metric in document["metrics"] for row in metric["steps"]}
if found != wanted:
    print("sweep.json does not say what sweep.csv does")
for entry in document["seeds"]:
    last = (sweep / f"seed-{entry['seed']}" / "ledger.jsonl").read_text().splitlines()[-1]
    if entry["run_hash"] != "run1:" + json.loads(last)["chain"]:
        print("sweep.json: the run hash of", entry["seed"])
END
same "every row is what Python's statistics say" "" "$(cat "$work/wrong")"

# ---- again ----

contents "$sweep" >"$work/before"
exits 0 "the same once more, as JSON" \
    "$SNAP" sweep "$work/config.json" --seeds 3,2,1,2 --dir "$sweep" --json
json_is_valid "its document is valid" sweep
contents "$sweep" >"$work/after"
same "nothing is trained again" "$(cat "$work/before")" "$(cat "$work/after")"
same "each seed once, in order" "[1, 2, 3]" \
    "$(json "$work/out" '[s["seed"] for s in d["result"]["seeds"]]')"
exits 0 "another level, and a seed more" \
    "$SNAP" sweep "$work/config.json" --seeds 0..3 --dir "$sweep" --confidence 90 --json
same "it is stated" 90 "$(json "$sweep/sweep.json" 'd["confidence"]')"
same "over four seeds" 4 "$(json "$work/out" 'd["result"]["metrics"][0]["count"]')"

exits 0 "one seed" "$SNAP" sweep "$work/config.json" --seeds 5 --dir "$work/one" --json
same "has a mean and no deviation" "None None" \
    "$(json "$work/out" '"{deviation} {low}".format(**d["result"]["metrics"][0])')"

(cd "$work" && "$SNAP" sweep config.json --seeds 5 --steps 2 >/dev/null 2>&1)
try "the folder is named after the config" test -f "$work/config-sweep/seed-5/ledger.jsonl"
same "and stops where --steps says" 3 "$(wc -l <"$work/config-sweep/seed-5/ledger.jsonl")"
(cd "$work" && "$SNAP" sweep config.json --seeds 5 >/dev/null 2>&1)
same "without --steps it is gone on with" 25 "$(wc -l <"$work/config-sweep/seed-5/ledger.jsonl")"

# ---- stopped and killed ----

make_config "$work/long.json" training.epochs=40
exits 0 "undisturbed" "$SNAP" sweep "$work/long.json" --seeds 1..3 --jobs 2 --dir "$work/whole"

"$SNAP" sweep "$work/long.json" --seeds 1..3 --jobs 2 --dir "$work/cut" >"$work/cut.out" 2>&1 &
pid=$!
wait_for_lines "$work/cut/seed-2/ledger.jsonl" 5 "$pid"
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
same "SIGTERM: exit 75" 75 "$status"
like "it says how to go on" 'of 3 seeds are done; the same command goes on' "$(cat "$work/cut.out")"
try "the running ones have a snapshot" test -f "$work/cut/seed-2/latest"
exits 0 "the same command goes on" \
    "$SNAP" sweep "$work/long.json" --seeds 1..3 --jobs 2 --dir "$work/cut"
for file in sweep.csv sweep.json seed-1/ledger.jsonl seed-2/ledger.jsonl seed-3/ledger.jsonl; do
    try "$file is as undisturbed" cmp "$work/whole/$file" "$work/cut/$file"
done

"$SNAP" sweep "$work/long.json" --seeds 1..2 --jobs 2 --dir "$work/killed" >/dev/null 2>&1 &
pid=$!
wait_for_lines "$work/killed/seed-2/ledger.jsonl" 5 "$pid"
kill -KILL "$pid"
wait "$pid" 2>/dev/null
# Its trainings stop by themselves: until then their folders are locked.
tries=0
while ! grep -q '"event":"stop"' "$work/killed/seed-1/events.jsonl" ||
    ! grep -q '"event":"stop"' "$work/killed/seed-2/events.jsonl"; do
    tries=$((tries + 1))
    [ $tries -lt 3000 ] || break
    sleep 0.01
done
like "a sweep that is killed leaves no training behind" '"reason":"signal"' \
    "$(cat "$work/killed/seed-1/events.jsonl")"
exits 0 "and is gone on with" \
    "$SNAP" sweep "$work/long.json" --seeds 1..2 --jobs 2 --dir "$work/killed"
try "to the same run" cmp "$work/whole/seed-2/ledger.jsonl" "$work/killed/seed-2/ledger.jsonl"

# ---- failures ----

make_nan_config "$work/nan.json"
fails 7 "every seed runs to NaN" "2 of 2 seeds failed; seed 1: " \
    "$SNAP" sweep "$work/nan.json" --seeds 1..2 --dir "$work/nan"
try "nothing is summed up" test ! -e "$work/nan/sweep.csv"

mkdir "$work/mixture"
cp -r "$work/alone-1" "$work/mixture/seed-2"
fails 2 "a folder of another run" "1 of 3 seeds failed; seed 2: .*a run of another config" \
    "$SNAP" sweep "$work/config.json" --seeds 1..3 --dir "$work/mixture"
try "the others are run" cmp "$work/alone-3/ledger.jsonl" "$work/mixture/seed-3/ledger.jsonl"
try "and summed up" test -s "$work/mixture/sweep.csv"
exits 2 "as JSON" "$SNAP" sweep "$work/config.json" --seeds 1..3 --dir "$work/mixture" --json
json_is_valid "its document is valid" sweep
same "it says which" "done failed done" \
    "$(json "$work/out" '" ".join(s["state"] for s in d["result"]["seeds"])')"
fails 3 "a config that is not there" "nowhere.json: cannot be opened" \
    "$SNAP" sweep "$work/nowhere.json" --seeds 1 --dir "$work/none"
for list in '' x 3..1 '1,' 1..2..3 4294967296 -1 0..10000; do
    fails 2 "--seeds '$list'" "--seeds: " \
        "$SNAP" sweep "$work/config.json" --dir "$work/none" --seeds "$list"
done
fails 2 "no jobs" "--jobs: expected" \
    "$SNAP" sweep "$work/config.json" --dir "$work/none" --seeds 1 --jobs 0
fails 2 "certainty" "--confidence: expected" \
    "$SNAP" sweep "$work/config.json" --dir "$work/none" --seeds 1 --confidence 100

exits 4 "one of several processes of a launcher" \
    env SLURM_STEP_NUM_TASKS=2 "$SNAP" sweep "$work/none.json" --seeds 0..1 --dir "$work/ranks"
like "is told" 'SLURM_STEP_NUM_TASKS says .* 2 processes, and a sweep starts its own' \
    "$(cat "$work/err")"
tap_done
