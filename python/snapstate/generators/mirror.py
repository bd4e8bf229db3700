# SPDX-License-Identifier: Apache-2.0
"""Mirrors: engines of the library that are, bit for bit, a generator of this process. A mirror
checks every state before the generator sees it, writes its canonical member bytes, and counts the
32-bit words that the generator drew, by following it from one state to the next."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_bool, c_int64, c_uint64, c_void_p
from typing import Any, Optional, Tuple

from .._library import call, error_of, library, take_bytes
from .._structs import snap_error, snap_mt19937_state

TWISTER_BYTES = 625 * 4  # key and position of a Mersenne twister

Data = Any  # bytes, or the address of some

# How far a generator is followed from one look to the next, in 32-bit words: nobody draws 16
# million of them in Python or NumPy within a step, and when nothing leads to the new state (the
# generator was seeded) the search ends after some ten milliseconds. A constant, since the counts of
# words stand in the ledger: every run of the same steps must count the same.
FOLLOW_WORDS = 1 << 24


class Mirror:
    """A stream of the library that mirrors a generator; owns its memory.

    `jumps` counts how often the generator was found where no draws lead: it was seeded, moved back,
    or moved further than FOLLOW_WORDS.
    """

    def __init__(self, kind: str, limit_words: int = FOLLOW_WORDS) -> None:
        self.kind = kind
        self.jumps = 0
        self._library = library()
        self._handle = c_void_p()
        self._limit = limit_words
        self._error = snap_error()
        self._words = c_uint64()
        self._related = c_bool()
        call("snap_stream_new", kind.encode(), byref(self._handle))

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._library.snap_stream_free(handle)

    def _check(self, status: int) -> None:
        if status:
            raise error_of(status, self._error)

    @property
    def words_drawn(self) -> int:
        return self._library.snap_stream_words_drawn(self._handle)

    def decode(self, data: Data, size: Optional[int] = None) -> None:
        """Go where the member bytes say (or those at an address, borrowed for the call, and their
        size); CorruptError, and nothing changed, when they are no state of this kind. Counts
        nothing."""
        size = len(data) if size is None else size
        self._check(self._library.snap_stream_decode(self._handle, data, size,
                                                     byref(self._error)))

    def follow(self, data: Data, size: Optional[int] = None) -> None:
        """The same, and count the words from here to there."""
        size = len(data) if size is None else size
        self._check(self._library.snap_stream_follow(
            self._handle, data, size, self._limit, byref(self._words), byref(self._related),
            byref(self._error)))
        self._note_jump()

    def encode_malloc(self) -> Tuple[c_void_p, int]:
        """The member bytes, malloc'd for a caller that frees them, and their size."""
        pointer = c_void_p()
        size = ctypes.c_size_t()
        self._check(self._library.snap_stream_encode(self._handle, byref(pointer), byref(size),
                                                     byref(self._error)))
        return pointer, size.value

    def encode(self) -> bytes:
        """The member bytes."""
        return take_bytes(*self.encode_malloc())

    def _note_jump(self) -> None:
        if not self._related.value:
            self.jumps += 1


class TwisterMirror(Mirror):
    """A mirror of Python's or NumPy's Mersenne twister. `state` is filled before set and follow,
    and filled by read_state."""

    def __init__(self, kind: str, limit_words: int = FOLLOW_WORDS) -> None:
        super().__init__(kind, limit_words)
        self.state = snap_mt19937_state()
        self.source: Any = None  # for a stream that remembers what it loaded
        # key[624] and position as bytes, and where they lie.
        offset = snap_mt19937_state.key.offset
        self.words = memoryview(self.state).cast("B")[offset:offset + TWISTER_BYTES]
        self.words_address = ctypes.addressof(self.state) + offset

    def set_state(self) -> None:
        self._check(self._library.snap_stream_set_mt19937(self._handle, byref(self.state),
                                                          byref(self._error)))

    def follow_state(self) -> None:
        self._check(self._library.snap_stream_follow_mt19937(
            self._handle, byref(self.state), self._limit, byref(self._words), byref(self._related),
            byref(self._error)))
        self._note_jump()

    def read_state(self) -> None:
        self._check(self._library.snap_stream_get_mt19937(self._handle, byref(self.state),
                                                          byref(self._error)))


def distance(kind: str, before: bytes, after: bytes,
             limit_words: int = FOLLOW_WORDS) -> Optional[int]:
    """How many 32-bit words the state `after` is ahead of `before`, both member bytes of `kind`;
    negative: behind; None: no draws lead from one to the other within `limit_words`. CorruptError
    when either is no state."""
    words = c_int64()
    related = c_bool()
    call("snap_stream_distance", kind.encode(), before, len(before), after, len(after),
         limit_words, byref(words), byref(related))
    return words.value if related.value else None
