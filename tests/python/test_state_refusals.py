#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is refused, with its place in one line, and nothing is changed then: another architecture, a
damaged archive, a value without a safe form."""

import collections
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python"), str(TOP / "tests" / "python")]

from raises import caught, fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import numpy as np
    import torch
    from torch import nn
    from torch.optim.lr_scheduler import StepLR
except ImportError:
    torch = None

import snapstate  # noqa: E402

if torch is not None:
    from state_cases import Training, adam, begun, pointers, refuses, regression, state_seen
    from state_models import Buffers, Images, Tied


def wrong(tap, work):
    """Another architecture is told by its path, and nothing is changed."""
    path = work / "wrong.snap.tar"

    def layers(*extra, width=6, bias=True, dtype=torch.float32):
        return lambda: nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Dropout(0.25),
                                     nn.Linear(width, 2, bias=bias), *extra).to(dtype)
    begun(regression(adam), path)
    for name, pattern, make in (
            ("more layers", r"model: tensor 4\.weight is here, and not in the arch",
             layers(nn.Linear(2, 2))),
            ("wider layers", r"model\.0\.weight: shape \[6, 4\] in the archive, \[7, 4\] here",
             layers(width=7)),
            ("no bias", r"model: tensor 3\.bias is in the archive, and not here",
             layers(bias=False)),
            ("another dtype", r"model\.0\.weight: dtype f32 in the archive, f64 here",
             layers(dtype=torch.float64))):
        other = Training(regression(adam, make), seed=2)
        other.run(1)
        refuses(tap, path, name, snapstate.AbsentError, pattern, other)
    begun(regression(adam, Tied), path)
    refuses(tap, path, "weights that are not tied here", snapstate.AbsentError,
            "shares memory with model.embedding.weight in the archive, and not here",
            Training(regression(adam, lambda: Tied(False)), seed=2))
    begun(regression(adam, lambda: Tied(False)), path)
    refuses(tap, path, "weights that are tied here only", snapstate.AbsentError,
            "shares memory with model.embedding.weight here, and not in the archive",
            Training(regression(adam, Tied), seed=2))
    begun(regression(adam, Images, size=32), path)
    refuses(tap, path, "another memory format", snapstate.AbsentError,
            r"model\.conv\.weight: strides .* the same memory format",
            Training(regression(adam, lambda: Images(torch.contiguous_format), size=32), seed=2))
    begun(regression(adam, Buffers), path)
    refuses(tap, path, "a buffer that is None in the archive", snapstate.AbsentError,
            "model: tensor nothing is here",
            Training(regression(adam, lambda: Buffers(True)), seed=2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lazy = Training(regression(adam), seed=2)
        lazy.objects["model"] = nn.Sequential(nn.LazyLinear(6), *list(lazy.objects["model"])[1:])
    begun(regression(adam), path)
    fails(tap, snapstate.CaptureError, r"model\.0\.weight: is not initialised yet",
          "a lazy module that has no weights yet", snapstate.restore, path, **lazy.objects)


def unsafe_modules(tap, work):
    """What has no safe form is told by its place when it is saved."""
    path = work / "unsafe.snap.tar"
    for name, tensor in {
            "on meta": torch.rand(2, device="meta"), "sparse": torch.eye(2).to_sparse(),
            "conjugated": torch.rand(2, dtype=torch.cfloat).conj()}.items():
        model = nn.Sequential(nn.Linear(2, 2))
        model[0].register_buffer("bad", tensor)
        fails(tap, snapstate.CaptureError, r"^model\.0\.bad: ", f"a buffer that is {name}",
              snapstate.save, path, model=model)
    model = nn.Linear(1, 1)
    for index in range(120):
        model = nn.Sequential(collections.OrderedDict({f"longer{index}": model}))
    fails(tap, snapstate.CaptureError, "its path has 1[0-9]* bytes", "a path that is too long",
          snapstate.save, path, model=model)
    model = nn.Sequential(nn.Linear(2, 2), nn.LSTM(2, 2))
    model[0].running = torch.zeros(2)
    model[1].cache = {"a": [np.zeros(2)]}
    model[0].alias = [model[0].weight]
    snapstate.save(path, model=model, read_back=False)
    with snapstate.Archive(path) as archive:
        told = [gap["name"] for gap in archive.coverage["not_captured"]
                if "plain attribute" in gap["reason"]]
    tap.ok(told == ["model.0.running", "model.1.cache"],
           "tensors in plain attributes are in the coverage statement", told)


def unsafe_values(tap, work):
    path = work / "unsafe.snap.tar"
    cycle = [1]
    cycle.append(cycle)
    for name, value, place in (
            ("an object", {"a": [1, {"b": object()}]}, r"values\.a\[1\]\.b"),
            ("a lambda", {"a": lambda: 1}, r"values\.a"),
            ("a generator", {"g": torch.Generator()}, r"values\.g: .*register it as a stream"),
            ("itself", {"c": cycle}, r"values\.c.*contains itself"),
            ("an array of objects", {"o": np.array([None])}, r"values\.o")):
        problem = caught(snapstate.save, path, values=value)
        fails(tap, snapstate.CaptureError, place, f"{name} has no safe form", snapstate.save, path,
              values=value)
        tap.ok(getattr(problem, "path", "").startswith("values."), f"{name}: its path",
               repr(problem))
    training = Training(regression(adam))
    training.objects["optimizer"].param_groups[0]["hook"] = object()
    fails(tap, snapstate.CaptureError, r"optimizer\.param_groups\[0\]\.hook",
          "an object in a parameter group", training.save, path)
    training = begun(regression(adam), path)
    weight = training.objects["model"][0].weight
    training.objects["optimizer"].state[weight]["file"] = sys.stdout
    fails(tap, snapstate.CaptureError, r"optimizer\.state\[0\]\.file", "a file in a slot",
          training.save, path)
    fails(tap, snapstate.InvalidError, "values: a tuple cannot be changed in place", "a tuple",
          snapstate.save, path, values=(1, 2))


def damage(tap, work):
    """One byte of each member, and the end: an error, and all that can be seen is as before."""
    path, bad = work / "good.snap.tar", work / "bad.snap.tar"
    build = regression(adam, scheduler_of=lambda optimizer: StepLR(optimizer, 2))
    begun(build, path, values={"a": torch.ones(3), "t": 1})
    content = path.read_bytes()
    with tarfile.open(path) as tar:
        members = [(member.name, member.offset_data, member.size) for member in tar]
    other = Training(build, seed=2)
    other.objects["values"] = {"a": torch.zeros(3), "t": 5}
    other.run(1)
    for name, offset, size in members:
        if size == 0:
            continue
        damaged = bytearray(content)
        damaged[offset + size // 2] ^= 1
        bad.write_bytes(damaged)
        before, at = state_seen(other.objects), pointers(other.objects)
        problem = caught(snapstate.restore, bad, **other.objects)
        tap.ok(isinstance(problem, snapstate.CorruptError) and
               before == state_seen(other.objects) and at == pointers(other.objects),
               f"a byte of {name}", repr(problem))
    bad.write_bytes(content[:len(content) // 2])
    refuses(tap, bad, "half an archive", snapstate.CorruptError, "", other)
    receipt = snapstate.restore(path, **other.objects)
    tap.ok(receipt.complete and other.objects["values"]["t"] == 1, "the good one can be restored")


def main():
    tap = Tap()
    if torch is None:
        tap.skip("refusals", "torch is not installed")
        return tap.done()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        for part in (wrong, unsafe_modules, unsafe_values, damage):
            part(tap, Path(name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
