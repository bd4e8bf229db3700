#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every optimizer and schedule of torch, and the odd things that models hold: saved, trained on,
put back into objects that were made anew, and trained on again: every bit must be the same."""

import collections
import os
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import numpy as np
    import torch
    from torch import nn
    from torch.optim import lr_scheduler as schedules
    from torch.optim import swa_utils
except ImportError:
    torch = None

import snapstate  # noqa: E402

if torch is not None:
    OPTIMIZERS = {
        "SGD": lambda p: torch.optim.SGD(p, 0.05),
        "SGD, momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True),
        "Adam": lambda p: torch.optim.Adam(p, 0.01),
        "Adam, foreach": lambda p: torch.optim.Adam(p, 0.01, foreach=True),
        "Adam, amsgrad": lambda p: torch.optim.Adam(p, 0.01, amsgrad=True),
        "AdamW": lambda p: torch.optim.AdamW(p, 0.01),
        "Adamax": lambda p: torch.optim.Adamax(p, 0.01),
        "Adagrad": lambda p: torch.optim.Adagrad(p, 0.05),
        "Adadelta": lambda p: torch.optim.Adadelta(p, 1.0),
        "ASGD": lambda p: torch.optim.ASGD(p, 0.05),
        "NAdam": lambda p: torch.optim.NAdam(p, 0.01),
        "RAdam": lambda p: torch.optim.RAdam(p, 0.01),
        "RMSprop": lambda p: torch.optim.RMSprop(p, 0.01, centered=True, momentum=0.5),
        "Rprop": lambda p: torch.optim.Rprop(p, 0.01),
        "LBFGS": lambda p: torch.optim.LBFGS(p, 0.1, max_iter=3, history_size=4),
        "two groups": lambda p: torch.optim.Adam([
            {"params": list(p)[:1], "lr": 0.1}, {"params": list(p)[1:]}], 0.01),
    }
    SCHEDULES = {
        "Lambda": lambda o: schedules.LambdaLR(o, factor),
        "Multiplicative": lambda o: schedules.MultiplicativeLR(o, factor),
        "Step": lambda o: schedules.StepLR(o, 3),
        "MultiStep": lambda o: schedules.MultiStepLR(o, [3, 3, 7]),
        "Constant": lambda o: schedules.ConstantLR(o),
        "Linear": lambda o: schedules.LinearLR(o),
        "Exponential": lambda o: schedules.ExponentialLR(o, 0.9),
        "Cosine": lambda o: schedules.CosineAnnealingLR(o, 6),
        "WarmRestarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 4, 2),
        "OneCycle": lambda o: schedules.OneCycleLR(o, 0.2, 40),
        "Cyclic": lambda o: schedules.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9),
        "Sequential": lambda o: schedules.SequentialLR(
            o, [schedules.ConstantLR(o, 0.1, 3), schedules.ExponentialLR(o, 0.9)], [4]),
        "Chained": lambda o: schedules.ChainedScheduler(
            [schedules.ConstantLR(o, 0.1, 3), schedules.ExponentialLR(o, 0.9)]),
        "Plateau": lambda o: schedules.ReduceLROnPlateau(o, patience=1),
    }


def factor(step):
    return 1 / (1 + 0.1 * step)


class Odd(nn.Module if torch is not None else object):
    """Tied weights, a buffer that is not persistent, extra state, a part that stays in eval,
    strides of channels last, and a parameter that never gets a gradient."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1).to(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm2d(4)
        self.frozen = nn.BatchNorm2d(4).eval()
        self.dropout = nn.Dropout(0.3)
        self.left = nn.Linear(4, 4, bias=False)
        self.right = nn.Linear(4, 4, bias=False)
        self.right.weight = self.left.weight
        self.unused = nn.Parameter(torch.ones(3))
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.extra = {"calls": 0}

    def get_extra_state(self):
        return self.extra

    def set_extra_state(self, state):
        self.extra = dict(state)

    def forward(self, x):
        self.seen += 1
        self.extra["calls"] += 1
        x = self.frozen(self.norm(self.conv(x.contiguous(memory_format=torch.channels_last))))
        return self.right(torch.tanh(self.left(self.dropout(x.mean((2, 3))))))


def plain():
    return nn.Sequential(nn.Linear(2 * 25, 6), nn.Tanh(), nn.Dropout(0.2), nn.Linear(6, 2))


