#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`Sidecar` beside plain torch.save goes on as exactly as `Run`; files and what was loaded are
compared."""

import os
import re
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import torch
    from torch.utils.data import DataLoader, TensorDataset
except ImportError:
    torch = None

import snapstate  # noqa: E402

EVERY = 4


class Training:
    def __init__(self):
        torch.set_num_threads(1)
        torch.manual_seed(2)
        self.model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Dropout(0.4),
                                         torch.nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.02)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 5, 0.5)
        data = TensorDataset(torch.rand(36, 5, generator=torch.Generator().manual_seed(4)))
        self.objects = {"model": self.model, "optimizer": self.optimizer,
                        "scheduler": self.scheduler,
                        "loader": DataLoader(data, batch_size=3, shuffle=True)}

    def parts(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def step(self, batch):
        self.optimizer.zero_grad()
        loss = self.model(batch[0]).pow(2).mean()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss

    def write(self, path):
        torch.save({name: part.state_dict() for name, part in self.parts().items()}, path)

    def read(self, path):
        for name, state in torch.load(path).items():
            self.parts()[name].load_state_dict(state)


def with_run(folder, steps):
    training = Training()
    with snapstate.Run(folder, every=EVERY, read_back=False, **training.objects) as run:
        for batch in run.batches(steps=steps):
            run.step(loss=training.step(batch))
        return run.run_hash()


def losses(folder):
    return [line.split('"loss":"')[1][:8] for line in
            (Path(folder) / "ledger.jsonl").read_text().splitlines()[1:]]


def with_sidecar(folder, steps, load=True, write=None):
    """Files are written by hand every EVERY steps, and the training stops behind `steps`."""
    training = Training()
    side = snapstate.Sidecar(folder, every=EVERY, read_back=False, **training.objects)
    with side:
        for path in side.latest() if load else []:
            training.read(path)
        for batch in side.batches(steps=steps):
            side.step(loss=training.step(batch))
            if side.due:
                path = Path(folder) / f"checkpoint-{side.steps_done}.pt"
                training.write(path)
                side.save([path])
        return side.receipt


def main():
    tap = Tap()
    if torch is None:
        tap.skip("a sidecar", "torch is not installed")
        return tap.done()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        with_run(work / "run", 20)
        tap.ok(with_sidecar(work / "side", 10) is None, "a fresh one")
        receipt = with_sidecar(work / "side", 20)
        tap.ok(receipt is not None and receipt.exact and receipt.step == 8,
               "goes on at its last save, exactly", receipt)
        tap.ok(losses(work / "side" / "snap") == losses(work / "run"),
               "with the losses of a run that nobody disturbed")
        with snapstate.Archive(
                work / "side/snap/snapshots/step-0000000008.snap.tar") as archive:
            told = {gap["name"]: gap["reason"] for gap in archive.coverage["not_captured"]}
            tap.ok("optimizer" in told and "files" in told["optimizer"],
                   "the coverage statement says what the files hold", told)
        fails(tap, snapstate.AbsentError, "what was loaded is not what was saved",
              "a load that was forgotten", lambda: with_sidecar(work / "side", 24, load=False))
        newest = max((work / "side").glob("*.pt"), key=os.path.getmtime)
        content = bytearray(newest.read_bytes())
        content[len(content) // 2] ^= 1
        newest.write_bytes(content)
        fails(tap, snapstate.CorruptError, re.escape(newest.name), "a file that changed",
              lambda: with_sidecar(work / "side", 24))
        newest.unlink()
        fails(tap, snapstate.AbsentError, re.escape(newest.name), "a file that is gone",
              lambda: with_sidecar(work / "side", 24))
        fails(tap, snapstate.InvalidError, "it is not in", "a file elsewhere", outside, work)
        paths(tap, work)
        own_writer(tap, work)
    return tap.done()


def outside(work):
    training = Training()
    with snapstate.Sidecar(work / "other", **training.objects) as side:
        for batch in side.batches(steps=1):
            side.step(loss=training.step(batch))
            side.save([__file__])


def paths(tap, work):
    """A folder that was given by a relative path, one path in the place of a list, a name that
    begins with dots; what is no list."""
    before = os.getcwd()
    try:
        os.chdir(work)
        training = Training()
        with snapstate.Sidecar("relative", read_back=False, **training.objects) as side:
            side.restore()
            os.chdir("/")
            file = work / "relative" / "..1.pt"
            for batch in side.batches(steps=1):
                side.step(loss=training.step(batch))
                training.write(file)
                side.save(str(file))
            tap.ok([os.path.realpath(path) for path in side.latest()] == [os.path.realpath(file)],
                   "a relative folder, one path, a name with dots", side.latest())
            fails(tap, snapstate.InvalidError, "a NoneType is no list of files", "no list",
                  snapstate.Sidecar._listed, None)
    finally:
        os.chdir(before)
    fails(tap, snapstate.EnvironmentFailure, "checkpoint folder: there is a file of that name",
          "a folder that is a file", snapstate.Sidecar, file)


def own_writer(tap, work):
    """With `write` saves come by themselves."""
    hashes = []
    for stops in ([16], [7, 16]):
        folder = work / f"writer{len(stops)}"
        for stop in stops:
            training = Training()

            def write(step):
                path = folder / f"{step}.pt"
                training.write(path)
                return [path]
            with snapstate.Sidecar(folder, every=EVERY, write=write, read_back=False,
                                   **training.objects) as side:
                for path in side.latest():
                    training.read(path)
                for batch in side.batches(steps=stop):
                    side.step(loss=training.step(batch))
                hashes.append(side.run_hash())
    tap.ok(hashes[0] == hashes[2], "a sidecar that writes by itself, stopped and gone on with",
           hashes)


if __name__ == "__main__":
    sys.exit(main())
