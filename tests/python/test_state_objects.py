#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whatever has state_dict() and load_state_dict(): averages, scalers, objects of a user's own.
Their state is handed over, and what only one side knows is noted."""

import copy
import sys
import tempfile
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python"), str(TOP / "tests" / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import torch
    from torch.optim.lr_scheduler import StepLR
except ImportError:
    torch = None

import snapstate  # noqa: E402

if torch is not None:
    from state_cases import Training, begun, journey, momentum, one_run, refuses, regression
    TORCH = int(torch.__version__.split(".")[0])


class Average:
    """An average of weights by hand: its state_dict() has its own memory, that of the model, and
    lists."""

    def __init__(self, model, copies):
        self.copies = copies
        self.shadow = {name: one.detach().clone() for name, one in model.named_parameters()}
        self.lent = model[3].bias.detach()
        self.history = [torch.zeros(3), (1, torch.ones(2))]

    def update(self, model):
        for name, one in model.named_parameters():
            self.shadow[name].lerp_(one.detach(), 0.1)
        self.history[0] += self.lent.sum()
        self.history[1] = (self.history[1][0] + 1, self.history[1][1] * 2)

    def state_dict(self):
        state = {"shadow": self.shadow, "lent": self.lent, "history": self.history}
        return copy.deepcopy(state) if self.copies else state

    def load_state_dict(self, state):
        if not self.copies:
            self.shadow, self.lent = state["shadow"], state["lent"]
        self.history = state["history"]
        for name, one in state["shadow"].items():
            self.shadow[name].copy_(one)


class Total:
    """State that begins as a tensor which all of the kind have."""

    ZERO = torch.zeros(3) if torch is not None else None

    def __init__(self):
        self.total = self.ZERO

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        self.total = state["total"]


class Plain:
    """State that is what it was given."""

    def __init__(self, **values):
        self.values = values

    def state_dict(self):
        return dict(self.values)

    def load_state_dict(self, state):
        self.values.update(state)


def averages(tap, work):
    for copies in (False, True):
        def build():
            objects, step = regression(momentum, ema=lambda model, _: Average(model, copies))()

            def step_and_average():
                loss = step()
                objects["ema"].update(objects["model"])
                return loss
            return objects, step_and_average
        name = f"an average whose state is {'copies' if copies else 'its own memory'}"
        for warm in (0, 2):
            _, second, _ = journey(tap, work / "ema.snap.tar", f"{name}, {warm} steps before",
                                   build, warm=warm)
            if not copies:
                bias = second.objects["model"][3].bias
                tap.ok(second.objects["ema"].lent.data_ptr() == bias.data_ptr(),
                       f"{name}, {warm} steps before: what it shares with the model is shared")


def scalers(tap, work):
    def build(make):
        objects, _ = regression(momentum, scaler=lambda *_: make())()
        model, optimizer, scaler = objects["model"], objects["optimizer"], objects["scaler"]

        def step():
            optimizer.zero_grad()
            loss = model(torch.rand(3, 4)).pow(2).mean()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            return loss.detach()
        return objects, step
    kinds = {"a GradScaler that is disabled": lambda: torch.cuda.amp.GradScaler(enabled=False)}
    if TORCH >= 2:
        kinds["a GradScaler of the CPU"] = lambda: torch.amp.GradScaler(
            "cpu", init_scale=8.0, growth_interval=2)
    for name, make in kinds.items():
        for warm in (0, 3):
            journey(tap, work / "scaler.snap.tar", f"{name}, {warm} steps before",
                    lambda: build(make), warm=warm)


def keys(tap, work):
    """Keys that only one side knows, and other orders."""
    path = work / "keys.snap.tar"
    snapstate.save(path, scheduler=Plain(a=1, deep={"x": 1, "y": [{"z": 2}]}), read_back=False)
    other = Plain(deep={"y": [{"new": 5, "z": 6}], "x": 3}, more=7, a=2)
    receipt = snapstate.restore(path, scheduler=other)
    told = [reason for reason in receipt.reasons if reason.startswith("scheduler")]
    tap.ok(other.values["a"] == 1 and other.values["more"] == 7 and receipt.tier == "streams" and
           told == ["scheduler.more: is 7 here, and load_state_dict() left it so: the archive does "
                    "not know it"], "a key that the archive does not know is noted", told)

    class Merging(Plain):
        def load_state_dict(self, state):
            self.values["a"] = state["a"]
            self.values["deep"]["x"] = state["deep"]["x"]
            self.values["deep"]["y"][0].update(state["deep"]["y"][0])
    other = Merging(deep={"y": [{"new": 5, "z": 6}], "x": 3}, a=2)
    receipt = snapstate.restore(path, scheduler=other)
    told = [reason for reason in receipt.reasons if reason.startswith("scheduler")]
    tap.ok(other.values["deep"]["y"] == [{"new": 5, "z": 2}] and len(told) == 1 and
           told[0].startswith("scheduler.deep.y[0].new: is 5 here"),
           "one that is deeper, too", told)
    fresh = Plain()
    receipt = snapstate.restore(path, scheduler=fresh)
    tap.ok(list(fresh.values) == ["a", "deep"] and len(receipt.reasons) == 1,
           "keys that are not there yet are the archive's", fresh.values)
    fails(tap, snapstate.CorruptError, r"scheduler: read back|scheduler\S* read back",
          "a load_state_dict() that forgets something", snapstate.restore, path,
          scheduler=type("Forgets", (Plain,), {"load_state_dict": lambda self, state: None})(
              a=2, deep={"x": 1, "y": [{"z": 2}]}))

    class Raises(Plain):
        def load_state_dict(self, state):
            raise KeyError("gone")
    fails(tap, snapstate.CorruptError,
          r"scheduler: load_state_dict\(\) raised KeyError: 'gone'; memory is unusable",
          "what load_state_dict() raises is told by its place", snapstate.restore, path,
          scheduler=Raises())
    fails(tap, snapstate.InvalidError, r"scheduler: a builtins\.int has no state_dict\(\)",
          "an object without state_dict()", snapstate.save, path, scheduler=3)
    snapstate.save(path, scheduler={"warm": Plain(a=1), "main": Plain(b=2)}, read_back=False)
    other = {"warm": Plain(a=5), "main": Plain(b=6, c=7)}
    receipt = snapstate.restore(path, scheduler=other)
    tap.ok(other["warm"].values == {"a": 1} and other["main"].values == {"b": 2, "c": 7} and
           any("scheduler.main.c" in reason for reason in receipt.reasons),
           "several, and what one of them notes", receipt.reasons)
    first, second = Total(), Total()
    first.total = first.total + 1
    snapstate.save(path, scheduler=first, read_back=False)
    snapstate.restore(path, scheduler=second)
    tap.ok(second.total.sum() == 3 and not Total.ZERO.any(),
           "state that was a constant of the program: that is not written to", Total.ZERO)
    begin = one_run(work / "less", {"scheduler": [Plain(a=1), Plain(b=2)]}, lambda: 1.0, 1)
    with snapstate.Archive(one_run(work / "more", {"scheduler": [Plain(a=5), Plain(b=6, c=7)]},
                                   lambda: 1.0, 2, begin)) as archive:
        tap.ok(archive["scheduler"] == {"0": {"a": 1}, "1": {"b": 2, "c": 7}},
               "what the archive did not know is in the next one", archive["scheduler"])
    hashes = []
    for scheduler in (Plain(a=1, b={"x": 1, "y": 2}), Plain(b={"y": 5, "x": 6}, a=7)):
        with snapstate.Run(work / "run", scheduler=scheduler, every=1, state_every=1,
                           read_back=False) as run:
            for step in run.steps(1):
                run.step(loss=1.0)
            hashes.append(run.state_hash())
    tap.ok(hashes[0] == hashes[1], "keys in another order: a run has one state hash", hashes)
    begun(regression(momentum, scheduler_of=lambda optimizer: StepLR(optimizer, 2)), path)
    refuses(tap, path, "a scheduler that is not given", snapstate.AbsentError, "scheduler",
            Training(regression(momentum), seed=2))


def main():
    tap = Tap()
    if torch is None:
        tap.skip("objects with state_dict()", "torch is not installed")
        return tap.done()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # a GradScaler of CUDA says that there is none
    with tempfile.TemporaryDirectory() as name:
        for part in (averages, scalers, keys):
            part(tap, Path(name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