class Training:
    def __init__(self, make_model, make_optimizer, make_schedule=None, **others):
        torch.manual_seed(7)
        self.model = make_model()
        self.optimizer = make_optimizer(self.model.parameters())
        self.schedule = make_schedule(self.optimizer) if make_schedule else None
        self.others = others

    def objects(self):
        return {"model": self.model, "optimizer": self.optimizer, "scheduler": self.schedule,
                **self.others}

    def step(self):
        x = torch.rand(6, 2, 5, 5)

        def closure():
            self.optimizer.zero_grad()
            value = self.model(x if isinstance(self.model, Odd) else x.flatten(1))
            value = value.pow(2).mean()
            value.backward()
            return value
        loss = self.optimizer.step(closure)
        if isinstance(self.schedule, schedules.ReduceLROnPlateau):
            self.schedule.step(loss.item())
        elif self.schedule is not None:
            self.schedule.step()
        return loss

    def run(self, steps):
        """Everything that can be seen of the steps: losses, rates, weights."""
        seen = [(self.step().item(), [group["lr"] for group in self.optimizer.param_groups])
                for _ in range(steps)]
        return seen, [bytes(tensor.detach().contiguous().numpy().tobytes()) for tensor in
                      [*self.model.parameters(), *self.model.buffers()]]


def cut(tap, work, name, *make, steps=5, warm=0):
    """Save behind `steps` steps; go on; the same from objects made anew."""
    path = work / "cut.snap.tar"
    first = Training(*make)
    first.run(steps)
    snapstate.save(path, read_back=False, **first.objects())
    wanted = first.run(4)
    second = Training(*make)
    second.run(warm)
    before = [tensor.data_ptr() for tensor in second.model.parameters()]
    receipt = snapstate.restore(path, **second.objects())
    got = second.run(4)
    return tap.ok(got == wanted and receipt.complete and before == [
        tensor.data_ptr() for tensor in second.model.parameters()], name, receipt, got[0],
        wanted[0])


def odd_things(tap, work):
    make = (Odd, OPTIMIZERS["Adam"])
    cut(tap, work, "a model of odd things", *make)
    path = work / "odd.snap.tar"
    first = Training(*make)
    first.run(3)
    snapstate.save(path, read_back=False, **first.objects())
    second = Training(*make)
    snapstate.restore(path, **second.objects())
    model = second.model
    tap.ok(model.right.weight is model.left.weight, "tied weights stay tied")
    tap.ok(model.conv.weight.is_contiguous(memory_format=torch.channels_last) and
           second.optimizer.state[model.conv.weight]["exp_avg"].stride() ==
           first.optimizer.state[first.model.conv.weight]["exp_avg"].stride(),
           "strides are kept, those of moments too")
    tap.ok(not model.frozen.training and model.norm.training and model.seen.item() == 3 and
           model.extra["calls"] == 3, "flags, buffers that are not persistent, extra state")
    tap.ok(model.unused.grad is None and model.unused not in second.optimizer.state,
           "a parameter without a gradient has none, and no slot")
    tap.ok(torch.equal(model.conv.weight.grad, first.model.conv.weight.grad),
           "gradients that were kept")


def wide_moments(tap, work):
    path = work / "wide.snap.tar"
    models = [plain().to(torch.bfloat16) for _ in range(2)]
    optimizers = [torch.optim.Adam(model.parameters()) for model in models]
    for parameter in models[0].parameters():
        optimizers[0].state[parameter] = {"step": torch.tensor(3.0),
                                          "exp_avg": torch.rand(parameter.shape),
                                          "exp_avg_sq": torch.rand(parameter.shape)}
    snapstate.save(path, model=models[0], optimizer=optimizers[0], read_back=False)
    snapstate.restore(path, model=models[1], optimizer=optimizers[1])
    slots = [optimizer.state[parameter]["exp_avg"] for model, optimizer in zip(models, optimizers)
             for parameter in model.parameters()]
    half = len(slots) // 2
    tap.ok(all(a.dtype == b.dtype == torch.float32 and torch.equal(a, b)
               for a, b in zip(slots[:half], slots[half:])),
           "float32 moments of bfloat16 parameters stay float32")


