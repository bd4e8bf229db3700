# SPDX-License-Identifier: Apache-2.0
"""What stands in a decoded tree for things that are known by name: nothing of an archive is ever
imported or called. Each encodes to the node that it came from; tree.adopt() puts the live program's
own thing in its place, when that has the same name."""

from __future__ import annotations

import enum
import sys
from dataclasses import dataclass
from typing import Any, Dict, Optional


@dataclass(frozen=True)
class FunctionName:
    """A function or class: "module:qualname"."""

    name: str


@dataclass(frozen=True)
class EnumName:
    """A member of an enum: the class as "module:qualname", and the member."""

    type: str
    member: str


@dataclass(frozen=True)
class DtypeName:
    """A dtype of a library that was not at hand: "torch.float32", "numpy.float32"."""

    name: str


@dataclass(frozen=True)
class DeviceName:
    """A torch.device where torch was not at hand: "cuda:0"."""

    name: str


@dataclass(frozen=True)
class ScalarBits:
    """A NumPy scalar where NumPy, or its dtype, was not at hand: the format's dtype, the bytes."""

    dtype: str
    data: bytes


class Size(tuple):
    """A torch.Size where torch was not at hand."""

    __slots__ = ()


class NamedFields(Dict[str, Any]):
    """The fields of a named tuple by their names; `type` is "module:qualname"."""

    __slots__ = ("type",)

    def __init__(self, type: str, fields: Dict[str, Any]) -> None:
        super().__init__(fields)
        self.type = type


class DefaultDict(Dict[Any, Any]):
    """A collections.defaultdict without its factory, which `factory` names; None: it has none."""

    __slots__ = ("factory",)

    def __init__(self, factory: Optional[FunctionName], items: Dict[Any, Any]) -> None:
        super().__init__(items)
        self.factory = factory


def name_of(value: Any) -> Optional[str]:
    """"module:qualname" of a function or class that is found again under it; else None."""
    module, qualname = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        return None
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return f"{module}:{qualname}" if found is value else None


def enum_name(value: enum.Enum) -> Optional[EnumName]:
    """The name of a member of an enum that is found again; None for one of a local class, and for
    a combination of flags."""
    kind = name_of(type(value))
    if kind is None or type(value).__members__.get(value.name or "") is not value:
        return None
    return EnumName(kind, value.name)


def is_named_tuple(value: Any) -> bool:
    """Is it a tuple whose class is made by collections.namedtuple or typing.NamedTuple?"""
    fields = getattr(type(value), "_fields", None)
    return (isinstance(value, tuple) and isinstance(fields, tuple) and len(fields) == len(value) and
            all(isinstance(field, str) for field in fields))
