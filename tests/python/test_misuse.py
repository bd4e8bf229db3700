#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls that are wrong are told so in one line, before anything is begun; and what a run leaves in
the processes that are forked from it."""

import itertools
import os
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]

from raises import fails  # noqa: E402
from tap import Tap  # noqa: E402

import snapstate  # noqa: E402

ARGUMENTS = [
    ({"every": -1}, r"every -1: it is a whole number from 0 to 2\^53"),
    ({"every": "5"}, "every '5': it is a whole number"),
    ({"every": 2**64}, "every 18446744073709551616: it is a whole number"),
    ({"every": True}, "every True: it is a whole number"),
    ({"state_every": None}, "state_every None: it is a whole number"),
    ({"data": "train.bin"}, "data: a str is no dict of paths by name"),
    ({"streams": [1]}, "streams: a list is no dict of generators by name"),
    ({"training": [1]}, "training: a list is no dict of plain values by name"),
    ({"training": {"a": [{"lr": 0.1}]}}, r"training\.a\[0\]\.lr: 0\.1 is a real, .*text, \"0\.1\""),
    ({"training": {1: 2}}, "training: the key 1 is no text"),
    ({"training": {"a": 2**53 + 1}}, r"training\.a: 9007199254740993 is past 2\^53"),
    ({"training": {"a": b""}}, r"training\.a: a bytes has no form in JSON"),
    ({"optimizer": "adam"}, r"optimizer: a builtins\.str has no step\(\): give the object"),
    ({"optimizer": dict}, r"optimizer: is the class builtins\.dict: give an object of it"),
    ({"model": dict}, r"model: is the class builtins\.dict: give an object of it"),
    ({"require": "all"}, "require 'all': it is \"exact\""),
]


def arguments(tap, work):
    for options, pattern in ARGUMENTS:
        fails(tap, snapstate.InvalidError, pattern, str(options), snapstate.Run, work / "run",
              **options)
    tap.ok(not (work / "run").exists(), "no folder was made for them")
    folder = "is a folder, and no archive: name the file"
    fails(tap, snapstate.InvalidError, folder, "a folder as an archive", snapstate.Archive, work)
    fails(tap, snapstate.InvalidError, folder, "or to begin from", snapstate.Run, work / "run",
          archive=work)
    fails(tap, snapstate.InvalidError, "its folder is empty", "no name", snapstate.Run, "")
    (work / "file").write_text("")
    fails(tap, snapstate.EnvironmentFailure, "file/run: make the folder that it lies in: there is "
          "a file of that name", "a folder in a file", snapstate.Run, work / "file" / "run")
    fails(tap, snapstate.InvalidError, r"extra\.a: a str is no bytes", "extra that is text",
          snapstate.save, work / "a.snap.tar", extra={"a": "text"})
    fails(tap, snapstate.InvalidError, "step -1: it is a whole number", "a step below 0",
          snapstate.save, work / "a.snap.tar", step=-1)
    os.mkfifo(work / "pipe")
    fails(tap, snapstate.InvalidError, "save pipe there: it is no regular file", "onto a pipe",
          snapstate.save, work / "pipe", values={"a": 1})
    tap.ok(stat.S_ISFIFO(os.stat(work / "pipe").st_mode), "which is still there")
    tap.ok(sorted(os.listdir(work)) == ["file", "pipe"], "nothing else was left behind",
           os.listdir(work))


def calls(tap, work):
    with snapstate.Run(work / "calls", values={"a": 1}) as run:
        fails(tap, snapstate.InvalidError, "step: record: none is under way", "no step", run.step)
        fails(tap, snapstate.InvalidError, "step 1: step.. was not called in the body",
              "a loop that does not call step()", list, itertools.islice(run.steps(3), 9))
    run = snapstate.Run(work / "closed", values={"a": 1})
    run.restore()
    run.close()
    fails(tap, snapstate.InvalidError, "closed: the run is not open in this process", "closed",
          run.save)
    run.close()
    with snapstate.Run(work / "order", values={"a": 1}) as run:
        for _ in run.steps(3):
            run.step()
        tap.ok(run.steps_done == 3, "a loop that calls it")


def not_given(tap, work):
    """What an archive has, and who restores it did not give."""
    path = work / "a.snap.tar"
    snapstate.save(path, values={"a": 1})
    fails(tap, snapstate.AbsentError, "a.snap.tar: values: is in the archive, and was not given: "
          "give it as values=", "values that were not given", snapstate.restore, path)
    tap.ok(snapstate.restore(path, ignore=["values"]).complete, "but for what is passed over")
    with snapstate.Run(work / "run", loader=[1, 2, 3]) as run:
        for _ in run.batches(steps=2):
            run.step()
    with snapstate.Run(work / "run") as run:
        fails(tap, snapstate.AbsentError, "step-0000000002.snap.tar: loader: is in the archive, "
              "and was not given: give it as loader=", "a loader that was not given", run.begin)


def forked(tap, work):
    """A child that is made inside the loop ends by SIGTERM, and does nothing to the run."""
    def child():
        try:
            run.save()
        except snapstate.InvalidError:
            os.write(write_end, b"refused")
        os.kill(os.getpid(), signal.SIGINT)  # of the keyboard: the parent's
        os.write(write_end, b", alive")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    read_end, write_end = os.pipe()
    with snapstate.Run(work / "forked", values={"a": 1}) as run:
        for number in run.steps(3):
            run.step()
            if number == 2:
                pid = os.fork()
                if pid == 0:
                    try:
                        child()
                    finally:
                        os._exit(1)
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            said = pipe.read()
        tap.ok(said == "refused, alive" and status == -signal.SIGTERM,
               "a forked child leaves the run alone, and ends by SIGTERM", said, status)
        tap.ok(run.steps_done == 3, "the run goes on")


def main():
    tap = Tap()
    for part in (arguments, calls, not_given, forked):
        with tempfile.TemporaryDirectory() as name:
            part(tap, Path(name))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
