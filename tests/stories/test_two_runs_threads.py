#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two trainings in PyTorch that should be one, and are not: the second had two threads. Under the
profile torch-1 that is part of the environment, and `snap bisect` says so; a program's own steps it
does not make again. A third has another learning rate, which shows in its numbers."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402

SNAP = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))

PROGRAM = """
import sys, torch, snapstate
torch.set_num_threads(int(sys.argv[2]))
snapstate.seed_all(5)
model = torch.nn.Linear(16, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=float(sys.argv[3]))
data = torch.utils.data.TensorDataset(torch.randn(64, 16), torch.randint(0, 4, (64,)))
loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True)
run = snapstate.Run(sys.argv[1], model=model, optimizer=optimizer, loader=loader, every=4,
                    state_every=1)
for inputs, labels in run.batches(epochs=3):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(inputs), labels)
    loss.backward()
    optimizer.step()
    run.step(loss=loss)
run.close()
"""


def train(folder, threads, rate="0.1"):
    path = os.pathsep.join(filter(None, [str(TOP / "python"), os.environ.get("PYTHONPATH")]))
    subprocess.run([sys.executable, "-c", PROGRAM, str(folder), str(threads), rate], check=True,
                   env={**os.environ, "PYTHONPATH": path})


def bisect(left, right, *options):
    done = subprocess.run([SNAP, "bisect", str(left), str(right), *options], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    return done.returncode, done.stdout


def story(tap, work):
    train(work / "one", 1)
    train(work / "again", 1)
    train(work / "two", 2)
    train(work / "faster", 1, "0.2")

    code, text = bisect(work / "one", work / "again")
    tap.ok(code == 0 and "nothing differs" in text, "the same training twice is one run", text)

    code, text = bisect(work / "one", work / "two")
    tap.ok(code == 1 and "environment: binding." in text and
           "threads is 1 in run A and 2 in run B" in text,
           "another number of threads is told apart, as environment", text)
    code, text = bisect(work / "one", work / "two", "--json")
    result = json.loads(text)["result"]
    tap.ok([(key["left"], key["right"]) for key in result["keys"]] == [("1", "2")] and
           result["kind"] == "environment", "nothing else of the environment is", text)

    code, text = bisect(work / "one", work / "faster")
    tap.ok(code == 1 and "not again" in text, "a program's own steps are not made again", text)


def main():
    tap = Tap()
    try:
        import torch  # noqa: F401  pylint: disable=import-outside-toplevel,unused-import
    except ImportError as problem:
        tap.skip("two runs of two thread counts", f"python3-torch is not installed: {problem}")
        return tap.done()
    with tempfile.TemporaryDirectory(prefix="snap-story.") as folder:
        story(tap, Path(folder))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
