# SPDX-License-Identifier: Apache-2.0
"""The parts of a state that several processes train: what is one on all of them, compared at each
save, and what each has for itself, which rank 0 gathers."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from .. import errors
from .._assembly import Assembly, Placed, first_difference, place
from .._digests import bytes_digest, tensor_digest
from .._library import json_text
from .._run_handle import Node
from ..receipt import Receipt
from ..state.component import Component
from .held_stream import RankStreams, Told
from .ranks_state import RanksState

# root -> its node, and a digest for each tensor of it, empty for one that is not compared
Summary = Dict[str, Tuple[Node, List[bytes]]]


class RanksAssembly(Assembly):
    """`components` are one on all ranks; `ranks` has what is not. `streams`, `gaps`: of this
    process. `not_compared`: addresses of tensors that may differ between ranks, since each forward
    pass gives them those of rank 0. `distinct`: names of streams that must differ between them.

    All methods are for all ranks to call together."""

    def __init__(self, link: Any, components: Sequence[Component], ranks: RanksState,
                 streams: Mapping[str, Any], gaps: Iterable[Tuple[str, str]],
                 not_compared: Set[int], distinct: Sequence[str]) -> None:
        merged: Dict[str, str] = {}
        for one in link.exchange(dict(gaps)):
            merged.update(one)
        super().__init__([*components, *ranks.components()], streams, merged.items())
        self._shared = list(components)
        self._ranks = ranks
        self.rank_streams = RankStreams(link, streams)
        self._link = link
        self._not_compared = not_compared
        self._distinct = distinct
        self._settled = False  # before the restore the ranks may still differ

    def registered_streams(self) -> List[Any]:
        return self.rank_streams.registered()

    # ---- each step ----

    def gather(self, give: Callable[[], Any]) -> List[Any]:
        """What each rank gives, by rank; the streams of all as they are now come with it. When it
        fails on one rank, it does on all."""
        told: List[Tuple[Any, Told]]
        try:
            told = self._link.together(lambda: (give(), self.rank_streams.moved()))
        except BaseException:
            self.rank_streams.forget_told()
            raise
        self.rank_streams.receive([moved for _, moved in told])
        return [given for given, _ in told]

    def insist_distinct(self) -> None:
        """DiffersError when two ranks are about to draw the same numbers and should not."""
        for name, first, second in self.twins() if self._distinct else ():
            if name in self._distinct:
                raise errors.DiffersError(
                    f"stream {name}: is in one state on ranks {first} and {second}, and is to "
                    f"differ (distinct=): seed it by the rank")

    def twins(self) -> List[Tuple[str, int, int]]:
        return self.rank_streams.twins()

    # ---- capture ----

    def add_streams(self, handle: Any) -> None:
        self._link.each(lambda: super(RanksAssembly, self).add_streams(handle))

    def add_gaps(self, handle: Any) -> None:
        self._link.each(lambda: super(RanksAssembly, self).add_gaps(handle))

    def set_trees(self, handle: Any) -> None:
        shared: List[Tuple[Placed, Summary]] = []

        def give() -> Any:
            placed = Placed({part.root: part.tree() for part in self._shared})
            shared.append((placed, self._summary(placed)))
            return self._ranks.own(), _digest(shared[0][1])

        gathered = self.gather(give)
        placed, summary = shared[0]
        self._ranks.receive([own for own, _ in gathered])
        if self._settled and any(digest != gathered[0][1] for _, digest in gathered):
            self._tell_difference(self._link.exchange(summary))

        def place_all() -> None:
            placed.give(handle)
            place(handle, {part.root: part.tree() for part in self._ranks.components()})

        self._link.each(place_all)

    def _summary(self, placed: Placed) -> Summary:
        staged = dict(placed.staged())
        return {root: (node, [b"" if live.pointer in self._not_compared else tensor_digest(memory)
                              for live, memory in zip(placed.memories[root], staged[root])])
                for root, node in placed.nodes.items()}

    def _tell_difference(self, summaries: List[Summary]) -> None:
        for rank, summary in enumerate(summaries):
            for root, (node, digests) in summaries[0].items():
                other, others = summary.get(root, ({}, []))
                if json_text(node) != json_text(other):
                    path = first_difference(node, other, root)
                elif digests != others:
                    at = next(i for i, one in enumerate(digests) if one != others[i])
                    path = _path_of(node, at, root)
                else:
                    continue
                raise errors.DiffersError(
                    f"{path}: is not the same on ranks 0 and {rank}, which train one model: make "
                    f"their updates the same, or keep what is to differ out of the run")

    # ---- restore ----

    def restore(self, handle: Any, require: str) -> Optional[Receipt]:
        """Rank 0 first: what it refuses has changed nothing anywhere."""
        receipts: List[Optional[Receipt]] = []

        def one() -> None:
            receipts.append(Assembly.restore(self, handle, require))

        self._link.lead(one)
        self._link.each(lambda: None if self._link.leads else one())
        handle.restored()
        self._settled = True
        return receipts[0]

    def share(self, receipt: Receipt) -> None:
        """What keeps one rank's next step from being promised is true of all."""
        for rank, notes in enumerate(self._link.exchange(receipt.notes)):
            for note in notes if rank != self._link.rank else ():
                receipt.lower(f"rank {rank}: {note}")


def _digest(summary: Summary) -> bytes:
    return bytes_digest(b"".join(json_text(node) + b"".join(digests)
                                 for node, digests in summary.values()))


def _path_of(node: Node, storage: int, path: str) -> str:
    """Of the first tensor over that memory."""
    found = _find(node, storage, path)
    return path if found is None else found


def _find(node: Node, storage: int, path: str) -> Optional[str]:
    if "tensor" in node:
        return path if node["tensor"]["storage"] == storage else None
    entries = node["map"] if "map" in node else enumerate(node.get("list", ()))
    for key, item in entries:
        found = _find(item, storage, f"{path}.{key}")
        if found is not None:
            return found
    return None
