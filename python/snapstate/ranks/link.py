# SPDX-License-Identifier: Apache-2.0
"""How the processes of a run talk to each other, and fail together.

Every method is for all of them to call, in one order. What goes over the wire is from processes of
one job, which trust each other; an archive has none of it."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Tuple

from .. import errors
from .._dtypes import loaded

MOST_RANKS = 1000  # rng/shard-NNN has three digits

Action = Callable[[], Any]
# ("value", what came of it), ("error", status, text, os_error, path of a CaptureError or None),
# ("exit", code)
Outcome = Tuple[Any, ...]


class Alone:
    """One process: what Link offers, with nobody to ask."""

    rank = 0
    world = 1
    leads = True

    def exchange(self, value: Any) -> List[Any]:
        return [value]

    def lead(self, action: Action) -> Any:
        return action()

    def together(self, action: Action) -> List[Any]:
        return [action()]

    def each(self, action: Action) -> Any:
        return action()


class Link:
    """Over a gloo group of its own, made of all ranks of torch.distributed, which is to be
    initialised. `leads`: this is rank 0."""

    def __init__(self) -> None:
        torch: Any = loaded("torch")
        self._distributed = torch.distributed
        self.rank: int = self._distributed.get_rank()
        self.world: int = self._distributed.get_world_size()
        self.leads = self.rank == 0
        if self.world > MOST_RANKS:
            raise errors.UnsupportedError(
                f"torch.distributed: {self.world} processes: a run has {MOST_RANKS} at most in "
                f"this version")
        self._group = self._distributed.new_group(backend="gloo")

    def exchange(self, value: Any) -> List[Any]:
        """What each rank gives, by rank."""
        found: List[Any] = [None] * self.world
        self._distributed.all_gather_object(found, value, group=self._group)
        return found

    def together(self, action: Action) -> List[Any]:
        """Each rank does it; what came of it, by rank. When one fails, all do: with its own
        exception where it was raised, elsewhere with an error of the same kind that begins with
        the rank."""
        outcome, problem = _try(action)
        return self._share(self.exchange(outcome), problem)

    def each(self, action: Action) -> Any:
        """The same, of which each keeps what came of it here."""
        outcome, problem = _try(action)
        self._share(self.exchange(("value", None) if problem is None else outcome), problem)
        return outcome[1]

    def lead(self, action: Action) -> Any:
        """Rank 0 does it, and the others wait; what came of it, on all."""
        outcome, problem = _try(action) if self.leads else (("value", None), None)
        return self._share(self.exchange(outcome), problem, told=False)[0]

    def _share(self, outcomes: List[Outcome], problem: Optional[BaseException],
               told: bool = True) -> List[Any]:
        if problem is not None:
            raise problem
        for rank, outcome in enumerate(outcomes):
            if outcome[0] == "exit":
                raise SystemExit(outcome[1])
            if outcome[0] == "error":
                text = f"rank {rank}: {outcome[2]}" if told else outcome[2]
                _, status, _, os_error, path = outcome
                raise errors.make(status, text, os_error) if path is None else \
                    errors.CaptureError(text, path=path)
        return [outcome[1] for outcome in outcomes]


def _try(action: Action) -> Tuple[Outcome, Optional[BaseException]]:
    try:
        return ("value", action()), None
    except errors.SnapError as problem:
        path = problem.path if isinstance(problem, errors.CaptureError) else None
        return ("error", int(problem.status), str(problem), problem.os_error, path), problem
    except SystemExit as problem:
        return ("exit", problem.code), problem
    except Exception as problem:
        text = f"{type(problem).__name__}: {problem}"
        return ("error", errors.InternalError.status, text, 0, None), problem


def link_of_process() -> Any:
    """A Link where torch.distributed is initialised with several processes, else Alone."""
    torch = loaded("torch")
    distributed = getattr(torch, "distributed", None)
    if distributed is None or not distributed.is_available() or \
            not distributed.is_initialized() or distributed.get_world_size() == 1:
        return Alone()
    return Link()
