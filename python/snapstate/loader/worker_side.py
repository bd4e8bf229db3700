# SPDX-License-Identifier: Apache-2.0
"""What runs in the workers of a loader: every batch takes the state of its worker along.

The loader's worker_init_fn and collate_fn are `WorkerSide.start` and `WorkerSide.collate`: the
first brings a worker to the state that it is to have, the second returns (batch, worker id,
samples, cargo), where the cargo is the state of the worker right behind that batch, and samples
counts those of iterable data. The cargo is pickled, since it goes no further than the loader's own
pickles do: from the worker to the loop. A WorkerSide is picklable where the user's objects are, so
that workers may be forked or spawned.

The state of a worker is a dict:

    seed        its seed, as get_worker_info() has it
    streams     {"python", "torch", "numpy": state}, see generators.py
    generators  {path: state} of the generators that the dataset and collate_fn hold
    dataset     what the dataset's state_dict() returned, where it has one
    iterator    for iterable data the place, see iterable.py; None for map-style data
    in_epoch    whether it is from within the epoch (True), or from before its beginning
"""

from __future__ import annotations

import pickle
from typing import Any, Callable, List, Optional, Tuple

from . import generators
from .alignment import CarriedMap, is_placeholder
from .generators import State
from .held_state import HeldState
from .iterable import CarriedIterable

Travelling = Tuple[Any, int, int, bytes]


def open_cargo(cargo: bytes) -> State:
    """The state of a worker that came with its batch."""
    state: State = pickle.loads(cargo)
    return state


class WorkerSide:
    """
    dataset       the user's
    collate_fn    the user's
    init_fn       the user's worker_init_fn, or None
    batched       whether collate_fn is given lists of samples
    states        where each worker begins; None: where its seed puts it
    placeholders  the workers before this one begin with a placeholder
    reports       a queue for what a worker is at the end of an epoch that it lives through, or None
    """

    def __init__(self, dataset: Any, collate_fn: Callable[[Any], Any],
                 init_fn: Optional[Callable[[int], Any]], batched: bool, iterable: bool,
                 states: List[Optional[State]], placeholders: int, reports: Any) -> None:
        self._collate_fn = collate_fn
        self._init_fn = init_fn
        self._batched = batched
        self._states = states
        self._placeholders = placeholders
        self._reports = reports
        self._held = HeldState(dataset, collate_fn)
        self._iterable = CarriedIterable(dataset) if iterable else None
        self._id = -1
        self._seed = 0

    def dataset(self) -> Any:
        """What the loader is to have as its dataset."""
        if self._iterable is not None:
            return self._iterable
        return CarriedMap(self._held.dataset) if self._placeholders else self._held.dataset

    # ---- in the worker ----

    def start(self, worker_id: int) -> None:
        """Stands for worker_init_fn."""
        from torch.utils.data import get_worker_info
        info: Any = get_worker_info()
        if getattr(info, "worker_method", None) not in (None, "multiprocessing"):
            raise RuntimeError(f"worker {worker_id} is a thread: its streams cannot be told from "
                               f"those of the others: use worker processes")
        # User code is to find its own dataset; the attributes of an info are read-only for others.
        object.__setattr__(info, "dataset", self._held.dataset)
        self._id, self._seed = worker_id, info.seed
        if self._init_fn is not None:
            self._init_fn(worker_id)
        state = self._states[worker_id]
        if self._iterable is not None:
            self._start_iterable(self._iterable, state)
        elif state is not None:
            self._held.write_own(state)
            self._write_streams(state)
        self._states = []

    def _start_iterable(self, iterable: CarriedIterable, state: Optional[State]) -> None:
        iterable.on_end = self._report
        placeholder = self._id < self._placeholders
        if state is None:
            iterable.prepare(None, placeholder)
            return
        self._held.write_own(state)
        if state["in_epoch"]:
            # Its iterator is made first, and that may draw.
            iterable.prepare(state["iterator"], placeholder, lambda: self._write_streams(state))
        else:
            self._write_streams(state)
            iterable.prepare(None, placeholder)

    def _write_streams(self, state: State) -> None:
        self._held.generators.write(state["generators"])
        generators.write_globals(state["streams"])

    def collate(self, data: Any) -> Travelling:
        """Stands for collate_fn."""
        if is_placeholder(data):
            return None, self._id, 0, b""
        samples = len(data) if self._batched and self._iterable is not None else 1
        batch = self._collate_fn(data)
        return batch, self._id, samples, self._cargo()

    def _cargo(self) -> bytes:
        current = None if self._iterable is None else self._iterable.current
        state = {"seed": self._seed, "streams": generators.read_globals(), **self._held.read(),
                 "iterator": None if current is None else current.read(), "in_epoch": True}
        return pickle.dumps(state, pickle.HIGHEST_PROTOCOL)

    def _report(self) -> None:
        if self._reports is not None:
            assert self._iterable is not None  # nothing else ends by itself
            self._reports.cancel_join_thread()
            self._reports.put((self._id, self._iterable.rounds, self._cargo()))
