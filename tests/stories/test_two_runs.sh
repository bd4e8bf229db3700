#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two trainings that should be one, and are not. In the second something happened in hiding: one
# draw more, another order of the data, one bit of a weight, of a moment, of a gradient. Each is
# told apart by when, where and why. (Another number of threads: test_two_runs_threads.py.)
set -u
# shellcheck source=tests/support/tap.sh
. "${top_srcdir:?}/tests/support/tap.sh"
# shellcheck source=tests/cli/fixture.sh
. "$top_srcdir/tests/cli/fixture.sh"
# shellcheck source=tests/stories/paper.sh
. "$top_srcdir/tests/stories/paper.sh"

train() { # CONFIG NAME FAULT STEP
    "${top_builddir:?}/tests/faulty_run" "$work/$1.json" "$work/$2" 100 "$3" "$4" ||
        note "$2 was not trained"
}
# One point more for the last command: nothing but this kind.
kind() { # NAME KIND A B
    capture "$SNAP" bisect "$3" "$4" --json
    if problem=$("$PYTHON" "$top_srcdir/tests/schema/validate.py" cmd-bisect "$work/out" 2>&1); then
        same "$1" "$2" "$(json "$work/out" "d['result']['kind']")"
    else
        not_ok "$1" "$problem"
    fi
}
apart() { # NAME KIND SENTENCE B [SENTENCE...]
    apart_name=$1
    apart_kind=$2
    apart_run=$4
    says 1 "$apart_name" "$3" "$SNAP" bisect "$base" "$apart_run"
    shift 4
    for sentence; do
        says 1 "$apart_name: $sentence" "$sentence" "$SNAP" bisect "$base" "$apart_run"
    done
    kind "$apart_name: $apart_kind" "$apart_kind" "$base" "$apart_run"
}

# ---- with the state's digest in every line, snapshots every 20 steps ----

make_config "$work/digests.json" training.epochs=9 running.every=20
base=$work/base
train digests base none 0
train digests twin none 0
says 0 "the same training twice" "nothing differs" "$SNAP" bisect "$base" "$work/twin"

train digests draw draw 60
apart "one draw more of NumPy's stream at step 60" stream \
    "stream numpy: by the draws of step 60: run B is 1 word of 32 bits ahead" "$work/draw" \
    "run B's own ledger is not what its state at step 40 makes: the steps up to 59 come out as"
same "by how much, as a number" "{'name': 'numpy', 'words': 1}" \
    "$(json "$work/out" "d['result']['stream']")"

train digests order order 60
apart "another order from step 60 on" data \
    "data: step 60 takes other samples, or in another order: host.samples is" "$work/order" \
    "come out as recorded, step 60 as run A's"

train digests weight weight 90
apart "one bit of a weight after step 90" weights \
    "weights: batch, streams, loss and gradient norm of step 90 are equal, and the state after" \
    "$work/weight" "step 90 as run A's: weights changed in the update of step 90, or after it"
train digests moment moment 90
apart "one bit of a moment after step 90" optimizer \
    "optimizer: batch, streams, loss and gradient norm of step 90 are equal" "$work/moment" \
    "the optimizer's state changed in the update of step 90, or after it"
train digests gradient gradient 90
apart "one bit of a gradient in step 90" weights \
    "weights: batch, streams, loss and gradient norm of step 90 are equal" "$work/gradient"
says 1 "the other way round it is run A's" "run A's own ledger is not what its state at step 80" \
    "$SNAP" bisect "$work/weight" "$base"

# ---- without digests in the lines: the loss of the next step shows it ----

make_config "$work/plain.json" training.epochs=9 running.every=20 \
    'training.ledger={"state_every": 0, "batch_bytes": false}'
base=$work/plain
train plain plain none 0
train plain later weight 90
apart "one bit of a weight after step 90, seen by the loss" weights \
    "weights: batch, schedule and streams of step 91 are equal, and its loss is not" \
    "$work/later" "the steps up to 90 come out as recorded, step 91 as run A's" \
    "weights changed between steps 90 and 91"

# At a step whose snapshot was made: the tensor, the element, and what it did first.
train plain saved weight 80
apart "one bit of a weight, and a snapshot of it" weights \
    "in the snapshot of step 80, after equal ledger lines, model/fc1.bias: 1 of 10 elements" \
    "$work/saved" \
    "run B's own snapshot is not what its state at step 60 makes" \
    "weights changed between steps, after the ledger line of step 80 and before its snapshot" \
    "the step after it is what that changed state makes" \
    "the first whose results differ, in step 81" "matmul, forward of fc1: out [128, 10]"
same "two stretches: to the snapshot, and one step from it" "[(60, 81), (80, 81)]" \
    "$(json "$work/out" "[(s['first'], s['last']) for s in d['result']['stretches']]")"
train plain momentum moment 80
apart "one bit of a moment, and a snapshot of it" optimizer \
    "optimizer/momentum_buffer.fc1.bias: 1 of 10 elements differ" "$work/momentum" \
    "sgd, update of fc1.bias: velocity [10]"

# ---- what it costs: by halving, and two stretches at most ----

make_config "$work/often.json" training.epochs=9 running.every=1
base=$work/often
train often often none 0
train often moved draw 37
apart "one draw more, snapshots at every step" stream "by the draws of step 37" "$work/moved"
same "of 100 snapshots six are looked at, and one step is made again" "100 6 [(36, 37)]" \
    "$(json "$work/out" "'%d %d %s' % (d['result']['snapshots']['common'], \
        d['result']['snapshots']['opened'], \
        [(s['first'], s['last']) for s in d['result']['stretches']])")"

tap_done
