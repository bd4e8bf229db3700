# SPDX-License-Identifier: Apache-2.0
"""The live program's own functions, enums and named tuples in place of their names; see tree.py."""

from __future__ import annotations

import collections
import enum
from typing import Any, Dict, List, Optional, Tuple

from . import errors
from ._tree_encode import Encoder
from ._tree_text import Place, encoded_text, format_place
from ._tree_names import DefaultDict, DeviceName, DtypeName, EnumName, FunctionName, NamedFields
from ._tree_names import ScalarBits, enum_name, is_named_tuple, name_of

_NAMES = (FunctionName, EnumName, NamedFields, DefaultDict, DtypeName, DeviceName, ScalarBits)


def adopt(value: Any, live: Any, *, path: str = "") -> Tuple[Any, List[str]]:
    """`value`, as decode() gave it, with the live program's own thing wherever a name stands for
    one: `live` is the same tree as the program has it now. The lists and dicts of `value` are
    changed in place; nothing is imported or called, and the names are compared only.

    Also the problems: a line, which begins with the path, for each name that stays, since the
    live tree has another thing at its place, or nothing."""
    adopter = _Adopter(path)
    return adopter.value(value, live, (None, None, 0)), adopter.problems


class _Nothing:
    """What the live tree has where it has nothing."""

    def __repr__(self) -> str:
        return "nothing"


def _holds_name(value: Any) -> bool:
    """Does a key of a dict, or an element of a set, hold a name?"""
    if isinstance(value, (tuple, frozenset)):
        return any(_holds_name(item) for item in value)
    return isinstance(value, _NAMES)


def _form(value: Any) -> Optional[bytes]:
    """What two things that are the same have in common; None for what cannot be in an archive."""
    try:
        return encoded_text(Encoder("").node(value, None, None, 0, 0))
    except errors.CaptureError:
        return None


class _Adopter:
    def __init__(self, root: str) -> None:
        self.root = root
        self.problems: List[str] = []

    def value(self, value: Any, live: Any, here: Place) -> Any:
        kind = type(value)
        if kind is FunctionName:
            return self.named(value, live, name_of(live) == value.name, value.name, here)
        if kind is EnumName:
            return self.enum_member(value, live, here)
        if kind is NamedFields:
            return self.fields(value, live, here)
        if kind is DefaultDict:
            return self.default(value, live, here)
        if kind in (DtypeName, DeviceName, ScalarBits):
            return self.named(value, live, False, str(value), here)
        if kind in (dict, collections.OrderedDict, collections.Counter):
            self.items(value, live, here)
        elif kind is list or kind is collections.deque:
            for index, item in enumerate(value):
                value[index] = self.value(item, self.item(live, index), (here, index, 0))
        elif kind is tuple:
            return tuple(self.value(item, self.item(live, index), (here, index, 0))
                         for index, item in enumerate(value))
        elif kind in (set, frozenset) and any(_holds_name(item) for item in value):
            return self.named(value, live, _form(value) == _form(live), "a set", here)
        return value

    def named(self, value: Any, live: Any, same: bool, name: str, here: Place) -> Any:
        if same:
            return live
        self.problems.append(f"{format_place(here, self.root)}: the archive has {name}, and the "
                             f"program {live!r}: it must be the same")
        return value

    def enum_member(self, value: EnumName, live: Any, here: Place) -> Any:
        known = isinstance(live, enum.Enum) and name_of(type(live)) == value.type
        found = type(live).__members__.get(value.member) if known else None
        same = found is not None and enum_name(found) == value
        return self.named(value, found if same else live, same, f"{value.type}.{value.member}",
                          here)

    def items(self, value: Dict[Any, Any], live: Any, here: Place) -> None:
        there = live if isinstance(live, dict) else {}
        own: Dict[Any, Any] = {}
        if any(_holds_name(key) for key in value):
            own = {_form(key): key for key in there}
        for key, item in list(value.items()):
            new = key
            if _holds_name(key):
                new = own.get(_form(key), key)
                if new is key:
                    self.named(key, live, False, f"the key {key}", here)
            if own:
                del value[key]  # and set again at the end, as all are: the order stays
            dict.__setitem__(value, new, self.value(item, there.get(new, _Nothing()),
                                                    (here, new, 0)))

    def item(self, live: Any, index: int) -> Any:
        sequence = isinstance(live, (list, tuple, collections.deque))
        return live[index] if sequence and index < len(live) else _Nothing()

    def default(self, value: DefaultDict, live: Any, here: Place) -> Any:
        self.items(value, live, here)
        if not isinstance(live, collections.defaultdict):
            return self.named(value, live, False, "a defaultdict", here)
        if value.factory is not None and name_of(live.default_factory) != value.factory.name:
            return self.named(value, live.default_factory, False,
                              f"the factory {value.factory.name}", here)
        return collections.defaultdict(live.default_factory if value.factory else None, value)

    def fields(self, value: NamedFields, live: Any, here: Place) -> Any:
        kind = type(live)
        if not is_named_tuple(live) or name_of(kind) != value.type or \
                kind._fields != tuple(value):
            return self.named(value, live, False, f"a named tuple {value.type}", here)
        return tuple.__new__(kind, [self.value(item, there, (here, field, 0))
                                    for (field, item), there in zip(value.items(), live)])
