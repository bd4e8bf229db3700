# SPDX-License-Identifier: Apache-2.0
"""What a ledger with the digest of the whole state costs a training."""

import json
import random
import struct

from figure import Figure, Goal, Measurement
from surroundings import TOP
from worker import Worker

SAMPLES = 2000
STEPS = 20  # of each training in a run: a digest in every tenth comes twice
# state_every of the trainings whose steps alternate; the others are compared with the first.
EVERY = (0, 1, 10)

_measured = {}  # of each bench and model: all three are measured at once


def noise_file(folder, name, magic, shape, draw=None):
    """An IDX file of noise: bytes, or labels from 0 to 9 where it has one dimension; its path."""
    draw = draw or random.Random(1)
    count = 1
    for extent in shape:
        count *= extent
    data = draw.randbytes(count) if len(shape) > 1 else bytes(draw.randrange(10)
                                                              for _ in range(count))
    path = folder / name
    path.write_bytes(struct.pack(f">I{len(shape)}I", magic, *shape) + data)
    return str(path)


def _config(folder, every, wide, files):
    """examples/mnist-cnn.json over images of noise, in one thread; `wide`: with twice the channels
    and a layer more, 289,660 parameters in all."""
    config = json.loads((TOP / "examples" / "mnist-cnn.json").read_text(encoding="utf-8"))
    training = config["training"]
    if wide:
        for layer in training["model"]:
            layer["features"] = {"conv1": 32, "conv2": 64, "fc1": 86}.get(layer["name"], 0)
            if not layer["features"]:
                del layer["features"]
        training["model"] += [{"name": "relu3", "kind": "relu"},
                              {"name": "fc2", "kind": "linear", "features": 10}]
    training.update(evaluate=0, epochs=100_000, ledger={"state_every": every})
    config["running"] = {"threads": 1, "every": 0, "progress": False, "data": files}
    path = folder / f"every-{every}.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return str(path)


def _measure(bench, wide):
    """For each of EVERY but the first, the percents of a step without digests, one of each run. A
    state smaller than usual asks for fewer steps."""
    if (bench, wide) not in _measured:
        folder, draw = bench.new_folder(), random.Random(1)
        files = {"train_images": noise_file(folder, "images", 0x803, (SAMPLES, 28, 28), draw),
                 "train_labels": noise_file(folder, "labels", 0x801, (SAMPLES,), draw)}
        configs = [_config(folder, every, wide, files) for every in EVERY]
        steps = max(2, min(STEPS, STEPS * bench.bytes >> 30))
        command = [bench.program("bench/bench_ledger"), str(folder), str(steps), *configs]
        with Worker(command) as worker:
            runs = [list(map(float, worker.ask("go"))) for _ in range(bench.runs + 1)][1:]
        _measured[bench, wide] = [[100 * run[k] / run[0] for run in runs]
                                  for k in range(1, len(EVERY))]
    return _measured[bench, wide]


def _figure(name, wide, index, most):
    def measure(bench):
        return Measurement(_measure(bench, wide)[index])
    return Figure("story", f"ledger, {name}", Goal("most", most), measure, unit="%",
                  conditions="processor time of a step, of that of the same training without state "
                             "digests; steps alternate; one thread; AdamW")


FIGURES = [
    _figure("state of every step, mnist-cnn", False, 0, 105),
    _figure("state of every step, 300,000", True, 0, 105),
    _figure("state_every 10, mnist-cnn", False, 1, 101),
    _figure("state_every 10, 300,000", True, 1, 101),
]
