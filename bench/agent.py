# SPDX-License-Identifier: Apache-2.0
"""Area `agent`: saving by and restarting from `snap serve`."""

import os
import subprocess
from contextlib import contextmanager

from figure import Figure, Goal, Measurement, NotMeasured
from saving import in_turn, newest, sizes
from surroundings import drop_from_cache
from worker import Worker, once


@contextmanager
def _agent(bench):
    """An agent of a new folder: (the folder, the environment of its trainings)."""
    root = bench.new_folder()
    agent = subprocess.Popen([bench.program("snap"), "serve", "--dir", str(root), "--memory", "1T"],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        line = agent.stdout.readline()
        if not line.startswith("serving "):
            raise NotMeasured(f"snap serve: {line.strip()}")
        yield root, {**os.environ, "SNAP_AGENT": str(root / ".snap-agent.sock")}
    finally:
        agent.terminate()
        agent.communicate()


def stall(bench):
    """For how long a save by the agent keeps the training."""
    copy = [bench.program("bench/bench_ideal"), "copy", str(bench.new_folder()), str(bench.bytes)]
    state = bench.program("bench/bench_state")
    with _agent(bench) as (root, env), \
            Worker([state, "save", str(root / "run"), *sizes(bench), "no-read-back"],
                   env) as ours, Worker(copy) as peer:
        mine, theirs = in_turn(bench, lambda: float(ours.ask("go")[1]), peer.go)
        _check_saved(root / "run")
    return Measurement(mine, theirs, "a copy of the same bytes in memory on all cores")


def _check_saved(run):
    if '"agent":true' not in (run / "events.jsonl").read_text("utf-8"):
        raise NotMeasured("the agent did not save: events.jsonl says why")


def restart(bench):
    """The run opened and restored from the agent's memory, against from a cold file."""
    state = bench.program("bench/bench_state")
    with _agent(bench) as (root, env):
        run = root / "run"
        command = [state, "save", str(run), *sizes(bench), "no-read-back"]
        worker = subprocess.run(command, env=env, input="go\n", check=False, text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if worker.returncode:
            raise NotMeasured(worker.stderr.strip())
        _check_saved(run)
        archive = newest(run, "snapshots/*.snap.tar")
        again = [state, "restart", str(run), *sizes(bench)]

        def cold():
            drop_from_cache(archive)
            return once(again, {**env, "SNAP_AGENT": ""})

        mine, theirs = in_turn(bench, lambda: once(again, env), cold)
        taken = (run / "events.jsonl").read_text("utf-8").count('"memory":true')
        if taken != len(mine) + 1:
            raise NotMeasured(f"{taken} of {len(mine) + 1} restarts were from memory")
    return Measurement(mine, theirs, "the same from the file, cold")


FIGURES = [
    Figure("agent", "stall of a save by the agent", Goal("ratio", 0.83), stall,
           conditions="staging warm; the agent hashes and writes between the turns"),
    Figure("agent", "restart from memory", Goal("ratio", 3.0), restart,
           conditions="new processes that hold a model as large; opening the run counts"),
]
