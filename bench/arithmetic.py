# SPDX-License-Identifier: Apache-2.0
"""Area `arithmetic`: operators and training steps of the profile portable-1 on the processor."""

import subprocess
from functools import partial

from figure import Figure, Goal, Measurement, NotMeasured
from saving import in_turn
from surroundings import TOP
from worker import Worker

PEER = str(TOP / "bench" / "peer_arithmetic.py")
DEBIAN_PYTHON = "/usr/bin/python3"


def _compare(bench, what, peer, peer_name):
    ours = [bench.program("bench/bench_ops"), *map(str, what)]
    with Worker(ours, stopped=True) as mine, Worker(peer, stopped=True) as theirs:
        return Measurement(*in_turn(bench, mine.go, theirs.go), peer_name)


def matmul(m, n, k, bench):
    what = ["matmul", m, n, k]
    return _compare(bench, what, [bench.python("numpy"), PEER, *map(str, what)],
                    "numpy.matmul, the BLAS of its wheel")


def step(model, bench):
    what = [model, 64]
    return _compare(bench, what, [bench.python("torch"), PEER, *map(str, what)], "torch, eager")


def debian_step(model, bench):
    if subprocess.run([DEBIAN_PYTHON, "-c", "import torch"], check=False,
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise NotMeasured(f"{DEBIAN_PYTHON} has no torch: apt-get install python3-torch")
    what = [model, 64]
    return _compare(bench, what, [DEBIAN_PYTHON, PEER, *map(str, what)],
                    "the system's torch, eager")


def elements(name, peer_elements, bench):
    """Against a copy that moves as many bytes."""
    copy = [bench.program("bench/bench_ops"), "copy", str(peer_elements)]
    return _compare(bench, [name, 1 << 20], copy, "memcpy on all cores, as many bytes moved")


def _product(goal, m, n, k):
    return Figure("arithmetic", f"matmul {m} x {n} x {k}", Goal("ratio", goal),
                  partial(matmul, m, n, k), conditions="row by row, all cores, memory warm")


_STEP = "batch of 64 images, dropout where the model has it, clipping, AdamW; data ready"
_MOVED = "2^20 elements, in the caches as far as they fit"
FIGURES = [
    *(_product(0.9, size, size, size) for size in (512, 1024, 2048)),
    _product(0.9, 333, 777, 1111),
    _product(0.9, 1000, 1000, 1000),
    Figure("arithmetic", "mlp step, torch", Goal("ratio", 0.7), partial(step, "mlp"),
           conditions=_STEP),
    Figure("arithmetic", "mnist-cnn step, torch", Goal("ratio", 0.7), partial(step, "cnn"),
           conditions=_STEP),
    Figure("arithmetic", "mlp step, the system's torch", Goal("ratio", 1.5),
           partial(debian_step, "mlp"), conditions=_STEP),
    Figure("arithmetic", "mnist-cnn step, the system's torch", Goal("ratio", 1.5),
           partial(debian_step, "cnn"), conditions=_STEP),
    Figure("arithmetic", "relu, of a copy", Goal("ratio", 0.8), partial(elements, "relu", 1 << 20),
           conditions=_MOVED),
    Figure("arithmetic", "add, of a copy", Goal("ratio", 0.8),
           partial(elements, "add", 3 << 19), conditions=_MOVED),
    Figure("arithmetic", "sum, of a copy", Goal("ratio", 0.8),
           partial(elements, "reduce", 1 << 19), conditions=_MOVED),
]
