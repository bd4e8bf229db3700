# SPDX-License-Identifier: Apache-2.0
"""torch.distributed.checkpoint over archives (torch 2.3 or newer).

    dcp.save(state, storage_writer=SnapWriter("ckpt/step-500", step=500))
    dcp.load(state, storage_reader=SnapReader("ckpt/step-500"))

Each rank writes one archive, its volume: the shards that torch's planner gave it, as NAME@OFFSET
with their place in the whole tensor, plain values, and the rank's streams. When all are durable
rank 0 writes the index, which has their hashes. Reading with another number of ranks, or other
shards, is torch's own resharding. Nothing in an archive is pickled. docs/torchrun.md is the guide,
docs/format.md, section 8.1, the format.
"""

from __future__ import annotations

import dataclasses
import io
import os
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata, ChunkStorageMetadata, Metadata, MetadataIndex, StorageMeta,
    TensorProperties, TensorStorageMetadata)
from torch.distributed.checkpoint.planner import (
    LoadItemType, LoadPlan, LoadPlanner, SavePlan, SavePlanner, WriteItem, WriteItemType)
from torch.distributed.checkpoint.storage import StorageReader, StorageWriter, WriteResult
from torch.futures import Future

from .. import errors
from .._run_handle import make_folder
from ..checkpoint_volumes import (Checkpoint, Entry, Shard, index_path, shard_key, write_index,
                                  write_volume)
from ..generators import streams
from ..profile import torch_binding
from ..ranks.rank_binding import differing, distributed_facts, node_of_process

Path = Union[str, "os.PathLike[str]"]


