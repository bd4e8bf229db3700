#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure every figure against its peer, in turn in the same run, and say which goals are met.

Prints a line a figure; with --json writes a document that obeys schema/bench-result.schema.json.
The exit status is 0 when every figure that could be measured met its goal, 1 when one is short, or
its sides were to make the same and did not.
docs/benchmarks.md says what the figures mean.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

from figure import HEADER, Differs, NotMeasured, Result
from surroundings import TOP, Bench, machine
from table import FIGURES


def cuda_index(name):
    if not re.fullmatch("cuda:[0-9]{1,3}", name):
        raise argparse.ArgumentTypeError(f'"{name}": expected cuda:N')
    return int(name[5:])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--area", action="append", choices=sorted({f.area for f in FIGURES}),
                        help="only figures of this area; can be given again")
    parser.add_argument("--figure", action="append", metavar="TEXT",
                        help="only the figure of this name, or those whose names hold this text; "
                             "can be given again")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each side (5)")
    parser.add_argument("--bytes", type=int, default=1 << 30, help="bytes of a state (1 GiB)")
    parser.add_argument("--tensors", type=int, default=200, help="tensors of a state (200)")
    parser.add_argument("--folder", metavar="DIR",
                        help="measure on the file system of this folder (TMPDIR, /tmp)")
    parser.add_argument("--device", metavar="cuda:N", type=cuda_index, default=0, dest="cuda",
                        help="the GPU of area gpu (cuda:0)")
    parser.add_argument("--build", metavar="DIR", default=str(TOP), help="the build tree")
    parser.add_argument("--peers", metavar="DIR",
                        help="what bench/install_peers.sh made; else peers of this system")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    parser.add_argument("--list", action="store_true", help="name the figures, and measure none")
    options = parser.parse_args()
    if options.runs < 1 or options.tensors < 1 or options.bytes < 4 * options.tensors:
        parser.error("at least one run, one tensor, and four bytes a tensor")
    return options


def is_named(figure, text):
    """By its whole name, or by a part of it that is no other's whole name."""
    return figure.name == text or (text in figure.name
                                   and not any(text == other.name for other in FIGURES))


def chosen(options):
    for figure in FIGURES:
        if options.area and figure.area not in options.area:
            continue
        if options.figure and not any(is_named(figure, text) for text in options.figure):
            continue
        yield figure


def measure(figure, bench):
    try:
        return Result(figure, figure.measure(bench))
    except NotMeasured as problem:
        return Result(figure, None, str(problem))
    except Differs as problem:
        return Result(figure, None, str(problem), "differs")


def main():
    options = arguments()
    results = []
    here = machine()
    began = time.time()
    if options.list:
        for figure in chosen(options):
            print(f"{figure.area:<11}{figure.name:<44}{figure.goal!s:>9}  {figure.conditions}")
        return 0
    print(f"{here['cpu']}, {here['cores']} cores, {here['memory_bytes'] >> 30} GiB, Linux "
          f"{here['kernel']}; {options.bytes} bytes in {options.tensors} tensors; medians of "
          f"{options.runs} runs")
    print(HEADER, flush=True)
    with Bench(options) as bench:
        for figure in chosen(options):
            results.append(measure(figure, bench))
            print(results[-1].line(), flush=True)
    document = {"format": "snap-bench-1", "machine": here, "peers": bench.versions(),
                "bytes": options.bytes, "tensors": options.tensors, "runs": options.runs,
                "seconds": round(time.time() - began),
                "figures": [result.document() for result in results]}
    print(", ".join(f"{name} {version}" for name, version in bench.versions().items()))
    if options.json:
        Path(options.json).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return int(any(result.status in ("short", "differs") for result in results))


if __name__ == "__main__":
    sys.exit(main())
