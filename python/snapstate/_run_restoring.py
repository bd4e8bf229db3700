# SPDX-License-Identifier: Apache-2.0
"""How a run comes to where it was: the components of its state are gathered, and restored."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from . import errors
from ._assembly import Assembly
from ._loading import Ignored, RunState
from ._run_loop import RunLoop
from .environment import capture_environment
from .generators import Stream, find_generators, streams as all_streams
from .profile import Violation
from .ranks.rank_binding import buffer_addresses, own_buffers
from .ranks.ranks_assembly import RanksAssembly
from .ranks.ranks_state import RanksState
from .receipt import Receipt
from .state import collection
from .state.component import Component


class RunRestoring(RunLoop):
    """The part of a Run that restores; Run makes the attributes."""

    receipt: Optional[Receipt]         # of the restore; None: none was made, or a fresh run
    cautions: List[Violation]          # what may break the profile
    _objects: Dict[str, Any]           # that train, by the names of Run's arguments
    _given_streams: Mapping[str, Any]  # generators by name
    _data: Mapping[str, str]           # data files by role
    _wrappers: Dict[str, Any]          # models in DistributedDataParallel, by name
    _distinct: Sequence[str]
    _gradients: bool
    _require: str
    _restored: bool

    def _parts(self) -> List[Component]:
        """The components of the objects that train."""
        return collection.collect(gradients="values" if self._gradients else "presence",
                                  **self._objects)

    def _assemble(self) -> Assembly:
        parts, found, gaps = self._link.each(self._own_parts)
        if self._link.world == 1:
            passed_over = [] if self._replay is None else self._replay.passed_over()
            return Assembly([*parts, RunState(self._line), *self._loading.components(),
                             *map(Ignored, passed_over)], found, gaps)
        ranks = RanksState(self._link.rank, self._link.world, self._line,
                           self._loading.components(), own_buffers(self._wrappers))
        return RanksAssembly(self._link, parts, ranks, found, gaps,
                             buffer_addresses(self._wrappers), self._distinct)

    def _own_parts(self) -> Tuple[List[Component], Dict[str, Stream], List[Tuple[str, str]]]:
        """Of this process: the components, the streams by name, and what is not captured."""
        parts = self._parts()
        found: Dict[str, Stream] = dict(all_streams())
        for name, generator in self._given_streams.items():
            found[name] = self._loading.stream(name, generator)
        known = [*self._loading.known(), *(stream.generator for stream in found.values())]
        gaps = [(gap.path, gap.reason) for gap in find_generators(
            {**self._objects, **self._loading.searched()}, known=known)]
        if self._objects["model"] is not None and not self._gradients:
            gaps.append(("gradients", "an update has used them; whether they are there is kept, "
                                      "their values are not (gradients=True keeps them)"))
        return parts, found, gaps

    def restore(self) -> Optional[Receipt]:
        """Go on from the snapshot that `latest` names, or from `archive`; None: a fresh run. Called
        by batches(), steps() and begin(): call it yourself to look at the receipt before."""
        if self._restored:
            return self.receipt
        self._assembly = self._assemble()
        self._assembly.register(self._handle)
        self._link.each(self._add_data_files)
        self._loading.require(self._require)
        receipt = self.receipt = self._restore_state()
        self._restored = True
        self._steps = self._handle.steps_done
        if receipt is not None:
            self._captured_step = self._steps
            self._link.each(lambda: self._loading.resume(receipt))
            self._assembly.share(receipt)
            self._trap.arm(self._assembly.streams)
            self._throw_away.restored(self._steps)
        if self._replay is not None:
            self._replay.begin(self._handle)
        self._link.each(self._tell_circumstances)
        return receipt

    def _add_data_files(self) -> None:
        for role, path in self._data.items():
            self._handle.add_data_file(role, path)

    def _tell_circumstances(self) -> None:
        """In events.jsonl: where the run is, and what may break its promise."""
        self._handle.event("environment", {"environment": capture_environment()})
        for caution in self.cautions:
            self._handle.event("caution", {"text": str(caution)})
        for name, first, second in self._assembly.twins():
            self._handle.event("caution", {
                "text": f"stream {name}: is in one state on ranks {first} and {second}: they draw "
                        f"the same numbers; seed it by the rank if each is to draw its own"})

    def _restore_state(self) -> Optional[Receipt]:
        if self._replay is None:
            return self._assembly.restore(self._handle, self._require)
        try:
            return self._assembly.restore(
                self._handle, "streams" if self._replay.host_part else self._require)
        except errors.AbsentError as problem:
            self._replay.refused(problem)
            raise
