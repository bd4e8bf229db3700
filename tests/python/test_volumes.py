#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Archives and runs in volumes, from Python: the same hashes, restored and read as one file is."""

import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from tap import Tap  # noqa: E402

SIZE = 4096


def objects(numpy):
    return {"a": numpy.arange(1000, dtype="f8"), "b": numpy.full(300, 7, dtype="i4"), "count": 3}


def check_files(tap, snapstate, numpy, folder):
    whole, cut = folder / "whole.snap.tar", folder / "cut.snap.tar"
    hashes = [snapstate.save(whole, step=5, values=objects(numpy)),
              snapstate.save(cut, step=5, values=objects(numpy), volume_size=SIZE)]
    tap.ok(hashes[0] == hashes[1], "the hash does not depend on volume_size")
    volumes = sorted(path.name for path in folder.glob("cut.vol-*.tar"))
    tap.ok(len(volumes) > 1, "there are volumes", volumes)
    with snapstate.Archive(cut) as archive, snapstate.Archive(whole) as other:
        tensors = {member.name: member.volume for member in archive.members
                   if member.kind == "tensor"}
        tap.ok(sorted(set(tensors.values())) == volumes, "each tensor says which it is in")
        tap.ok(all(member.volume is None for member in archive.members
                   if member.kind != "tensor"), "and nothing else is in one")
        tap.ok(all(archive.read(name) == other.read(name) for name in tensors), "bytes are equal")
    values = objects(numpy)
    values["a"][:] = 0
    values["count"] = 0
    snapstate.restore(cut, values=values, require="weights")
    tap.ok((values["a"] == objects(numpy)["a"]).all() and values["count"] == 3, "restored")
    name, volume = next(iter(tensors.items()))
    (folder / volume).rename(folder / "kept")
    whole.unlink()  # which would stand in for it
    with snapstate.Archive(cut) as archive:
        try:
            archive.read(name)
            tap.ok(False, "a missing volume is told by name")
        except snapstate.AbsentError as error:
            tap.ok(volume in str(error), "a missing volume is told by name", error)
    try:
        snapstate.restore(cut, values=values, require="weights")
        tap.ok(False, "by a restore, too")
    except snapstate.AbsentError as error:
        tap.ok(volume in str(error), "by a restore, too", error)


def train(snapstate, numpy, folder, steps, **options):
    values = objects(numpy)
    with snapstate.Run(folder, values=values, every=2, profile="host-1", **options) as run:
        for _ in run.steps(steps):
            values["a"] += numpy.random.random(1000)
            run.step()
    return values["a"].tobytes()


def check_runs(tap, snapstate, numpy, folder):
    numpy.random.seed(1)
    expected = train(snapstate, numpy, folder / "whole", 4)
    numpy.random.seed(1)
    train(snapstate, numpy, folder / "cut", 2, volume_size=SIZE)
    found = train(snapstate, numpy, folder / "cut", 4, volume_size=SIZE)
    tap.ok(found == expected, "a run goes on from volumes to the same bits")
    tap.ok(list((folder / "cut" / "snapshots").glob("*4.vol-*.tar")), "and saves in volumes")
    ledgers = [(folder / name / "ledger.jsonl").read_bytes() for name in ("cut", "whole")]
    tap.ok(ledgers[0] == ledgers[1], "with the same ledger")
    try:
        snapstate.Run(folder / "new", values={}, volume_size=-1)
        tap.ok(False, "a size below 0 is refused")
    except snapstate.InvalidError as error:
        tap.ok("volume_size" in str(error), "a size below 0 is refused", error)


def main():
    tap = Tap()
    try:
        import numpy
    except ImportError:
        tap.skip("volumes", "no NumPy")
        return tap.done()
    import snapstate
    with tempfile.TemporaryDirectory() as folder:
        check_files(tap, snapstate, numpy, Path(folder))
        check_runs(tap, snapstate, numpy, Path(folder))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
