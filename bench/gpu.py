# SPDX-License-Identifier: Apache-2.0
"""Area `gpu`: portable-1 on a CUDA device against cudnn-1 on the same one, and digests there."""

from functools import partial

from figure import Figure, Goal, Measurement
from saving import in_turn
from worker import Worker

GIB_AT_200_GB_A_SECOND = 2**30 / 200e9


def against_cudnn(what, bench):
    program = bench.program("bench/bench_ops")
    ours, peer = ([program, table, *map(str, what)] for table in ("cuda", "cudnn"))
    with Worker(ours) as mine, Worker(peer) as theirs:
        return Measurement(*in_turn(bench, mine.go, theirs.go),
                           "cudnn-1: cuDNN and cuBLAS, pedantic, without TF32")


def digest(bench):
    with Worker([bench.program("bench/bench_ops"), "cuda", "digest", "1024"]) as ours:
        ours.go()
        return Measurement([ours.go() for _ in range(bench.runs)])


FIGURES = [
    *(Figure("gpu", f"matmul {m} x {n} x {k}", Goal("ratio", 0.7),
             partial(against_cudnn, ["matmul", m, n, k]), conditions="row by row, memory warm")
      for m, n, k in ((1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096),
                      (1000, 1000, 1000), (333, 777, 1111))),
    *(Figure("gpu", f"{name} step", Goal("ratio", 0.5), partial(against_cudnn, [model, 1024]),
             conditions="batch of 1024 images, clipping, AdamW; inputs copied, no ledger")
      for name, model in (("mlp", "mlp"), ("mnist-cnn", "cnn"))),
    Figure("gpu", "state digest of 1 GiB", Goal("most", GIB_AT_200_GB_A_SECOND), digest,
           conditions="40 tensors; leaves by the device, roots by the processor"),
]
