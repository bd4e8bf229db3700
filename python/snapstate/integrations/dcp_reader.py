# SPDX-License-Identifier: Apache-2.0
"""The reader of dcp.py: what torch.distributed.checkpoint loads, from volumes and an index."""

from __future__ import annotations

import io
import os
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata, ChunkStorageMetadata, Metadata, MetadataIndex, StorageMeta,
    TensorProperties, TensorStorageMetadata)
from torch.distributed.checkpoint.planner import LoadItemType, LoadPlan, LoadPlanner, ReadItem
from torch.distributed.checkpoint.storage import StorageReader
from torch.futures import Future

from .. import errors
from ..checkpoint_volumes import Checkpoint
from ..generators import streams
from ..profile import torch_binding
from ..ranks.rank_binding import differing, facts_of_process

Path = Union[str, "os.PathLike[str]"]


class SnapReader(StorageReader):
    """
    path   the folder of the checkpoint. None: dcp.load() is given it, as checkpoint_id

    Every volume has the hash that the index says, and every shard that is read is compared with its
    digest: CorruptError. One volume is open at a time, and one shard of it in memory.
    """

    def __init__(self, path: Optional[Path] = None) -> None:
        super().__init__()
        self._path = None if path is None else os.fspath(path)
        self._checkpoint: Optional[Checkpoint] = None
        self._converted: Dict[str, str] = {}  # name -> how what was read is not what was saved

    def reset(self, checkpoint_id: Optional[Path] = None) -> None:
        if checkpoint_id is not None:
            self._path, self._checkpoint = os.fspath(checkpoint_id), None
            self._converted = {}

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

    def set_up_storage_reader(self, metadata: Metadata, is_coordinator: bool, *args: Any,
                              **kwargs: Any) -> None:
        self._converted = {}

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        return plan

    def prepare_global_plan(self, plans: List[LoadPlan]) -> List[LoadPlan]:
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> "Future[None]":
        checkpoint = self.checkpoint
        wanted: Dict[Tuple[int, str], List[ReadItem]] = {}  # by shard, since each is read once
        places: Dict[str, Dict[Tuple[int, ...], Tuple[int, str]]] = {}
        for item in plan.items:
            wanted.setdefault(self._place(item.storage_index, places), []).append(item)
        last = None
        for rank, key in sorted(wanted):
            if last is not None and last != rank:
                checkpoint.close_volume(last)
            last = rank
            for item in wanted[rank, key]:
                if item.type == LoadItemType.BYTE_IO:
                    buffer = io.BytesIO()
                    torch.save(checkpoint.value(rank, key), buffer)
                    buffer.seek(0)
                    planner.load_bytes(item, buffer)
            tensors = [item for item in wanted[rank, key] if item.type != LoadItemType.BYTE_IO]
            if tensors:
                self._fill(tensors, checkpoint.tensor(rank, key).detach(), planner)
        future: "Future[None]" = Future()
        future.set_result(None)
        return future

    def _fill(self, items: List[ReadItem], shard: Any, planner: LoadPlanner) -> None:
        """Copy parts of a shard to where the planner has them."""
        for item in items:
            piece = shard
            for dimension, (start, length) in enumerate(zip(item.storage_offsets, item.lengths)):
                piece = piece.narrow(dimension, start, length)
            target, name = planner.resolve_tensor(item).detach(), item.storage_index.fqn
            if target.shape != piece.shape:
                raise errors.InvalidError(
                    f"{self.checkpoint.path}: {name}: the planner wants {tuple(piece.shape)} of it "
                    f"in a tensor of {tuple(target.shape)}: they are to be equal")
            if target.dtype != piece.dtype:
                self._converted[name] = f"{name}: was {piece.dtype}, is {target.dtype}"
            target.copy_(piece)
            planner.commit_tensor(item, target)

    def _place(self, index: MetadataIndex,
               places: Dict[str, Dict[Tuple[int, ...], Tuple[int, str]]]) -> Tuple[int, str]:
        """The rank and the key of a shard; `places` is filled by name."""
        entry = self.checkpoint.entries[index.fqn]
        if index.fqn not in places:
            places[index.fqn] = {offset: (rank, key) for rank, key, offset, _ in entry.pieces}
        offset = entry.pieces[0][2] if index.offset is None else tuple(index.offset)
        if offset not in places[index.fqn]:
            raise errors.NotFoundError(f"{self.checkpoint.path}: has no shard of {index.fqn} at "
                                       f"{offset}")
        return places[index.fqn][offset]

    def differences(self) -> List[str]:
        """What is another one than this rank had when the checkpoint was made, a line for each
        fact: versions, flags, the processor, the number of processes, and each tensor that was read
        into another dtype. With any of them, and after reading on another number of ranks, the next
        step need not be the same."""
        rank, here = _rank_and_world()
        checkpoint = self.checkpoint
        was = dict(checkpoint.volume(min(rank, checkpoint.world - 1)).binding)
        facts, now = was.pop("distributed"), facts_of_process(here)
        return [*differing("", was, torch_binding()),
                *differing("distributed", {name: facts[name] for name in now}, now),
                *map(self._converted.__getitem__, sorted(self._converted))]

    def restore_streams(self, rank: Optional[int] = None) -> List[str]:
        """Set the random streams of this process to those that `rank` (None: its own) had; their
        names. InvalidError unless as many processes made the checkpoint: each stream would be
        another's, or nobody's."""
        own, here = _rank_and_world()
        if rank is None:
            if here != self.checkpoint.world:
                raise errors.InvalidError(
                    f"{self.checkpoint.path}: {self.checkpoint.world} processes made it, and "
                    f"{here} are here: seed the streams anew, and say so where you print "
                    f"results, or name the rank whose streams these are to be: restore_streams(0)")
            rank = own
        return self.checkpoint.restore_streams(rank, streams())

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: Path) -> bool:
        return isinstance(checkpoint_id, (str, os.PathLike)) and "://" not in str(checkpoint_id)


def _rank_and_world() -> Tuple[int, int]:
    distributed = torch.distributed
    if not distributed.is_available() or not distributed.is_initialized():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()
