# SPDX-License-Identifier: Apache-2.0
"""Python's `random`: the global generator, and instances of random.Random."""

from __future__ import annotations

import random
import struct
from typing import Any

from .. import errors
from .base import Stream
from .mirror import TwisterMirror

KIND = "python_random"
STATE_VERSION = 3  # of getstate(), in every Python from 3.2 on

_pack_words = struct.Struct("=625I").pack_into

# What a subclass may not redefine if the state of random.Random is to be its own.
_ENGINE = ("random", "getrandbits", "getstate", "setstate")


def check_instance(generator: object) -> None:
    """InvalidError unless `generator` is a random.Random whose state is the twister's."""
    cls = type(generator)
    where = f"{cls.__module__}.{cls.__qualname__}"
    if isinstance(generator, random.SystemRandom):
        raise errors.InvalidError(
            f"{where}: is no stream: it draws from the operating system, and has no state to "
            f"restore; use random.Random(seed)")
    if not isinstance(generator, random.Random):
        raise errors.InvalidError(f"{where}: is no random.Random")
    for method in _ENGINE:
        if getattr(cls, method) is not getattr(random.Random, method):
            raise errors.InvalidError(
                f"{where}: is no stream: it redefines {method}(), so that the state of "
                f"random.Random is not all of its own")


class PythonStream(Stream):
    """A random.Random. `generator`: the instance, or the module `random` for the global one."""

    def __init__(self, name: str, generator: Any = random) -> None:
        if generator is not random:
            check_instance(generator)
        self._generator = generator
        super().__init__(name, KIND)

    @property
    def generator(self) -> Any:
        return self._generator

    def generator_text(self) -> str:
        if self._generator is random:
            return "the module random"
        return f"a {type(self._generator).__module__}.{type(self._generator).__qualname__}"

    def seed(self, seed: int) -> None:
        self._generator.seed(seed)

    def _mirror(self) -> TwisterMirror:
        return TwisterMirror(self.kind, self.limit_words)

    def _load(self, mirror: TwisterMirror, follow: bool) -> None:
        version, words, gauss = self._generator.getstate()
        if version != STATE_VERSION:
            raise errors.UnsupportedError(
                f"stream {self.name}: read its state: getstate() has version {version}, and "
                f"{STATE_VERSION} is the one that is known")
        state = mirror.state
        _pack_words(mirror.words, 0, *words)
        state.has_gauss = gauss is not None
        state.gauss = gauss if gauss is not None else 0.0
        if follow:
            mirror.follow_state()
        else:
            mirror.set_state()

    def _store(self, mirror: TwisterMirror) -> None:
        mirror.read_state()
        state = mirror.state
        words = struct.unpack("=625I", mirror.words)
        self._generator.setstate((STATE_VERSION, words, state.gauss if state.has_gauss else None))
