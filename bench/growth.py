#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How saving and reading grow with bytes, tensors and cores: a table in Markdown on standard
output, and, with --plot, a picture of it (which needs matplotlib).

    bench/growth.py [--runs 3] [--most-bytes 8589934592] [--plot docs/growth.svg]
"""

import argparse
import os
import statistics
from pathlib import Path

from saving import newest
from surroundings import TOP, Bench, machine, read_into_cache, settle
from worker import Worker, once

GIB = 1 << 30
LARGE_TENSOR = GIB // 5
COLUMNS = ["save", "save, read back", "load", "restore", "verify"]


def on_cores(command, cores):
    """The same on the first `cores` processors."""
    chosen = sorted(os.sched_getaffinity(0))[:cores]
    return ["taskset", "--cpu-list", ",".join(map(str, chosen)), *command]


def measure(bench, size, tensors, cores):
    """Seconds of each column: medians, files read from the page cache."""
    program = bench.program("bench/bench_state")
    state = [str(size), str(tensors)]
    seconds = {}
    for way, column in (("read-back", COLUMNS[1]), ("no-read-back", COLUMNS[0])):
        folder = bench.new_folder()
        with Worker(on_cores([program, "save", str(folder), *state, way], cores)) as worker:
            worker.go()
            taken = []
            for _ in range(bench.runs):
                settle()
                taken.append(worker.go())
        seconds[column] = statistics.median(taken)
        archive = newest(folder, "snapshots/*.snap.tar")
        if way == "read-back":
            archive.unlink()
    read_into_cache(archive)
    for verb in COLUMNS[2:]:
        command = on_cores([program, verb, str(archive), *state], cores)
        seconds[verb] = statistics.median(once(command) for _ in range(bench.runs))
    archive.unlink()
    return [seconds[column] for column in COLUMNS]


def points(most_bytes):
    """What is varied, and each point: bytes, tensors, cores."""
    cores = len(os.sched_getaffinity(0))
    size = 1 << 24
    while size <= most_bytes:
        yield "bytes", (size, 200, cores)
        size *= 4
    if most_bytes > size // 4:
        yield "bytes", (most_bytes, max(1, most_bytes // LARGE_TENSOR), cores)
    for tensors in (10, 100, 1000, 10_000):
        yield "tensors", (GIB, tensors, cores)
    count = 1
    while count <= cores:
        yield "cores", (GIB, 200, count)
        count *= 2


def plot(rows, path):
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    matplotlib.rcParams["svg.hashsalt"] = "growth"
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
    for axis, varied in zip(axes, ("bytes", "tensors", "cores")):
        chosen = [(point, seconds) for kind, point, seconds in rows if kind == varied]
        along = [point[("bytes", "tensors", "cores").index(varied)] for point, _ in chosen]
        for column, name in enumerate(COLUMNS):
            rates = [point[0] / seconds[column] / 1e9 for point, seconds in chosen]
            axis.plot(along, rates, marker="o", markersize=3, label=name)
        axis.set_xlabel(varied)
        axis.set_ylabel("GB/s")
        axis.set_ylim(bottom=0)
        if varied == "cores":
            axis.set_xticks(along)
        else:
            axis.set_xscale("log")
    axes[0].legend(fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each point (3)")
    parser.add_argument("--most-bytes", type=int, default=4 * GIB,
                        help="of the largest state (4 GiB), which past the usual sizes has tensors "
                             "of a fifth of a GiB; twice that must fit in memory")
    parser.add_argument("--folder", metavar="DIR", help="measure on its file system")
    parser.add_argument("--build", metavar="DIR", default=str(TOP), help="the build tree")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="an SVG of the rates")
    options = parser.parse_args()
    options.bytes, options.tensors, options.peers, options.cuda = GIB, 200, None, 0
    here = machine()
    print(f"{here['cpu']}, {here['cores']} cores, {here['memory_bytes'] >> 30} GiB, Linux "
          f"{here['kernel']}; GB/s, medians of {options.runs} runs\n")
    print("| bytes | tensors | cores | " + " | ".join(COLUMNS) + " |")
    print("|---" * (3 + len(COLUMNS)) + "|")
    rows = []
    with Bench(options) as bench:
        for varied, point in points(options.most_bytes):
            seconds = measure(bench, *point)
            rows.append((varied, point, seconds))
            rates = " | ".join(f"{point[0] / taken / 1e9:.2f}" for taken in seconds)
            print(f"| {point[0] >> 20} MiB | {point[1]:,} | {point[2]} | {rates} |", flush=True)
    if options.plot is not None:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
