# SPDX-License-Identifier: Apache-2.0
"""What stands in the archive beside what is live: the value as it will be after the restore.

A tensor that is live and agrees with the archive's is filled in place, so that whoever points to it
(a captured graph, a fused kernel's list, a bucket) stays right. Where none is live, a new one is
made as the archive has it. Plain values are the archive's.
"""

from __future__ import annotations

import collections
import copy
import re
import reprlib
from dataclasses import dataclass
from typing import Any, Callable, Iterable, List, Optional

from .. import tensors, tree
from .._dtypes import FLOATING, loaded
from ..errors import CaptureError, UnsupportedError
from ..tensors import TensorMemory
from .component import Plan
from .storages import Storages, is_archived, strides_agree

# Stand-ins of a decoded tree for which the program has nothing of that name: see tree.adopt().
_NAMES = (tree.FunctionName, tree.EnumName, tree.NamedFields, tree.DefaultDict, tree.DtypeName,
          tree.DeviceName, tree.ScalarBits)
_MAPS = (dict, collections.OrderedDict, collections.Counter, collections.defaultdict)


class Missing:
    """What the live side has where it has nothing."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = Missing()


def join(path: str, key: Any) -> str:
    """The path of what stands under `key`: optimizer.param_groups[0].lr"""
    if isinstance(key, str) and re.fullmatch(r"[A-Za-z0-9_~][A-Za-z0-9_.-]*", key):
        return f"{path}.{key}"
    return f"{path}[{reprlib.repr(key)}]"


def memory_of(value: Any, path: str) -> Optional[TensorMemory]:
    """The memory of a tensor or array, None of anything else; CaptureError names the path."""
    try:
        return tensors.describe(value)
    except CaptureError as problem:
        raise CaptureError(f"{path}: {problem}", path=path) from None


def framework_of(archived: Any, live: Any = MISSING) -> str:
    """Is it to be a tensor of "torch" or an array of "numpy"? Said by the archive, and where it
    does not say, by what is live."""
    if getattr(archived, "is_array", False):
        return "numpy"
    return framework_of_value(live) or ("torch" if loaded("torch") is not None else "numpy")


def framework_of_value(value: Any) -> Optional[str]:
    """The library of a tensor or array; None of anything else."""
    torch, numpy = loaded("torch"), loaded("numpy")
    if torch is not None and isinstance(value, torch.Tensor):
        return "torch"
    return "numpy" if numpy is not None and isinstance(value, numpy.ndarray) else None


def device_for(archived: Any, like: Any) -> Any:
    """Where a new torch tensor goes: the kind of device that it was on, and of several the one of
    `like`, a tensor that it belongs to."""
    torch = loaded("torch")
    if archived.device != "cuda" or torch is None or not torch.cuda.is_available():
        return "cpu"
    if isinstance(like, torch.Tensor) and like.device.type == "cuda":
        return like.device
    return torch.device("cuda", torch.cuda.current_device())


def _is_tuple(value: Any) -> bool:
    """A tuple or a named one; torch.Size holds numbers, and is one value."""
    return type(value) is tuple or isinstance(value, tuple) and hasattr(value, "_fields")


def assign(live: Any, after: Any) -> Any:
    """What goes where `live` stands, so that it is `after`: a live dict, list or deque is changed
    in place, with all below it, and given back."""
    own: Any
    if isinstance(after, _MAPS):
        own = live if isinstance(live, dict) else {}
        items = [(key, assign(own.get(key, MISSING), item)) for key, item in after.items()]
        if type(live) is not type(after):
            live = copy.copy(after)
        elif isinstance(live, collections.OrderedDict):
            vars(live).clear()
            vars(live).update(vars(after))
        live.clear()
        for key, item in items:
            live[key] = item
        return live
    if type(after) in (list, collections.deque):
        own = live if type(live) is type(after) else []
        items = [assign(own[at] if at < len(own) else MISSING, item)
                 for at, item in enumerate(after)]
        if type(after) is list:
            live = own
            live[:] = items
            return live
        if type(live) is not type(after) or live.maxlen != after.maxlen:
            return collections.deque(items, after.maxlen)
        live.clear()
        live.extend(items)
        return live
    if _is_tuple(after):
        alike = isinstance(live, tuple) and len(live) == len(after)
        own = live if alike else (MISSING,) * len(after)
        return tuple.__new__(type(after), [assign(old, item) for old, item in zip(own, after)])
    return after


def copy_containers(value: Any) -> Any:
    """The same tree in new dicts, lists and so on; the leaves are the same objects."""
    return assign(MISSING, value)


@dataclass(frozen=True)
class _Place:
    """What may be done at a place of the tree: see Planner.value()."""

    owned: bool
    fresh: bool
    like: Any


class Planner:
    """Makes one plan. `storages` knows what shares memory; `path` of every method is the place in
    the tree."""

    def __init__(self, root: str, storages: Storages) -> None:
        self.plan = Plan(root)
        self.storages = storages

    def problem(self, path: str, text: str) -> None:
        self.plan.problems.append(f"{path}: {text}")

    def value(self, live: Any, archived: Any, path: str, *, owned: bool, fresh: bool = False,
              like: Any = None) -> Any:
        """The value after the restore, where the live side has `live` (MISSING: nothing).
        Functions, enums and named tuples are the program's own, when those have the archive's
        names; else the live ones stay, and that is a problem.

        `owned`: a tensor that does not agree with the archive's is replaced by a new one; else it
        stays, and that is a problem. `fresh`: every tensor is a new one. `like`: see
        device_for()."""
        adopted, problems = tree.adopt(archived, live, path=path)
        self.plan.problems += problems
        return self._value(live, adopted, path, _Place(owned, fresh, like))

    def _value(self, live: Any, archived: Any, path: str, place: _Place) -> Any:
        kind = type(archived)
        if is_archived(archived):
            return self.tensor(live, archived, path, place)
        if kind in _NAMES:
            return None if live is MISSING else live
        if kind in _MAPS:
            own = live if isinstance(live, dict) else {}
            after = copy.copy(archived)
            after.clear()
            for key, item in archived.items():
                after[key] = self._value(own.get(key, MISSING), item, join(path, key), place)
            return after
        if kind in (list, collections.deque) or _is_tuple(archived):
            known = isinstance(live, (list, tuple, collections.deque))
            items = [self._value(live[at] if known and at < len(live) else MISSING, item,
                                 join(path, at), place) for at, item in enumerate(archived)]
            if kind is collections.deque:
                return collections.deque(items, archived.maxlen)
            return items if kind is list else tuple.__new__(kind, items)
        return archived

    def tensor(self, live: Any, archived: Any, path: str, place: _Place) -> Any:
        """The tensor after the restore, whose elements the library will write."""
        framework = framework_of(archived, live)
        if place.fresh:
            return self.new(archived, path, framework, place.like)
        memory = None if live is MISSING else memory_of(live, path)
        if memory is None:
            if place.owned:
                return self.new(archived, path, framework, place.like)
            self.problem(path, "a tensor in the archive, and here there is none")
            return None if live is MISSING else live
        faults = self.differences(memory, archived)
        if not faults:
            conflict = self.storages.bind(archived, memory, path)
            if conflict is not None:
                faults.append(conflict)
        if faults and place.owned:
            return self.new(archived, path, framework, live if place.like is None else place.like)
        for fault in faults:
            self.problem(path, fault)
        if memory.dtype == archived.dtype and memory.shape == tuple(archived.shape) and \
                memory.writable:
            self._keep_requires_grad(live, memory, archived, path)
        return live

    def differences(self, memory: TensorMemory, archived: Any) -> List[str]:
        """What keeps a live tensor from being the archive's, sharing aside."""
        found = []
        pairs = [("dtype", archived.dtype, memory.dtype),
                 ("shape", list(archived.shape), list(memory.shape)),
                 ("device", archived.device, memory.device)]
        found += [f"{name} {was} in the archive, {is_now} here" for name, was, is_now in pairs
                  if was != is_now]
        if list(archived.shape) == list(memory.shape) and not strides_agree(memory, archived):
            found.append(f"strides {list(archived.strides)} in the archive, {list(memory.strides)} "
                         f"here: give it the same memory format before the restore")
        if framework_of(archived, memory.owner) != memory.framework:
            found.append(f"of another library than in the archive: {memory.framework} here")
        if not memory.writable:
            found.append("an array that NumPy will not write to")
        return found

    def _keep_requires_grad(self, live: Any, memory: TensorMemory, archived: Any,
                            path: str) -> None:
        wanted = bool(archived.requires_grad)
        if memory.framework != "torch" or wanted == memory.requires_grad:
            return
        if live.is_leaf and (not wanted or memory.dtype in FLOATING):
            self.plan.when_attached(lambda: live.requires_grad_(wanted))
        else:
            self.problem(path, f"requires_grad {wanted} in the archive, {not wanted} here, and it "
                               f"cannot be set: it is no leaf of the autograd graph")

    def new(self, archived: Any, path: str, framework: str, like: Any = None) -> Any:
        """A new tensor or array as the archive has it."""
        try:
            made, problem = self.storages.make(archived, framework, device_for(archived, like))
        except UnsupportedError as problem:
            raise UnsupportedError(f"{path}: {problem}") from None
        if problem is not None:
            self.problem(path, problem)
        if not self.storages.surveying:
            now = tensors.describe(made)
            assert now is not None  # it is a tensor or an array, made above
            if now.device != archived.device:
                self.problem(path, f"device {archived.device} in the archive, {now.device} here")
        return made

    def keep(self, live: Any, reason: str) -> Plan:
        """The plan that leaves the root as it is."""
        self.plan.value = live
        self.problem(self.plan.root, f"{reason}: left as it is")
        return self.plan

    def same_keys(self, known: Iterable[Any], live: Iterable[Any], path: str,
                  what: Callable[[Any], str]) -> None:
        """Note what only one side has; `what` names the thing of a key."""
        here, there = set(live), set(known)
        for key in known:
            if key not in here:
                self.problem(path, f"{what(key)} is in the archive, and not here")
        for key in live:
            if key not in there:
                self.problem(path, f"{what(key)} is here, and not in the archive: left as it is")
