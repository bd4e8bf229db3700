# SPDX-License-Identifier: Apache-2.0
"""Tensors and streams of an archive, read when they are asked for; see archive.py."""

from __future__ import annotations

import ctypes
import importlib
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Tuple

from . import errors
from ._dtypes import FLOATING, numpy_dtype, raw_dtype, size_bytes, torch_dtype, widened
from ._dtypes import widens
from .tensors import Shape, contiguous_strides, extent_bytes, view_numpy, view_torch

if TYPE_CHECKING:
    from .archive import Archive

PART_BYTES = 67108864

# A new bytes object, to be filled before anybody else sees it, and where its content lies.
_new_bytes = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_char_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi))
_bytes_address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(
    ("PyBytes_AsString", ctypes.pythonapi))


def new_memory(framework: Optional[str], size: int) -> Tuple[Any, int]:
    """Memory of `size` bytes, and its address: a torch tensor or NumPy array of uint8, or bytes."""
    if framework is None:
        content = _new_bytes(None, size)
        return content, _bytes_address(content)
    module = importlib.import_module(framework)
    base = module.empty(size, dtype=module.uint8)
    return base, base.data_ptr() if framework == "torch" else base.ctypes.data


class ArchivedStream:
    """A random stream of an archive: its `name`, its `kind` ("torch_cpu"), and its `member`."""

    __slots__ = ("_archive", "name", "kind")

    def __init__(self, archive: "Archive", name: str, kind: str) -> None:
        self._archive, self.name, self.kind = archive, name, kind

    @property
    def member(self) -> str:
        return f"rng/{self.name}"

    def bytes(self) -> bytes:
        """The state, as docs/format.md (5.5) has it. AbsentError when it is withheld, CorruptError
        when the digest differs."""
        return self._archive.read(self.member)

    def __repr__(self) -> str:
        return f"ArchivedStream({self.name!r}, kind={self.kind!r})"


