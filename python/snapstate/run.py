# SPDX-License-Identifier: Apache-2.0
"""`Run`: a training that can be killed at any moment and goes on as if it had not been.

    run = snapstate.Run("runs/exp1", model=model, optimizer=opt, scheduler=sched, loader=loader,
                        every=500)
    for batch in run.batches(epochs=10):     # goes on where it was, in mid-epoch
        loss = train(batch)
        run.step(loss=loss)                  # the ledger line
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Union

from . import errors
from ._arguments import count_of, dict_of, json_of
from ._assembly import Assembly, required_tier
from ._dtypes import loaded
from ._guard import Guard, save_capsule
from ._hooks import UpdateCounter
from ._line import Line, is_finite, learning_rates
from ._loading import Loading, RunState
from ._replay import Replay
from ._run_handle import RunHandle
from ._signals import Signals
from ._structs import Wanted
from ._trap import Trap
from .environment import capture_environment
from .profile import PROFILE, Violation, cautions, torch_binding, violations
from .receipt import Receipt
from .state import collection
from .state.component import Component
from .generators import Stream, find_generators, streams as all_streams

STOPPED_BY_SIGNAL = 75  # EX_TEMPFAIL: a scheduler may start the job again
PROFILES = (PROFILE, "host-1", "none")


class Stopped(SystemExit):
    """A signal asked for a stop, and the snapshot is durable. Its exit code is 75."""

    def __init__(self, step: int, snapshot_hash: str) -> None:
        super().__init__(STOPPED_BY_SIGNAL)
        self.step = step
        self.snapshot_hash = snapshot_hash

    def __str__(self) -> str:
        return f"stopped by a signal after step {self.step}, saved as {self.snapshot_hash}"


class Run:
    """A run folder and the objects that train in it.

    dir          the folder, made when it is not there; one process at a time
    model, optimizer, scheduler, scaler, ema
                 the objects: one, a list, or a dict by name. Anything with state_dict() will do
    loader       a torch DataLoader, a TrackedLoader, or any iterable that can be gone through again
    values       a dict of plain values, tensors and arrays that decide the next step; changed in
                 place by a restore
    streams      more generators by name (random.Random, numpy Generator, torch.Generator); those
                 of snapstate.register() and the global ones are there anyhow
    data         data files by role: their digests stand in the ledger
    every        a snapshot after each so many steps; 0: when asked
    state_every  the state digest stands in the line of each so many steps; 0: never. It decides
                 bytes of the ledger
    training     what else decides bits, as JSON without reals: it is compared at a restore
    profile      "torch-1" (with torch; the next step is promised equal), "host-1", "none"
    archive      begin from this archive, in a new folder
    require      of a restore: "exact", "streams", "weights" (the last two for `archive`)
    gradients    keep the gradients too: for a loop that adds to them across updates
    batch_bytes  a digest of every batch's bytes in the ledger, beside its sample ids
    nonfinite    "stop" (NonfiniteError) or "record", when a loss is NaN or infinite
    read_back    read each snapshot back from the disk before it counts
    volume_size  bytes of a file at most: a larger snapshot is cut into an index and volumes beside
                 it, and its hashes are the same; 0: every snapshot is one file

    UnsupportedError when a flag breaks the profile: the text has the line to change. BusyError when
    another process has the folder. Nothing is restored before batches(), steps(), begin() or
    restore() is called: compile, capture graphs and warm up before, since that draws.
    """

    def __init__(self, dir: "Union[str, os.PathLike[str]]", *, model: Any = None,
                 optimizer: Any = None, scheduler: Any = None, scaler: Any = None, ema: Any = None,
                 loader: Any = None, values: Optional[Dict[str, Any]] = None,
                 streams: Optional[Mapping[str, Any]] = None,
                 data: Optional[Mapping[str, str]] = None, every: int = 0, state_every: int = 100,
                 training: Optional[Mapping[str, Any]] = None, profile: Optional[str] = None,
                 archive: "Union[str, os.PathLike[str], None]" = None, require: str = "exact",
                 gradients: bool = False, batch_bytes: bool = False, nonfinite: str = "stop",
                 read_back: bool = True, volume_size: int = 0) -> None:
        if nonfinite not in ("stop", "record"):
            raise errors.InvalidError(f'nonfinite {nonfinite!r}: it is "stop" or "record"')
        every, state_every = count_of("every", every), count_of("state_every", state_every)
        user = json_of("training", training)
        required_tier(require, "none")  # one that there is not is told now
        self._import_numpy()
        self.models = collection.named("model", model)
        self.cautions: List[Violation] = []  # what may break the profile; also in events.jsonl
        self.optimizers = collection.named("optimizer", optimizer)
        self.profile = self._choose_profile(profile)
        self._require = require
        self._nonfinite = nonfinite
        self._state_every = state_every
        self._line = Line(batch_bytes)
        self._loading = Loading.of(loader)
        self._objects = {"model": model, "optimizer": optimizer, "scheduler": scheduler,
                         "scaler": scaler, "ema": ema, "values": values}
        self._gradients = gradients
        self._given_streams = dict_of("streams", streams, "generators")
        self._data = dict_of("data", data, "paths")
        self.receipt: Optional[Receipt] = None
        self._restored = self._in_step = False
        self._called = True  # step(), since steps() gave a number
        self._steps = 0
        self._captured_step: Optional[int] = None
        self._stopped_with: Optional[str] = None  # a snapshot that answered a request to stop
        self._replay = Replay.from_environment()
        self._handle = RunHandle(
            profile=self.profile, binding=self._binding(), state_every=state_every, every=every,
            training={"batch_bytes": batch_bytes, "state_every": state_every,
                      "user": user},
            read_back=read_back, volume_size=count_of("volume_size", volume_size),
            **self._where(os.fspath(dir), archive))
        self._counter = UpdateCounter()
        self._counter.before_update = self._before_update
        for one in self.optimizers.values():
            self._counter.watch(one)
        for one in collection.named("scaler", scaler).values():
            self._counter.watch_scaler(one)
        self._signals = Signals(self._request)
        self._assembly: Assembly  # made by restore(), which comes before each use
        self._trap = Trap()
        self._guard = Guard(self)

    # ---- opening ----

    @staticmethod
    def _import_numpy() -> None:
        """Its global generator exists from its import on: before the streams are counted."""
        try:
            importlib.import_module("numpy")
        except ImportError:
            pass

    def _choose_profile(self, profile: Optional[str]) -> str:
        torch = loaded("torch")
        if profile is None:
            profile = PROFILE if torch is not None and self.models else "host-1"
        if profile not in PROFILES:
            raise errors.InvalidError(f"profile {profile!r}: it is one of {', '.join(PROFILES)}")
        if profile == PROFILE:
            self.cautions = cautions()
            found = violations(self.models)
            if found:
                raise errors.UnsupportedError(
                    f"profile {PROFILE}: is broken here: " + "; ".join(map(str, found)))
        return profile

    def _binding(self) -> Dict[str, Any]:
        if loaded("torch") is not None and self.profile == PROFILE:
            return torch_binding()
        return {}

    def _where(self, dir: str, archive: Any) -> Dict[str, Any]:
        """A replay runs in memory, from the archive that it was told."""
        if self._replay is not None:
            return {"archive": self._replay.archive}
        return {"dir": dir, "archive": None if archive is None else os.fspath(archive)}

    def _parts(self) -> List[Component]:
        """The components of the objects that train."""
        return collection.collect(gradients="values" if self._gradients else "presence",
                                  **self._objects)

    def _assemble(self) -> Assembly:
        parts = [*self._parts(), RunState(self._line), *self._loading.components()]
        found: Dict[str, Stream] = dict(all_streams())
        for name, generator in self._given_streams.items():
            found[name] = self._loading.stream(name, generator)
        known = [*self._loading.known(), *(stream.generator for stream in found.values())]
        gaps = [(gap.path, gap.reason) for gap in find_generators(
            {**self._objects, **self._loading.searched()}, known=known)]
        if self._objects["model"] is not None and not self._gradients:
            gaps.append(("gradients", "an update has used them; whether they are there is kept, "
                                      "their values are not (gradients=True keeps them)"))
        return Assembly(parts, found, gaps)

    def restore(self) -> Optional[Receipt]:
        """Go on from the snapshot that `latest` names, or from `archive`; None: a fresh run. Called
        by batches(), steps() and begin(): call it yourself to look at the receipt before."""
        if self._restored:
            return self.receipt
        self._assembly = self._assemble()
        self._assembly.register(self._handle)
        for role, path in self._data.items():
            self._handle.add_data_file(role, path)
        self._loading.require(self._require)
        self.receipt = self._assembly.restore(self._handle, self._require)
        self._restored = True
        self._steps = self._handle.steps_done
        if self.receipt is not None:
            self._captured_step = self._steps
            self._loading.resume(self.receipt)
            self._trap.arm(self._assembly.streams)
        if self._replay is not None:
            self._replay.begin(self._handle)
        self._handle.event("environment", {"environment": capture_environment()})
        for caution in self.cautions:
            self._handle.event("caution", {"text": str(caution)})
        return self.receipt

    # ---- the loop ----

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
        self._trap.check()
        self._handle.begin_step()
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
        step, skipped = self._steps + 1, self._counter.skipped
        floats = self._line.floats()
        self._insist_finite(step, floats)
        if self._state_every and step % self._state_every == 0:
            self._assembly.set_trees(self._handle)
        self._handle.set_position(self._loading.epoch, self._loading.samples)
        host = learning_rates(list(self.optimizers.items()))
        if self.optimizers and self._counter.updates != len(self.optimizers):
            host["updates"] = self._counter.updates
        expected = step <= self._handle.expected_last
        try:
            self._handle.step(step, self._loading.epoch, samples=self._line.samples(),
                              batch=self._line.batch(), host=host, floats=floats, skipped=skipped)
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

    def _insist_finite(self, step: int, floats: Mapping[str, Any]) -> None:
        bad = [name for name, value in floats.items() if not is_finite(value)]
        if bad and self._nonfinite == "stop":
            raise errors.NonfiniteError(
                f"step {step}: {bad[0]} is not finite, and the update was made: go back to the "
                f"last snapshot; a train function wrapped by run.capsule() leaves a capsule from "
                f"before the update")

    # ---- saving ----

    def _request(self, stop: bool) -> None:
        self._handle.request(Wanted.SAVE_AND_STOP if stop else Wanted.SAVE)

    def _between(self) -> None:
        """Between the body of the loop and the next draw: what was asked for."""
        if self._in_step:
            return  # inside an accumulation
        if self._replay is None and self._handle.wanted() != Wanted.NOTHING:
            self._save_due()
        if self._stopped_with is not None:
            self.close()
            raise Stopped(self._steps, self._stopped_with)

    def _save_due(self) -> None:
        """A save is asked for. It is made while the training goes on, unless that is to stop."""
        if self._handle.wanted() == Wanted.SAVE_AND_STOP:
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
        return self._guard.wrap(train)

    def save_capsule(self, roots: Dict[str, Any], what: str, name: str, value: str,
                     element: int) -> str:
        """A capsule of the step under way, before its update, with `roots` beside the state; the
        path. In a replay it is reported instead, and the program ends. For Guard."""
        if self._replay is not None:
            self._replay.failed(self._handle, {"what": what, "name": name, "value": value,
                                               "element": element, "step": self._steps + 1})
        self._assembly.set_trees(self._handle)
        return save_capsule(self._handle, roots, self._steps + 1, what, name, value, element)

    # ---- looking ----

    @property
    def streams(self) -> Dict[str, Stream]:
        """The streams that are captured, by name."""
        self.restore()
        return dict(self._assembly.streams)

    @property
    def steps_done(self) -> int:
        return self._steps

    @property
    def epoch(self) -> int:
        """From 0."""
        return self._loading.epoch

    @property
    def resumed(self) -> bool:
        """Something was restored."""
        return self.receipt is not None

    @property
    def dir(self) -> Optional[str]:
        return self._handle.dir

    def run_hash(self) -> str:
        """"run1:...": stands for all steps up to the last one."""
        return self._handle.run_hash()

    def state_hash(self) -> str:
        """"state1:...": of the state as it is now; nothing is written."""
        self.restore()
        self._assembly.set_trees(self._handle)
        return self._handle.state_hash()

    def close(self) -> None:
        """Release the folder; the hooks are taken away. Nothing is saved."""
        self._signals.restore()
        self._counter.close()
        self._line.close()
        self._handle.close()

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
