# SPDX-License-Identifier: Apache-2.0
"""The loop of a run: batches, steps, and the ledger line of each."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Mapping, Optional

from . import errors
from ._hooks import UpdateCounter
from ._line import Line, Record, is_finite, learning_rates, merged
from ._loading import Loading
from ._run_saving import RunSaving
from ._signals import Signals
from ._trap import Trap
from .ranks.throw_away import ThrowAway


class RunLoop(RunSaving):
    """The part of a Run that makes steps; Run makes the attributes."""

    optimizers: Dict[str, Any]
    _line: Line
    _loading: Loading
    _counter: UpdateCounter
    _trap: Trap
    _signals: Signals
    _throw_away: ThrowAway
    _nonfinite: str
    _state_every: int
    _called: bool  # step(), since steps() gave a number

    def batches(self, epochs: Optional[int] = None, steps: Optional[int] = None) -> Iterator[Any]:
        """The batches of the loader, epoch after epoch, from where the run is: until `epochs`
        epochs or `steps` steps were made in all, not only now; without either, until a signal.
        Snapshots are made between two batches, when the body of the loop is done; the last one at
        the end. A signal to stop ends it by Stopped (exit code 75), when the snapshot is
        durable."""
        self._loading.insist()
        return self._loop(lambda: self._loading.next_batch(epochs), steps)

    def steps(self, count: Optional[int] = None) -> Iterator[int]:
        """For loops without a loader: the number of each step, up to `count`. InvalidError when the
        body of the loop did not call step(): it would be given the same number for ever."""
        return self._loop(self._next_step, count)

    def _next_step(self) -> int:
        if not self._called:
            raise errors.InvalidError(f"step {self._steps + 1}: step() was not called in the body "
                                      f"of the loop: call it there each time")
        self._called = False
        return self._steps + 1

    def _loop(self, take: Callable[[], Any], steps: Optional[int]) -> Iterator[Any]:
        self.restore()
        self._signals.install()
        try:
            while True:
                self._between()
                if steps is not None and self._steps >= steps and not self._in_step:
                    break
                fresh = not self._in_step
                self.begin()
                try:
                    batch = take()
                except StopIteration:
                    self._end_of_data(fresh)
                    break
                self._line.add_batch(batch, self._loading.last_ids)
                self._guard.new_batch(batch)
                yield batch
            self.finish()
        finally:
            self._signals.restore()

    def begin(self) -> None:
        """Before anything of a step is drawn; called by batches() and steps(). The first call after
        a restore springs the trap: a stream that was drawn from since is named, with the number of
        draws and the usual cause (DiffersError)."""
        self.restore()
        if self._in_step:
            return
        if self._trap.armed:
            self._link.each(self._trap.check)
        self._throw_away.insist_wrapped()
        self._assembly.gather(lambda: None)
        self._assembly.insist_distinct()
        self._handle.begin_step()
        if self._guard.watches:
            self._loading.keep_place()
        self._in_step = True
        self._counter.reset()
        self._guard.begin()

    def _end_of_data(self, fresh: bool) -> None:
        """There is no batch for the step that was begun; `fresh`: it had none before either."""
        if not fresh:
            raise errors.InvalidError(
                f"step {self._steps + 1}: the data ended in the middle of it: its batches had no "
                f"update, or step() was not called behind them: make the update, or drop them")
        self._handle.cancel_step()
        self._in_step = False

    def _before_update(self) -> None:
        if self._in_step:
            self._throw_away.before_update()
            self._guard.before_update()
            self._handle.before_update()

    def step(self, loss: Any = None, **scalars: Any) -> bool:
        """Write the ledger line of the step: call it once for each batch, when its update is made.
        Inside an accumulation (the optimizers were not asked for an update since the last line) the
        loss is kept for the line to come, and the answer is False.

        `loss` and further `scalars` are numbers, or tensors of one element. Those on a GPU are
        recorded one step late, without waiting for it. DiffersError: the line is not the one that
        this step made before. NonfiniteError: the loss is NaN or infinite; no line is written."""
        if not self._in_step:
            raise errors.InvalidError("step: record: none is under way: call it once for each "
                                      "batch that batches() gave, or behind begin()")
        self._called = True
        self._line.add_loss({**({} if loss is None else {"loss": loss}), **scalars})
        if self.optimizers and not self._counter.updates and not self._counter.skipped:
            return False
        step = self._steps + 1
        record = merged(step, self._assembly.gather(self._record))
        self._insist_finite(step, record.floats)
        if self._state_every and step % self._state_every == 0:
            self._assembly.set_trees(self._handle)
        self._handle.set_position(record.epoch, record.samples)
        expected = step <= self._handle.expected_last
        try:
            self._handle.step(step, record.epoch, samples=record.sample_digest(),
                              batch=record.batch_digest(), host=record.host, floats=record.floats,
                              skipped=record.skipped)
        except errors.DiffersError:
            if self._replay is not None:
                difference = self._handle.difference()
                self._replay.differs(self._handle, difference,
                                     None if difference is None else str(difference["field"]))
            raise
        self._steps = step
        self._in_step = False
        self._line.clear()
        self._guard.end()
        if self._replay is not None:
            self._assembly.set_trees(self._handle)
            self._replay.after_step(self._handle, expected)
        return True

    def _record(self) -> Record:
        """Of this process."""
        host = learning_rates(list(self.optimizers.items()))
        if self.optimizers and self._counter.updates != len(self.optimizers):
            host["updates"] = self._counter.updates
        return Record(self._loading.epoch, self._loading.samples, self._line.ids(),
                      self._line.batches(), host, self._line.floats(), self._counter.skipped)

    def _insist_finite(self, step: int, floats: Mapping[str, Any]) -> None:
        bad = [name for name, value in floats.items() if not is_finite(value)]
        if bad and self._nonfinite == "stop":
            raise errors.NonfiniteError(
                f"step {step}: {bad[0]} is not finite, and the update was made: go back to the "
                f"last snapshot; a train function wrapped by run.capsule() leaves a capsule from "
                f"before the update")

    def distributed(self, train: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the function that makes a step (forward, backward, update) of a model in
        DistributedDataParallel; on every rank, before the loop. After a restore its first call is
        made twice: up to the update, to have the buckets made as they were, with everything put
        back after it; and then in earnest. Without such a model nothing is done."""
        return self._throw_away.wrap(train)
