# SPDX-License-Identifier: Apache-2.0
"""`Sidecar`: keep torch.save, DCP or a trainer's own checkpoints, and have snap add what they lose:
streams, place in the data, ledger, coverage, and the digests of the files that are there.

    side = snapstate.Sidecar("checkpoints", model=model, optimizer=optimizer, loader=loader)
    for path in side.latest():                       # verified; none in a fresh run
        ...torch.load(path)...
    for batch in side.batches(epochs=10):
        loss = train(batch)
        side.step(loss=loss)
        if side.steps_done % 500 == 0:
            torch.save({...}, path)
            side.save([path])
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Union

from . import errors
from ._assembly import first_difference
from ._library import call, path_bytes
from ._digests import Digest, tensor_digest
from ._run_handle import make_folder
from ._structs import Wanted
from .archive import Archive
from .ranks.link import link_of_process
from .run import Run
from .state.component import Component, Plan
from ._staging import stage
from .tensors import describe
from .tree import encode

FOLDER = "snap"
Path = Union[str, "os.PathLike[str]"]


def file_facts(path: str) -> Dict[str, Any]:
    """SHA-256 and size of a file. EnvironmentFailure when it cannot be read."""
    digest, size = Digest(), ctypes.c_uint64()
    call("snap_file_digest", path_bytes(path), digest, ctypes.byref(size))
    return {"sha256": bytes(digest).hex(), "size": int(size.value)}


def with_digests(value: Any) -> Any:
    """A tree with a text in the place of every tensor: dtype, shape, digest of its elements."""
    memory = describe(value)
    if memory is not None:
        shape = ",".join(map(str, memory.shape))
        digest = tensor_digest(stage([memory]).memories[0]).hex()
        return f"{memory.dtype}[{shape}] {digest}"
    if isinstance(value, Mapping):
        return {key: with_digests(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_digests(item) for item in value]
    return value


class Digests(Component):
    """Root `digests`: of everything that the files hold. A restore compares it with what the caller
    has loaded."""

    def __init__(self, parts: Iterable[Component]) -> None:
        super().__init__("digests")
        self._parts = list(parts)

    def tree(self) -> Dict[str, Any]:
        value = {part.root: with_digests(part.tree()) for part in self._parts}
        reason = "is in the files of the checkpoint, whose digests are kept"
        self.not_captured = [(part.root, reason) for part in self._parts]
        return value

    def plan_in(self, archived: Any, storages: Any) -> Plan:
        plan = Plan(self.root, archived)
        loaded = self.tree()
        left, right = encode(archived)[0], encode(loaded)[0]
        if left != right:
            plan.problems.append(
                f"{first_difference(left, right, self.root)}: what was loaded is not what was "
                f"saved: load the files that latest() names, and everything that they hold")
        return plan


class Files(Component):
    """Root `files`: digest and size of each, by its path from the checkpoint folder."""

    def __init__(self) -> None:
        super().__init__("files")
        self.facts: Dict[str, Dict[str, Any]] = {}

    def tree(self) -> Dict[str, Any]:
        return self.facts

    def plan_in(self, archived: Any, storages: Any) -> Plan:
        plan = Plan(self.root, archived)
        plan.when_attached(lambda: setattr(self, "facts", archived))
        return plan


class Sidecar(Run):
    """As `Run`, beside checkpoints that something else writes; the run folder is `snap` inside
    `checkpoint_dir`.

    write  a function of the step that writes a checkpoint and gives back its files. With it saves
           come by themselves, as `every` and signals ask; without it, save(files) is yours to call,
           and `due` says when it is asked for
    """

    def __init__(self, checkpoint_dir: Path, *,
                 write: Optional[Callable[[int], Iterable[Path]]] = None, **options: Any) -> None:
        world = link_of_process().world
        if world > 1:
            raise errors.UnsupportedError(
                f"sidecar: {world} processes: it is of one process in this version: keep all of it "
                f"by Run, or sharded state by snapstate.integrations.dcp")
        self.checkpoint_dir = os.path.abspath(os.fspath(checkpoint_dir))
        make_folder(self.checkpoint_dir, f"{self.checkpoint_dir}: make the checkpoint folder")
        self._write = write
        self._files = Files()
        super().__init__(os.path.join(self.checkpoint_dir, FOLDER), **options)

    def _parts(self) -> List[Component]:
        parts = super()._parts()
        # Training flags and which gradients are there stand in no state_dict: they are kept.
        flags = [part for part in parts if part.root == "modules"]
        return [Digests(part for part in parts if part not in flags), *flags, self._files]

    def latest(self) -> List[str]:
        """The files of the checkpoint to load, each compared with its digest; [] in a fresh run.
        CorruptError, AbsentError: one is not what it was, or is gone."""
        source = self._handle.source()
        if source is None:
            return []
        with Archive(source) as archive:
            facts = archive.load("files", None)
        paths = []
        for name, wanted in facts.items():
            path = os.path.join(self.checkpoint_dir, name)
            if not os.path.exists(path):
                raise errors.AbsentError(
                    f"{path}: is not there: the checkpoint of {source} needs it")
            if file_facts(path) != wanted:
                raise errors.CorruptError(f"{path}: is not the file that was saved with {source}: "
                                          f"size or digest differ")
            paths.append(path)
        return paths

    @property
    def due(self) -> bool:
        """A save is asked for, by `every` or by a signal."""
        return self._handle.wanted() != Wanted.NOTHING

    def save(self, files: Union[Path, Iterable[Path], None] = None) -> str:
        """A snapshot beside these files, or this one, which must be whole; the snapshot hash, when
        it is durable. Without `files` they are what `write` writes."""
        if files is None:
            if self._write is None:
                raise errors.InvalidError("sidecar: save: which files? give them, or `write`")
            files = self._write(self.steps_done)
        facts = {}
        for file in self._listed(files):
            path = os.fspath(file)
            name = os.path.relpath(path, self.checkpoint_dir)
            if name.split(os.sep)[0] == os.pardir:
                raise errors.InvalidError(f"{path}: sidecar: save: it is not in "
                                          f"{self.checkpoint_dir}")
            facts[name] = file_facts(path)
        self._files.facts = facts
        return super().save()

    @staticmethod
    def _listed(files: Any) -> List[Path]:
        """One path is a list of one."""
        if isinstance(files, (str, os.PathLike)):
            return [files]
        try:
            return list(files)
        except TypeError:
            raise errors.InvalidError(f"sidecar: save: a {type(files).__name__} is no list of "
                                      f"files: `write` is to give back those that it "
                                      f"wrote") from None

    def _save_due(self, wanted: Wanted) -> None:
        if self._write is not None:
            self.save()

    def finish(self) -> None:
        """With `write`, the last snapshot; without it, nothing: saving is the caller's."""
        if self._write is not None:
            super().finish()
