# SPDX-License-Identifier: Apache-2.0
"""What a stream is: a random generator of this process, read and set through a mirror."""

from __future__ import annotations

import re
from typing import Any, Optional

from .. import errors
from .._structs import STREAM_GET, STREAM_SET, STREAM_WORDS_DRAWN, Status, snap_stream_ops
from . import moves
from .mirror import FOLLOW_WORDS, Mirror, distance

# As snap_run_add_stream wants it: the member is rng/NAME, of at most 100 bytes, and rng/shard-NNN
# can be a folder.
LEGAL_NAME = re.compile(r"(?!shard-[0-9]{3}\Z)[a-z0-9_][a-z0-9._-]*\Z", re.ASCII | re.IGNORECASE)
LONGEST_NAME = 96


def check_name(name: str) -> None:
    """InvalidError unless `name` can be that of a stream."""
    if not isinstance(name, str) or not LEGAL_NAME.match(name) or len(name) > LONGEST_NAME:
        raise errors.InvalidError(
            f"stream {name!r}: the name is not legal: a letter, digit or _, then letters, digits "
            f"and ._-, at most {LONGEST_NAME} in all, and not shard-NNN")


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

    def undo(self, data: bytes) -> None:
        """Put the generator back to `data`, which get() gave, as if nothing had been drawn since:
        those draws count nowhere, unless somebody looked at the stream in between. CorruptError
        when it does not take the state."""
        wanted = self._mirror()
        wanted.decode(bytes(data))
        self._store(wanted)
        if self.get() != bytes(data):
            raise errors.CorruptError(f"stream {self.name}: undo: {self.generator_text()} did not "
                                      f"take the state that it had before")

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
