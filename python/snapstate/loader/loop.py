# SPDX-License-Identifier: Apache-2.0
"""One loop over a tracked loader."""

from __future__ import annotations

from typing import Any, Callable

from .skipping import Recording


class Loop:
    """Gives the batches of an epoch, or of what is left of it, as the loader gives them. Dropping
    it ends the loop, as dropping a DataLoader's iterator does.

    received    called with (batch's worker, samples, cargo) for each batch; worker -1: this process
    failed      called when a batch was lost
    finished    called when the epoch is over
    """

    def __init__(self, iterator: Any, recording: Recording, has_workers: bool,
                 received: Callable[["Loop", int, int, bytes], None],
                 failed: Callable[["Loop", bool], None],
                 finished: Callable[["Loop"], None]) -> None:
        self.iterator = iterator
        self.recording = recording
        self.over = False
        self._has_workers = has_workers
        self._received = received
        self._failed = failed
        self._finished = finished

    def __iter__(self) -> "Loop":
        return self

    def __next__(self) -> Any:
        attempts = self.recording.attempts
        try:
            item = next(self.iterator)
        except StopIteration:
            if not self.over:
                self.over = True
                self._finished(self)
            raise
        except BaseException:
            # A loader asks for the next index exactly when it is done with a batch.
            self._failed(self, self.recording.attempts > attempts)
            raise
        if not self._has_workers:
            self._received(self, -1, 1, b"")
            return item
        batch, worker, samples, cargo = item
        self._received(self, worker, samples, cargo)
        return batch
