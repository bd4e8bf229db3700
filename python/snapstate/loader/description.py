# SPDX-License-Identifier: Apache-2.0
"""What a loader is, as plain values, to be compared with what it was when a state was saved."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .held_state import has_state
from .view import sampler_parts

Description = Dict[str, Any]


def _name(value: Any) -> Optional[str]:
    if value is None:
        return None
    if not hasattr(value, "__qualname__"):
        value = type(value)
    return f"{value.__module__}.{value.__qualname__}"


def _length(value: Any) -> Optional[int]:
    try:
        return len(value)
    except (TypeError, NotImplementedError):
        return None


def set_epochs(loader: Any) -> List[Optional[int]]:
    """Of each sampler of the loader the epoch that it was given by set_epoch(), or None."""
    return [part.epoch if takes_epoch(part) else None for part in sampler_parts(loader)]


def takes_epoch(sampler: Any) -> bool:
    """Whether its epoch is a number that somebody gives it."""
    return (callable(getattr(sampler, "set_epoch", None))
            and type(getattr(sampler, "epoch", None)) is int)


def _attributes(sampler: Any) -> Dict[str, Any]:
    """What decides its order and is plain, unless its own state or set_epoch() brings it back."""
    if has_state(sampler):
        return {}
    left_out = {"epoch"} if takes_epoch(sampler) else set()
    return {name: value for name, value in getattr(sampler, "__dict__", {}).items()
            if type(value) in (bool, int, float, str) and name not in left_out}


def describe(loader: Any) -> Description:
    """Parameters by name, each None, a number, a text, a bool or, for samplers, a dict of those.
    Not what has no effect on batches: timeout, pin_memory, start method."""
    from torch.utils.data import IterableDataset
    parts = [{"type": _name(type(part)), **_attributes(part)} for part in sampler_parts(loader)]
    return {
        "dataset": _name(type(loader.dataset)),
        "dataset_kind": "iterable" if isinstance(loader.dataset, IterableDataset) else "map",
        "dataset_length": _length(loader.dataset),
        "batch_size": loader.batch_size,
        "drop_last": loader.drop_last,
        "num_workers": loader.num_workers,
        "prefetch_factor": loader.prefetch_factor if loader.num_workers else None,
        "persistent_workers": loader.persistent_workers,
        "in_order": getattr(loader, "in_order", True),
        "collate_fn": _name(loader.collate_fn),
        "worker_init_fn": _name(loader.worker_init_fn),
        "generator": "given" if loader.generator is not None else "global",
        # The one that is asked for indices, and the one that it wraps.
        "sampler": dict(zip(("outer", "inner"), parts)),
    }


def differences(saved: Description, live: Description, path: str = "") -> List[str]:
    """One line for each parameter that is not what it was."""
    lines = []
    for name in sorted(saved.keys() | live.keys()):
        was, now = saved.get(name), live.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            lines += differences(was, now, f"{path}{name}.")
        elif was != now or type(was) is not type(now):
            lines.append(f"{path}{name} is {now}, and was {was} when the state was saved")
    return lines
