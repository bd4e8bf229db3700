#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""People who train with NumPy alone: no torch is there. save and restore, and a run that is killed
and goes on, of arrays in dicts and lists and a Generator."""

import os
import random
import signal
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

sys.modules["torch"] = None
try:
    import numpy as np
except ImportError:
    np = None

import snapstate  # noqa: E402

STEPS, EVERY, KILLED_IN = 10, 3, 8


class Regression:
    """Momentum by hand; noise of the Generator, of NumPy's global stream, and of Python."""

    def __init__(self, seed):
        self.generator = np.random.default_rng(1)
        self.generator.random(seed)
        np.random.seed(seed)
        random.seed(seed)
        self.model = {"w": self.generator.random((4, 3)), "b": np.zeros(3, np.float32)}
        self.values = {"momenta": [np.zeros((4, 3)), np.zeros(3)], "steps": 0, "rate": 0.1,
                       "losses": [], "betas": (0.9, 0.99), "rows": self.model["w"][1:3]}
        self.objects = {"model": self.model, "values": self.values,
                        "streams": {"noise": self.generator}}

    def step(self):
        values, momenta = self.values, self.values["momenta"]
        x = self.generator.random((5, 4)) + np.random.rand() + random.random()
        error = x @ self.model["w"] + self.model["b"] - 1
        momenta[0] *= values["betas"][0]
        momenta[0] += x.T @ error / 5
        momenta[1] = momenta[1] * values["betas"][0] + error.mean(0)  # another array each time
        self.model["w"] -= values["rate"] * momenta[0]
        self.model["b"] -= (values["rate"] * momenta[1]).astype(np.float32)
        values["rows"] *= 0.999
        values["steps"] += 1
        values["rate"] *= 0.99
        values["losses"] = [*values["losses"], float((error ** 2).mean())][-3:]
        return values["losses"][-1]

    def seen(self):
        return [self.model["w"].tobytes(), self.model["b"].tobytes(), values_seen(self.values)]


def values_seen(value):
    if isinstance(value, dict):
        return {key: values_seen(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [values_seen(item) for item in value]
    return value.tobytes() if isinstance(value, np.ndarray) else repr(value)


def one_archive(tap, work):
    path = work / "numpy.snap.tar"
    first = Regression(1)
    for _ in range(4):
        first.step()
    snapstate.save(path, read_back=False, **first.objects)
    wanted = [(first.step(), first.seen()) for _ in range(3)]
    second = Regression(2)
    second.step()
    held = [second.model["w"], second.values["momenta"][0], second.values["momenta"]]
    receipt = snapstate.restore(path, **second.objects)
    tap.ok([(second.step(), second.seen()) for _ in range(3)] == wanted and receipt.complete,
           "the steps behind a restore are the same", receipt)
    tap.ok(held[0] is second.model["w"] and held[1] is second.values["momenta"][0] and
           held[2] is second.values["momenta"] and
           np.shares_memory(second.values["rows"], second.model["w"]),
           "in place, and shared memory is shared")
    before = second.seen()
    second.objects["model"]["w"] = np.zeros((4, 3), np.float32)
    before = second.seen()
    snapstate.restore(path, **second.objects)
    tap.ok(second.model["w"].dtype == np.float64 and second.seen() != before and
           np.shares_memory(second.values["rows"], second.model["w"]),
           "an array of another dtype is replaced, and still shares its memory")
    fails(tap, snapstate.AbsentError, "noise", "without its Generator", snapstate.restore, path,
          model=second.model, values=second.values)
    fails(tap, snapstate.AbsentError, "values", "without its values", snapstate.restore, path,
          model=second.model, streams=second.objects["streams"])
    receipt = snapstate.restore(path, model=second.model, require="weights")
    tap.ok(receipt.tier == "weights", "the weights alone", receipt)


def run(folder, seed, killed_in=None):
    training = Regression(seed)
    with snapstate.Run(folder, every=EVERY, state_every=1, read_back=False,
                       **training.objects) as whole:
        for number in whole.steps(STEPS):
            loss = training.step()
            if number == killed_in:
                whole.wait()
                os.kill(os.getpid(), signal.SIGKILL)
            whole.run_hash()
            whole.step(loss=loss)
        return whole.run_hash(), whole.state_hash(), whole.receipt


def killed(tap, work):
    wanted = run(work / "whole", 1)
    child = os.fork()
    if child == 0:
        run(work / "killed", 1, KILLED_IN)
        os._exit(1)
    status = os.waitpid(child, 0)[1]
    tap.ok(os.WIFSIGNALED(status), f"a run is killed in step {KILLED_IN}")
    got = run(work / "killed", 5)
    tap.ok(got[:2] == wanted[:2] and got[2] is not None and got[2].exact and got[2].step == 6,
           "it goes on, and its hashes are those of the run that was never killed", got, wanted)


def main():
    tap = Tap()
    if np is None:
        tap.skip("states of NumPy", "NumPy is not installed")
        return tap.done()
    with tempfile.TemporaryDirectory() as name:
        for part in (one_archive, killed):
            part(tap, Path(name))
    tap.ok(sys.modules["torch"] is None, "torch was never imported")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
