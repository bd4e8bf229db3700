# SPDX-License-Identifier: Apache-2.0
"""What a stream is: a random generator of this process, read and set through a mirror.

A mirror is a `struct snap_stream` of the library: the engine of that generator, bit for bit. It
checks every state before the generator sees it, writes its canonical member bytes, and counts the
32-bit words that the generator drew, by following it from one state to the next.
"""

from __future__ import annotations

import ctypes
import re
from ctypes import byref, c_bool, c_int64, c_uint64, c_void_p
from typing import Any, Optional, Tuple

from .. import errors
from .._library import call, error_of, library, take_bytes
from .._structs import STREAM_GET, STREAM_SET, STREAM_WORDS_DRAWN, Status
from .._structs import snap_error, snap_mt19937_state, snap_stream_ops
from . import moves

# As snap_run_add_stream wants it: the member is rng/NAME, of at most 100 bytes, and rng/shard-NNN
# can be a folder.
LEGAL_NAME = re.compile(r"(?!shard-[0-9]{3}\Z)[a-z0-9_][a-z0-9._-]*\Z", re.ASCII | re.IGNORECASE)
LONGEST_NAME = 96

TWISTER_BYTES = 625 * 4  # key and position of a Mersenne twister

Data = Any  # bytes, or the address of some

# How far a generator is followed from one look to the next, in 32-bit words: nobody draws 16
# million of them in Python or NumPy within a step, and when nothing leads to the new state (the
# generator was seeded) the search ends after some ten milliseconds. A constant, since the counts of
# words stand in the ledger: every run of the same steps must count the same.
FOLLOW_WORDS = 1 << 24


def check_name(name: str) -> None:
    """InvalidError unless `name` can be that of a stream."""
    if not isinstance(name, str) or not LEGAL_NAME.match(name) or len(name) > LONGEST_NAME:
        raise errors.InvalidError(
            f"stream {name!r}: the name is not legal: a letter, digit or _, then letters, digits "
            f"and ._-, at most {LONGEST_NAME} in all, and not shard-NNN")


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


