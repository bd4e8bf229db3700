# SPDX-License-Identifier: Apache-2.0
"""Streams of all ranks, as one process sees them: its own, and what it was told of the others."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from ..generators import Stream

# name -> kind, member bytes, 32-bit words drawn so far
Told = Dict[str, Tuple[str, bytes, int]]


class HeldStream(Stream):
    """A generator of another process: the state that it was in when that was told."""

    def __init__(self, name: str, kind: str, state: bytes) -> None:
        self.state = state
        self.words = 0
        super().__init__(name, kind)

    def _load(self, mirror: Any, follow: bool) -> None:
        mirror.decode(self.state)

    def _store(self, mirror: Any) -> None:
        self.state = mirror.encode()

    def _ops_words_drawn(self, _arg: Any) -> int:
        return self.words

    def generator_text(self) -> str:
        return "a generator of another rank"


class ShardStream:
    """A stream under the name that it has as one of a shard; for RunHandle.add_stream()."""

    def __init__(self, stream: Stream, rank: int) -> None:
        self._stream = stream
        self.name = f"shard-{rank:03d}/{stream.name}"
        self.kind, self.ops, self.arg = stream.kind, stream.ops, stream.arg

    @property
    def failure(self) -> Any:
        return self._stream.failure

    @failure.setter
    def failure(self, value: Any) -> None:
        self._stream.failure = value


class RankStreams:
    """The streams of every rank. `own` are this process's, by name."""

    def __init__(self, link: Any, own: Mapping[str, Stream]) -> None:
        self._link = link
        self.own = dict(own)
        self._told: Dict[str, Tuple[bytes, int]] = {}
        self.held: List[Dict[str, Any]] = []
        for rank, told in enumerate(link.exchange(self.moved())):
            self.held.append(self.own if rank == link.rank else {
                name: HeldStream(name, kind, state) for name, (kind, state, _) in told.items()})

    def registered(self) -> List[ShardStream]:
        """All of them, for a run, by rank."""
        return [ShardStream(stream, rank) for rank, streams in enumerate(self.held)
                for stream in streams.values()]

    def moved(self) -> Told:
        """Of the own streams those that are not where they were when this was called last."""
        found: Told = {}
        for name, stream in self.own.items():
            now = (stream.get(), stream.words_drawn())
            if self._told.get(name) != now:
                self._told[name] = now
                found[name] = (stream.kind, *now)
        return found

    def forget_told(self) -> None:
        """What was told did not arrive everywhere: all of it is to be told again."""
        self._told.clear()

    def receive(self, told: List[Told]) -> None:
        """What moved() gave on each rank."""
        for rank, moved in enumerate(told):
            if rank == self._link.rank:
                continue
            for name, (_, state, words) in moved.items():
                held = self.held[rank][name]
                held.state, held.words = state, words

    def twins(self) -> List[Tuple[str, int, int]]:
        """Streams that are in one state on two ranks: the name and the ranks. Each of a name once,
        with the first two."""
        found = []
        for name in self.held[0]:
            seen: Dict[bytes, int] = {}
            for rank, streams in enumerate(self.held):
                if name not in streams:
                    continue
                state = streams[name].get()
                if state in seen:
                    found.append((name, seen[state], rank))
                    break
                seen[state] = rank
        return found
