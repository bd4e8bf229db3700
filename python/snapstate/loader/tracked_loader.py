# SPDX-License-Identifier: Apache-2.0
"""A DataLoader whose place can be saved behind any batch, and restored in a fresh process.

    tracked = TrackedLoader(loader)
    for batch in tracked.iterate():          # one epoch
        ...
        state = tracked.state()              # behind this batch

    tracked = TrackedLoader(the_same_loader_made_again)
    tracked.restore(state)
    tracked.start()                          # leaves the global streams as they are
    ...                                      # set the global streams as they were behind that batch
    for batch in tracked.iterate():          # the rest of that epoch

The place is what was handed to the loop, whatever is loaded ahead. What the loader draws, and when,
is as without us; nothing of the user's is changed.
"""

from __future__ import annotations

import re
import weakref
from typing import Any, Callable, Dict, List, Optional, Tuple

from .. import errors
from . import generators
from .description import describe, differences, set_epochs
from .held_state import HeldGenerators, HeldState, has_state
from .iteration import Beginning, Iteration
from .loop import Loop
from .place import Place
from .restoring import Begun, Restoration
from .skipping import Recording
from .view import check_loader, held_roots

FORMAT = 1

State = Dict[str, Any]


class TrackedLoader:
    """
    loader    the user's DataLoader; not changed
    on_epoch  called with the number of each epoch before its iterator is made, also when it is made
              again after a restore: `sampler.set_epoch`

    A second loop that begins while one runs gets its own batches, as with the loader itself; the
    place is that of the newest. InvalidError: the loader cannot be tracked.
    """

    def __init__(self, loader: Any, on_epoch: Optional[Callable[[int], Any]] = None) -> None:
        check_loader(loader)
        self.loader = loader
        self._on_epoch = on_epoch
        self._iteration = Iteration(loader)
        self._place = Place()
        self._held_state = HeldState(loader.dataset, loader.collate_fn)
        self._held = HeldGenerators(held_roots(loader))
        self._pending: Optional[State] = None
        self._restored_reasons: List[str] = []
        self._recording = Recording()
        self._ready: Optional[Begun] = None  # what start() made and no loop has yet
        self._current: Callable[[], Optional[Loop]] = lambda: None
        self._overlapped = False

    # ---- the place ----

    @property
    def epoch(self) -> int:
        """Counted from 0; that of the next batch, from the moment on when the last one ended."""
        return self._place.epoch

    @property
    def batches(self) -> int:
        """Batches of this epoch that were handed to the loop."""
        return self._place.batches

    @property
    def samples(self) -> int:
        """Samples in them."""
        return self._place.samples

    @property
    def last_ids(self) -> Optional[List[int]]:
        """The sample ids of the last batch; None where they are not integers: iterable data, a
        sampler of something else, batches in no order."""
        last = self._place.last_ids
        return None if last is None else last.list()

    def __len__(self) -> int:
        return len(self.loader)

    def dataset_generators(self) -> Dict[str, Any]:
        """Generators that the dataset and collate_fn hold in this process, by a name that a stream
        may have. With num_workers=0 batches are drawn from them here; state() keeps them."""
        return {_stream_name(path): generator for path, generator in self._held.walk().items()
                if path.split(".", 1)[0] in ("dataset", "collate_fn")}

    # ---- the loop ----

    def __iter__(self) -> Loop:
        return self.iterate()

    def iterate(self) -> Loop:
        """The batches of the next epoch, or what is left of the one that was restored. An epoch
        that was left early is over, as for the loader itself."""
        self.start()
        begun, self._ready = self._ready, None
        if begun is None:
            begun = self._begin_epoch()
        loop = Loop(*begun, self._iteration.workers > 0, self._received, self._failed,
                    self._finished)
        self._current = weakref.ref(loop)
        return loop

    def _begin_epoch(self) -> Begun:
        left = self._place.started
        before = self._current()
        self._overlapped = left and before is not None and not before.over
        if left:
            self._place = self._place.next_epoch()
        place = self._place
        self._held = HeldGenerators(held_roots(self.loader))
        place.start = generators.read_globals()
        place.held_start = self._held.read()
        place.sampler_state = self._iteration.sampler.read_state()
        place.set_epochs = set_epochs(self.loader)
        if self._on_epoch is not None:
            self._on_epoch(place.epoch)
        begun = self._iteration.begin(Beginning(all_consumed=not left))
        place.started = True
        self._recording = begun[1]
        return begun

    def _received(self, loop: Loop, worker: int, samples: int, cargo: bytes) -> None:
        if loop is not self._current():
            return
        place, iteration = self._place, self._iteration
        self._restored_reasons = []
        place.batches += 1
        if worker >= 0:
            iteration.records.received(worker, cargo)
            place.last_worker = worker
        if iteration.iterable:
            place.taken += 1
            if iteration.carried is not None and iteration.carried.current is not None:
                items = iteration.carried.current.items
                samples, place.items = items - place.items, items
        else:
            batch = loop.recording.pulled.popleft()
            samples = batch.samples
            place.take(batch)
            place.last_ids = batch if self._iteration.in_order else None
        place.samples += samples

    def _failed(self, loop: Loop, lost: bool) -> None:
        """The loader raised; `lost`: it will go on with the batch behind the one that failed."""
        if loop is not self._current():
            return
        place, iteration = self._place, self._iteration
        if iteration.iterable:
            iteration.records.lost()
        elif lost and loop.recording.pulled:
            iteration.records.lost(place.taken % iteration.workers
                                   if iteration.workers and self._iteration.in_order else None)
            place.take(loop.recording.pulled.popleft())

    def _finished(self, loop: Loop) -> None:
        if loop is self._current():
            self._iteration.end_epoch()
            self._place = self._place.next_epoch()

    # ---- saving ----

    def state(self) -> State:
        """The place behind the last batch, and what must be known to come there again: a dict of
        such dicts, lists, str, int, bytes, bool and None, and whatever the user's state_dict()
        returned. Between restore() and start() it is the state that was given."""
        if self._pending is not None:
            return self._pending
        place, iteration = self._place, self._iteration
        now = self._held.read()
        started = place.held_start if place.started else {}
        state: State = {
            "format": FORMAT,
            "epoch": place.epoch,
            "started": place.started,
            "batches": place.batches,
            "samples": place.samples,
            "taken": place.taken,
            "loader": describe(self.loader),
            "start": place.start if place.started else None,
            "generators": {path: {"start": started.get(path), "now": now.get(path)}
                           for path in sorted(started.keys() | now.keys())},
            "sampler": (place.sampler_state if place.started else iteration.sampler.read_state()),
            "set_epochs": place.set_epochs if place.started else set_epochs(self.loader),
            "ids": place.digest,
            "ahead": self._recording.digest_ahead(place.digest) if place.started else place.digest,
            "dataset": None,
            "data": None,
            "workers": None,
        }
        if iteration.workers > 0:
            records = iteration.records
            state["workers"] = {
                "rounds": iteration.rounds,
                "base_seed": iteration.base_seed if place.started else None,
                "seed_state": iteration.seed_state, "last": place.last_worker,
                "states": records.states(), "unknown": records.unknown()}
        else:
            state["dataset"] = self._held_state.read_own()
            if place.started and iteration.carried is not None:
                assert iteration.carried.current is not None  # a started epoch has an iterator
                state["data"] = iteration.carried.current.read()
        return state

    # ---- restoring ----

    def compare(self, state: State) -> List[str]:
        """What is not as it was when `state` was saved, a line for each: parameters of the loader
        by name, generators that are missing. With any of them the next batches need not be the
        same."""
        _check_format(state)
        lines = differences(state["loader"], describe(self.loader))
        for path, kept in state["generators"].items():
            problem = self._held.problem(path, kept["now"] or kept["start"])
            if problem is not None:
                lines.append(problem)
        return lines + self._not_kept(state)

    def restore(self, state: State) -> None:
        """Stand where `state` says; start() does the work. The loader is to be as it was: compare()
        says what is not, and exactness() has it until the next batch. InvalidError: a loop has
        begun, or the state is not of such a loader; nothing is changed."""
        _check_format(state)
        if self._place.started:
            raise errors.InvalidError("loader: restore: a loop over it has begun: restore first")
        was, now = state["loader"]["dataset_kind"], describe(self.loader)["dataset_kind"]
        if was != now:
            raise errors.InvalidError(f"loader: restore: the state is of {was} data, and the "
                                      f"dataset is {now}: give the loader that was saved")
        self._restored_reasons = self.compare(state)
        self._pending = state
        self._place = Place(state["epoch"], batches=state["batches"], samples=state["samples"],
                            taken=state["taken"], digest=state["ids"])

    def start(self) -> bool:
        """After restore(): make the iterator of the epoch and bring samplers, generators and
        workers to the place, loading nothing. The global streams of Python, NumPy and torch are as
        before when it returns. Whether there is an iterator: not when the place is between two
        epochs, whose iterator draws as it always does, when the loop begins. Without a restore it
        does nothing."""
        state, self._pending = self._pending, None
        if state is not None:
            streams = generators.read_globals()
            try:
                self._restore_now(state)
            finally:
                generators.write_globals(streams)
        return self._ready is not None

    def _restore_now(self, state: State) -> None:
        restoration = Restoration(self._iteration, self._held_state, self._held, state)
        self._place, begun = restoration.run(self._place, self._on_epoch)
        self._restored_reasons += restoration.reasons
        if begun is not None:
            self._ready, self._recording = begun, begun[1]

    def exactness(self) -> Tuple[str, List[str]]:
        """("exact", []), or ("streams", why the next batches need not be the same after a restore
        of state()). From a restore to the next batch also: what it could not bring back."""
        reasons = [*self._restored_reasons, *self._not_kept(self.state())]
        if not self._iteration.in_order:
            reasons.append("in_order=False: which batches were consumed depends on timing")
        if self._overlapped:
            reasons.append("a loop over it began before the last one ended: the place is that of "
                           "the newest")
        return ("streams" if reasons else "exact"), list(dict.fromkeys(reasons))

    def _not_kept(self, state: State) -> List[str]:
        """What a state does not hold, although the next batches depend on it."""
        workers = state["workers"] or {"states": [], "unknown": []}
        reasons = [f"worker {worker} drew for batches that the loop never got: its streams are not "
                   f"known before its next batch" for worker in workers["unknown"]]
        places = [state["data"], *(worker["iterator"] for worker in workers["states"] if worker)]
        if (state["started"] and not has_state(self.loader.dataset)
                and any(place is not None and place["state"] is None for place in places)):
            reasons.append(f"{type(self.loader.dataset).__name__} is iterable data without "
                           f"state_dict() and load_state_dict(): what was consumed is read again")
        return reasons


def _check_format(state: State) -> None:
    if state.get("format") != FORMAT:
        raise errors.InvalidError(f"loader: restore: the state has format {state.get('format')!r}, "
                                  f"and this version reads {FORMAT}")


def _stream_name(path: str) -> str:
    """A path as the name of a stream: letters, digits and ._-, at most 64."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", path)[:64]
