#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap report: what the page says, where two runs part, what a long run's curve keeps, the index,
# and the page in a browser.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

page() { # COMMAND FILE [ARGUMENT...]
    "$PYTHON" "$top_srcdir/tests/cli/report_page.py" "$@"
}
text_has() { # NAME PATTERN FILE
    like "$1" "$2" "$(page text "$3")"
}

for seed in 1 2 3; do
    make_config "$work/config.json" training.seed=$seed
    "$SNAP" run "$work/config.json" --dir "$work/seed-$seed" >/dev/null 2>&1
done

# ---- several runs ----

exits 0 "three runs" \
    "$SNAP" report "$work/seed-1" "$work/seed-2" "$work/seed-3/" -o "$work/three.html"
like "it tells where the page is" "^page +$work/three.html, " "$(cat "$work/out")"
same "the page is sound, and needs nothing else" "" "$(page strict "$work/three.html")"
text_has "it has each run" '^seed-3$' "$work/three.html"
text_has "and the curves of held-out data" '^eval_accuracy$' "$work/three.html"
text_has "it says what a band is" 'differ in their seeds alone are one band' "$work/three.html"
same "one band in each of the five charts" 5 "$(grep -c 'class="band"' "$work/three.html")"
for seed in 1 2 3; do
    hash=$("$SNAP" hash "$work/seed-$seed" | sed -n 's/^run hash *//p')
    text_has "the run hash of seed $seed" "^$hash\$" "$work/three.html"
done
"$SNAP" list "$work/seed-2" --json >"$work/list.json"
hashes=$(json "$work/list.json" '" ".join(s["snapshot_hash"] for s in d["result"]["snapshots"])')
try "there are snapshots" test -n "$hashes"
for hash in $hashes; do
    text_has "the snapshot $hash" "^$hash\$" "$work/three.html"
done

# A restore, with its receipt, and the same runs in one folder of another config.
cp -r "$work/seed-1" "$work/restored"
exits 0 "a restore" "$SNAP" restore "$work/restored"
make_config "$work/other.json" training.seed=1 training.batch_size=256
"$SNAP" run "$work/other.json" --dir "$work/other" >/dev/null 2>&1
exits 0 "runs of two configs" \
    "$SNAP" report "$work/restored" "$work/seed-2" "$work/other" -o "$work/mixed.html"
text_has "a receipt is there" '^Receipts of restores: 1$' "$work/mixed.html"
text_has "with its tier" '^exact$' "$work/mixed.html"
same "a band over two, and a curve of the third" "5 5" \
    "$(grep -c 'class="band"' "$work/mixed.html") $(grep -c 'class="run"' "$work/mixed.html")"

# ---- two runs ----

exits 0 "two runs of one config" "$SNAP" report "$work/seed-1" "$work/restored" -o "$work/two.html"
like "they are equal" '^equal +24 steps' "$(cat "$work/out")"
text_has "the page says so" '^All 24 steps that both have are equal' "$work/two.html"
same "nothing else is said to differ" "" "$(page strict "$work/two.html")"

# Lines of another seed from step 12 on, as a run would have them that parted there.
cp -r "$work/seed-1" "$work/parted"
"$PYTHON" - "$work" <<'END'
import json
import sys
from pathlib import Path

work = Path(sys.argv[1])
one, two = ((work / name / "ledger.jsonl").read_text().splitlines(True)
            for name in ("seed-1", "seed-2"))
(work / "parted" / "ledger.jsonl").write_text("".join(one[:12] + two[12:]))
for number, line in ((1, one[12]), (2, two[12])):
    (work / f"samples-{number}").write_text(json.loads(line)["host"]["samples"])
END
exits 0 "two runs that part" \
    "$SNAP" report "$work/seed-1" "$work/parted" -o "$work/parted.html" --json
json_is_valid "its document is valid" report
same "at the step, in the kind and field" "12 order host.samples 11" \
    "$(json "$work/out" '"{step} {kind} {field} {steps_equal}".format(