class SnapWriter(StorageWriter):
    """
    path     the folder of the checkpoint: a new one for each. None: dcp.save() is given it, as
             checkpoint_id
    step     updates done so far: the archives say it
    streams  keep the random streams of each rank in its volume

    InvalidError when there is a checkpoint already: what is durable is not overwritten. What a save
    that was killed has left is no checkpoint, since it has no index, and is.
    """

    def __init__(self, path: Optional[Path] = None, *, step: int = 0,
                 streams: bool = True) -> None:
        super().__init__()
        self._path = None if path is None else os.fspath(path)
        self._step = step
        self._with_streams = streams
        self._binding: Dict[str, Any] = {}  # of rank 0, for the index

    def reset(self, checkpoint_id: Optional[Path] = None) -> None:
        if checkpoint_id is not None:
            self._path = os.fspath(checkpoint_id)

    @property
    def path(self) -> str:
        if self._path is None:
            raise errors.InvalidError("checkpoint: it has no folder: give SnapWriter or SnapReader "
                                      "a path, or dcp a checkpoint_id")
        return self._path

    def set_up_storage_writer(self, is_coordinator: bool, *args: Any, **kwargs: Any) -> None:
        if not kwargs.get("use_collectives", True):
            raise errors.UnsupportedError(
                f"{self.path}: use_collectives=False: a checkpoint has one index of all ranks: "
                f"leave it on")
        if os.path.exists(index_path(self.path)):
            raise errors.InvalidError(f"{self.path}: there is a checkpoint already: give another "
                                      f"folder, or remove it")
        make_folder(self.path, f"{self.path}: make the folder")

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        return dataclasses.replace(plan, storage_data=(torch_binding(), node_of_process()))

    def prepare_global_plan(self, plans: List[SavePlan]) -> List[SavePlan]:
        """Each is told its rank, and its binding, in which all are."""
        told = [plan.storage_data for plan in plans]
        facts = distributed_facts(told, {})
        self._binding = {**told[0][0], "distributed": facts}
        return [dataclasses.replace(plan, storage_data=(rank, {**own, "distributed": facts}))
                for rank, (plan, (own, _)) in enumerate(zip(plans, told))]

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> "Future[List[WriteResult]]":
        """The volume, durable when it returns. The last result is of the volume itself."""
        shards: Dict[str, Shard] = {}
        values: Dict[str, Any] = {}
        results = []
        for item in plan.items:
            key, found = self._resolve(item, planner)
            if isinstance(found, Shard):
                shards[key] = found
                size = found.tensor.numel() * found.tensor.element_size()
            else:
                values[key], size = found
            results.append(WriteResult(item.index, size, key))
        rank, binding = plan.storage_data
        volume = write_volume(self.path, rank, self._step, shards, values,
                              streams() if self._with_streams else {}, binding)
        results.append(WriteResult(MetadataIndex(""), 0, volume))
        future: "Future[List[WriteResult]]" = Future()
        future.set_result(results)
        return future

    @staticmethod
    def _resolve(item: WriteItem, planner: SavePlanner) -> Tuple[str, Any]:
        """Its key in the volume, and a Shard, or a plain value with the size that torch names."""
        data: Any = planner.resolve_data(item)
        if item.type == WriteItemType.BYTE_IO:
            data.seek(0)
            # Pickled by torch a moment ago, from this process's own state.
            return item.index.fqn, (torch.load(data, weights_only=False),
                                    data.getbuffer().nbytes)
        assert item.tensor_data is not None  # as of every item of the other types
        chunk, size = item.tensor_data.chunk, tuple(item.tensor_data.size)
        offset = tuple(chunk.offsets)
        return shard_key(item.index.fqn, offset, tuple(chunk.sizes), size), Shard(
            data.detach().contiguous(), size, offset)

    def finish(self, metadata: Metadata, results: List[List[WriteResult]]) -> None:
        """The index; the checkpoint is there when it is."""
        places: Dict[MetadataIndex, Tuple[int, str]] = {}
        volumes: List[Tuple[str, str]] = []
        for rank, of_rank in enumerate(results):
            volumes.append(of_rank[-1].storage_data)
            places.update((result.index, (rank, result.storage_data)) for result in of_rank[:-1])
        entries = {name: _entry(name, found, places)
                   for name, found in metadata.state_dict_metadata.items()}
        write_index(self.path, self._step, volumes, entries, metadata.planner_data, self._binding)

    def storage_meta(self) -> Optional[StorageMeta]:
        return StorageMeta(checkpoint_id=self._path)

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: Path) -> bool:
        return isinstance(checkpoint_id, (str, os.PathLike)) and "://" not in str(checkpoint_id)


def _entry(name: str, found: Any, places: Dict[MetadataIndex, Tuple[int, str]]) -> Entry:
    if isinstance(found, BytesStorageMetadata):
        rank, key = places[MetadataIndex(name)]
        return Entry(None, None, [(rank, key, (), ())])
    properties = found.properties
    if properties.layout != torch.strided:
        raise errors.CaptureError(f"{name}: a tensor of layout {properties.layout} is no view of "
                                  f"memory: keep its parts", path=name)
    pieces = [(*places[MetadataIndex(name, chunk.offsets)], tuple(chunk.offsets),
               tuple(chunk.sizes)) for chunk in found.chunks]
    return Entry(properties.dtype, tuple(found.size), pieces)


def _rank_and_world() -> Tuple[int, int]:
    distributed = torch.distributed
    if not distributed.is_available() or not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


