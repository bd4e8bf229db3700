# SPDX-License-Identifier: Apache-2.0
"""The memory of torch tensors and NumPy arrays, and new ones of a given type, shape and strides.

A tensor of either library is a view of memory that starts at element 0: dtype, shape and strides in
elements, none negative. What is not such a view (sparse, quantized, nested, meta, conjugated,
negative strides, another byte order, Python objects) is refused with the reason: its memory alone
does not say what it holds.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any, List, Optional, Sequence, Tuple

from . import errors
from ._dtypes import FLOATING, loaded, numpy_dtype, numpy_name, size_bytes, torch_dtype
from ._dtypes import torch_names

MAX_DIMS = 16
Shape = Tuple[int, ...]


@dataclass
class TensorMemory:
    """Where a tensor's elements are. Element (i0, i1, ...) lies at

        pointer + (i0 * strides[0] + i1 * strides[1] + ...) * bytes of dtype

    `pointer` is that of element 0, on the device that `device` and `device_index` name. `owner`,
    the tensor or array itself, keeps the memory alive, and keeps it where it is as long as nobody
    resizes it. `nbytes` is the extent: from element 0 to the end of the last one, 0 when there are
    no elements. `writable` is false for arrays that NumPy will not write to. `changes_in_forward`
    is for the caller to set: running statistics and the like.
    """

    pointer: int
    dtype: str
    shape: Shape
    strides: Shape
    requires_grad: bool
    device: str
    device_index: int
    nbytes: int
    owner: Any
    framework: str  # "torch" or "numpy"
    writable: bool = True
    changes_in_forward: bool = False


def extent_bytes(dtype: str, shape: Sequence[int], strides: Sequence[int]) -> int:
    """Bytes from element 0 to the end of the last one; 0 when there are no elements."""
    last = 0
    for count, stride in zip(shape, strides):
        if count == 0:
            return 0
        last += (count - 1) * stride
    return (last + 1) * size_bytes(dtype)


def contiguous_strides(shape: Sequence[int]) -> Shape:
    """The strides of C order, in elements."""
    strides, step = [], 1
    for count in reversed(shape):
        strides.append(step)
        step *= max(count, 1)
    return tuple(reversed(strides))


def describe(value: Any) -> Optional[TensorMemory]:
    """The memory of a torch tensor or a NumPy array; None when `value` is neither. CaptureError,
    with the reason, for a tensor or array that is not a plain view of memory.

    Nothing is copied or moved. A tensor that requires grad is described as it is; its grad is
    another tensor."""
    torch = loaded("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return describe_torch(torch, value)
    numpy = loaded("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray):
        return describe_numpy(numpy, value)
    return None


def _refuse_torch(torch: ModuleType, tensor: Any) -> Optional[str]:
    """Why the tensor's memory alone does not say what it holds; None when it does."""
    kind = type(tensor)
    if kind is not torch.Tensor and kind is not torch.nn.Parameter:
        if kind.__name__ in ("UninitializedParameter", "UninitializedBuffer"):
            return "is not initialised yet: call its module once before"
        return (f"a tensor of the subclass {kind.__module__}.{kind.__qualname__} may hold more "
                f"than its memory: register the plain tensors that it is made of")
    if getattr(tensor, "is_nested", False):
        return "a nested tensor has no strides: keep its parts"
    if tensor.layout is not torch.strided:
        return f"a tensor of layout {tensor.layout} is no view of memory: keep its parts"
    if tensor.is_quantized:
        return "a quantized tensor holds scales beside its memory: keep int_repr() and those"
    if tensor.device.type not in ("cpu", "cuda"):
        if tensor.device.type == "meta":
            return "a tensor on the device meta has no memory"
        return f"a tensor on the device {tensor.device} cannot be read: only cpu and cuda can"
    if tensor.is_conj():
        return "its memory holds the conjugate: keep resolve_conj()"
    if tensor.is_neg():
        return "its memory holds the negative: keep resolve_neg()"
    return None


def describe_torch(torch: ModuleType, tensor: Any) -> TensorMemory:
    """describe() of a torch tensor."""
    why = _refuse_torch(torch, tensor)
    if why is not None:
        raise errors.CaptureError(why)
    dtype = torch_names(torch).get(tensor.dtype)
    if dtype is None:
        raise errors.CaptureError(f"the format has no element type for {tensor.dtype}")
    shape, strides = tuple(tensor.shape), tensor.stride()
    if len(shape) > MAX_DIMS:
        raise errors.CaptureError(f"has {len(shape)} dimensions: the format has {MAX_DIMS} at most")
    try:
        pointer = tensor.data_ptr()
    except RuntimeError as problem:
        raise errors.CaptureError(f"has no memory of its own: {problem}") from None
    device = tensor.device
    nbytes = extent_bytes(dtype, shape, strides)
    if nbytes and not pointer:
        raise errors.CaptureError("has no memory: its storage was freed or never made")
    return TensorMemory(pointer, dtype, shape, strides, tensor.requires_grad, device.type,
                        device.index or 0, nbytes, tensor, "torch")


