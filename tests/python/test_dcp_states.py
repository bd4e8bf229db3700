#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What users of torch.distributed.checkpoint do beside saving and loading: saves behind the
training, planners that keep their plans, states of every kind, other dtypes, parts of a state."""

import io
import multiprocessing
import signal
import sys
import tempfile
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "tests" / "python"), str(TOP / "python")]

from dcp_setting import MISSING, Sharded, join, raised, tell, told  # noqa: E402
from ranks_launcher import launch  # noqa: E402
from tap import Tap  # noqa: E402

import snapstate  # noqa: E402
from snapstate.checkpoint_volumes import (Checkpoint, Entry, Shard as Piece,  # noqa: E402
                                          write_index, write_volume)

try:
    import torch
except ImportError:
    torch = None

if not MISSING:
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    from torch.distributed.checkpoint.default_planner import (DefaultLoadPlanner,
                                                              DefaultSavePlanner)
    from torch.distributed.checkpoint.staging import BlockingAsyncStager
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
    from snapstate.integrations.dcp import SnapReader, SnapWriter


# ---- of several processes ----

def save_behind(path):
    """The training goes on, and draws, before anything is written."""
    join()
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    training = Sharded(mesh, 1)
    training.steps(2)
    writer = SnapWriter(path, step=2)
    staged, go_on = writer.set_up_storage_writer, multiprocessing.Event()

    def wait_and_set_up(*arguments, **options):
        go_on.wait()
        staged(*arguments, **options)
    writer.set_up_storage_writer = wait_and_set_up
    saving = dcp.async_save(training.state(), storage_writer=writer)
    training.model(torch.randn(8, 16))  # draws, of dropout too
    go_on.set()
    saving.result()
    reader, _ = training.load(path)
    reader.restore_streams()
    training.steps(2)
    behind = training.digest()

    training = Sharded(mesh, 1)
    training.steps(4)
    tell(f"{path}.behind", [behind == training.digest(), reader.differences()])


def save_with_kept_plans(path):
    """Three saves by a planner that keeps its plans; the third has a name more, and new plans."""
    rank, mesh = join()
    whole = torch.arange(30.0).reshape(10, 3)
    state = {"w": distribute_tensor(whole, mesh, [Shard(0)])}
    for number in range(3):
        state["place"] = {"number": number}
        if number == 2:
            state["late"] = torch.full((2,), 7.0)
        dcp.save(state, storage_writer=SnapWriter(f"{path}-{number}", step=number),
                 planner=DefaultSavePlanner(enable_plan_caching=True))
        state["w"] = state["w"] + 1
    found = []
    for number in range(3):
        state = {"w": distribute_tensor(torch.zeros(10, 3), mesh, [Shard(0)]),
                 "place": {"number": None}, "late": torch.zeros(2)}
        reader = SnapReader(f"{path}-{number}")
        dcp.load(state, storage_reader=reader, planner=DefaultLoadPlanner(allow_partial_load=True))
        facts = reader.checkpoint.volume(rank).binding["distributed"]
        found.append([torch.equal(state["w"].full_tensor(), whole + number), state["place"],
                      state["late"].tolist(), facts["world"], reader.differences()])
    tell(f"{path}.found", found)


def grid_of_replicas(path, save):
    """Shards of which each is on two ranks, on a mesh of two dimensions, with fewer rows than ranks
    to have them; and of both dimensions."""
    join()
    mesh = init_device_mesh("cpu", (2, 2)) if save else init_device_mesh("cpu", (1, 2))
    whole = torch.arange(15, dtype=torch.float64).reshape(3, 5)
    state = {"replicas": distribute_tensor(whole if save else whole * 0, mesh,
                                           [Replicate(), Shard(0)]),
             "both": distribute_tensor(whole if save else whole * 0, mesh, [Shard(0), Shard(1)]),
             "few": distribute_tensor(whole[:1].contiguous() if save else whole[:1] * 0, mesh,
                                      [Shard(0), Shard(0)])}
    local = state["both"].to_local()
    state["turned"] = DTensor.from_local(local.t().contiguous().t(), mesh, [Shard(0), Shard(1)],
                                         shape=(3, 5), stride=(5, 1), run_check=False)
    if save:
        dcp.save(state, storage_writer=SnapWriter(path))
    else:
        dcp.load(state, storage_reader=SnapReader(path))
        tell(f"{path}.equal", [torch.equal(value.full_tensor(), whole[:len(value)])
                               for value in state.values()])


def save_each_alone(path):
    """Every rank its own checkpoint."""
    rank, _ = join()
    state = {"w": torch.full((3,), float(rank))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(state, storage_writer=SnapWriter(f"{path}-{rank}"), no_dist=True)
        torch.rand(2)
        state, reader = {"w": torch.zeros(3)}, SnapReader(f"{path}-{rank}")
        dcp.load(state, storage_reader=reader, no_dist=True)
    text = raised(reader.restore_streams)
    tell(f"{path}.alone", [state["w"].tolist(), text, reader.restore_streams(0)])


def save_twins(path):
    """A value has the name that a shard gets."""
    _, mesh = join()
    state = {"w": distribute_tensor(torch.zeros(4), mesh, [Shard(0)]), "w@0": 1}
    tell(f"{path}.twins", raised(dcp.save, state, storage_writer=SnapWriter(path),
                                 planner=DefaultSavePlanner(dedup_save_to_lowest_rank=True)))


def several(tap, work):
    statuses, text = launch(work / "l", 2, save_behind, work / "behind")
    tap.ok(statuses == [0, 0] and told(work / "behind.behind") == [True, []],
           "async_save keeps the streams as they were with the state", text)
    statuses, text = launch(work / "l", 2, save_with_kept_plans, work / "plans")
    tap.ok(statuses == [0, 0] and told(work / "plans.found") == [
        [True, {"number": number}, [7.0, 7.0] if number == 2 else [0.0, 0.0], 2, []]
        for number in range(3)], "a planner may keep its plans", text)
    statuses, text = launch(work / "l", 4, grid_of_replicas, work / "grid", True)
    again, more = launch(work / "l", 2, grid_of_replicas, work / "grid", False)
    tap.ok(statuses == [0] * 4 and again == [0] * 2 and told(work / "grid.equal") == [True] * 4,
           "replicas, empty shards, blocks, and shards that are not contiguous", text, more)
    statuses, text = launch(work / "l", 2, save_each_alone, work / "alone")
    tap.ok(statuses == [0, 0] and told(work / "alone.alone")[0] == [0.0] * 3
           and "restore_streams(0)" in told(work / "alone.alone")[1],
           "no_dist: each rank has a checkpoint of its own", text)
    launch(work / "l", 2, save_twins, work / "twins")
    tap.ok("w@0: is the name of a value and of a shard" in told(work / "twins.twins"),
           "a value that is named as a shard is refused", told(work / "twins.twins"))


# ---- of one ----

def save(path, state, **options):
    dcp.save(state, storage_writer=SnapWriter(path), **options)


def load(path, state, **options):
    reader = SnapReader(path)
    dcp.load(state, storage_reader=reader, **options)
    return reader


VALUES = {"none": None, "flag": True, "int": 2**70, "text": "é\0", "bytes": b"\x00\xff",
          "empty": {}, "tuple": (1, 2.5, ("a",)), "list": [], "complex": 1 + 2j,
          "set": frozenset((1, 2)), "nan": float("nan")}


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


def kinds(tap, work):
    torch.manual_seed(1)
    tensors = {"scalar": torch.tensor(2.5), "none": torch.zeros(0), "none2": torch.zeros(3, 0, 2),
               "turned": torch.rand(3, 4).t(), "steps": torch.arange(20)[3::5],
               "one for all": torch.rand(1, 3).expand(4, 3), "tied": torch.rand(3),
               **{str(dtype): torch.arange(6).reshape(2, 3).to(dtype) for dtype in (
                   torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16,
                   torch.float64, torch.complex64, torch.float8_e4m3fn)}}
    tensors["tied too"] = tensors["tied"]
    state = {"tensors": tensors, "in a list": [torch.ones(2), {"x": torch.zeros(1)}],
             "numpy": [torch.rand(2).numpy()], "values": VALUES}
    save(work / "kinds", state)
    again = {"tensors": {name: torch.zeros_like(one, memory_format=torch.contiguous_format)
                         for name, one in tensors.items()},
             "in a list": [torch.zeros(2), {"x": torch.ones(1)}], "numpy": [None],
             "values": {**dict.fromkeys(VALUES), "empty": {}}}
    load(work / "kinds", again)
    tap.empty([name for name, one in tensors.items() if bits(one) != bits(again["tensors"][name])],
              "tensors of every kind come back by their bits")
    tap.ok(repr(again["values"]) == repr(VALUES), "plain values come back with their types",
           again["values"])
    tap.ok(again["in a list"][0].tolist() == [1, 1] and again["in a list"][1]["x"].item() == 0
           and again["numpy"][0].tobytes() == state["numpy"][0].tobytes(), "lists, arrays")
    whole = {"layer": {"w": torch.rand(2, 2)}, "n": 3}
    save(work / "whole", whole, planner=DefaultSavePlanner(flatten_state_dict=False))
    again = {"layer": None, "n": None}
    load(work / "whole", again, planner=DefaultLoadPlanner(flatten_state_dict=False,
                                                           flatten_sharded_tensors=False))
    tap.ok(torch.equal(again["layer"]["w"], whole["layer"]["w"]) and again["n"] == 3,
           "a planner that leaves dicts whole")


def refused(tap, work):
    for name, state, pattern in (
            ("sparse", {"a": {"w": torch.eye(2).to_sparse()}}, "a.w: a tensor of layout"),
            ("meta", {"w": torch.zeros(2, device="meta")}, "w: a tensor on the device meta"),
            ("conj", {"w": torch.ones(2, dtype=torch.complex64).conj()}, "w: its memory holds"),
            ("file", {"file": io.BytesIO(b"x")}, "file: a value of type _io.BytesIO")):
        text = raised(save, work / name, state)
        tap.ok(pattern in text and not (work / name / "index.snap.tar").exists(),
               f"{name} is refused by name, and there is no index", text)


def parts(tap, work):
    saved = {"w": torch.tensor([1.0, 2.5, 3.25]), "b": torch.ones(2)}
    save(work / "parts", saved)
    half = {"w": torch.zeros(3, dtype=torch.bfloat16)}
    reader = load(work / "parts", half)
    tap.ok(half["w"].tolist() == [1.0, 2.5, 3.25] and reader.differences() == [
        "w: was torch.float32, is torch.bfloat16"], "another dtype is told",
        half, reader.differences())
    text = raised(load, work / "parts", {"w": torch.zeros(3), "new": torch.zeros(1)})
    tap.ok("Missing key" in text and "new" in text, "a missing key is torch's error", text)
    state = {"w": torch.zeros(3), "new": torch.full((1,), 9.0)}
    load(work / "parts", state, planner=DefaultLoadPlanner(allow_partial_load=True))
    tap.ok(torch.equal(state["w"], saved["w"]) and state["new"].item() == 9.0,
           "and is left alone where a part is asked for")
    text = raised(load, work / "parts", {"w": torch.zeros(4)})
    tap.ok("w" in text and "ize" in text, "another shape is an error", text)
    text = raised(load, work / "nowhere", {"w": torch.zeros(4)})
    tap.ok("has no index.snap.tar: no checkpoint was finished there" in text, "no checkpoint", text)


def stagers(tap, work):
    """One of the user's, beside which the streams are drawn from."""
    saving = dcp.async_save({"w": torch.zeros(4)}, storage_writer=SnapWriter(work / "own"),
                            async_stager=BlockingAsyncStager())
    text = raised(saving.result)
    tap.ok("leave async_stager out" in text, "streams of a later moment are not kept", text)
    dcp.async_save({"w": torch.ones(4)}, async_stager=BlockingAsyncStager(),
                   storage_writer=SnapWriter(work / "none", streams=False)).result()
    with Checkpoint(work / "none") as checkpoint:
        tap.ok(checkpoint.tensor(0, "w").tolist() == [1] * 4 and not checkpoint.volume(0).streams,
               "without streams the stager is the user's choice")
    writer = SnapWriter(work / "again")
    before = snapstate.streams()["torch"].get()
    dcp.async_save({"w": torch.ones(4)}, storage_writer=writer).result()
    torch.rand(5)
    dcp.save({"w": torch.ones(4)}, checkpoint_id=work / "later", storage_writer=writer)
    states = []
    for name in ("again", "later"):
        with Checkpoint(work / name) as checkpoint:
            states.append(checkpoint.volume(0).streams["torch"].bytes())
    tap.ok(states == [before, snapstate.streams()["torch"].get()],
           "a writer that is used again keeps the streams of each save")


