# SPDX-License-Identifier: Apache-2.0
"""What the tests of states share: everything that can be seen of live objects as plain values, and
the journey that each case makes: train, save, go on; the same from objects made anew."""

import hashlib
import re
import weakref

import torch
from torch import nn

import snapstate


def tensor_seen(tensor):
    """Dtype, shape, strides, requires_grad and a digest of the bits. Never the address."""
    if tensor.layout is not torch.strided:
        return ["sparse", tensor.is_coalesced(), tensor_seen(tensor._indices()),
                tensor_seen(tensor._values())]
    plain = tensor.detach().contiguous().reshape(-1)
    plain = torch.view_as_real(plain).reshape(-1) if plain.is_complex() else plain
    plain = plain if plain.dtype is torch.bool else plain.view(torch.uint8)
    return [str(tensor.dtype), list(tensor.shape), list(tensor.stride()), tensor.requires_grad,
            hashlib.sha256(plain.numpy().tobytes()).hexdigest()]


def module_seen(module):
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return [[(name, tensor_seen(tensor),
              None if tensor.grad is None else tensor_seen(tensor.grad))
             for name, tensor in tensors],
            [(name, part.training) for name, part in module.named_modules()]]


def optimizer_seen(optimizer):
    parameters = [one for group in optimizer.param_groups for one in group["params"]]
    return [[(index, seen(optimizer.state[one])) for index, one in enumerate(parameters)
             if one in optimizer.state],
            [(key, seen(value)) for key, value in optimizer.state.items()
             if not isinstance(key, torch.Tensor)],
            [[(key, seen(value)) for key, value in group.items() if key != "params"]
             for group in optimizer.param_groups]]


def seen(value):
    """Everything that can be seen of `value`: comparable with ==."""
    if isinstance(value, torch.Tensor):
        return tensor_seen(value)
    if isinstance(value, nn.Module):
        return module_seen(value)
    if isinstance(value, torch.optim.Optimizer):
        return optimizer_seen(value)
    if isinstance(value, dict):
        return [type(value).__name__, [(key, seen(item)) for key, item in value.items()]]
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, [seen(item) for item in value]]
    if hasattr(value, "tobytes"):
        return [str(value.dtype), value.shape, value.strides, value.tobytes()]
    if isinstance(value, weakref.ref):
        return "a weak reference"
    if hasattr(value, "state_dict"):
        return seen(value.state_dict())
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return [type(value).__name__, value.hex() if isinstance(value, float) else repr(value)]


def state_seen(objects):
    """Of all objects that are given to save() and restore(), and of torch's global stream."""
    return [seen(dict(objects)), tensor_seen(torch.get_rng_state())]


