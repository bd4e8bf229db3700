# SPDX-License-Identifier: Apache-2.0
"""Python values to nodes of state.json; see tree.py."""

from __future__ import annotations

import collections
import enum
import struct
import types
from typing import Any, Callable, Dict, List, Set

from . import errors
from ._dtypes import loaded, numpy_name
from ._tree_names import DefaultDict, DeviceName, DtypeName, EnumName, FunctionName, NamedFields
from ._tree_names import ScalarBits, Size, enum_name, is_named_tuple, name_of
from ._tree_text import Node, PLAIN_INT, Place, encoded_text, format_place, has_plain_keys
from ._tree_text import is_plain_text
from .tensors import TensorMemory, describe

MAX_DEPTH = 32
MAX_PATH_BYTES = 1024
MAX_DIGITS = 4300

_NOT_SAFE = "a value of type {} has no safe form"
_HINTS = {
    "torch.nn.modules": "keep its state_dict()",
    "torch.optim": "keep its state_dict()",
    "torch._C.Generator": "register it as a stream",
    "numpy.random": "register it as a stream",
    "random.Random": "register it as a stream",
    "pathlib": "keep str() of it",
    "datetime": "keep isoformat() of it",
    "functools.partial": "keep the name of the function and its arguments",
    "builtins.method": "keep what it needs as values",
}


