# SPDX-License-Identifier: Apache-2.0
"""Nodes of state.json to Python values; see tree.py."""

from __future__ import annotations

import collections
import re
import struct
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import errors
from ._dtypes import ELEMENTS, numpy_dtype, size_bytes
from ._tree_text import Node, Place, format_place
from ._tree_names import DefaultDict, DeviceName, DtypeName, EnumName, FunctionName, NamedFields
from ._tree_names import ScalarBits, Size

_NAME = re.compile(r"[A-Za-z0-9_.]+:[^:\s]+")


class Decoder:
    """One call of decode(). A method for a tag takes the node under it and its place."""

    def __init__(self, tensor: Callable[[Dict[str, Any]], Any],
                 array: Callable[[Dict[str, Any]], Any], root: str, torch: Optional[ModuleType],
                 numpy: Optional[ModuleType]) -> None:
        self.tensor, self.array, self.root = tensor, array, root
        self.torch, self.numpy = torch, numpy

    # ---- helpers ----

    def corrupt(self, why: str, place: Place) -> errors.CorruptError:
        return errors.CorruptError(f"{format_place(place, self.root)}: {why}")

    def under(self, node: Node, kind: str, here: Place) -> Any:
        """What a node of that kind holds."""
        if kind not in node:
            raise self.corrupt(f"is a {next(iter(node))} where a {kind} should be", here)
        return node[kind]

    def texts(self, node: Node, count: int, here: Place) -> List[str]:
        items = self.under(node, "list", here)
        if len(items) != count:
            raise self.corrupt(f"has {len(items)} items where {count} should be", here)
        return [self.under(item, "string", here) for item in items]

    def name(self, text: str, here: Place) -> str:
        if not _NAME.fullmatch(text):
            raise self.corrupt(f"{text!r} is no module:qualname", here)
        return text

    def part(self, node: Node, names: Tuple[str, ...], here: Place) -> List[Node]:
        """The values of a map that has exactly these keys, in this order."""
        entries = self.under(node, "map", here)
        if [key for key, _ in entries] != list(names):
            raise self.corrupt(f"has not the keys {', '.join(names)}", here)
        return [item for _, item in entries]

    # ---- nodes ----

    def value(self, node: Node, place: Place, key: Any) -> Any:
        (kind, inner), = node.items()
        if kind == "tensor":
            return self.tensor(inner)
        if kind == "int":
            return self.integer(inner, (place, key, 0))
        if kind == "float":
            return struct.unpack(">d", bytes.fromhex(inner))[0]
        if kind == "bytes":
            return bytes.fromhex(inner)
        if kind == "list":
            here = (place, key, 0)
            return [self.value(item, here, index) for index, item in enumerate(inner)]
        if kind != "map":
            return inner  # null, bool, string
        here = (place, key, 0)
        if len(inner) == 1:
            (tag, item), = inner
            if type(tag) is str and tag.startswith("~"):
                method = _METHODS.get(tag)
                if method is None:
                    raise errors.UnsupportedError(
                        f"{format_place(here, self.root)}: is a {tag}, which this version of the "
                        f"package does not know; read it with a newer one")
                return method(self, item, here)
        return self.entries(inner, here)

    def integer(self, inner: Any, here: Place) -> int:
        if type(inner) is int:
            return inner
        try:
            return int(inner)
        except ValueError:
            raise errors.InvalidError(
                f"{format_place(here, self.root)}: an integer of {len(inner)} digits is more than "
                f"Python was told to read; see sys.set_int_max_str_digits()") from None

    def entries(self, inner: List[Any], here: Place) -> Dict[Any, Any]:
        return {key: self.value(item, here, key) for key, item in inner}

    def items(self, node: Node, here: Place) -> Dict[Any, Any]:
        """A dict from a map, or from a list of [key, value]."""
        return self.entries(node["map"], here) if "map" in node else self.pairs(node, here)

    def pairs(self, node: Node, here: Place) -> Dict[Any, Any]:
        found: Dict[Any, Any] = {}
        for index, pair in enumerate(self.under(node, "list", here)):
            parts = self.under(pair, "list", here)
            if len(parts) != 2:
                raise self.corrupt(f"entry {index} is no pair of key and value", here)
            key = self.value(parts[0], here, index)
            value = self.value(parts[1], here, key)
            self.hashable(key, here)
            if key in found:
                raise self.corrupt(f"entry {index} has a key that is there already", here)
            found[key] = value
        return found

    def hashable(self, value: Any, here: Place) -> None:
        try:
            hash(value)
        except TypeError:
            raise self.corrupt(f"holds a {type(value).__name__}, which Python cannot hash",
                               here) from None

    # ---- tags ----

    def sequence(self, node: Node, here: Place) -> List[Any]:
        self.under(node, "list", here)
        return self.value(node, here, None)

    def to_tuple(self, node: Node, here: Place) -> Tuple[Any, ...]:
        return tuple(self.sequence(node, here))

    def to_size(self, node: Node, here: Place) -> Any:
        counts = self.sequence(node, here)
        if not all(type(count) is int and 0 <= count < 2**63 for count in counts):
            raise self.corrupt("is no size: it holds something else than counts", here)
        return Size(counts) if self.torch is None else self.torch.Size(counts)

    def to_set(self, node: Node, here: Place) -> Any:
        items = self.sequence(node, here)
        for item in items:
            self.hashable(item, here)
        found = set(items)
        if len(found) != len(items):
            raise self.corrupt("is a set that holds an element twice", here)
        return found

    def to_frozenset(self, node: Node, here: Place) -> Any:
        return frozenset(self.to_set(node, here))

    def to_ordered(self, node: Node, here: Place) -> Any:
        return collections.OrderedDict(self.items(node, here))

    def to_state_dict(self, node: Node, here: Place) -> Any:
        metadata, items = self.part(node, ("metadata", "items"), here)
        found = collections.OrderedDict(self.items(items, here))
        found._metadata = self.value(metadata, here, "metadata")  # type: ignore[attr-defined]
        return found

    def to_counter(self, node: Node, here: Place) -> Any:
        found: Any = collections.Counter()
        dict.update(found, self.items(node, here))
        return found

    def to_defaultdict(self, node: Node, here: Place) -> Any:
        factory, items = self.part(node, ("factory", "items"), here)
        named = self.value(factory, here, "factory")
        if not isinstance(named, (FunctionName, type(None))):
            raise self.corrupt("has a factory that is no function", here)
        return DefaultDict(named, self.items(items, here))

    def to_deque(self, node: Node, here: Place) -> Any:
        items, maxlen = (self.value(part, here, name) for name, part in
                         zip(("items", "maxlen"), self.part(node, ("items", "maxlen"), here)))
        if not isinstance(items, list) or not (
                maxlen is None or type(maxlen) is int and len(items) <= maxlen < 2**63):
            raise self.corrupt("is no deque: its items or its maxlen are not", here)
        return collections.deque(items, maxlen)

    def to_dict(self, node: Node, here: Place) -> Dict[Any, Any]:
        return self.entries(self.under(node, "map", here), here)

    def to_text(self, node: Node, here: Place) -> str:
        try:
            return bytes.fromhex(self.under(node, "bytes", here)).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise self.corrupt("is no text", here) from None

    def to_bytearray(self, node: Node, here: Place) -> bytearray:
        return bytearray.fromhex(self.under(node, "bytes", here))

    def to_complex(self, node: Node, here: Place) -> complex:
        parts = self.sequence(node, here)
        if [type(part) for part in parts] != [float, float]:
            raise self.corrupt("is no complex number", here)
        return complex(*parts)

    def to_slice(self, node: Node, here: Place) -> slice:
        parts = self.sequence(node, here)
        if len(parts) != 3:
            raise self.corrupt("is no slice", here)
        return slice(*parts)

    def to_range(self, node: Node, here: Place) -> range:
        parts = self.sequence(node, here)
        if [type(part) for part in parts] != [int, int, int] or parts[2] == 0:
            raise self.corrupt("is no range", here)
        return range(*parts)

    def to_array(self, node: Node, here: Place) -> Any:
        return self.array(self.under(node, "tensor", here))

    def to_scalar(self, node: Node, here: Place) -> Any:
        items = self.sequence(node, here)
        if [type(item) for item in items] != [str, bytes] or items[0] not in ELEMENTS or \
                len(items[1]) != size_bytes(items[0]):
            raise self.corrupt("is no scalar of a dtype and its bytes", here)
        bits = ScalarBits(*items)
        if self.numpy is None:
            return bits
        try:
            return self.numpy.frombuffer(bits.data, numpy_dtype(self.numpy, bits.dtype))[0]
        except errors.UnsupportedError:
            return bits

    def to_dtype(self, node: Node, here: Place) -> Any:
        text = self.under(node, "string", here)
        library, _, name = text.partition(".")
        if library == "torch" and re.fullmatch(r"[a-z0-9_]+", name):
            found = getattr(self.torch, name, None)
            known = self.torch is not None and isinstance(found, self.torch.dtype)
            return found if known else DtypeName(text)
        if library == "numpy" and any(name and name in element for element in ELEMENTS.values()):
            try:
                return DtypeName(text) if self.numpy is None else self.numpy.dtype(name)
            except TypeError:
                return DtypeName(text)
        raise self.corrupt(f"{text!r} is no dtype", here)

    def to_device(self, node: Node, here: Place) -> Any:
        text = self.under(node, "string", here)
        if not re.fullmatch(r"[a-z_]+(:[0-9]{1,4})?", text):
            raise self.corrupt(f"{text!r} is no device", here)
        try:
            return DeviceName(text) if self.torch is None else self.torch.device(text)
        except RuntimeError:
            return DeviceName(text)

    def to_function(self, node: Node, here: Place) -> FunctionName:
        return FunctionName(self.name(self.under(node, "string", here), here))

    def to_enum(self, node: Node, here: Place) -> EnumName:
        kind, member = self.texts(node, 2, here)
        return EnumName(self.name(kind, here), member)

    def to_named_tuple(self, node: Node, here: Place) -> NamedFields:
        items = self.under(node, "list", here)
        if len(items) != 2:
            raise self.corrupt("is no named tuple", here)
        kind = self.name(self.under(items[0], "string", here), here)
        fields = self.entries(self.under(items[1], "map", here), here)
        if not all(isinstance(field, str) and field.isidentifier() for field in fields):
            raise self.corrupt("is a named tuple of fields that are no names", here)
        return NamedFields(kind, fields)


_METHODS: Dict[str, Callable[[Decoder, Node, Place], Any]] = {
    "~tuple": Decoder.to_tuple, "~size": Decoder.to_size, "~set": Decoder.to_set,
    "~frozenset": Decoder.to_frozenset, "~ordered": Decoder.to_ordered,
    "~state_dict": Decoder.to_state_dict, "~counter": Decoder.to_counter,
    "~defaultdict": Decoder.to_defaultdict, "~deque": Decoder.to_deque, "~items": Decoder.pairs,
    "~dict": Decoder.to_dict, "~text": Decoder.to_text, "~bytearray": Decoder.to_bytearray,
    "~complex": Decoder.to_complex, "~slice": Decoder.to_slice, "~range": Decoder.to_range,
    "~array": Decoder.to_array, "~scalar": Decoder.to_scalar, "~dtype": Decoder.to_dtype,
    "~device": Decoder.to_device, "~function": Decoder.to_function, "~enum": Decoder.to_enum,
    "~namedtuple": Decoder.to_named_tuple,
}
