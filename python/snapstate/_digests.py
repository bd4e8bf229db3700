# SPDX-License-Identifier: Apache-2.0
"""Digests as the library makes them: of tensors, of sample ids, of bytes."""

from __future__ import annotations

import ctypes
from typing import Sequence

from . import errors
from ._library import call
from ._structs import DIGEST_BYTES, Dtype
from .tensors import TensorMemory

Digest = ctypes.c_ubyte * DIGEST_BYTES


def tensor_digest(memory: TensorMemory) -> bytes:
    """The 32-byte digest of a tensor's elements, which lie in host memory."""
    shape = (ctypes.c_uint64 * max(len(memory.shape), 1))(*memory.shape)
    strides = (ctypes.c_uint64 * max(len(memory.strides), 1))(*memory.strides)
    digest = Digest()
    call("snap_tensor_digest", memory.pointer, Dtype[memory.dtype.upper()], len(memory.shape),
         shape, strides, digest)  # names of dtypes are the enum's in lower case
    return bytes(digest)


def sample_digest(ids: Sequence[int]) -> bytes:
    """The digest of sample ids, each from 0 to 2^32 - 1. InvalidError for others."""
    try:
        array = (ctypes.c_uint32 * max(len(ids), 1))(*ids)
    except (TypeError, OverflowError):
        raise errors.InvalidError("sample ids: they are no integers") from None
    if any(not 0 <= number < 1 << 32 for number in ids):
        raise errors.InvalidError("sample ids: they are not from 0 to 2^32 - 1")
    digest = Digest()
    call("snap_sample_digest", array, len(ids), digest)
    return bytes(digest)


def bytes_digest(data: bytes) -> bytes:
    digest = Digest()
    call("snap_bytes_digest", data, len(data), digest)
    return bytes(digest)
