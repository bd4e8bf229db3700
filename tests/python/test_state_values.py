#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""values=: plain values of all kinds, tensors and arrays, nested and shared, also with the model;
changed in place."""

import collections
import enum
import math
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python"), str(TOP / "tests" / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

try:
    import numpy as np
    import torch
except ImportError:
    torch = None

import snapstate  # noqa: E402

if torch is not None:
    from state_cases import Training, adam, begun, first_difference, journey, regression, seen

Point = collections.namedtuple("Point", "x y")
Mode = enum.Enum("Mode", "FAST SLOW")


def function():
    """To be found again by its name."""


def other_function():
    """Not the one that was saved."""


def values(number):
    """A dict of everything that has a form, and memory that is shared in it."""
    array = np.full((3, 4), number)
    tensor = torch.full((2, 3), float(number))
    whole = np.arange(20.0) * number
    return {
        "array": array, "columns": array[:, 1:3],
        "nested": {"list": [1.5 * number, (number, "x", [tensor]), {"y": array}], "none": None},
        "tensor": tensor, "turned": tensor.t(), "left": whole[4:10], "right": whole[6:8],
        "ordered": collections.OrderedDict(b=number, a=[number]),
        "queue": collections.deque([number, torch.full((2,), number)], maxlen=5),
        "default": collections.defaultdict(list, {number: [number]}),
        "counter": collections.Counter("aab" * number),
        "set": {number}, "frozen": frozenset({number, "x"}), "zero": -0.0 * number,
        "scalar": np.float32(number), "dtype": torch.float16, "device": torch.device("cpu"),
        "size": torch.Size([number, 2]), "bytes": b"x" * number, "bytearray": bytearray(number),
        "complex": complex(number, -0.0), "big": 1 << (70 + number), (1, 2): number, 3: "three",
        "flags": np.array([True, False]), "empty": np.zeros((0, 3)), "single": torch.tensor(number),
        "slice": slice(1, number), "range": range(number), "nan": float("nan"),
        "function": function, "builtin": len, "class": Training, "point": Point(number, [tensor]),
        "mode": Mode.SLOW, "bfloat16": torch.tensor([1.5 * number]).to(torch.bfloat16)}


def kinds(tap, work):
    path = work / "values.snap.tar"
    kept, live = values(2), values(7)
    live["mode"] = Mode.FAST
    held = {name: live[name] for name in ("array", "tensor", "nested", "queue", "default")}
    snapstate.save(path, values=kept, read_back=False)
    snapstate.restore(path, values=live)
    tap.ok(seen(live) == seen(kept), "values of every kind",
           first_difference(seen(kept), seen(live), "values"))
    tap.ok(all(live[name] is one for name, one in held.items()) and
           live["nested"]["list"][1][2][0] is live["tensor"] is live["point"].y[0],
           "containers, arrays and tensors are changed in place")
    tap.ok(all(map(np.shares_memory, (live["columns"], live["nested"]["list"][2]["y"],
                                      live["left"]), (live["array"], live["array"],
                                                      live["right"]))) and
           live["turned"].data_ptr() == live["tensor"].data_ptr(), "what shares memory shares it")
    named = ("function", "builtin", "class", "point", "mode", "default")
    plain = {name: value for name, value in kept.items() if name not in named}
    snapstate.save(path, values=plain, read_back=False)
    fresh = {"gone": [1], "array": "no array"}
    snapstate.restore(path, values=fresh)
    tap.ok(seen(fresh) == seen(plain) and np.shares_memory(fresh["array"], fresh["columns"]) and
           np.shares_memory(fresh["left"], fresh["right"]) and
           fresh["turned"].data_ptr() == fresh["tensor"].data_ptr() and
           math.copysign(1, fresh["zero"]) == -1,
           "into a dict that has none of them: made anew, in one order, shared",
           first_difference(seen(plain), seen(fresh), "values"))
    kept, live = [1, torch.ones(2), [3, {"a": 4}]], [torch.zeros(1), 2]
    snapstate.save(path, values=kept, read_back=False)
    snapstate.restore(path, values=live)
    tap.ok(seen(live) == seen(kept), "a list of values", live)


def alike(tap, work):
    """Keys whose paths read alike: text beside an integer, and a dot in a key."""
    path = work / "alike.snap.tar"
    kept = {"number": {1: "a", "1": "b", -1: 2.0, "-1": 3}, "dot": {"a.b": 1, "a": {"b": 2}},
            "tensor": {"c.d": 5, "c": {"d": torch.arange(3)}, 7: torch.ones(2), "7": None}}
    snapstate.save(path, values=kept, read_back=False)
    for live in ({}, {"number": {1: "b"}, "dot": {"a": {"b": 1}}, "tensor": {"c": {"d": 0}}}):
        receipt = snapstate.restore(path, values=live)
        tap.ok(receipt.complete and seen(live) == seen(kept), "keys whose paths read alike", live)
    other = {**kept, "dot": {"a.b": 1, "a": {"b": 3}}}
    snapstate.save(work / "other.snap.tar", values=other, read_back=False)
    found = [entry.text for entry in snapstate.diff(path, work / "other.snap.tar")]
    tap.ok(len(found) == 1 and "values/dot.a.b" in found[0], "and are told apart in a diff", found)


def names(tap, work):
    path = work / "names.snap.tar"
    for kind, one, other, told in (
            ("function", function, other_function, ":function"),
            ("class", Training, Tap, "state_cases:Training"),
            ("named tuple", Point(1, 2), (1, 2), "named tuple"),
            ("function that is gone", function, None, ":function")):
        live = {"count": 5, "thing": other}
        snapstate.save(path, values={"count": 1, "thing": one}, read_back=False)
        fails(tap, snapstate.AbsentError, f"values.thing: the archive has .*{told}.*, and the "
                                          f"program .*: it must be the same",
              f"another {kind} under that name", snapstate.restore, path, values=live)
        tap.ok(live == {"count": 5, "thing": other}, f"another {kind}: nothing was changed", live)


def shared(tap, work):
    """Memory of the model in the values: one memory behind a restore."""
    def build():
        objects, step = regression(adam)()
        first, last = objects["model"][0].weight, objects["model"][3].weight
        lent = {"weight": first, "row": last.detach()[1], "array": first.detach().numpy(),
                "leaf": torch.zeros(3, requires_grad=True),
                "result": torch.ones(3, requires_grad=True) * 2, "sum": np.zeros(6)}

        def step_and_sum():
            loss = step()
            lent["sum"] += lent["array"].sum(1)
            return loss
        return {**objects, "values": lent}, step_and_sum
    for warm in (0, 1):
        _, second, _ = journey(tap, work / "shared.snap.tar", f"values that share memory with the "
                               f"model, {warm} steps before", build, warm=warm)
        lent, model = second.objects["values"], second.objects["model"]
        tap.ok(lent["weight"] is model[0].weight and
               lent["row"].data_ptr() == model[3].weight[1].data_ptr() and
               lent["array"].ctypes.data == model[0].weight.data_ptr(), "they still do")
    path = work / "shared.snap.tar"

    def without_array():
        objects, step = build()
        del objects["values"]["array"]
        objects["values"].pop("sum")
        return objects, lambda: None
    begun(without_array, path)
    other = Training(without_array, seed=2)
    del other.objects["values"]["row"]
    snapstate.restore(path, **other.objects)
    row, last = other.objects["values"]["row"], other.objects["model"][3].weight
    tap.ok(row.data_ptr() == last[1].data_ptr() and not row.requires_grad,
           "a new one is a view of the parameter that it shared memory with")
    begun(build, path)
    other = Training(build, seed=2)
    other.objects["values"]["row"] = other.objects["values"]["row"].clone()
    before = seen(other.objects["values"])
    snapstate.restore(path, **other.objects)
    tap.ok(other.objects["values"]["row"].data_ptr() ==
           other.objects["model"][3].weight[1].data_ptr() and before[0] == "dict",
           "one that had its own memory here shares it again")


def arrays(tap, work):
    """Weights without a module."""
    path = work / "arrays.snap.tar"
    weights = {"w": np.ones((2, 3)), "b": np.zeros(3)}
    snapstate.save(path, model=weights, values={"t": 1}, read_back=False)
    live = {"w": np.zeros((2, 3)), "b": np.ones(3)}
    held = live["w"]
    receipt = snapstate.restore(path, model=live, values={"t": 5})
    tap.ok(live["w"] is held and (held == 1).all() and receipt.complete, "a dict of arrays")
    held[:] = 5
    receipt = snapstate.restore(path, model=live, require="weights")
    tap.ok((held == 1).all() and receipt.tier == "weights", "and those alone", receipt)
    live = [np.zeros(3), torch.ones(2)]
    snapstate.save(path, model=live, read_back=False)
    live[0] += 1
    live[1] *= 3
    snapstate.restore(path, model=live)
    tap.ok(live[0].sum() == 0 and live[1].sum() == 2, "a list of arrays and tensors")
    frozen = {"w": np.zeros(3)}
    snapstate.save(path, model=frozen, read_back=False)
    frozen["w"].flags.writeable = False
    snapstate.restore(path, model=frozen)
    tap.ok(frozen["w"].flags.writeable, "an array that NumPy will not write to is replaced")


def main():
    tap = Tap()
    if torch is None:
        tap.skip("values", "torch or NumPy is not installed")
        return tap.done()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        for part in (kinds, alike, names, shared, arrays):
            part(tap, Path(name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
