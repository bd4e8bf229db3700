# SPDX-License-Identifier: Apache-2.0
"""The order of a tree's keys, as an archive has it, on a live tree.

Two processes that are in one state may have the keys of a dict in two orders, and two versions of a
library do not know the same keys. A state is compared and hashed with its order, and so the live
side takes the archive's.
"""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

from .planner import join


def skeleton(value: Any) -> Any:
    """The keys of a tree without its leaves, for shaped()."""
    if type(value) is dict:
        return {key: skeleton(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [skeleton(item) for item in value]
    return None


def shaped(value: Any, like: Any, path: str, surplus: "Optional[List[Tuple[str, Any]]]" = None
           ) -> Any:
    """`value` with the keys of every dict in the order that `like`, a skeleton, has them. Keys that
    are not there come behind them; or they are left out, and added to the list `surplus` as pairs
    of a path and a value."""
    if type(value) is dict and type(like) is dict:
        known = {key: shaped(value[key], like[key], join(path, key), surplus)
                 for key in like if key in value}
        others = {key: item for key, item in value.items() if key not in like}
        if surplus is None:
            return {**known, **others}
        surplus += [(join(path, key), item) for key, item in others.items()]
        return known
    if type(value) in (list, tuple) and type(like) is list:
        likes = [*like, *[None] * len(value)]
        return type(value)([shaped(item, one, join(path, at), surplus)
                            for at, (item, one) in enumerate(zip(value, likes))])
    return value


def put_in_order(live: Any, keys: Any) -> None:
    """Bring a live dict into the order of `keys`; those that are not among these come last."""
    items = {**{key: live[key] for key in keys if key in live}, **live}
    if list(items) != list(live):
        live.clear()
        live.update(items)
