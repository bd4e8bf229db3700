#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Signals under mpirun: all ranks save, or save and stop with 75, after the same step; also when the
# signal comes to one of them alone. What was stopped goes on.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/resume/resume_lib.sh
. "${top_srcdir:?}/tests/resume/resume_lib.sh"
# shellcheck source=tests/mpi/mpi_lib.sh
. "${top_srcdir:?}/tests/mpi/mpi_lib.sh"
need_mpi "signals to several ranks"

# Long enough that it cannot end before a signal comes.
write_config "$work/long.json" "$(optimizer sgd), \"shards\": 2" '"every": 0'
sed -i 's/"epochs": 5/"epochs": 1000000/' "$work/long.json"

# Two ranks in the background; `victim` is mpirun, and $work/pid.N has rank N.
start() { # COMMAND...
    rm -f "$work"/pid.*
    # shellcheck disable=SC2016 # the ranks' own shell expands it
    mpirun --oversubscribe --bind-to none -n 2 sh -c \
        'echo $$ >"$0/pid.$OMPI_COMM_WORLD_RANK"; exec "$@"' "$work" "$@" \
        >"$work/ranks.out" 2>&1 &
    victim=$!
}
# Wait until a command succeeds, at most about two minutes.
wait_for() { # COMMAND...
    tries=0
    while ! "$@" && [ "$tries" -lt 1200 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    "$@"
}
has_steps() { [ "$(steps_in "$1")" -ge "$2" ]; } # DIR STEP
last_snapshot() { sed 's/.*step-0*\([0-9]*\).*/\1/' "$1/latest"; }
finish() { # -> status
    wait "$victim"
    status=$?
}
stopped_well() { # NAME
    finish
    same "$1: exit 75" 75 "$status"
    [ "$status" -eq 75 ] || note "$(tail -n 5 "$work/ranks.out")"
    same "$1: after a snapshot of the last step" "$(steps_in "$work/run")" \
        "$(last_snapshot "$work/run")"
}

start "$SNAP" run "$work/long.json" --dir "$work/run"
try "steps are made" wait_for has_steps "$work/run" 5
kill -USR1 "$victim"
try "SIGUSR1: a snapshot" wait_for test -f "$work/run/latest"
try "SIGUSR1: they go on" wait_for has_steps "$work/run" $(($(last_snapshot "$work/run") + 5))
exits 0 "a client asks rank 0, and is answered" "$SNAP" save "$work/run"
kill -USR2 "$victim"
stopped_well SIGUSR2

# To rank 1, which has no folder.
last=$(last_snapshot "$work/run")
start "$SNAP" restore "$work/run"
try "restored: they go on" wait_for has_steps "$work/run" $((last + 3))
kill -USR2 "$(cat "$work/pid.1")"
stopped_well "SIGUSR2 to rank 1 alone"
like "it is told which" 'stopped .*by SIGUSR2 after step' "$(cat "$work/ranks.out")"
like "the events have it" '"event":"signal","signal":"SIGUSR2"' "$(cat "$work/run/events.jsonl")"

# To rank 0, by the name that a scheduler uses.
last=$(last_snapshot "$work/run")
start "$SNAP" restore "$work/run"
try "restored again: they go on" wait_for has_steps "$work/run" $((last + 3))
kill -TERM "$(cat "$work/pid.0")"
stopped_well "SIGTERM to rank 0 alone"

last=$(last_snapshot "$work/run")
snap_run "$work/long.json" "$work/straight" --steps "$last"
try "all those stops and saves left the ledger of one process" \
    cmp "$work/straight/ledger.jsonl" "$work/run/ledger.jsonl"
tap_done