def describe_numpy(numpy: ModuleType, array: Any) -> TensorMemory:
    """describe() of a NumPy array."""
    kind, dtype = type(array), array.dtype
    if kind is not numpy.ndarray:
        raise errors.CaptureError(
            f"an array of the subclass {kind.__module__}.{kind.__qualname__} may hold more than "
            f"its memory: keep numpy.asarray() of it, and what else it holds")
    name = numpy_name(dtype)
    if name is None:
        raise errors.CaptureError(f"the format has no element type for NumPy's {dtype}")
    if not dtype.isnative:
        raise errors.CaptureError(
            f"an array of {dtype} has the other byte order: keep "
            f"x.astype(x.dtype.newbyteorder('='))")
    size = size_bytes(name)
    shape = array.shape
    if len(shape) > MAX_DIMS:
        raise errors.CaptureError(f"has {len(shape)} dimensions: the format has {MAX_DIMS} at most")
    # A stride along a dimension of one element, or of an array without elements, is never used.
    used = array.size > 0
    strides = [step if used and count > 1 else 0 for count, step in zip(shape, array.strides)]
    if any(step < 0 for step in strides):
        raise errors.CaptureError(
            "an array with negative strides cannot stand in an archive: keep numpy.array(x)")
    if any(step % size for step in strides):
        raise errors.CaptureError(
            "an array whose strides are no multiple of its elements, such as a field of a "
            "structured one, cannot stand in an archive: keep numpy.array(x)")
    plain = contiguous_strides(shape)
    elements = tuple(step // size if used and count > 1 else plain[k]
                     for k, (count, step) in enumerate(zip(shape, strides)))
    return TensorMemory(array.__array_interface__["data"][0], name, shape, elements, False, "cpu",
                        0, extent_bytes(name, shape, elements), array, "numpy",
                        bool(array.flags.writeable))


def view_torch(torch: ModuleType, base: Any, dtype: str, shape: Shape, strides: Shape,
               offset: int) -> Any:
    """A tensor over the memory of `base` (a tensor of uint8), whose element 0 lies `offset`
    elements of `dtype` from its start. It shares the storage of `base`."""
    storage = (base.untyped_storage() if hasattr(base, "untyped_storage")
               else base.storage().untyped())
    new = torch.empty(0, dtype=torch_dtype(torch, dtype), device=base.device)
    return new.set_(storage, offset, tuple(shape), tuple(strides))


def view_numpy(numpy: ModuleType, base: Any, dtype: Any, shape: Shape, strides: Shape,
               offset: int) -> Any:
    """The same over an array of uint8; `dtype` is a numpy.dtype."""
    size = dtype.itemsize
    if 0 in shape:
        return numpy.empty(shape, dtype)
    return numpy.ndarray(shape, dtype, buffer=base, offset=offset * size,
                         strides=tuple(step * size for step in strides))


def new_views(archived: Sequence[Any], framework: str, device: Any = "cpu") -> List[Any]:
    """New tensors with the dtypes, shapes and strides of `archived`, elements not set: one new
    memory for all that have one `.storage`, where they lie as they lay there. `archived`: objects
    with .dtype, .shape, .strides, .offset, .storage and .requires_grad, such as ArchivedTensor.
    `framework`: "torch" or "numpy"; `device`: one of torch's. UnsupportedError when the framework
    lacks a dtype.
    """
    module = importlib.import_module(framework)
    places: dict = {}
    for one in archived:
        size = size_bytes(one.dtype)
        extent = extent_bytes(one.dtype, one.shape, one.strides)
        if extent:
            start, end = places.get(one.storage, (one.offset * size, 0))
            places[one.storage] = (min(start, one.offset * size),
                                   max(end, one.offset * size + extent))
    bases = {}
    for storage, (start, end) in places.items():
        start -= start % 16  # a multiple of every element's size
        places[storage] = (start, end)
        bases[storage] = (module.empty(end - start, dtype=module.uint8, device=device)
                          if framework == "torch" else module.empty(end - start, module.uint8))
    made = []
    for one in archived:
        base = bases.get(one.storage)
        start = places[one.storage][0] if base is not None else 0
        offset = one.offset - start // size_bytes(one.dtype)
        if framework == "numpy":
            dtype = numpy_dtype(module, one.dtype)
            made.append(module.empty(one.shape, dtype) if base is None else
                        view_numpy(module, base, dtype, one.shape, one.strides, offset))
            continue
        if extent_bytes(one.dtype, one.shape, one.strides) == 0:
            new = module.empty_strided(tuple(one.shape), tuple(one.strides), device=device,
                                       dtype=torch_dtype(module, one.dtype))
        else:
            new = view_torch(module, base, one.dtype, one.shape, one.strides, offset)
        made.append(new.requires_grad_(one.requires_grad and one.dtype in FLOATING))
    return made


def new_like(archived: Any, framework: str, device: Any = "cpu") -> Any:
    """A new tensor with the dtype, shape, strides and requires_grad of `archived`, elements not
    set; see new_views()."""
    return new_views([archived], framework, device)[0]
