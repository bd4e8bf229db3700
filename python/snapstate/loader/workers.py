# SPDX-License-Identifier: Apache-2.0
"""What the main process knows of a loader's workers: where each stood behind its last batch that
was handed to the loop, however far it has loaded ahead since."""

from __future__ import annotations

import queue
from typing import Any, Dict, List, Optional, Union

from .generators import State
from .worker_side import open_cargo

# A report is sent before the message that ends the epoch, by another thread of the worker.
REPORT_TIMEOUT_S = 30.0


class WorkerRecords:
    """Of `count` workers. A worker without a state stands where its seed puts it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._states: List[Union[None, bytes, State]] = [None] * count
        self._in_epoch = [False] * count
        self._known = [True] * count

    def begin_epoch(self, same_processes: bool, all_consumed: bool) -> None:
        """`all_consumed`: nothing that these processes loaded in the last epoch was thrown away."""
        self._in_epoch = [False] * self.count
        if not same_processes:
            self._states = [None] * self.count
            self._known = [True] * self.count
        elif not all_consumed:
            self._known = [False] * self.count

    def received(self, worker: int, cargo: bytes) -> None:
        """One of its batches is handed to the loop."""
        self._states[worker] = cargo
        self._in_epoch[worker] = self._known[worker] = True

    def lost(self, worker: Optional[int] = None) -> None:
        """A batch of it failed, of one of them if None: how far it drew for that is not known."""
        for number in range(self.count) if worker is None else [worker]:
            self._known[number] = False

    def end_of_epoch(self, reports: Dict[int, bytes]) -> None:
        """All batches are consumed. `reports` are what workers of iterable data were when the data
        ended; for one whose last batch was made after that the batch says it."""
        for worker, report in reports.items():
            state = self._states[worker]
            last = open_cargo(state) if isinstance(state, bytes) else state
            if last is None or not self._in_epoch[worker] or not last["iterator"]["ended"]:
                self._states[worker] = report
                self._known[worker] = True
        self._in_epoch = [False] * self.count

    def unknown(self) -> List[int]:
        """Those whose streams are not known until their next batch."""
        return [worker for worker in range(self.count) if not self._known[worker]]

    def states(self) -> List[Optional[State]]:
        """One for each worker; see worker_side.py."""
        return [None if state is None else
                {**(open_cargo(state) if isinstance(state, bytes) else state), "in_epoch": in_epoch}
                for state, in_epoch in zip(self._states, self._in_epoch)]

    def load(self, states: List[Optional[State]], unknown: List[int]) -> None:
        """What states() and unknown() gave in another process."""
        self._states = list(states)
        self._in_epoch = [state is not None and state["in_epoch"] for state in states]
        self._known = [worker not in unknown for worker in range(self.count)]


def collect_reports(reports: Any, count: int, rounds: int) -> Dict[int, bytes]:
    """The report of each worker on the end of its epoch number `rounds`; fewer if a worker died."""
    found: Dict[int, bytes] = {}
    while len(found) < count:
        try:
            worker, of_round, cargo = reports.get(timeout=REPORT_TIMEOUT_S)
        except queue.Empty:
            break
        if of_round == rounds:
            found[worker] = cargo
    return found
