#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trainings of 1, 3 and 4 processes in DistributedDataParallel, of which one is killed at numbered
steps, gone on with: ledger, states and snapshots are those of trainings that nobody disturbed. And
they are not when the pass after the restore is not made.

    RANKS_SEED is the seed of the steps, which is printed."""

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from ranks_launcher import launch, torchrun  # noqa: E402
from tap import Tap  # noqa: E402

PROGRAM = TOP / "tests" / "python" / "ranks_program.py"
STEPS = {1: 48, 3: 16, 4: 12}  # as ranks_program has them


def results(folder, world):
    """Everything that must be equal."""
    snapshots = sorted((folder / "snapshots").iterdir())
    return ([path.name for path in snapshots], snapshots[-1].read_bytes(),
            (folder / "ledger.jsonl").read_bytes(),
            [(folder / f"done-{rank}").read_text() for rank in range(world)])


def whole_of(tap, work, world, **options):
    """What an undisturbed training comes to, or None."""
    from ranks_program import train
    folder = work / "whole"
    shutil.rmtree(folder, ignore_errors=True)
    statuses, text = launch(work, world, train, folder, **options)
    if not tap.ok(statuses == [0] * world, f"{world} ranks, {options}: undisturbed", text):
        return None
    return results(folder, world)


def latest(folder):
    """The step of the snapshot that `latest` names, when that is intact; or None."""
    import snapstate
    verdict = snapstate.verify(folder)
    if not verdict or not (folder / "latest").exists():
        return None
    return int((folder / "latest").read_text().split("step-")[1][:10])


def killed(tap, work, world, step, label, **options):
    """The folder of a run that was killed before that step, after it was checked."""
    from ranks_program import EVERY, train
    folder = work / "disturbed"
    shutil.rmtree(folder, ignore_errors=True)
    statuses, text = launch(work, world, train, folder, step, **options)
    last = (step - 1) // EVERY * EVERY
    tap.ok(-9 in statuses and 0 not in statuses and latest(folder) == last,
           f"{label}: killed before step {step}, step {last} is there, whole", statuses, text)
    return folder


def disturbed(tap, work, world, step, whole, **options):
    """Killed before a step, gone on with; and gone on with as if no pass were needed."""
    from ranks_program import train
    label = f"{world} ranks, {options}"
    folder, copy = killed(tap, work, world, step, label, **options), work / "without"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    statuses, text = launch(work, world, train, folder, **options)
    tap.ok(statuses == [0] * world and "receipt exact" in text, f"{label}: goes on", text)
    tap.ok(results(folder, world) == whole, f"{label}: bit for bit as undisturbed")
    if world == 1 or options:
        return
    statuses, text = launch(work, world, train, copy, thrown_away=False)
    tap.ok(0 not in statuses and "DiffersError" in text and "state differs" in text,
           f"{label}: without the pass that is thrown away the first step differs", statuses, text)


def by_torchrun(tap, work, whole):
    """The same under torchrun, which ends the others when one is killed."""
    folder = work / "torchrun"
    status, text = torchrun(3, PROGRAM, folder, 8)
    tap.ok(status == 1 and latest(folder) == 6, "torchrun: killed before step 8", status, text)
    status, text = torchrun(3, PROGRAM, folder)
    tap.ok(status == 0 and "receipt exact" in text, "torchrun: goes on", text)
    tap.ok(results(folder, 3) == whole, "torchrun: bit for bit as undisturbed")


def main():
    tap = Tap()
    try:
        import torch
        from ranks_program import EVERY  # before the forks, which then start at once
    except ImportError:
        tap.skip("trainings of several processes", "torch is not installed")
        return tap.done()
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        tap.skip("trainings of several processes", "this torch has no gloo")
        return tap.done()
    seed = int(os.environ.get("RANKS_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"# RANKS_SEED={seed}")
    steps = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for world, last in STEPS.items():
            # Between two snapshots, behind the first: lines are made again, and must be the same.
            step = steps.choice([step for step in range(EVERY + 2, last) if step % EVERY != 1])
            whole = whole_of(tap, work, world)
            if whole is not None:
                disturbed(tap, work, world, step, whole)
            if whole is not None and world == 3:
                by_torchrun(tap, work, whole)
        options = {"accumulate": 2, "workers": 2}
        whole = whole_of(tap, work, 3, **options)
        if whole is not None:
            disturbed(tap, work, 3, 6, whole, **options)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
