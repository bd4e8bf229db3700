# SPDX-License-Identifier: Apache-2.0
"""The place in an iterable that is no DataLoader of torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Dict, Iterator, List, Mapping, Optional

from .. import errors
from . import generators


def _goes_by_index(loader: Any) -> bool:
    """Does iteration give what its indices from 0 on give, with nothing drawn or changed between?
    Not for an __iter__ that is the class's own."""
    if isinstance(loader, tuple(getattr(sys.modules[module], name) for module, name in
                                (("numpy", "ndarray"), ("torch", "Tensor"))
                                if module in sys.modules)):
        return True
    return type(loader).__iter__ in (list.__iter__, tuple.__iter__, range.__iter__,
                                     Sequence.__iter__)


class PlainLoader:
    """An iterable that is no DataLoader: gone through once an epoch. One with state_dict() keeps
    its own place; a list, an array or another sequence is entered in the middle; of another, also
    of one with an index whose __iter__ may have an order of its own, the batches consumed are made
    again and dropped."""

    def __init__(self, loader: Any) -> None:
        if not hasattr(loader, "__iter__") or hasattr(loader, "__next__"):
            raise errors.InvalidError(
                f"loader: a {type(loader).__name__} can be gone through once, and not from its "
                f"middle: give a DataLoader, a list, or an object whose __iter__ begins anew")
        self._loader = loader
        self.epoch = self.batches = 0
        self._skip = 0
        self._start: Any = None  # the global streams at the beginning of this epoch
        self._ready: Optional[Iterator[Any]] = None  # what start() made and no loop has yet

    samples = property(lambda self: self.batches)
    last_ids = None

    @property
    def _keeps_place(self) -> bool:
        return hasattr(self._loader, "state_dict") and hasattr(self._loader, "load_state_dict")

    @property
    def _is_sequence(self) -> bool:
        return _goes_by_index(self._loader)

    @property
    def _length(self) -> Optional[int]:
        """Of a sequence; others may say anything, or change it."""
        return len(self._loader) if self._is_sequence else None

    def exactness(self) -> Any:
        if self._keeps_place or self._is_sequence:
            return "exact", []
        return "streams", ["it has no state_dict() and is no list: batches were made again, and "
                           "what that drew is put back, but what it changed is not"]

    def compare(self, state: Mapping[str, Any]) -> List[str]:
        if state["type"] != type(self._loader).__name__:
            return [f"it is a {type(self._loader).__name__}, and was a {state['type']}"]
        if state["length"] != self._length:
            return [f"it has {self._length} batches, and had {state['length']}"]
        return []

    def dataset_generators(self) -> Dict[str, Any]:
        return {}

    def searched(self) -> Dict[str, Any]:
        return {"loader": self._loader}

    def state(self) -> Dict[str, Any]:
        own = self._loader.state_dict() if self._keeps_place else None
        made_again = self.batches > 0 and not self._keeps_place and not self._is_sequence
        return {"type": type(self._loader).__name__, "epoch": self.epoch, "batches": self.batches,
                "length": self._length, "own": own, "start": self._start if made_again else None}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.batches = state["epoch"], state["batches"]
        self._start = state["start"]
        self._skip = self.batches
        if self._keeps_place:
            self._loader.load_state_dict(state["own"])
            self._skip = 0

    def start(self) -> None:
        """Makes the batches again that were consumed, from the streams that they were made from.
        The global streams are as before when it returns."""
        if self._skip == 0 or self._is_sequence or self._start is None:
            return
        streams = generators.read_globals()
        try:
            generators.write_globals(self._start)
            self._ready = iter(self._loader)
            for _ in range(self._skip):
                next(self._ready, None)
        finally:
            generators.write_globals(streams)

    def _begin(self) -> Iterator[Any]:
        skip, self._skip = self._skip, 0
        if self._is_sequence and not self._keeps_place:
            return (self._loader[index] for index in range(skip, len(self._loader)))
        self._start = generators.read_globals()
        return iter(self._loader)

    def iterate(self) -> Iterator[Any]:
        ready, self._ready = self._ready, None
        for batch in self._begin() if ready is None else ready:
            self.batches += 1
            yield batch
        self.epoch += 1
        self.batches = self._skip = 0
