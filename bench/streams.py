# SPDX-License-Identifier: Apache-2.0
"""Area `streams`: numbers drawn from a stream, against the library whose numbers they are.

Both sides are seeded alike and make as many fills, so that the last one has the same bytes on
both: where it has not, the figure is no figure, and the run fails.
"""

import sys

from figure import Differs, Figure, Goal, Measurement
from surroundings import TOP

PEER = str(TOP / "bench" / "peer_streams.py")
COUNT = 1 << 18  # numbers of a fill: in the processor's cache, where memory is not what is measured
FILLS = 16       # of a turn, the shortest of which counts
SEED = 20240229


def _draw(kind, draw, place, peer, module):
    def measure(bench):
        ours = bench.worker(bench.program("bench/bench_streams"))
        python = bench.python(module) if module else sys.executable
        theirs = bench.worker(python, PEER)
        times = ([], [])
        for run in range(bench.runs + 1):
            request = f"{kind} {draw} {COUNT} {FILLS} {SEED + run} {place}"
            digests = set()
            for side, worker in zip(times, (ours, theirs)):
                seconds, digest = worker.ask(request)
                side.append(float(seconds) / COUNT * 1e9)
                digests.add(digest)
            if len(digests) != 1:
                raise Differs(f"the numbers of {peer}, seed {SEED + run}, are others here")
        return Measurement(times[0][1:], times[1][1:], peer)
    return measure


def _figure(name, goal, kind, draw, peer, module, held=True):
    how = "into an array that is there" if held else "each time into a new array"
    return Figure("streams", name, Goal("ratio", goal),
                  _draw(kind, draw, "held" if held else "fresh", peer, module), unit="ns",
                  conditions=f"{COUNT} numbers {how}, one thread, a number's share")


def _generator(engine, goal):
    """Figures of numpy.random.Generator over `engine`; `goal` is that of its uniforms."""
    kind = f"numpy_{engine.lower()}"
    rows = [("raw words", 1.0, "raw", "random_raw(n)", False),
            ("uniform f64", goal, "f64", "random(out=x)", True),
            ("uniform f32", goal, "f32", "random(out=x, dtype=float32)", True),
            ("normal f64", 1.0, "normal", "standard_normal(out=x)", True),
            ("normal f32", 1.0, "normal_f32", "standard_normal(out=x, dtype=float32)", True),
            ("permutation", 1.0, "permutation", "permutation(n)", False)]
    return [_figure(f"{engine} {what}", value, kind, draw, f"NumPy, {engine}: {call}", "numpy",
                    held) for what, value, draw, call, held in rows]


def _random_state():
    rows = [("raw words", 1.0, "u32", "randint(0, 2**32, n, uint32)"),
            ("uniform f64", 1.5, "f64", "random_sample(n)"),
            ("normal f64", 1.0, "normal", "standard_normal(n)"),
            ("permutation", 1.0, "permutation", "permutation(n)")]
    return [_figure(f"RandomState {what}", goal, "numpy_random_state", draw,
                    f"NumPy, RandomState: {call}", "numpy", False)
            for what, goal, draw, call in rows]


def _torch():
    rows = [("raw words", 1.0, "i64", "x.random_()"),
            ("uniform f64", 1.5, "f64", "x.uniform_(), float64"),
            ("uniform f32", 1.5, "f32", "x.uniform_(), float32"),
            ("normal f64", 1.0, "normal", "x.normal_(), float64"),
            ("normal f32", 1.0, "normal_f32", "x.normal_(), float32"),
            ("permutation", 1.0, "permutation", "torch.randperm(n, out=x)")]
    return [_figure(f"torch {what}", goal, "torch_cpu", draw, f"torch: {call}", "torch")
            for what, goal, draw, call in rows]


FIGURES = [
    *_generator("PCG64", 1.5),
    *_generator("PCG64DXSM", 1.0),
    *_generator("MT19937", 1.5),
    *_generator("Philox", 1.5),
    *_generator("SFC64", 1.0),
    *_random_state(),
    *_torch(),
    _figure("Python random.random", 1.0, "python_random", "f64",
            "Python: [random() for _ in range(n)]", None, False),
]
