# SPDX-License-Identifier: Apache-2.0
"""The element types of the format beside those of torch, NumPy and ml_dtypes, and the exact
widening of the small float formats."""

from __future__ import annotations

import functools
import sys
from types import ModuleType
from typing import Any, Dict, NamedTuple, Optional

from . import errors


class Element(NamedTuple):
    """One element type: bytes, and its name in each library ("" where it has none)."""

    size: int
    torch: str
    numpy: str
    ml_dtypes: str = ""


ELEMENTS: Dict[str, Element] = {
    "bool": Element(1, "bool", "bool"),
    "u8": Element(1, "uint8", "uint8"),
    "i8": Element(1, "int8", "int8"),
    "u16": Element(2, "uint16", "uint16"),
    "i16": Element(2, "int16", "int16"),
    "u32": Element(4, "uint32", "uint32"),
    "i32": Element(4, "int32", "int32"),
    "u64": Element(8, "uint64", "uint64"),
    "i64": Element(8, "int64", "int64"),
    "f16": Element(2, "float16", "float16"),
    "bf16": Element(2, "bfloat16", "", "bfloat16"),
    "f32": Element(4, "float32", "float32"),
    "f64": Element(8, "float64", "float64"),
    "f8_e4m3fn": Element(1, "float8_e4m3fn", "", "float8_e4m3fn"),
    "f8_e5m2": Element(1, "float8_e5m2", "", "float8_e5m2"),
    "f8_e4m3fnuz": Element(1, "float8_e4m3fnuz", "", "float8_e4m3fnuz"),
    "f8_e5m2fnuz": Element(1, "float8_e5m2fnuz", "", "float8_e5m2fnuz"),
    "f8_e8m0fnu": Element(1, "float8_e8m0fnu", "", "float8_e8m0fnu"),
    "c32": Element(4, "complex32", "", "complex32"),
    "c64": Element(8, "complex64", "complex64"),
    "c128": Element(16, "complex128", "complex128"),
}
FLOATING = frozenset(name for name in ELEMENTS if name[0] in "fc" or name == "bf16")
_RAW = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}


def size_bytes(dtype: str) -> int:
    """Bytes of an element of `dtype` ("f32")."""
    return ELEMENTS[dtype].size


@functools.lru_cache(maxsize=None)
def torch_names(torch: ModuleType) -> Dict[Any, str]:
    """The format's name of each torch.dtype that this torch has."""
    return {getattr(torch, element.torch): name for name, element in ELEMENTS.items()
            if hasattr(torch, element.torch)}


def torch_dtype(torch: ModuleType, dtype: str) -> Any:
    """The torch.dtype of `dtype`; UnsupportedError when this torch has none."""
    found = getattr(torch, ELEMENTS[dtype].torch, None)
    if found is None:
        raise errors.UnsupportedError(
            f"dtype {dtype}: torch {torch.__version__} has no torch.{ELEMENTS[dtype].torch}; read "
            f"it as NumPy, or with a newer torch")
    return found


@functools.lru_cache(maxsize=256)  # a name costs NumPy as much as all else of describing an array
def numpy_name(dtype: Any) -> Optional[str]:
    """The format's name of a numpy.dtype, also one of ml_dtypes; None when it has none. Byte order
    is not looked at."""
    if getattr(dtype.type, "__module__", "") == "ml_dtypes":
        return next((name for name, element in ELEMENTS.items()
                     if element.ml_dtypes == dtype.name), None)
    if dtype.kind not in "biufc":
        return None
    return next((name for name, element in ELEMENTS.items() if element.numpy == dtype.name), None)


def numpy_dtype(numpy: ModuleType, dtype: str) -> Any:
    """The numpy.dtype of `dtype`; of bf16 and the 8-bit floats the one of ml_dtypes, when that can
    be imported. UnsupportedError when there is none."""
    element = ELEMENTS[dtype]
    if element.numpy:
        return numpy.dtype(element.numpy)
    if element.ml_dtypes:
        try:
            import ml_dtypes
            return numpy.dtype(getattr(ml_dtypes, element.ml_dtypes))
        except (ImportError, AttributeError):  # also of an ml_dtypes for another NumPy
            pass
    unsigned, wide = _RAW[element.size], "complex64" if dtype == "c32" else "float32"
    raise errors.UnsupportedError(
        f"dtype {dtype}: NumPy has none of this kind, and the package ml_dtypes was not found or "
        f"lacks it; .numpy(raw=True) gives its bits as {unsigned}, .numpy(widen=True) its exact "
        f"values as {wide}")


