# SPDX-License-Identifier: Apache-2.0
"""torch's generators: the one of the CPU, those of the CUDA devices, and torch.Generator objects.

torch is never imported here: without it in the process it has drawn nothing.
"""

from __future__ import annotations

import sys
from typing import Any, List

from .. import errors
from .._library import take_bytes
from .base import Stream
from .mirror import Mirror

KINDS = {"cpu": "torch_cpu", "cuda": "torch_cuda"}

# Up to 1.13 the CUDA state stands behind 200 words of four bytes; torch takes the form it gives.
_OLD_CUDA_PREFIX = b"\xff" * 800
_CUDA_BYTES = 16

# A seed of its own stands in the CPU state, so that a generator that was seeded is known at once
# and not searched for: it can be followed further.
CPU_FOLLOW_WORDS = 1 << 26


def loaded() -> Any:
    """The module torch if this process has imported it, else None."""
    return sys.modules.get("torch")


def cuda_devices() -> int:
    """How many CUDA devices have a generator now: 0 before torch has initialised CUDA."""
    torch = loaded()
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return 0
    return len(torch.cuda.default_generators)


def default_generators() -> List[Any]:
    """torch's own generators, of the CPU and of every CUDA device."""
    torch = loaded()
    if torch is None:
        return []
    return [torch.default_generator, *(torch.cuda.default_generators[i]
                                       for i in range(cuda_devices()))]


class TorchStream(Stream):
    """A torch.Generator, on the CPU or on a CUDA device."""

    def __init__(self, name: str, generator: Any) -> None:
        self._torch = loaded()
        if self._torch is None or not isinstance(generator, self._torch.Generator):
            raise errors.InvalidError(f"{type(generator).__qualname__}: is no torch.Generator")
        kind = KINDS.get(generator.device.type)
        if kind is None:
            raise errors.UnsupportedError(
                f"stream {name}: no kind of stream is known for a torch.Generator on "
                f"{generator.device}")
        self._generator = generator
        if kind == "torch_cpu":
            self.limit_words = CPU_FOLLOW_WORDS
        super().__init__(name, kind)

    @property
    def generator(self) -> Any:
        return self._generator

    def generator_text(self) -> str:
        own = any(self._generator is one for one in default_generators())
        what = "torch's default generator" if own else "a torch.Generator"
        return f"{what} on {self._generator.device}"

    def seed(self, seed: int) -> None:
        self._generator.manual_seed(seed)

    def _load(self, mirror: Mirror, follow: bool) -> None:
        state = self._generator.get_state()  # uint8, on the CPU, contiguous
        if follow:
            mirror.follow(state.data_ptr(), state.numel())
        else:
            mirror.decode(state.data_ptr(), state.numel())

    def _store(self, mirror: Mirror) -> None:
        data = take_bytes(*mirror.encode_malloc())
        if self.kind == "torch_cuda" and self._generator.get_state().numel() > _CUDA_BYTES:
            data = _OLD_CUDA_PREFIX + data
        self._generator.set_state(self._torch.tensor(list(data), dtype=self._torch.uint8,
                                                  device="cpu"))