class ArchivedTensor:
    """A tensor of an archive. What it is stands in attributes; its elements are read, and compared
    with their digests, by numpy(), torch() and bytes(), each time anew.

    dtype: the format's name ("f32"). shape; strides and offset in elements, in the storage of index
    `storage`, whose member is `member` (without the suffix of a part). requires_grad. device: the
    kind that it lived on, "cpu" or "cuda". is_array: it was a NumPy array. global_shape and
    global_offset: of a piece, else None. nbytes: of its elements; nothing for gaps between them.
    """

    __slots__ = ("_archive", "dtype", "shape", "strides", "offset", "storage", "requires_grad",
                 "device", "is_array", "global_shape", "global_offset")

    def __init__(self, archive: "Archive", leaf: Dict[str, Any], is_array: bool = False) -> None:
        self._archive = archive
        self.dtype: str = leaf["dtype"]
        self.shape: Shape = tuple(leaf["shape"])
        self.strides: Shape = tuple(leaf["strides"])
        self.offset: int = leaf["offset"]
        self.storage: int = leaf["storage"]
        self.requires_grad: bool = leaf["requires_grad"]
        self.device: str = leaf["device"]
        self.is_array = is_array
        self.global_shape = tuple(leaf["global_shape"]) if "global_shape" in leaf else None
        self.global_offset = tuple(leaf["global_offset"]) if "global_offset" in leaf else None

    @property
    def member(self) -> str:
        return self._archive.storages[self.storage].member

    @property
    def size(self) -> int:
        """The number of elements."""
        count = 1
        for dimension in self.shape:
            count *= dimension
        return count

    @property
    def nbytes(self) -> int:
        return self.size * size_bytes(self.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"ArchivedTensor({self.dtype}, shape={self.shape}, member={self.member!r})"

    def span(self) -> Tuple[int, int]:
        """The bytes of its storage from element 0 to the end of the last one; (0, 0): none."""
        extent = extent_bytes(self.dtype, self.shape, self.strides)
        start = self.offset * size_bytes(self.dtype)
        return (start, start + extent) if extent else (0, 0)

    def numpy(self, *, raw: bool = False, widen: bool = False) -> Any:
        """A new NumPy array with this dtype, shape and strides. Of bf16 and the 8-bit floats the
        dtype is that of the package ml_dtypes; where that cannot be imported: UnsupportedError.

        `raw`: the bits instead, as unsigned integers of the same width (of no dtype of 16 bytes).
        `widen`: exact values instead, as float32 (complex64): of f16, bf16, the 8-bit floats and
        c32; other dtypes stay as they are. A widened array is in C order."""
        if raw and widen:
            raise errors.InvalidError("numpy(): raw and widen are two answers; ask for one")
        reading = Reading(self._archive, "numpy", [self])
        if raw:
            raw_dtype(importlib.import_module("numpy"), self.dtype)
        else:
            reading.insist_dtype(self, widen)
        reading.fill()
        return reading.view_raw(self) if raw else reading.view_numpy(self, widen)

    def torch(self) -> Any:
        """A new torch tensor on the CPU with this dtype, shape, strides and requires_grad; it lies
        in its own storage. UnsupportedError when this torch does not have the dtype."""
        reading = Reading(self._archive, "torch", [self])
        reading.insist_dtype(self)
        reading.fill()
        return reading.view_torch(self)

    def bytes(self) -> bytes:
        """The elements in C order, little-endian, without gaps. Needs neither torch nor NumPy."""
        reading = Reading(self._archive, None, [self])
        reading.fill()
        start, end = self.span()
        if start == end:
            return b""
        content, first = reading.base(self)
        if self.strides != contiguous_strides(self.shape) and self.nbytes:
            return _gather(memoryview(content), start - first, self)
        if (start, end) == (first, first + len(content)):
            return content
        return content[start - first:end - first]


def _gather(content: memoryview, start: int, tensor: ArchivedTensor) -> bytes:
    """The elements of a strided tensor in C order, element 0 at byte `start`."""
    size = size_bytes(tensor.dtype)
    dimensions: List[Tuple[int, int]] = []
    for count, stride in zip(tensor.shape, tensor.strides):
        if count == 1:
            continue
        if dimensions and dimensions[-1][1] == count * stride:
            dimensions[-1] = (dimensions[-1][0] * count, stride)
        else:
            dimensions.append((count, stride))
    if size == 16:
        dimensions = [(count, 2 * stride) for count, stride in dimensions] + [(2, 1)]
        size = 8
    form: Any = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    elements = content[:len(content) // size * size].cast(form)
    runs: List[bytes] = []

    def walk(at: int, dimension: int) -> None:
        count, stride = dimensions[dimension]
        if dimension < len(dimensions) - 1:
            for index in range(count):
                walk(at + index * stride, dimension + 1)
        elif stride == 0:
            runs.append(elements[at:at + 1].tobytes() * count)
        else:
            runs.append(elements[at:at + (count - 1) * stride + 1:stride].tobytes())

    dimensions = dimensions or [(1, 1)]
    walk(start // size, 0)
    return b"".join(runs)


class Reading:
    """The storages of some tensors, read once: memory for the parts that they need, which `fill`
    reads into, and the tensors over it; those that shared memory share it again.

    `framework` says what the memory is: "torch", "numpy", or None for bytes."""

    def __init__(self, archive: "Archive", framework: Optional[str],
                 tensors: "List[ArchivedTensor]") -> None:
        self._archive = archive
        self._framework = framework
        needed: Dict[int, Tuple[int, int]] = {}
        for tensor in tensors:
            start, end = tensor.span()
            if end > start:
                first, last = start // PART_BYTES, (end - 1) // PART_BYTES
                known = needed.get(tensor.storage, (first, last))
                needed[tensor.storage] = (min(first, known[0]), max(last, known[1]))
        self._needed = needed
        for storage, (first, last) in needed.items():
            for name, _ in self._parts(storage, first, last):
                archive.insist_present(name)
        self._bases: Dict[int, Tuple[Any, int, int]] = {}
        for storage, (first, last) in needed.items():
            size = min(archive.storages[storage].size, (last + 1) * PART_BYTES)
            memory, address = new_memory(framework, size - first * PART_BYTES)
            self._bases[storage] = (memory, first * PART_BYTES, address)

    def _parts(self, storage: int, first: int, last: int) -> Iterator[Tuple[str, int]]:
        """Names of the members, and where in the storage each begins."""
        name, size = self._archive.storages[storage]
        if size <= PART_BYTES:
            yield name, 0
            return
        for part in range(first, last + 1):
            yield f"{name}~{part:04}", part * PART_BYTES

    def fill(self) -> None:
        """Read it all, with several threads, and compare the digests. What it raises says that none
        of it is to be used."""
        jobs = []
        for storage, (first, last) in self._needed.items():
            _, start, address = self._bases[storage]
            jobs += [(name, address + begin - start)
                     for name, begin in self._parts(storage, first, last)]
        self._archive.read_all(jobs)

    def base(self, tensor: ArchivedTensor) -> Tuple[Any, int]:
        """The memory that holds a tensor, and the byte of its storage where that begins."""
        memory, start, _ = self._bases[tensor.storage]
        return memory, start

    def _offset(self, tensor: ArchivedTensor) -> int:
        return tensor.offset - self.base(tensor)[1] // size_bytes(tensor.dtype)

    def insist_dtype(self, tensor: ArchivedTensor, widen: bool = False) -> None:
        """UnsupportedError, which names the member, when the framework lacks the tensor's dtype."""
        try:
            if self._framework == "torch" and not tensor.is_array:
                torch_dtype(importlib.import_module("torch"), tensor.dtype)
            elif not (widen and widens(tensor.dtype)):
                numpy_dtype(importlib.import_module("numpy"), tensor.dtype)
        except errors.UnsupportedError as problem:
            raise errors.UnsupportedError(f"{tensor.member}: {problem}") from None

    def _view_numpy(self, tensor: ArchivedTensor, dtype: Any) -> Any:
        numpy = importlib.import_module("numpy")
        if tensor.span() == (0, 0):
            return numpy.empty(tensor.shape, dtype)
        base = self.base(tensor)[0]
        if self._framework == "torch":
            base = base.numpy()
        return view_numpy(numpy, base, dtype, tensor.shape, tensor.strides, self._offset(tensor))

    def view_raw(self, tensor: ArchivedTensor) -> Any:
        """The bits, as unsigned integers."""
        return self._view_numpy(tensor, raw_dtype(importlib.import_module("numpy"), tensor.dtype))

    def view_numpy(self, tensor: ArchivedTensor, widen: bool = False) -> Any:
        """The tensor as an array; `widen`: a copy with exact values, where its dtype is a small
        float."""
        numpy = importlib.import_module("numpy")
        if widen and widens(tensor.dtype):
            return widened(numpy, tensor.dtype, self.view_raw(tensor))
        return self._view_numpy(tensor, numpy_dtype(numpy, tensor.dtype))

    def view_torch(self, tensor: ArchivedTensor) -> Any:
        torch = importlib.import_module("torch")
        if tensor.span() == (0, 0):
            new = torch.empty_strided(tensor.shape, tensor.strides,
                                      dtype=torch_dtype(torch, tensor.dtype))
        else:
            new = view_torch(torch, self.base(tensor)[0], tensor.dtype, tensor.shape,
                             tensor.strides, self._offset(tensor))
        return new.requires_grad_(tensor.requires_grad and tensor.dtype in FLOATING)
