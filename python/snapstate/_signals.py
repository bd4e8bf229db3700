# SPDX-License-Identifier: Apache-2.0
"""Signals that ask a run for a save: SIGUSR1 to save and go on; SIGUSR2, SIGTERM and SIGINT to save
and stop; a second of these to stop at once, as they would without us."""

from __future__ import annotations

import os
import signal
import threading
import weakref
from types import FrameType
from typing import Any, Callable, Dict, Optional

SAVE = (signal.SIGUSR1,)
SAVE_AND_STOP = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)


# Those of this process, for the children that it forks.
_installed: "weakref.WeakSet[Signals]" = weakref.WeakSet()


def _after_fork() -> None:
    for signals in list(_installed):
        signals.leave_to_parent()


os.register_at_fork(after_in_child=_after_fork)


class Signals:
    """`request(stop)` is called in the main thread, between two of its instructions. Signals that
    were ignored stay so: who started the process wanted it."""

    def __init__(self, request: Callable[[bool], None]) -> None:
        self._request = request
        self._before: Dict[int, Any] = {}
        self.stopping: Optional[int] = None

    def install(self) -> bool:
        """False where it cannot be done: outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return False
        for number in SAVE + SAVE_AND_STOP:
            before = signal.getsignal(number)
            if before in (signal.SIG_IGN, None):
                continue
            signal.signal(number, self._handle)
            self._before[number] = before
        _installed.add(self)
        return True

    def _handle(self, number: int, frame: Optional[FrameType]) -> None:
        if number in SAVE:
            self._request(False)
        elif self.stopping is None:
            self.stopping = number
            self._request(True)
        else:
            self.restore()
            signal.raise_signal(number)

    def leave_to_parent(self) -> None:
        """In a child of fork(): it ends when it is told to, as it would without us. But one SIGINT
        of the keyboard, which reaches the workers of a loader too, is the parent's, who needs
        them for the step under way."""
        for number, handler in self._before.items():
            if number != signal.SIGINT and signal.getsignal(number) == self._handle:
                signal.signal(number, handler)

    def restore(self) -> None:
        """Put back what was there before."""
        before, self._before = self._before, {}
        for number, handler in before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)