def write_many(folder, count):
    """A tensor of `count` elements, each in a volume of its own."""
    folder.mkdir()
    whole, pieces, volumes = torch.arange(float(count)), [], []
    for rank in range(count):
        key, piece = f"w@{rank}", Piece(whole[rank:rank + 1], (count,), (rank,))
        volumes.append(write_volume(str(folder), rank, 0, {key: piece}, {}, {}, {}))
        pieces.append((rank, key, (rank,), (1,)))
    write_index(str(folder), 0, volumes, {"w": Entry(torch.float32, (count,), pieces)},
                {"w": ("w",)}, {})
    return whole


def closed_volumes(tap, work):
    whole = write_many(work / "few", 2)
    with Checkpoint(work / "few") as checkpoint:
        first, parts = checkpoint.volume(0), []
        for rank in (0, 1, 0, 0):
            parts.append(checkpoint.tensor(rank, f"w@{rank}"))
            checkpoint.close_volume(rank)
        tap.ok(torch.cat(parts[:2]).equal(whole) and torch.equal(parts[2], parts[0])
               and checkpoint.volume(0) is not first,
               "a volume that was closed is opened again", parts)


def one_at_a_time(tap, work):
    """So that a folder may have more volumes than a process may have files open."""
    whole = write_many(work / "many", 12)
    state, opened, reader = {"w": torch.zeros(12)}, [], SnapReader(work / "many")
    checkpoint = reader.checkpoint
    tensor = checkpoint.tensor

    def count(rank, key):
        found = tensor(rank, key)
        opened.append(len(checkpoint._volumes))
        return found
    checkpoint.tensor = count
    dcp.load(state, storage_reader=reader)
    tap.ok(torch.equal(state["w"], whole) and opened == [1] * 12, "one volume is open at a time",
           state, opened)


def main():
    tap = Tap()
    signal.alarm(500)  # ranks that wait for each other for ever
    warnings.simplefilter("ignore")  # of torch, where there is one process
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if torch is None:
            tap.skip("states of torch.distributed.checkpoint", MISSING)
            return tap.done()
        closed_volumes(tap, work)
        if MISSING:
            print(f"# the rest needs torch.distributed.checkpoint: {MISSING}")
            return tap.done()
        kinds(tap, work)
        refused(tap, work)
        parts(tap, work)
        stagers(tap, work)
        one_at_a_time(tap, work)
        several(tap, work)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
