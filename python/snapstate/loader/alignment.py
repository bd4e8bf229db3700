# SPDX-License-Identifier: Apache-2.0
"""Batches go to their own workers again.

A loader deals batches to its workers in turn, beginning with worker 0. After a restore behind batch
N the next batch belongs to worker N mod W, so that the workers before it are given a placeholder
each: it goes through the loader like a batch, but nothing is loaded, collated or drawn for it, and
the loop never sees it.
"""

from __future__ import annotations

from typing import Any, List


class Placeholder:
    """The index, the sample and the batch of no data. There is one in each process."""

    def __reduce__(self) -> str:
        return "PLACEHOLDER"


PLACEHOLDER = Placeholder()


def placeholder_index(batched: bool) -> Any:
    """What a sampler gives for one."""
    return [PLACEHOLDER] if batched else PLACEHOLDER


def is_placeholder(data: Any) -> bool:
    """Whether a collate function was given one: alone, or as the only sample."""
    if type(data) is list and len(data) == 1:
        data = data[0]
    return type(data) is Placeholder


class CarriedMap:
    """Stands for a map-style dataset in workers that are given placeholders."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        if getattr(dataset, "__getitems__", None):
            self.__getitems__ = self._get_items

    def __getitem__(self, index: Any) -> Any:
        return PLACEHOLDER if type(index) is Placeholder else self.dataset[index]

    def _get_items(self, indices: List[Any]) -> Any:
        if is_placeholder(indices):
            return [PLACEHOLDER]
        return self.dataset.__getitems__(indices)

    def __repr__(self) -> str:
        return repr(self.dataset)
