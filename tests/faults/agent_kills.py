#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kill a training, its agent, or both, before each system call of a save in turn, and judge.

agent_kills.py SNAP CONFIG [MOST]    each (who, call, occurrence), or MOST of them, spread; TAP

The points come from a dry run under strace, as in kill_points.py. After the kill of a training the
agent finishes what it was given, and the run is gone on with at once; after the kill of an agent
the training goes on by itself, and a new agent takes its place; where both are killed, the agent is
as soon as the training is dead. Each time: what was told to be saved is there, and the run ends
with the ledger and the `latest` of the run that nobody disturbed.
"""

import atexit
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.join(os.environ["top_srcdir"], "tests", "support"))
from tap import Tap  # noqa: E402

BEGUN = 6     # steps of the run that every point begins from
WAIT_S = 120  # for what takes a second
# What a process does by itself, at any time and any number of times, is no stage of a save.
IDLE = {"futex", "restart_syscall", "sched_yield", "exit", "exit_group", "rt_sigprocmask",
        "clock_nanosleep", "poll", "munmap", "mprotect", "brk", "madvise", "rseq",
        "set_robust_list", "prlimit64", "gettid", "getrandom"}


def start(command, **options):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            **options)


class Agent:
    """An agent of a folder, perhaps under strace."""

    def __init__(self, snap, root, *how):
        self.process = start([*how, snap, "serve", "--dir", str(root), "--threads", "1"])
        atexit.register(self.process.kill)  # of a test that dies; else it has ended
        line = self.process.stdout.readline()
        if not line.startswith("serving "):
            raise RuntimeError(f"no agent: {line}")

    def stop(self):
        if self.process.poll() is None:
            pid = self.process.pid
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for one in children or [pid]:  # the child of strace is the agent
                os.kill(int(one), signal.SIGTERM)
        return self.process.communicate(timeout=WAIT_S)[0]


def points_of(log, begin):
    """(call, occurrence) of the calls behind the first that `begin` is found in. strace counts for
    each thread from its start, so that a point is of the thread that comes to it first."""
    counts, seen, found, begun = {}, set(), [], False
    for line in log.read_text(errors="replace").splitlines():
        call = re.match(r"(\d+) +(\w+)\(", line)
        if not call:
            continue
        thread, name = call.groups()
        counts[thread, name] = counts.get((thread, name), 0) + 1
        begun = begun or begin in line
        point = name, counts[thread, name]
        if begun and name not in IDLE and point not in seen:
            found.append(point)
        seen.add(point)
    return found


class Story:
    def __init__(self, snap, config, work):
        self.snap, self.config, self.work = snap, config, work
        self.plain = work / "plain"
        self.base = work / "base"
        self.root = work / "root"

    def prepare(self):
        """The undisturbed run, and one that has made its first steps and snapshots."""
        subprocess.run([self.snap, "run", self.config, "--dir", self.plain], check=True,
                       stdout=subprocess.DEVNULL)
        self.base.mkdir()
        subprocess.run([self.snap, "run", self.config, "--dir", self.base / "run", "--steps",
                        str(BEGUN)], check=True, stdout=subprocess.DEVNULL)

    def begin(self):
        if self.root.exists():
            shutil.rmtree(self.root)
        shutil.copytree(self.base, self.root)

    def train(self, *how):
        """Go on to the end: (exit status, output)."""
        done = subprocess.run([*how, self.snap, "restore", str(self.root / "run")], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=WAIT_S)
        return done.returncode, done.stdout

    def told(self, output):
        """What was said to be saved, and is not there so: one line each."""
        for step, name, digits in re.findall(
                r"step +(\d+)  saved (\S+)  (snap1:[0-9a-f]{8})\.\.\.", output):
            path = self.root / "run" / "snapshots" / name
            shown = subprocess.run([self.snap, "hash", path], check=False, text=True,
                                   stdout=subprocess.PIPE).stdout
            if digits not in shown:
                yield f"step {step} was told to be saved as {digits}, and is {shown or 'not there'}"

    def ended(self):
        """In what the run is not the undisturbed one."""
        for name in ("ledger.jsonl", "latest"):  # which has the hash of the last snapshot
            try:
                same = (self.root / "run" / name).read_bytes() == (self.plain / name).read_bytes()
            except OSError:
                same = False
            if not same:
                yield f"{name} is another than that of the undisturbed run"
        judged = subprocess.run([self.snap, "verify", self.root / "run"], check=False, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if judged.returncode:
            yield f"it is not sound: {judged.stdout}"
        left = [path.name for path in (self.root / "run").rglob(".*.tmp-*")]
        if left:
            yield f"left over: {left}"


def list_points(story, log):
    """Of the training, and of the agent: [(who, call, occurrence)]."""
    trace = ["strace", "-f", "-qq", "-o", str(log)]
    story.begin()
    agent = Agent(story.snap, story.root)
    story.train(*trace)
    agent.stop()
    training = points_of(log, "memfd_create")
    story.begin()
    agent = Agent(story.snap, story.root, *trace)
    story.train()
    agent.stop()
    agents = points_of(log, "accept4(")
    return ([("training", *point) for point in training] + [("agent", *point) for point in agents] +
            [("both", *point) for point in training])


def inject(name, occurrence):
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e",
            f"inject={name}:signal=KILL:when={occurrence}"]


def kill_training(story, name, occurrence, agent_too=False):
    """(was it killed, what is wrong)"""
    agent = Agent(story.snap, story.root)
    status, output = story.train(*inject(name, occurrence))
    if agent_too:
        agent.process.kill()
        agent.process.communicate()
        agent = Agent(story.snap, story.root)
    wrong = list(story.told(output))
    again, more = story.train()  # at once: the agent may be saving
    wrong += [f"the run does not go on: {more}"] if again else []
    wrong += story.ended()
    said = agent.stop()
    wrong += [line for line in said.splitlines() if "NOT saved" in line]
    return status != 0, wrong


def kill_both(story, name, occurrence):
    return kill_training(story, name, occurrence, agent_too=True)


def kill_agent(story, name, occurrence):
    agent = Agent(story.snap, story.root, *inject(name, occurrence))
    status, output = story.train()
    wrong = [f"the training ended with {status}: {output}"] if status else []
    wrong += list(story.told(output)) + list(story.ended())
    killed = agent.process.poll() is not None or "NOT" in output or "by itself" in output
    if killed and output.count("the training saves by itself") != 1:
        wrong.append(f"the training does not say so once: {output}")
    agent.stop()
    again = Agent(story.snap, story.root)
    status, output = story.train()
    wrong += [f"the run is not opened again: {output}"] if status else []
    wrong += [] if "by itself" not in output else ["the new agent does not save"]
    again.stop()
    return killed, wrong


def spread(points, most):
    if most is None or most >= len(points):
        return points
    return [points[i * len(points) // most] for i in range(most)]


def main():
    snap, config = map(os.path.abspath, sys.argv[1:3])
    most = int(sys.argv[3]) if len(sys.argv) > 3 else None
    tap = Tap()
    if shutil.which("strace") is None or subprocess.run(
            ["strace", "-o", "/dev/null", "true"], check=False).returncode:
        tap.skip("trainings and agents are killed", "strace is not there, or may not trace")
        return tap.done()
    os.environ.pop("SNAP_AGENT", None)
    with tempfile.TemporaryDirectory(prefix="snap-agent-") as name:
        story = Story(snap, config, Path(name).resolve())
        story.prepare()
        points = list_points(story, Path(name) / "log")
        chosen = spread(points, most)
        judges = {"training": kill_training, "agent": kill_agent, "both": kill_both}
        killed, saves, wrong, began = dict.fromkeys(judges, 0), 0, [], time.monotonic()
        for who, call, occurrence in chosen:
            story.begin()
            was_killed, found = judges[who](story, call, occurrence)
            killed[who] += was_killed
            saves += len(list((story.root / "run" / "snapshots").glob("*.snap.tar")))
            wrong += [f"{who} killed before {call} {occurrence}: {line}" for line in found]
        print(f"# {len(chosen)} of {len(points)} points, {killed['training']} kills of trainings, "
              f"{killed['agent']} of agents, {killed['both']} of both, {saves} snapshots, "
              f"{time.monotonic() - began:.0f} s", flush=True)
        tap.empty(wrong, "what was told is there, and the run ends as if nobody had been killed")
        tap.ok(sum(killed.values()) >= len(chosen) * 8 // 10 and all(killed.values()),
               "nearly every point was a kill, of each")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
