#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# snap serve: trainings hand their saves over, go on from memory, and save by themselves when the
# agent is not there; eight at once within the memory limit.
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"
unset SNAP_AGENT

root=$(cd "$work" && pwd -P)/root
mkdir "$root"
agent=

start_agent() { # OPTION...
    "$SNAP" serve --dir "$root" "$@" >"$work/agent.out" 2>"$work/agent.err" &
    agent=$!
    wait_for_lines "$work/agent.out" 1 "$agent"
}
stop_agent() { # SIGNAL: its exit status is in $status
    kill "-$1" "$agent"
    status=0
    wait "$agent" || status=$?
}
# How many saves of a run the agent made, and how many there were.
saves() { # RUN
    "$PYTHON" -c 'import json, sys
saves = [e for e in map(json.loads, open(sys.argv[1])) if e["event"] == "save"]
print(sum("agent" in e for e in saves), "of", len(saves))' "$1/events.jsonl"
}
troubles() { # RUN
    grep -c '"event":"agent_trouble"' "$1/events.jsonl" || true
}

make_run "$work/plain" || exit 1

# ---- a training with an agent is the training without ----
start_agent
like "the agent says what it serves" "^serving $root\$" "$(cat "$work/agent.out")"
exits 0 "a training beside an agent" "$SNAP" run "$work/config.json" --dir "$root/run"
same "every save was the agent's" "4 of 4" "$(saves "$root/run")"
same "the ledger is that without an agent" "" "$(cmp "$work/plain/ledger.jsonl" \
    "$root/run/ledger.jsonl" 2>&1)"
for step in 6 12 18 24; do
    same "the archive of step $step is that without an agent" "" \
        "$(cmp "$(snapshot "$work/plain" "$step")" "$(snapshot "$root/run" "$step")" 2>&1)"
done
exits 0 "the run is sound" "$SNAP" verify "$root/run"

exits 0 "the agent says how it is" "$SNAP" serve --dir "$root" --status
like "what was saved" "$root/run +4 saves, the last of step 24 snap1:[0-9a-f]{16}, 1 in memory" \
    "$(cat "$work/out")"
exits 0 "as JSON" "$SNAP" serve --dir "$root" --status --json
json_is_valid "its document is valid" serve
same "the last hash" "$(json "$root/run/latest" 'd["snapshot"]')" \
    "$(json "$work/out" 'd["result"]["status"]["runs"][0]["hash"]')"

fails 3 "a second agent" "another agent serves it" "$SNAP" serve --dir "$root"
fails 3 "a folder that is not there" "cannot be found" "$SNAP" serve --dir "$work/nowhere"
fails 2 "a size that is none" "--memory: 'much'" "$SNAP" serve --dir "$root" --memory much

# ---- options that say nothing without another, or beside --status ----
fails 2 "a token and no port" "--token-file: it goes with --listen" \
    "$SNAP" serve --dir "$root" --token-file "$work/token"
fails 2 "a time for uploads and no store" "--push-wait: it goes with --push" \
    "$SNAP" serve --dir "$root" --push-wait 0
for option in "listen 0" "token-file token" "memory 1G" "copies 0" "jobs 1" "threads 1" "last 0" \
    "every 0" "best loss" "most loss" "push store" "push-wait 0"; do
    # shellcheck disable=SC2086 # the option and its value
    fails 2 "--status and --$option" "--${option% *}: with --status nothing is served" \
        "$SNAP" serve --dir "$root" --status --$option
done

# ---- the last snapshot is in memory: it is taken from there ----
cp "$(snapshot "$root/run" 24)" "$work/whole"
flip_byte "$(snapshot "$root/run" 24)" 20000
exits 5 "a damaged snapshot is damaged" "$SNAP" verify "$(snapshot "$root/run" 24)"
exits 0 "a restore from memory does not meet it" "$SNAP" restore "$root/run"
same "and says that it is one" 1 "$(grep -c '"memory":true' "$root/run/events.jsonl")"
stop_agent TERM
same "SIGTERM ends the agent" 0 "$status"
same "its socket and its lock are gone" "run" "$(ls -A "$root")"
same "it had nothing to complain of" "" "$(cat "$work/agent.err")"
same "and its save makes that one anew" "" "$(cmp "$work/whole" "$(snapshot "$root/run" 24)" 2>&1)"
flip_byte "$(snapshot "$root/run" 24)" 20000
exits 5 "a restore without the agent meets it" "$SNAP" restore "$root/run"

# ---- without an agent, or with one that does not take the save, the training saves ----
exits 0 "no agent" "$SNAP" run "$work/config.json" --dir "$root/alone"
same "nobody is looked for in vain" "0 of 4, 0" "$(saves "$root/alone"), $(troubles "$root/alone")"
start_agent
stop_agent KILL
try "a killed agent leaves its socket" test -S "$root/.snap-agent.sock"
try "and its lock" test -f "$root/.snap-agent.lock"
exits 0 "an agent that was killed before" "$SNAP" run "$work/config.json" --dir "$root/killed"
same "the training saves by itself" "0 of 4, 4" \
    "$(saves "$root/killed"), $(troubles "$root/killed")"
same "and says so once" 1 "$(grep -c 'the training saves by itself: agent .*refused' "$work/err")"
same "to the same ledger" "" "$(cmp "$work/plain/ledger.jsonl" "$root/killed/ledger.jsonl" 2>&1)"
start_agent --memory 20K
exits 0 "an agent with little memory" "$SNAP" run "$work/config.json" --dir "$root/large"
same "it takes nothing" "0 of 4, 4" "$(saves "$root/large"), $(troubles "$root/large")"
like "and why" "may hold 20480: give it more \(--memory\)" "$(cat "$work/err")"
exits 0 "a run elsewhere" env SNAP_AGENT="$root/.snap-agent.sock" \
    "$SNAP" run "$work/config.json" --dir "$work/elsewhere"
