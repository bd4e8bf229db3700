#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""torch.distributed.checkpoint over archives: what 4 ranks wrote is read on 4, 2 and 1, bit for
bit; what is damaged, foreign or unfinished is refused; the program checks each volume."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from dcp_setting import MISSING, Sharded, join, raised, tell, told  # noqa: E402
from ranks_launcher import launch  # noqa: E402
from raises import caught, fails  # noqa: E402
from tap import Tap  # noqa: E402

SNAP = os.environ.get("SNAP", str(Path(os.environ.get("top_builddir", TOP)) / "snap"))

import snapstate  # noqa: E402
from snapstate.checkpoint_volumes import Checkpoint, shard_key  # noqa: E402

if not MISSING:
    import torch
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor
    import torch.distributed.checkpoint as dcp
    from snapstate.integrations.dcp import SnapReader, SnapWriter


def save_fsdp(path):
    """Two steps, the checkpoint, two more."""
    _, mesh = join()
    training = Sharded(mesh, 1)
    training.steps(2)
    dcp.save(training.state(), storage_writer=SnapWriter(path, step=2))
    saved = training.digest()
    training.steps(2)
    tell(f"{path}.saved", saved)
    tell(f"{path}.later", training.digest())


def load_fsdp(path, later):
    """Into a model that was made otherwise; `later`: with the streams, and two steps more."""
    _, mesh = join()
    training = Sharded(mesh, 50)
    training.steps(1)
    reader, place = training.load(path)
    if later:
        reader.restore_streams()
        training.steps(2)
    tell(f"{path}.loaded", [training.digest(), place, reader.differences()])


def refuse_streams(path):
    join()
    fails_here = caught(SnapReader(path).restore_streams)
    tell(f"{path}.refused", [type(fails_here).__name__, str(fails_here)])


def grid(path, save):
    """Shards of columns on 4 ranks, of rows on 2, and a tensor of no dimension."""
    _, mesh = join()
    whole = torch.arange(7 * 10, dtype=torch.bfloat16).reshape(7, 10)
    place = [Shard(1) if save else Shard(0)]
    state = {"columns": distribute_tensor(whole if save else torch.zeros_like(whole), mesh, place),
             "all": distribute_tensor(whole.float() if save else torch.zeros(7, 10), mesh,
                                      [Replicate()]),
             "scalar": torch.tensor(2.5 if save else 0.0),
             "empty": torch.zeros(0, 3, dtype=torch.int64)}
    if save:
        dcp.save(state, checkpoint_id=path, storage_writer=SnapWriter())
        return
    dcp.load(state, storage_reader=SnapReader(path))
    equal = [torch.equal(state["columns"].full_tensor(), whole), state["scalar"].item() == 2.5,
             torch.equal(state["all"].full_tensor(), whole.float())]
    tell(f"{path}.equal", equal)