class Stream:
    """A random generator of this process.

    name    the name that it has in an archive (member rng/NAME)
    kind    a kind of snapstate/stream.h, which says what its member bytes are
    failure the exception that a callback of `ops` caught last, or None; who called the library
            chains it to the error that came back, and sets it to None

    A subclass reads and sets the generator: `_load` and `_store`. One thread at a time.
    """

    limit_words = FOLLOW_WORDS

    def __init__(self, name: str, kind: str) -> None:
        check_name(name)
        self.name = name
        self.kind = kind
        self.failure: Optional[BaseException] = None
        self._counter = self._mirror()
        self._load(self._counter, False)
        self._run: Any = None  # the mirror of `ops`, once they were asked for
        self._ops: Optional[snap_stream_ops] = None

    def _mirror(self) -> Mirror:
        return Mirror(self.kind, self.limit_words)

    def _load(self, mirror: Any, follow: bool) -> None:
        """Bring the mirror to the generator's state; `follow`: and count the words in between."""
        raise NotImplementedError

    def _store(self, mirror: Any) -> None:
        """Bring the generator to the mirror's state."""
        raise NotImplementedError

    def _count(self, mirror: Any) -> None:
        """As _load(mirror, True), for the words alone: cached numbers need not be read."""
        self._load(mirror, True)

    def seed(self, seed: int) -> None:
        """Seed the generator as a user of its library would. InvalidError for a seed that the
        library does not take."""
        raise NotImplementedError

    @property
    def generator(self) -> object:
        """The object that draws: a module for the global generators of Python and NumPy."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<snapstate stream {self.name}: {self.kind}, {self.generator_text()}>"

    def generator_text(self) -> str:
        """What it is in its library's terms: "random", "torch.Generator on cuda:0"."""
        raise NotImplementedError

    def get(self) -> bytes:
        """The generator's state as member bytes: equal states give equal bytes."""
        mirror = self._mirror()
        self._load(mirror, False)
        return mirror.encode()

    def set(self, data: bytes) -> None:
        """Put the generator where the member bytes say, cached normals included, and read it back.
        CorruptError when they are no state of this kind. On every failure the generator is where it
        was."""
        wanted = self._mirror()
        wanted.decode(bytes(data))
        self._set(wanted)

    def _set(self, wanted: Mirror) -> None:
        mirrors = [self._counter] if self._run is None else [self._counter, self._run]
        for mirror in mirrors:
            self._load(mirror, True)  # what was drawn up to here counts
        before = self._mirror()
        self._load(before, False)
        try:
            self._store(wanted)
            found = self._mirror()
            self._load(found, False)
            if found.encode() != wanted.encode():
                raise errors.InternalError(
                    f"stream {self.name}: set: {self.generator_text()} did not take the state: it "
                    f"reads back as another one")
        except BaseException:
            self._store(before)
            raise
        for mirror in mirrors:
            self._load(mirror, False)

    def words_drawn(self) -> int:
        """32-bit words that the generator drew since this object was made, as far as two looks tell
        (this call is one): what was drawn before it was seeded or set back, and not looked at in
        between, does not count. CUDA: words per thread."""
        self._count(self._counter)
        return self._counter.words_drawn

    @property
    def jumps(self) -> int:
        """How often the run that uses `ops` found the generator where no draws lead."""
        return 0 if self._run is None else self._run.jumps

    def distance(self, before: bytes, after: bytes) -> Optional[int]:
        """32-bit words from one state of this kind to another; see
        snapstate.generators.distance."""
        return distance(self.kind, before, after, self.limit_words)

    def describe_move(self, before: bytes, after: bytes) -> str:
        """How the state `after` lies to `before`, and the usual cause, as a line of text:
        "stream torch: is one 64-bit draw ahead: ..."."""
        return moves.describe(self.name, self.kind, before, after, self.distance(before, after))

    # ---- the callbacks for snap_run_add_stream ----

    @property
    def ops(self) -> snap_stream_ops:
        """The callbacks for a run. They and this object must live until the run is closed; they
        have a count of words of their own, so that `words_drawn` may be called at any time."""
        if self._ops is None:
            self._run = self._mirror()
            self._load(self._run, False)
            self._ops = snap_stream_ops(
                get=STREAM_GET(self._ops_get), set=STREAM_SET(self._ops_set),
                words_drawn=STREAM_WORDS_DRAWN(self._ops_words_drawn))
        return self._ops

    arg = None  # the callbacks know their stream

    def _ops_get(self, _arg: Any, data: Any, size: Any, err: Any) -> int:
        try:
            self._load(self._run, True)
            pointer, size[0] = self._run.encode_malloc()
            data[0] = pointer.value
            return Status.OK
        except BaseException as problem:  # noqa: B902 - C cannot pass it on: it is kept
            return self._fail("read its state", problem, err)

    def _ops_set(self, _arg: Any, data: Any, size: Any, err: Any) -> int:
        try:
            wanted = self._mirror()
            wanted.decode(data or 0, size)
            self._set(wanted)
            return Status.OK
        except BaseException as problem:  # noqa: B902
            return self._fail("set its state", problem, err)

    def _ops_words_drawn(self, _arg: Any) -> int:
        """Cannot tell an error: `failure` has it, and the count is the last one known."""
        try:
            self._count(self._run)
        except BaseException as problem:  # noqa: B902
            self._fail("count its draws", problem, None)
        return self._run.words_drawn

    def _fail(self, action: str, problem: BaseException, err: Any) -> int:
        """Keep the exception, and write it into the library's error; its status."""
        self.failure = problem
        if isinstance(problem, errors.SnapError):
            status, text = problem.status, str(problem)
        else:
            status = (Status.NO_MEMORY if isinstance(problem, MemoryError) else
                      Status.IO if isinstance(problem, (OSError, RuntimeError)) else
                      Status.INTERNAL)
            text = f"stream {self.name}: {action}: {type(problem).__name__}: {problem}"
        if err:
            line = " ".join(text.split()).encode("utf-8", "replace")[:999]
            err.contents.text = line.decode("utf-8", "ignore").encode()
            err.contents.status = status
            err.contents.os_error = getattr(problem, "os_error", 0)
        return int(status)
