#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trees as the Python package writes them (docs/python-tree.md) through snap export --to torch:
torch.load gives the same values of the same types; what has no such form is named."""

import collections
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402
from write_tree import write_tree  # noqa: E402

SNAP = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))


def export(archive, out):
    done = subprocess.run([SNAP, "export", archive, "--to", "torch", "--tensors", "root",
                           "-o", out],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout if done.returncode == 0 else f"exit {done.returncode}: {done.stdout}"


def values():
    """One of each tag that a pickle can have without a program's own names."""
    return {
        "tuple": (1, (2,)), "set": {3, 1}, "frozenset": frozenset({"b"}),
        "ordered": collections.OrderedDict([("b", 1), ("a", (2,))]),
        "odd_ordered": collections.OrderedDict([((1,), 1), (None, 2)]),
        "counter": collections.Counter("aab"), "deque": collections.deque([1, 2], maxlen=4),
        "endless": collections.deque([(1,)]), "items": {(1,): 2, 2.5: 3, True: 4},
        "dict": {"~x": 1}, "text": "\ud800", "bytearray": bytearray(b"\x01"),
        "complex": complex(1, -0.0), "slice": slice(None, 5, 2), "range": range(1, 5),
        "plain": [None, True, -1, 2**80, 1.5, "x", b"y", {}, {1: 2}],
    }


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and \
            all(same(x, y) for x, y in zip(a.values(), b.values()))
    if isinstance(a, (list, tuple, collections.deque)):
        return len(a) == len(b) and all(map(same, a, b)) and \
            getattr(a, "maxlen", None) == getattr(b, "maxlen", None)
    return repr(a) == repr(b)


def check_values(tap, folder, load):
    made = values()
    write_tree(folder / "values.snap.tar", root=made)
    said = export(folder / "values.snap.tar", folder / "values.pt")
    found = load(folder / "values.pt")
    tap.empty([f"{key}: {made[key]!r} {found.get(key)!r}" for key in made
               if not same(made[key], found.get(key))] + re.findall("left out.*", said),
              "every value comes back, of its own type")


def check_without_form(tap, folder, load):
    write_tree(folder / "names.snap.tar", root={
        "kept": 1, "function": len, "flag": re.IGNORECASE,
        "default": collections.defaultdict(list, a=[1])})
    said = export(folder / "names.snap.tar", folder / "names.pt")
    found = load(folder / "names.pt")
    told = re.findall(r"^left out +root/(\w+): (~\w+|the factory)", said, re.M)
    tap.ok(told == [("function", "~function"), ("flag", "~enum"), ("default", "the factory")],
           "names of a program are told", said)
    tap.ok(found == {"kept": 1, "function": None, "flag": None, "default": {"a": [1]}},
           "and nothing of them is in the file", found)


def check_state_dict(tap, folder, torch, load):
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    state = module.state_dict()
    write_tree(folder / "module.snap.tar", root=state)
    said = export(folder / "module.snap.tar", folder / "module.pt")
    found = load(folder / "module.pt")
    tap.ok(type(found) is collections.OrderedDict and list(found) == list(state) and
           all(torch.equal(found[name], state[name]) for name in state),
           "the state_dict of a module", said)
    metadata = getattr(found, "_metadata", None)
    tap.ok(same(metadata, state._metadata), "with the versions of its parts", metadata)
    tap.ok(str(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).load_state_dict(
        found)) == "<All keys matched successfully>", "load_state_dict takes it")


def main():
    tap = Tap()
    try:
        import torch
    except ImportError as problem:
        tap.skip("torch", f"python3-torch is not installed: {problem}")
        return tap.done()

    def load(path):
        return torch.load(path, **({"weights_only": False} if torch.__version__ > "2" else {}))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check_values(tap, folder, load)
        check_without_form(tap, folder, load)
        check_state_dict(tap, folder, torch, load)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