class Encoder:
    """One call of encode(): the memories found, and how each type is encoded. A method for a type
    takes the value, its place, the length of its path in the format (a dot for each key) and the
    depth of its node in state.json."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.memories: List[TensorMemory] = []
        self.no_tensors = ""  # why none may come here
        self.methods: Dict[type, Callable[..., Node]] = dict(_METHODS)
        self.torch, self.numpy = loaded("torch"), loaded("numpy")
        if self.torch is not None:
            self.methods[self.torch.Tensor] = Encoder.on_tensor
            self.methods[self.torch.nn.Parameter] = Encoder.on_tensor
            self.methods[self.torch.Size] = Encoder.on_size
            self.methods[self.torch.dtype] = Encoder.on_torch_dtype
            self.methods[self.torch.device] = Encoder.on_device

    # ---- helpers ----

    def refuse(self, why: str, place: Place) -> errors.CaptureError:
        path = format_place(place, self.root)
        return errors.CaptureError(f"{path}: {why}", path=path)

    def enter(self, value: Any, place: Place, key: Any, length: int, deepest: int) -> Place:
        """The place of `value`, whose node reaches the depth `deepest` by itself."""
        here = (place, key, id(value))
        self.insist(here, length, deepest)
        return here

    def insist(self, here: Place, length: int, deepest: int) -> None:
        """That what stands here keeps the format's limits."""
        if deepest > MAX_DEPTH:
            raise self.refuse(self._too_deep(here), here)
        if length - 1 > MAX_PATH_BYTES:
            raise self.refuse(f"its path has {length - 1} bytes: the format has {MAX_PATH_BYTES} "
                              f"at most; use shorter keys", here)

    def _too_deep(self, here: Place) -> str:
        place: Place = here
        seen: Set[int] = set()
        while place is not None:
            if place[2] in seen:
                return "contains itself: an archive holds trees only"
            if place[1] is not None or place[0] is None:
                seen.add(place[2])
            place = place[0]
        return (f"is nested too deeply: state.json is {MAX_DEPTH} deep at most, and a dict takes 3 "
                f"of these, a list 2, a tuple 5; flatten it")

    def node(self, value: Any, place: Place, key: Any, length: int, depth: int) -> Node:
        method = self.methods.get(type(value))
        here = self.enter(value, place, key, length, depth)
        if method is not None:
            return method(self, value, here, length, depth)
        return self.on_other(value, here, length, depth)

    def tagged(self, tag: str, inner: Any, here: Place, length: int, depth: int,
               method: "Callable[..., Node] | None" = None) -> Node:
        """{tag: inner}: a map of one key; `method` encodes `inner`, or else its type's does."""
        length, depth = length + len(tag) + 1, depth + 3
        at = self.enter(inner, here, None, length, depth)
        encode = method or self.methods[type(inner)]
        return {"map": [[tag, encode(self, inner, at, length, depth)]]}

    # ---- plain values ----

    def on_null(self, value: None, here: Place, length: int, depth: int) -> Node:
        return {"null": None}

    def on_bool(self, value: bool, here: Place, length: int, depth: int) -> Node:
        return {"bool": value}

    def on_int(self, value: int, here: Place, length: int, depth: int) -> Node:
        if -PLAIN_INT <= value <= PLAIN_INT:
            return {"int": value}
        try:
            digits = str(value)
        except ValueError:
            digits = ""
        if not digits or len(digits.lstrip("-")) > MAX_DIGITS:
            raise self.refuse(f"an integer of more digits than {MAX_DIGITS}, or than "
                              f"sys.set_int_max_str_digits() allows, has no form", here)
        return {"int": digits}

    def on_float(self, value: float, here: Place, length: int, depth: int) -> Node:
        return {"float": struct.pack(">d", value).hex()}

    def on_str(self, value: str, here: Place, length: int, depth: int) -> Node:
        if is_plain_text(value):
            return {"string": value}
        return self.tagged("~text", value.encode("utf-8", "surrogatepass"), here, length, depth)

    def on_bytes(self, value: bytes, here: Place, length: int, depth: int) -> Node:
        return {"bytes": value.hex()}

    def on_bytearray(self, value: bytearray, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~bytearray", bytes(value), here, length, depth)

    def on_complex(self, value: complex, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~complex", [value.real, value.imag], here, length, depth)

    def on_slice(self, value: slice, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~slice", [value.start, value.stop, value.step], here, length, depth)

    def on_range(self, value: range, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~range", [value.start, value.stop, value.step], here, length, depth)

    # ---- containers ----

    def on_list(self, value: Any, here: Place, length: int, depth: int) -> Node:
        self.insist(here, length, depth + 1)
        depth += 2
        return {"list": [self.node(item, here, index, length + len(str(index)) + 1, depth)
                         for index, item in enumerate(value)]}

    def on_tuple(self, value: tuple, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~tuple", value, here, length, depth, Encoder.on_list)

    def on_size(self, value: tuple, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~size", value, here, length, depth, Encoder.on_list)

    def on_dict(self, value: Dict[Any, Any], here: Place, length: int, depth: int) -> Node:
        if not has_plain_keys(value):
            return self.tagged("~items", value, here, length, depth, Encoder.pairs)
        if len(value) == 1:
            (key,) = value
            if type(key) is str and key.startswith("~"):
                return self.tagged("~dict", value, here, length, depth, Encoder.map)
        return self.map(value, here, length, depth)

    def map(self, value: Dict[Any, Any], here: Place, length: int, depth: int) -> Node:
        self.insist(here, length, depth + 1)
        depth += 3
        entries = []
        for key, item in value.items():
            text = key if type(key) is str else str(key)
            size = len(text) if text.isascii() else len(text.encode("utf-8"))
            entries.append([key, self.node(item, here, key, length + size + 1, depth)])
        return {"map": entries}

    def pairs(self, value: Dict[Any, Any], here: Place, length: int, depth: int) -> Node:
        """A list of [key, value], for keys that a map of the format cannot have."""
        self.insist(here, length, depth + 1)
        entries = []
        for index, (key, item) in enumerate(value.items()):
            where = length + len(str(index)) + 1
            pair = self.enter(key, here, None, where, depth + 3)
            before, self.no_tensors = self.no_tensors, "a tensor cannot be a key of a dict"
            try:
                first = self.node(key, pair, None, where + 2, depth + 4)
            finally:
                self.no_tensors = before
            place = self.enter(item, here, key, where + 2, depth + 4)
            entries.append({"list": [first, self.at(item, place, where + 2, depth + 4)]})
        return {"list": entries}

    def at(self, value: Any, here: Place, length: int, depth: int) -> Node:
        method = self.methods.get(type(value), Encoder.on_other)
        return method(self, value, here, length, depth)

    def plain_or_pairs(self, value: Dict[Any, Any], here: Place, length: int, depth: int) -> Node:
        method = Encoder.map if has_plain_keys(value) else Encoder.pairs
        return method(self, value, here, length, depth)

    def on_ordered(self, value: Any, here: Place, length: int, depth: int) -> Node:
        if vars(value):
            return self.state_dict(value, here, length, depth)
        return self.tagged("~ordered", value, here, length, depth, Encoder.plain_or_pairs)

    def state_dict(self, value: Any, here: Place, length: int, depth: int) -> Node:
        """What torch.nn.Module.state_dict() gives: an OrderedDict with the attribute _metadata."""
        if set(vars(value)) != {"_metadata"}:
            raise self.refuse("an OrderedDict with attributes of its own has no safe form: keep "
                              "dict() of it", here)
        return self.two_parts("~state_dict", "metadata", value._metadata, value, here, length,
                              depth)

    def two_parts(self, tag: str, name: str, part: Any, value: Any, here: Place, length: int,
                  depth: int) -> Node:
        """{tag: {name: part, "items": the items of `value`}}"""
        def parts(self: Encoder, value: Any, here: Place, length: int, depth: int) -> Node:
            depth += 3
            first = self.node(part, here, name, length + len(name) + 1, depth)
            length += len("items.")
            items = self.enter(value, here, None, length, depth)
            return {"map": [[name, first],
                            ["items", self.plain_or_pairs(value, items, length, depth)]]}
        return self.tagged(tag, value, here, length, depth, parts)

    def on_counter(self, value: Any, here: Place, length: int, depth: int) -> Node:
        if vars(value):
            raise self.refuse("a Counter with attributes has no safe form: keep dict() of it", here)
        return self.tagged("~counter", value, here, length, depth, Encoder.plain_or_pairs)

    def on_defaultdict(self, value: Any, here: Place, length: int, depth: int) -> Node:
        return self.two_parts("~defaultdict", "factory", value.default_factory, value, here, length,
                              depth)

    def on_default_name(self, value: DefaultDict, here: Place, length: int, depth: int) -> Node:
        return self.two_parts("~defaultdict", "factory", value.factory, value, here, length, depth)

    def on_deque(self, value: Any, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~deque", {"items": list(value), "maxlen": value.maxlen}, here, length,
                           depth)

    def on_set(self, value: Any, here: Place, length: int, depth: int) -> Node:
        tag = "~set" if type(value) is set else "~frozenset"
        return self.tagged(tag, value, here, length, depth, Encoder.sorted)

    def sorted(self, value: Any, here: Place, length: int, depth: int) -> Node:
        """A list in the order of the elements' encoded texts."""
        before, self.no_tensors = self.no_tensors, "a tensor cannot be in a set"
        try:
            node = self.on_list(value, here, length, depth)
        finally:
            self.no_tensors = before
        node["list"].sort(key=encoded_text)
        return node

    # ---- tensors ----

    def on_tensor(self, value: Any, here: Place, length: int, depth: int) -> Node:
        try:
            memory = describe(value)
        except errors.CaptureError as problem:
            raise self.refuse(str(problem), here) from None
        if memory is None:
            return self.on_other(value, here, length, depth)
        if self.no_tensors:
            raise self.refuse(self.no_tensors, here)
        self.insist(here, length, depth + 2)
        self.memories.append(memory)
        return {"tensor": {"device": memory.device, "dtype": memory.dtype, "offset": 0,
                           "requires_grad": memory.requires_grad, "shape": list(memory.shape),
                           "storage": len(self.memories) - 1, "strides": list(memory.strides)}}

    def on_array(self, value: Any, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~array", value, here, length, depth, Encoder.on_tensor)

    def on_scalar(self, value: Any, here: Place, length: int, depth: int) -> Node:
        dtype = numpy_name(value.dtype)
        if dtype is None:
            raise self.refuse(f"the format has no element type for NumPy's {value.dtype}", here)
        return self.on_scalar_bits(ScalarBits(dtype, value.tobytes()), here, length, depth)

    def on_scalar_bits(self, value: ScalarBits, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~scalar", [value.dtype, value.data], here, length, depth)

    # ---- names ----

    def on_torch_dtype(self, value: Any, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~dtype", str(value), here, length, depth)

    def on_device(self, value: Any, here: Place, length: int, depth: int) -> Node:
        return self.tagged("~device", str(value), here, length, depth)

    def on_named(self, value: Any, here: Place, length: int, depth: int) -> Node:
        tag = "~dtype" if type(value) is DtypeName else "~device"
        return self.tagged(tag, value.name, here, length, depth)

    def on_function(self, value: Any, here: Place, length: int, depth: int) -> Node:
        name = value.name if type(value) is FunctionName else name_of(value)
        if name is None:
            raise self.refuse(f"{_NOT_SAFE.format('function')}: {value!r} is not found again by "
                              f"its name; define it at the top of a module, or keep what it needs",
                              here)
        return self.tagged("~function", name, here, length, depth)

    def on_enum(self, value: Any, here: Place, length: int, depth: int) -> Node:
        name = value if type(value) is EnumName else enum_name(value)
        if name is None:
            raise self.refuse(f"{_NOT_SAFE.format('enum')}: {value!r} is not found again by its "
                              f"name; keep its value", here)
        return self.tagged("~enum", [name.type, name.member], here, length, depth)

    def on_named_tuple(self, value: Any, here: Place, length: int, depth: int) -> Node:
        if type(value) is NamedFields:
            return self.tagged("~namedtuple", [value.type, dict(value)], here, length, depth)
        name = name_of(type(value))
        if name is None or getattr(value, "__dict__", None):
            raise self.refuse(f"a named tuple of {type(value).__qualname__} has no safe form: its "
                              f"class is not found again by its name, or it holds more than its "
                              f"fields; keep tuple() of it", here)
        fields = dict(zip(type(value)._fields, value))
        return self.tagged("~namedtuple", [name, fields], here, length, depth)

    def on_other(self, value: Any, here: Place, length: int, depth: int) -> Node:
        """A value of none of the exact types of `methods`."""
        numpy = self.numpy
        if isinstance(value, enum.Enum):
            return self.on_enum(value, here, length, depth)
        if self.torch is not None and isinstance(value, self.torch.Tensor):
            return self.on_tensor(value, here, length, depth)
        if numpy is not None:
            if isinstance(value, numpy.ndarray):
                return self.on_array(value, here, length, depth)
            if isinstance(value, numpy.generic):
                return self.on_scalar(value, here, length, depth)
            if isinstance(value, numpy.dtype) and value.isnative and numpy_name(value):
                return self.tagged("~dtype", f"numpy.{value.name}", here, length, depth)
        if isinstance(value, type):
            return self.on_function(value, here, length, depth)
        if is_named_tuple(value):
            return self.on_named_tuple(value, here, length, depth)
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        hint = next((text for start, text in _HINTS.items() if name.startswith(start)),
                    "keep what it holds as numbers, text, lists, dicts and tensors")
        raise self.refuse(f"{_NOT_SAFE.format(name)}: {hint}", here)


_METHODS: Dict[type, Callable[..., Node]] = {
    type(None): Encoder.on_null, bool: Encoder.on_bool, int: Encoder.on_int,
    float: Encoder.on_float,
    str: Encoder.on_str, bytes: Encoder.on_bytes, bytearray: Encoder.on_bytearray,
    complex: Encoder.on_complex, slice: Encoder.on_slice, range: Encoder.on_range,
    list: Encoder.on_list,
    tuple: Encoder.on_tuple, dict: Encoder.on_dict, set: Encoder.on_set, frozenset: Encoder.on_set,
    collections.OrderedDict: Encoder.on_ordered, collections.Counter: Encoder.on_counter,
    collections.defaultdict: Encoder.on_defaultdict, collections.deque: Encoder.on_deque,
    types.FunctionType: Encoder.on_function, types.BuiltinFunctionType: Encoder.on_function,
    type: Encoder.on_function, FunctionName: Encoder.on_function, EnumName: Encoder.on_enum,
    DtypeName: Encoder.on_named, DeviceName: Encoder.on_named, ScalarBits: Encoder.on_scalar_bits,
    Size: Encoder.on_size, NamedFields: Encoder.on_named_tuple,
    DefaultDict: Encoder.on_default_name,
}