def killed(path):
    """Rank 1 is killed when its own volume is written, and the index is not."""
    rank, mesh = join()
    training = Sharded(mesh, 1)
    writer = SnapWriter(path)
    if rank == 1:
        write = writer.write_data

        def write_and_die(*arguments):
            write(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        writer.write_data = write_and_die
    dcp.save(training.state(), storage_writer=writer)


def resharding(tap, work):
    path = work / "fsdp"
    statuses, text = launch(work / "l", 4, save_fsdp, path)
    tap.ok(statuses == [0] * 4, "FSDP on 4 ranks is saved", text)
    names = sorted(item.name for item in path.iterdir())
    tap.ok(names == ["index.snap.tar", *(f"rank-000{rank}.snap.tar" for rank in range(4))],
           "as an index and four volumes", names)
    for world in (4, 2, 1):
        statuses, text = launch(work / "l", world, load_fsdp, path, False)
        loaded, place, differences = told(f"{path}.loaded")
        tap.ok(statuses == [0] * world and loaded == told(f"{path}.saved")
               and place == {"epoch": 3, "betas": [1, 2.5]}, f"and read on {world}, bit for bit",
               text, place)
        tap.ok(differences == ([] if world == 4 else [f"distributed.world: was 4, is {world}"]),
               f"what differs on {world} is told", differences)
    statuses, text = launch(work / "l", 4, load_fsdp, path, True)
    tap.ok(statuses == [0] * 4 and told(f"{path}.loaded")[0] == told(f"{path}.later"),
           "with the streams of each rank the next steps are equal", text)
    launch(work / "l", 2, refuse_streams, path)
    tap.ok(told(f"{path}.refused")[0] == "InvalidError" and "4 processes made it, and 2 are here"
           in told(f"{path}.refused")[1], "streams of 4 ranks are not set on 2",
           told(f"{path}.refused"))
    other = work / "grid"
    statuses, text = launch(work / "l", 4, grid, other, True)
    again, more = launch(work / "l", 2, grid, other, False)
    tap.ok(statuses == [0] * 4 and again == [0] * 2 and told(f"{other}.equal") == [True] * 3,
           "columns on 4 ranks are read as rows on 2", text, more)
    return path


def seen_by_the_program(tap, path):
    done = subprocess.run([SNAP, "verify", path], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, check=False)
    tap.ok(done.returncode == 0 and "step 2, 4 volumes" in done.stdout, "snap verify", done.stdout)
    done = subprocess.run([SNAP, "show", path / "rank-0001.snap.tar"], stdout=subprocess.PIPE,
                          universal_newlines=True, check=False)
    tap.ok("model.0.weight@9,0" in done.stdout and "a piece of (33, 16) at (9, 0)" in done.stdout,
           "snap show names shards by their offset", done.stdout)
    done = subprocess.run([SNAP, "list", path / "rank-0001.snap.tar"], stdout=subprocess.PIPE,
                          universal_newlines=True, check=False)
    tap.ok("rng/torch" in done.stdout and "tensors/shards/" in done.stdout, "snap list lists them",
           done.stdout)
    with Checkpoint(path) as checkpoint:
        tap.ok(checkpoint.world == 4 and checkpoint.step == 2, "Checkpoint says what is there")


def load_alone(path):
    """In a process without torch.distributed."""
    state = {"model": {"0.weight": torch.zeros(33, 16)}, "place": {"epoch": 0}}
    dcp.load(state, storage_reader=SnapReader(path))
    return state


def refusals(tap, work, path):
    def damaged(name, change):
        copy = work / "damaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(path, copy)
        change(copy)
        text = raised(load_alone, copy)
        tap.ok("CorruptError" in text and "rank-0000.snap.tar: " in text, name, text)

    def flip(copy):
        with snapstate.Archive(copy / "rank-0000.snap.tar") as archive:
            weight = archive["shards"]["model.0.weight@0,0"].member
            at = next(member.offset for member in archive.members if member.name == weight)
        with open(copy / "rank-0000.snap.tar", "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))

    state = load_alone(path)
    with Checkpoint(path) as checkpoint:
        tap.ok(state["place"]["epoch"] == 3 and torch.equal(
            state["model"]["0.weight"][:9], checkpoint.tensor(0, "model.0.weight@0,0")),
            "a process alone reads what it asks for")
    damaged("a byte of a shard", flip)
    damaged("a volume in the place of another", lambda copy: shutil.copy(
        path / "rank-0002.snap.tar", copy / "rank-0000.snap.tar"))
    fails(tap, snapstate.InvalidError, "there is a checkpoint already", "a finished one is kept",
          SnapWriter(path).set_up_storage_writer, True)
    statuses, text = launch(work / "l", 4, killed, work / "killed")
    names = {item.name for item in (work / "killed").iterdir()}
    tap.ok(0 not in statuses and "rank-0001.snap.tar" in names and "index.snap.tar" not in names,
           "a rank is killed while they save: there is no index", names, text)
    fails(tap, snapstate.NotFoundError, "no checkpoint was finished there", "so no checkpoint",
          Checkpoint, work / "killed")
    statuses, text = launch(work / "l", 4, save_fsdp, work / "killed")
    tap.ok(statuses == [0] * 4, "and the next save writes it", text)
    text = raised(dcp.save, {"schedule": {"function": len}},
                  storage_writer=SnapWriter(work / "function"))
    tap.ok("schedule.function: holds a function" in text, "a function is refused by name", text)


def main():
    tap = Tap()
    tap.ok(shard_key("w", (9, 0), (3, 4), (33, 4)) == "w@9,0"
           and shard_key("w", (0, 0), (33, 4), (33, 4)) == "w", "shards are named by their offset")
    if MISSING:
        # Debian's torch has no such interface yet: where all else must run, it is not asked for.
        if os.environ.get("SNAP_CI") == "1":
            print(f"# snapstate.integrations.dcp is not tested: {MISSING}")
        else:
            tap.skip("snapstate.integrations.dcp", MISSING)
        return tap.done()
    signal.alarm(500)  # ranks that wait for each other for ever
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        path = resharding(tap, work)
        seen_by_the_program(tap, path)
        refusals(tap, work, path)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
