#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""snapstate.Archive: what it says is what docs/format.md and tar say; only what is asked for is
read; memory that was shared is shared again; damage, withheld members and what is not there are
errors."""

import contextlib
import ctypes
import hashlib
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]
BUILD = Path(os.environ.get("top_builddir", TOP))

from raises import fails  # noqa: E402
from snapstate import errors  # noqa: E402
from snapstate.archive import Archive  # noqa: E402
from tap import Tap  # noqa: E402
from write_tree import leaf_node, memory_of, write_nodes, write_tree  # noqa: E402

PART = 67108864


def tar(path, *arguments):
    return subprocess.run(["tar", *arguments[:1], "-f", path, *arguments[1:]], check=True,
                          stdout=subprocess.PIPE).stdout


def sample(folder, name, mask=0):
    path = folder / name
    subprocess.run([BUILD / "tests" / "write_sample", path, str(mask)], check=True)
    return path


# ---- the example of the format ----

def check_example(tap, folder):
    path = sample(folder, "sample.snap.tar")
    page = (TOP / "docs" / "format.md").read_text(encoding="utf-8").split("## 14 ")[1]
    blocks = dict(re.findall(r"^`([\w./~]+)`[^\n]*:\n\n```text\n(.*?)```$", page,
                             flags=re.S | re.M))
    with Archive(path) as archive:
        said = {"snapshot hash": archive.snapshot_hash, "state hash": archive.state_hash,
                "run hash": archive.run_hash, "run id": archive.run_id}
        tap.empty((f"{name}: {value}" for name, value in said.items()
                   if f"| {name} | `{value}` |" not in page), "hashes and run id are the page's")
        documents = {"manifest.json": archive.manifest, "data.json": archive.data,
                     "env.json": archive.environment}
        tap.empty((f"{name}: {value}" for name, value in documents.items()
                   if value != json.loads(blocks[name])), "documents are the page's")
        state = json.loads(blocks["state.json"])
        tap.ok((archive.binding, archive.training, archive.profile, archive.roots) ==
               (state["binding"], state["training"], state["profile"], ["model", "optimizer"]),
               "and the parts of state.json")
        tap.ok(archive.ledger() == [json.loads(line)
                                    for line in blocks["ledger.jsonl"].splitlines()],
               "and the lines of the ledger")
        tap.ok((archive.kind, archive.step, archive.parent, archive.failure) ==
               ("snapshot", 1, None, None), "kind, step, parent and failure")
        tap.ok(archive.coverage["captured"][0] == "rng/device", "coverage")
        listed = tar(path, "-t").decode().split()
        tap.ok([member.name for member in archive.members] == listed, "members are those of tar")
        tap.empty((member.name for member in archive.members
                   if archive.read(member.name) != tar(path, "-xO", member.name)),
                  "and their contents")
        content = path.read_bytes()
        tap.empty((member.name for member in archive.members
                   if hashlib.sha256(content[member.offset:member.offset + member.size]).hexdigest()
                   != member.sha256), "at these offsets, with these digests")
        kinds = {entry["name"]: entry["kind"] for entry in archive.manifest["members"]}
        tap.ok({member.name: member.kind for member in archive.members} ==
               {**kinds, "manifest.json": "manifest"}, "of these kinds")
        tap.ok({member.name for member in archive.members if member.in_state} ==
               set(re.findall(r"  (\S+)$", blocks["STATE"], flags=re.M)), "with a line in STATE")
        tap.ok({name: (stream.kind, stream.bytes()) for name, stream in archive.streams.items()} ==
               {"device": ("philox_dropout", blocks["rng/device"].encode()),
                "order": ("opaque", bytes.fromhex("000102feff"))}, "streams")
        tap.ok((archive.extras, archive.extra("notes")) ==
               (["notes", "replay"], b"a note of the author\n"), "extras")
        model = archive["model"]
        tap.ok(list(model) == ["fc.weight", "fc.bias", "head.weight", "größe"] and
               model["fc.weight"].bytes() == struct.pack("<4f", 1, 2, 3, 4) and
               model["head.weight"].bytes() == struct.pack("<4f", 1, 3, 2, 4) and
               model["größe"].bytes() == bytes.fromhex("182d5440"), "tensors as bytes")
        weight = model["head.weight"]
        tap.ok((weight.dtype, weight.shape, weight.strides, weight.offset, weight.storage,
                weight.member, weight.requires_grad, weight.device, weight.nbytes, weight.size,
                weight.ndim, weight.is_array) ==
               ("f32", (2, 2), (1, 2), 0, 0, "tensors/model/fc.weight", True, "cpu", 16, 4, 2,
                False), "what a tensor says of itself")
        optimizer = archive["optimizer"]
        tap.ok((optimizer["step"], optimizer["lr"], optimizer[0], optimizer["seen"],
                optimizer["momentum"][0].bytes()) == (1, 0.125, b"\x01\xff", 2**53 + 1, b""),
               "plain values, and a tensor of no elements")
        archive.check()
        check_paths(tap, archive)
    fails(tap, errors.InvalidError, "is closed: open it again", "a closed archive", archive.read,
          "README")
    fails(tap, errors.InvalidError, "is closed", "and its tensors", weight.bytes)
    fails(tap, errors.EnvironmentFailure, "nothing: opening", "no file", Archive,
          folder / "nothing")
    check_withheld(tap, folder)
    check_elsewhere(tap, folder)


def check_paths(tap, archive):
    tap.ok(archive.load("optimizer/seen", None) == 2**53 + 1 and
           archive.load("optimizer/0", None) == b"\x01\xff" and
           archive.load("model/fc.bias", None).member == "tensors/model/fc.bias" and
           archive.load("optimizer/momentum.0", None).shape == (0,), "what is at a path")
    for path in ("model/fc", "other", "optimizer/momentum.1", "optimizer/momentum.00", "model/"):
        fails(tap, errors.NotFoundError, "has no", f"nothing is at {path}", archive.load, path)
    for name in ("none", "rng/none", "a\tb"):
        fails(tap, errors.NotFoundError, "has no member", f"no member {name}", archive.read, name)
    fails(tap, errors.InvalidError, "is none of", "a framework that is none", archive.load, None,
          "jax")
    buffer = bytearray(8)
    archive.read_into("tensors/model/fc.bias", buffer)
    tap.ok(buffer == struct.pack("<2f", 0.5, -0.5), "a member read into a buffer")
    for wrong in (bytearray(7), bytes(8), memoryview(bytearray(16))[::2]):
        fails(tap, errors.InvalidError, "is not 8 bytes", f"not into {wrong!r:.20}",
              archive.read_into, "tensors/model/fc.bias", wrong)


def check_withheld(tap, folder):
    path = sample(folder, "withheld.snap.tar", 0b111111111100)
    with Archive(path) as archive:
        gone = [member.name for member in archive.members if member.withheld]
        tap.ok("tensors/model/fc.weight" in gone and "env.json" in gone, "withheld members", gone)
        for name in gone:
            fails(tap, errors.AbsentError, f"member {re.escape(name)} is withheld",
                  f"{name} is absent", archive.read, name)
        fails(tap, errors.AbsentError, "withheld", "and no environment",
              lambda: archive.environment)
        for framework in ("numpy", "torch"):
            with contextlib.suppress(ImportError):
                __import__(framework)
                fails(tap, errors.AbsentError, "fc.weight is withheld",
                      f"nor a load as {framework}", archive.load, "model", framework)
        fails(tap, errors.AbsentError, "withheld", "nor bytes", archive["model"]["fc.bias"].bytes)
        tap.ok(archive["model"]["fc.bias"].shape == (2,) and archive.check() is None,
               "shapes are known, and the rest is intact")


def check_elsewhere(tap, folder):
    """What is withheld is read from an archive that lies beside this one."""
    beside = folder / "beside"
    beside.mkdir()
    thin = sample(beside, "thin.snap.tar", 0b111111110000)
    with Archive(sample(beside, "whole.snap.tar")) as whole, Archive(thin) as archive:
        for member in archive.members:
            if member.elsewhere:
                tap.ok(member.withheld and archive.read(member.name) == whole.read(member.name),
                       f"{member.name} is read from beside")
        name = "tensors/model/fc.bias"
        order = [name, *reversed([member.name for member in archive.members
                                  if member.kind == "tensor" and member.name != name])]
        buffers = [bytearray(len(whole.read(entry))) for entry in order]
        archive.read_all([(entry, ctypes.addressof(ctypes.c_char.from_buffer(buffer))
                           if buffer else None) for entry, buffer in zip(order, buffers)])
        tap.ok([bytes(buffer) for buffer in buffers] == [whole.read(entry) for entry in order],
               "members of both files, in any order, in one call")
        path = beside / "whole.snap.tar"
        place = next(member.offset for member in whole.members if member.name == name)
        with open(path, "r+b") as file:
            file.seek(place)
            file.write(b"\xff")
        fails(tap, errors.CorruptError, f"whole.snap.tar: member {re.escape(name)}",
              "damage there is told by its name", archive.read, name)


def check_sharing(tap, torch, numpy, folder):
    path = folder / "shared.snap.tar"
    weight = torch.nn.Parameter(torch.arange(12.0).reshape(3, 4))
    array = weight.detach().numpy()
    write_tree(path, model={"w": weight, "t": weight.t(), "row": weight[1], "array": array,
                            "same": {1.5: weight}, "exp": torch.ones(1).expand(2, 3)},
               other={"again": weight[2:, 1:]})
    with Archive(path) as archive:
        tap.ok(archive["model"]["w"].requires_grad and archive["model"]["array"].is_array and
               not archive["model"]["row"].is_array, "parameters and arrays are told apart")
        for framework in ("torch", "numpy"):
            value = archive.load(framework=framework)
            model = value["model"]
            first = model["w"].detach() if framework == "torch" else model["w"]
            first[2, 2] = 100.0
            model["array"][0, 0] = -1.0
            tap.ok(float(model["t"][2, 2]) == 100.0 and float(model["t"][0, 0]) == -1.0 and
                   float(model["same"][1.5][2, 2]) == 100.0 and
                   float(value["other"]["again"][0, 1]) == 100.0 and
                   model["row"].tolist() == [4.0, 5.0, 6.0, 7.0], f"sharing, by {framework}")
            tap.ok(type(model["array"]) is numpy.ndarray and
                   type(model["w"]) is (torch.Tensor if framework == "torch" else numpy.ndarray),
                   f"types, by {framework}")
        tap.ok(archive.load("model", "torch")["w"].requires_grad, "requires_grad comes back")
        alone = archive["model"]["row"].torch()
        tap.ok(alone.tolist() == [4.0, 5.0, 6.0, 7.0], "one tensor alone", alone)
    fails(tap, errors.InvalidError, "is 2 places", "a path of two places", lambda: Archive(
        written(folder, {"a.b": 1, "a": {"b": 2}})).load("root/a.b"))


def written(folder, value):
    path = folder / "written.snap.tar"
    write_tree(path, root=value)
    return path


# ---- only what is asked for is read ----

def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def check_lazy(tap, folder):
    size = 2 * PART + 4096
    buffer = (ctypes.c_char * size)()
    buffer[PART - 4:PART + 4] = b"abcdefgh"
    memories = [memory_of("u8", buffer, (size,)), memory_of("u8", buffer, (8,), start=PART - 4),
                memory_of("i32", buffer, (1,), start=PART), memory_of("u8", buffer, (1,), start=5),
                memory_of("u8", buffer, (4096,), start=2 * PART),
                memory_of("u8", buffer, (4,), start=PART - 4)]
    path = folder / "large.snap.tar"
    names = ["all", "across", "second", "first", "last", "before"]
    node = {"map": [[name, leaf_node(memory, index)]
                    for index, (name, memory) in enumerate(zip(names, memories))]}
    views = [leaf_node(memories[1], 0), leaf_node(memories[2], 1)]
    write_nodes(path, {"model": (node, memories), "views": ({"list": views}, memories[1:3])})
    with Archive(path) as archive:
        model = archive["model"]
        tap.ok([member.name for member in archive.members if member.kind == "tensor"] ==
               [f"tensors/model/all~000{part}" for part in range(3)], "a storage in three parts")
        tap.ok(model["across"].bytes() == b"abcdefgh" and model["second"].bytes() == b"efgh" and
               model["last"].bytes() == bytes(4096), "views into parts and across them")
        tap.ok(model["all"].bytes() == bytes(buffer), "and the whole")
        first, second = (member for member in archive.members
                         if member.name in ("tensors/model/all~0000", "tensors/model/all~0001"))
        flip(path, second.offset + 99)
        tap.ok(model["before"].bytes() == b"abcd", "nor does a tensor need what comes after it")
        flip(path, second.offset + 99)
        flip(path, first.offset + 99)
        tap.ok(model["second"].bytes() == b"efgh", "a part that is not needed is not read")
        for name in ("first", "across", "all"):
            fails(tap, errors.CorruptError, "tensors/model/all~0000", f"damage is seen: {name}",
                  model[name].bytes)
        fails(tap, errors.CorruptError, "all~0000", "and by check()", archive.check)
        flip(path, first.offset + 99)
        results = []
        threads = [threading.Thread(target=lambda: results.append(model["all"].bytes()))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tap.ok(results == [bytes(buffer)] * 2, "several threads read at once")
        check_closed_while_read(tap, archive)


def check_parts(tap, folder):
    with Archive(folder / "large.snap.tar") as archive:
        across, second = archive.load("views", "numpy")
    tap.ok(second.tobytes() == b"efgh" and across.tobytes() == b"abcdefgh",
           "a load of views into two parts of three")


def check_closed_while_read(tap, archive):
    class Closing(list):
        """Jobs, before the first of which somebody closes the archive."""

        def __iter__(self):
            archive.close()
            return super().__iter__()

    member = archive.members[0]
    buffer = ctypes.create_string_buffer(member.size)
    archive.read_all(Closing([(member.name, ctypes.addressof(buffer))]))
    tap.ok(hashlib.sha256(buffer.raw).hexdigest() == member.sha256,
           "what is being read when the archive is closed is read to its end")
    fails(tap, errors.InvalidError, "is closed", "and nothing after it", archive.read, member.name)


def main():
    tap = Tap()
    modules = {}
    with tempfile.TemporaryDirectory(prefix="snap-test.") as folder:
        folder = Path(folder)
        check_example(tap, folder)
        check_lazy(tap, folder)
        for name in ("numpy", "torch"):
            try:
                modules[name] = __import__(name)
            except ImportError as problem:
                tap.skip(name, f"python3-{name} is not installed: {problem}")
        if "numpy" in modules:
            check_parts(tap, folder)
        if len(modules) == 2:
            check_sharing(tap, modules["torch"], modules["numpy"], folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
