#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Loaders that are no DataLoader: a run gives the batches that a loop over them would have given,
in that order, and goes on in the middle."""

import collections.abc
import random
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

import snapstate  # noqa: E402

try:
    import numpy as np
except ImportError:
    np = None

BATCHES, EPOCHS = 5, 3


class Shuffled:
    """Has an index and a length, and an order of its own."""

    def __init__(self):
        self.batches = [10 * number for number in range(BATCHES)]

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]

    def __iter__(self):
        return iter(random.sample(self.batches, len(self.batches)))


class Kept(Shuffled):
    """The same, and keeps its place."""

    def __init__(self):
        super().__init__()
        self.order = []

    def __iter__(self):
        if not self.order:
            self.order = random.sample(self.batches, len(self.batches))
        while self.order:
            yield self.order.pop(0)

    def state_dict(self):
        return {"order": list(self.order)}

    def load_state_dict(self, state):
        self.order = state["order"]


class Indexed(collections.abc.Sequence):
    """Is gone through by its index, whatever it holds."""

    def __len__(self):
        return BATCHES

    def __getitem__(self, index):
        if not 0 <= index < BATCHES:
            raise IndexError(index)
        return 10 * index + random.random()


KINDS = {"a list": lambda: [10 * number for number in range(BATCHES)],
         "a range": lambda: range(0, 10 * BATCHES, 10),
         "a sequence": Indexed, "an order of its own": Shuffled,
         "an order of its own, and state": Kept,
         "a dict": lambda: {number: "value" for number in range(BATCHES)}}
if np is not None:
    KINDS["an array"] = lambda: np.arange(2.0 * BATCHES).reshape(BATCHES, 2)
STREAMS = ("an order of its own", "a dict")  # the tier that these reach


def plain(batch):
    return batch.tolist() if hasattr(batch, "tolist") else batch


def bare(make):
    random.seed(7)
    loader = make()
    return [plain(batch) for _ in range(EPOCHS) for batch in loader]


def some(folder, make, count, require):
    """`count` batches more, and the tier of the restore, if there was one."""
    random.seed(7)
    got = []
    with snapstate.Run(folder, loader=make(), every=1, read_back=False, require=require) as run:
        tier = run.restore() and run.receipt.tier
        for batch in run.batches(epochs=EPOCHS):
            got.append(plain(batch))
            run.step()
            if len(got) == count:
                run.save()
                break
    return got, tier


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as name:
        for kind, make in KINDS.items():
            folder = Path(name) / kind
            wanted = bare(make)
            require = "streams" if kind in STREAMS else "exact"
            got, tiers = [], []
            for count in (2, 4, 0):
                more, tier = some(folder, make, count, require)
                got += more
                tiers.append(tier)
            tap.ok(got == wanted, f"{kind}: the batches of a loop over it", wanted, got)
            tap.ok(tiers == [None, require, require], f"{kind}: tier {require}", tiers)
        folder = Path(name) / "shorter"
        some(folder, KINDS["a list"], 2, "exact")
        pattern = r"loader: it has 3 batches, and had 5 \(require=.streams. goes on all the same\)"
        fails(tap, snapstate.AbsentError, pattern, "a shorter list", some, folder,
              lambda: [0, 10, 20], 1, "exact")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
