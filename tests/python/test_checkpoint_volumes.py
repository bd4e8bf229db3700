#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint of several archives, written and read without torch.distributed."""

import os
import shutil
import subprocess
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

SNAP = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))

try:
    import torch
except ImportError:
    torch = None


WHOLE = None if torch is None else torch.arange(24, dtype=torch.float64).reshape(6, 4)


def write(path, change=None):
    """Two volumes of columns, and their index, whose entries `change` may alter."""
    path.mkdir()
    volumes, pieces = [], []
    for rank, (first, last) in enumerate([(0, 3), (3, 4)]):
        offset, piece = (0, first), WHOLE[:, first:last]
        key = shard_key("w", offset, piece.shape, WHOLE.shape)
        pieces.append((rank, key, offset, tuple(piece.shape)))
        volumes.append(write_volume(str(path), rank, 7, {key: Shard(piece, (6, 4), offset)},
                                    {"name": ("a", rank)}, snapstate.streams(), {"rank": rank}))
    entries = {"w": Entry(torch.float64, (6, 4), pieces),
               "name": Entry(None, None, [(1, "name", (), ())])}
    if change is not None:
        change(entries)
    return write_index(str(path), 7, volumes, entries, None, {})


def reading(tap, path):
    torch.rand(3)
    before = snapstate.streams()["torch"].get()
    with Checkpoint(path) as checkpoint:
        parts = [checkpoint.tensor(rank, key) for rank, key, _, _ in checkpoint.entries["w"].pieces]
        tap.ok(torch.equal(torch.cat(parts, 1), WHOLE) and checkpoint.step == 7
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


def verify(*words):
    done = subprocess.run([SNAP, "verify", *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    return done.returncode, done.stdout


def verdicts(tap, work, path, snapshot_hash):
    verdict = snapstate.verify(path)
    tap.ok(verdict.status == "ok" and verdict["kind"] == "checkpoint", "intact", verdict.text)
    code, text = verify(path, snapshot_hash)
    tap.ok(code == 0 and "proven          content" in text, "its hash proves it", text)
    code, text = verify(path, "snap1:" + 64 * "0")
    tap.ok(code == 1 and "proven" not in text, "another hash does not", code, text)
    code, text = verify(path, "--json")
    (work / "document").write_text(text)
    done = subprocess.run([sys.executable, str(TOP / "tests/schema/validate.py"), "cmd-verify",
                           str(work / "document")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    tap.ok(code == 0 and done.returncode == 0, "its document is valid", done.stdout, text)

    def spoiled(name, wanted, told, spoil):
        copy = work / "spoiled"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(path, copy)
        spoil(copy)
        code, text = verify(copy)
        tap.ok(code == wanted and told in text, name, code, text)

    def flip(copy):
        file = copy / "rank-0001.snap.tar"
        with snapstate.Archive(file) as archive:
            at = next(member.offset for member in archive.members if member.kind == "tensor")
        data = bytearray(file.read_bytes())
        data[at] ^= 1
        file.write_bytes(data)

    spoiled("a byte of a volume", 5, "rank-0001.snap.tar", flip)
    spoiled("a volume that is not here", 6, "rank-0001.snap.tar: is not here",
            lambda copy: (copy / "rank-0001.snap.tar").unlink())
    spoiled("a volume of another checkpoint", 5, "it is of another checkpoint",
            lambda copy: shutil.copy(copy / "rank-0000.snap.tar", copy / "rank-0001.snap.tar"))
    spoiled("an index that is none", 5, "is the index of no checkpoint",
            lambda copy: shutil.copy(copy / "rank-0000.snap.tar", copy / "index.snap.tar"))
    spoiled("no index", 3, "a folder without a run",
            lambda copy: (copy / "index.snap.tar").unlink())
    shutil.copytree(path, work / "swapped")
    shutil.copy(path / "rank-0000.snap.tar", work / "swapped" / "rank-0001.snap.tar")
    with Checkpoint(work / "swapped") as checkpoint:
        fails(tap, snapstate.CorruptError, "is of another checkpoint", "which is not read either",
              checkpoint.tensor, 1, "w@0,3")


def false_indexes(tap, work):
    """Each says of the volumes what is not so."""
    def pieces(change):
        def altered(entries):
            entries["w"] = entries["w"]._replace(pieces=change(list(entries["w"].pieces)))
        return altered

    cases = [
        ("a piece too few", "its pieces do not fill the whole", pieces(lambda all: all[:1])),
        ("none", "its pieces do not fill the whole", pieces(lambda all: [])),
        ("a volume that there is not", "is in no volume",
         pieces(lambda all: [all[0], (2, *all[1][1:])])),
        ("a key that there is not", "is in no volume",
         pieces(lambda all: [all[0], (1, "v", *all[1][2:])])),
        ("another shape", "has another shape", pieces(lambda all: [all[0], (*all[1][:3], (6, 2))])),
        ("another place", "has another place", pieces(lambda all: [all[0], (*all[1][:2], (0, 2),
                                                                            all[1][3])])),
    ]
    for number, (name, told, change) in enumerate(cases):
        path = work / f"false-{number}"
        write(path, change)
        code, text = verify(path)
        tap.ok(code == 5 and told in text, f"the index names {name}", code, text)


def main():
    tap = Tap()
    if torch is None:
        tap.skip("checkpoints of several archives", "torch is not installed")
        return tap.done()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        snapshot_hash = write(work / "checkpoint")
        reading(tap, work / "checkpoint")
        verdicts(tap, work, work / "checkpoint", snapshot_hash)
        false_indexes(tap, work)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
