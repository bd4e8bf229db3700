# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of several archives in a folder: a volume for each rank, and the index, which has
their hashes and is written last. docs/format.md, section 8.1.

    with Checkpoint("ckpt/step-500") as checkpoint:
        checkpoint.world, checkpoint.entries

snapstate.verify() checks one as a whole.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import errors, tree
from ._archived import ArchivedTensor
from ._run_handle import Node, RunHandle
from .archive import Archive
from .generators import Stream
from ._staging import stage
from .tensors import TensorMemory

FORMAT = 1
INDEX = "index.snap.tar"
INDEX_ROOT, VOLUME_ROOT = "checkpoint", "shards"
Numbers = Tuple[int, ...]

# Values that come out as names, which only the live program could put back.
_NAMES = ("~function", "~enum", "~namedtuple")


class Shard(NamedTuple):
    """A tensor, and its place: the shape of the whole, and where in it element 0 is."""

    tensor: Any
    size: Numbers
    offset: Numbers


class Entry(NamedTuple):
    """A name of the state. `dtype` of torch, and `size` of the whole; both None for a plain value.
    `pieces`: rank, key in its volume, offset and sizes; one without the last two for a value."""

    dtype: Any
    size: Optional[Numbers]
    pieces: List[Tuple[int, str, Numbers, Numbers]]


def index_path(folder: str) -> str:
    return os.path.join(folder, INDEX)


def volume_name(rank: int) -> str:
    return f"rank-{rank:04d}.snap.tar"


def shard_key(name: str, offset: Sequence[int], sizes: Sequence[int], size: Sequence[int]) -> str:
    """NAME@OFFSET, as "layer.weight@128,0"; of a whole tensor its name alone."""
    if tuple(sizes) == tuple(size):
        return name
    return f"{name}@{','.join(map(str, offset))}"


# ---- writing ----

def write_volume(folder: str, rank: int, step: int, shards: Mapping[str, Shard],
                 values: Mapping[str, Any], streams: Mapping[str, Stream],
                 binding: Mapping[str, Any]) -> Tuple[str, str]:
    """The file's name and its snapshot hash, when it is durable. `binding`: where it was made.
    CaptureError, with the name, for a value without a safe form."""
    content = {**{key: shard.tensor for key, shard in shards.items()}, **values}
    node, memories = tree.encode({key: content[key] for key in sorted(content)}, path="state")
    for key, item in node["map"]:
        if key not in shards:
            _insist_plain(key, item)
        elif shards[key].size != tuple(shards[key].tensor.shape):
            item["tensor"]["global_shape"] = list(shards[key].size)
            item["tensor"]["global_offset"] = list(shards[key].offset)
    name = volume_name(rank)
    return name, _write(os.path.join(folder, name), step, VOLUME_ROOT, node, memories, streams,
                        binding)


def write_index(folder: str, step: int, volumes: Sequence[Tuple[str, str]],
                entries: Mapping[str, Entry], planner_data: Any,
                binding: Mapping[str, Any]) -> str:
    """Its snapshot hash, when it is durable: the checkpoint is there. `volumes` are the names and
    hashes, by rank."""
    content = {
        "format": FORMAT,
        "volumes": [[name, snapshot_hash] for name, snapshot_hash in volumes],
        "entries": {name: {
            "dtype": entry.dtype,
            "size": None if entry.size is None else list(entry.size),
            "pieces": [[rank, key, list(offset), list(sizes)]
                       for rank, key, offset, sizes in entry.pieces]}
            for name, entry in sorted(entries.items())},
        "planner": planner_data}
    node, memories = tree.encode(content, path=INDEX_ROOT)
    return _write(index_path(folder), step, INDEX_ROOT, node, memories, {}, binding)


def _write(path: str, step: int, root: str, node: Node, memories: Sequence[TensorMemory],
           streams: Mapping[str, Stream], binding: Mapping[str, Any]) -> str:
    handle = RunHandle(profile="none", binding=binding, first_step=step)
    staging = stage(memories)
    try:
        for stream in streams.values():
            handle.add_stream(stream)
        handle.set_tree(root, node, staging.memories)
        return handle.save_as(path)
    finally:
        handle.close()