def raw_dtype(numpy: ModuleType, dtype: str) -> Any:
    """The unsigned numpy.dtype of the width of `dtype`. UnsupportedError for c128."""
    size = size_bytes(dtype)
    if size not in _RAW:
        raise errors.UnsupportedError(
            f"dtype {dtype}: NumPy has no unsigned integer of {size} bytes")
    return numpy.dtype(_RAW[size])


class _SmallFloat(NamedTuple):
    """An 8-bit float: a sign, `exponent` bits, `mantissa` bits. `finite`: there is no infinity, and
    the exponent of all ones holds numbers. `unsigned_zero`: 0x80 is no -0, but the only NaN."""

    exponent: int
    mantissa: int
    bias: int
    finite: bool
    unsigned_zero: bool


_SMALL_FLOATS = {
    "f8_e4m3fn": _SmallFloat(4, 3, 7, True, False),
    "f8_e5m2": _SmallFloat(5, 2, 15, False, False),
    "f8_e4m3fnuz": _SmallFloat(4, 3, 8, True, True),
    "f8_e5m2fnuz": _SmallFloat(5, 2, 16, True, True),
}


def _small_float_bits(code: int, form: _SmallFloat) -> int:
    """The bits of the binary32 that equals the 8-bit float `code`. A NaN becomes a quiet one; where
    the format has several, with the sign and the mantissa that it had, as in torch."""
    sign, rest = (code >> 7) << 31, code & 0x7F
    exponent, mantissa = rest >> form.mantissa, rest & ((1 << form.mantissa) - 1)
    top = 23 - form.mantissa
    if form.unsigned_zero and code == 0x80:
        return 0x7FC00000
    if form.finite and not form.unsigned_zero and rest == 0x7F:
        return sign | 0x7FC00000 | (mantissa << top)
    if not form.finite and exponent == (1 << form.exponent) - 1:
        return sign | (0x7FC00000 if mantissa else 0x7F800000) | (mantissa << top)
    if exponent == 0:
        if mantissa == 0:
            return sign
        shift = form.mantissa + 1 - mantissa.bit_length()
        exponent, mantissa = 1 - shift, (mantissa << shift) & ((1 << form.mantissa) - 1)
    return sign | ((exponent - form.bias + 127) << 23) | (mantissa << top)


def _scale_bits(code: int) -> int:
    """f8_e8m0fnu: 2^(code - 127), and NaN for 255."""
    if code == 255:
        return 0x7FC00000
    return code << 23 if code else 0x00400000


@functools.lru_cache(maxsize=None)
def widened_bits(dtype: str) -> "tuple[int, ...]":
    """For each of the 256 codes of an 8-bit float the bits of the binary32 of that value."""
    if dtype == "f8_e8m0fnu":
        return tuple(_scale_bits(code) for code in range(256))
    return tuple(_small_float_bits(code, _SMALL_FLOATS[dtype]) for code in range(256))


def widened(numpy: ModuleType, dtype: str, raw: Any) -> Any:
    """Exact values of an array of the bits of `dtype`, as float32: bf16, f16 and the 8-bit floats;
    c32 as complex64. In C order. `raw` is unsigned, of the width of `dtype`."""
    raw = numpy.array(raw, order="C")
    if dtype == "bf16":
        return (raw.astype(numpy.uint32) << numpy.uint32(16)).view(numpy.float32)
    if dtype == "f16":
        return raw.view(numpy.float16).astype(numpy.float32)
    if dtype == "c32":
        halves = raw.reshape(raw.shape + (1,)).view(numpy.float16)
        return halves.astype(numpy.float32).view(numpy.complex64).reshape(raw.shape)
    table = numpy.array(widened_bits(dtype), dtype=numpy.uint32)
    return table[raw].view(numpy.float32)


def widens(dtype: str) -> bool:
    """Is `dtype` one that widened() makes wider?"""
    return dtype in ("bf16", "f16", "c32") or dtype.startswith("f8_")


def loaded(name: str) -> Any:
    """A module that somebody has imported, or None: nothing is imported for the question."""
    return sys.modules.get(name)
