# SPDX-License-Identifier: Apache-2.0
"""The sampler of a loader, watched: which ids were taken for which batch, and how a fresh sampler
comes behind batch N without a sample being loaded."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any, Deque, Iterator, Optional

from . import generators, ids
from .alignment import placeholder_index
from .generators import State
from .held_state import has_state
from .ids import BatchIds


class Recording:
    """What one epoch takes from the sampler.

    skip          batches to leave out at the beginning
    placeholders  indices without data to give after that
    lazy          make the sampler's iterator once, when the first index is asked for, and not
                  whenever the loader makes its own
    attempts      how often the loader asked
    skipped       batches that were left out
    digest        of their ids; the digest that the skipping begins with is the empty one
    pulled        batches that were asked for and are not handed to the loop yet, oldest first
    seed_state    state of the generator that the loader draws its base seed from, right before that
    """

    def __init__(self, skip: int = 0, placeholders: int = 0, lazy: bool = False) -> None:
        self.skip = skip
        self.placeholders = placeholders
        self.lazy = lazy
        self.attempts = 0
        self.skipped = 0
        self.digest: Optional[bytes] = ids.EMPTY
        self.pulled: Deque[BatchIds] = deque()
        self.seed_state: Optional[State] = None
        self.iterator: Optional[WatchedIterator] = None

    def advance(self) -> None:
        """Do the skipping now, and not when the first index is asked for."""
        if self.iterator is not None:
            self.iterator.advance()

    def digest_ahead(self, digest: Optional[bytes]) -> Optional[bytes]:
        """`digest` of the batches handed to the loop, extended by those that are asked for."""
        for batch in self.pulled:
            digest = ids.extend(digest, batch)
        return digest


class WatchedSampler:
    """Stands for the sampler that gives the loader an index for each batch.

    inner     the user's
    batched   an index is a list
    watch     record the indices; False: they say nothing (iterable data)
    seeder    the generator of the base seed, if its state is wanted
    stateful  which of the sampler and the one that it wraps has a state_dict(), or None
    """

    def __init__(self, inner: Any, batched: bool, watch: bool, seeder: Optional[Any]) -> None:
        self.inner = inner
        self.batched = batched
        self.watch = watch
        self.stateful = next((part for part in (inner, getattr(inner, "sampler", None))
                              if has_state(part)), None)
        self.seeder = seeder
        self.recording = Recording()

    def __iter__(self) -> "WatchedIterator":
        recording = self.recording
        inner = None if recording.lazy else iter(self.inner)
        if self.seeder is not None and recording.seed_state is None:
            recording.seed_state = generators.read(self.seeder)
        recording.iterator = WatchedIterator(self, recording, inner)
        return recording.iterator

    def __len__(self) -> int:
        return len(self.inner)

    def read_state(self) -> Any:
        """The sampler's own state, apart from what it goes on to change; None: it keeps none."""
        return None if self.stateful is None else copy.deepcopy(self.stateful.state_dict())


class WatchedIterator:
    def __init__(self, sampler: WatchedSampler, recording: Recording,
                 inner: Optional[Iterator[Any]]) -> None:
        self._sampler = sampler
        self._recording = recording
        self._inner = inner
        self._ready = False

    def __iter__(self) -> "WatchedIterator":
        return self

    def advance(self) -> None:
        if self._ready:
            return
        self._ready = True
        if self._inner is None:
            self._inner = iter(self._sampler.inner)
        recording = self._recording
        digest = recording.digest
        for index in _first(self._inner, recording.skip):
            digest = ids.extend(digest, BatchIds.of(index))
            recording.skipped += 1
        recording.digest = digest

    def __next__(self) -> Any:
        sampler, recording = self._sampler, self._recording
        recording.attempts += 1
        self.advance()
        if recording.placeholders:
            recording.placeholders -= 1
            return placeholder_index(sampler.batched)
        index = next(self._inner)  # type: ignore[arg-type]
        if sampler.watch:
            recording.pulled.append(BatchIds.of(index))
        return index


def _first(iterator: Iterator[Any], count: int) -> Iterator[Any]:
    """Up to `count` items; asks for none beyond them."""
    for _ in range(count):
        try:
            yield next(iterator)
        except StopIteration:
            return