def _insist_plain(key: str, node: Any) -> None:
    """CaptureError for a value that would come back as a name."""
    if isinstance(node, list):
        for item in node:
            _insist_plain(key, item)
    elif isinstance(node, dict):
        entries = node.get("map", ())
        if len(entries) == 1 and entries[0][0] in _NAMES:
            raise errors.CaptureError(
                f"{key}: holds a {entries[0][0][1:]}, which a checkpoint cannot bring back: keep "
                f"plain values, tensors and arrays", path=key)
        for item in node.values():
            _insist_plain(key, item)


# ---- reading ----

class Checkpoint:
    """The archives of a folder, opened when they are needed. NotFoundError: it has no index, so no
    checkpoint was finished there. CorruptError: a volume is not the one that the index names."""

    def __init__(self, folder: "str | os.PathLike[str]") -> None:
        self.path = os.fspath(folder)
        if not os.path.exists(index_path(self.path)):
            raise errors.NotFoundError(
                f"{self.path}: has no {INDEX}: no checkpoint was finished there")
        self._volumes: Dict[int, Archive] = {}
        self._nodes: Dict[int, Dict[Any, Node]] = {}
        with Archive(index_path(self.path)) as index:
            self.step: int = index.step
            self.snapshot_hash: str = index.snapshot_hash
            content = index.load(INDEX_ROOT, "torch")
        if content["format"] != FORMAT:
            raise errors.UnsupportedError(
                f"{index_path(self.path)}: the checkpoint has format {content['format']}, and this "
                f"version reads {FORMAT}")
        self._hashes = [(name, snapshot_hash) for name, snapshot_hash in content["volumes"]]
        self.planner_data: Any = content["planner"]
        self.entries = {name: Entry(
            entry["dtype"], None if entry["size"] is None else tuple(entry["size"]),
            [(rank, key, tuple(offset), tuple(sizes))
             for rank, key, offset, sizes in entry["pieces"]])
            for name, entry in content["entries"].items()}

    @property
    def world(self) -> int:
        """How many ranks made it."""
        return len(self._hashes)

    def volume(self, rank: int) -> Archive:
        """Owned by this object."""
        if rank not in self._volumes:
            name, wanted = self._hashes[rank]
            if name != volume_name(rank):
                raise errors.CorruptError(f"{index_path(self.path)}: names {name!r} as the volume "
                                          f"of rank {rank}")
            archive = Archive(os.path.join(self.path, name))
            if archive.snapshot_hash != wanted:
                raise errors.CorruptError(
                    f"{archive.path}: is {archive.snapshot_hash}, and {INDEX} names {wanted}: it "
                    f"is of another checkpoint")
            self._volumes[rank] = archive
            self._nodes[rank] = dict(archive.node(VOLUME_ROOT)["map"])
        return self._volumes[rank]

    def _node(self, rank: int, key: str) -> Tuple[Archive, Node]:
        archive = self.volume(rank)
        if key not in self._nodes[rank]:
            raise errors.CorruptError(f"{archive.path}: has no {key}, which {INDEX} names")
        return archive, self._nodes[rank][key]

    def tensor(self, rank: int, key: str) -> Any:
        """A shard as a new torch tensor on the CPU, compared with its digest."""
        archive, node = self._node(rank, key)
        return ArchivedTensor(archive, node["tensor"]).torch()

    def value(self, rank: int, key: str) -> Any:
        """A plain value, with tensors of torch and arrays of NumPy in it."""
        archive, node = self._node(rank, key)
        return tree.decode(node, lambda leaf: ArchivedTensor(archive, leaf).torch(),
                           lambda leaf: ArchivedTensor(archive, leaf, True).numpy(), path=key)

    def restore_streams(self, rank: int, live: Mapping[str, Stream]) -> List[str]:
        """Set `live` to the streams of that rank; the names. AbsentError, and nothing is changed,
        when one is on one side only."""
        archived = self.volume(rank).streams
        for name in archived.keys() ^ live.keys():
            where = "in the checkpoint" if name in archived else "in this process"
            raise errors.AbsentError(f"{self.volume(rank).path}: stream {name} is {where} alone: "
                                     f"import and register the same generators, or set none")
        for name, stream in live.items():
            stream.set(archived[name].bytes())
        return list(archived)

    def close_volume(self, rank: int) -> None:
        """It is opened again when it is asked for: so that a folder of more volumes than files that
        a process may have open can be read."""
        volume = self._volumes.pop(rank, None)
        if volume is not None:
            volume.close()

    def close(self) -> None:
        volumes, self._volumes = self._volumes, {}
        for volume in volumes.values():
            volume.close()

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
