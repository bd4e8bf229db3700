#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gradients: None, zero and values make three different updates. Their presence comes back, or
their values; dense ones stay where they are, sparse ones stay sparse."""

import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python"), str(TOP / "tests" / "python")]

from tap import Tap  # noqa: E402

try:
    import torch
    from torch import nn
except ImportError:
    torch = None

import snapstate  # noqa: E402

if torch is not None:
    from state_cases import Training, begun, both, momentum, regression, seen


def gradients(tap, work):
    """None and zero make two different updates, and values are values."""
    path = work / "gradients.snap.tar"

    def first_without(model):
        model.zero_grad(set_to_none=False)
        model[0].weight.grad = None

    def only_first(model):
        model.zero_grad(set_to_none=True)
        model[0].weight.grad = torch.zeros_like(model[0].weight)
    for what, change in (("all", lambda model: None), ("all but one", first_without),
                         ("only one", only_first)):
        for kept in (True, False):
            for warm in (0, 2):
                first = Training(regression(momentum))
                first.run(2)
                model = first.objects["model"]
                change(model)
                first.save(path, gradients=kept)
                other = Training(regression(momentum), seed=2)
                other.run(warm)
                there = {name: parameter.grad for name, parameter in
                         other.objects["model"].named_parameters() if parameter.grad is not None}
                snapstate.restore(path, **other.objects)
                wrong = []
                for name, parameter in other.objects["model"].named_parameters():
                    was = dict(model.named_parameters())[name].grad
                    now = parameter.grad
                    if (was is None) != (now is None) or now is not None and (
                            not torch.equal(now, was if kept else torch.zeros_like(was)) or
                            name in there and now is not there[name]):
                        wrong.append(name)
                tap.ok(not wrong, f"gradients of {what}, {'values' if kept else 'presence'}, "
                                  f"{'some are there' if warm else 'none is there'}", wrong)

    def sparse():
        model = nn.Embedding(20, 4, sparse=True)
        optimizer = torch.optim.SparseAdam(list(model.parameters()))

        def step():
            optimizer.zero_grad()
            loss = model(torch.randint(20, (9,))).pow(2).sum()
            loss.backward()
            optimizer.step()
            return loss.detach()
        return {"model": model, "optimizer": optimizer}, step
    both(tap, work, "SparseAdam, sparse gradients", sparse)
    first = begun(sparse, path)
    weight = first.objects["model"].weight
    weight.grad = weight.grad.coalesce()
    first.save(path)
    other = Training(sparse, seed=2)
    snapstate.restore(path, **other.objects)
    tap.ok(seen(other.objects["model"]) == seen(first.objects["model"]) and
           other.objects["model"].weight.grad.is_coalesced(), "a coalesced one stays so")
    wanted = begun(sparse, path, gradients=False).run(3)
    other = Training(sparse, seed=2)
    snapstate.restore(path, **other.objects)
    grad = other.objects["model"].weight.grad
    tap.ok(grad.layout is torch.sparse_coo and grad._nnz() == 0 and other.run(3) == wanted,
           "sparse gradients, presence: an empty one, and the same steps", grad)

    def accumulating():
        objects, _ = regression(momentum)()
        model, optimizer, calls = objects["model"], objects["optimizer"], {"count": 0}

        def step():
            loss = model(torch.rand(3, 4)).pow(2).mean()
            loss.backward()
            calls["count"] += 1
            if calls["count"] % 3 == 0:
                optimizer.step()
                optimizer.zero_grad()
            return loss.detach()
        return {**objects, "values": calls}, step
    both(tap, work, "in the middle of an accumulation", accumulating, steps=5, more=5)


def main():
    tap = Tap()
    if torch is None:
        tap.skip("gradients", "torch is not installed")
        return tap.done()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        gradients(tap, Path(name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
