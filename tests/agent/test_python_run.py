#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A training in Python beside an agent: the agent saves, is found by option, environment and place,
and when it is killed the training saves by itself, with one warning, to the same ledger."""

import json
import os
import random
import sys
import tempfile
import warnings
from pathlib import Path

TOP = Path(os.environ["top_srcdir"])
sys.path[:0] = [str(TOP / "tests" / "support"), str(TOP / "python")]
from agent_client import Agent  # noqa: E402
from tap import Tap  # noqa: E402

import snapstate  # noqa: E402

SNAP = os.environ["SNAP"]


def train(folder, steps, at=None, do=None, **options):
    """Steps of a training whose state is a number and Python's generator; (warnings, number)."""
    random.seed(1)
    state = {"total": 0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with snapstate.Run(folder, values=state, every=2, profile="none", **options) as run:
            for step in run.steps(steps):
                state["total"] += random.randrange(1000)
                run.step(loss=float(state["total"]))
                if step == at:
                    run.wait()
                    do()
            run.finish()
    return [str(one.message) for one in caught if "agent" in str(one.message)], state["total"]


def saves(folder):
    """(by the agent, all)"""
    events = [json.loads(line) for line in (Path(folder) / "events.jsonl").read_text().splitlines()]
    made = [event for event in events if event["event"] == "save"]
    return sum("agent" in event for event in made), len(made)


def main():
    tap = Tap()
    os.environ["SNAP_AGENT"] = ""
    with tempfile.TemporaryDirectory(prefix="snap-agent-") as name:
        root = Path(name).resolve() / "root"
        root.mkdir()
        said, total = train(Path(name) / "plain", 6)
        tap.ok(said == [], "without an agent nothing is said of one", said)
        ledger = (Path(name) / "plain" / "ledger.jsonl").read_bytes()
        agent = Agent(SNAP, root)
        sock = str(root / ".snap-agent.sock")

        said, again = train(root / "option", 6, agent=sock)
        tap.ok(saves(root / "option") == (3, 3) and said == [], "the agent of the option saves",
               saves(root / "option"), said)
        tap.ok(again == total and (root / "option" / "ledger.jsonl").read_bytes() == ledger,
               "and the training is the same")
        os.environ["SNAP_AGENT"] = sock
        train(root / "named", 6)
        tap.ok(saves(root / "named") == (3, 3), "the one of SNAP_AGENT does", saves(root / "named"))
        del os.environ["SNAP_AGENT"]
        (root / "deep").mkdir()
        train(root / "deep" / "down", 6)
        tap.ok(saves(root / "deep" / "down") == (3, 3), "the one of a folder above does",
               saves(root / "deep" / "down"))
        train(root / "none", 6, agent="")
        tap.ok(saves(root / "none") == (0, 3), "none does where none is wanted")

        said, again = train(root / "killed", 6, at=3, do=agent.kill)
        tap.ok(saves(root / "killed") == (1, 3), "the training saves when the agent is killed",
               saves(root / "killed"))
        tap.ok(len(said) == 1 and "the training saves by itself" in said[0], "and says so once",
               *said)
        tap.ok(again == total and (root / "killed" / "ledger.jsonl").read_bytes() == ledger,
               "and is the same")
        agent = Agent(SNAP, root)
        said, again = train(root / "killed", 8)
        tap.ok(saves(root / "killed") == (2, 4) and said == [], "the next agent saves again",
               saves(root / "killed"), said)
        status, said = agent.stop()
        tap.ok(status == 0, "the agent ends well", said)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
