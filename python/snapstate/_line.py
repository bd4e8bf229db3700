# SPDX-License-Identifier: Apache-2.0
"""What a step gives to its ledger line: losses, learning rates, sample ids, digests of batches."""

from __future__ import annotations

import math
import struct
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from . import errors
from ._digests import bytes_digest, sample_digest, tensor_digest
from ._step_record import F32
from ._staging import stage
from .tensors import describe

Scalar = Any  # int, float or F32
NARROW = ("float32", "float16", "bfloat16")


def scalar_bits(name: str, value: Any) -> Scalar:
    """A number of one element, with its own width: float32 stays so. None for a tensor on a device,
    which is not to be waited for."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value) if isinstance(value, float) else value  # numpy.float64 is a float
    dtype, item = getattr(value, "dtype", None), getattr(value, "item", None)
    if dtype is None or item is None:
        raise errors.InvalidError(f"{name}: a {type(value).__name__} is no number")
    shape = tuple(value.shape)
    if math.prod(shape) != 1:
        raise errors.InvalidError(f"{name}: a tensor of shape {shape} is no number")
    if str(getattr(value, "device", "cpu")) != "cpu":
        return None
    number, kind = item(), str(dtype).rpartition(".")[2]
    if kind in NARROW:  # exact: they are no wider than float32
        return F32(struct.unpack("<I", struct.pack("<f", number))[0])
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        return number
    raise errors.InvalidError(f"{name}: {dtype} is no number for a ledger")


def is_finite(value: Scalar) -> bool:
    if isinstance(value, F32):
        return (value.bits >> 23) & 0xFF != 0xFF
    return math.isfinite(value)


def learning_rates(optimizers: Sequence[Tuple[str, Any]]) -> Dict[str, Scalar]:
    """`lr` of one optimizer with one group; else `lr.NAME.GROUP`. Those on a device are left out:
    they are state, and in the state digest."""
    rates: Dict[str, Scalar] = {}
    groups = [(f"lr.{name}.{index}", group["lr"]) for name, optimizer in optimizers
              for index, group in enumerate(optimizer.param_groups) if "lr" in group]
    for name, rate in groups:
        bits = scalar_bits(name, rate)
        if bits is not None:
            rates["lr" if len(groups) == 1 else name] = bits
    return rates


def _arrays(value: Any) -> Iterator[Any]:
    """Tensors, arrays, bytes and numbers of a batch, in its order."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _arrays(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays(item)
    else:
        yield value


def batch_digest(batch: Any) -> bytes:
    """A digest of everything in a batch: of tensors their elements, of the rest its text."""
    parts: List[bytes] = []
    for item in _arrays(batch):
        memory = describe(item)
        if memory is not None:
            parts.append(tensor_digest(stage([memory]).memories[0]))
        else:
            parts.append(bytes_digest(repr(item).encode("utf-8", "surrogatepass")))
    return bytes_digest(b"".join(parts))


@dataclass
class Record:
    """What a step gives to its line, of one process or of all.

    samples    of this epoch consumed so far
    ids        of the step's samples; None: not known, or none
    batches    a digest of each batch's bytes
    host       scalars that are equal on any machine
    """

    epoch: int
    samples: int
    ids: Optional[List[int]]
    batches: List[bytes]
    host: Dict[str, Any]
    floats: Dict[str, Any]
    skipped: bool

    def sample_digest(self) -> Optional[bytes]:
        return sample_digest(self.ids) if self.ids else None

    def batch_digest(self) -> Optional[bytes]:
        if not self.batches:
            return None
        return self.batches[0] if len(self.batches) == 1 else bytes_digest(b"".join(self.batches))


def merged(step: int, records: Sequence[Record]) -> Record:
    """One record of those of all ranks: their samples one after the other, and the losses of rank 1
    and on as `NAME.rank1`. DiffersError when they made different updates."""
    first = records[0]
    for rank, record in enumerate(records[1:], start=1):
        for what in ("epoch", "host", "skipped"):
            one, other = getattr(first, what), getattr(record, what)
            if one != other:
                raise errors.DiffersError(
                    f"step {step}: {what} is {one!r} on rank 0 and {other!r} on rank {rank}, which "
                    f"train one model: make their updates the same")
    if len(records) == 1:
        return first
    floats = {name if rank == 0 else f"{name}.rank{rank}": value
              for rank, record in enumerate(records) for name, value in record.floats.items()}
    ids: Optional[List[int]] = None
    if all(record.ids is not None for record in records):
        ids = [number for record in records for number in record.ids or ()]
    return Record(first.epoch, sum(record.samples for record in records), ids,
                  [digest for record in records for digest in record.batches], first.host, floats,
                  first.skipped)


class Line:
    """Gathers a step: the batches handed out for it, and the losses reported, until the update that
    ends it."""

    def __init__(self, batch_bytes: bool) -> None:
        self._pool: Optional[ThreadPoolExecutor] = (
            ThreadPoolExecutor(1, "snapstate-batch") if batch_bytes else None)
        self.late: List[Any] = []  # losses on a device, of the step before
        self.clear()

    def clear(self) -> None:
        self._ids: List[int] = []
        self._known = True
        self._batches: List["Future[bytes]"] = []
        self.losses: List[Tuple[str, Any]] = []

    def add_batch(self, batch: Any, ids: Optional[Sequence[int]]) -> None:
        """A batch was handed out. `ids` None: they are not known."""
        if ids is None:
            self._known = False
        else:
            self._ids += ids
        if self._pool is not None:
            self._batches.append(self._pool.submit(batch_digest, batch))

    def add_loss(self, values: Dict[str, Any]) -> None:
        self.losses += values.items()

    def ids(self) -> Optional[List[int]]:
        """Of the samples of the step; None when those of a batch are not known."""
        return list(self._ids) if self._known else None

    def batches(self) -> List[bytes]:
        """The digests of their bytes, if they are asked for. Waits for those under way."""
        return [future.result() for future in self._batches]

    def floats(self) -> Dict[str, Scalar]:
        """The losses of the step; of several micro-batches numbered from 0. One that is on a device
        is recorded with the next step, as `NAME.before`, when it has long been there."""
        found: Dict[str, Scalar] = {}
        for name, value in self.late:
            found[f"{name}.before"] = scalar_bits(name, value.cpu())
        self.late = []
        names = [name for name, _ in self.losses]
        count: Dict[str, int] = {}
        for name, value in self.losses:
            index = count[name] = count.get(name, -1) + 1
            full = f"{name}.{index}" if names.count(name) > 1 else name
            bits = scalar_bits(name, value)
            if bits is None:
                self.late.append((full, value.detach().clone()))
            else:
                found[full] = bits
        return found

    def pending(self) -> Dict[str, Any]:
        """Losses that the next line will hold: state of the run."""
        return {name: value.detach().cpu() for name, value in self.late}

    def set_pending(self, values: Dict[str, Any]) -> None:
        self.late = list(values.items())

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()


