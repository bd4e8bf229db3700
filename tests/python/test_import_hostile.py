#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files that try to execute, recurse, or claim huge sizes: `snap import` refuses each with the
reason, in less than 64 MiB of memory, and writes nothing; and no cut of a good file is taken for
one."""

import os
import pickle
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir", TOP))
sys.path.insert(0, str(TOP / "tests" / "support"))

import foreign_samples  # noqa: E402
from tap import Tap  # noqa: E402

SNAP = os.environ.get("SNAP", str(BUILD / "snap"))
MOST_KIB = 64 * 1024
# AddressSanitizer's own memory is more than that.
SANITIZED = bool(os.environ.get("SANITIZER_FLAGS"))


def run(folder, name):
    """Exit status, stderr and the most memory in KiB of an import."""
    process = subprocess.Popen([SNAP, "import", name, "-o", "out.snap.tar"], cwd=folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    text = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, text, usage.ru_maxrss


def check_sample(tap, folder, sample):
    (folder / sample.name).write_bytes(sample.data)
    status, text, kib = run(folder, sample.name)
    lines = text.splitlines()
    tap.ok(status == sample.exit and len(lines) == 1 and re.search(sample.reason, lines[0]),
           f"{sample.what}: refused with the reason", f"exit {status}, not {sample.exit}",
           f"wanted: {sample.reason}", text)
    # What is many by itself may take what its size allows.
    large = len(sample.data) > 1000000
    tap.ok(SANITIZED or large or kib < MOST_KIB, f"{sample.what}: in less than 64 MiB",
           f"{kib} KiB")
    tap.ok(sorted(path.name for path in folder.iterdir()) == [sample.name],
           f"{sample.what}: nothing was executed or written", *folder.iterdir())
    (folder / sample.name).unlink()


def check_cuts(tap, folder):
    whole = pickle.dumps({"random_state": random.getstate(),
                          "numpy_random_seed": [1, 2.5, b"x"]}, 4)
    places = sorted({*range(60), *range(60, len(whole), 97), *range(len(whole) - 60, len(whole))})
    wrong = []
    for place in places:
        (folder / "cut").write_bytes(whole[:place])
        status, text, _ = run(folder, "cut")
        if status != 5 or len(text.splitlines()) != 1:
            wrong.append(f"{place} bytes: exit {status}: {text}")
    tap.empty(wrong, f"a pickle of {len(whole)} bytes, cut at {len(places)} places: corrupt")
    (folder / "cut").unlink()


def check_state_json(tap, folder):
    """40 MB of bytes beside the weights: state.json has them as twice as much text."""
    with open(folder / "large", "wb") as file:
        file.write(b"\x80\x04}" + foreign_samples.text_opcode("tokenizer") +
                   b"B" + struct.pack("<I", 40000000))
        file.seek(40000000, os.SEEK_CUR)
        file.write(b"s.")
    status, text, _ = run(folder, "large")
    tap.ok(status == 4 and text.count("\n") == 1 and
           "root large would make state.json larger than its 67108864 bytes" in text,
           "more beside the tensors than state.json takes: refused with the reason", status, text)
    (folder / "large").unlink()


def check_gaps(tap, folder):
    """Twenty thousand values that have no form, under one key that is too long to be told."""
    count = 20000
    (folder / "gaps").write_bytes(
        b"\x80\x04}" + foreign_samples.text_opcode("k" * 400) +
        b"(ctorch.storage\nUntypedStorage\n\x94" + b"h\0" * (count - 1) + b"ls.")
    done = subprocess.run([SNAP, "import", "gaps", "-o", "out.snap.tar"], cwd=folder,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    shown = subprocess.run([SNAP, "show", "out.snap.tar", "--json"], cwd=folder,
                           stdout=subprocess.PIPE, text=True)
    found = set(re.findall(r"gaps/k{200,}[^\"]*", shown.stdout))
    tap.ok(done.returncode == 0 and len(found) == count and
           any(name.endswith(f" ({count})") for name in found),
           f"{count} gaps of one name: each has its own", done.stderr, len(found),
           shown.stdout[:300])
    (folder / "out.snap.tar").unlink(missing_ok=True)
    (folder / "gaps").unlink()


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for sample in foreign_samples.all_samples():
            check_sample(tap, folder, sample)
        check_cuts(tap, folder)
        check_state_json(tap, folder)
        check_gaps(tap, folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
