# SPDX-License-Identifier: Apache-2.0
"""Area `ranks`: the sum over shards that does not depend on the number of ranks, against
MPI_Allreduce, which adds in an order of its own."""

import os
import subprocess
from functools import partial

from figure import Figure, Goal, Measurement, NotMeasured

# Ranks that outnumber the processors must give way to each other; and root is who measures in a
# container.
ENVIRONMENT = {"OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1",
               "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
LAUNCH = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n"]


def total(ranks, shards, count, bench):
    program = bench.program("bench/bench_ranks")
    try:
        done = subprocess.run([*LAUNCH, str(ranks), program, str(count), str(shards),
                               str(bench.runs + 1)], check=False, text=True,
                              env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError as missing:
        raise NotMeasured("mpirun is not installed: apt-get install openmpi-bin") from missing
    lines = [line.split() for line in done.stdout.splitlines()]
    if done.returncode != 0 or len(lines) != bench.runs + 2:
        raise NotMeasured(f"bench_ranks on {ranks} ranks: {done.stderr.strip()[:200]}")
    times = [tuple(map(float, line)) for line in lines[1:-1]]
    return Measurement([ours for ours, _ in times], [peer for _, peer in times],
                       "own shards added up, then MPI_Allreduce")


def _figure(ranks, shards, count, goal):
    size = f"{count >> 20} Mi" if count >= 1 << 20 else f"{count >> 10} Ki"
    return Figure("ranks", f"sum of {shards} shards, {ranks} ranks, {size} floats",
                  Goal("ratio", goal), partial(total, ranks, shards, count),
                  conditions="gradients in memory of ranks on one machine; of the slowest rank")


FIGURES = [
    _figure(2, 2, 1 << 14, 0.4),
    _figure(2, 2, 1 << 20, 0.5),
    _figure(2, 2, 1 << 24, 0.7),
    _figure(2, 8, 1 << 24, 0.5),
    _figure(4, 4, 1 << 20, 0.5),
    _figure(4, 4, 1 << 24, 0.7),
]
