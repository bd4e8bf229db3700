#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trainings of 1, 3 and 4 processes in DistributedDataParallel, of which one is killed at numbered
steps, gone on with: ledger, states and snapshots are those of trainings that nobody disturbed. And
they are not when the pass after the restore is not made.

    RANKS_SEED is the seed of the steps, which is printed."""

import os
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from ranks_launcher import launch, torchrun  # noqa: E402
from tap import Tap  # noqa: E402

EXAMPLE = TOP / "examples" / "train_ddp.py"
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


def by_torchrun(tap, work, data):
    """The example, under torchrun, which ends the others when one is killed."""
    files = [data / "t10k-images-idx3-ubyte.gz", data / "t10k-labels-idx1-ubyte.gz"]
    status, whole = torchrun(3, EXAMPLE, work / "whole", *files)
    tap.ok(status == 0 and "a fresh run" in whole, "the example, under torchrun", whole)
    status, text = torchrun(3, EXAMPLE, work / "killed", *files, DIE_AT="17")
    tap.ok(status == 1 and latest(work / "killed") == 10, "rank 1 killed at step 17", status, text)
    status, text = torchrun(3, EXAMPLE, work / "killed", *files)
    tap.ok(status == 0 and "tier: exact" in text, "it goes on, with an exact receipt", text)
    hashes = [re.findall("run1:[0-9a-f]{64}", output) for output in (whole, text)]
    tap.ok(hashes[0] == hashes[1] and len(hashes[0]) == 1,
           "and ends with the run hash of the undisturbed one", hashes)


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
        data = os.environ.get("SNAP_TEST_DATA")
        if data and (Path(data) / "data/mnist").is_dir():
            by_torchrun(tap, work / "example", Path(data) / "data/mnist")
        elif os.environ.get("SNAP_CI") == "1":
            tap.ok(False, "MNIST is in SNAP_TEST_DATA")
        else:
            tap.skip("the example for torchrun", "SNAP_TEST_DATA has no MNIST")
        options = {"accumulate": 2, "workers": 2}
        whole = whole_of(tap, work, 3, **options)
        if whole is not None:
            disturbed(tap, work, 3, 6, whole, **options)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
