# SPDX-License-Identifier: Apache-2.0
"""The writer of dcp.py: what torch.distributed.checkpoint saves, as volumes and an index."""

from __future__ import annotations

import dataclasses
import os
import threading
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import torch
from torch.distributed.checkpoint.metadata import (BytesStorageMetadata, Metadata, MetadataIndex,
                                                   StorageMeta)
from torch.distributed.checkpoint.planner import SavePlan, SavePlanner, WriteItem, WriteItemType
from torch.distributed.checkpoint.staging import BlockingAsyncStager
from torch.distributed.checkpoint.storage import StorageWriter, WriteResult
from torch.futures import Future

from .. import errors
from .._run_handle import make_folder
from ..checkpoint_volumes import Entry, Shard, index_path, shard_key, write_index, write_volume
from ..generators import streams
from ..profile import torch_binding
from ..ranks.held_stream import HeldStream
from ..ranks.rank_binding import distributed_facts, facts_of_process, node_of_process

Path = Union[str, "os.PathLike[str]"]


class Taken(NamedTuple):
    """What belongs to a state and is not in it: streams as (name, kind, bytes), and the binding
    and the node of the process."""

    streams: List[Tuple[str, str, bytes]]
    binding: Dict[str, Any]
    node: str


class SnapWriter(StorageWriter, BlockingAsyncStager):  # type: ignore[misc]
    """
    path     the folder of the checkpoint: a new one for each. None: dcp.save() is given it, as
             checkpoint_id
    step     updates done so far: the archives say it
    streams  keep the random streams of each rank in its volume

    With dcp.async_save() it is the stager too: the streams that are kept are those of the moment at
    which the state is copied, and the training may draw on while the copy is written.

    InvalidError when there is a checkpoint already: what is durable is not overwritten. What a save
    that was killed has left is no checkpoint, since it has no index, and is.
    """

    def __init__(self, path: Optional[Path] = None, *, step: int = 0,
                 streams: bool = True) -> None:
        StorageWriter.__init__(self)
        BlockingAsyncStager.__init__(self)
        self._path = None if path is None else os.fspath(path)
        self._step = step
        self._with_streams = streams
        self._thread = _thread()
        self._staged: Optional[Taken] = None  # by stage(), for the save that follows
        self._taken: Optional[Taken] = None   # of the save under way

    def reset(self, checkpoint_id: Optional[Path] = None) -> None:
        if checkpoint_id is not None:
            self._path = os.fspath(checkpoint_id)

    @property
    def path(self) -> str:
        if self._path is None:
            raise errors.InvalidError("checkpoint: it has no folder: give SnapWriter or SnapReader "
                                      "a path, or dcp a checkpoint_id")
        return self._path

    def stage(self, state_dict: Any) -> Any:
        """A copy of the state on the CPU; called by dcp.async_save() before it returns."""
        self._staged = self._take()
        return super().stage(state_dict)

    def _take(self) -> Taken:
        found = streams() if self._with_streams else {}
        return Taken([(name, stream.kind, stream.get()) for name, stream in found.items()],
                     torch_binding(), node_of_process())

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        self._taken, self._staged = self._staged, None
        if not kwargs.get("use_collectives", True):
            raise errors.UnsupportedError(
                f"{self.path}: use_collectives=False: a checkpoint has one index of all ranks: "
                f"leave it on")
        if os.path.exists(index_path(self.path)):
            raise errors.InvalidError(f"{self.path}: there is a checkpoint already: give another "
                                      f"folder, or remove it")
        if self._taken is None:
            if self._with_streams and self._thread != _thread():
                raise errors.InvalidError(
                    f"{self.path}: it is saved by another thread than the one that made the "
                    f"SnapWriter, and the streams may have been drawn from since the state was "
                    f"copied: leave async_stager out, so that SnapWriter copies both, or keep no "
                    f"streams (streams=False)")
            self._taken = self._take()
        make_folder(self.path, f"{self.path}: make the folder")

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        return plan

    def prepare_global_plan(self, plans: List[SavePlan]) -> List[SavePlan]:
        """Each is told its rank, and how many there are. A planner with enable_plan_caching gives
        an empty plan where one is as it was: its rank takes the last one, and with it what that
        was told."""
        return [dataclasses.replace(plan, storage_data=(rank, len(plans)))
                for rank, plan in enumerate(plans)]

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> "Future[List[WriteResult]]":
        """The volume, durable when it returns. The last result is of the volume itself."""
        assert self._taken is not None  # by set_up_storage_writer()
        taken, self._taken = self._taken, None
        if not isinstance(plan.storage_data, tuple):
            raise errors.InvalidError(
                f"{self.path}: the planner has kept a plan that was made with another storage "
                f"writer: give each its own class of planner, or leave enable_plan_caching off")
        rank, world = plan.storage_data
        shards: Dict[str, Shard] = {}
        values: Dict[str, Any] = {}
        results = []
        for item in plan.items:
            key, found, size = self._resolve(item, planner)
            if key in shards or key in values:
                raise errors.CaptureError(f"{key}: is the name of a value and of a shard: rename "
                                          f"the value", path=key)
            if isinstance(found, Shard):
                shards[key] = found
            else:
                values[key] = found
            results.append(WriteResult(item.index, size, key))
        held = {name: HeldStream(name, kind, state) for name, kind, state in taken.streams}
        volume = write_volume(self.path, rank, self._step, shards, values, held,
                              {**taken.binding, "distributed": facts_of_process(world)})
        results.append(WriteResult(MetadataIndex(""), 0, (*volume, taken.binding, taken.node)))
        future: "Future[List[WriteResult]]" = Future()
        future.set_result(results)
        return future

    @staticmethod
    def _resolve(item: WriteItem, planner: SavePlanner) -> Tuple[str, Any, int]:
        """Its key in the volume; a Shard, or a plain value; and the size that torch names."""
        data: Any = planner.resolve_data(item)
        if item.type == WriteItemType.BYTE_IO:
            data.seek(0)
            # Pickled by torch a moment ago, from this process's own state.
            return item.index.fqn, torch.load(data, weights_only=False), data.getbuffer().nbytes
        assert item.tensor_data is not None  # as of every item of the other types
        chunk, size = item.tensor_data.chunk, tuple(item.tensor_data.size)
        offset = tuple(chunk.offsets)
        tensor = data.detach()
        if tensor.layout == torch.strided:  # others write_volume() refuses
            tensor = tensor.contiguous()
        return shard_key(item.index.fqn, offset, tuple(chunk.sizes), size), \
            Shard(tensor, size, offset), tensor.numel() * tensor.element_size()

    def finish(self, metadata: Metadata, results: List[List[WriteResult]]) -> None:
        """The index; the checkpoint is there when it is."""
        places: Dict[MetadataIndex, Tuple[int, str]] = {}
        volumes: List[Tuple[str, str]] = []
        told: List[Tuple[Dict[str, Any], str]] = []
        for rank, of_rank in enumerate(results):
            name, snapshot_hash, binding, node = of_rank[-1].storage_data
            volumes.append((name, snapshot_hash))
            told.append((binding, node))
            places.update((result.index, (rank, result.storage_data)) for result in of_rank[:-1])
        entries = {name: _entry(name, found, places)
                   for name, found in metadata.state_dict_metadata.items()}
        write_index(self.path, self._step, volumes, entries, metadata.planner_data,
                    {**told[0][0], "distributed": distributed_facts(told, {})})

    def storage_meta(self) -> Optional[StorageMeta]:
        return StorageMeta(checkpoint_id=self._path)

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: Path) -> bool:
        return isinstance(checkpoint_id, (str, os.PathLike)) and "://" not in str(checkpoint_id)


def _thread() -> Tuple[int, int]:
    """That runs this, of all processes."""
    return os.getpid(), threading.get_ident()


def _entry(name: str, found: Any, places: Dict[MetadataIndex, Tuple[int, str]]) -> Entry:
    if isinstance(found, BytesStorageMetadata):
        rank, key = places[MetadataIndex(name)]
        return Entry(None, None, [(rank, key, (), ())])
    pieces = [(*places[MetadataIndex(name, chunk.offsets)], tuple(chunk.offsets),
               tuple(chunk.sizes)) for chunk in found.chunks]
    return Entry(found.properties.dtype, tuple(found.size), pieces)
