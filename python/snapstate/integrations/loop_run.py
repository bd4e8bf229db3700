# SPDX-License-Identifier: Apache-2.0
"""A run in a loop that is a framework's. The framework goes through a `Feed` in the place of the
loader: when it asks for a batch, all that belongs to the step before is done, whatever it is made
of. There snapshots are made, and there the restore is: where the snapshot was made, so that what
the framework does before its first step (loops entered, sanity checks, hooks) changes nothing."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional

from .. import errors
from .._assembly import Assembly
from .._loading import Tracked, set_epoch_of
from ..archive import Archive
from ..loader import TrackedLoader
from ..run import Run
from ..state.component import Component
from ..state.generic_state import GenericState

ROOT = "framework"


def insist_on_one_process(framework: str, processes: int) -> None:
    if processes > 1:
        raise errors.UnsupportedError(
            f"{framework}: {processes} processes: a run is of one process in this version: start "
            f"one, or keep the checkpoints of {framework}")


def refuse_lasting_workers(what: str, advice: str) -> None:
    """For loaders of a validation: they are in no state, and what a loader draws when its first
    iterator is made, one whose workers live on draws once in a process."""
    raise errors.UnsupportedError(
        f"{what}: its workers live on from one validation to the next, and draw no seed for the "
        f"later ones: a training that is gone on with would draw another one: {advice}")


class Feed:
    """Gives a framework's loop the batches of a DataLoader, an epoch for each iter(). Nothing
    happens before the first batch is asked for.

    loader    a DataLoader of torch; not changed
    on_epoch  as in TrackedLoader
    run       to be set before a batch is asked for
    """

    def __init__(self, loader: Any, on_epoch: Optional[Callable[[int], Any]] = None) -> None:
        self.loader = loader
        self.tracker = TrackedLoader(loader, on_epoch or set_epoch_of(loader))
        self.run: Optional[LoopRun] = None

    @property
    def dataset(self) -> Any:
        return self.loader.dataset

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        if self.run is None:
            raise errors.InvalidError("feed: the training that it is for has not begun: it is to "
                                      "be gone through by the framework alone")
        return self.run.epoch_batches()


class FedLoading(Tracked):
    """The place in a loader whose epochs are begun, and may be left, by a framework."""

    def enter_epoch(self) -> None:
        """Before the first batch of a loop. A framework that counts its batches does not see the
        end of an epoch, or leaves it early: then the next one is entered here already, so that a
        snapshot made now does not stand in the old one."""
        iterator, self._iterator = self._iterator, None
        if iterator is None:
            return
        if self.complete:
            next(iterator, None)
        else:
            self._iterator = iter(self._tracker.iterate())

    @property
    def complete(self) -> bool:
        """All batches of the epoch were handed out."""
        try:
            return bool(self._tracker.batches == len(self._tracker))
        except TypeError:  # it has no length: its end was seen, or it was left early
            return False

    def next_in_epoch(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._tracker.iterate())
        try:
            return next(self._iterator)
        except StopIteration:
            self._iterator = None
            raise


class LoopRun(Run):
    """As `Run`, with a Feed as its loader.

    framework  an object with state_dict() and load_state_dict(): what the framework itself counts
               and keeps. It is the archive's root `framework`
    gaps       what the framework keeps out of reach, and why: of the coverage statement
    """

    def __init__(self, dir: Any, *, loader: Feed, framework: Any = None,
                 gaps: Optional[Mapping[str, str]] = None, **options: Any) -> None:
        super().__init__(dir, **options)
        self._fed = self._loading = FedLoading(loader.tracker)
        self._framework = framework
        self._gaps = dict(gaps or {})
        loader.run = self

    def _parts(self) -> List[Component]:
        own = [] if self._framework is None else [GenericState(ROOT, self._framework)]
        return [*super()._parts(), *own]

    def _assemble(self) -> Assembly:
        assembly = super()._assemble()
        assembly.gaps.update(self._gaps)
        return assembly

    def archived(self, *roots: str) -> Optional[Dict[str, Any]]:
        """What the snapshot has that a restore would take, by root; None: a fresh run. Nothing is
        restored."""
        source = self._handle.source()
        if source is None:
            return None
        with Archive(source) as archive:
            return {root: archive.load(root) for root in roots}

    def epoch_batches(self) -> Iterator[Any]:
        """The batches of an epoch, or what is left of the one that is restored; as batches(), for a
        loop that calls finish() and close() itself."""
        self.restore()
        self._signals.install()
        self._fed.enter_epoch()
        while True:
            self._between()
            fresh = not self._in_step
            self.begin()
            try:
                batch = self._fed.next_in_epoch()
            except StopIteration:
                self._end_of_data(fresh)
                return
            self._line.add_batch(batch, self._loading.last_ids)
            self._guard.new_batch(batch)
            yield batch

    def finish(self) -> None:
        """The last snapshot, which a longer training goes on with."""
        if self._fed.complete:
            self._fed.enter_epoch()
        super().finish()
