# SPDX-License-Identifier: Apache-2.0
"""Where a loop over a loader is, in the process that it runs in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from . import ids
from .generators import State


@dataclass
class Place:
    """
    epoch          counted from 0
    started        whether the loader's iterator for this epoch was made
    batches        handed to the loop in this epoch
    samples        in those
    taken          batches, and those that failed: so many indices of the sampler are behind
    digest         of the ids of these, see ids.py
    last_worker    which worker's batch was the last, or -1
    last_ids       the ids of the last batch
    items          items of iterable data that were taken in this process
    start          the global streams right before the iterator was made
    held_start     likewise, generators that the samplers, the dataset and collate_fn hold
    sampler_state  what the sampler's state_dict() said then
    set_epochs     the epochs that samplers were given by set_epoch(), outermost first
    """

    epoch: int = 0
    started: bool = False
    batches: int = 0
    samples: int = 0
    taken: int = 0
    digest: Optional[bytes] = ids.EMPTY
    last_worker: int = -1
    last_ids: Optional[ids.BatchIds] = None
    items: int = 0
    start: Optional[Dict[str, State]] = None
    held_start: Dict[str, State] = field(default_factory=dict)
    sampler_state: Any = None
    set_epochs: List[Optional[int]] = field(default_factory=list)

    def next_epoch(self) -> "Place":
        return Place(self.epoch + 1, last_ids=self.last_ids)

    def take(self, batch: ids.BatchIds) -> None:
        """One batch of the sampler is behind."""
        self.taken += 1
        self.digest = ids.extend(self.digest, batch)
