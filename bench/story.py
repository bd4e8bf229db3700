# SPDX-License-Identifier: Apache-2.0
"""What whole stories cost: a page about ten long runs."""

import subprocess
import time

from figure import Differs, Figure, Goal, Measurement, NotMeasured
from story_runs import write_run
from surroundings import drop_from_cache, settle

RUNS = 10
STEPS = 100_000
PAGE_BYTES_MOST = 2_000_000

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


_TEN = "ten ledgers of 100,000 steps, 74 MB each; the page is under 2 MB"
FIGURES = [
    Figure("story", "report of ten runs of 100,000 steps, cold", Goal("most", 10), report_cold,
           conditions=f"{_TEN}; no index, ledgers not in the page cache"),
    Figure("story", "report of ten runs of 100,000 steps, indexed", Goal("most", 2),
           report_indexed, conditions=f"{_TEN}; the second report"),
]
