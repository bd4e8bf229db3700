# SPDX-License-Identifier: Apache-2.0
"""A line of the ledger, as the library takes it."""

from __future__ import annotations

import struct
from typing import Mapping, Optional, Sequence, Tuple

from . import errors
from ._digests import Digest
from ._library import utf8
from ._structs import ScalarType, TensorRole, snap_scalar, snap_step_record, snap_tensor_digest

Scalars = Mapping[str, object]
# role ("output", "gradient", "weight"), name, 32 bytes
TensorDigests = Sequence[Tuple[str, str, bytes]]


class F32:
    """A binary32 number by its bits, so that nothing is lost on the way into a ledger."""

    __slots__ = ("bits",)

    def __init__(self, bits: int) -> None:
        self.bits = bits

    @property
    def value(self) -> float:
        return float(struct.unpack("<f", struct.pack("<I", self.bits))[0])


def _scalar(name: str, value: object) -> snap_scalar:
    """An integer, or a float; a 32-bit one is given as numpy.float32 or as `F32`."""
    if isinstance(value, F32):
        return snap_scalar(utf8(name), ScalarType.F32, value.bits)
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= 1 << 53:
            raise errors.InvalidError(f"scalar {name}: {value} is no integer from 0 to 2^53")
        return snap_scalar(utf8(name), ScalarType.INT, value)
    if isinstance(value, float):
        (bits,) = struct.unpack("<Q", struct.pack("<d", value))
        return snap_scalar(utf8(name), ScalarType.F64, bits)
    raise errors.InvalidError(f"scalar {name}: a {type(value).__name__} is neither int nor float")


def step_record(step: int, epoch: int, samples: Optional[bytes], batch: Optional[bytes],
                host: Scalars, floats: Scalars, skipped: bool,
                tensors: TensorDigests) -> snap_step_record:
    """What RunHandle.step() is given; it owns what it points to."""
    record = snap_step_record(step=step, epoch=epoch, skipped=skipped)
    if samples is not None:
        record.sample_digest = Digest(*samples)
    if batch is not None:
        record.batch_digest = Digest(*batch)
    host_array = (snap_scalar * max(len(host), 1))(*(_scalar(n, v) for n, v in host.items()))
    float_array = (snap_scalar * max(len(floats), 1))(
        *(_scalar(n, v) for n, v in floats.items()))
    record.host_scalars, record.host_scalar_count = host_array, len(host)
    record.float_scalars, record.float_scalar_count = float_array, len(floats)
    if tensors:
        array = (snap_tensor_digest * len(tensors))()
        for place, (role, name, digest) in zip(array, tensors):
            place.role = TensorRole[role.upper()]
            place.name = utf8(name)
            place.sha256 = Digest(*digest)
        record.tensor_digests, record.tensor_digest_count = array, len(tensors)
    return record
