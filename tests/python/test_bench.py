#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The harness of the figures, over a state of a megabyte: every figure is measured or says why not,
and what it writes obeys its schema. No time is judged here, but the judge is."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("top_builddir", TOP))
for room in ("tests/support", "tests/schema", "bench"):
    sys.path.insert(0, str(TOP / room))

import streams  # noqa: E402
from figure import Differs, Figure, Goal, Measurement, Result  # noqa: E402
from tap import Tap  # noqa: E402


def run(*arguments):
    return subprocess.run([sys.executable, TOP / "bench" / "bench.py", "--build", BUILD,
                           *map(str, arguments)], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def status(goal, ours, peer=None):
    figure = Figure("area", "name", goal, measure=None)
    result = Result(figure, Measurement(ours, peer, "peer" if peer else None))
    return result.status


def check_judge(tap):
    twice = Goal("ratio", 2.0)
    tap.ok(status(twice, [1.0], [2.0]) == "met", "at the goal is met")
    tap.ok(status(twice, [1.0], [1.96]) == "met", "a little below it is met")
    tap.ok(status(twice, [1.0], [1.94]) == "short", "further below it is short")
    tap.ok(status(twice, [1, 1, 9], [3, 3, 1]) == "met", "the median of the ratios decides")
    tap.ok(status(twice, [1, 1, 9], [1, 3, 1]) == "short", "and not the best of them")
    most = Goal("most", 200.0)
    tap.ok(status(most, [100, 200, 900]) == "met", "at most so much is met at that much")
    tap.ok(status(most, [100, 201, 900]) == "short", "and short above it")
    missing = Result(Figure("area", "name", twice, measure=None), None, "no peer")
    tap.ok(missing.status == "not measured" and "no peer" in missing.line(),
           "a figure that could not be had says why")


class Parrot:
    """A bench of two sides that answer each request with what was put down for them."""

    runs = 2

    def __init__(self, ours, peer):
        self.answers = {"ours": ours, "peer": peer}

    def program(self, name):
        return "ours"

    def python(self, module):
        return "peer"

    def worker(self, side, *unused):
        return Side(self.answers[side])


class Side:
    def __init__(self, answers):
        self.answers = iter(answers)

    def ask(self, request):
        return next(self.answers)


def check_same_numbers(tap):
    """A stream's figure is one only when both sides made the same numbers in every run."""
    measure = streams.FIGURES[0].measure
    ours = [["9", "aa"], ["1", "bb"], ["2", "cc"]]
    share = 1e9 / streams.COUNT
    made = measure(Parrot(ours, [["9", "aa"], ["3", "bb"], ["4", "cc"]]))
    tap.ok((made.ours, made.peer) == ([share, 2 * share], [3 * share, 4 * share]),
           "equal numbers are measured, the first run not counted")
    try:
        measure(Parrot(ours, [["9", "aa"], ["3", "bb"], ["4", "cd"]]))
        tap.ok(False, "other numbers are no figure")
    except Differs as problem:
        tap.ok(str(streams.SEED + 2) in str(problem), "other numbers are no figure", str(problem))


def check_document(tap, document, output):
    listed = run("--list").stdout.splitlines()
    figures = document["figures"]
    tap.ok(len(figures) == len(listed) > 5, "every figure of the table is there",
           f"{len(figures)} of {len(listed)}")
    for figure, line in zip(figures, listed):
        title = f"{figure['area']}, {figure['name']}"
        tap.ok(re.match(rf"{figure['area']} +{re.escape(figure['name'])} ", line),
               f"{title}: is the one of the table")
        tap.ok(figure["status"] != "not measured" or figure["reason"],
               f"{title}: is measured, or it is said why not")
        tap.ok(figure["status"] != "differs", f"{title}: both sides made the same",
               figure["reason"] or "")
        tap.ok(f"{figure['area']:<11}{figure['name']}" in output, f"{title}: has its line")
    ours = [figure for figure in figures if figure["area"] == "storage"
            and figure["peer_name"] is not None and "OpenSSL" in figure["peer_name"]]
    tap.ok(ours, "what needs no peer that is installed was measured")


def main():
    tap = Tap()
    check_judge(tap)
    check_same_numbers(tap)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        done = run("--bytes", 1 << 20, "--tensors", 5, "--runs", 1, "--folder", folder,
                   "--json", file)
        tap.ok(done.returncode in (0, 1) and not done.stderr, "the harness runs",
               f"exit {done.returncode}", done.stderr)
        if not file.exists():
            return tap.done()
        data = file.read_bytes()
        tap.ok(os.listdir(folder) == ["result.json"], "and removes what it made")
    check_document(tap, json.loads(data), done.stdout)
    try:
        import validate
        checker = validate.validator("bench-result", validate.all_schemas())
        tap.empty(validate.problems(checker, validate.parse(data.decode())),
                  "the result obeys its schema")
    except ImportError:
        tap.skip("the result obeys its schema", "no jsonschema for Python")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
