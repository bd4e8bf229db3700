# SPDX-License-Identifier: Apache-2.0
"""Signals that ask a run for a save: SIGUSR1 to save and go on; SIGUSR2, SIGTERM and SIGINT to save
and stop; a second of these to stop at once, as they would without us."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Callable, Dict, Optional

SAVE = (signal.SIGUSR1,)
SAVE_AND_STOP = (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)


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

    def restore(self) -> None:
        """Put back what was there before."""
        before, self._before = self._before, {}
        for number, handler in before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, handler)