class SnapReader(StorageReader):
    """
    path   the folder of the checkpoint. None: dcp.load() is given it, as checkpoint_id

    Every volume has the hash that the index says, and every shard that is read is compared with its
    digest: CorruptError.
    """

    def __init__(self, path: Optional[Path] = None) -> None:
        super().__init__()
        self._path = None if path is None else os.fspath(path)
        self._checkpoint: Optional[Checkpoint] = None

    def reset(self, checkpoint_id: Optional[Path] = None) -> None:
        if checkpoint_id is not None:
            self._path, self._checkpoint = os.fspath(checkpoint_id), None

    @property
    def checkpoint(self) -> Checkpoint:
        """What is in the folder; opened when it is asked for first."""
        if self._checkpoint is None:
            if self._path is None:
                raise errors.InvalidError("checkpoint: it has no folder: give SnapReader a path, "
                                          "or dcp a checkpoint_id")
            self._checkpoint = Checkpoint(self._path)
        return self._checkpoint

    def read_metadata(self) -> Metadata:
        described: Dict[str, Any] = {}
        for name, entry in self.checkpoint.entries.items():
            if entry.dtype is None:
                described[name] = BytesStorageMetadata()
                continue
            chunks = [ChunkStorageMetadata(torch.Size(offset), torch.Size(sizes))
                      for _, _, offset, sizes in entry.pieces]
            assert entry.size is not None  # where there is a dtype
            described[name] = TensorStorageMetadata(TensorProperties(dtype=entry.dtype),
                                                    torch.Size(entry.size), chunks)
        return Metadata(described, planner_data=self.checkpoint.planner_data,
                        storage_meta=StorageMeta(checkpoint_id=self._path))

    def set_up_storage_reader(self, metadata: Metadata, is_coordinator: bool) -> None:
        pass

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        return plan

    def prepare_global_plan(self, plans: List[LoadPlan]) -> List[LoadPlan]:
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> "Future[None]":
        shards: Dict[Tuple[int, str], Any] = {}  # each is read once
        for item in plan.items:
            rank, key = self._place(item.storage_index)
            if item.type == LoadItemType.BYTE_IO:
                buffer = io.BytesIO()
                torch.save(self.checkpoint.value(rank, key), buffer)
                buffer.seek(0)
                planner.load_bytes(item, buffer)
                continue
            if (rank, key) not in shards:
                shards[rank, key] = self.checkpoint.tensor(rank, key).detach()
            piece = shards[rank, key]
            for dimension, (start, length) in enumerate(zip(item.storage_offsets, item.lengths)):
                piece = piece.narrow(dimension, start, length)
            target = planner.resolve_tensor(item).detach()
            target.copy_(piece)
            planner.commit_tensor(item, target)
        future: "Future[None]" = Future()
        future.set_result(None)
        return future

    def _place(self, index: MetadataIndex) -> Tuple[int, str]:
        entry = self.checkpoint.entries[index.fqn]
        for rank, key, offset, _ in entry.pieces:
            if index.offset is None or tuple(index.offset) == offset:
                return rank, key
        raise errors.NotFoundError(f"{self.checkpoint.path}: has no shard of {index.fqn} at "
                                   f"{tuple(index.offset or ())}")

    def differences(self) -> List[str]:
        """What is another one than this rank had when the checkpoint was made, a line for each
        fact: versions, flags, the processor, the number of processes. With any of them, and after
        reading on another number of ranks, the next step need not be the same."""
        rank, here = _rank_and_world()
        checkpoint = self.checkpoint
        was = dict(checkpoint.volume(min(rank, checkpoint.world - 1)).binding)
        facts = was.pop("distributed")
        now = distributed_facts([({}, "")] * here, {})
        named = [{key: one[key] for key in ("backend", "nccl", "variables", "world")}
                 for one in (facts, now)]
        return [*differing("", was, torch_binding()), *differing("distributed", *named)]

    def restore_streams(self, rank: Optional[int] = None) -> List[str]:
        """Set the random streams of this process to those that `rank` (None: its own) had; their
        names. InvalidError unless as many processes made the checkpoint: each stream would be
        another's, or nobody's."""
        own, here = _rank_and_world()
        if rank is None:
            if here != self.checkpoint.world:
                raise errors.InvalidError(
                    f"{self.checkpoint.path}: {self.checkpoint.world} processes made it, and "
                    f"{here} are here: seed the streams anew, and say so where you print results")
            rank = own
        return self.checkpoint.restore_streams(rank, streams())

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: Path) -> bool:
        return SnapWriter.validate_checkpoint_id(checkpoint_id)
