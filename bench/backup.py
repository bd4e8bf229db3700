# SPDX-License-Identifier: Apache-2.0
"""Durable saves against backup programs that hash: the state as a file, into a new repository."""

import os
import subprocess
import time

from figure import Measurement, NotMeasured
from saving import PEER, in_turn, newest, sizes
from worker import Worker


def _run(command, environment):
    done = subprocess.run(list(map(str, command)), env=environment, check=False, text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise NotMeasured(f"{command[0]}: {last[0]}")


def _state_file(bench):
    folder = bench.new_folder()
    with Worker([bench.python("torch"), PEER, "save", str(folder), *sizes(bench)]) as peer:
        peer.go()
    return newest(folder, "*.pt")


def _compare(bench, command, program, commands):
    """`commands(program, repository, file)`: how a repository is made, and how it is filled."""
    path = bench.tool(program)
    file = _state_file(bench)
    # Nothing is encrypted where that can be turned off; no cache outlives the run.
    environment = {**os.environ, "RESTIC_PASSWORD": "bench", "HOME": str(bench.new_folder()),
                   "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}

    def fill():
        repository = bench.new_folder() / "repository"
        make, backup = commands(path, repository, file)
        _run(make, environment)
        began = time.perf_counter()
        _run(backup, environment)
        seconds = time.perf_counter() - began
        subprocess.run(["rm", "-r", str(repository)], check=True)
        return seconds

    with Worker(command(bench.new_folder())) as ours:
        mine, theirs = in_turn(bench, ours.go, fill)
    return Measurement(mine, theirs, f"{program} of the same state in a file in the page cache")


def _borg(program, repository, file):
    return ([program, "init", "--encryption", "none", repository],
            [program, "create", "--compression", "none", f"{repository}::state", file])


def _restic(program, repository, file):
    return ([program, "init", "--repo", repository],
            [program, "backup", "--repo", repository, "--compression", "off", file])


def against_borg(bench, command):
    return _compare(bench, command, "borg", _borg)


def against_restic(bench, command):
    return _compare(bench, command, "restic", _restic)
