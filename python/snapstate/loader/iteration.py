# SPDX-License-Identifier: Apache-2.0
"""The iterators of a loader, one for each epoch, made so that what they do can be seen, and so that
they can begin in the middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from . import generators
from .generators import State
from .iterable import CarriedIterable
from .iterable import Place as PlaceInData
from .skipping import Recording, WatchedSampler
from .view import base_seed_of, refresh, uses_default_generator, view_of
from .worker_side import WorkerSide
from .workers import WorkerRecords, collect_reports


@dataclass
class Beginning:
    """How the next iterator begins.

    skip            batches of the sampler to leave out
    placeholders    workers that are to be passed over, see alignment.py
    place_in_data   for iterable data in this process
    restored        the records of the workers say where they begin
    all_consumed    no batch of the epoch before was thrown away
    """

    skip: int = 0
    placeholders: int = 0
    place_in_data: Optional[PlaceInData] = None
    restored: bool = False
    all_consumed: bool = True


class Iteration:
    """Of one loader.

    records     what is known of the workers
    rounds      epochs that the present workers have begun, in other processes too, if they live on
                from one to the next
    seed_state  state of the generator that drew their base seed, right before it
    base_seed   the base seed of the last iterator, or None
    carried     iterable data in this process, or None
    sampler     the sampler, as the last iterator has it
    """

    def __init__(self, loader: Any) -> None:
        from torch.utils.data import IterableDataset
        self.loader = loader
        self.iterable = isinstance(loader.dataset, IterableDataset)
        self.batched = loader.batch_sampler is not None
        self.records = WorkerRecords(loader.num_workers)
        self.rounds = 0
        self.seed_state: Optional[State] = None
        self.base_seed: Optional[int] = None
        self.carried: Optional[CarriedIterable] = None
        self._view: Any = None  # only one whose workers live on
        self._watched: Dict[str, Any] = {}
        self._rounds_here = 0
        self._reports: Any = None
        self.sampler = self._watch_sampler()

    @property
    def workers(self) -> int:
        return int(self.loader.num_workers)

    @property
    def persistent(self) -> bool:
        return bool(self.loader.persistent_workers) and self.workers > 0

    @property
    def in_order(self) -> bool:
        """Whether batches come in the order of the sampler."""
        return bool(getattr(self.loader, "in_order", True)) or self.workers < 2

    def _watch_sampler(self) -> WatchedSampler:
        loader = self.loader
        inner = loader.batch_sampler if self.batched else loader.sampler
        seeder = None
        if self.persistent:
            seeder = (generators.global_generators()["torch"] if uses_default_generator(loader)
                      else loader.generator)
        return WatchedSampler(inner, self.batched, not self.iterable, seeder)

    def begin(self, beginning: Beginning) -> Tuple[Any, Recording]:
        """A new iterator, and what it takes from the sampler. Draws what iter(loader) draws."""
        if self.records.count != self.workers:
            self.records = WorkerRecords(self.workers)
        # Workers that live on are given a new epoch without a new base seed, also when their place
        # is taken by new ones that are brought to where they were.
        same_workers = self.persistent and self.rounds > 0
        here = self._view is not None
        if not beginning.restored:
            self.records.begin_epoch(same_workers, beginning.all_consumed)
        recording = Recording(beginning.skip, beginning.placeholders, same_workers and not here)
        if here:
            refresh(self._view, self.loader, self._watched)
            view = self._view
        else:
            view = self._make_view(beginning, same_workers)
        self.sampler.recording = recording
        self.rounds += 1
        self._rounds_here += 1
        iterator = iter(view)
        if self.persistent:
            self._view = view
            self.seed_state = self.seed_state if same_workers else recording.seed_state
        self.base_seed = base_seed_of(iterator)
        return iterator, recording

    def _make_view(self, beginning: Beginning, same_workers: bool) -> Any:
        self.sampler = self._watch_sampler()
        watched: Dict[str, Any] = {"batch_sampler" if self.batched else "sampler": self.sampler}
        if not self.persistent:
            self.rounds = 0
        self._rounds_here = 0
        if self.workers > 0:
            watched.update(self._worker_side(beginning))
        elif self.iterable:
            self.carried = watched["dataset"] = CarriedIterable(self.loader.dataset)
            self.carried.prepare(beginning.place_in_data)
        if same_workers and self.seed_state is not None:
            watched["generator"] = generators.make(self.seed_state)
        self._watched = watched
        return view_of(self.loader, watched)

    def _worker_side(self, beginning: Beginning) -> Dict[str, Any]:
        loader = self.loader
        self._reports = None
        if self.persistent and self.iterable:
            import torch.multiprocessing
            self._reports = (loader.multiprocessing_context or torch.multiprocessing).Queue()
        side = WorkerSide(loader.dataset, loader.collate_fn, loader.worker_init_fn, self.batched,
                          self.iterable, self.records.states(), beginning.placeholders,
                          self._reports)
        return {"dataset": side.dataset(), "collate_fn": side.collate,
                "worker_init_fn": side.start}

    def end_epoch(self) -> None:
        """The iterator said that there is nothing more."""
        if not self.persistent:
            self.records.begin_epoch(False, True)
        else:
            reports = {} if self._reports is None else collect_reports(
                self._reports, self.workers, self._rounds_here)
            self.records.end_of_epoch(reports)
