#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every archive of the corpus before every reader: the exit status and the cause that corpus_*.py
name, and never more than 64 MiB of memory. An archive is made, read and deleted.

test_corpus.py [NAME...]    these only
"""

import os
import re
import subprocess
import sys
import tempfile
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from corpus import CASES  # noqa: E402
from tap import Tap  # noqa: E402

TOP = os.path.abspath(os.environ["top_srcdir"])
os.environ["PYTHONPATH"] = os.path.join(TOP, "python")
SNAP = os.environ["SNAP"]
BASE = os.path.join(TOP, "tests", "golden", "gpu-cnn", "step-0000000045.snap.tar")
# Sanitizers take memory of their own.
MOST_KIB = 64 << 10 if not os.environ.get("SANITIZER_FLAGS") else 64 << 20

# As a program would that gets a file from a stranger: opened, listed, read through.
PYTHON = """
import sys
import snapstate
try:
    with snapstate.Archive(sys.argv[1]) as archive:
        archive.members, archive.roots, archive.streams
        archive.check(1)
except snapstate.SnapError as error:
    print(error)
    sys.exit({"UnsupportedError": 4, "CorruptError": 5}.get(type(error).__name__, 1))
"""


def readers(path, member):
    """The command of each."""
    library = os.path.join(os.environ["top_builddir"], "tests", "corpus", "examine")
    return {
        "verify": [SNAP, "verify", path, "--threads", "2"],  # each reads into 4 MiB
        "restore": [SNAP, "restore", path, "--dry-run", "--data", os.path.join(TOP, "data"),
                    "--threads", "1"],
        "cat": [SNAP, "cat", path, member],
        "show": [SNAP, "show", path],
        "list": [SNAP, "list", path],
        "hash": [SNAP, "hash", path],
        "python": [sys.executable, "-c", PYTHON, path],
        "sanitized": [library, path],
    }


def make(case, path):
    """Not in this process: what it takes of memory, its children are said to have taken."""
    child = os.fork()
    if child == 0:
        try:
            case.write(BASE, path)
            os._exit(0)
        except BaseException:  # pylint: disable=broad-exception-caught
            traceback.print_exc()
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise RuntimeError(f"{case.name} cannot be made")


def run(command):
    """The exit status, the most memory in KiB, and what was written; of `cat`, no contents."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        return process.returncode, usage.ru_maxrss, output.read(4000).decode(errors="replace")


def try_case(tap, case, path):
    """Returns the most memory that a reader took."""
    wrong, most = [], 0
    for reader, command in readers(path, case.member).items():
        status, memory, text = run(command)
        sees = case.seen_by == "all" or reader in case.seen_by.split()
        expected = case.status if sees else 0
        if status != expected or (status and not re.search(case.says, text)):
            wrong.append(f"{reader}: exit {status} and not {expected}: {text[-500:]}")
        if reader != "sanitized":
            most = max(most, memory)
        if most > MOST_KIB and most == memory:
            wrong.append(f"{reader}: {memory} KiB of memory")
    tap.empty(wrong, f"{case.name}: {case.sentence}")
    return most


def main(names):
    tap = Tap()
    most = 0
    for case in CASES:
        if names and case.name not in names:
            continue
        with tempfile.TemporaryDirectory(prefix="snap-corpus-") as folder:
            path = os.path.join(folder, "step-0000000045.snap.tar")
            make(case, path)
            most = max(most, try_case(tap, case, path))
    print(f"# {tap.points} archives; at most {most} KiB of memory")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
