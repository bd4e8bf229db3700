# SPDX-License-Identifier: Apache-2.0
"""Host copies of the memory of tensors that lie on a device."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, List, Sequence, Tuple

from .tensors import TensorMemory


class Staging:
    """Host copies of device memory, for a library that reads and writes host memory.

    `memories` are those given, in their order, each on the host: those that were there, as they
    are; of the others copies, pinned where CUDA is there. Device memory that overlaps has one copy,
    so what was shared is shared. The copies are complete when the constructor returns."""

    def __init__(self, memories: Sequence[TensorMemory]) -> None:
        self.memories: List[TensorMemory] = list(memories)
        self._copies: List[Tuple[Any, Any]] = []  # bytes on the device, bytes on the host
        away = [index for index, memory in enumerate(memories) if memory.device != "cpu"]
        if away:
            self._torch = importlib.import_module("torch")
            away.sort(key=lambda index: (memories[index].device_index, memories[index].pointer))
            while away:
                away = self._stage_first(away)
            self._synchronize()

    def _stage_first(self, away: List[int]) -> List[int]:
        """Copy the memory of the first of `away`, sorted by address, and of those that overlap it;
        the rest."""
        torch, memories = self._torch, self.memories
        first = memories[away[0]]
        start, end, count = first.pointer, first.pointer + first.nbytes, 1
        while count < len(away):
            memory = memories[away[count]]
            if memory.device_index != first.device_index or memory.pointer >= end:
                break
            end = max(end, memory.pointer + memory.nbytes)
            count += 1
        host = torch.empty(end - start, dtype=torch.uint8, pin_memory=torch.cuda.is_available())
        device = _bytes_of(torch, first.owner, start, end - start)
        host.copy_(device, non_blocking=True)
        self._copies.append((device, host))
        for index in away[:count]:
            memory = memories[index]
            memories[index] = TensorMemory(
                host.data_ptr() + memory.pointer - start, memory.dtype, memory.shape,
                memory.strides, memory.requires_grad, "cpu", 0, memory.nbytes, host, "torch", True,
                memory.changes_in_forward)
        return away[count:]

    def _synchronize(self) -> None:
        for device in {str(device.device) for device, _ in self._copies if device.is_cuda}:
            self._torch.cuda.synchronize(device)

    def write_back(self) -> None:
        """Copy what the host copies hold now to where they came from; complete on return. Bytes
        between the elements of a strided tensor get what they had when they were copied."""
        for device, host in self._copies:
            device.copy_(host, non_blocking=True)
        if self._copies:
            self._synchronize()


def stage(memories: Sequence[TensorMemory]) -> Staging:
    """Host copies of those of `memories` that are on a device."""
    return Staging(memories)


def _bytes_of(torch: ModuleType, tensor: Any, start: int, size: int) -> Any:
    """A tensor of uint8 over `size` bytes from address `start` of the tensor's storage."""
    plain = tensor.detach()
    storage = (plain.untyped_storage() if hasattr(plain, "untyped_storage")
               else plain.storage().untyped())
    if size == 0:
        return torch.empty(0, dtype=torch.uint8, device=plain.device)
    new = torch.empty(0, dtype=torch.uint8, device=plain.device)
    return new.set_(storage, start - storage.data_ptr(), (size,), (1,))