def pointers(value):
    """The addresses of the tensors of models, gradients and slots, by what they are."""
    found = {}
    if isinstance(value, nn.Module):
        for name, tensor in [*value.named_parameters(), *value.named_buffers()]:
            found[name] = tensor.data_ptr()
            if tensor.grad is not None and tensor.grad.layout is torch.strided:
                found[name, "grad"] = tensor.grad.data_ptr()
    elif isinstance(value, torch.optim.Optimizer):
        for group, index in ((group, index) for group in value.param_groups
                             for index in range(len(group["params"]))):
            slots = value.state.get(group["params"][index], {})
            found.update({(id(group), index, name): slot.data_ptr()
                          for name, slot in slots.items() if isinstance(slot, torch.Tensor)})
    elif isinstance(value, (dict, list, tuple)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            found.update({(key, name): at for name, at in pointers(item).items()})
    return found


class Training:
    """Objects that train: `objects` as for save(), and `step()`, which gives the loss. `build()`
    gives both; what a restore sets shall not be there by chance, and so `seed` differs."""

    def __init__(self, build, seed=1):
        torch.manual_seed(seed)
        self.objects, self.one_step = build()

    def run(self, steps):
        """Losses, and all that can be seen behind each step."""
        return [(seen(self.one_step()), state_seen(self.objects)) for _ in range(steps)]

    def save(self, path, **options):
        snapstate.save(path, read_back=False, **{**self.objects, **options})
        return path


def begun(build, path, steps=2, **options):
    """A training behind some steps, and its archive."""
    training = Training(build)
    training.run(steps)
    training.save(path, **options)
    return training


def one_run(folder, objects, step, steps, archive=None):
    """A run that makes `steps` steps in all, from an archive or from nothing; the archive of its
    last snapshot."""
    with snapstate.Run(folder, archive=archive, profile="none", require="streams",
                       read_back=False, **objects) as run:
        for _ in run.steps(steps):
            run.step(loss=step())
    return folder / "snapshots" / f"step-{steps:010}.snap.tar"


def journey(tap, path, name, build, *, steps=3, more=3, warm=0, saving=None, change=None,
            moves=()):
    """One test point: save behind `steps` steps and go on for `more`; then the same from objects
    that were made anew, from another seed, and have made `warm` steps. `change` is called with the
    second training before the restore. No tensor moves, but slots named in `moves`. Gives both
    trainings and the receipt, for more points."""
    first = begun(build, path, steps, **(saving or {}))
    at_save = state_seen(first.objects)
    wanted = first.run(more)
    second = Training(build, seed=2)
    second.run(warm)
    if change is not None:
        change(second)
    before = pointers(second.objects)
    try:
        receipt = snapstate.restore(path, **second.objects)
    except Exception as problem:  # the other points of the file shall be made too
        tap.ok(False, name, f"{type(problem).__name__}: {problem}")
        return first, second, None
    at_restore = state_seen(second.objects)
    after = pointers(second.objects)
    moved = {str(key) for key, at in before.items() if key in after and after[key] != at}
    wrong = {key for key in moved if not any(slot in key for slot in moves)}
    still = [slot for slot in moves if not any(slot in key for key in moved)]
    got = second.run(more)
    tap.ok(at_restore == at_save and got == wanted and not wrong and not still and
           receipt.complete, name, first_difference(at_save, at_restore, "at the restore"),
           first_difference(wanted, got, "behind it"), f"moved: {wrong}", receipt)
    return first, second, receipt


def both(tap, work, name, build, **options):
    """Into fresh objects, and into those that have trained."""
    journey(tap, work / "fresh.snap.tar", f"{name}: fresh", build, **options)
    return journey(tap, work / "warm.snap.tar", f"{name}: after two other steps", build, warm=2,
                   **options)


def first_difference(left, right, path):
    """Where two plain values differ first, for people."""
    if left == right:
        return ""
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)) and \
            len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right)):
            if one != other:
                return first_difference(one, other, f"{path}[{index}]")
    return f"{path}: {str(left)[:200]} and {str(right)[:200]}"


def refuses(tap, path, name, error, pattern, training, **options):
    """Two test points: a restore is refused, and all that can be seen is as before."""
    before, at = state_seen(training.objects), pointers(training.objects)
    try:
        snapstate.restore(path, **{**training.objects, **options})
        problem = "nothing was raised"
    except snapstate.SnapError as raised:
        problem = raised
    tap.ok(type(problem) is error and re.search(pattern, str(problem)), name, repr(problem))
    after = state_seen(training.objects)
    tap.ok(before == after and at == pointers(training.objects), f"{name}: nothing was changed",
           first_difference(before, after, "changed"))


def regression(optimizer_of, model_of=None, *, scheduler_of=None, size=4, **others):
    """A build of Training: a small model, an optimizer, a loss with a closure (for LBFGS)."""
    def build():
        model = model_of() if model_of else nn.Sequential(
            nn.Linear(size, 6), nn.Tanh(), nn.Dropout(0.25), nn.Linear(6, 2))
        optimizer = optimizer_of(model)
        objects = {"model": model, "optimizer": optimizer}
        if scheduler_of is not None:
            objects["scheduler"] = scheduler_of(optimizer)
        for name, make in others.items():
            objects[name] = make(model, optimizer)

        def step():
            batch = torch.rand(5, size).to(next(model.parameters()).dtype)

            def closure():
                optimizer.zero_grad()
                loss = model(batch).float().pow(2).mean()
                loss.backward()
                return loss
            loss = optimizer.step(closure)
            if scheduler_of is not None:
                objects["scheduler"].step()
            return loss.detach()
        return objects, step
    return build


def adam(model):
    return torch.optim.Adam(model.parameters(), 0.01)


def momentum(model):
    return torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=0.1)
