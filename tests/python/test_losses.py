#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each way in which other programs lose a stream or a place, tried on a run: it is caught, by
name."""

import contextlib
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402

try:
    import numpy as np
    import torch
    from torch.utils.data import DataLoader, TensorDataset
except ImportError:
    torch = None

import snapstate  # noqa: E402


class Training:
    """A tiny one: dropout, shuffling, NumPy noise on the batches."""

    def __init__(self, folder, threads=1, **options):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        np.random.seed(2)
        random.seed(3)
        self.model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(), torch.nn.ReLU(),
                                         torch.nn.Linear(8, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.05, momentum=0.9)
        data = TensorDataset(torch.arange(96.0).reshape(24, 4) / 96)
        self.loader = DataLoader(data, batch_size=4, shuffle=True)
        self.run = snapstate.Run(folder, model=self.model, optimizer=self.optimizer,
                                 loader=self.loader, every=3, state_every=1, read_back=False,
                                 **options)

    def step(self, batch):
        self.optimizer.zero_grad()
        noise = torch.from_numpy(np.random.rand(*batch[0].shape)).float()
        loss = self.model(batch[0] + 0.1 * noise).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        self.run.step(loss=loss)

    def train(self, steps):
        with self.run:
            for batch in self.run.batches(steps=steps):
                self.step(batch)


@contextlib.contextmanager
def raises(tap, kind, fragments, name):
    """One test point: `kind` is raised, with every fragment in its text."""
    try:
        yield
    except kind as problem:
        text = str(problem)
        tap.ok(all(fragment in text for fragment in fragments), name, text, *fragments)
    except BaseException as problem:  # noqa: B902
        tap.ok(False, name, f"{type(problem).__name__}: {problem}")
    else:
        tap.ok(False, name, "nothing was raised")


def begun(work, name, steps=4):
    """A folder with a run that stopped behind its snapshot of step 3."""
    folder = work / name
    training = Training(folder)
    batches = training.run.batches(steps=9)
    for _ in range(steps):
        training.step(next(batches))
    batches.close()
    training.run.close()
    return folder


def draws(tap, work):
    folder = begun(work, "draw")
    for what, draw, told in [
            ("one torch.rand", lambda: torch.rand(1), "torch: is one 32-bit draw ahead"),
            ("one base seed", lambda: iter(DataLoader([1])),
             "is one 64-bit draw ahead: `iter(Data"),
            ("random.random()", random.random, "python: is one 64-bit draw ahead"),
            ("np.random.rand(3)", lambda: np.random.rand(3), "numpy: is 6 draws"),
            ("torch.manual_seed(0)", lambda: torch.manual_seed(0), "torch")]:
        training = Training(folder)
        training.run.restore()
        with raises(tap, snapstate.DiffersError, ["between the restore and the first step", told],
                    f"{what} between restore and first step is named"):
            draw()
            training.train(9)
    training = Training(folder)
    with training.run:
        receipt = training.run.restore()
        tap.ok(receipt.exact and receipt.step == 3, "without a draw it goes on", str(receipt))
        for batch in training.run.batches(steps=9):
            training.step(batch)


def loaders(tap, work):
    folder = begun(work, "early")
    training = Training(folder)
    training.run.restore()
    with raises(tap, snapstate.DiffersError, ["torch"],
                "a loader that is begun by hand after the restore is noticed"):
        next(iter(training.loader))
        training.train(9)
    folder = begun(work, "skip")
    training = Training(folder)
    with raises(tap, snapstate.DiffersError, ["step 4", "order"],
                "a skipped batch is noticed at its step"):
        for number, batch in enumerate(training.run.batches(steps=9)):
            if number != 0:
                training.step(batch)
    training.run.close()


def generators(tap, work):
    numpy_generator = np.random.default_rng(5)
    model = torch.nn.Linear(1, 1)
    model.noise = numpy_generator
    path = work / "second.snap.tar"
    snapstate.save(path, model=model, read_back=False)
    with snapstate.Archive(path) as archive:
        told = [gap for gap in archive.coverage["not_captured"] if "noise" in gap["name"]]
        tap.ok(told and "register" in told[0]["reason"],
               "a second NumPy generator that nobody registered is in the coverage statement",
               archive.coverage)
    snapstate.save(path, model=model, streams={"noise": numpy_generator}, read_back=False)
    wanted = numpy_generator.random(5).tolist()
    numpy_generator.integers(10, size=7)
    snapstate.restore(path, model=model, streams={"noise": numpy_generator})
    tap.ok(numpy_generator.random(5).tolist() == wanted, "and given as a stream it is restored")
    with raises(tap, snapstate.AbsentError, ["noise"],
                "a restore without that stream is refused under exact"):
        snapstate.restore(path, model=model)


def others(tap, work):
    mine, theirs = begun(work, "rank0"), work / "rank1"
    training = Training(theirs)
    torch.manual_seed(99)
    training.train(3)
    snapshot = "snapshots/step-0000000003.snap.tar"
    shutil.copy(theirs / snapshot, mine / snapshot)
    with raises(tap, snapstate.SnapError, ["latest"],
                "a snapshot of another rank in this one's folder is refused"):
        Training(mine).train(9)
    shutil.copy(theirs / "latest", mine / "latest")
    training = Training(mine)
    with raises(tap, snapstate.SnapError, ["run"], "with its `latest` too"):
        training.train(9)


def surroundings(tap, work):
    folder = begun(work, "threads")
    training = Training(folder, threads=2)
    with raises(tap, snapstate.AbsentError, ["binding", "flags"],
                "another number of threads is no exact restore"):
        training.train(9)
    training.run.close()
    version, torch.__version__ = torch.__version__, "9.9.9"
    try:
        training = Training(folder)
        with raises(tap, snapstate.AbsentError, ["torch is"],
                    "another torch is no exact restore"):
            training.train(9)
        training.run.close()
        fresh = Training(work / "newer", archive=folder / "snapshots/step-0000000003.snap.tar",
                         require="streams")
        with fresh.run:
            receipt = fresh.run.restore()
            tap.ok(receipt.tier == "streams" and any("torch" in reason for reason in
                                                     receipt.reasons),
                   "into a new folder it is restored at the tier streams, and says why",
                   str(receipt))
    finally:
        torch.__version__ = version
    from snapstate import environment
    in_use, environment.cuda_in_use = environment.cuda_in_use, lambda _torch: True
    torch.backends.cudnn.benchmark = True
    try:
        with raises(tap, snapstate.UnsupportedError,
                    ["cudnn.benchmark", "torch.backends.cudnn.benchmark = False"],
                    "autotuning is refused, with the line to change"):
            Training(work / "tuned")
    finally:
        torch.backends.cudnn.benchmark = False
        environment.cuda_in_use = in_use


def from_one_archive(tap, work):
    """A run that begins from an archive that save() made."""
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout())
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.5)
    snapstate.save(work / "one.snap.tar", model=model, optimizer=optimizer, step=7,
                   read_back=False)
    wanted = torch.rand(4)
    torch.rand(9)
    with snapstate.Run(work / "from-one", model=model, optimizer=optimizer, require="streams",
                       archive=work / "one.snap.tar", read_back=False) as run:
        receipt = run.restore()
        tap.ok(receipt.complete and run.steps_done == 7 and torch.equal(torch.rand(4), wanted),
               "a run begins from an archive that is no run's", receipt)


def main():
    tap = Tap()
    if torch is None:
        tap.skip("ways to lose a stream", "torch is not installed")
        return tap.done()
    os.environ.pop("PYTHONHASHSEED", None)
    with tempfile.TemporaryDirectory() as folder:
        for part in (draws, loaders, generators, others, surroundings, from_one_archive):
            try:
                part(tap, Path(folder))
            except snapstate.SnapError as problem:
                tap.ok(False, part.__name__, f"{type(problem).__name__}: {problem}")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
