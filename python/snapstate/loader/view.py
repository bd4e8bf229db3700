# SPDX-License-Identifier: Apache-2.0
"""The loader that is iterated over: one that shares everything with the user's, which is left as it
is, but for the parts that are watched."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .. import errors

OWN = "_iterator"  # persistent workers belong to one loader and are not shared


def check_loader(loader: Any) -> None:
    """InvalidError when it cannot be tracked."""
    from torch.utils import data
    if not isinstance(loader, data.DataLoader):
        raise errors.InvalidError(
            f"loader: track: a torch.utils.data.DataLoader is needed, not a "
            f"{type(loader).__name__}")
    kind = type(loader)
    if kind.__iter__ is not data.DataLoader.__iter__:
        raise errors.InvalidError(
            f"loader: track: {kind.__name__} has an __iter__ of its own, and what that holds back "
            f"or draws cannot be seen: give the DataLoader that it is made of")
    pipes = tuple(getattr(data, name) for name in ("IterDataPipe", "MapDataPipe")
                  if hasattr(data, name))
    if isinstance(loader.dataset, pipes):
        raise errors.InvalidError(
            f"loader: track: {type(loader.dataset).__name__} is a data pipe, whose place and seeds "
            f"cannot be restored: give a Dataset or an IterableDataset with state_dict() and "
            f"load_state_dict()")
    if getattr(loader, OWN, None) is not None:
        raise errors.InvalidError(
            "loader: track: its persistent workers are running: give it before the first "
            "iter(loader), or make a new DataLoader")


def view_of(loader: Any, watched: Dict[str, Any]) -> Any:
    """A loader of the same class with the attributes of `loader`, except for `watched`."""
    view = object.__new__(type(loader))
    vars(view).update(vars(loader))
    vars(view).update(watched)
    return view


def refresh(view: Any, loader: Any, watched: Dict[str, Any]) -> None:
    """Take over what was changed in `loader` since; the workers of `view` go on living."""
    changed = {name: value for name, value in vars(loader).items()
               if name not in watched and name != OWN}
    vars(view).update(changed)


def uses_default_generator(loader: Any) -> bool:
    import torch
    return loader.generator is None or loader.generator is torch.default_generator


def base_seed_of(iterator: Any) -> Optional[int]:
    """The base seed of a loader's iterator, where torch lets it be seen."""
    seed = getattr(iterator, "_base_seed", None)
    return seed if type(seed) is int else None


def held_roots(loader: Any) -> Dict[str, Any]:
    """What may hold generators that decide batches, by name."""
    roots: Dict[str, Any] = {"dataset": loader.dataset, "collate_fn": loader.collate_fn}
    roots.update(zip(("sampler", "inner_sampler"), sampler_parts(loader)))
    if not uses_default_generator(loader):
        roots["loader"] = {"generator": loader.generator}
    return roots


def sampler_parts(loader: Any) -> List[Any]:
    """The samplers of a loader: the one that is asked for indices, and the one that it wraps."""
    outer = loader.batch_sampler if loader.batch_sampler is not None else loader.sampler
    inner = getattr(outer, "sampler", None)
    return [outer] if inner is None else [outer, inner]
