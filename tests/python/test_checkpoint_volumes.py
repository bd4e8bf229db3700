#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of several archives, written and read without torch.distributed."""

import shutil
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

import snapstate  # noqa: E402
from snapstate.checkpoint_volumes import (Checkpoint, Entry, Shard, shard_key,  # noqa: E402
                                          write_index, write_volume)

try:
    import torch
except ImportError:
    torch = None


def volumes_and_index(tap, path):
    whole = torch.arange(24, dtype=torch.float64).reshape(6, 4)
    volumes, pieces = [], []
    for rank, (rows, columns) in enumerate([((0, 6), (0, 3)), ((0, 6), (3, 4))]):
        offset, piece = (rows[0], columns[0]), whole[rows[0]:rows[1], columns[0]:columns[1]]
        key = shard_key("w", offset, piece.shape, whole.shape)
        pieces.append((rank, key, offset, tuple(piece.shape)))
        volumes.append(write_volume(
            str(path), rank, 7, {key: Shard(piece, (6, 4), offset)},
            {"name": ("a", rank)}, snapstate.streams(), {"rank": rank}))
    entries = {"w": Entry(torch.float64, (6, 4), pieces),
               "name": Entry(None, None, [(1, "name", (), ())])}
    write_index(str(path), 7, volumes, entries, None, {})
    torch.rand(3)
    before = snapstate.streams()["torch"].get()
    with Checkpoint(path) as checkpoint:
        checkpoint.check()
        parts = [checkpoint.tensor(rank, key) for rank, key, _, _ in checkpoint.entries["w"].pieces]
        tap.ok(torch.equal(torch.cat(parts, 1), whole) and checkpoint.step == 7
               and [piece[1] for piece in checkpoint.entries["w"].pieces] == ["w@0,0", "w@0,3"],
               "shards are read back", checkpoint.entries)
        tap.ok(checkpoint.value(1, "name") == ("a", 1), "a plain value has its type")
        checkpoint.restore_streams(1, snapstate.streams())
        tap.ok(snapstate.streams()["torch"].get() != before, "streams go back")
    with snapstate.Archive(path / "rank-0001.snap.tar") as archive:
        piece = archive["shards"]["w@0,3"]
        tap.ok(piece.global_shape == (6, 4) and piece.global_offset == (0, 3)
               and archive.binding == {"rank": 1}, "a shard has its place in the tree",
               piece.global_shape, piece.global_offset)
    shutil.copy(path / "rank-0000.snap.tar", path / "rank-0001.snap.tar")
    with Checkpoint(path) as checkpoint:
        fails(tap, snapstate.CorruptError, "is of another checkpoint", "a volume of another rank",
              checkpoint.check)


def main():
    tap = Tap()
    if torch is None:
        tap.skip("checkpoints of several archives", "torch is not installed")
        return tap.done()
    with tempfile.TemporaryDirectory() as name:
        volumes_and_index(tap, Path(name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
