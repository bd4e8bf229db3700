# SPDX-License-Identifier: Apache-2.0
"""States of random generators as plain values, and where an object holds generators.

A state is a dict of str, int, bytes, None and such dicts; `kind` says whose it is:

    python_random       words: 625 little-endian 32-bit words (key and position), gauss, version
    numpy_random_state  state: that of its bit generator, has_gauss, gauss
    numpy_generator     state: that of its bit generator
    torch               state: the bytes of get_state(), device

Doubles are text in C's hexadecimal form, arrays are {"array": NumPy's type code, "bytes": ...}.
This module runs in the workers of a loader too: it needs neither NumPy nor the library.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import random
import struct
import sys
import types
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

State = Dict[str, Any]

PYTHON_WORDS = struct.Struct("<625I")

# The walk for generators goes no further than this. Lists and dicts of samples are long and hold
# none; what holds generators is a dataset, its transforms, and theirs.
DEEPEST = 6
LONGEST = 64
MOST_NODES = 2000


def numpy() -> Any:
    """The module, or None when nothing imported it: without it no generator of its can exist."""
    return sys.modules.get("numpy")


def _tensor_bytes(tensor: Any) -> bytes:
    return ctypes.string_at(tensor.data_ptr(), tensor.numel())


def _tensor(torch: Any, data: bytes) -> Any:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def _hex(value: Optional[float]) -> Optional[str]:
    return None if value is None else float(value).hex()


def _plain(value: Any) -> Any:
    """A state of a NumPy bit generator without NumPy's types."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if hasattr(value, "tobytes") and getattr(value, "ndim", 0) > 0:
        return {"array": value.dtype.str, "bytes": value.tobytes()}
    return value if isinstance(value, str) else int(value)


def _numpy_value(value: Any) -> Any:
    if isinstance(value, dict):
        if "array" in value:
            return numpy().frombuffer(value["bytes"], value["array"]).copy()
        return {key: _numpy_value(item) for key, item in value.items()}
    return value


def kind_of(generator: Any) -> Optional[str]:
    """The kind of a generator whose state can be read and set; None: it is none."""
    if isinstance(generator, random.Random):
        return None if isinstance(generator, random.SystemRandom) else "python_random"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(generator, torch.Generator):
        return "torch"
    module = numpy()
    if module is not None:
        if isinstance(generator, module.random.RandomState):
            return "numpy_random_state"
        if isinstance(generator, (module.random.Generator, module.random.BitGenerator)):
            return "numpy_generator"
    return None


def read(generator: Any, kind: Optional[str] = None) -> State:
    """The state of a generator of one of the kinds above."""
    kind = kind or kind_of(generator)
    if kind == "python_random":
        version, words, gauss = generator.getstate()
        return {"kind": kind, "version": version, "words": PYTHON_WORDS.pack(*words),
                "gauss": _hex(gauss)}
    if kind == "torch":
        return {"kind": kind, "device": str(generator.device),
                "state": _tensor_bytes(generator.get_state())}
    if kind == "numpy_random_state":
        state = generator.get_state(legacy=False)
        return {"kind": kind, "has_gauss": int(state.pop("has_gauss")),
                "gauss": _hex(state.pop("gauss")), "state": _plain(state)}
    return {"kind": "numpy_generator", "state": _plain(_bits(generator).state)}


def write(generator: Any, state: State) -> None:
    """Set a generator where `state`, from read(), says."""
    kind = state["kind"]
    if kind == "python_random":
        gauss = state["gauss"]
        generator.setstate((state["version"], PYTHON_WORDS.unpack(state["words"]),
                            None if gauss is None else float.fromhex(gauss)))
    elif kind == "torch":
        generator.set_state(_tensor(sys.modules["torch"], state["state"]))
    elif kind == "numpy_random_state":
        generator.set_state({**_numpy_value(state["state"]), "has_gauss": state["has_gauss"],
                             "gauss": float.fromhex(state["gauss"])})
    else:
        _bits(generator).state = _numpy_value(state["state"])


def make(state: State) -> Any:
    """A new generator that stands where `state` says."""
    kind = state["kind"]
    if kind == "python_random":
        generator: Any = random.Random()
    elif kind == "torch":
        generator = sys.modules["torch"].Generator(state["device"])
    else:
        import numpy as module
        bits = getattr(module.random, state["state"]["bit_generator"])()
        generator = (module.random.RandomState(bits) if kind == "numpy_random_state" else
                     module.random.Generator(bits))
    write(generator, state)
    return generator


def _bits(generator: Any) -> Any:
    return getattr(generator, "bit_generator", generator)


# ---- the global generators of a process ----


