#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cut the power in the middle of each operation, and judge what the disk has.

power_cut.py PROGRAM [EVERY]    before each changing call, or each EVERYth of them; TAP

The disk is ext4 in a file, whose journal is written every 300 seconds and which gives no file bytes
of its own accord. The process is killed before a call, the file is copied at once as it is, and the
copy is mounted: what was not synced is not there. Then each fsync is taken out (strace answers 0 in
its place), to see which of them this disk needs; what it orders by itself, kill_points.py asks for.
As root with loop devices, else skipped.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "support"))
from kill_points import BEGIN, REPORT, run, trace  # noqa: E402
from tap import Tap  # noqa: E402

# What these write is not read back; else reading past the page cache has it written.
UNREAD = ("first", "save", "behind", "thin-save")
CHANGING = ("write", "pwrite64", "fsync", "linkat", "renameat", "renameat2", "unlinkat",
            "ftruncate", "fallocate", "mkdirat")
OPTIONS = "loop,commit=300,noauto_da_alloc"


class Disk:
    """A file system in a file, and what it is after a power cut."""

    def __init__(self, work):
        self.image, self.cut = work / "image", work / "cut"
        self.place, self.copy = work / "disk", work / "copy"
        for folder in (self.place, self.copy):
            folder.mkdir()
        self.mounted = False

    def make(self):
        with open(self.image, "wb") as file:
            file.truncate(12 << 20)
        made = run("mkfs.ext4", "-q", str(self.image))
        self.mounted = not made.returncode and not run(
            "mount", "-o", OPTIONS, str(self.image), str(self.place)).returncode
        return self.mounted

    def fresh(self, base):
        folder = self.place / "run"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        os.sync()
        return folder

    def judge(self, program, operation, reference, reported):
        """Cut now. What is wrong, or ''."""
        shutil.copyfile(self.image, self.cut)
        if run("mount", "-o", "loop", str(self.cut), str(self.copy)).returncode:
            return "the copy cannot be mounted"
        try:
            judged = run(program, "judge", operation, str(self.copy / "run"), str(reference),
                         str(reported))
        finally:
            subprocess.run(["umount", str(self.copy)], check=True)
        return judged.stdout.strip() if judged.returncode else ""

    def end(self):
        if self.mounted:
            subprocess.run(["umount", str(self.place)], check=True)


def points(calls):
    """(name, occurrence, reported) of every changing call after the mark and of the one after each
    report; reported: the step that was, before it."""
    counts, first = {}, {}
    begun, after_report, reported = False, False, 0
    for thread, name, rest in calls:
        counts[thread, name] = counts.get((thread, name), 0) + 1
        mine = first.setdefault((name, counts[thread, name]), thread) == thread
        if begun and mine and (name in CHANGING or after_report) and not name.startswith("exit"):
            yield name, counts[thread, name], reported
            after_report = False
        begun = begun or BEGIN in rest
        if begun and name == "openat" and REPORT in rest:
            reported = int(rest.split(REPORT)[1].split('"')[0])
            after_report = True


def perform(program, operation, folder, *injected):
    options = [word for one in injected for word in ("-e", f"inject={one}")]
    return run("strace", "-f", "-qq", "-o", "/dev/null", *options, program, "perform", operation,
               str(folder), "unread")


def take_out_syncs(disk, program, operation, base, reference, chosen):
    """The fsyncs that were taken out and missed at one of the cuts after them; and all."""
    missed = set()
    syncs = [occurrence for name, occurrence, _ in chosen if name == "fsync"]
    places = [point[:2] for point in chosen]
    for sync in syncs:
        later = chosen[places.index(("fsync", sync)) + 1:]
        for name, occurrence, reported in reversed(later):
            if name == "fsync" or sync in missed:
                continue
            folder = disk.fresh(base)
            perform(program, operation, folder, f"fsync:retval=0:when={sync}",
                    f"{name}:signal=KILL:when={occurrence}")
            if disk.judge(program, operation, reference, reported):
                missed.add(sync)
    return missed, syncs


def try_operation(tap, disk, program, operation, every, work, reference):
    base = work / f"{operation}-base"
    base.mkdir()
    made = run(program, "prepare", operation, str(base))
    tap.ok(made.returncode == 0, f"{operation}: prepared")
    chosen = list(points(trace(program, operation, disk.fresh(base), work / "log", "unread")))
    wrong = []
    for name, occurrence, reported in chosen[::every] + chosen[-1:]:
        folder = disk.fresh(base)
        perform(program, operation, folder, f"{name}:signal=KILL:when={occurrence}")
        problem = disk.judge(program, operation, reference, reported)
        if problem:
            wrong.append(f"cut before {name} {occurrence}: {problem}")
    print(f"# {operation}: {len(chosen[::every]) + 1} power cuts", flush=True)
    tap.empty(wrong, f"{operation}: old or new after each power cut, and what was reported")
    if every == 1 and operation in UNREAD:
        missed, syncs = take_out_syncs(disk, program, operation, base, reference, chosen)
        print(f"# {operation}: {len(syncs)} fsyncs taken out in turn, {len(missed)} missed: "
              f"{sorted(missed)} of {syncs}", flush=True)
        tap.ok(missed, f"{operation}: an fsync that is taken out is missed")


def main():
    program = os.path.abspath(sys.argv[1])
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="snap-power-") as name:
        work = Path(name)
        disk = Disk(work)
        os.chdir(work)
        if (os.geteuid() or shutil.which("strace") is None or shutil.which("mkfs.ext4") is None or
                run("strace", "-o", "/dev/null", "true").returncode or not disk.make()):
            tap.skip("the power is cut", "no root, no loop device with ext4, or no strace")
            return tap.done()
        try:
            reference = work / "reference"
            reference.mkdir()
            run(program, "reference", str(reference))
            for operation in run(program, "list").stdout.split():
                try_operation(tap, disk, program, operation, every, work, reference)
        finally:
            os.chdir("/")
            disk.end()
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
