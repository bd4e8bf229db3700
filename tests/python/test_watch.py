#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`watch`: of two runs that differ in one thing, `snap diff` names the step and the first
tensor."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import torch
except ImportError:
    torch = None

import snapstate  # noqa: E402

SNAP = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))
STEPS = 12


class Summed(torch.nn.Module if torch is not None else object):
    """Adds its inputs' columns, from the left or from the right."""

    backwards = False

    def forward(self, x):
        columns = list(x.unbind(1))
        total = torch.zeros_like(columns[0])
        for column in reversed(columns) if self.backwards else columns:
            total = total + column
        return x * total[:, None]


def train(folder, change=None, every=1):
    torch.set_num_threads(1)
    torch.manual_seed(3)
    summed = Summed()
    model = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.Dropout(0.3), summed,
                                torch.nn.Tanh(), torch.nn.Linear(16, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    data = torch.rand(STEPS * 5, 6, generator=torch.Generator().manual_seed(1))
    with snapstate.watch(model, every=every, dir=folder, optimizer=optimizer) as watched:
        for step in range(1, STEPS + 1):
            batch = data[5 * (step - 1):5 * step].clone()
            if change == "draw" and step == 6:
                torch.rand(1)
            if change == "item" and step == 4:
                batch[2] = data[0]
            if change == "weight" and step == 9:
                model[4].weight.data.view(torch.int32)[1, 3] ^= 1
            summed.backwards = change == "order" and step >= 7
            optimizer.zero_grad()
            model(batch).pow(2).mean().backward()
            optimizer.step()
        return watched.run_hash()


def diff(left, right):
    done = subprocess.run([SNAP, "diff", str(left), str(right)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    return done.returncode, done.stdout


class Turned(torch.nn.Module if torch else object):
    """Gives a conjugate view, and has a sparse gradient."""

    def __init__(self):
        super().__init__()
        self.rows = torch.nn.Embedding(5, 3, sparse=True)

    def forward(self, index):
        return (self.rows(index) * 1j).conj()


def views(tap, work):
    """What is no plain view of memory is digested by its parts."""
    hashes = []
    for folder, index in (("left", [1, 2]), ("same", [1, 2]), ("right", [1, 3])):
        torch.manual_seed(1)
        model = Turned()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        with snapstate.watch([model], dir=work / folder, optimizer=optimizer) as watched:
            model(torch.tensor(index)).imag.sum().backward()
            optimizer.step()
            hashes.append(watched.run_hash())
        watched.close()
        line = (work / folder / "ledger.jsonl").read_text().splitlines()[1]
    tap.ok(hashes[0] == hashes[1] != hashes[2] and "rows.weight.indices" in line,
           "a sparse gradient and a conjugate output", line)
    fails(tap, snapstate.InvalidError, "watch: model: a int is no module", "no module",
          snapstate.watch, 3, dir=work / "none")


def main():
    tap = Tap()
    if torch is None:
        tap.skip("watching runs", "torch is not installed")
        return tap.done()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        first = train(work / "a")
        tap.ok(train(work / "again") == first, "two equal runs have one run hash")
        code, text = diff(work / "a", work / "again")
        tap.ok(code == 0 and "equal" in text, "and snap diff finds nothing", text)
        for change, told in [("draw", "step 6: output: float.tensors: output 1:"),
                             ("item", "step 4: output: float.tensors: output 0:"),
                             ("weight", "step 9: state: float.tensors: weight 4.weight:"),
                             ("order", "step 7: output: float.tensors: output 2:")]:
            train(work / change, change)
            code, text = diff(work / "a", work / change)
            tap.ok(code == 1 and told in text, f"one other {change}: the first tensor and its step",
                   text)
        found = snapstate.diff(work / "a", work / "order")
        tap.ok(len(found) >= 1 and "output 2" in found[0].text, "from Python too",
               [entry.text for entry in found])
        views(tap, work)
        train(work / "every", every=4)
        lines = (work / "every" / "ledger.jsonl").read_text().splitlines()[1:]
        tap.ok([index for index, line in enumerate(lines, 1) if '"tensors"' in line] == [4, 8, 12],
               "every=4: tensors stand in each fourth line")
        try:
            train(work / "a")
            tap.ok(False, "a folder with a run is refused")
        except snapstate.InvalidError as problem:
            tap.ok("holds a run already" in str(problem), "a folder with a run is refused", problem)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
