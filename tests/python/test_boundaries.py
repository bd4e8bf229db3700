#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Killed at the edges of an epoch, with a snapshot of that very step: behind the first batch,
before the last, behind the last, behind the first of the next epoch, and before anything was
done."""

import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402

try:
    import numpy as np
    import torch
    from torch.utils.data import DataLoader, Dataset
except ImportError:
    torch = None
    Dataset = object

BATCHES, EPOCHS = 6, 3


class Noisy(Dataset):
    """Every item draws from all three libraries, in whatever process it is made."""

    def __len__(self):
        return 4 * BATCHES

    def __getitem__(self, index):
        return torch.tensor([index / 24, random.random(), np.random.rand(), torch.rand(()).item()])


def train(folder, workers, persistent, kill_at):
    """`kill_at`: the number of steps behind which the process kills itself; None: never."""
    import snapstate
    torch.set_num_threads(1)
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Dropout(0.3), torch.nn.Linear(6, 1))
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    loader = DataLoader(Noisy(), batch_size=4, shuffle=True, num_workers=workers,
                        persistent_workers=persistent)
    with snapstate.Run(folder, model=model, optimizer=optimizer, scheduler=scheduler, loader=loader,
                       every=1, state_every=1, read_back=False) as run:
        for batch in run.batches(epochs=EPOCHS):
            if run.steps_done == kill_at:  # and this batch was handed out
                run.wait()
                os.kill(os.getpid(), signal.SIGKILL)
            optimizer.zero_grad()
            loss = model(batch).pow(2).mean()
            loss.backward()
            optimizer.step()
            scheduler.step()
            run.step(loss=loss)
        (Path(folder) / "done").write_text(f"{run.run_hash()} {run.state_hash()}")


def in_child(*arguments):
    """The exit status of a training in a process of its own; its workers die with it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            train(*arguments)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def results(folder):
    return (folder / "ledger.jsonl").read_bytes(), (folder / "done").read_text()


def main():
    tap = Tap()
    if torch is None:
        tap.skip("edges of an epoch", "torch is not installed")
        return tap.done()
    import snapstate.run  # noqa: F401 - before the forks
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for workers, persistent in [(0, False), (2, False), (2, True)]:
            label = f"{workers}{' persistent' if persistent else ''} workers"
            whole = work / f"whole-{workers}-{persistent}"
            tap.ok(in_child(whole, workers, persistent, None) == 0, f"{label}: undisturbed")
            for kill_at in [0, 1, BATCHES - 1, BATCHES, BATCHES + 1, 2 * BATCHES]:
                folder = work / "killed"
                shutil.rmtree(folder, ignore_errors=True)
                killed = in_child(folder, workers, persistent, kill_at)
                again = in_child(folder, workers, persistent, None)
                tap.ok(killed == -signal.SIGKILL and again == 0 and
                       results(folder) == results(whole),
                       f"{label}: killed behind step {kill_at}", killed, again)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
