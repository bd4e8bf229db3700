#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trainings killed by SIGKILL at random moments, gone on with, and compared: the ledger, and the
state at the end, must be those of a training that nobody disturbed.

    test_kills.py [KILLS]

Each training is killed KILLS times; without an argument those of FEW are, 3 times each. KILL_SEED
is the seed of the moments, which is printed."""

import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402

EVERY = 5
# (training, epochs, workers, persistent workers, threads)
FEW = [
    ("cnn", 2, 2, False, 1), ("cnn", 3, 2, True, 1), ("gpt", 2, 0, False, 2),
    ("lstm", 3, 2, True, 2), ("bf16", 2, 2, False, 1), ("gan", 3, 0, False, 2),
    ("accumulation", 2, 2, True, 1),
]
TRAININGS = FEW + [
    ("cnn", 2, 0, False, 2), ("gpt", 2, 2, False, 1), ("lstm", 2, 0, False, 1),
    ("bf16", 2, 0, False, 2), ("gan", 2, 2, False, 1), ("accumulation", 2, 0, False, 2),
]


def child(name, folder, epochs, workers, persistent, threads):
    """The training, in a process of its own: from the beginning, or from where it was killed."""
    import snapstate
    import training_programs
    program = training_programs.build(name, workers, persistent, threads)
    with snapstate.Run(folder, every=EVERY, state_every=2, read_back=False,
                       **program.objects) as run:
        for batch in run.batches(epochs=epochs):
            loss = program.train(batch)
            run.step(loss=loss)
        (Path(folder) / "done").write_text(f"{run.run_hash()} {run.state_hash()}")


def start(*arguments):
    """A fork, in a process group of its own, so that its workers can be killed with it."""
    pid = os.fork()
    if pid:
        return pid
    os.setpgid(0, 0)
    status = 1
    try:
        child(*arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(pid, seconds=None):
    """The exit status; None: still running when the time was over."""
    end = None if seconds is None else time.monotonic() + seconds
    while end is None or time.monotonic() < end:
        done, status = os.waitpid(pid, 0 if end is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    return None


def kill(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)  # it had not made its group yet
    os.waitpid(pid, 0)


def results(folder):
    return ((folder / "ledger.jsonl").read_bytes(), (folder / "done").read_text())


def try_training(tap, training, kills, moments, work):
    name, epochs, workers, persistent, threads = training
    label = f"{name}, {workers}{' persistent' if persistent else ''} workers, {threads} threads"
    whole, disturbed = work / "whole", work / "disturbed"
    for folder in (whole, disturbed):
        shutil.rmtree(folder, ignore_errors=True)
    began = time.monotonic()
    if not tap.ok(wait(start(name, whole, *training[1:])) == 0, f"{label}: undisturbed"):
        return
    duration = time.monotonic() - began
    killed = 0
    while killed < kills:
        pid = start(name, disturbed, *training[1:])
        status = wait(pid, moments.uniform(0, duration))
        if status is None:
            kill(pid)
            killed += 1
        elif status == 0:  # it came to its end before: begin again
            if results(disturbed) != results(whole):
                break
            shutil.rmtree(disturbed)
        else:
            break
    status = wait(start(name, disturbed, *training[1:]))
    if tap.ok(status == 0, f"{label}: goes on after {killed} kills"):
        tap.ok(results(disturbed) == results(whole),
               f"{label}: ledger and state are those of the undisturbed training")


def main():
    trainings, kills = (TRAININGS, int(sys.argv[1])) if sys.argv[1:] else (FEW, 3)
    tap = Tap()
    data = os.environ.get("SNAP_TEST_DATA")
    if not data or not os.path.isdir(os.path.join(data, "data", "mnist")):
        if os.environ.get("SNAP_CI") == "1":
            tap.ok(False, "MNIST and text are in SNAP_TEST_DATA")
        else:
            tap.skip("trainings that are killed", "SNAP_TEST_DATA has no MNIST and text")
        return tap.done()
    try:
        import torch  # noqa: F401 - before the forks, which then start at once
    except ImportError:
        tap.skip("trainings that are killed", "torch is not installed")
        return tap.done()
    import snapstate  # noqa: F401
    import snapstate.run  # noqa: F401
    import training_programs  # noqa: F401
    seed = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"# KILL_SEED={seed}", flush=True)
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as work:
        for training in trainings:
            try_training(tap, training, kills, moments, Path(work))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
