# SPDX-License-Identifier: Apache-2.0
"""Which tensors share memory, in the archive and here, across all components of a restore.

The archive's tensors lie in storages. A storage that live tensors stand for is bound: its first
byte has an address here. New tensors of a bound storage are views of the live memory; new tensors
of another storage get one new memory for all of them. So tied weights, slots that alias parameters
and views stay what they were, whichever component they belong to.

Planning goes through all components twice: first the survey, in which every live tensor is bound
and nothing new is made, then, after survey_done(), for real.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from .. import tensors
from .._dtypes import loaded, numpy_dtype, size_bytes
from ..errors import CaptureError
from ..tensors import TensorMemory


def is_archived(value: Any) -> bool:
    """Is it a tensor of an archive, whose elements are still there?"""
    return hasattr(value, "storage") and hasattr(value, "member") and hasattr(value, "strides")


def archived_tensors(value: Any) -> Iterator[Any]:
    """The ArchivedTensor leaves of a tree."""
    if is_archived(value):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from archived_tensors(item)
    elif isinstance(value, (list, tuple)) or hasattr(value, "maxlen"):
        for item in value:
            yield from archived_tensors(item)


def is_dense(memory: Any) -> bool:
    """Is some order of the dimensions a C order? Else there are gaps between the elements."""
    expected = 1
    for stride, count in sorted(zip(memory.strides, memory.shape)):
        if count == 1:
            continue
        if stride != expected:
            return 0 in memory.shape
        expected *= count
    return True


def strides_agree(memory: TensorMemory, archived: Any) -> bool:
    """Has the live tensor the strides that it had? One with gaps stands in an archive without them,
    in C order, so that for those every C order agrees."""
    if tuple(archived.strides) == tuple(memory.strides):
        return True
    return (not is_dense(memory) and
            tuple(archived.strides) == tensors.contiguous_strides(memory.shape))


@dataclass
class _Storage:
    nbytes: int = 0  # from its first byte to the end of the last tensor seen
    tensors: int = 0  # how many lie in it
    base: Optional[int] = None  # address of its first byte, once bound
    anchor: Any = None  # a tensor or array whose memory it is
    path: str = ""  # the first tensor bound
    paths: List[str] = field(default_factory=list)


class Storages:
    """What shares memory; one for a restore. `trees`: all trees that are restored together."""

    def __init__(self, trees: Iterable[Any]) -> None:
        self.surveying = True
        self._storages: Dict[int, _Storage] = {}
        # Live dense memory that stands for a storage: sorted, disjoint (start, end, storage).
        self._ranges: List[Tuple[int, int, int]] = []
        for tree in trees:
            for archived in archived_tensors(tree):
                storage = self._storages.setdefault(archived.storage, _Storage())
                storage.tensors += 1
                storage.nbytes = max(storage.nbytes,
                                     archived.offset * size_bytes(archived.dtype) +
                                     _extent(archived))

    def survey_done(self) -> None:
        """Every live tensor has been bound: new ones can be made."""
        self.surveying = False

    def bind(self, archived: Any, memory: TensorMemory, path: str) -> Optional[str]:
        """The live tensor at `path` stands for `archived`. None when that fits with what is known;
        else what does not, and nothing is bound."""
        if memory.nbytes == 0:
            return None
        storage = self._storages.setdefault(archived.storage, _Storage())
        start, end = memory.pointer, memory.pointer + memory.nbytes
        base = start - archived.offset * size_bytes(archived.dtype)
        if storage.base is not None and storage.base != base:
            return f"it shares memory with {storage.path} in the archive, and not here"
        other = self._other_owner(start, end, archived.storage) if is_dense(memory) else None
        if other is not None:
            return (f"it shares memory with {self._storages[other].path} here, and not in the "
                    f"archive")
        if storage.base is None:
            storage.base, storage.anchor, storage.path = base, memory.owner, path
        if is_dense(memory):
            self._add_range(start, end, archived.storage)
        return None

    def _other_owner(self, start: int, end: int, index: int) -> Optional[int]:
        """Another storage than `index` whose live memory overlaps the range."""
        at = bisect.bisect_left(self._ranges, (start, 0, -1))
        at -= 1 if at > 0 and self._ranges[at - 1][1] > start else 0
        while at < len(self._ranges) and self._ranges[at][0] < end:
            if self._ranges[at][2] != index:
                return self._ranges[at][2]
            at += 1
        return None

    def _add_range(self, start: int, end: int, index: int) -> None:
        """Join the range with those of the same storage that it touches; all it overlaps are."""
        first = bisect.bisect_left(self._ranges, (start, 0, -1))
        first -= 1 if first > 0 and self._ranges[first - 1][1] > start else 0
        last = first
        while last < len(self._ranges) and self._ranges[last][0] < end:
            start = min(start, self._ranges[last][0])
            end = max(end, self._ranges[last][1])
            last += 1
        self._ranges[first:last] = [(start, end, index)]

    def make(self, archived: Any, framework: str, device: Any) -> Tuple[Any, Optional[str]]:
        """A new tensor ("torch") or array ("numpy") for `archived`, elements not set, and what
        could not be kept of its sharing, or None. In the survey: `archived` itself. `device` counts
        only where nothing live or new stands for the storage yet. UnsupportedError when the
        framework has no such dtype."""
        if self.surveying:
            return archived, None
        storage = self._storages.setdefault(archived.storage, _Storage())
        if _extent(archived) == 0:
            return tensors.new_like(archived, framework, device), None
        if storage.base is None and storage.tensors > 1:
            whole = SimpleNamespace(dtype="u8", shape=(storage.nbytes,), strides=(1,), offset=0,
                                    storage=0, requires_grad=False)
            storage.anchor = tensors.new_like(whole, framework, device)
            memory = tensors.describe(storage.anchor)
            assert memory is not None  # it is a tensor or an array, made above
            storage.base = memory.pointer
            storage.path = "another new tensor"
        if storage.base is None:
            return tensors.new_like(archived, framework, device), None
        view = _view(storage, archived, framework)
        if view is not None:
            return view, None
        return (tensors.new_like(archived, framework, device),
                f"it shares memory with {storage.path} in the archive, and cannot be made to here")


def _extent(archived: Any) -> int:
    return tensors.extent_bytes(archived.dtype, archived.shape, archived.strides)


def _view(storage: _Storage, archived: Any, framework: str) -> Any:
    """A new tensor in the memory of a storage that has one; None when that does not reach so far,
    or is the other framework's."""
    module = loaded(framework)
    size = size_bytes(archived.dtype)
    if framework == "numpy":
        if not isinstance(storage.anchor, module.ndarray):
            return None
        owner = storage.anchor
        while isinstance(owner.base, module.ndarray):
            owner = owner.base
        try:
            flat = owner.reshape(-1, order="A").view(module.uint8)
        except (ValueError, TypeError):
            return None
        start = storage.base - flat.__array_interface__["data"][0]
        if (not module.shares_memory(flat, owner) or start % size or start < 0 or
                start + archived.offset * size + _extent(archived) > flat.nbytes):
            return None
        return tensors.view_numpy(module, flat, numpy_dtype(module, archived.dtype),
                                  tuple(archived.shape), tuple(archived.strides),
                                  start // size + archived.offset)
    if module is None or not isinstance(storage.anchor, module.Tensor):
        return None
    plain = storage.anchor.detach()
    memory = (plain.untyped_storage() if hasattr(plain, "untyped_storage")
              else plain.storage().untyped())
    start = storage.base - memory.data_ptr()
    if (start % size or start < 0 or
            start + archived.offset * size + _extent(archived) > memory.nbytes()):
        return None
    try:
        view = tensors.view_torch(module, plain, archived.dtype, tuple(archived.shape),
                                  tuple(archived.strides), start // size + archived.offset)
    except CaptureError:
        return None
    return view.requires_grad_(bool(archived.requires_grad)) if archived.requires_grad else view
