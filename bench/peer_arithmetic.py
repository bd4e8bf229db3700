# SPDX-License-Identifier: Apache-2.0
"""The peers of the arithmetic figures: bench_ops.c's work by NumPy's BLAS and by torch.

    peer_arithmetic.py matmul M N K      NumPy
    peer_arithmetic.py mlp|cnn BATCH     torch: forward, backward, clipping, AdamW

Each line "go" is answered by the seconds of one call: the mean of as many as fit in a tenth of a
second.
"""

import sys
import time

LONG_ENOUGH_S = 0.1


def matmul(m, n, k):
    import numpy
    generator = numpy.random.default_rng(0)
    a = generator.random((m, k), dtype=numpy.float32)
    b = generator.random((k, n), dtype=numpy.float32)
    out = numpy.empty((m, n), dtype=numpy.float32)
    return lambda: numpy.matmul(a, b, out=out)


def _model(name, nn):
    if name == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256),
                             nn.ReLU(), nn.Linear(256, 10))
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AvgPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


def step(name, batch):
    import torch
    torch.manual_seed(0)
    model = _model(name, torch.nn)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    inputs = torch.rand(batch, 1, 28, 28) - 0.5
    labels = torch.arange(batch) % 10

    def call():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss.item()
    return call


def main():
    what, *sizes = sys.argv[1:]
    sizes = list(map(int, sizes))
    call = matmul(*sizes) if what == "matmul" else step(what, *sizes)
    for _ in sys.stdin:
        began = time.perf_counter()
        calls = 0
        while True:
            call()
            calls += 1
            now = time.perf_counter()
            if now - began >= LONG_ENOUGH_S:
                break
        print(f"{(now - began) / calls:.9f}", flush=True)


if __name__ == "__main__":
    main()
