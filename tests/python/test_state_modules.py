#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Modules: saved, trained on, put back in place into modules that were made anew, and trained on
again; every bit, every stride, every flag must be the same, and every tensor where it was."""

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
    from torch import nn
    from torch.optim import swa_utils
except ImportError:
    torch = None

import snapstate  # noqa: E402

if torch is not None:
    from state_cases import Training, adam, begun, both, journey, momentum, regression, seen
    from state_models import TORCH, Annealed, Buffers, Constant, Extra, Images, Names
    from state_models import Tied, Views, Wide


def memory(tap, work):
    _, second, _ = both(tap, work, "channels last", regression(momentum, Images, size=32))
    model, optimizer = second.objects["model"], second.objects["optimizer"]
    slot = optimizer.state[model.conv.weight]["momentum_buffer"]
    tap.ok(model.conv.weight.stride() == slot.stride() == (18, 1, 6, 2),
           "channels last: weights and momenta have those strides", slot.stride())
    tap.ok(not model.frozen.training and model.norm.training and
           model.frozen.num_batches_tracked.item() == 0 and
           model.norm.num_batches_tracked.item() == 6,
           "a frozen batch norm in a training model, and counters",
           model.norm.num_batches_tracked)
    both(tap, work, "parameters that are views of a larger memory", regression(adam, Views))
    _, second, _ = both(tap, work, "tied weights", regression(adam, Tied))
    model = second.objects["model"]
    tap.ok(model.output.weight is model.embedding.weight, "tied weights: still one parameter")
    both(tap, work, "buffers", regression(adam, Buffers))
    both(tap, work, "names", regression(adam, Names))
    begun(regression(adam, Names), work / "names.snap.tar")
    with snapstate.Archive(work / "names.snap.tar") as archive:
        state = archive["model"]
        tap.ok(state["first.weight"].storage == state["second.weight"].storage,
               "a module under two names stands under both", list(state))

    def bfloat16():
        return nn.Linear(4, 3).to(torch.bfloat16)

    def wide(model):
        return Wide(model.parameters())
    _, second, _ = both(tap, work, "bfloat16 with float32 moments", regression(wide, bfloat16))
    dtypes = {slot.dtype for slots in second.objects["optimizer"].state.values()
              for slot in slots.values() if isinstance(slot, torch.Tensor)}
    tap.ok(dtypes == {torch.float32}, "float32 moments of bfloat16 weights stay float32", dtypes)


def flags(tap, work):
    def frozen():
        objects, step = regression(adam)()
        objects["model"][0].weight.requires_grad_(False)
        return objects, step

    def other_way(training):
        training.objects["model"][0].weight.requires_grad_(True)
        training.objects["model"][3].bias.requires_grad_(False)
    both(tap, work, "requires_grad that was toggled", frozen, change=other_way)

    def toggle(training):
        training.objects["model"].eval()
        training.objects["model"][1].train()
    both(tap, work, "parts that were put in eval", regression(adam), change=toggle)
    for copies in (False, True):
        both(tap, work, f"extra state{' in copies' * copies}",
             regression(momentum, lambda: Extra(copies)))
    path = work / "extra.snap.tar"
    begun(regression(momentum, Constant), path)
    other = Training(regression(momentum, Constant), seed=2)
    snapstate.restore(path, **other.objects)
    tap.ok(not Constant.ZERO.any() and other.objects["model"].sum.any(),
           "extra state that was a constant of the program: that is not written to", Constant.ZERO)

    def broken(state):
        raise RuntimeError("not this one")
    begun(regression(adam, Extra), path)
    other = Training(regression(adam, Extra), seed=2)
    other.objects["model"].set_extra_state = broken
    fails(tap, snapstate.CorruptError,
          r"modules\.model\.extra_state\S*: set_extra_state\(\) raised RuntimeError: not this one; "
          r"memory is unusable", "what set_extra_state() raises is told by its place",
          snapstate.restore, path, **other.objects)


def attributes(tap, work):
    """Numbers and flags that decide the next step."""
    build = regression(momentum, Annealed)
    both(tap, work, "attributes that steps change", build)
    journey(tap, work / "odd.snap.tar", "one that is None in the archive", build, warm=2, steps=1)
    path = work / "attributes.snap.tar"
    first = begun(build, path)
    other = Training(regression(momentum, lambda: Annealed(more=4, text="x")), seed=2)
    receipt = snapstate.restore(path, **other.objects)
    model = other.objects["model"]
    tap.ok("modules.model.attributes['']" in str(receipt.reasons) and
           "more: is 4 here, and the archive does not know it" in str(receipt.reasons) and
           model.more == 4 and model.calls == first.objects["model"].calls and model.was_called,
           "one that the archive does not know is noted, and stays", receipt.reasons)

def several(tap, work):
    def build(kind):
        models = [nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 2), nn.BatchNorm1d(2))]
        optimizers = [adam(models[0]), momentum(models[1])]

        def step():
            loss = 0
            for optimizer in optimizers:
                optimizer.zero_grad()
                value = models[1](models[0](torch.rand(3, 4))).pow(2).mean()
                value.backward()
                optimizer.step()
                loss = loss + value.detach()
            return loss
        return {"model": kind(models), "optimizer": kind(optimizers)}, step

    def by_name(items):
        return dict(zip(("G", "D"), items))
    for kind in (list, tuple, by_name):
        both(tap, work, f"two models in a {kind.__name__}", lambda: build(kind))
    path = work / "several.snap.tar"
    begun(lambda: build(by_name), path)
    other = Training(lambda: build(by_name), seed=2)
    fails(tap, snapstate.AbsentError, r"model\.D: in the archive and not given here",
          "one of two models is not given", snapstate.restore, path,
          model={"G": other.objects["model"]["G"]}, optimizer=other.objects["optimizer"])
    turned = {kind: dict(reversed(items.items())) for kind, items in other.objects.items()}
    fails(tap, snapstate.AbsentError, "model: G, D in the archive, and D, G here: give them in",
          "in another order", snapstate.restore, path, **turned)
    fails(tap, snapstate.InvalidError, "1, '1'", "two names that are one as text", snapstate.save,
          path, model={1: nn.Linear(1, 1), "1": nn.Linear(1, 1)})

    def averaged():
        objects, step = regression(momentum, ema=lambda model, _: swa_utils.AveragedModel(model))()

        def step_and_average():
            loss = step()
            objects["ema"].update_parameters(objects["model"])
            return loss
        return objects, step_and_average
    both(tap, work, "an AveragedModel as ema=", averaged)

    def copied_by_hand():
        objects, step = regression(momentum)()
        average = nn.Sequential(*[nn.Linear(4, 6), nn.Linear(6, 2)])
        average[1].bias = objects["model"][3].bias  # is not averaged: it is the model's own
        objects["ema"] = average

        def step_and_average():
            loss = step()
            with torch.no_grad():
                average[0].weight.lerp_(objects["model"][0].weight, 0.1)
            return loss
        return objects, step_and_average
    _, second, _ = both(tap, work, "an ema that shares a parameter", copied_by_hand)
    tap.ok(second.objects["ema"][1].bias is second.objects["model"][3].bias and
           second.objects["ema"][1].bias.data_ptr() == second.objects["model"][3].bias.data_ptr(),
           "an ema that shares a parameter: still shares it")


def part_of_a_model(tap, work):
    """The weights alone, into a model that is a part of the one that was saved."""
    path = work / "part.snap.tar"
    whole = nn.ModuleDict({"first": nn.Linear(1, 1), "layers": nn.Linear(4, 3)})
    whole["first"].weight.requires_grad_(False)
    whole["layers"].bias.requires_grad_(False)
    snapstate.save(path, model=whole, read_back=False)
    part = nn.ModuleDict({"layers": nn.Linear(4, 3)})
    receipt = snapstate.restore(path, model=part, require="weights")
    tap.ok(receipt.tier == "weights" and
           torch.equal(part["layers"].weight, whole["layers"].weight) and
           part["layers"].weight.requires_grad and not part["layers"].bias.requires_grad,
           "weights into a part of the model", receipt)


def parametrized(tap, work):
    from torch.nn.utils import parametrizations, spectral_norm, weight_norm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        both(tap, work, "spectral and weight norm", regression(momentum, lambda: nn.Sequential(
            spectral_norm(nn.Linear(4, 3)), weight_norm(nn.Linear(3, 2)))))
    both(tap, work, "parametrizations", regression(momentum, lambda: nn.Sequential(
        parametrizations.spectral_norm(nn.Linear(4, 3)),
        parametrizations.orthogonal(nn.Linear(3, 3)))))


def compiled(tap, work):
    if TORCH < 2:
        return

    def plain():
        return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))

    def wrapped():
        return torch.compile(plain(), backend="eager")

    def one_part():
        return nn.Sequential(torch.compile(nn.Linear(4, 3), backend="eager"), *plain()[1:])
    both(tap, work, "a compiled model", regression(adam, wrapped))
    path = work / "compiled.snap.tar"
    makes = {"plain": plain, "compiled": wrapped, "compiled in part": one_part}
    for name, make in makes.items():
        first = begun(regression(adam, make), path)
        wanted = seen(first.objects["model"])[0]
        for other_name, other_make in makes.items():
            other = Training(regression(adam, other_make), seed=2)
            other.objects["model"].eval()
            snapstate.restore(path, **other.objects)
            got = seen(other.objects["model"])[0]
            tap.ok([one[1:] for one in got] == [one[1:] for one in wanted] and
                   all(part.training for part in other.objects["model"].modules()),
                   f"from {name} into {other_name}")


def main():
    tap = Tap()
    if torch is None:
        tap.skip("modules", "torch is not installed")
        return tap.done()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        for part in (memory, flags, attributes, several, part_of_a_model, parametrized, compiled):
            part(tap, Path(name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