steps_equal=d["result"]["parting"]["steps_equal"], **d["result"]["parting"]["step"])')"
text_has "the page names the step" '^step 12$' "$work/parted.html"
text_has "what differs first" '^host.samples$' "$work/parted.html"
text_has "the value of the first" "^$(cat "$work/samples-1")\$" "$work/parted.html"
text_has "the value of the second" "^$(cat "$work/samples-2")\$" "$work/parted.html"
"$SNAP" report "$work/seed-1" "$work/seed-2" -o "$work/seeds.html" >/dev/null
text_has "other seeds are told first" 'set up differently: their seeds are 1 and 2' \
    "$work/seeds.html"

# ---- a long run ----

page long "$work/long" 5000 7
exits 0 "a long run" "$SNAP" report "$work/long" -o "$work/long.html"
same "each column keeps its lowest and highest value" "" \
    "$(page decimated "$work/long.html" 5000 7)"

# ---- the index ----

cp "$work/long.html" "$work/cold.html"
exits 0 "again" "$SNAP" report "$work/long" -o "$work/long.html" --json
same "it is from the index" True "$(json "$work/out" 'd["result"]["runs"][0]["from_index"]')"
try "the page is the same" cmp "$work/cold.html" "$work/long.html"
rm "$work/long/metrics.index"
exits 0 "without one" "$SNAP" report "$work/long" -o "$work/long.html" --no-index --json
same "nothing is from it" False "$(json "$work/out" 'd["result"]["runs"][0]["from_index"]')"
try "the page is the same" cmp "$work/cold.html" "$work/long.html"
try "none is left" test ! -e "$work/long/metrics.index"
exits 0 "a run with an index is verified as before" "$SNAP" verify "$work/seed-1"

# ---- names that are no HTML ----

cp -r "$work/seed-1" "$work/<script>alert(1)<&\"'"
exits 0 "a strange name" "$SNAP" report "$work/<script>alert(1)<&\"'" -o "$work/strange.html"
same "it stays text" "" "$(page strict "$work/strange.html")"
text_has "and is shown" "<script>alert\\(1\\)<&\"'" "$work/strange.html"

# ---- refused ----

fails 3 "no run" "nowhere: no such file" "$SNAP" report "$work/nowhere" -o "$work/none.html"
fails 2 "an archive" "an archive; a run folder is wanted" \
    "$SNAP" report "$(snapshot "$work/seed-1" 12)" -o "$work/none.html"
fails 3 "a page that cannot be made" "none/x.html: making it" \
    "$SNAP" report "$work/seed-1" -o "$work/none/x.html"
printf 'x\n' >>"$work/parted/ledger.jsonl"
fails 5 "a ledger that is none" "parted/ledger.jsonl: line 26: not a line of a ledger" \
    "$SNAP" report "$work/parted" -o "$work/none.html"
try "no page is left" test ! -e "$work/none.html"
set --
while [ $# -lt 101 ]; do set -- "$@" "$work/seed-1"; done
fails 2 "too many runs" "101 runs; a page has room for 100" "$SNAP" report "$@" -o "$work/none.html"
shift
exits 0 "as many as there is room for" "$SNAP" report "$@" -o "$work/hundred.html"
same "are a page too" "" "$(page strict "$work/hundred.html")"

# ---- in a browser ----

if command -v chromium >/dev/null; then
    for name in three parted; do
        page browser "$work/$name.html" >"$work/seen.json" 2>"$work/browser.err" ||
            note "$(tail -3 "$work/browser.err")"
        same "$name: it fits a phone" "0 0" \
            "$(json "$work/seen.json" 'str(d["light"]["beyond"]) + " " + str(d["dark"]["beyond"])')"
        same "$name: every chart has its size, and every curve is drawn" "True True" \
            "$(json "$work/seen.json" 'str(len(d["light"]["charts"]) == 5 and
all(w > 200 and h > 200 for w, h in d["light"]["charts"])) + " " + str(d["light"]["drawn"])')"
        same "$name: light and dark" "rgb(255, 255, 255) rgb(20, 23, 26)" \
            "$(json "$work/seen.json" 'd["light"]["background"] + " " + d["dark"]["background"]')"
    done
    like "its text can be read" 'The first step that differs is step 12; 11 steps before it' \
        "$(json "$work/seen.json" 'd["light"]["text"]')"
else
    skip "the page in a browser" "no chromium"
fi

tap_done
