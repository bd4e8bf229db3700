#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Output that cannot be written is never exit 0: a full disk, and a stdout that is closed.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"

run=$work/run
make_run "$run" || note "$(cat "$work/make_run.log")"
archive=$(snapshot "$run" 12)

if [ ! -c /dev/full ]; then
    skip "a full disk for stdout" "no /dev/full"
    tap_done
fi

full() { # NAME EXPECTED COMMAND...
    full_name=$1
    expected=$2
    shift 2
    status=0
    "$@" >/dev/full 2>"$work/err" || status=$?
    same "$full_name: exit $expected" "$expected" "$status"
    like "$full_name: it says so" '^snap: stdout: .*(No space left|could not be written)' \
        "$(cat "$work/err")"
    same "$full_name: in one line" 1 "$(grep -c . "$work/err")"
}
full "help" 3 "$SNAP" --help
full "version" 3 "$SNAP" --version
full "help of a command" 3 "$SNAP" run --help
for command in verify hash show list check; do
    full "$command" 3 "$SNAP" "$command" "$run"
    full "$command --json" 3 "$SNAP" "$command" "$run" --json
done
full "diff" 3 "$SNAP" diff "$run" "$run"
full "rng draw" 3 "$SNAP" rng draw "$archive" --stream numpy
full "rng seed" 3 "$SNAP" rng seed torch_cpu 5
full "rng distance" 3 "$SNAP" rng distance "$archive" "$archive"
full "cat of little" 3 "$SNAP" cat "$archive" data.json
full "cat of much" 3 "$SNAP" cat "$archive" tensors/model/fc1.weight
full "replay" 3 "$SNAP" replay "$archive"
full "restore" 3 "$SNAP" restore "$run" --dry-run

# A training is finished all the same; what is durable is durable.
full "run" 3 "$SNAP" run "$work/config.json" --dir "$work/blind"
try "the training is finished" cmp "$run/ledger.jsonl" "$work/blind/ledger.jsonl"

status=0
"$SNAP" hash "$run" >&- 2>"$work/err" || status=$?
same "a stdout that is closed: exit 3" 3 "$status"
like "it says so" '^snap: stdout: ' "$(cat "$work/err")"
status=0
"$SNAP" run "$work/config.json" --dir "$work/closed" >&- 2>&- <&- || status=$?
same "a run without any stdout or stderr: exit 3" 3 "$status"
try "is finished all the same" cmp "$run/ledger.jsonl" "$work/closed/ledger.jsonl"
exits 0 "and leaves an intact folder" "$SNAP" verify "$work/closed"

# No file of the run gets the number of a descriptor that was closed.
make_config "$work/long.json" training.epochs=100000 running.every=0
"$SNAP" run "$work/long.json" --dir "$work/live" <&- >&- 2>&- &
pid=$!
wait_for_lines "$work/live/ledger.jsonl" 3 "$pid"
same "they lead nowhere" "/dev/null /dev/null /dev/null" \
    "$(readlink "/proc/$pid/fd/0") $(readlink "/proc/$pid/fd/1") $(readlink "/proc/$pid/fd/2")"
kill -KILL "$pid"
wait "$pid" 2>/dev/null

tap_done
