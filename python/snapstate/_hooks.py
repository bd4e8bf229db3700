# SPDX-License-Identifier: Apache-2.0
"""Being told of every update that an optimizer makes, whoever calls it."""

from __future__ import annotations

import functools
from typing import Any, Callable, List

from .state.optimizer_state import unwrap

Remove = Callable[[], None]


def around_step(optimizer: Any, before: Callable[[], None], after: Callable[[], None]) -> Remove:
    """Have `before` and `after` called around each `optimizer.step()`. What is given back takes the
    hooks away again. Uses the optimizer's own hooks where torch has them (2.0), and else a wrapper
    in the place of the bound method, as learning rate schedulers put one there. An exception of
    `before` keeps the update from being made."""
    if hasattr(optimizer, "register_step_pre_hook"):
        handles = [optimizer.register_step_pre_hook(lambda *_: before()),
                   optimizer.register_step_post_hook(lambda *_: after())]

        def remove() -> None:
            for handle in handles:
                handle.remove()
        return remove
    return around_call(optimizer, "step", before, after)


def around_call(owner: Any, method: str, before: Callable[[], None],
                after: Callable[[], None]) -> Remove:
    """The same for any bound method. Attributes of the method, such as the mark of a learning rate
    scheduler, are kept."""
    inner = getattr(owner, method)
    was_own = method in vars(owner)

    @functools.wraps(inner)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        before()
        result = inner(*args, **kwargs)
        after()
        return result

    setattr(owner, method, wrapped)

    def remove() -> None:
        if vars(owner).get(method) is not wrapped:
            return  # somebody wrapped it again: taking ours out would take theirs too
        if was_own:
            setattr(owner, method, inner)
        else:
            delattr(owner, method)
    return remove


class UpdateCounter:
    """Counts the updates of several optimizers, and steps that a GradScaler skipped."""

    def __init__(self) -> None:
        self.updates = 0          # since reset()
        self.attempts = 0         # calls of a scaler's step()
        self.before_update: Callable[[], None] = lambda: None
        self.after_update: Callable[[], None] = lambda: None
        self._remove: List[Remove] = []

    def watch(self, optimizer: Any) -> None:
        self._remove.append(around_step(unwrap(optimizer), self._before, self._after))

    def watch_scaler(self, scaler: Any) -> None:
        self._remove.append(around_call(scaler, "step", lambda: None, self._attempt))

    def _before(self) -> None:
        self.before_update()

    def _after(self) -> None:
        self.updates += 1
        self.after_update()

    def _attempt(self) -> None:
        self.attempts += 1

    @property
    def skipped(self) -> bool:
        """A scaler was asked for updates, and made none since reset()."""
        return self.updates == 0 and self.attempts > 0

    def reset(self) -> None:
        self.updates = 0
        self.attempts = 0

    def close(self) -> None:
        while self._remove:
            self._remove.pop()()
