# SPDX-License-Identifier: Apache-2.0
"""What each process of a run has for itself: root `ranks`, and `loader-000` and so on, which the
depth of JSON keeps apart."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from .._line import Line
from .._loading import LoaderState, Verbatim
from ..state.component import Component, Plan
from ..state.storages import Storages

RANKS_ROOT = "ranks"


class RankLoader(Verbatim):
    """The place of one rank in its data. `state`: of this process; None: of another one, whose
    `gathered` is what it told last."""

    def __init__(self, rank: int, state: Optional[LoaderState]) -> None:
        super().__init__(f"loader-{rank:03d}")
        self._state = state
        self.gathered: Any = None

    def now(self) -> Any:
        return self.gathered

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        plan = super().plan_in(archived, storages)
        if self._state is not None:
            plan.problems += self._state.problems(archived)
        return plan

    def settled(self) -> None:
        """Loading.resume() puts it to use."""
        archived, self.archived = self.archived, None
        if self._state is not None:
            self._state.archived = archived


class RanksState(Verbatim):
    """A list with a map for each rank: `pending_losses`, those that its next ledger line will hold,
    and `buffers`, of a module that does not get those of rank 0 with each forward pass (null where
    it does).

    rank, world  of this process
    line         its line
    loading      what Loading.components() gave: the loader's state, or nothing
    buffers      its own buffers by name: live tensors
    """

    def __init__(self, rank: int, world: int, line: Line, loading: Sequence[Any],
                 buffers: Dict[str, Any]) -> None:
        super().__init__(RANKS_ROOT)
        self._rank = rank
        self._line = line
        self._loader: Optional[LoaderState] = loading[0] if loading else None
        self._buffers = buffers
        self._gathered: List[Any] = [None] * world
        self._loaders = [RankLoader(one, self._loader if one == rank else None)
                         for one in range(world)] if loading else []

    def components(self) -> List[Component]:
        return [self, *self._loaders]

    def own(self) -> Any:
        """What the others are told of this rank: its entry, and the place in its data."""
        buffers = {name: buffer.detach().cpu() for name, buffer in self._buffers.items()}
        return ({"buffers": buffers or None, "pending_losses": self._line.pending()},
                None if self._loader is None else self._loader.now())

    def receive(self, told: Sequence[Any]) -> None:
        """What own() gave on each rank."""
        self._gathered = [entry for entry, _ in told]
        for loader, (_, state) in zip(self._loaders, told):
            loader.gathered = state

    def now(self) -> Any:
        return self._gathered

    def plan_in(self, archived: Any, storages: Storages) -> Plan:
        plan = super().plan_in(archived, storages)
        there, here = len(archived), len(self._gathered)
        if there != here:
            plan.problems.append(
                f"{RANKS_ROOT}: {there} processes made the snapshot, and {here} are here: start as "
                f"many, or take the weights alone (archive=, require=\"weights\")")
        elif sorted(archived[self._rank]["buffers"] or ()) != sorted(self._buffers):
            plan.problems.append(f"{RANKS_ROOT}.{self._rank}: other buffers are the rank's own in "
                                 f"the archive")
        return plan

    def settled(self) -> None:
        """What was restored is put to use."""
        archived, self.archived = self.archived, None
        if archived is not None:
            own = archived[self._rank]
            self._line.set_pending(own["pending_losses"])
            for name, buffer in self._buffers.items():
                buffer.data.copy_(own["buffers"][name])
