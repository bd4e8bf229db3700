#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One member of an archive of 100 GiB is read without the others: `cat`, `verify --only` and the
Python package read its headers, its documents and that member, and hold no more of it in memory
than pieces. The archive is real but for its zeros, which are holes of the file."""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
# pylint: disable=wrong-import-position
from corpus_forgery import Forgery, Hole, Member  # noqa: E402
from spec_reader import document  # noqa: E402
from tap import Tap  # noqa: E402

TOP = os.path.abspath(os.environ["top_srcdir"])
os.environ["PYTHONPATH"] = os.path.join(TOP, "python")
SNAP = os.environ["SNAP"]
BASE = os.path.join(TOP, "tests", "golden", "gpu-cnn", "step-0000000045.snap.tar")
PART = 64 << 20
PARTS = 1600
SIZE = PART * PARTS
SMALL = "tensors/model/fc2.bias"
LARGE = "tensors/big/weight~0800"
# A header of 512 bytes for each part, and 300 bytes of it in the documents and listings.
OVERHEAD_KIB = PARTS * (512 + 300) // 1024 + 400
# Sanitizers take memory of their own.
MOST_KIB = 64 << 10 if not os.environ.get("SANITIZER_FLAGS") else 64 << 20
PYTHON = """
import sys
import snapstate
with snapstate.Archive(sys.argv[1]) as archive:
    sys.stdout.buffer.write(archive.read(sys.argv[2]))
"""


def make(path):
    """The record, and a root "big" of one tensor."""
    forgery = Forgery(BASE)
    state, manifest = forgery.document("state.json"), forgery.document("manifest.json")
    tensor = {"device": "cpu", "dtype": "f32", "offset": 0, "requires_grad": True,
              "shape": [SIZE // 4], "storage": len(state["storages"]), "strides": [1]}
    state["roots"].append(["big", {"map": [["weight", {"tensor": tensor}]]}])
    state["storages"].append({"member": "tensors/big/weight", "size": SIZE})
    place = next(i for i, member in enumerate(forgery.members)
                 if member.name.startswith("tensors/"))
    names = [f"tensors/big/weight~{part:04}" for part in range(PARTS)]
    forgery.members[place:place] = [Member(name, Hole(PART)) for name in names]
    manifest["members"][place - 1:place - 1] = [{"kind": "tensor", "name": name, "size": PART}
                                                for name in names]
    forgery["state.json"].content = document(state)
    forgery["manifest.json"].content = document(manifest)
    forgery.settle()
    forgery.write(path)
    return forgery[SMALL].content


def bytes_read():
    """By this process and the children that it has waited for."""
    with open("/proc/self/io", encoding="ascii") as file:
        return int(re.search(r"^rchar: (\d+)", file.read(), re.MULTILINE).group(1))


def run(command):
    """Exit status, what was written, KiB read, KiB of memory at most."""
    with tempfile.TemporaryFile() as output:
        before = bytes_read()
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdout=output, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        read = bytes_read() - before
        output.seek(0)
        return process.returncode, output.read(1000), read >> 10, usage.ru_maxrss


def check(tap, name, command, most_read, wanted):
    status, text, read, memory = run(command)
    tap.ok(status == 0 and wanted in text, f"{name} answers", status, text[-200:])
    tap.ok(read <= most_read, f"{name} reads at most {most_read} KiB of {SIZE >> 10}",
           f"{read} KiB were read")
    tap.ok(memory <= MOST_KIB, f"{name} takes at most 64 MiB of memory", f"{memory} KiB")
    print(f"# {name}: {read} KiB read, {memory} KiB of memory")


def main():
    tap = Tap()
    if not os.path.exists("/proc/self/io"):
        tap.skip("reading one member of 100 GiB", "the kernel does not count what is read")
        return tap.done()
    with tempfile.TemporaryDirectory(prefix="snap-large-") as folder:
        path = os.path.join(folder, "step-0000000045.snap.tar")
        content = make(path)
        tap.ok(os.path.getsize(path) > 100 << 30, "an archive of more than 100 GiB")
        disk = os.stat(path).st_blocks * 512
        tap.ok(disk < 64 << 20, "which takes a few MiB of the disk", disk)
        check(tap, "cat of a small member", [SNAP, "cat", path, SMALL], OVERHEAD_KIB, content)
        check(tap, "verify --only of a small member", [SNAP, "verify", path, "--only", SMALL],
              OVERHEAD_KIB, b"as SHA256SUMS says")
        check(tap, "the Python package, of a small member",
              [sys.executable, "-c", PYTHON, path, SMALL], OVERHEAD_KIB + 8192, content)
        check(tap, "verify --only of a part of the large one",
              [SNAP, "verify", path, "--only", LARGE], OVERHEAD_KIB + (PART >> 10),
              b"as SHA256SUMS says")
        check(tap, "cat of a part of the large one, checked and then written",
              [SNAP, "cat", path, LARGE], OVERHEAD_KIB + (2 * PART >> 10), bytes(1000))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
