# SPDX-License-Identifier: Apache-2.0
"""A replay of several processes: rank 0 compares and reports, and all end where it does."""

from __future__ import annotations

from typing import Any, Dict, Optional

from .. import errors
from .._replay import Replay


class RanksReplay:
    """What Replay offers, for all ranks to call together."""

    def __init__(self, link: Any, replay: Replay) -> None:
        self._link = link
        self._replay = replay
        self.archive = replay.archive
        self.host_part = replay.host_part

    def begin(self, handle: Any) -> None:
        self._link.lead(lambda: self._replay.begin(handle.own))

    def refused(self, problem: errors.AbsentError) -> None:
        self._link.lead(lambda: self._replay.refused(problem))

    def after_step(self, handle: Any, expected: bool) -> None:
        self._link.lead(lambda: self._replay.after_step(handle.own, expected))

    def differs(self, handle: Any, difference: Any, first_member: Optional[str]) -> None:
        self._link.lead(lambda: self._replay.differs(handle.own, difference, first_member))

    def failed(self, handle: Any, failure: Dict[str, Any], record: Dict[str, Any]) -> None:
        self._link.lead(lambda: self._replay.failed(handle.own, failure, record))


def replay_of_ranks(link: Any, replay: Optional[Replay]) -> Any:
    """The replay that is asked for, or None."""
    return replay if replay is None or link.world == 1 else RanksReplay(link, replay)
