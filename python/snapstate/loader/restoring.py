# SPDX-License-Identifier: Apache-2.0
"""A loader is brought to the place that a state tells of."""

from __future__ import annotations

import copy
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import generators
from .description import describe, takes_epoch
from .held_state import HeldGenerators, HeldState
from .iteration import Beginning, Iteration
from .place import Place
from .skipping import Recording
from .view import sampler_parts

Begun = Tuple[Any, Recording]  # what Iteration.begin() returns

# Generators of these are of the workers' or this process's batches; those of samplers are where
# they are because of what was asked of the sampler ahead of time.
DATA_ROOTS = ("dataset", "collate_fn")


class Restoration:
    """Of one state, once. `reasons` are what could not be brought back, when it has run. Moves the
    global streams."""

    def __init__(self, iteration: Iteration, held_state: HeldState, held: HeldGenerators,
                 state: Dict[str, Any]) -> None:
        self.reasons: List[str] = []
        self._iteration = iteration
        self._held_state = held_state
        self._held = held
        self._state = state
        saved, live = state["loader"], describe(iteration.loader)
        self._same_workers = saved["num_workers"] == live["num_workers"]
        self._same_ahead = (self._same_workers
                            and saved["prefetch_factor"] == live["prefetch_factor"])

    def run(self, place: Place,
            on_epoch: Optional[Callable[[int], Any]]) -> Tuple[Place, Optional[Begun]]:
        """`place` with what the state says of the beginning of the epoch, and its iterator, if it
        has begun."""
        state, iteration = self._state, self._iteration
        begun = None
        for part, epoch in zip(sampler_parts(iteration.loader), state["set_epochs"]):
            if epoch is not None and takes_epoch(part):
                part.set_epoch(epoch)
        if iteration.sampler.stateful is not None and state["sampler"] is not None:
            iteration.sampler.stateful.load_state_dict(copy.deepcopy(state["sampler"]))
        if iteration.workers == 0:
            self._held_state.write_own(state)
        elif self._same_workers:
            self._load_workers(place)
        if iteration.iterable and not self._same_workers:
            self.reasons.append("the place in iterable data is kept by worker, and their number "
                                "has changed: the epoch begins again")
            place = Place(place.epoch)
        elif state["started"]:
            begun = self._begin(place, on_epoch)
        self._write_held("now", None if self._same_ahead else DATA_ROOTS)
        return place, begun

    def _load_workers(self, place: Place) -> None:
        workers, iteration = self._state["workers"], self._iteration
        iteration.records.load(workers["states"], workers["unknown"])
        # Beginning the epoch again counts it again.
        iteration.rounds = workers["rounds"] - (1 if self._state["started"] else 0)
        iteration.seed_state = workers["seed_state"]
        place.last_worker = workers["last"]

    def _begin(self, place: Place, on_epoch: Optional[Callable[[int], Any]]) -> Begun:
        """From the states that were before the iterator was made."""
        state, iteration = self._state, self._iteration
        place.started = True
        place.start, place.set_epochs = state["start"], state["set_epochs"]
        place.sampler_state = state["sampler"]
        place.held_start = {path: kept["start"] for path, kept in state["generators"].items()
                            if kept["start"] is not None}
        place.items = 0 if state["data"] is None else state["data"]["items"]
        generators.write_globals(state["start"])
        self._write_held("start", None)
        if on_epoch is not None:
            on_epoch(place.epoch)
        placeholders = self._placeholders(place)
        iterator, recording = iteration.begin(Beginning(
            skip=0 if iteration.iterable else place.taken, placeholders=placeholders,
            place_in_data=state["data"], restored=True))
        for _ in range(placeholders):
            next(iterator)
        if iteration.workers == 0 and place.taken > 0:
            recording.advance()
        self._check_seed()
        if not iteration.iterable:
            self._check_order(place, recording)
        return iterator, recording

    def _placeholders(self, place: Place) -> int:
        """How many workers had their turn since worker 0 had one."""
        iteration = self._iteration
        if iteration.workers < 2 or not iteration.in_order or not self._same_workers:
            return 0
        last = place.last_worker if iteration.iterable else place.taken - 1
        return (last + 1) % iteration.workers

    def _check_seed(self) -> None:
        workers, seed = self._state["workers"], self._iteration.base_seed
        if workers is not None and self._same_workers and workers["base_seed"] != seed:
            self.reasons.append(f"the base seed of the workers is {seed}, and was "
                                f"{workers['base_seed']}")

    def _check_order(self, place: Place, recording: Recording) -> None:
        """The sampler must have given the ids that it gave before."""
        advice = ("its order must follow from what it holds when the epoch begins: give it a "
                  "generator of its own, or state_dict() and load_state_dict()")
        if recording.skipped < recording.skip:
            self.reasons.append(f"the sampler ended after {recording.skipped} of "
                                f"{recording.skip} batches that are left out: {advice}")
        elif place.digest is not None and recording.digest != place.digest:
            self.reasons.append(f"the sampler gave other ids for the {recording.skip} batches that "
                                f"are left out: {advice}")
        elif self._same_ahead and recording.digest_ahead(place.digest) != self._state["ahead"]:
            self.reasons.append(f"the sampler gave other ids for the next batches: {advice}")

    def _write_held(self, when: str, roots: Optional[Tuple[str, ...]]) -> None:
        """Set the generators that the user's objects hold, of all of them or those named; compare()
        tells of those that are gone."""
        for path, kept in self._state["generators"].items():
            wanted = roots is None or path.split(".", 1)[0] in roots
            if wanted and kept[when] is not None and self._held.problem(path, kept[when]) is None:
                self._held.write({path: kept[when]})