like "is not the agent's" "the agent serves the folders under $root alone" "$(cat "$work/err")"
make_config "$work/none.json" running.agent=false
exits 0 "a training that wants none" "$SNAP" run "$work/none.json" --dir "$root/none"
same "asks nobody" "0 of 4, 0" "$(saves "$root/none"), $(troubles "$root/none")"
stop_agent TERM

# A save takes some 85 KiB, and its archive 70 KiB: there is room for both, and no more.
start_agent --memory 170K
exits 0 "an agent with memory for a save and its archive" \
    "$SNAP" run "$work/config.json" --dir "$root/fits"
exits 0 "it is asked" "$SNAP" serve --dir "$root" --status --json
same "has the archive in memory, as large as the file is" \
    "[$(stat -c %s "$(snapshot "$root/fits" 24)")]" \
    "$(json "$work/out" '[c["bytes"] for c in d["result"]["status"]["runs"][0]["in_memory"]]')"
stop_agent TERM

# ---- an agent begins while another ends: the lock that it has opened is removed meanwhile ----
if strace -o /dev/null true 2>"$work/err"; then
    start_agent
    strace -o "$work/trace" -e trace=flock -e inject=flock:delay_enter=2000000 \
        "$SNAP" serve --dir "$root" >"$work/late.out" 2>&1 &
    tracer=$!
    late=
    while [ -z "$late" ] && kill -0 "$tracer" 2>/dev/null; do
        children=$(cat "/proc/$tracer/task/$tracer/children" 2>/dev/null)
        for pid in $children; do
            if readlink "/proc/$pid/fd"/* 2>/dev/null | grep -q '\.snap-agent\.lock$'; then
                late=$pid
            fi
        done
    done
    stop_agent TERM
    wait_for_lines "$work/late.out" 1 "$tracer"
    like "a lock that is there no more is none" "another agent serves it" "$(cat "$work/late.out")"
    kill -TERM "$late" 2>/dev/null
    wait "$tracer"
else
    skip "a lock that is there no more is none" "no process can be traced: $(head -1 "$work/err")"
fi

# ---- rules ----
start_agent --last 1
exits 0 "an agent that prunes" "$SNAP" run "$work/config.json" --dir "$root/pruned"
"$SNAP" list "$root/pruned" >"$work/list"
same "leaves the last one whole" 3 "$(grep -c 'withheld' "$work/list")"
exits 0 "the run goes on from it" "$SNAP" restore "$root/pruned"
stop_agent TERM

# ---- thin snapshots ----
start_agent
make_config "$work/thin.json" running.thin=2
"$SNAP" run "$work/thin.json" --dir "$work/thin" >/dev/null 2>&1
exits 0 "thin snapshots" "$SNAP" run "$work/thin.json" --dir "$root/thin"
same "are the agent's too" "4 of 4" "$(saves "$root/thin")"
for step in 6 12 18 24; do
    same "thin step $step is that without an agent" "" \
        "$(cmp "$(snapshot "$work/thin" "$step")" "$(snapshot "$root/thin" "$step")" 2>&1)"
done
exits 0 "and are gone on from" "$SNAP" restore "$root/thin"
stop_agent TERM

# ---- eight at once ----
# Each save takes some 85 KiB of staging memory and documents: two fit at a time.
limit=262144
start_agent --memory "$limit" --threads 1
pids=
for seed in 1 2 3 4 5 6 7 8; do
    make_config "$work/seed$seed.json" "training.seed=$seed" running.every=2
    "$SNAP" run "$work/seed$seed.json" --dir "$root/seed$seed" >"$work/seed$seed.out" 2>&1 &
    pids="$pids $!"
done
: >"$work/used"
while "$SNAP" serve --dir "$root" --status --json >"$work/out" 2>&1; do
    json "$work/out" 'd["result"]["status"]["memory_bytes"]' >>"$work/used"
    living=
    for pid in $pids; do
        if kill -0 "$pid" 2>/dev/null; then living=yes; fi
    done
    [ -n "$living" ] || break
done
for pid in $pids; do
    wait "$pid" || not_ok "training $pid ended well" "$(cat "$work"/seed?.out)"
done
for seed in 1 2 3 4 5 6 7 8; do
    same "all saves of training $seed" "12 of 12, 0" \
        "$(saves "$root/seed$seed"), $(troubles "$root/seed$seed")"
    exits 0 "training $seed is sound" "$SNAP" verify "$root/seed$seed"
done
try "the memory is within its limit" test "$(sort -n "$work/used" | tail -1)" -le "$limit"
try "and was looked at" test "$(sort -n "$work/used" | tail -1)" -gt 0
stop_agent TERM

# ---- another user's ----
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    mkdir "$work/theirs" && chmod 755 "$work"
    chown 65534:65534 "$work/theirs"
    setpriv --reuid 65534 --regid 65534 --clear-groups "$SNAP" serve --dir "$work/theirs" \
        >"$work/theirs.out" 2>&1 &
    agent=$!
    wait_for_lines "$work/theirs.out" 1 "$agent"
    if grep -q serving "$work/theirs.out"; then
        exits 0 "another user's agent" env SNAP_AGENT="$work/theirs/.snap-agent.sock" \
            "$SNAP" run "$work/config.json" --dir "$work/ours"
        like "is given nothing" "is another user's \(uid 65534\)" "$(cat "$work/err")"
    else
        skip "another user's agent is given nothing" "no program of that user runs here"
    fi
    kill "$agent"
    wait "$agent"
else
    note "that another user's agent is given nothing is tried by root alone"
fi

tap_done
