# SPDX-License-Identifier: Apache-2.0
"""What whole stories cost: a page about ten long runs; finding where two long runs part."""

import json
import subprocess
import time

from figure import Differs, Figure, Goal, Measurement, NotMeasured
from story_runs import train_run, write_run
from surroundings import drop_from_cache, settle

RUNS = 10
STEPS = 100_000
PAGE_BYTES_MOST = 2_000_000
PARTING_STEPS = 10_000
SNAPSHOTS = 100

_folders = {}  # of each bench: ten runs are made once


def _runs(bench):
    """Ten runs; a state smaller than usual asks for as much shorter ones."""
    if bench not in _folders:
        steps = max(10, min(STEPS, STEPS * bench.bytes >> 30))
        parent = bench.new_folder()
        _folders[bench] = [parent / f"run-{seed}" for seed in range(RUNS)]
        for seed, folder in enumerate(_folders[bench]):
            write_run(folder, steps, seed)
    return _folders[bench]


def _report(bench, folders, page):
    began = time.perf_counter()
    done = subprocess.run([bench.program("snap"), "report", *map(str, folders), "-o", str(page)],
                          check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - began
    if done.returncode != 0:
        raise NotMeasured(f"snap report: {done.stderr.decode().strip()}")
    if page.stat().st_size > PAGE_BYTES_MOST:
        raise Differs(f"the page has {page.stat().st_size} bytes, more than {PAGE_BYTES_MOST}")
    return seconds


def report_cold(bench):
    folders, page = _runs(bench), bench.new_folder() / "report.html"
    seconds = []
    for _ in range(bench.runs):
        for folder in folders:
            (folder / "metrics.index").unlink(missing_ok=True)
            drop_from_cache(folder / "ledger.jsonl")
        settle()
        seconds.append(_report(bench, folders, page))
    return Measurement(seconds)


def report_indexed(bench):
    folders, page = _runs(bench), bench.new_folder() / "report.html"
    _report(bench, folders, page)
    return Measurement([_report(bench, folders, page) for _ in range(bench.runs)])


def bisect_stretches(bench):
    """The second run's learning rate is cut in the middle of a stretch between two snapshots."""
    share = min(bench.bytes / (1 << 30), 1)
    snapshots = max(10, int(SNAPSHOTS * share))
    every = PARTING_STEPS // SNAPSHOTS if share == 1 else 10
    steps = snapshots * every
    parent = bench.new_folder()
    for name, cut in (("a", steps), ("b", steps // 2 + every // 2)):
        train_run(bench.program("snap"), parent / name, steps, every, cut)
    done = subprocess.run([bench.program("snap"), "bisect", str(parent / "a"), str(parent / "b"),
                           "--json"], check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found = json.loads(done.stdout)["result"]
    if found is None or found["operation"] is None:
        raise NotMeasured(f"snap bisect: {done.stderr.decode().strip() or 'names no operator'}")
    if found["snapshots"]["common"] != snapshots:
        raise Differs(f"there are {found['snapshots']['common']} snapshots, and not {snapshots}")
    repeated = max(stretch["last"] - stretch["first"] for stretch in found["stretches"])
    if repeated > every:
        raise Differs(f"a stretch of {repeated} steps was made again; snapshots are {every} apart")
    return Measurement([len(found["stretches"])])


_TEN = "ten ledgers of 100,000 steps, 74 MB each; the page is under 2 MB"
FIGURES = [
    Figure("story", "report of ten runs of 100,000 steps, cold", Goal("most", 10), report_cold,
           conditions=f"{_TEN}; no index, ledgers not in the page cache"),
    Figure("story", "report of ten runs of 100,000 steps, indexed", Goal("most", 2),
           report_indexed, conditions=f"{_TEN}; the second report"),
    Figure("story", "stretches made again by bisect", Goal("most", 2), bisect_stretches,
           unit="stretches", conditions="two runs of 10,000 steps and 100 snapshots, whose configs "
           "part in the middle; none is longer than from one snapshot to the next"),
]
