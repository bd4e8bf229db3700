# SPDX-License-Identifier: Apache-2.0
"""When a run saves: what is asked for between two batches, and what a user asks for."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from . import errors
from ._assembly import Assembly
from ._guard import Guard, save_capsule
from ._replay import Replay
from ._structs import Wanted
from .receipt import Receipt

STOPPED_BY_SIGNAL = 75  # EX_TEMPFAIL: a scheduler may start the job again


class Stopped(SystemExit):
    """A signal asked for a stop, and the snapshot is durable. Its exit code is 75."""

    def __init__(self, step: int, snapshot_hash: str) -> None:
        super().__init__(STOPPED_BY_SIGNAL)
        self.step = step
        self.snapshot_hash = snapshot_hash

    def __str__(self) -> str:
        return f"stopped by a signal after step {self.step}, saved as {self.snapshot_hash}"


class RunSaving:
    """The part of a Run that saves; Run makes the attributes."""

    _link: Any                     # to the other processes of the run
    _handle: Any                   # RunHandle, or RanksHandle
    _assembly: Assembly
    _guard: Guard
    _replay: Optional[Replay]
    _steps: int                    # updates made
    _in_step: bool                 # one is under way: its ledger line is not written
    _captured_step: Optional[int]  # of the last snapshot
    _stopped_with: Optional[str]   # a snapshot that answered a request to stop

    def restore(self) -> Optional[Receipt]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def _request(self, stop: bool) -> None:
        self._handle.request(Wanted.SAVE_AND_STOP if stop else Wanted.SAVE)

    def _between(self) -> None:
        """Between the body of the loop and the next draw: what was asked for."""
        if self._in_step:
            return  # inside an accumulation
        wanted = Wanted.NOTHING if self._replay is not None else self._handle.wanted()
        if wanted != Wanted.NOTHING:
            self._save_due(wanted)
        if self._stopped_with is not None:
            self.close()
            raise Stopped(self._steps, self._stopped_with)

    def _save_due(self, wanted: Wanted) -> None:
        """A save is asked for. It is made while the training goes on, unless that is to stop."""
        if wanted == Wanted.SAVE_AND_STOP:
            self.save()
        else:
            self._assembly.set_trees(self._handle)
            self._handle.capture_behind(self._steps)
            self._captured_step = self._steps

    def save(self) -> str:
        """A snapshot of the state after the last step, now; the snapshot hash, when it is
        durable."""
        self.restore()
        if self._in_step:
            raise errors.InvalidError(
                f"step {self._steps + 1}: save: it is under way: its ledger line comes first")
        self._assembly.set_trees(self._handle)
        wanted = self._handle.wanted()
        snapshot_hash = self._handle.capture(self._steps)  # which answers the request
        self._captured_step = self._steps
        if wanted == Wanted.SAVE_AND_STOP:
            self._stopped_with = snapshot_hash
        return snapshot_hash

    def wait(self) -> None:
        """Until the snapshot under way, if there is one, is durable. An error of it comes here."""
        self._handle.wait()

    def finish(self) -> None:
        """The last snapshot, unless there is one of this step; it is durable after."""
        if self._replay is None and self._steps > 0:
            self.wait()
            if self._captured_step != self._steps:
                self.save()

    def capsule(self, train: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the function that makes a step (forward, backward, update): when its result or a
        gradient is not finite, the update is not made, the step is run once more operation by
        operation, and a capsule keeps the state from before it, the batch, and the first operation
        whose output is not finite. Then NonfiniteError, with the path of the capsule."""
        if self._link.world > 1:
            raise errors.UnsupportedError(
                f"capsule(): {self._link.world} processes: a capsule is of one process in this "
                f"version: leave it out, or look at the step in one process")
        return self._guard.wrap(train)

    def save_capsule(self, roots: Dict[str, Any], what: str, name: str, value: str,
                     element: int) -> str:
        """A capsule of the step under way, before its update, with `roots` beside the state; the
        path. In a replay it is reported instead, and the program ends. For Guard."""
        if self._replay is not None:
            self._replay.failed(self._handle, {"what": what, "name": name, "value": value,
                                               "element": element, "step": self._steps + 1},
                                roots["failure"])
        with self._loading.at_kept_place():
            self._assembly.set_trees(self._handle)
        return save_capsule(self._handle, roots, self._steps + 1, what, name, value, element)
