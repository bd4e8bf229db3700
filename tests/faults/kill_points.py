#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill a process before each of its system calls in turn, and judge what it leaves.

kill_points.py PROGRAM [EVERY]    each (call, occurrence), or each EVERYth; TAP

The pairs come from a dry run under strace; `strace -e inject=CALL:signal=KILL:when=K` then kills
before the Kth call of that name of any thread: of a save behind the training those that another
thread does not come to first (test_faults kills at each). From the same trace follows the order of
what makes a file durable, which a kill cannot show.
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
REPORT = "reported-"


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def trace(program, operation, folder, log, *how):
    """The calls of the trace: (thread, name, rest)."""
    done = run("strace", "-f", "-y", "-qq", "-o", str(log), program, "perform", operation,
               str(folder), *how)
    if done.returncode:
        raise RuntimeError(done.stdout)
    calls = []
    cut = {}  # thread -> the call that another's line has cut in two
    for line in log.read_text(errors="replace").splitlines():
        found = re.match(r"(\d+) +(\w+)\((.*)", line)
        again = re.match(r"(\d+) +<\.\.\. \w+ resumed>(.*)", line)
        if found and line.endswith("<unfinished ...>"):
            cut[found.group(1)] = len(calls)
        if found:
            calls.append((found.group(1), found.group(2),
                          found.group(3).replace(" <unfinished ...>", "")))
        elif again and again.group(1) in cut:
            place = cut.pop(again.group(1))
            thread, name, rest = calls[place]
            calls[place] = (thread, name, rest + again.group(2))
    return calls


def points(calls):
    """(name, occurrence) of every call after the mark, occurrences counted from the start."""
    counts = {}
    first = {}  # (name, occurrence) -> the thread that comes to it first
    begun = False
    for thread, name, rest in calls:
        counts[thread, name] = counts.get((thread, name), 0) + 1
        point = name, counts[thread, name]
        if first.setdefault(point, thread) == thread and begun and name not in (
                "exit_group", "exit"):
            yield point
        begun = begun or BEGIN in rest


class Durability:
    """Watches a trace: what gets a name was synced, and `latest` moves after the snapshot's folder
    was synced, and after the ledger."""

    def __init__(self):
        self.problems = []
        self.dirty = {}       # path -> written and not synced
        self.unsynced = set()  # folders with a new name
        self.synced = set()
        self.volumes = False  # of an archive that has no name yet

    def folder(self, path):
        return path.rsplit("/", 1)[0]

    def watch(self, name, rest):
        where = re.match(r"\d+<([^>]*)>", rest)
        path = where.group(1).replace(" (deleted)", "") if where else ""
        failed = re.search(r"= -1 E", rest)
        if name == "openat" and REPORT in rest:
            self.report()
        if failed:
            return
        if name in ("write", "pwrite64"):
            self.dirty[path] = True
        elif name in ("fsync", "fdatasync"):
            self.synced.add(path)
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
            if not any(path.endswith("/snapshots") for path in self.synced):
                self.problems.append("latest moves without a sync of the snapshots' folder")
            if not any("/snapshots/" in path for path in self.synced):
                self.problems.append("latest moves without a sync of a snapshot")
            if any(path.endswith("/snapshots") for path in self.unsynced):
                self.problems.append("latest moves before the snapshot's name is durable")
            if any(path.endswith("/ledger.jsonl") for path in self.dirty):
                self.problems.append("latest moves before the ledger is durable")
        if ".vol-" in target:
            self.volumes = True
        elif target.endswith(".snap.tar"):
            if self.volumes and folder in self.unsynced:
                self.problems.append(f"{target} gets its name before its volumes are durable")
            self.volumes = False
        self.unsynced.add(folder)

    def report(self):
        """The caller is told that what it asked for is durable."""
        self.problems += [f"{path} is not durable when that is reported" for path in self.dirty
                          if "/" in path and not path.endswith("/events.jsonl")]
        self.problems += [f"names in {path} are not durable when that is reported"
                          for path in self.unsynced]

    def end(self):
        self.problems += [f"{path} is not durable in the end" for path in self.dirty
                          if not path.endswith(("stdout", "pipe")) and "/" in path
                          and not path.startswith(("pipe:", "/dev/"))]
        self.problems += [f"names in {path} are not durable in the end" for path in self.unsynced]
        return self.problems


def disorder(calls, without=()):
    """What is wrong in the order of a trace, from which calls are taken out."""
    durability = Durability()
    begun = False
    for place, (_, name, rest) in enumerate(calls):
        if begun and place not in without:
            durability.watch(name, rest)
        begun = begun or BEGIN in rest
    return durability.end()


def check_watch(tap, operation, calls):
    """A trace from which a sync is taken out must be noticed; but one may be missing where the
    same file or folder is synced another time, and then not all of these."""
    syncs = {}  # path -> places
    for place, (_, name, rest) in enumerate(calls):
        found = re.match(r"\d+<([^>]*)>.*= 0$", rest)
        if name == "fsync" and found:
            syncs.setdefault(found.group(1), []).append(place)
    missed = sum(bool(disorder(calls, [place])) for places in syncs.values() for place in places)
    alone = [path for path, places in syncs.items() if not disorder(calls, places)]
    print(f"# {operation}: {sum(map(len, syncs.values()))} fsyncs of {len(syncs)} files and "
          f"folders; {missed} are missed when taken out alone")
    tap.empty(alone, f"{operation}: a trace without the fsyncs of any file or folder is noticed")


def try_operation(tap, program, operation, every, work, reference):
    base = work / f"{operation}-base"
    base.mkdir()
    made = run(program, "prepare", operation, str(base))
    tap.ok(made.returncode == 0, f"{operation}: prepared")

    folder = work / "traced"
    shutil.copytree(base, folder)
    calls = trace(program, operation, folder, work / "log")
    shutil.rmtree(folder)
    tap.empty(disorder(calls), f"{operation}: bytes, names and latest are durable in this order")
    check_watch(tap, operation, calls)

    wrong = []
    chosen = list(points(calls))[::every]
    killed = 0
    for name, occurrence in chosen:
        shutil.copytree(base, folder)
        done = run("strace", "-f", "-qq", "-o", "/dev/null", "-e",
                   f"inject={name}:signal=KILL:when={occurrence}", program, "perform", operation,
                   str(folder))
        killed += done.returncode != 0
        judged = run(program, "judge", operation, str(folder), str(reference))
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
