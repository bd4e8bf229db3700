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
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from . import errors
from ._arguments import count_of, dict_of, json_of
from ._assembly import Assembly, required_tier
from ._dtypes import loaded
from ._guard import Guard
from ._hooks import UpdateCounter
from ._line import Line
from ._loading import Loading
from ._replay import Replay
from ._run_handle import RunHandle
from ._run_restoring import RunRestoring
from ._run_saving import Stopped
from ._signals import Signals
from ._trap import Trap
from .profile import PROFILE, Violation, cautions, torch_binding, violations
from .ranks.link import link_of_process
from .ranks.rank_binding import shared_binding, unwrapped, wrappers_of
from .ranks.ranks_handle import RanksHandle
from .ranks.ranks_replay import replay_of_ranks
from .ranks.throw_away import ThrowAway
from .receipt import Receipt
from .state import collection
from .generators import Stream

__all__ = ["Run", "Stopped"]

PROFILES = (PROFILE, "host-1", "none")


class Run(RunRestoring):
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
    distinct     names of streams that must not be in one state on two processes (DiffersError)
    batch_bytes  a digest of every batch's bytes in the ledger, beside its sample ids
    nonfinite    "stop" (NonfiniteError) or "record", when a loss is NaN or infinite
    read_back    read each snapshot back from the disk before it counts
    agent        the socket of the agent (snap serve) that saves; "": none. By default what
                 SNAP_AGENT names, or else .snap-agent.sock in the nearest folder above
    volume_size  bytes of a file at most: a larger snapshot is cut into an index and volumes beside
                 it, and its hashes are the same; 0: every snapshot is one file

    Under torchrun every rank makes its Run, in the same folder, once torch.distributed is
    initialised, and calls the same methods in the same order: docs/torchrun.md.

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
                 read_back: bool = True, distinct: Sequence[str] = (),
                 agent: "Union[str, os.PathLike[str], None]" = None,
                 volume_size: int = 0) -> None:
        if nonfinite not in ("stop", "record"):
            raise errors.InvalidError(f'nonfinite {nonfinite!r}: it is "stop" or "record"')
        every, state_every = count_of("every", every), count_of("state_every", state_every)
        user = json_of("training", training)
        required_tier(require, "none")  # one that there is not is told now
        self._import_numpy()
        wrapped = collection.named("model", model)
        model = unwrapped(model)
        self._objects = {"model": model, "optimizer": optimizer, "scheduler": scheduler,
                         "scaler": scaler, "ema": ema, "values": values}
        collection.insist_objects({**self._objects, "values": None})
        self.models = collection.named("model", model)
        self._wrappers = wrappers_of(wrapped)
        self._link = link_of_process()
        self.cautions: List[Violation] = []  # what may break the profile; also in events.jsonl
        self.optimizers = collection.named("optimizer", optimizer)
        collection.insist_steps(self.optimizers)
        self.profile = self._link.together(lambda: self._choose_profile(profile))[0]
        self._require = require
        self._nonfinite = nonfinite
        self._state_every = state_every
        self._line = Line(batch_bytes)
        self._loading = Loading.of(loader)
        self._gradients = gradients
        self._given_streams = dict_of("streams", streams, "generators")
        self._data = dict_of("data", data, "paths")
        self.receipt: Optional[Receipt] = None
        self._restored = self._in_step = False
        self._called = True  # step(), since steps() gave a number
        self._steps = 0
        self._captured_step: Optional[int] = None
        self._stopped_with: Optional[str] = None  # a snapshot that answered a request to stop
        self._replay = replay_of_ranks(self._link, Replay.from_environment())
        self._distinct = tuple(distinct)
        self._handle = self._open(
            profile=self.profile, binding=self._binding(), state_every=state_every, every=every,
            training={"batch_bytes": batch_bytes, "state_every": state_every,
                      "user": user},
            read_back=read_back, agent=None if agent is None else os.fspath(agent),
            volume_size=count_of("volume_size", volume_size),
            **self._where(os.fspath(dir), archive))
        self._counter = UpdateCounter()
        self._counter.before_update = self._before_update
        for one in self.optimizers.values():
            self._counter.watch(one)
        scalers = collection.named("scaler", scaler)
        for one in scalers.values():
            self._counter.watch_scaler(one)
        self._throw_away = ThrowAway(self, self._wrappers if self._link.world > 1 else {}, scalers,
                                     values)
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
            found = violations(self.models, several=self._link.world > 1)
            if found:
                raise errors.UnsupportedError(
                    f"profile {PROFILE}: is broken here: " + "; ".join(map(str, found)))
        return profile

    def _binding(self) -> Dict[str, Any]:
        if loaded("torch") is not None and self.profile == PROFILE:
            own = torch_binding()
            return own if self._link.world == 1 else shared_binding(self._link, own,
                                                                    self._wrappers)
        return {}

    def _open(self, **options: Any) -> Any:
        """The folder: a RunHandle, or with several processes what they share."""
        if self._link.world == 1:
            return RunHandle(**options)
        return RanksHandle(self._link, options)

    def _where(self, dir: str, archive: Any) -> Dict[str, Any]:
        """A replay runs in memory, from the archive that it was told."""
        if self._replay is not None:
            return {"archive": self._replay.archive}
        return {"dir": dir, "archive": None if archive is None else os.fspath(archive)}

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
