#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All schedulers of torch, 30 steps, cut at every step: learning rates, momenta and weights of the
steps behind a restore are those of the training that was never cut."""

import sys
import tempfile
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python"), str(TOP / "tests" / "python")]

from tap import Tap  # noqa: E402

try:
    import torch
    from torch.optim import lr_scheduler as schedulers
except ImportError:
    torch = None

import snapstate  # noqa: E402

if torch is not None:
    from torch.optim.swa_utils import SWALR
    from state_cases import Training, seen
    TORCH = int(torch.__version__.split(".")[0])

STEPS, FOLLOWED = 30, 4


def decay(step):
    return 1 / (1 + 0.1 * step)


def small(step):
    return 0.9 + 0.1 / (step + 1)


class Decay:
    """A function with a state of its own, which state_dict() has."""

    def __init__(self):
        self.calls = 0

    def __call__(self, step):
        self.calls += 1
        return 1 / (1 + 0.01 * self.calls)


def warm_then(optimizer, after, at=5):
    first = schedulers.LinearLR(optimizer, 0.1, total_iters=at)
    return schedulers.SequentialLR(optimizer, [first, after(optimizer)], [at])


def cyclic(optimizer, **options):
    return schedulers.CyclicLR(optimizer, 0.01, 0.1, 3, step_size_down=4, **options)


SCHEDULERS = {
    "LambdaLR": lambda o: schedulers.LambdaLR(o, decay),
    "LambdaLR of an object": lambda o: schedulers.LambdaLR(o, Decay()),
    "LambdaLR of a lambda": lambda o: schedulers.LambdaLR(o, lambda step: 0.95 ** step),
    "MultiplicativeLR": lambda o: schedulers.MultiplicativeLR(o, small),
    "StepLR": lambda o: schedulers.StepLR(o, 4, 0.7),
    "MultiStepLR": lambda o: schedulers.MultiStepLR(o, [3, 3, 11, 20], 0.6),
    "ConstantLR": lambda o: schedulers.ConstantLR(o, 0.3, 7),
    "LinearLR": lambda o: schedulers.LinearLR(o, 0.2, 0.9, 9),
    "ExponentialLR": lambda o: schedulers.ExponentialLR(o, 0.93),
    "PolynomialLR": lambda o: schedulers.PolynomialLR(o, 25, 1.5),
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, 8, 0.001),
    "CosineAnnealingWarmRestarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 4, 2),
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, 0.2, STEPS + 1),
    "OneCycleLR, linear": lambda o: schedulers.OneCycleLR(
        o, 0.2, STEPS + 1, anneal_strategy="linear", three_phase=True),
    "CyclicLR": cyclic,
    "CyclicLR, triangular2": lambda o: cyclic(o, mode="triangular2"),
    "CyclicLR, exp_range": lambda o: cyclic(o, mode="exp_range", gamma=0.9),
    "CyclicLR of a function": lambda o: cyclic(o, scale_fn=small, scale_mode="iterations"),
    "ReduceLROnPlateau": lambda o: schedulers.ReduceLROnPlateau(o, factor=0.5, patience=2,
                                                                cooldown=1),
    "SWALR": lambda o: SWALR(o, 0.01, 6),
    "SequentialLR": lambda o: warm_then(o, lambda o: schedulers.ExponentialLR(o, 0.9)),
    "SequentialLR of a CyclicLR": lambda o: warm_then(o, cyclic),
    "ChainedScheduler": lambda o: schedulers.ChainedScheduler(
        [schedulers.ConstantLR(o, 0.1, 4), schedulers.ExponentialLR(o, 0.9)]),
    "ChainedScheduler of a CyclicLR": lambda o: schedulers.ChainedScheduler(
        [schedulers.ExponentialLR(o, 0.98), cyclic(o)]),
    "ChainedScheduler of a OneCycleLR": lambda o: schedulers.ChainedScheduler(
        [schedulers.OneCycleLR(o, 0.2, STEPS + 1), schedulers.StepLR(o, 9, 0.9)]),
    "ChainedScheduler of a SequentialLR": lambda o: schedulers.ChainedScheduler(
        [warm_then(o, cyclic), schedulers.StepLR(o, 6, 0.8)]),
}


def momentum(weights):
    return torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:], "lr": 0.07}], 0.05,
                           momentum=0.9)


def tensor_rates(weights):
    """Learning rates that are tensors, as for captured graphs: schedulers change them in place."""
    return torch.optim.Adam([{"params": weights[:1], "lr": torch.tensor(0.05)},
                             {"params": weights[1:], "lr": torch.tensor(0.07)}],
                            torch.tensor(0.05), foreach=False)


def all_of_them(make_optimizer):
    """One model of two parameters and one optimizer of two groups for each scheduler."""
    optimizers, made = {}, {}
    for name, make in SCHEDULERS.items():
        weights = [torch.nn.Parameter(torch.rand(3)) for _ in range(2)]
        optimizers[name] = make_optimizer(weights)
        made[name] = make(optimizers[name])
    model = torch.nn.ParameterList([one for optimizer in optimizers.values()
                                    for group in optimizer.param_groups for one in group["params"]])
    objects = {"model": model, "optimizer": optimizers, "scheduler": made}

    def step():
        for name, optimizer in optimizers.items():
            optimizer.zero_grad()
            noise = torch.rand(())
            loss = sum((one * noise).pow(2).sum() for group in optimizer.param_groups
                       for one in group["params"])
            loss.backward()
            optimizer.step()
            if isinstance(made[name], schedulers.ReduceLROnPlateau):
                made[name].step(noise.item())
            else:
                made[name].step()
        return noise
    return objects, step


def by_scheduler(objects):
    """What can be seen, for each scheduler: its optimizer with the slots, itself, what it tells."""
    return {name: [seen(objects["optimizer"][name]), seen(one),
                   seen(getattr(one, "_last_lr", None)),
                   [seen(parameter) for group in objects["optimizer"][name].param_groups
                    for parameter in group["params"]]]
            for name, one in objects["scheduler"].items()}


def cut_often(tap, work, kind, make_optimizer, every=1):
    def build():
        return all_of_them(make_optimizer)
    undisturbed = Training(build)
    states = []
    for step in range(STEPS + 1):
        states.append(by_scheduler(undisturbed.objects))
        if step % every == 0:
            undisturbed.save(work / f"{step}.snap.tar")
        if step < STEPS:
            undisturbed.one_step()
    wrong = {name: [] for name in SCHEDULERS}
    for cut in range(0, STEPS + 1, every):
        other = Training(build, seed=2)
        for _ in range(cut % 3):
            other.one_step()
        snapstate.restore(work / f"{cut}.snap.tar", **other.objects)
        for step in range(cut, min(cut + FOLLOWED, STEPS) + 1):
            if step > cut:
                other.one_step()
            found = by_scheduler(other.objects)
            for name in SCHEDULERS:
                if found[name] != states[step][name]:
                    wrong[name].append((cut, step))
    for name, places in wrong.items():
        tap.ok(not places, f"{name}{kind}, cut at {STEPS // every} steps",
               f"(cut, step): {places[:5]}")


def main():
    tap = Tap()
    if torch is None:
        tap.skip("schedulers", "torch is not installed")
        return tap.done()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # schedulers in schedulers call step() with an epoch
    with tempfile.TemporaryDirectory() as name:
        cut_often(tap, Path(name), "", momentum)
        if TORCH >= 2:
            cut_often(tap, Path(name), ", rates that are tensors", tensor_rates, 3)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
