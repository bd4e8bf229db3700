#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SIGKILL in the middle of an epoch, and what the other signals ask for.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"

steps=225 # all five epochs
write_config "$work/plain.json" "$(optimizer sgd)" '"every": 20'
# Long enough that it cannot end before a signal comes.
write_config "$work/long.json" "$(optimizer sgd)" '"every": 0'
sed -i 's/"epochs": 5/"epochs": 1000000/' "$work/long.json"

try "a run that nobody stops" snap_run "$work/plain.json" "$work/whole"
same "makes $steps steps" "$steps" "$(steps_in "$work/whole")"

# Start in the background; the program itself is `victim`.
start() { # CONFIG DIR
    "$SNAP" run "$1" --dir "$2" >"$2.out" 2>&1 &
    victim=$!
}
# Wait until the ledger has a step, at most about a minute.
wait_for_step() { # DIR STEP
    tries=0
    while [ "$(steps_in "$1")" -lt "$2" ] && [ "$tries" -lt 6000 ]; do
        sleep 0.01
        tries=$((tries + 1))
    done
    [ "$(steps_in "$1")" -ge "$2" ]
}
finish() { # -> status
    wait "$victim"
    status=$?
}

# Take a killed run up. When the kill fell between the very first snapshot and `latest`, the message
# says to name that snapshot.
take_up() { # DIR
    snap_restore "$1" && return 0
    only=$(find "$1/snapshots" -name '*.snap.tar')
    [ ! -e "$1/latest" ] && [ "$(printf '%s\n' "$only" | wc -l)" -eq 1 ] &&
        grep -q 'latest: is missing' "$work/restore.out" && snap_restore "$only" --dir "$1"
}

for target in 0 7 33 95 170; do
    start "$work/plain.json" "$work/k$target"
    wait_for_step "$work/k$target" "$target"
    kill -KILL "$victim" 2>/dev/null
    finish 2>/dev/null
    note "killed at step $(steps_in "$work/k$target") or later"
    if [ -f "$work/k$target/config.json" ]; then
        try "killed after step $target: finished" take_up "$work/k$target"
    else # before there was a run
        rm -rf "$work/k$target"
        try "killed before it began: begun again" snap_run "$work/plain.json" "$work/k$target"
    fi
    try "killed after step $target: one ledger" cmp "$work/whole/ledger.jsonl" \
        "$work/k$target/ledger.jsonl"
    same "killed after step $target: one run hash and state hash" "$(hashes_of "$work/whole")" \
        "$(hashes_of "$work/k$target")"
done

# Killed again and again while it is restored.
start "$work/plain.json" "$work/often"
for target in 30 50 80 110 140; do # the first snapshot is of step 20
    wait_for_step "$work/often" "$target" || break
    kill -KILL "$victim" 2>/dev/null
    finish 2>/dev/null
    "$SNAP" restore "$work/often" >"$work/often.out" 2>&1 &
    victim=$!
done
finish
same "killed five times: the last restore finishes" 0 "$status"
[ "$status" -eq 0 ] || note "$(tail -n 3 "$work/often.out")"
try "killed five times: one ledger" cmp "$work/whole/ledger.jsonl" "$work/often/ledger.jsonl"

# SIGUSR1: save and go on.
start "$work/long.json" "$work/usr1"
wait_for_step "$work/usr1" 5
kill -USR1 "$victim"
tries=0
while [ ! -f "$work/usr1/latest" ] && [ "$tries" -lt 6000 ]; do
    sleep 0.01
    tries=$((tries + 1))
done
try "SIGUSR1: a snapshot" test -f "$work/usr1/latest"
first=$(sed 's/.*step-0*\([0-9]*\).*/\1/' "$work/usr1/latest")
try "SIGUSR1: the run goes on" wait_for_step "$work/usr1" $((first + 5))

# A client asks, and a second run in the folder is refused.
exits 0 "snap save: answered when durable" "$SNAP" save "$work/usr1"
like "snap save: with the hash" 'snap1:[0-9a-f]{64}' "$(cat "$work/out")"
answered=$(grep -oE 'snap1:[0-9a-f]{64}' "$work/out")
like "snap save: which latest names" "$answered" "$(cat "$work/usr1/latest")"
"$SNAP" restore "$work/usr1" >"$work/out" 2>"$work/err"
second=$?
try "a second process in the folder is refused" test "$second" -ne 0
like "and told why" 'another process|in use|lock' "$(cat "$work/err")"
"$SNAP" run "$work/long.json" --dir "$work/usr1" >"$work/out" 2>"$work/err"
second=$?
try "a second run in the folder is refused" test "$second" -ne 0
try "the first one goes on" kill -0 "$victim"

# A stop, with a snapshot; the run can be taken up.
kill -TERM "$victim"
finish
same "SIGTERM: exit 75" 75 "$status"
last=$(sed 's/.*step-0*\([0-9]*\).*/\1/' "$work/usr1/latest")
same "SIGTERM: after a snapshot of the last step" "$(steps_in "$work/usr1")" "$last"
exits 3 "snap save: nobody is there any more" "$SNAP" save "$work/usr1"
for name in INT USR2; do
    "$SNAP" restore "$work/usr1" >"$work/usr1.out" 2>&1 &
    victim=$!
    wait_for_step "$work/usr1" $((last + 3))
    kill "-$name" "$victim"
    finish
    same "SIG$name: exit 75" 75 "$status"
    next=$(sed 's/.*step-0*\([0-9]*\).*/\1/' "$work/usr1/latest")
    same "SIG$name: after a snapshot of the last step" "$(steps_in "$work/usr1")" "$next"
    last=$next
done
snap_run "$work/long.json" "$work/straight" --steps "$last"
try "all those stops and saves left one ledger" cmp "$work/straight/ledger.jsonl" \
    "$work/usr1/ledger.jsonl"

# A second signal stops at once. The process is held while both arrive, so that nothing lies between
# them; SIGINT is delivered first.
start "$work/long.json" "$work/twice"
wait_for_step "$work/twice" 5
kill -STOP "$victim"
kill -TERM "$victim"
kill -INT "$victim"
kill -CONT "$victim"
finish 2>/dev/null
# Which of the two is the second is the kernel's choice.
try "SIGINT and SIGTERM: ended by the second" test "$status" -eq 130 -o "$status" -eq 143
try "without a snapshot" test ! -e "$work/twice/latest"
try "the run can be taken up all the same" snap_restore "$work/twice" --steps 20

# A request that comes before the first step, while the state is still being restored, is kept.
started() { grep -c '"event":"start"' "$1/events.jsonl"; }
before=$(started "$work/twice")
"$SNAP" restore "$work/twice" --steps 40 >"$work/early.out" 2>&1 &
victim=$!
while [ "$(started "$work/twice")" -eq "$before" ] && kill -0 "$victim" 2>/dev/null; do
    sleep 0.01
done
kill -USR1 "$victim"
finish 2>/dev/null
same "SIGUSR1 at the start of a restore: goes on" 0 "$status"
tap_done
