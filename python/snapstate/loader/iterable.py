# SPDX-License-Identifier: Apache-2.0
"""An iterable dataset in the process that goes through it: how far it is, and how it gets there.

The place in it is {"items", "ended", "state"}: how many items it gave in this epoch, whether it
said StopIteration, and what the state_dict() of its iterator returned (None: it has none, or the
iterator is the dataset itself).
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Optional

from .alignment import PLACEHOLDER
from .held_state import has_state

Place = Dict[str, Any]


class CarriedIterator:
    """The dataset's iterator for one epoch; counts. `place` None: from the beginning."""

    def __init__(self, dataset: Any, place: Optional[Place], placeholder: bool,
                 on_end: Callable[[], None]) -> None:
        self.items = 0
        self.ended = False
        self._last_state: Any = None
        self._placeholder = placeholder
        self._on_end = on_end
        if place is not None and place["ended"]:
            # It must not be asked again: what its code does behind the last item was done.
            self.items, self.ended = place["items"], True
            self._inner: Iterator[Any] = iter(())
            self._last_state = place["state"]
        else:
            self._inner = iter(dataset)
            if place is not None:
                self._go_to(dataset, place)
        self._keeps_state = self._inner is not dataset and has_state(self._inner)

    def _go_to(self, dataset: Any, place: Place) -> None:
        self.items = place["items"]
        if self._inner is not dataset and has_state(self._inner) and place["state"] is not None:
            self._inner.load_state_dict(place["state"])  # type: ignore[attr-defined]
        elif not has_state(dataset):
            for _ in range(self.items):
                next(self._inner, None)

    def __iter__(self) -> "CarriedIterator":
        return self

    def __next__(self) -> Any:
        if self._placeholder:
            self._placeholder = False
            return PLACEHOLDER
        try:
            item = next(self._inner)
        except StopIteration:
            self.ended = True
            self._on_end()
            raise
        self.items += 1
        return item

    def read(self) -> Place:
        state = self._last_state
        if self._keeps_state:
            state = self._inner.state_dict()  # type: ignore[attr-defined]
        return {"items": self.items, "ended": self.ended, "state": state}


class CarriedIterable:
    """Stands for an iterable dataset where a loader iterates over it.

    current  the iterator of this epoch, or None before the first
    rounds   how many iterators there were
    on_end   called whenever one of them ends
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.current: Optional[CarriedIterator] = None
        self.rounds = 0
        self.on_end: Callable[[], None] = _nothing
        self._place: Optional[Place] = None
        self._placeholder = False
        self._then: Callable[[], None] = _nothing

    def prepare(self, place: Optional[Place], placeholder: bool = False,
                then: Optional[Callable[[], None]] = None) -> None:
        """For the next iterator: where it begins, whether it gives a placeholder first, and what is
        called when it is made."""
        self._place, self._placeholder, self._then = place, placeholder, then or _nothing

    def __iter__(self) -> CarriedIterator:
        place, placeholder, then = self._place, self._placeholder, self._then
        self.prepare(None)
        self.rounds += 1
        self.current = CarriedIterator(self.dataset, place, placeholder, self.on_end)
        then()
        return self.current

    def __repr__(self) -> str:
        return repr(self.dataset)


def _nothing() -> None:
    pass
