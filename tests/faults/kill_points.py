#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill a process before each of its system calls in turn, and judge what it leaves.

kill_points.py PROGRAM [EVERY]    each (call, occurrence), or each EVERYth; TAP

The pairs come from a dry run under strace; `strace -e inject=CALL:signal=KILL:when=K` then kills
before the Kth call of that name. The process has one thread. From the same trace follows the order
of what makes a file durable, which a kill cannot show.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "support"))
from tap import Tap  # noqa: E402

BEGIN = "operation-begins"


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def trace(program, operation, folder, log):
    """The lines of the trace: (name, rest)."""
    done = run("strace", "-f", "-y", "-qq", "-o", str(log), program, "perform", operation,
               str(folder))
    if done.returncode:
        raise RuntimeError(done.stdout)
    calls = []
    for line in log.read_text(errors="replace").splitlines():
        found = re.match(r"\d+ +(\w+)\((.*)", line)
        if found:
            calls.append((found.group(1), found.group(2)))
    return calls


def points(calls):
    """(name, occurrence) of every call after the mark, occurrences counted from the start."""
    counts = {}
    begun = False
    for name, rest in calls:
        counts[name] = counts.get(name, 0) + 1
        if begun and name not in ("exit_group", "exit"):
            yield name, counts[name]
        begun = begun or BEGIN in rest


class Durability:
    """Watches a trace: what gets a name was synced, and `latest` moves after the snapshot's folder
    was synced, and after the ledger."""

    def __init__(self):
        self.problems = []
        self.dirty = {}       # path -> written and not synced
        self.unsynced = set()  # folders with a new name

    def folder(self, path):
        return path.rsplit("/", 1)[0]

    def watch(self, name, rest):
        where = re.match(r"\d+<([^>]*)>", rest)
        path = where.group(1).replace(" (deleted)", "") if where else ""
        failed = re.search(r"= -1 E", rest)
        if failed:
            return
        if name in ("write", "pwrite64"):
            self.dirty[path] = True
        elif name in ("fsync", "fdatasync"):
            self.dirty.pop(path, None)
            self.unsynced.discard(path)
        elif name == "linkat":
            source, target = re.findall(r'"([^"]*)"', rest)[:2]
            number = re.search(r"/proc/self/fd/(\d+)", source)
            self.publish(None if number else source, rest, target)
        elif name in ("renameat", "renameat2", "rename"):
            names = re.findall(r'"([^"]*)"', rest)
            self.publish(names[0], rest, names[1])

    def publish(self, source, rest, target):
        folders = re.findall(r"\d+<([^>]*)>, \"", rest) or re.findall(r"<([^>]*)>", rest)
        folder = folders[-1] if folders else ""
        if source is None:
            waiting = [path for path in self.dirty if path.startswith(folder + "/#")]
        else:
            waiting = [path for path in self.dirty if path == f"{folder}/{source}"]
        if waiting:
            self.problems.append(f"{target} gets its name before its bytes are durable")
        if target == "latest":
            if any(path.endswith("/snapshots") for path in self.unsynced):
                self.problems.append("latest moves before the snapshot's name is durable")
            if any(path.endswith("/ledger.jsonl") for path in self.dirty):
                self.problems.append("latest moves before the ledger is durable")
        self.unsynced.add(folder)

    def end(self):
        self.problems += [f"{path} is not durable in the end" for path in self.dirty
                          if not path.endswith(("stdout", "pipe")) and "/" in path
                          and not path.startswith(("pipe:", "/dev/"))]
        self.problems += [f"names in {path} are not durable in the end" for path in self.unsynced]
        return self.problems


def try_operation(tap, program, operation, every, work, reference):
    base = work / f"{operation}-base"
    base.mkdir()
    made = run(program, "prepare", operation, str(base))
    tap.ok(made.returncode == 0, f"{operation}: prepared")

    folder = work / "traced"
    shutil.copytree(base, folder)
    calls = trace(program, operation, folder, work / "log")
    shutil.rmtree(folder)
    durability = Durability()
    begun = False
    for name, rest in calls:
        if begun:
            durability.watch(name, rest)
        begun = begun or BEGIN in rest
    tap.empty(durability.end(), f"{operation}: bytes, names and latest are durable in this order")

    wrong = []
    chosen = list(points(calls))[::every]
    killed = 0
    for name, occurrence in chosen:
        shutil.copytree(base, folder)
        done = run("strace", "-f", "-qq", "-o", "/dev/null", "-e",
                   f"inject={name}:signal=KILL:when={occurrence}", program, "perform", operation,
                   str(folder))
        killed += done.returncode != 0
        judged = run(program, "judge", str(folder), str(reference))
        if judged.returncode:
            wrong.append(f"killed before {name} {occurrence}: {judged.stdout.strip()}")
        shutil.rmtree(folder)
    print(f"# {operation}: {len(chosen)} points of (call, occurrence), {killed} kills", flush=True)
    tap.empty(wrong, f"{operation}: old or new after each kill, and goes on to the same ledger")
    tap.ok(killed >= len(chosen) * 9 // 10 and chosen, f"{operation}: was killed nearly everywhere")


def main():
    program = os.path.abspath(sys.argv[1])
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    tap = Tap()
    if shutil.which("strace") is None or run("strace", "-o", "/dev/null", "true").returncode:
        tap.skip("processes are killed at every call", "strace is not there, or may not trace")
        return tap.done()
    with tempfile.TemporaryDirectory(prefix="snap-kill-") as name:
        work = Path(name)
        os.chdir(work)
        reference = work / "reference"
        reference.mkdir()
        tap.ok(run(program, "reference", str(reference)).returncode == 0, "the reference run")
        for operation in run(program, "list").stdout.split():
            try_operation(tap, program, operation, every, work, reference)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