def global_generators() -> Dict[str, Any]:
    """Those that modules draw from: Python's; torch's for the CPU and NumPy's if they are there."""
    found = {"python": random.getstate.__self__}  # type: ignore[attr-defined]
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].default_generator
    if numpy() is not None:
        found["numpy"] = numpy().random.get_state.__self__
    return found


def read_globals() -> Dict[str, State]:
    """Their states by name."""
    return {name: read(generator) for name, generator in global_generators().items()}


def write_globals(states: Dict[str, State]) -> None:
    """Set those that `states` names."""
    for name in {"numpy", "torch"} & states.keys():
        importlib.import_module(name)  # its generator is there from now on
    present = global_generators()
    for name, state in states.items():
        write(present[name], state)


# ---- generators that an object holds ----


class Slot(NamedTuple):
    """Where a generator is held: an attribute, or an item of a list or dict."""

    path: str
    holder: Any
    key: Any

    def get(self) -> Any:
        """What is there now; None: nothing."""
        if isinstance(self.holder, dict):
            return self.holder.get(self.key)
        return self.holder[self.key]

    def put(self, generator: Any) -> None:
        """Hold a generator there; TypeError: in a tuple nothing can be put."""
        self.holder[self.key] = generator


def _fields(value: Any) -> Any:
    """What a value holds, as a dict, list or tuple. User code is not called."""
    if isinstance(value, (dict, list, tuple)):
        return value
    if isinstance(value, types.MethodType):
        return {"__self__": value.__self__}
    if isinstance(value, functools.partial):
        return {"func": value.func, "args": value.args, "keywords": value.keywords}
    try:
        return object.__getattribute__(value, "__dict__")
    except AttributeError:
        return ()


def _children(value: Any) -> Iterator[Tuple[Any, Any, Any]]:
    """(holder, key, item) for what a value holds directly."""
    fields = _fields(value)
    if len(fields) > LONGEST and fields is value:
        return
    if isinstance(fields, dict):
        for key, item in fields.items():
            if isinstance(key, int) or isinstance(key, str) and "." not in key:
                yield fields, key, item
    else:
        for key, item in enumerate(fields):
            yield fields, key, item


def _leaves() -> Tuple[type, ...]:
    """Types whose values hold no generators, or that are not the user's."""
    found: Tuple[type, ...] = (type(None), bool, int, float, complex, str, bytes, type,
                               types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
    if "torch" in sys.modules:
        found += (sys.modules["torch"].Tensor,)
    module = numpy()
    if module is not None:
        found += (module.ndarray, module.generic)
    return found


def _identity(value: Any) -> int:
    """Equal for generators that draw from one and the same state."""
    module = numpy()
    if module is not None and isinstance(value, module.random.Generator):
        return id(value.bit_generator)
    return id(value)


class Walk:
    """The generators that `root` holds, at any depth within the limits above, each once; none of
    the process's global ones, and nothing inside the objects `apart`.

    slots   where they are, paths that begin with `name`
    nodes   how many objects were looked at
    """

    def __init__(self, root: Any, name: str, apart: Tuple[Any, ...] = ()) -> None:
        self.nodes = 0
        self.slots: List[Slot] = []
        self._leaves = _leaves()
        self._seen = {id(generator) for generator in global_generators().values()}
        self._seen.update(_identity(item) for item in apart)
        self._visit(root, name, 0)

    def _visit(self, value: Any, path: str, depth: int) -> None:
        for holder, key, item in _children(value):
            if self.nodes >= MOST_NODES:
                return
            self.nodes += 1
            if isinstance(item, self._leaves) or _identity(item) in self._seen:
                continue
            self._seen.add(_identity(item))
            inner = f"{path}.{key}"
            if kind_of(item) is not None:
                self.slots.append(Slot(inner, holder, key))
            elif depth < DEEPEST:
                self._visit(item, inner, depth + 1)

    def generators(self) -> Dict[str, Any]:
        """By path."""
        return {slot.path: slot.get() for slot in self.slots}


def find_slot(root: Any, name: str, path: str) -> Optional[Slot]:
    """The slot of `path`, as a Walk over `root` named it, whether something is there or not; None:
    the object that would hold it is not there."""
    keys = path[len(name) + 1:].split(".")
    value: Any = root
    for depth, key in enumerate(keys):
        fields = _fields(value)
        if isinstance(fields, dict):
            index: Any = next((own for own in fields if str(own) == key), key)
        elif key.isdecimal() and int(key) < len(fields):
            index = int(key)
        else:
            return None
        slot = Slot(path, fields, index)
        if depth == len(keys) - 1:
            return slot
        value = slot.get()
    return None
