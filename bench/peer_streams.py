# SPDX-License-Identifier: Apache-2.0
"""The peers of the stream figures: NumPy, torch and Python, asked as bench_streams.c is.

    peer_streams.py   lines "KIND DRAW COUNT FILLS SEED held|fresh"

`held` is what a call does that takes the array to fill; the others make one each time.
"""

import hashlib
import random
import sys
import time

GENERATORS = {"numpy_pcg64": "PCG64", "numpy_pcg64dxsm": "PCG64DXSM", "numpy_mt19937": "MT19937",
              "numpy_philox": "Philox", "numpy_sfc64": "SFC64"}


def generator(kind, draw, count, seed):
    """Draws of numpy.random.Generator."""
    import numpy
    engine = getattr(numpy.random, GENERATORS[kind])(seed)
    rng = numpy.random.Generator(engine)
    wide, narrow = numpy.empty(count), numpy.empty(count, numpy.float32)
    return {"raw": lambda: engine.random_raw(count),
            "f64": lambda: rng.random(out=wide),
            "f32": lambda: rng.random(out=narrow, dtype=numpy.float32),
            "normal": lambda: rng.standard_normal(out=wide),
            "normal_f32": lambda: rng.standard_normal(out=narrow, dtype=numpy.float32),
            "permutation": lambda: rng.permutation(count)}[draw]


def random_state(draw, count, seed):
    """Draws of numpy.random.RandomState, none of which takes an array."""
    import numpy
    rng = numpy.random.RandomState(seed)
    return {"u32": lambda: rng.randint(0, 1 << 32, count, numpy.uint32),
            "f64": lambda: rng.random_sample(count),
            "normal": lambda: rng.standard_normal(count),
            "permutation": lambda: rng.permutation(count)}[draw]


def torch_cpu(draw, count, seed):
    """Draws of torch's generator on the CPU."""
    import torch
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(seed)
    dtype = {"f32": torch.float32, "normal_f32": torch.float32, "f64": torch.float64,
             "normal": torch.float64}.get(draw, torch.int64)
    held = torch.empty(count, dtype=dtype)
    fill = {"f32": lambda: held.uniform_(generator=rng),
            "f64": lambda: held.uniform_(generator=rng),
            "i64": lambda: held.random_(generator=rng),
            "normal_f32": lambda: held.normal_(generator=rng),
            "normal": lambda: held.normal_(generator=rng),
            "permutation": lambda: torch.randperm(count, generator=rng, out=held)}[draw]
    return lambda: fill().numpy()


def python_random(draw, count, seed):
    """Draws of random.Random, one at a time, into a list."""
    rng = random.Random(seed).random
    return {"f64": lambda: [rng() for _ in range(count)]}[draw]


def bytes_of(numbers):
    if isinstance(numbers, list):
        import array
        return array.array("d", numbers).tobytes()
    return numbers.tobytes()


def answer(kind, draw, count, fills, seed):
    if kind in GENERATORS:
        fill = generator(kind, draw, count, seed)
    else:
        fill = {"numpy_random_state": random_state, "torch_cpu": torch_cpu,
                "python_random": python_random}[kind](draw, count, seed)
    times = []
    numbers = None
    for _ in range(fills):
        began = time.perf_counter()
        numbers = fill()
        times.append(time.perf_counter() - began)
    print(f"{min(times):.9f} {hashlib.sha256(bytes_of(numbers)).hexdigest()}", flush=True)


def main():
    for line in sys.stdin:
        kind, draw, count, fills, seed, _ = line.split()
        answer(kind, draw, int(count), int(fills), int(seed))


if __name__ == "__main__":
    main()
