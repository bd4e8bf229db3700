# SPDX-License-Identifier: Apache-2.0
"""NumPy's legacy generators: the global one, and RandomState objects.

NumPy is never imported here: without it in the process it has drawn nothing.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Optional

from .. import errors
from .base import Stream
from .mirror import TWISTER_BYTES, TwisterMirror

LEGACY_KIND = "numpy_random_state"
TWISTER = "MT19937"
LARGEST_SEED = (1 << 32) - 1  # of RandomState.seed


def loaded() -> Any:
    """The module numpy.random if this process has imported NumPy, else None. NumPy 2 imports it at
    its first use, which this is: its global generator would else come later, and unseeded."""
    return getattr(sys.modules.get("numpy"), "random", None)


def twister_address(engine: Any, words: bytes) -> Optional[int]:
    """Where the key and position of an MT19937 lie in memory, given what they are; None when they
    do not lie as they did in every NumPy so far. Its `state` makes numbers of them one by one,
    which takes ten times as long as all the rest of a look at it."""
    try:
        address = engine.ctypes.state_address
    except (AttributeError, ImportError):
        return None
    return address if ctypes.string_at(address, TWISTER_BYTES) == words else None


class RandomStateStream(Stream):
    """A legacy numpy.random.RandomState over MT19937; the global one for None.

    UnsupportedError when it was put over another bit generator, whose state and cached normal no
    kind of stream holds together.
    """

    def __init__(self, name: str, random_state: Optional[Any] = None) -> None:
        numpy_random = loaded()
        if numpy_random is None:
            raise errors.InvalidError(f"stream {name}: NumPy is not imported in this process")
        # The functions of numpy.random are methods of this object.
        self._state = numpy_random.mtrand._rand if random_state is None else random_state
        if not isinstance(self._state, numpy_random.RandomState):
            raise errors.InvalidError(
                f"{type(self._state).__qualname__}: is no numpy.random.RandomState")
        self._numpy = sys.modules["numpy"]
        self._found_engine: Any = None  # the one whose words lie at _address
        self._address: Optional[int] = None
        super().__init__(name, LEGACY_KIND)

    @property
    def generator(self) -> Any:
        return self._state

    def generator_text(self) -> str:
        own = self._state is loaded().mtrand._rand
        return "numpy.random" if own else "a numpy.random.RandomState"

    def seed(self, seed: int) -> None:
        if not 0 <= seed <= LARGEST_SEED:
            raise errors.InvalidError(
                f"stream {self.name}: seed {seed}: numpy.random.RandomState takes 0 to 2^32-1: "
                f"choose a seed in that range")
        self._state.seed(seed)

    def _mirror(self) -> TwisterMirror:
        return TwisterMirror(self.kind, self.limit_words)

    def _engine(self) -> Any:
        """The bit generator, which set_bit_generator() may have replaced."""
        engine = self._state._bit_generator
        name = type(engine).__name__
        if name != TWISTER:
            raise errors.UnsupportedError(
                f"stream {self.name}: {self.generator_text()} stands over {name}, and over "
                f"{TWISTER} only it has a form in an archive; draw from a "
                f"numpy.random.Generator({name}(seed)) and register that")
        return engine

    def _load(self, mirror: TwisterMirror, follow: bool) -> None:
        self._engine()
        found = self._state.get_state(legacy=False)
        words = self._numpy.frombuffer(mirror.words, dtype=self._numpy.uint32)
        words[:624] = found["state"]["key"]
        words[624] = found["state"]["pos"]
        state = mirror.state
        state.has_gauss = bool(found["has_gauss"])
        state.gauss = found["gauss"]
        if follow:
            mirror.follow_state()
        else:
            mirror.set_state()

    def _count(self, mirror: TwisterMirror) -> None:
        engine = self._engine()
        if engine is not self._found_engine:
            self._load(mirror, True)
            self._address = twister_address(engine, bytes(mirror.words))
            self._found_engine = engine
        if self._address is None:
            self._load(mirror, True)
        else:
            ctypes.memmove(mirror.words_address, self._address, TWISTER_BYTES)
            mirror.follow_state()  # with the cached normal that was loaded last

    def _store(self, mirror: TwisterMirror) -> None:
        self._engine()
        mirror.read_state()
        words = self._numpy.frombuffer(bytes(mirror.words), dtype=self._numpy.uint32)
        self._state.set_state({
            "bit_generator": TWISTER, "state": {"key": words[:624].copy(), "pos": int(words[624])},
            "has_gauss": int(mirror.state.has_gauss), "gauss": mirror.state.gauss})