def refusals(tap, work):
    path = work / "refused.snap.tar"
    first = Training(plain, OPTIMIZERS["Adam"])
    first.run(2)
    snapstate.save(path, read_back=False, **first.objects())

    def untouched(name, pattern, make_model, make_optimizer):
        other = Training(make_model, make_optimizer)
        other.run(1)
        before = [bytes(p.detach().numpy().tobytes()) for p in other.model.parameters()]
        state = torch.get_rng_state()
        fails(tap, snapstate.AbsentError, pattern, name, snapstate.restore, path,
              **other.objects())
        tap.ok(before == [bytes(p.detach().numpy().tobytes()) for p in other.model.parameters()]
               and torch.equal(state, torch.get_rng_state()), f"{name}: nothing was changed")
    untouched("another shape", r"model\.0\.weight",
              lambda: nn.Sequential(nn.Linear(50, 7), nn.Tanh(), nn.Dropout(0.2),
                                    nn.Linear(7, 2)), OPTIMIZERS["Adam"])
    untouched("another class of optimizer", "SGD", plain, OPTIMIZERS["SGD"])
    untouched("foreach", "foreach", plain, OPTIMIZERS["Adam, foreach"])
    untouched("other groups", "groups", plain, OPTIMIZERS["two groups"])
    untouched("another order of parameters", "order", plain,
              lambda p: torch.optim.Adam(list(p)[::-1], 0.01))
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"tensors/model/0.weight\0") + 600] ^= 1
    path.write_bytes(damaged)
    other = Training(plain, OPTIMIZERS["Adam"])
    before = other.model[0].weight.detach().clone()
    fails(tap, snapstate.CorruptError, "0.weight", "a damaged archive", snapstate.restore, path,
          **other.objects())
    tap.ok(torch.equal(before, other.model[0].weight), "a damaged archive: nothing was changed")
    fails(tap, snapstate.CaptureError, r"values\.thing", "a value without a safe form",
          snapstate.save, work / "x.snap.tar", values={"thing": object()})


def values(tap, work):
    path = work / "values.snap.tar"

    def make(fill):
        array = np.full((3, 4), fill)
        return {"count": fill, "array": array,
                "nested": {"list": [1.5, (fill, "x")], "array": array},
                "tensor": torch.full((2,), float(fill)), "order": collections.OrderedDict(a=fill),
                "set": {fill, 99}, "none": None, "big": fill << 80, "function": factor}
    kept, live = make(5), make(8)
    array, tensor = live["array"], live["tensor"]
    snapstate.save(path, values=kept, read_back=False)
    snapstate.restore(path, values=live)
    tap.ok(live["count"] == 5 and live["nested"]["list"] == [1.5, (5, "x")] and
           live["order"] == kept["order"] and live["set"] == {5, 99} and live["big"] == 5 << 80 and
           live["function"] is factor, "plain values of many types", live)
    tap.ok(live["array"] is array and live["nested"]["array"] is array and
           (array == 5).all() and live["tensor"] is tensor and bool((tensor == 5).all()),
           "arrays and tensors in place, shared ones shared")


def several(tap, work):
    path = work / "several.snap.tar"
    torch.manual_seed(1)

    def make():
        models = {"a": plain(), "b": plain()}
        ema = swa_utils.AveragedModel(models["a"])
        ema.update_parameters(models["b"])
        return {"model": models, "ema": ema,
                "optimizer": [torch.optim.Adam(model.parameters()) for model in models.values()]}
    first, second = make(), make()
    for model, optimizer in zip(first["model"].values(), first["optimizer"]):
        model(torch.rand(2, 50)).sum().backward()
        optimizer.step()
    snapstate.save(path, read_back=False, **first)
    snapstate.restore(path, **second)
    same = all(torch.equal(a, b) for name in "ab" for a, b in zip(
        first["model"][name].parameters(), second["model"][name].parameters()))
    tap.ok(same and all(torch.equal(a, b) for a, b in zip(first["ema"].state_dict().values(),
                                                         second["ema"].state_dict().values())),
           "several models, optimizers, and an average")


def main():
    tap = Tap()
    if torch is None:
        tap.skip("parts of a state", "torch is not installed")
        return tap.done()
    torch.set_num_threads(1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        for optimizer, make in OPTIMIZERS.items():
            cut(tap, work, f"{optimizer}, a fresh one", plain, make)
            cut(tap, work, f"{optimizer}, one that has made steps", plain, make, warm=2)
        for schedule, make in SCHEDULES.items():
            for steps in (0, 3, 4, 9):
                cut(tap, work, f"schedule {schedule}, cut behind step {steps}", plain,
                    lambda p: torch.optim.SGD(p, 0.05, momentum=0.9), make, steps=steps)
        for part in (odd_things, wide_moments, refusals, values, several):
            part(tap, work)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
