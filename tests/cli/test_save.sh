#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap save: a live run is asked, and answers with the hash when the snapshot is durable.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

make_config "$work/long.json" training.epochs=100000 running.every=0
run=$work/run
"$SNAP" run "$work/long.json" --dir "$run" >"$work/live.out" 2>"$work/live.err" &
pid=$!
wait_for_lines "$run/ledger.jsonl" 3 "$pid"

exits 0 "a snapshot on request" "$SNAP" save "$run"
like "it names the step" '^saved +step [0-9]+$' "$(cat "$work/out")"
hash=$(grep -o 'snap1:[0-9a-f]*' "$work/out")
step=$(sed -n 's/^saved *step //p' "$work/out")
try "the archive is durable when the answer comes" test -f "$(snapshot "$run" "$step")"
exits 0 "it is intact" "$SNAP" verify "$(snapshot "$run" "$step")" "$hash"

exits 0 "another, as JSON" "$SNAP" save "$run" --json --timeout 60
json_is_valid "its document is valid" save
try "of a later step" test "$(json "$work/out" 'd["result"]["step"]')" -gt "$step"
try "the run goes on" kill -0 "$pid"

# Two at a time are both answered.
"$SNAP" save "$run" >"$work/first" 2>&1 &
first=$!
exits 0 "one of two at a time" "$SNAP" save "$run"
status=0
wait "$first" || status=$?
same "the other of the two" 0 "$status"

kill -TERM "$pid"
status=0
wait "$pid" || status=$?
same "the run stops when told" 75 "$status"
exits 0 "all its snapshots are intact" "$SNAP" verify "$run"

before=$(contents "$run")
fails 3 "a run that is not live" "no process" "$SNAP" save "$run"
same "it is as it was" "$before" "$(contents "$run")"
fails 3 "no such folder" "no such file" "$SNAP" save "$work/nowhere"
fails 2 "an archive" "an archive; a run folder is wanted" "$SNAP" save "$(snapshot "$run" "$step")"
fails 3 "a folder without a run" "a folder without a run" "$SNAP" save "$work"
fails 2 "a time that is no number" "--timeout: 'soon'" "$SNAP" save "$run" --timeout soon
fails 2 "a time that is too long" "at most" "$SNAP" save "$run" --timeout 99999999

tap_done
