# SPDX-License-Identifier: Apache-2.0
"""Generators that objects hold and that nobody registered: a data set's own `rng`, a sampler's
generator. A coverage statement names them as seen and not captured."""

from __future__ import annotations

import collections
import functools
import random
import types
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, List, Tuple

from . import numpy_streams, torch_streams
from .registry import identity, is_generator, name_of

# Bounds of the search: enough for the objects that people write, little for those that hold data.
LARGEST_DEPTH = 12
MOST_OBJECTS = 20_000
MOST_ITEMS = 200  # looked at in one container

_PLAIN = (str, bytes, bytearray, memoryview, int, float, complex, bool, type(None), type,
          types.ModuleType)


@dataclass(frozen=True)
class Found:
    """A source of chance that is no stream.

    path       where it is, from the objects that were searched: "dataset.transform.rng"
    generator  the object (borrowed by nobody: it lives as long as its owner)
    reason     why it is not captured, and what to do, for a coverage statement
    """

    path: str
    generator: Any
    reason: str


def _children(value: Any, path: str) -> Iterator[Tuple[str, Any]]:
    """What an object holds, with the path of each; no property and no method of it is called."""
    if isinstance(value, dict):
        for key, item in list(dict.items(value))[:MOST_ITEMS]:
            if isinstance(key, str) and key.isidentifier() and not path:
                yield key, item
            else:
                yield f"{path}[{key!r:.60}]", item
        return
    if isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        for index, item in enumerate(value):
            if index == MOST_ITEMS:
                return
            yield f"{path}[{index}]", item
    if isinstance(value, functools.partial):
        yield f"{path}.func", value.func
        yield f"{path}.args", value.args
        yield f"{path}.keywords", value.keywords
    if isinstance(value, types.MethodType):
        yield f"{path}.__self__", value.__self__
        value = value.__func__
    if isinstance(value, types.FunctionType):
        for name, cell in zip(value.__code__.co_freevars, value.__closure__ or ()):
            try:
                yield f"{path}.{name}", cell.cell_contents
            except ValueError:  # not assigned yet
                pass
        yield f"{path}.__defaults__", value.__defaults__
    yield from _attributes(value, path)


def _attributes(value: Any, path: str) -> Iterator[Tuple[str, Any]]:
    join = f"{path}." if path else ""
    try:
        own = dict(object.__getattribute__(value, "__dict__"))
    except (AttributeError, TypeError):
        own = {}
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            slot = cls.__dict__.get(name)
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    own.setdefault(name, slot.__get__(value, cls))
                except AttributeError:  # not set
                    pass
    # A module of torch keeps its parts in dicts of its own; their names read better.
    for parts in ("_modules", "_parameters", "_buffers"):
        if torch_streams.loaded() is not None and isinstance(
                value, torch_streams.loaded().nn.Module) and isinstance(own.get(parts), dict):
            own.update(own.pop(parts))
    for name, item in own.items():
        yield f"{join}{name}", item


def _reason(value: Any) -> str:
    what = f"a {type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, random.SystemRandom):
        return f"{what}: draws from the operating system, and nothing can restore it"
    numpy_random = numpy_streams.loaded()
    if numpy_random is not None and isinstance(value, numpy_random.BitGenerator):
        return (f"{what}: is not registered; snapstate.register(NAME, numpy.random.Generator(it)) "
                f"makes it a stream")
    return f"{what}: is not registered; snapstate.register(NAME, it) makes it a stream"


def _cudnn_dropout(value: Any) -> bool:
    """Whether a module of torch draws dropout masks from a state inside cuDNN."""
    torch = torch_streams.loaded()
    if torch is None or not isinstance(value, torch.nn.RNNBase) or not value.dropout:
        return False
    return any(parameter.is_cuda for parameter in value.parameters())


def find_generators(obj: Any, path: str = "", known: Iterable[Any] = ()) -> List[Found]:
    """The generators that an object holds (a data set, a sampler, a loader, modules, or a dict of
    such, whose keys then begin the paths) and that are no stream: attributes, slots, lists, dicts,
    closures and bound methods are followed, LARGEST_DEPTH deep, MOST_ITEMS of a container and
    MOST_OBJECTS in all. Also what holds chance that no state tells: the dropout of an LSTM on a
    GPU, which cuDNN keeps for itself. Breadth first, so that each has its shortest path.

    known  generators that are captured though they are not registered: they are no finds"""
    found: List[Found] = []
    seen = {id(identity(generator)) for generator in known}
    queue = collections.deque([(path, obj, 0)])
    while queue and len(seen) < MOST_OBJECTS:
        where, value, depth = queue.popleft()
        torch = torch_streams.loaded()
        if isinstance(value, _PLAIN) or torch is not None and isinstance(value, torch.Tensor):
            continue
        one = is_generator(value)
        this = id(identity(value) if one else value)
        if this in seen:
            continue
        seen.add(this)
        if one:
            if name_of(value) is None:
                found.append(Found(where, value, _reason(value)))
            continue
        if _cudnn_dropout(value):
            found.append(Found(where, value, "dropout between its layers on a GPU draws from a "
                               "state that cuDNN keeps for itself; use dropout=0 and nn.Dropout"))
        if depth < LARGEST_DEPTH:
            queue.extend((to, item, depth + 1) for to, item in _children(value, where))
    return found
